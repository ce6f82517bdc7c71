#!/bin/bash
# guest-camera.sh BUILD: runs inside the guest. Cameras that the kernel's own driver has (camera = v4l2:...): uvcvideo
# on our simulated device, and vivid, a test driver that makes mistakes on request.
set -u
# shellcheck source=tests/rig/guest.sh
. "$(dirname "$0")/guest.sh"

load vhci-hcd uvcvideo
start_udev

export UKETSUKE_LOG=info UKETSUKE_BIN=$bin UKETSUKE_SIM=$build/sim UKETSUKE_RIG_PATIENCE=4
on_the_bus() { # on_the_bus READER CAMERA COMMAND...
    UKETSUKE_RIG_READER=$1 UKETSUKE_RIG_CAMERA=$2 UKETSUKE_RIG_PLUG=$bin/rig-attach timeout -k 5 300 "${@:3}"
}
suite "uvcvideo has the camera" kernel.log on_the_bus id=1209:0001/SIM0001 v4l2:same "$bin/rig-camera" kernel
# The first port of the only bus.
suite "uvcvideo has it already, by its port" auto.log on_the_bus port=1-1 auto:port=1-1 "$bin/rig-camera" auto
suite "uvcvideo has it already, the only one" only.log on_the_bus only auto:only "$bin/rig-camera" auto
echo "RIG: uvcvideo done after $(cut -d ' ' -f 1 /proc/uptime) s"

# One camera, pictures only (no metadata, no radio, no overlay).
modprobe -d "$kernel" vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0
# shellcheck disable=SC2317  # called by until_true
has_vivid() { vivid=$(grep -l vivid /sys/class/video4linux/*/name 2> /dev/null | head -n 1) && [ -n "$vivid" ]; }
until_true 30 has_vivid
vivid=/dev/$(basename "$(dirname "$vivid")")
UKETSUKE_RIG_NODE=$vivid UKETSUKE_RIG_CAMERA=v4l2:$vivid \
    suite "vivid is the camera" vivid.log timeout -k 5 300 "$bin/rig-camera" vivid
finished
