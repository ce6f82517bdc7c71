#!/bin/bash
# lanes.sh BUILD BIN PORT LANES [VISITS]: many lanes on one desk through real processes; three of them are stuck while the others serve
# patients (lanes.c of the guest). Then the books are compared.
set -u
build=$1 bin=$2 port=$3 lanes=$4 visits=${5:-4}
here=$(dirname "$0")
# shellcheck source=tests/sim/launcher.sh
. "$here/sim/launcher.sh"
desk=$build/lanes
rm -rf "$desk"
"$here/sim/make-desk.sh" "$build" "$bin" "$desk" $((lanes - 1)) "$port" places=storm copies=own consents=all || exit 1
desk=$(realpath "$desk")
launcher_start "$desk"
trap 'kill -TERM $launcher 2>/dev/null; wait $launcher 2>/dev/null' EXIT
trap 'exit 130' INT TERM
"$bin/sim-guest" lanes "$visits" --desk "$desk" | tee "$desk/log/lanes"
status=${PIPESTATUS[0]}
kill -TERM "$launcher"
wait "$launcher"
trap - EXIT
"$here/reconcile.sh" "$desk" >"$desk/log/books" || status=1
grep '^FAIL' "$desk/log/books"
tail -n 1 "$desk/log/books"
sed -nE 's/^(lanes|books): ([0-9]+) passed, ([0-9]+) failed$/\2 \3/p' "$desk/log/lanes" "$desk/log/books" |
    awk '{ passed += $1; failed += $2 } END { printf "%d passed, %d failed\n", passed, failed + (NR < 2) }'
exit "$status"
