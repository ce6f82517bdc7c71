#!/bin/bash
# guest-desk.sh BUILD: runs inside the guest. The whole house, as `make run` starts it, but its reader and camera hang on
# the kernel's USB: broker, reader program, libusb, usbfs, and our simulated device behind it. Two lanes with devices of
# one kind, told apart by their serial numbers; a face visit and a PIN visit, from kiosk and board to the simulated
# service.
set -u
# shellcheck source=tests/rig/guest.sh
. "$(dirname "$0")/guest.sh"
source=$(dirname "$0")/..
desk=$work/desk

load vhci-hcd uvcvideo
start_udev
"$source/sim/make-desk.sh" "$build" "$bin" "$desk" 2 8620 > /out/make-desk.log 2>&1
# A face takes a second and more here.
sed -i -e 's|^reader = usbip=.*/usbip-\([0-9]*\).sock|reader = id=1209:0001/SIM\1|' -e 's|^camera = .*|camera = v4l2:same|' \
    -e 's|^face-seconds = .*|face-seconds = 120|' -e 's|^method-seconds = .*|method-seconds = 120|' "$desk/uketsuke.conf"
"$bin/sim-launcher" "$desk/plan" "$desk/log" "$desk/run/launcher.control" 2> /out/launcher.log &
launcher=$!
# shellcheck disable=SC2317  # called by until_true
is_ready() { [ "$("$bin/sim-service" --send "$desk/run/launcher.control" ready 2> /dev/null)" = ok ]; }
check "desk: every program is up" until_true 300 is_ready
"$bin/rig-attach" "$desk/run/usbip-1.sock" 0 0x10002 > /out/attach-1.log 2>&1 &
attach=$!
"$bin/rig-attach" "$desk/run/usbip-2.sock" 1 0x10003 > /out/attach-2.log 2>&1 &
attach="$attach $!"
echo "RIG: desk up after $(cut -d ' ' -f 1 /proc/uptime) s"

timeout 800 "$bin/sim-guest" visits "$source/rig/visits.txt" --desk "$desk" > /out/visits.log 2>&1
check "desk on a real bus: both visits ended as they should" says 'visits: [1-9][0-9]* passed, 0 failed' cat /out/visits.log
sed -n 's/^/        /p' /out/visits.log | head -n 12 >> /out/results
handed_over() { # handed_over LANE KIND USE
    grep -rh 'device handed over' "$desk/log" | grep -q "lane=$1 kind=$2 use=$3 "
}
for lane in 1 2; do
    check "desk on a real bus: lane $lane has its own reader, and its camera by the kernel's driver" \
        eval "handed_over $lane 1 1 && handed_over $lane 3 2"
done
"$bin/uketsuke" --config "$desk/uketsuke.conf" doctor > /out/doctor.log 2>&1
check "desk on a real bus: doctor names both devices and their lanes" \
    eval "grep -q 'device of lane 1: Simulated reception reader' /out/doctor.log && grep -q 'device of lane 2: Simulated' /out/doctor.log"
# shellcheck disable=SC2086 # two words
kill $attach "$launcher"
# shellcheck disable=SC2086
wait $attach "$launcher"
mkdir -p /out/programs
cp "$desk"/log/* /out/programs/ 2> /dev/null
finished
