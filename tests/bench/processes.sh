#!/bin/bash
# processes.sh BIN DESK SECONDS: memory, descriptors, and what each process of a running desk does while nothing
# happens. PSS: its pages, shared ones divided among those who share them. The house's programs let nobody of their
# own uid look into them, so memory and descriptors need root; without it they are shown as "-".
set -u
bin=$1 desk=$2 seconds=$3
answer=$("$bin/sim-service" --send "$desk/run/launcher.control" pids) || exit 1
names=() pids=()
for word in ${answer#ok}; do
    names+=("${word%%=*}")
    pid=${word#*=}
    pids+=("${pid%%:*}")
done

used_ns() { cat /proc/"$1"/task/*/schedstat 2>/dev/null | awk '{n += $1} END {printf "%.0f", n}'; }
wakes() { cat /proc/"$1"/task/*/status 2>/dev/null | awk '/^voluntary_ctxt_switches/ {n += $2} END {printf "%.0f", n}'; }
kib() { awk -v key="$2:" '$1 == key {n += $2; seen = 1} END {if (seen) printf "%.1f", n / 1024; else printf "-"}' "/proc/$1/smaps_rollup" 2>/dev/null || printf -- -; }

ns=() switches=()
for i in "${!pids[@]}"; do
    ns[i]=$(used_ns "${pids[i]}")
    switches[i]=$(wakes "${pids[i]}")
done
sleep "$seconds"
printf '  %-12s %9s %9s %8s %5s %8s %12s %10s\n' program 'PSS MiB' private threads fds '' 'CPU ms/min' 'wakes/s'
total=0
for i in "${!pids[@]}"; do
    pid=${pids[i]}
    now=$(used_ns "$pid") woken=$(wakes "$pid")
    pss=$(kib "$pid" Pss)
    private=$(awk '$1 ~ /^Private_/ {n += $2; seen = 1} END {if (seen) printf "%.1f", n / 1024; else printf "-"}' "/proc/$pid/smaps_rollup" 2>/dev/null)
    fds=$(find "/proc/$pid/fd" -type l 2>/dev/null | wc -l)
    [ "$fds" -gt 0 ] || fds=-
    threads=$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l)
    printf '  %-12s %9s %9s %8s %5s %8s %12s %10s\n' "${names[i]}" "${pss:--}" "${private:--}" "$threads" "$fds" '' \
        "$(awk -v a="${ns[i]}" -v b="$now" -v s="$seconds" 'BEGIN {printf "%.1f", (b - a) / 1e6 / s * 60}')" \
        "$(awk -v a="${switches[i]}" -v b="$woken" -v s="$seconds" 'BEGIN {printf "%.2f", (b - a) / s}')"
    total=$(awk -v t="$total" -v p="${pss:-0}" 'BEGIN {print t + p}')
done
printf '  %-12s %9s\n' together "$total"
