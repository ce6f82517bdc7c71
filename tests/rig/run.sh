#!/bin/bash
# run.sh BUILD BIN
# Three boots of Debian's stock kernel in QEMU, each a guest whose root is this machine's (read-only, changes stay in
# memory): "composite" has our simulated device on the kernel's virtual USB controller, "camera" has it with the camera
# left to the kernel's driver, "qemu" has QEMU's own reader with our simulated card. RIG_ONLY=NAME boots one of them; BENCH=1 adds
# "bench", our driver against pcscd with libccid. One line a check, "N passed, N failed" at the end. Logs stay in BUILD/rig.
#
# Emulated (TCG) unless the processor says that it can virtualise: /dev/kvm alone proves nothing. Emulated time goes
# as slowly as the machine is busy, so the limit is generous; an idle machine stays far below five minutes.
set -u
build=$(realpath "$1") from=$(realpath "$2")
here=$(realpath "$(dirname "$0")")
rig=$build/rig
bin=$rig/bin
limit=${RIG_SECONDS:-900} # all in all
memory=768 # MiB
started=$SECONDS
passed=0 failed=0
qemu='' vscard='' # while they run

sockets=$(mktemp -d)

finish() {
    [ -z "$qemu" ] || kill "$qemu"
    [ -z "$vscard" ] || kill "$vscard"
    wait
    rm -rf "$sockets"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

mkdir -p "$rig/log" "$bin"
exec 8> "$rig/lock"
flock -n 8 || { echo "rig: another one is running in $rig" >&2; exit 1; }
kernel=$("$here/kernel.sh" "$rig") || { echo "0 passed, 1 failed"; exit 1; }
# The guest sees files change under it when somebody builds: it gets its own copies.
for program in uketsuke uketsuke-reader uketsuke-broker sim-reader test_reader_process rig-attach rig-v4l2 rig-vscard rig-lane rig-camera rig-bench; do
    cp -f "$from/$program" "$bin/" || exit 1
done

accel=tcg
if grep -qwE 'vmx|svm' /proc/cpuinfo && [ -w /dev/kvm ]; then accel=kvm; fi
echo "rig: $(basename "$kernel"), $(qemu-system-x86_64 --version | head -n 1), $accel"

# What the processor spent on programs that have ended, from the second line of `times`: "0m1.500s 0m0.250s".
seconds_spent() {
    awk 'NR == 2 { for (i = 1; i <= 2; i++) { split($i, t, /[ms]/); n += t[1] * 60 + t[2] } print int(n) }' "$rig/times"
}

boot() { # boot NAME QEMU_ARGUMENT...: until the guest powers off; its status
    local name=$1 out=$rig/log/$1 left
    shift
    left=$((limit - (SECONDS - started)))
    [ "$left" -gt 0 ] || { echo "no time left" > "$out/serial.log" && return 124; }
    timeout -k 5 "$left" qemu-system-x86_64 -accel "$accel" -m "$memory" -nodefaults -no-reboot -display none \
        -serial "file:$out/serial.log" -kernel "$kernel/vmlinux" -initrd "$kernel/initramfs.gz" \
        -fsdev local,id=host,path=/,security_model=none,readonly=on,multidevs=remap \
        -device virtio-9p-pci,fsdev=host,mount_tag=host \
        -fsdev local,id=out,path="$out",security_model=none -device virtio-9p-pci,fsdev=out,mount_tag=out \
        -append "console=ttyS0 quiet nokaslr mitigations=off no_timer_check panic=-1 \
rig.script=$here/guest-$name.sh rig.source=$build" "$@" < /dev/null > "$out/qemu.log" 2>&1 &
    qemu=$!
    local status=0
    wait "$qemu" || status=$? # a signal to us is heard here
    qemu=
    return "$status"
}

judge() { # judge NAME STATUS: the guest's own lines, and that it came to its end
    local out=$rig/log/$1 line
    while read -r line; do
        echo "$line"
        case "$line" in
            "ok "*) passed=$((passed + 1)) ;;
            "FAILED "*) failed=$((failed + 1)) ;;
        esac
    done < <(cat "$out/results" 2> /dev/null)
    if [ ! -e "$out/finished" ]; then
        failed=$((failed + 1))
        echo "FAILED  $1: the guest did not come to its end (status $2): see $out"
        tail -n 5 "$out/serial.log" | sed 's/^/        /'
    fi
}

guest() { # guest NAME QEMU_ARGUMENT...: a boot that did not reach its root is tried once more, and that is logged
    local name=$1 out=$rig/log/$1 status=0 before=$SECONDS
    times > "$rig/times"
    local processor
    processor=$(seconds_spent)
    boot "$@" || status=$?
    if [ ! -e "$out/reached-root" ]; then
        echo "rig: boot '$name' did not reach its root (status $status), once more: see $out/serial.first.log"
        mv -f "$out/serial.log" "$out/serial.first.log"
        status=0
        boot "$@" || status=$?
    fi
    judge "$name" "$status"
    times > "$rig/times"
    echo "rig: $name took $((SECONDS - before)) s, of the processor $(($(seconds_spent) - processor)) s"
}

fresh() { rm -rf "${rig:?}/log/$1" && mkdir -p "$rig/log/$1"; }

boots() { # boots NAME: is it wanted? The bench only when it is asked for
    if [ -n "${RIG_ONLY:-}" ]; then [ "$RIG_ONLY" = "$1" ]; else [ "$1" != bench ] || [ -n "${BENCH:-}" ]; fi
}

composite() {
    fresh composite
    guest composite
}

cameras() {
    fresh camera
    guest camera
}

bench() {
    fresh bench
    guest bench
}

qemus_reader() {
    fresh qemu
    mkdir -p "$rig/log/qemu/card"
    "$bin/rig-vscard" --qemu "$sockets/card" --control "$sockets/line" --cards "$build/sim/cards" --card franck \
        --state "$rig/log/qemu/card" > "$rig/log/qemu/vscard.log" 2>&1 &
    vscard=$!
    for _ in $(seq 100); do [ -S "$sockets/line" ] && break; sleep 0.05; done
    # -serial twice: the log is the guest's first line, the card's control its second.
    guest qemu -chardev "socket,id=line,path=$sockets/line" -serial chardev:line \
        -device qemu-xhci -chardev "socket,id=card,path=$sockets/card,server=on,wait=off" \
        -device usb-ccid -device ccid-card-passthru,chardev=card
    kill "$vscard" 2> /dev/null # it ends with QEMU, unless that never came up
    wait "$vscard"
    vscard=
}

if boots composite; then composite; fi
if boots camera; then cameras; fi
if boots qemu; then qemus_reader; fi
if boots bench; then bench; fi

echo "rig: $((SECONDS - started)) s, logs in $rig/log"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
