#!/bin/bash
# guest.sh: runs in the guest as root, once a boot; the kernel's command line (guest.part=NAME) or /out/part says which part.
# /data is the host's build folder (read-only), /out where results go: a line "ok WORDS" or "FAILED WORDS" a check.
set -u
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin
part=$(sed -n 's/.*\bguest\.part=\([^ ]*\).*/\1/p' /proc/cmdline)
part=${part:-$(cat /out/part)}
# An emulated processor needs most of a minute for a frame: faces are compared where it is a real one.
# shellcheck disable=SC2034 # parts/install.sh asks
if grep -q 'guest.faces=no' /proc/cmdline; then faces=no; else faces=yes; fi
database=/var/lib/uketsuke/uketsuke.db
services='uketsuke-desk uketsuke-broker uketsuke-matcher uketsuke-ocr uketsuke-web uketsuke-reader@1 uketsuke-relay@main'
echo "== part $part, $(cut -d ' ' -f 1 /proc/uptime) s after the kernel's start"

say() { # say STATUS WORDS
    if [ "$1" -eq 0 ]; then echo "ok $2"; else echo "FAILED $2"; fi >>/out/results
}
check() { # check WORDS COMMAND...
    local words=$1 status=0
    shift
    "$@" || status=$?
    say "$status" "$words"
    [ "$status" -eq 0 ] || echo "-- FAILED: $words: $*"
}
# What README.md or a man page says, as it is printed there, by root (so without sudo). What stands for something of the
# reader's own (FILE, a version) is given as OTHER. In the folder of the packages, where `./` of the README is.
printed=$(for page in /out/README.md /out/man/*; do tr '\n' ' ' <"$page" | tr -s ' '; done)
as_printed() { # as_printed COMMAND [OTHER]
    local command=${2:-${1//sudo /}}
    [[ $printed = *"$1"* ]] || { say 1 "README and man pages print: $1" && return; }
    check "as printed: $1" bash -c "cd /data/guest/old && $command" </dev/null
}
finish() {
    journalctl -b --no-pager -o short-monotonic >"/out/journal-$part.txt" 2>&1
    systemctl --no-pager list-units 'uketsuke*' >"/out/units-$part.txt" 2>&1
    echo "== part $part ends after $(cut -d ' ' -f 1 /proc/uptime) s"
    touch "/out/finished-$part"
}
wait_for() { # wait_for SECONDS COMMAND...
    local left=$(($1 * 2))
    shift
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || return 1
        sleep 0.5
    done
}
all_active() {
    local service
    for service in $services; do systemctl -q is-active "$service.service" || return 1; done
}
sim=/usr/lib/uketsuke-sim/sim-guest desk=/var/lib/uketsuke-sim/desk
visits() { "$sim" visits /out/parts/visits.txt --family "$1" --desk "$desk"; }
part_of_a_visit() { "$sim" part "$@" --method pin --seconds 300 --desk "$desk"; }
ask() { sqlite3 -readonly "$database" "$1"; } # the desk holds no lock that keeps readers out
none_undecided() { [ "$(ask 'SELECT count(*) FROM visits WHERE closed_us = 0 AND outcome = 0')" = 0 ]; }
intact() { [ "$(ask 'PRAGMA integrity_check')" = ok ] && [ -z "$(ask 'PRAGMA foreign_key_check')" ]; }
chain_holds() { uketsuke audit verify; }
# What was asked, without what only logs in, and without what was refused for its token (which ends after ten minutes: the
# same question comes again with a new one).
questions() { jq -r 'select(.request_id != null and .kind != "auth" and .kind != "capabilities" and .http != 401) | .request_id' /var/lib/uketsuke-sim/desk/log/ledger.jsonl | sort; }
ledger_agrees() { # each question was asked once, belongs to a visit, and was written down before it was sent
    [ -z "$(questions | uniq -d)" ] && [ -z "$(comm -23 <(questions) <(ask 'SELECT correlation FROM asks' | sort -u))" ]
}
# What was told to the receptionist stands in the database, with the same end, once.
told_stands() {
    local word id outcome missing=0
    while read -r word id outcome; do
        [ "$word" = closed ] || continue
        outcome_in_book=$(ask "SELECT count(*) FROM visits WHERE id = $id AND outcome != 0")
        [ "$outcome_in_book" = 1 ] || { echo "visit $id ($outcome) is not in the book" && missing=1; }
    done </out/told
    return "$missing"
}
books() { # books WHEN: what must hold after whatever happened
    check "$1: the database is whole" intact
    check "$1: no visit is left undecided" wait_for 60 none_undecided
    check "$1: every question of the service's ledger stands once in the desk's book" ledger_agrees
    check "$1: the audit chain holds" chain_holds
    check "$1: every visit that was told stands in the database" told_stands
}

[ -e "/out/parts/$part.sh" ] || { echo "no part $part" && finish && poweroff; }
# shellcheck disable=SC1090
. "/out/parts/$part.sh"
