#!/bin/bash
# cages.sh BUILD BIN: every daemon is asked to break out of its own cage (--try-cage) and must be refused. They are
# started by the launcher with the sockets and credentials of a real desk, and end after their attempts.
set -u
build=$1 bin=$2
here=$(dirname "$0")
# shellcheck source=tests/sim/launcher.sh
. "$here/sim/launcher.sh"
desk=$build/desk-cages
passed=0 failed=0
rm -rf "$desk"
"$here/sim/make-desk.sh" "$build" "$bin" "$desk" 1 8630 || exit 1
desk=$(realpath "$desk")
"$here/sim/add-outputs.sh" "$desk" 8633 || exit 1
sed -i '/^program .*uketsuke/s/$/ --try-cage/' "$desk/plan"
launcher_start "$desk"
trap 'kill -TERM $launcher 2>/dev/null; wait $launcher 2>/dev/null' EXIT
for name in desk broker reader-1 matcher ocr relay-main handover-receipt handover-hook handover-orca web; do
    # The last attempt of the list: then all were made.
    for _ in $(seq 300); do grep -q 'kernel keyrings' "$desk/log/$name.log" 2>/dev/null && break; sleep 0.1; done
    # It starts again and again: the first round is enough.
    round=$(sed '/kernel keyrings/q' "$desk/log/$name.log")
    echo "== $name"
    grep -E '^(refused|granted|ALLOWED)' <<<"$round"
    refused=$(grep -c '^refused' <<<"$round")
    wrong=$(grep -c '^ALLOWED' <<<"$round")
    passed=$((passed + refused)) failed=$((failed + wrong))
    if [ "$refused" -lt 10 ] || ! grep -q 'kernel keyrings' <<<"$round"; then
        echo "FAIL  $name did not try; its log:"
        tail -n 3 "$desk/log/$name.log"
        failed=$((failed + 1))
    fi
done
# The parser that the command starts needs no supervisor.
echo "== relay --show"
shown=$("$bin/uketsuke-relay" --show --try-cage </dev/null 2>&1)
grep -E '^(refused|granted|ALLOWED)' <<<"$shown"
refused=$(grep -c '^refused' <<<"$shown")
wrong=$(grep -cE '^(granted|ALLOWED)' <<<"$shown")
passed=$((passed + refused)) failed=$((failed + wrong))
[ "$refused" -ge 18 ] || { echo "FAIL  relay --show did not try"; failed=$((failed + 1)); }
[ ! -e /tmp/uketsuke-escaped ] || { echo "FAIL  a file was left in /tmp"; failed=$((failed + 1)); }
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
