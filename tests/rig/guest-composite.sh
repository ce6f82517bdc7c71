#!/bin/bash
# guest-composite.sh BUILD: runs inside the guest. The simulated reader and camera on the kernel's virtual USB
# controller: first the kernel's camera driver and pcscd with libccid judge the device, then our driver works on it.
set -u
# shellcheck source=tests/rig/guest.sh
. "$(dirname "$0")/guest.sh"

take_our_reader
load vhci-hcd uvcvideo

# shellcheck disable=SC2317  # called by until_true
has_camera() { compgen -G '/dev/video*' > /dev/null; }

export UKETSUKE_LOG=info UKETSUKE_BIN=$bin UKETSUKE_SIM=$build/sim UKETSUKE_RIG_PATIENCE=4
export UKETSUKE_RIG_READER=id=1209:0001 UKETSUKE_RIG_PLUG=$bin/rig-attach
suite "no udev daemon" lane-untold.log timeout -k 5 300 "$bin/rig-lane" composite 'the_port_is_switched_off'

start_udev
plug extended
until_true 30 has_camera
camera=$(for d in /dev/video*; do echo "$d"; done | sort -V | head -n 1)
film=$build/sim/videos/franck
check "kernel: uvcvideo takes the camera" says uvcvideo readlink /sys/class/video4linux/video0/device/driver
check "kernel: uvcvideo gives 640x480 pictures, byte for byte the film's" \
    timeout 60 "$bin/rig-v4l2" "$camera" 640 480 20 "$film"
check "kernel: uvcvideo gives 320x240 pictures, byte for byte the film's" \
    timeout 60 "$bin/rig-v4l2" "$camera" 320 240 20 "$film/half"
dmesg > "$work/dmesg"
check "kernel: uvcvideo read the descriptors" grep -E 'usb .*Found UVC 1.10 device' "$work/dmesg"
# "Failed to resubmit video URB (-1)" (EPERM) is no word about the device: when pictures are no longer wanted the kernel
# forbids its transfers, and one that just came is handed in again all the same (uvc_video_copy_data_work).
complaints() { # complaints FILE: prints them; 0: there is none
    ! grep -iE '(usb 1-1|uvcvideo).*(fail|error|unknown|invalid|unsupported)' "$1" |
        grep -vE 'Failed to resubmit video URB \(-1\)'
}
check "kernel: uvcvideo has no complaint" complaints "$work/dmesg"
mkdir -p "$work/state"
check "doctor: reader and camera that nobody has are listed" \
    says 'reader and camera at .*Simulated reception reader \[1209:0001\], held by uvcvideo$' "$bin/uketsuke" --config /nonexistent doctor
start_pcscd --debug
check "doctor: pcscd is named as who has the reader" \
    says 'reader and camera at .*held by pcscd \([0-9]+\)' "$bin/uketsuke" --config /nonexistent doctor
check "doctor: and how to stop it" says 'systemctl disable --now pcscd.socket' "$bin/uketsuke" --config /nonexistent doctor
opensc_on_the_card "libccid, extended APDU" 'Simulated reception reader' '3b:e0:00:ff:81:31:fe:45:14'
stop_pcscd
unplug
plug short
start_pcscd --debug
opensc_signs "libccid, short APDU"
stop_pcscd
unplug
echo "RIG: judges done after $(cut -d ' ' -f 1 /proc/uptime) s"

suite "our driver, real bus" lane.log timeout -k 5 300 "$bin/rig-lane" composite
echo "RIG: lane done after $(cut -d ' ' -f 1 /proc/uptime) s"
suite "reader and broker, real bus" process.log timeout -k 5 300 "$bin/test_reader_process"
finished
