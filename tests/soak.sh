#!/bin/bash
# soak.sh BUILD BIN PORT SECONDS [LANES [SEED]]: a random day at many lanes of one desk, with every kind of trouble (soak.c of the
# guest), then all books are compared. The seed is printed; the same seed decides the same.
set -u
build=$1 bin=$2 port=$3 seconds=$4 lanes=${5:-8} seed=${6:-}
here=$(dirname "$0")
[ -n "$seed" ] || seed=$((RANDOM * 32768 + RANDOM))
desk=$build/soak
rm -rf "$desk"
"$here/sim/make-desk.sh" "$build" "$bin" "$desk" "$lanes" "$port" patience=short || exit 1
desk=$(realpath "$desk")
"$bin/sim-launcher" "$desk/plan" "$desk/log" "$desk/run/launcher.control" 2>"$desk/log/launcher.log" &
launcher=$!
trap 'kill -TERM $launcher 2>/dev/null; wait $launcher 2>/dev/null' EXIT
trap 'exit 130' INT TERM
"$bin/sim-guest" soak "$seconds" --seed "$seed" --desk "$desk" | tee "$desk/log/soak"
status=${PIPESTATUS[0]}
kill -TERM "$launcher"
wait "$launcher"
trap - EXIT
"$here/reconcile.sh" "$desk" >"$desk/log/books" || status=1
grep '^FAIL' "$desk/log/books"
tail -n 1 "$desk/log/books"
sed -nE 's/^(soak|books): ([0-9]+) passed, ([0-9]+) failed$/\2 \3/p' "$desk/log/soak" "$desk/log/books" |
    awk '{ passed += $1; failed += $2 } END { printf "%d passed, %d failed\n", passed, failed + (NR < 2) }'
exit "$status"
