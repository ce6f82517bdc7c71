#!/bin/bash
# reconcile.sh DESK...: after the desks were stopped, compares all their books (reconcile.sql says which rules) and looks for
# what must not stand anywhere: names in the clear, 照合番号B, a sanitizer's complaint. A line a rule, "N passed, N failed".
set -u
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

lines() { # lines FILE NAME...: "file<US>line" of the files that are there
    local out=$1 file
    shift
    for file; do
        [ ! -e "$file" ] || awk -v name="$(basename "$file" .jsonl)" 'NF { printf "%s\037%s\036", name, $0 }' "$file"
    done >"$out"
}

# A VERIFY that carries something, by application and length; a card's own lane, in the order of time.
verifies() { # verifies TRACE...
    local file
    for file; do
        [ ! -e "$file" ] || awk -v lane="${file##*-}" -v OFS='\037' -v ORS='\036' '
            $2 == "insert" { card = $3; delete asked; next }
            / INS=20 / && / Lc=0 / { asked[$2] = 1; next }
            / INS=20 / {
                kind = "other"
                if ($2 == "jpki" && / Lc=4 /) kind = "pin"
                if ($2 == "kenkaku" && / Lc=14 /) kind = "b"
                if ($2 == "kenhojo" && / Lc=14 /) kind = "text-b"
                print $1 * 1000000, lane, card, kind, $NF, asked[$2] + 0
                delete asked[$2]
            }' "$file"
    done
}

# The tries left in each chip and those it began with; lane 0: the card wanders from lane to lane.
counters() { # counters DESK
    local file card lane kind key most first
    while read -r file; do
        card=$(basename "$file" .state) lane=$(basename "$(dirname "$file")")
        [ "$lane" != card-state ] || lane=0
        while read -r kind key most first; do
            awk -v OFS='\037' -v ORS='\036' -v lane="$lane" -v card="$card" -v kind="$kind" -v key="tries.$key" -v most="$most" \
                -v first="$(sed -n "s/^$first = //p" "$(cat "$1/descriptions")/$card.card")" \
                '$1 == key { print lane, card, kind, $3, most, first == "" ? most : first }' "$file"
        done <<<'pin jpki.0018 3 pin-tries
b kenkaku.0012 10 number-b-tries
text-b kenhojo.0015 10 text-number-b-tries'
    done < <(find "$1/card-state" -name '*.state')
}

verdict() { # verdict STATUS WORDS
    if [ "$1" -eq 0 ]; then
        passed=$((passed + 1)) && printf 'ok    %s\n' "$2"
    else
        failed=$((failed + 1)) && printf 'FAIL  %s\n' "$2"
    fi
}

for desk; do
    database=$desk/state/uketsuke.db
    echo "-- $desk"
    lines "$work/ledger" "$desk"/log/ledger*.jsonl
    lines "$work/book" "$desk/log/book.jsonl"
    verifies "$desk"/log/trace-* >"$work/verifies"
    counters "$desk" >"$work/counters"
    # What may exist without the guest having seen it: it lay on the reader while no page answered.
    : >"$work/unseen"
    [ ! -e "$desk/log/unseen" ] || cp "$desk/log/unseen" "$work/unseen"
    uketsuke_states=$(sed -n 's/^VISIT_STATE([A-Z_]*, "\([a-z_]*\)".*/\1/p' "$here/../daemon/common/visit.def")
    awk '{ printf "%d\037%s\036", NR - 1, $0 }' <<<"$uketsuke_states" >"$work/states"
    cp "$database" "$work/desk.db"
    [ ! -e "$database-wal" ] || cp "$database-wal" "$work/desk.db-wal"
    {
        cat <<SQL
CREATE TEMP TABLE ledger_lines (file TEXT, line TEXT);
CREATE TEMP TABLE book_lines (file TEXT, line TEXT);
CREATE TEMP TABLE verifies (at REAL, lane INTEGER, card TEXT, kind TEXT, status TEXT, asked INTEGER);
CREATE TEMP TABLE counters (lane INTEGER, card TEXT, kind TEXT, tries INTEGER, most INTEGER, first INTEGER);
CREATE TEMP TABLE states (id INTEGER, name TEXT);
CREATE TEMP TABLE unseen (visit INTEGER);
.mode ascii
.separator "\037" "\036"
.import --schema temp $work/ledger ledger_lines
.import --schema temp $work/book book_lines
.import --schema temp $work/verifies verifies
.import --schema temp $work/counters counters
.import --schema temp $work/states states
.import --schema temp $work/unseen unseen
.mode list
SQL
        cat "$here/reconcile.sql"
    } | sqlite3 -batch -bail "$work/desk.db" >"$work/verdicts" 2>"$work/errors" || { cat "$work/errors" && verdict 1 "the books can be read"; }
    cat "$work/verdicts"
    passed=$((passed + $(grep -c '^ok ' "$work/verdicts"))) failed=$((failed + $(grep -c '^FAIL ' "$work/verdicts")))

    programs=("$desk"/log/{desk,web,matcher,ocr,broker}*.log "$desk"/log/reader-*.log "$desk"/log/relay-*.log)
    verdict "$([ "$(grep -c '^' "$work/verdicts")" -gt 25 ]; echo $?)" "every rule was tried"
    ! grep -qaE '見本|例示|架空|ミホン|ﾐﾎﾝ' "$database" "$database"-* 2>/dev/null
    verdict $? "no patient's name lies in the database in the clear"
    ! cat "${programs[@]}" 2>/dev/null | grep -qaE '見本　|例示　|架空　|ミホン|ﾐﾎﾝ|19750604'
    verdict $? "no patient's name or birth date stands in a log"
    # 照合番号B of every card that was placed.
    sed -n 's/.* insert //p' "$desk"/log/trace-* 2>/dev/null | sort -u >"$work/placed"
    awk -F'\t' 'NR == FNR { placed[$1]; next } ($1 in placed) && $7 != "" { print $7 }' "$work/placed" "$desk/cards/index.tsv" >"$work/numbers"
    ! { cat "$desk"/state/* "${programs[@]}" 2>/dev/null | grep -qaFf "$work/numbers"; }
    verdict $? "no 照合番号B in database or logs ($(wc -l <"$work/numbers") looked for)"
    ! cat "$desk"/log/*.log | grep -qaE 'Sanitizer|runtime error'
    verdict $? "no sanitizer had a word to say"
done
echo "books: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
