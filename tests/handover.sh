#!/bin/bash
# handover.sh BUILD BIN PORT: a whole desk that hands over: face files into a folder, a web hook, ORCA, and patients'
# numbers to the service. handover.mjs plays the receivers and the board (and shares no code with the product), kills
# programs on the way, and holds the OpenAPI document against the running daemon.
set -u
build=$1 bin=$2 port=$3
here=$(dirname "$0")
desk=$build/desk-$port
rm -rf "$desk"
"$here/sim/make-desk.sh" "$build" "$bin" "$desk" 1 "$port" || exit 1
desk=$(realpath "$desk")
mkdir -p "$desk/receipt"
sed -i 's/^capabilities = by_numbers.*/& reference_number bulk/' "$desk/uketsuke.conf"
printf 'hook-secret-of-the-test\n' >"$desk/tokens/hook-secret"
printf 'ormaster-password\n' >"$desk/tokens/orca-password"
cat >>"$desk/uketsuke.conf" <<EOF

[output receipt]
kind = face-files
folder = receipt
encoding = shift-jis

[output hook]
kind = hook
url = http://127.0.0.1:$((port + 3))/hook
secret-file = tokens/hook-secret
details = visit
seconds = 5

[output orca]
kind = orca
url = http://127.0.0.1:$((port + 3))/orca11/acceptmodv2
user = ormaster
password-file = tokens/orca-password
physician = 10001
seconds = 5
EOF
for output in receipt hook orca; do
    cat >>"$desk/plan" <<EOF
program handover-$output \$BIN/uketsuke-relay --config \$DESK/uketsuke.conf --instance $output
  listen handover seqpacket \$DESK/run/handover-$output.sock
  ready notify
EOF
done
"$bin/sim-launcher" "$desk/plan" "$desk/log" "$desk/run/launcher.control" 2>"$desk/log/launcher.log" &
launcher=$!
trap 'kill -TERM $launcher 2>/dev/null; wait $launcher 2>/dev/null' EXIT
node "$here/handover.mjs" "$desk" "$bin" "$port"
