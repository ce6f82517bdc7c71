#!/bin/bash
# soak.sh BUILD BIN PORT SECONDS [LANES [SEED]]: a random day at many lanes of one desk, with every kind of trouble (soak.c of the
# guest), then all books are compared. The seed is printed; the same seed decides the same.
# A full disk, missing memory and a clock that jumps are made by what is preloaded into each program (tests/unit/short_calls.h),
# so that nobody needs to be root; OpenCV, OpenJPEG and Tesseract themselves are spared what they do not survive.
set -u
build=$1 bin=$2 port=$3 seconds=$4 lanes=${5:-8} seed=${6:-}
here=$(dirname "$0")
# shellcheck source=tests/sim/launcher.sh
. "$here/sim/launcher.sh"
[ -n "$seed" ] || seed=$((RANDOM * 32768 + RANDOM))
desk=$build/soak
rm -rf "$desk"
"$here/sim/make-desk.sh" "$build" "$bin" "$desk" "$lanes" "$port" patience=short || exit 1
desk=$(realpath "$desk")
if readelf -d "$bin/uketsuked" | grep -q 'libasan\.so'; then
    echo "under the sanitizers: no shortages (they own the allocator)"
else
    spare='libopencv libopenjp2 libstdc++ libprotobuf libtbb libgomp libtesseract liblept libopenblas liblapack ld-linux'
    awk -v shim="$(realpath "$bin")/short.so" -v desk="$desk" -v spare="${spare// /,}" '
        { print }
        $1 == "program" && $3 ~ /\/uketsuke/ {
            print "  env LD_PRELOAD " shim; print "  env SHORT_STATE " desk "/run/short-" $2; print "  env SHORT_SPARE " spare
        }' "$desk/plan" >"$desk/plan.new"
    mv "$desk/plan.new" "$desk/plan"
    awk -v run="$desk/run" '$1 == "program" && $3 ~ /\/uketsuke/ { print run "/short-" $2 }' "$desk/plan" | xargs truncate -s 4096
fi
launcher_start "$desk"
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
