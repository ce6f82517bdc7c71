#!/bin/bash
# add-outputs.sh DESK PORT: to a desk of make-desk.sh, before it is started: one output of each kind that hands over by
# itself (a folder, a web hook and ORCA at 127.0.0.1:PORT), each with its program in the plan.
set -eu
desk=$1 port=$2
mkdir -p "$desk/receipt"
printf 'hook-secret-of-the-test\n' >"$desk/tokens/hook-secret"
printf 'ormaster-password\n' >"$desk/tokens/orca-password"
cat >>"$desk/uketsuke.conf" <<EOF

[output receipt]
kind = face-files
folder = receipt
encoding = shift-jis

[output hook]
kind = hook
url = http://127.0.0.1:$port/hook
secret-file = tokens/hook-secret
details = visit
seconds = 5

[output orca]
kind = orca
url = http://127.0.0.1:$port/orca11/acceptmodv2
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
