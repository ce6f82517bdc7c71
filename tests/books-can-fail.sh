#!/bin/bash
# books-can-fail.sh DESK: a comparison that cannot fail proves nothing. The books of a finished desk are falsified in a copy, one thing at
# a time, and reconcile.sh must name the rule that was broken.
set -u
desk=$1
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

said_of() { # said_of COMMAND...: what the rules say ($said) of a fresh copy that the command has changed, run in its directory
    rm -rf "$work/desk"
    cp -a "$desk" "$work/desk"
    (cd "$work/desk" && "$@") || { echo "FAIL  cannot change: $*" && failed=$((failed + 1)) && return 1; }
    said=$("$here/reconcile.sh" "$work/desk" | grep '^FAIL')
    return 0
}
verdict() { # verdict STATUS GOOD BAD
    if [ "$1" -eq 0 ]; then
        passed=$((passed + 1)) && echo "ok    $2"
    else
        failed=$((failed + 1)) && printf 'FAIL  %s\n%s\n' "$3" "$said"
    fi
}
falsified() { # falsified "WORDS OF THE RULE" COMMAND...
    said_of "${@:2}" || return
    grep -qF "$1" <<<"$said"
    verdict $? "is seen: $1" "is not seen: $1"
}
allowed() { # allowed "WORDS" COMMAND...: no rule may say a word
    said_of "${@:2}" || return
    [ -z "$said" ]
    verdict $? "is no fault: $1" "is taken for a fault: $1"
}
sql() { sqlite3 state/uketsuke.db "PRAGMA foreign_keys = OFF; $1" >/dev/null; }

falsified "every question in the ledger was written down by the desk first" sql "DELETE FROM asks WHERE id = 1"
falsified "belongs to the visit and is of the kind" sql "UPDATE asks SET kind = 3 WHERE id = 1"
falsified "every question that was answered stands in the ledger" sed -i '/"card_session"/d' log/ledger.jsonl
falsified "no question is left without its end" sql "UPDATE asks SET outcome = 255 WHERE id = 1"
falsified "no change is sent twice under different names" sql "UPDATE asks SET writes = 1, visit = 1"
falsified "the service was told the consents that the patient gave" \
    sed -i 's/"PharmacistsInfoConsFlg":"1"/"PharmacistsInfoConsFlg":"0"/' log/ledger.jsonl
falsified "every visit that the guest saw stands in the database" sql "DELETE FROM visits WHERE id = 2"
falsified "and no other does" sql "UPDATE visits SET id = 999 WHERE id = 1"
lose_lookup() { # lose_lookup ACCEPTED: the guest never learned the visit of its first look-up
    local id
    id=$(sed -n '/"event":"lookup"/{s/.*"visit":\([1-9][0-9]*\),.*"link":false.*/\1/p}' log/book.jsonl | head -n 1)
    [ -n "$id" ] && sed -i "/\"event\":\"lookup\"/{s/\"visit\":$id,/\"visit\":0,/;s/\"accepted\":\"yes\"/\"accepted\":\"$1\"/};/\"visit\":$id,/d" log/book.jsonl
}
allowed "a look-up whose answer was lost" lose_lookup "?"
falsified "and no other does" lose_lookup no
falsified "each ended as the guest saw it end" sql "UPDATE visits SET outcome = 5 WHERE id = 1"
falsified "no visit is left undecided" sql "UPDATE visits SET outcome = 0 WHERE id = 1"
falsified "an entitlement rests on an answer" sql "UPDATE visits SET answer = NULL WHERE id = 1"
falsified "the audit log has no gap" sql "DELETE FROM audit WHERE id = 5"
falsified "each step begins where the one before it ended" sql "UPDATE audit SET detail = 'face>done' WHERE id = (SELECT id FROM audit WHERE instr(detail, '>') > 0 ORDER BY id LIMIT 1 OFFSET 2)"
falsified "and the last one where the visit stands" sql "UPDATE visits SET state = 3 WHERE id = 1"
falsified "what patient and staff did stands in it" sed -i '/"staff_confirm"/d; /"choose_pin"/d; /"consent"/s/"yes"/"no"/' log/book.jsonl
falsified "no card got more PINs than were keyed in for it" sed -i '/"entry":"pin"/d' log/book.jsonl
falsified "nor more wrong ones than were keyed in wrong" sed -i 's/"right":false/"right":true/' log/book.jsonl
falsified "no card got 照合番号B more often than it was keyed in" sed -i '/"entry":"number-b"/d' log/book.jsonl
falsified "the counter was asked before each try" sed -i '/ INS=20 .* Lc=0 /d' log/trace-1
falsified "the counters in the chips are what those tries make of them" sed -i 's/^tries.jpki.0018 = 3/tries.jpki.0018 = 2/' card-state/franck.state
falsified "no patient's name or birth date stands in a log" bash -c 'echo "見本　太郎" >>log/desk.log'
falsified "no 照合番号B in database or logs" bash -c 'echo 50060420344137 >>log/web.log'
falsified "no sanitizer had a word to say" bash -c 'echo "ERROR: AddressSanitizer" >>log/desk.log'
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
