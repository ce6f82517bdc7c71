#!/bin/bash
# run.sh BUILD BIN
# Boots of Debian's stock kernel in QEMU, two at a time, each a guest whose root is this machine's (read-only, changes
# stay in memory): "composite" has our simulated device on the kernel's virtual USB controller, "camera" has it with the
# camera left to the kernel's driver, "qemu" has QEMU's own reader with our simulated card. One line a check, "N passed,
# N failed" at the end. Logs stay in BUILD/rig. RIG_ONLY="NAME..." boots some of them, or what is not part of the whole:
# "bench", our driver against pcscd with libccid, alone on the machine.
#
# Emulated (TCG) unless the processor says that it can virtualise: /dev/kvm alone proves nothing. Emulated time goes
# as slowly as the machine is busy, so the limit is generous; an idle machine stays far below five minutes.
set -u
build=$(realpath "$1") from=$(realpath "$2")
here=$(realpath "$(dirname "$0")")
rig=$build/rig
bin=$rig/bin
limit=${RIG_SECONDS:-900} # all in all
started=$SECONDS
sockets=$(mktemp -d)
turns=() # background processes

finish() {
    [ ${#turns[@]} -eq 0 ] || kill "${turns[@]}" 2> /dev/null
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
    awk 'NR == 2 { for (i = 1; i <= 2; i++) { split($i, t, /[ms]/); n += t[1] * 60 + t[2] } print int(n) }' "$1"
}

# ---- one boot, in a process of its own -----------------------------------------------------------------------------

boot() { # boot NAME MEMORY_MIB QEMU_ARGUMENT...: until the guest powers off; its status
    local name=$1 memory=$2 out=$rig/log/$1 left
    shift 2
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

guest() { # guest NAME MEMORY_MIB QEMU_ARGUMENT...: a boot that did not reach its root is tried once more, and that is logged
    local name=$1 out=$rig/log/$1 status=0 before=$SECONDS
    boot "$@" || status=$?
    if [ ! -e "$out/reached-root" ]; then
        echo "rig: boot '$name' did not reach its root (status $status), once more: see $out/serial.first.log"
        mv -f "$out/serial.log" "$out/serial.first.log"
        status=0
        boot "$@" || status=$?
    fi
    # The guest's own lines, and that it came to its end.
    cat "$out/results" 2> /dev/null
    if [ ! -e "$out/finished" ]; then
        echo "FAILED  $name: the guest did not come to its end (status $status): see $out"
        tail -n 5 "$out/serial.log" | sed 's/^/        /'
    fi
    times > "$out/times"
    echo "rig: $name took $((SECONDS - before)) s, of the processor $(seconds_spent "$out/times") s"
}

turn() { # turn NAME: what it says goes to log/NAME/said
    local name=$1 out=$rig/log/$1
    qemu='' vscard='' # while they run
    trap '[ -z "$qemu" ] || kill "$qemu"; [ -z "$vscard" ] || kill "$vscard"; wait; exit 1' HUP INT TERM
    case $name in
        qemu)
            mkdir -p "$out/card"
            "$bin/rig-vscard" --qemu "$sockets/card" --control "$sockets/line" --cards "$build/sim/cards" --card franck \
                --state "$out/card" > "$out/vscard.log" 2>&1 &
            vscard=$!
            for _ in $(seq 100); do [ -S "$sockets/line" ] && break; sleep 0.05; done
            # -serial twice: the log is the guest's first line, the card's control its second.
            guest qemu 768 -chardev "socket,id=line,path=$sockets/line" -serial chardev:line \
                -device qemu-xhci -chardev "socket,id=card,path=$sockets/card,server=on,wait=off" \
                -device usb-ccid -device ccid-card-passthru,chardev=card
            kill "$vscard" 2> /dev/null # it ends with QEMU, unless that never came up
            wait "$vscard"
            ;;
        *) guest "$name" 768 ;;
    esac
}

# ---- all of them -----------------------------------------------------------------------------------------------------

wanted() { # wanted NAME
    local all=${RIG_ONLY:-composite camera qemu}
    [[ " $all " == *" $1 "* ]]
}

row() { # row NAME...: one after the other
    local name
    for name in "$@"; do
        if wanted "$name"; then turn "$name" > "$rig/log/$name/said"; fi
    done
}

for name in composite camera qemu bench; do
    if wanted "$name"; then rm -rf "${rig:?}/log/$name" && mkdir -p "$rig/log/$name"; fi
done
# Each row has about half of the work.
row composite &
turns+=($!)
row camera qemu &
turns+=($!)
wait "${turns[@]}"
turns=()
row bench &
turns+=($!)
wait "${turns[@]}"
turns=()

passed=0 failed=0
for name in composite camera qemu bench; do
    wanted "$name" || continue
    while IFS= read -r line; do
        echo "$line"
        case "$line" in
            "ok "*) passed=$((passed + 1)) ;;
            "FAILED "*) failed=$((failed + 1)) ;;
        esac
    done < "$rig/log/$name/said"
done
echo "rig: $((SECONDS - started)) s, logs in $rig/log"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
