#!/bin/bash
# desk.sh BUILD BIN PORT [FAMILY]: a whole desk in a directory of its own, driven by the guest through one family of
# tests/sim/visits/reception.txt (first), then ended; afterwards its books are compared. "N passed, N failed" over both.
set -u
build=$1 bin=$2 port=$3 family=${4:-first}
here=$(dirname "$0")
# shellcheck source=tests/sim/launcher.sh
. "$here/sim/launcher.sh"
desk=$build/desk-$port
rm -rf "$desk"
"$here/sim/make-desk.sh" "$build" "$bin" "$desk" 1 "$port" card-back=10 || exit 1
desk=$(realpath "$desk")
launcher_start "$desk"
trap 'kill -TERM $launcher 2>/dev/null; wait $launcher 2>/dev/null' EXIT
status=0
"$bin/sim-guest" visits "$here/sim/visits/reception.txt" --family "$family" --desk "$desk" >"$desk/log/visits" || status=$?
cat "$desk/log/visits"
kill -TERM "$launcher"
wait "$launcher"
trap - EXIT
"$here/reconcile.sh" "$desk" >"$desk/log/books" || status=1
cat "$desk/log/books"
sed -nE 's/^(visits|books): ([0-9]+) passed, ([0-9]+) failed$/\2 \3/p' "$desk/log/visits" "$desk/log/books" |
    awk '{ passed += $1; failed += $2 } END { printf "%d passed, %d failed\n", passed, failed + (NR < 2) }'
exit "$status"
