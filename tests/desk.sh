#!/bin/bash
# desk.sh BUILD BIN PORT [--kills]: a whole desk in a directory of its own, driven by the guest, then ended.
# Passes on the guest's closing line and status, and adds what the desk's own books say afterwards.
set -u
build=$1 bin=$2 port=$3
shift 3
here=$(dirname "$0")
desk=$build/desk-$port
rm -rf "$desk"
"$here/sim/make-desk.sh" "$build" "$bin" "$desk" 1 "$port" || exit 1
desk=$(realpath "$desk")
"$bin/sim-launcher" "$desk/plan" "$desk/log" "$desk/run/launcher.control" 2>"$desk/log/launcher.log" &
launcher=$!
trap 'kill -TERM $launcher 2>/dev/null; wait $launcher 2>/dev/null' EXIT
status=0
"$bin/sim-guest" --desk "$desk" --cards "$here/sim/cards" --port "$port" "$@" >"$desk/log/guest.log" || status=$?
cat "$desk/log/guest.log"
kill -TERM "$launcher"
wait "$launcher"
trap - EXIT

passed=$(sed -nE 's/^(visits: )?([0-9]+) passed.*/\2/p' "$desk/log/guest.log" | tail -n 1)
failed=$(sed -nE 's/.* ([0-9]+) failed.*/\1/p' "$desk/log/guest.log" | tail -n 1)
passed=${passed:-0} failed=${failed:-1}
check() { # check WORDS COMMAND...
    local words=$1
    shift
    if "$@"; then
        echo "ok    $words"
        passed=$((passed + 1))
    else
        echo "FAIL  $words"
        failed=$((failed + 1))
    fi
}
database=$desk/state/uketsuke.db
# A visit whose result stands (outcome decided) may still be on the screen when the desk is stopped.
none_open() { [ "$(sqlite3 "$database" 'SELECT count(*) FROM visits WHERE closed_us = 0 AND outcome = 0')" = 0 ]; }
whole() { [ "$(sqlite3 "$database" 'PRAGMA integrity_check')" = ok ]; }
foreign_keys() { [ -z "$(sqlite3 "$database" 'PRAGMA foreign_key_check')" ]; }
no_names() { ! grep -qaE '見本|例示|架空|ミホン|ﾐﾎﾝ' "$database" "$database"-* 2>/dev/null; }
no_names_in_logs() { ! grep -qaE '見本　|例示　|架空　|ミホン|ﾐﾎﾝ|19750604' "$desk"/log/{desk,web,reader-1,matcher,relay-main,broker}.log; }
no_number_b() { ! grep -rqaE '50060420344137' "$desk/state" "$desk"/log/{desk,web,reader-1,matcher,relay-main,broker}.log; }
no_sanitizer() { ! grep -laE 'Sanitizer|runtime error' "$desk"/log/*.log; }
# The service's own ledger against the desk's book: each question belongs to a visit and was written down first.
questions() { jq -r 'select(.request_id != null and .kind != "auth" and .kind != "capabilities") | .request_id' "$desk/log/ledger.jsonl" | sort -u; }
ledger_agrees() { [ -n "$(questions)" ] && [ -z "$(comm -23 <(questions) <(sqlite3 "$database" 'SELECT correlation FROM asks' | sort -u))" ]; }
none_asked() { [ "$(sqlite3 "$database" 'SELECT count(*) FROM asks WHERE outcome = 255')" = 0 ]; }
check "every question in the service's ledger stands in the desk's book" ledger_agrees
check "no question is left without its end" none_asked
check "no visit is left undecided in the database" none_open
check "the database is whole (sqlite3 integrity_check)" whole
check "no foreign key points nowhere" foreign_keys
check "no patient's name lies in the database in the clear" no_names
check "no patient's name or birth date stands in a log" no_names_in_logs
check "no 照合番号B in database or logs" no_number_b
check "no sanitizer had a word to say" no_sanitizer
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$status" -eq 0 ]
