#!/bin/bash
# run.sh BUILD [cuts | PART...]: Debian 12 with systemd in QEMU; the packages are installed, patients come, the packages are
# upgraded in mid-visit, the machine is rebooted, and its power is cut ("cuts": installed, and cut). One line a check,
# "N passed, N failed" at the end. Logs stay in BUILD/guest/out. CUTS=N power cuts (3), SEED for their moments.
set -u
build=$(realpath "$1")
shift
here=$(realpath "$(dirname "$0")")
guest=$build/guest
out=$guest/out
cuts=${CUTS:-3} seed=${SEED:-$RANDOM}
limit=${GUEST_SECONDS:-1500} # a boot
started=$SECONDS
passed=0 failed=0 qemu=''
mkdir -p "$guest"
exec 8>"$guest/lock"
flock -n 8 || { echo "guest: another one is running in $guest" >&2; exit 1; }
finish() { [ -z "$qemu" ] || kill "$qemu" 2>/dev/null; wait; }
trap finish EXIT
trap 'exit 1' HUP INT TERM

"$here/packages.sh" "$build" || { echo "0 passed, 1 failed"; exit 1; }
kernel=$("$here/../rig/kernel.sh" "$guest/kernel" "$here/init" virtio_pci virtio_blk ext4 crc32c_generic 9pnet_virtio 9p) ||
    { echo "0 passed, 1 failed"; exit 1; }
accel=tcg,thread=multi faces=no
if grep -qwE 'vmx|svm' /proc/cpuinfo && [ -w /dev/kvm ]; then accel=kvm faces=yes; fi

layers=0 disk=$guest/base.img format=raw
# A layer of qcow2 for each boot: what the guest has not flushed stands in QEMU's memory only (the tables of a new
# layer), or in the guest's, and dies with it.
layer() {
    local new=$guest/layer-$layers.qcow2
    rm -f "$new"
    qemu-img create -q -f qcow2 -b "$disk" -F "$format" "$new" || exit 1
    disk=$new format=qcow2 layers=$((layers + 1))
}
start() { # start PART: QEMU in the background
    qemu-system-x86_64 -accel "$accel" -smp 2 -m 2048 -nodefaults -no-reboot -display none -rtc base=utc \
        -serial "file:$out/serial-$1.log" -kernel "$kernel/vmlinux" -initrd "$kernel/initramfs.gz" \
        -drive "file=$disk,format=$format,if=none,id=disk,cache=writeback,discard=ignore" -device virtio-blk-pci,drive=disk \
        -fsdev local,id=data,path="$build",security_model=none,readonly=on,multidevs=remap -device virtio-9p-pci,fsdev=data,mount_tag=data \
        -fsdev local,id=out,path="$out",security_model=none -device virtio-9p-pci,fsdev=out,mount_tag=out \
        -device virtio-rng-pci \
        -append "console=ttyS0 quiet nokaslr mitigations=off no_timer_check panic=-1 systemd.show_status=no guest.part=$1 guest.faces=$faces" \
        </dev/null >"$out/qemu-$1.log" 2>&1 &
    qemu=$!
}
over() { # over SECONDS: until QEMU ends, at most so long
    local left=$1
    while kill -0 "$qemu" 2>/dev/null; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || { kill "$qemu"; wait "$qemu"; qemu='' && return 1; }
        sleep 1
    done
    wait "$qemu"
    qemu=''
}
results() { # results: the guest's new lines
    local line
    while read -r line; do
        echo "$line"
        case $line in
            "ok "*) passed=$((passed + 1)) ;;
            "FAILED "*) failed=$((failed + 1)) ;;
        esac
    done <"$out/results"
    cat "$out/results" >>"$out/all-results"
    : >"$out/results"
}
boot() { # boot PART: to its end
    local before=$SECONDS
    echo "guest: $1"
    : >"$out/results"
    layer
    start "$1"
    over "$limit"
    results
    if [ ! -e "$out/finished-$1" ]; then
        echo "FAILED $1: the guest did not come to its end: see $out/guest.log, $out/serial-$1.log"
        failed=$((failed + 1))
    fi
    echo "guest: $1 took $((SECONDS - before)) s"
}
cut() { # cut N: the power goes at a moment of the seed's choice
    local wait_ms=$(((seed * 7919 + $1 * 104729) % 25000 + 5000)) left=$limit
    echo "guest: power cut $1"
    : >"$out/results"
    rm -f "$out/cut-me"
    layer
    start cut
    until [ -e "$out/cut-me" ] || ! kill -0 "$qemu" 2>/dev/null || [ "$left" -le 0 ]; do
        sleep 1
        left=$((left - 1))
    done
    sleep "$((wait_ms / 1000)).$(printf %03d $((wait_ms % 1000)))"
    kill -KILL "$qemu"
    wait "$qemu" 2>/dev/null
    qemu=''
    results
    if [ -e "$out/cut-me" ]; then
        echo "guest: cut $wait_ms ms after the first patient came (SEED=$seed), $(grep -c '^closed' "$out/told") visits told so far"
    else
        echo "FAILED cut $1: the guest did not come so far: see $out/guest.log, $out/serial-cut.log"
        failed=$((failed + 1))
    fi
    mv "$out/serial-cut.log" "$out/serial-cut-$1.log"
}

rm -rf "$out"
mkdir -p "$out"
cp -r "$here/guest.sh" "$here/parts" "$here/../../README.md" "$here/../../packaging/man" "$out/"
: >"$out/results"
case ${1:-whole} in
whole) parts='install upgrade rebooted' ;;
cuts) parts=install ;;
*) parts=$* cuts=0 ;;
esac
for part in $parts; do boot "$part"; done
for n in $(seq "$cuts"); do cut "$n"; done
[ "$cuts" -eq 0 ] || boot after
echo "guest: $((SECONDS - started)) s, logs in $out"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
