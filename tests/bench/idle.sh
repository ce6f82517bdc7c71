#!/bin/bash
# idle.sh BUILD BIN SECONDS [LANES] [PORT]: eight lanes of a whole desk, no card, nobody there. What their readers do in
# that time, by strace (every system call of the real processes; a wake-up is a wait that came back), and what moved on
# the simulated buses, by the devices' own count. Fails when a transfer moved but the one interrupt transfer that
# waits at each reader, or when a reader woke up.
set -u
build=$1 bin=$2 seconds=$3 lanes=${4:-8} port=${5:-8690}
here=$(dirname "$0")
desk=$build/desk-idle
logs=$build/idle
# shellcheck source=tests/sim/launcher.sh
. "$here/../sim/launcher.sh"

stop() {
    launcher_stop
    rm -rf "$desk"
}
trap stop EXIT
trap 'exit 130' INT TERM

command -v strace > /dev/null || { echo "  no strace: apt-get install strace" >&2; exit 1; }
rm -rf "$desk" "$logs"
mkdir -p "$logs"
"$here/../sim/make-desk.sh" "$build" "$bin" "$desk" "$lanes" "$port" || exit 1
desk=$(realpath "$desk")
launcher_start "$desk"
launcher_ready "$desk" || exit 1
moved() { # moved LANE: control out in interrupt iso
    "$bin/sim-service" --send "$desk/run/device-$1.control" transfers | sed 's/[a-z]*=//g; s/^ok //'
}

# What follows a start is over when nothing has moved for three seconds.
last='' still=0
for ((i = 0; i < 120 && still < 3; i++)); do
    now=$(for ((n = 1; n <= lanes; n++)); do moved "$n"; done)
    still=$((still + 1))
    [ "$now" = "$last" ] || still=0
    last=$now
    sleep 1
done

before=() tracers=()
for ((n = 1; n <= lanes; n++)); do before[n]=$(moved "$n"); done
for word in $("$bin/sim-service" --send "$desk/run/launcher.control" pids | sed 's/^ok//'); do
    case $word in reader-*)
        pid=${word#*=}
        strace -f -q -tt -e signal=none -o "$logs/${word%%=*}" -p "${pid%%:*}" 2> "$logs/${word%%=*}.err" &
        tracers+=($!)
        ;;
    esac
done
[ "${#tracers[@]}" -eq "$lanes" ] || { echo "${#tracers[@]} reader processes, not $lanes" >&2; exit 1; }
sleep "$seconds"
after=()
for ((n = 1; n <= lanes; n++)); do
    after[n]=$(moved "$n")
    cp "$logs/reader-$n" "$logs/reader-$n.idle"
done
# That the counting counts: a card on lane 1, and nothing on the others.
"$bin/sim-service" --send "$desk/run/device-1.control" insert franck > /dev/null
sleep 3
kill "${tracers[@]}"
wait "${tracers[@]}"

# How often a wait came back in these lines.
wakes_of() { grep -cE '(epoll_p?wait2?|poll|futex|restart_syscall|resumed>).* = [0-9]+' "$1"; }

# A line is begun with the wait that strace finds a thread in, and ended when that comes back.
calls=0 wakes=0
for ((n = 1; n <= lanes; n++)); do
    grep -q . "$logs/reader-$n.idle" || { echo "strace saw nothing of reader $n: $(cat "$logs/reader-$n.err")" >&2; exit 1; }
    calls=$((calls + $(grep -c ' = ' "$logs/reader-$n.idle")))
    wakes=$((wakes + $(wakes_of "$logs/reader-$n.idle")))
done
card=$(wakes_of "$logs/reader-1")
card_moved=$(($(moved 1 | tr ' ' +) - $(tr ' ' + <<< "${after[1]}")))
rest=0 waiting=0
for ((n = 1; n <= lanes; n++)); do
    read -r -a was <<< "${before[n]}"
    read -r -a is <<< "${after[n]}"
    for i in 0 1 2 3 4; do rest=$((rest + is[i] - was[i])); done
    waiting=$((waiting + (is[3] > 0)))
done
printf '  %d readers, %d s: %d wake-ups, %d system calls; USB transfers handed in: %d; readers with an interrupt transfer that waits: %d\n' \
    "$lanes" "$seconds" "$wakes" "$calls" "$rest" "$waiting"
printf '  for comparison, the three seconds after a card was laid on lane 1: %d wake-ups of its reader, %d transfers\n' \
    "$card" "$card_moved"
if [ "$card" -eq 0 ] || [ "$card_moved" -le 0 ]; then
    echo "nothing was counted when there was something to count" >&2
    exit 1
fi
[ "$rest" -eq 0 ] && [ "$wakes" -eq 0 ] && [ "$waiting" -eq "$lanes" ]
