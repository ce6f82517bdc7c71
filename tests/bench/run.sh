#!/bin/bash
# run.sh BUILD BIN: what `make bench` prints. Medians, with the spread between the quartiles in brackets; one machine,
# simulated devices and service: figures to compare with yesterday's, not with a counter's.
#
# UKETSUKE_BENCH_RUNS (5): how often the visits are driven, each time at a desk of its own, with an empty cache.
# UKETSUKE_BENCH_IDLE (20): seconds of doing nothing. UKETSUKE_BENCH_PORT (8680). UKETSUKE_BENCH_ANSWERS (1000000): in the
# largest database, some 4 KiB each on the disk. UKETSUKE_BENCH_ROWS (3000): appointments asked about beforehand.
set -u
build=$1 bin=$2
here=$(dirname "$0")
runs=${UKETSUKE_BENCH_RUNS:-5} idle=${UKETSUKE_BENCH_IDLE:-20} port=${UKETSUKE_BENCH_PORT:-8680}
desk=$build/desk-bench
failed=0
# shellcheck source=tests/sim/launcher.sh
. "$here/../sim/launcher.sh"

section() { printf '\n%s\n' "$1"; }

trap launcher_stop EXIT
trap 'exit 130' INT TERM

start() { # a fresh desk
    launcher_stop
    rm -rf "$desk"
    "$here/../sim/make-desk.sh" "$build" "$bin" "$desk" 1 "$port" || exit 1
    desk=$(realpath "$desk")
    launcher_start "$desk"
}

# The guest's lines: "ok METHOD OUTCOME card photo face pin ask total APDUs frames TEXT".
visits() {
    local lines=$build/bench-visits i
    : >"$lines"
    for ((i = 0; i < runs; i++)); do
        start
        "$bin/sim-guest" visits "$here/../sim/visits/reception.txt" --family first --desk "$desk" >"$desk/log/guest.log"
        grep -E '^(ok|FAIL) ' "$desk/log/guest.log" >>"$lines"
    done
    awk -v runs="$runs" '
        function sort(a, n,    i, j, t) {
            for (i = 2; i <= n; i++) { t = a[i]; for (j = i - 1; j > 0 && a[j] > t; j--) a[j + 1] = a[j]; a[j + 1] = t }
        }
        function cell(name, f,    n, i, a, lo, mid, hi) {
            n = count[name]
            for (i = 1; i <= n; i++) a[i] = value[name, f, i] + 0
            sort(a, n)
            lo = a[int((n - 1) * 0.25 + 1.5)]; mid = a[int((n - 1) * 0.5 + 1.5)]; hi = a[int((n - 1) * 0.75 + 1.5)]
            return lo == hi ? mid : mid " (" lo ".." hi ")"
        }
        {
            if ($1 == "FAIL") { failed++; next }
            name = $0; sub(/^.* \/ /, "", name)
            if (!(name in count)) order[++names] = name
            n = ++count[name]
            for (f = 4; f <= 11; f++) value[name, f, n] = $f
        }
        END {
            printf "  %-34s %-14s %-14s %-18s %-12s %-14s %-20s %-10s %-12s\n", "milliseconds", "card", "photo", "face", "pin", "ask", "total", "APDUs", "frames"
            for (i = 1; i <= names; i++) {
                name = order[i]
                printf "  %-34s %-14s %-14s %-18s %-12s %-14s %-20s %-10s %-12s\n", name, cell(name, 4), cell(name, 5), cell(name, 6), cell(name, 7), cell(name, 8), cell(name, 9), cell(name, 10), cell(name, 11)
            }
            printf "  %d runs, %d visits did not end as they should\n", runs, failed
            exit failed > 0
        }' "$lines" || failed=1
    rm -f "$lines"
}

echo "uketsuke bench: $(nproc) processors, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(uname -r)"

section "Visits, stage by stage (a desk of its own each run)"
visits

section "From event to pixels (the kiosk in Chromium, $((runs * 2)) visits by face)"
if "$here/../setup/packages.sh" browser; then
    BENCH=$((runs * 2)) "$here/../browser/run.sh" "$build" "$bin" $((port + 40)) >"$build/bench-pixels" || failed=1
    grep -v '^ok ' "$build/bench-pixels"
    rm -f "$build/bench-pixels"
else
    failed=1
fi

section "Verifications"
photo=$(printf '%s\n' "$build"/sim/stills/franck_*.jp2 | head -n 1) # as make-stills.sh made the card's
"$bin/bench_matcher" "$build/models" "$build/sim/videos/franck" "$photo" || failed=1

section "Database (on the disk of $build)"
"$bin/bench_store" "$build" "${UKETSUKE_BENCH_ANSWERS:-1000000}" 2>/dev/null || failed=1

section "Tomorrow's appointments (uketsuke precheck, simulated service)"
"$here/precheck.sh" "$build" "$bin" "${UKETSUKE_BENCH_ROWS:-3000}" $((port + 20)) || failed=1
"$here/precheck.sh" "$build" "$bin" "${UKETSUKE_BENCH_ROWS:-3000}" $((port + 20)) bulk || failed=1

section "A live lane beside neighbours whose services are in trouble ($runs rounds)"
"$here/neighbours.sh" "$build" "$bin" $((port + 60)) "$runs" || failed=1

section "A question through the relay (simulated service on the loopback)"
UKETSUKE_BIN=$bin "$bin/bench_relay" 2>/dev/null | grep -v "^ok\|^1\.\.\|^#\|^TAP" || failed=1

section "Reading a big answer (XML)"
"$bin/bench_xml" || failed=1

section "Messages between two processes"
"$bin/bench_ipc" || failed=1

section "A desk that waits: one lane, no card, no browser, $idle s"
start
if launcher_ready "$desk"; then
    sleep 3 # what follows a start is over
    "$here/processes.sh" "$bin" "$desk" "$idle" || failed=1
else
    failed=1
fi
launcher_stop
rm -rf "$desk"

section "Eight lanes that wait: no card, $idle s, by strace and by the devices' own count"
"$here/idle.sh" "$build" "$bin" "$idle" 8 $((port + 10)) || failed=1
exit "$failed"
