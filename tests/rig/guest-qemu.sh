#!/bin/bash
# guest-qemu.sh BUILD: runs inside the guest. QEMU's own reader, with the simulated card in it: our driver first,
# then OpenSC over pcscd and libccid.
set -u
# shellcheck source=tests/rig/guest.sh
. "$(dirname "$0")/guest.sh"

load xhci-pci
start_udev

export UKETSUKE_LOG=info UKETSUKE_BIN=$bin UKETSUKE_SIM=$build/sim UKETSUKE_RIG_PATIENCE=4 UKETSUKE_RIG_SIMULATOR=none
export UKETSUKE_RIG_READER=id=08e6:4433 UKETSUKE_RIG_CAMERA=none
suite "our driver, QEMU's reader" lane.log timeout -k 5 300 "$bin/rig-lane" qemu
echo "RIG: lane done after $(cut -d ' ' -f 1 /proc/uptime) s"
stty -F /dev/ttyS1 raw -echo
echo insert > /dev/ttyS1 # it lies there unless a test above broke off
sleep 0.5
echo at-once > /dev/ttyS1 # OpenSC's driver asks for no more than comes with the answer: see vscard.c
sleep 0.5
start_pcscd --debug
opensc_on_the_card "OpenSC, QEMU's reader" 'Gemalto|Gemplus|QEMU' '3b:80:80:01:01'
stop_pcscd
finished
