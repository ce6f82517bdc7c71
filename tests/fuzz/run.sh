#!/bin/bash
# run.sh BUILD SECONDS TARGET...: makes the seeds, runs each target so long, and says what came of it. A crash is kept
# under BUILD/crashes with the command that repeats it. As many at a time as there are processors (or FUZZ_JOBS). An input
# may take FUZZ_TIMEOUT seconds (120: of the clock, and the machine may be busy); ends with "N passed, N failed".
set -u
build=$1 seconds=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$build/crashes" "$build/log" "$build/corpus" "$build/seeds"
# What is freed is held back, so many MiB of it; by default 256, behind which a target may grow unseen.
export ASAN_OPTIONS=abort_on_error=1:detect_stack_use_after_return=1:allocator_may_return_null=1:quarantine_size_mb=${FUZZ_QUARANTINE:-64}
export UBSAN_OPTIONS=print_stacktrace=1

one() { # one TARGET
    local target=$1 dictionary=() status=0
    local log=$build/log/$target.log seeds=$build/seeds/$target corpus=$build/corpus/$target
    mkdir -p "$corpus"
    rm -rf "$seeds"
    if ! "$build/bin/$target" --seeds "$seeds" >"$log" 2>&1; then
        echo failed >"$build/log/$target.status"
        return
    fi
    [ ! -e "$here/$target.dict" ] || dictionary=(-dict="$here/$target.dict")
    "$build/bin/$target" -max_total_time="$seconds" -timeout=120 -rss_limit_mb=3000 -max_len=16384 \
        -artifact_prefix="$build/crashes/$target-" -print_final_stats=1 "${dictionary[@]}" "$corpus" "$seeds" \
        >>"$log" 2>&1 || status=$?
    [ "$status" -eq 0 ] && echo passed >"$build/log/$target.status" || echo failed >"$build/log/$target.status"
}
export -f one
export build seconds here

printf '%s\n' "$@" | xargs -P "${FUZZ_JOBS:-$(nproc)}" -I{} bash -c 'one {}'

passed=0 failed=0
for target in "$@"; do
    log=$build/log/$target.log
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
    peak=$(sed -n 's/^stat::peak_rss_mb: *//p' "$log" | tail -n 1)
    features=$(grep -oE ' ft: [0-9]+' "$log" | tail -n 1 | tr -dc 0-9)
    if [ "$(cat "$build/log/$target.status" 2>/dev/null)" = passed ]; then
        passed=$((passed + 1))
        printf 'ok   %-24s %10d executions %7d features %5d MiB at most\n' "$target" "${runs:-0}" "${features:-0}" "${peak:-0}"
    else
        failed=$((failed + 1))
        printf 'FAIL %-24s %10d executions %7d features\n' "$target" "${runs:-0}" "${features:-0}"
        grep -m 3 -E 'ERROR|runtime error|does not hold' "$log" | cut -c1-160
        crash=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
        [ -z "$crash" ] || echo "     again: $build/bin/$target $crash"
        [ -n "$crash" ] || echo "     see $log"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
