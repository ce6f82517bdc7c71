#!/bin/bash
# handover.sh BUILD BIN PORT: a whole desk that hands over: face files into a folder, a web hook, ORCA, and patients'
# numbers to the service. handover.mjs plays the receivers and the board (and shares no code with the product), kills
# programs on the way, and holds the OpenAPI document against the running daemon.
set -u
build=$1 bin=$2 port=$3
here=$(dirname "$0")
# shellcheck source=tests/sim/launcher.sh
. "$here/sim/launcher.sh"
desk=$build/desk-$port
rm -rf "$desk"
"$here/sim/make-desk.sh" "$build" "$bin" "$desk" 1 "$port" || exit 1
desk=$(realpath "$desk")
sed -i 's/^capabilities = by_numbers.*/& reference_number bulk/' "$desk/uketsuke.conf"
"$here/sim/add-outputs.sh" "$desk" $((port + 3)) || exit 1
launcher_start "$desk"
trap 'kill -TERM $launcher 2>/dev/null; wait $launcher 2>/dev/null' EXIT
launcher_ready "$desk" || exit 1
node "$here/handover.mjs" "$desk" "$bin" "$port"
