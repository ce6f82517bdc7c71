#!/bin/bash
# kills.sh BUILD BIN PORT [DESKS [SLICE [FAMILY]]]: the kill matrix of tests/sim/visits/kills.txt over several desks at once,
# a cell at a time on each. SLICE "K/N": every N-th cell from the K-th on. Then the books are compared.
set -u
build=$1 bin=$2 port=$3 desks=${4:-4} slice=${5:-0/1} family=${6:-}
here=$(dirname "$0")
# shellcheck source=tests/sim/launcher.sh
. "$here/sim/launcher.sh"
launchers=() directories=()
stop() {
    local one
    for one in "${launchers[@]}"; do kill -TERM "$one" 2>/dev/null; done
    for one in "${launchers[@]}"; do wait "$one" 2>/dev/null; done
    launchers=()
}
trap stop EXIT
trap 'exit 130' INT TERM
mkdir -p "$build/kills"
for i in $(seq "$desks"); do
    directory=$build/kills/$i
    rm -rf "$directory"
    "$here/sim/make-desk.sh" "$build" "$bin" "$directory" 1 $((port + 5 * i)) places=numbers consents=all card-back=15 || exit 1
    directory=$(realpath "$directory")
    launcher_start "$directory"
    launchers+=("$launcher") directories+=("$directory")
done
"$bin/sim-guest" kills "$here/sim/visits/kills.txt" --table "$build/kills/table" --slice "$slice" ${family:+--family "$family"} \
    "${directories[@]/#/--desk=}" | tee "$build/kills/log"
status=${PIPESTATUS[0]}
stop
"$here/reconcile.sh" "${directories[@]}" >"$build/kills/books" || status=1
grep '^FAIL' "$build/kills/books"
tail -n 1 "$build/kills/books"
sed -nE 's/^(kills|books): ([0-9]+) passed, ([0-9]+) failed$/\2 \3/p' "$build/kills/log" "$build/kills/books" |
    awk '{ passed += $1; failed += $2 } END { printf "%d passed, %d failed\n", passed, failed + (NR < 2) }'
exit "$status"
