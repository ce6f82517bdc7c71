#!/bin/bash
# samples.sh BUILD BIN: every message and every combination of codes, in both encodings, through `uketsuke eligibility show`.
#
# sim-samples makes the files by libxml2 and, beside each, what it says as JSON made from the same tree without XML. What is
# shown must be that, value for value; the meanings of the codes are typed here from the public lists.
set -u
build=$1 bin=$2
dir=$build/samples
passed=0 failed=0
pass() { passed=$((passed + 1)); }
fail() { failed=$((failed + 1)); echo "FAIL  $*"; }

rm -rf "$dir"
"$bin/sim-samples" "$dir" || exit 1

# One line each: the name, then the object, with every code object folded to its code.
fold='walk(if type == "object" and has("code") and has("list") then .code else . end)'
for xml in "$dir"/*.xml; do
    name=${xml##*/}
    printf '{"name":"%s","message":' "${name%.xml}"
    "$bin/uketsuke" eligibility show --json "$xml" 2>&1 | tr -d '\n'
    echo '}'
done >"$dir/shown"
for json in "$dir"/*.json; do
    name=${json##*/}
    printf '{"name":"%s","message":%s}\n' "${name%.json}" "$(cat "$json")"
done | jq -S -c . | sort >"$dir/wanted"
jq -S -c "$fold" "$dir/shown" | sort >"$dir/got"
files=$(wc -l <"$dir/wanted")
same=$(comm -12 "$dir/wanted" "$dir/got" | wc -l)
passed=$((passed + same))
if [ "$same" -ne "$files" ] || [ "$files" -lt 300 ]; then
    fail "$((files - same)) of $files messages are not shown as they are"
    diff "$dir/wanted" "$dir/got" | head -n 4 | cut -c 1-600
fi

# Meanings: what was shown for this code of this list, once each.
means() { # means LIST CODE JA EN
    local got
    got=$(jq -r --arg list "$1" --arg code "$2" \
        '.. | objects | select(.list == $list and .code == $code) | .ja + "|" + .en' "$dir/shown" | sort -u)
    if [ "$got" = "$3|$4" ]; then pass; else fail "$1 $2 is shown as '$got'"; fi
}
means CD003 1 '正常に終わった' 'done'
means CD003 2 'まだ処理中' 'still being processed'
means CD003 9 '異常終了' 'failed'
means CD004 1 '正常' 'fine'
means CD004 2 'エラー' 'error'
means CD005 0 'UTF-8' 'UTF-8'
means CD005 1 'Shift_JIS(CP932)' 'Shift_JIS (CP932)'
means CD006 1 '有効' 'valid'
means CD006 2 '無効' 'not valid'
means CD006 3 '無効(新しい資格あり)' 'not valid; there is a new entitlement'
means CD006 4 '該当する資格なし' 'no such entitlement'
means CD006 5 '複数の資格が該当' 'several entitlements match'
means CD006 6 '有効(医療扶助:医療券は未登録)' 'valid (medical assistance: the ticket is not registered yet)'
means CD016 0 '同意なし' 'none'
means CD016 1 '同意あり' 'given'
means CD016 2 '同意の期限切れ' 'has ended'
means CD016 3 '同意を得るのが困難' 'hard to obtain'

# The beginning of a message is told apart from what is none; every 97th byte of one, and half of every tenth file.
cut() { # cut FILE BYTES
    local said
    said=$(head -c "$2" "$1" | "$bin/uketsuke" eligibility show - 2>&1 >/dev/null)
    if [[ $said == *'cut off (perhaps still being written)'* ]]; then pass; else fail "$1 at $2: $said"; fi
}
one=$dir/S1-1-1-1-shift-jis.xml
for ((n = 97; n < $(stat -c %s "$one"); n += 97)); do cut "$one" "$n"; done
i=0
for xml in "$dir"/*.xml; do
    i=$((i + 1))
    [ $((i % 10)) -ne 0 ] || cut "$xml" $(($(stat -c %s "$xml") / 2))
done

rm -rf "$dir"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
