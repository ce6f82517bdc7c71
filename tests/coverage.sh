#!/bin/bash
# coverage.sh BUILD FUZZ ROOM...: which lines the unit tests of these rooms and the kept fuzz inputs reach. The tests
# are BUILD/bin/test_ROOM_*, counted by llvm-cov while they run (also inside programs that are caged or killed: their
# counters are a mapped file from the start). Fuzz inputs are the seeds that each of $FUZZ_TARGETS makes (the same each
# time) and what FUZZ/corpus keeps of earlier runs, by the programs under FUZZ/coverage. Prints a line a file and a
# line a folder. WHOLE=1: the scenarios and whole desks at work are counted too, and less than 92 of a hundred lines
# together is a failure.
set -u
build=$1 fuzz=$2
shift 2
rm -rf "$build/profiles" "$build/log"
mkdir -p "$build/profiles" "$build/log"
export LLVM_PROFILE_FILE="$PWD/$build/profiles/%p-%m%c.profraw" UKETSUKE_BIN=$PWD/$build/bin build
export UKETSUKE_SIM=$PWD/build/sim UKETSUKE_MODELS=$PWD/build/models UKETSUKE_FRAMES=$PWD/build/sim/videos
export UKETSUKE_CARDS=$PWD/build/sim/cards UKETSUKE_PKI=$PWD/build/sim/pki UKETSUKE_STILLS=$PWD/build/sim/stills UKETSUKE_SOURCE=$PWD

tests=()
for room in "$@"; do
    for test in "$build"/bin/test_"${room}"_*; do
        [ ! -x "$test" ] || tests+=("$(basename "$test")")
    done
done
printf '%s\n' "${tests[@]}" | xargs -P "$(nproc)" -I{} tests/run-unit.sh "$build/bin" {} "$build/log" coverage ''
for test in "${tests[@]}"; do
    [ "$(cat "$build/log/$test-coverage.status")" = 0 ] || echo "$test ended with a failure (it counts all the same)"
done

if [ -n "${WHOLE:-}" ]; then
    suite() { # suite NAME COMMAND...
        "${@:2}" >"$build/log/$1.log" 2>&1 || echo "$1 ended with a failure (it counts all the same)"
    }
    suite scenarios "$build/bin/scenarios" tests/scenario
    suite visits tests/desk.sh build "$build/bin" 9040
    suite handing-over tests/handover.sh build "$build/bin" 9060
    suite upstreams tests/upstreams.sh build "$build/bin" 9080
    suite keeping tests/keeping.sh build "$build/bin" 9110
    suite cages tests/cages.sh build "$build/bin"
    suite configurations tests/configurations.sh "$build/bin"
    suite bundle tests/bundle.sh "$build/bin"
    suite face-visits tests/visit-figures.sh build "$build/bin" short
fi

objects=()
for program in "$build"/bin/test_* "$build"/bin/uketsuke* "$build"/bin/scenarios "$build"/bin/visit-figures; do
    [ ! -x "$program" ] || objects+=(-object "$program")
done
inputs=0
for target in ${FUZZ_TARGETS:-}; do
    program=$fuzz/coverage/bin/$target
    mkdir -p "$fuzz/seeds" "$fuzz/corpus/$target"
    rm -rf "$fuzz/seeds/$target"
    LLVM_PROFILE_FILE=/dev/null "$program" --seeds "$fuzz/seeds/$target" >"$build/log/$target.log" 2>&1 ||
        echo "$target: no seeds, see $build/log/$target.log"
    for kept in "$fuzz/corpus/$target" "$fuzz/seeds/$target"; do
        [ -d "$kept" ] || continue
        inputs=$((inputs + $(find "$kept" -type f | wc -l)))
        [ -n "$(ls "$kept")" ] || continue
        LLVM_PROFILE_FILE="$PWD/$build/profiles/$target-%p.profraw" timeout 900 "$program" -runs=0 -timeout=300 "$kept" \
            >"$build/log/$target.log" 2>&1 || echo "$target: an input fails, see $build/log/$target.log"
    done
    objects+=(-object "$program")
done
llvm-profdata-14 merge -sparse -failure-mode=all -o "$build/all.profdata" "$build"/profiles/*.profraw 2>"$build/log/merge.log" || {
    tail -n 3 "$build/log/merge.log"
    exit 1
}
echo "${#tests[@]} test programs, $inputs fuzz inputs"
llvm-cov-14 report "${objects[@]:1}" -instr-profile="$build/all.profdata" -ignore-filename-regex='(tests/|/usr/|/gen/)' \
    2>"$build/log/report.log" | awk -v least="${WHOLE:+92}" '
    /\.(c|cpp|h) / {
        folder = $1; sub(/\/[^\/]*$/, "", folder); top = $1; sub(/\/.*/, "", top)
        lines[folder] += $8; missed[folder] += $9; all[top] += $8; gone[top] += $9
        printf "%-44s %6d lines %6d missed %6.1f %%\n", $1, $8, $9, ($8 > 0 ? 100 * ($8 - $9) / $8 : 100) | "sort"
    }
    END {
        close("sort")
        for (f in lines) if (lines[f] > 0) printf "%-44s %6d lines %6d missed %6.1f %%\n", f "/", lines[f], missed[f], (100 * (lines[f] - missed[f]) / lines[f]) | "sort"
        close("sort")
        for (t in all) if (all[t] > 0) printf "%-44s %6d lines %6d missed %6.1f %%\n", t "/ (all of it)", all[t], gone[t], (100 * (all[t] - gone[t]) / all[t]) | "sort"
        close("sort")
        for (t in all) { total += all[t]; left += gone[t] }
        reached = total > 0 ? 100 * (total - left) / total : 0
        printf "%-44s %6d lines %6d missed %6.1f %%\n", "together", total, left, reached
        exit least != "" && reached < least + 0
    }'
