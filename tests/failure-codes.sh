#!/bin/bash
# failure-codes.sh: the pages of packaging/failure-codes against the table in daemon/common/failure.def: a page for
# each code, a code for each page, the table's own words, every field once, and a source that raises each code.
set -u
cd "$(dirname "$0")/.." || exit 1
table=daemon/common/failure.def
pages=packaging/failure-codes
passed=0 failed=0

pass() { passed=$((passed + 1)); }
fail() {
    failed=$((failed + 1))
    echo "FAIL $*"
}

fields='code name kind patient-ja patient-en staff-ja staff-en happened-ja happened-en do-ja do-en check-ja check-en'

# The table as lines: code TAB name TAB kind TAB four texts. A row that this cannot read would be lost: it is counted.
rows=$(gawk 'match($0, /^FAILURE\((\w+), "(\w+)", (\w+), "([^"]*)", "([^"]*)", "([^"]*)", "([^"]*)"\)/, m) {
    print m[2] "\t" m[1] "\t" m[3] "\t" m[4] "\t" m[5] "\t" m[6] "\t" m[7] }' "$table")
if [ "$(grep -c '^FAILURE(' "$table")" -eq "$(grep -c . <<<"$rows")" ]; then pass; else fail "$table: rows of another form"; fi
if [ -z "$(cut -f1 <<<"$rows" | sort | uniq -d)" ]; then pass; else fail "$table: a code stands twice"; fi

field() { sed -n "s/^$2: //p" "$1"; }

# A code is raised by its constant, or by a row of a table that the desk is made of.
raised() { grep -rqE "\bFAILURE_$1\b" daemon driver --include='*.c' --include='*.h' --include='*.cpp' ||
    grep -qE "\b$1\b" daemon/desk/table.def; }

while IFS=$'\t' read -r code name kind patient_ja patient_en staff_ja staff_en; do
    page=$pages/$code.txt
    if [ ! -f "$page" ]; then
        fail "$code $name has no page"
        continue
    fi
    wrong=
    for f in $fields; do
        [ "$(grep -c "^$f: ." "$page")" -eq 1 ] || wrong="$wrong $f"
    done
    [ "$(grep -c . "$page")" -eq "$(wc -w <<<"$fields")" ] || wrong="$wrong (lines of no field)"
    [ "$(wc -l <"$page")" -eq "$(wc -w <<<"$fields")" ] || wrong="$wrong (lines)"
    if [ -z "$wrong" ]; then pass; else fail "$page: missing, empty or twice:$wrong"; fi

    wrong=
    [ "$(field "$page" code)" = "$code" ] || wrong="$wrong code"
    [ "$(field "$page" name)" = "$name" ] || wrong="$wrong name"
    [ "$(field "$page" kind)" = "$kind" ] || wrong="$wrong kind"
    [ "$(field "$page" patient-ja)" = "$patient_ja" ] || wrong="$wrong patient-ja"
    [ "$(field "$page" patient-en)" = "$patient_en" ] || wrong="$wrong patient-en"
    [ "$(field "$page" staff-ja)" = "$staff_ja" ] || wrong="$wrong staff-ja"
    [ "$(field "$page" staff-en)" = "$staff_en" ] || wrong="$wrong staff-en"
    if [ -z "$wrong" ]; then pass; else fail "$page: not the table's words:$wrong (packaging/failure-codes/quote.sh)"; fi

    # Accounts of staff (A...) and handing over (H...) are nothing that a kiosk says.
    wrong=
    for catalogue in daemon/web/pages/text.*.js; do
        case $code:$catalogue in A* | H* | *text.ja.js | *text.en.js) continue ;; esac
        grep -q "^    $code: " "$catalogue" || wrong="$wrong $(basename "$catalogue")"
    done
    if [ -z "$wrong" ]; then pass; else fail "$code has no words for patients in$wrong (below daemon/web/pages)"; fi

    if raised "$name"; then pass; else fail "$code $name is raised by no source"; fi
done <<<"$rows"

for page in "$pages"/*.txt; do
    code=$(basename "$page" .txt)
    if grep -q "^$code"$'\t' <<<"$rows"; then pass; else fail "$page: no such code"; fi
done

# A command, setting or unit that a page names must exist. (No word holds a blank; the backquotes are the pages'.)
# shellcheck disable=SC2013,SC2016
for word in $(grep -ohE '`uketsuke [a-z]+' "$pages"/*.txt | sed 's/.* //' | sort -u); do
    if grep -rqE "\"$word\"" daemon/cli/*.c; then pass; else fail "the pages name 'uketsuke $word', which is no command"; fi
done
# shellcheck disable=SC2013,SC2016
for word in $(grep -ohE '`[a-z]+(-[a-z]+)+`' "$pages"/*.txt | tr -d '`' | sort -u); do
    if grep -q "\"$word\"" daemon/common/config.def; then pass; else fail "the pages name '$word', which is no setting"; fi
done

# shellcheck disable=SC2013,SC2016
for word in $(grep -ohE 'uketsuke-[a-z]+@?' "$pages"/*.txt | sort -u); do
    if [ -e "packaging/systemd/$word.service" ]; then pass; else fail "the pages name '$word', which is no unit"; fi
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
