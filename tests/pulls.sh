#!/bin/bash
# pulls.sh BUILD BIN PORT [LANES [SLICE [FAMILY]]]: a card pulled at every command of the visits of tests/sim/visits/pulls.txt, side by
# side on so many lanes of one desk. SLICE "K/N": every N-th from the K-th on. Then the books are compared.
set -u
build=$1 bin=$2 port=$3 lanes=${4:-16} slice=${5:-0/1} family=${6:-}
here=$(dirname "$0")
# shellcheck source=tests/sim/launcher.sh
. "$here/sim/launcher.sh"
desk=$build/pulls
rm -rf "$desk"
"$here/sim/make-desk.sh" "$build" "$bin" "$desk" "$lanes" "$port" copies=own consents=all card-back=20 || exit 1
desk=$(realpath "$desk")
launcher_start "$desk"
trap 'kill -TERM $launcher 2>/dev/null; wait $launcher 2>/dev/null' EXIT
trap 'exit 130' INT TERM
"$bin/sim-guest" pulls "$here/sim/visits/pulls.txt" --table "$build/pulls.table" --slice "$slice" ${family:+--family "$family"} \
    --desk "$desk" | tee "$desk/log/pulls"
status=${PIPESTATUS[0]}
kill -TERM "$launcher"
wait "$launcher"
trap - EXIT
"$here/reconcile.sh" "$desk" >"$desk/log/books" || status=1
grep '^FAIL' "$desk/log/books"
tail -n 1 "$desk/log/books"
sed -nE 's/^(pulls|books): ([0-9]+) passed, ([0-9]+) failed$/\2 \3/p' "$desk/log/pulls" "$desk/log/books" |
    awk '{ passed += $1; failed += $2 } END { printf "%d passed, %d failed\n", passed, failed + (NR < 2) }'
exit "$status"
