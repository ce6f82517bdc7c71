#!/bin/bash
# coverage.sh BUILD TARGET...: which lines of each room the kept inputs reach: every corpus and seed is run once by
# the programs under BUILD/coverage, then llvm-cov counts.
set -eu
build=$1
shift
objects=()
rm -f "$build"/coverage/*.profraw
for target in "$@"; do
    program=$build/coverage/bin/$target
    for inputs in "$build/corpus/$target" "$build/seeds/$target"; do
        [ -d "$inputs" ] || continue
        LLVM_PROFILE_FILE=$build/coverage/$target-$(basename "$(dirname "$inputs")").profraw \
            "$program" -runs=0 "$inputs" >/dev/null 2>&1 || echo "$target: an input fails"
    done
    objects+=(-object "$program")
done
llvm-profdata-14 merge -sparse -o "$build/coverage/all.profdata" "$build"/coverage/*.profraw
llvm-cov-14 report "${objects[@]:1}" -instr-profile="$build/coverage/all.profdata" \
    -ignore-filename-regex='(tests/|/usr/)' | awk '
    /\.(c|cpp|h) / { split($1, part, "/"); room = $1; sub(/\/[^\/]*$/, "", room); lines[room] += $8; missed[room] += $9 }
    END { for (room in lines) printf "%-20s %6d lines %6.1f %%\n", room, lines[room], 100 * (lines[room] - missed[room]) / lines[room] }' | sort
