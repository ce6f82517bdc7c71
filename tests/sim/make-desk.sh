#!/bin/bash
# make-desk.sh BUILD BIN DESK LANES [PORT]
# Lays out a whole reception desk on simulated hardware below DESK: configuration, tokens, credentials, the
# launcher's plan. BUILD holds models, videos and cards from set-up; BIN the programs.
set -eu
build=$(realpath "$1") bin=$(realpath "$2") lanes=$4 port=${5:-8620}
mkdir -p "$3"
desk=$(realpath "$3")
here=$(realpath "$(dirname "$0")")
source=$(realpath "$here/../..")
mkdir -p "$desk/run" "$desk/log" "$desk/state" "$desk/credentials" "$desk/tokens" "$desk/card-state"
chmod 700 "$desk" "$desk"/*

secret() { # secret FILE BYTES [text]: random, made once
    [ -s "$1" ] || { if [ "${3:-}" = text ]; then openssl rand -hex "$2"; else openssl rand "$2"; fi >"$1.new" && chmod 600 "$1.new" && mv "$1.new" "$1"; }
}
secret "$desk/credentials/database.key" 32
secret "$desk/tokens/staff" 16 text
for n in $(seq "$lanes"); do secret "$desk/tokens/lane-$n" 16 text; done
printf 'sim-password-not-secret' >"$desk/tokens/service-password" # of tests/sim/service/accounts.json

service_port=$((port + 1))
service=https://127.0.0.1:$service_port
cat >"$desk/uketsuke.conf" <<EOF
# 模擬の受付 / a desk on simulated hardware, written by make-desk.sh
[desk]
institution = 9910000017
institution-kind = clinic
run-directory = run
state-directory = state
method-seconds = 60
card-back-seconds = 3
face-seconds = 20

[card]
kenkaku-issuers = cards/trust
user-ca = cards/trust/auth-ca.pem

[matcher]
models = models

[web]
listen = 127.0.0.1:$port
staff-token-file = tokens/staff
pages = pages

[upstream main]
kind = web-api
auth-url = $service/oqs-api-pro/MSA12020/ILI12020SV01/auth
search-url = $service/oqs-api-pro/MSA01030/ILI01030SV01/search
extension-url = $service/uketsuke-extension/v1
capabilities = by_numbers card_session register consents
ca = pki/ca.pem
certificate = pki/client.pem
key = pki/client.key
user = sim-user
password-file = tokens/service-password

[log]
level = info
EOF
for n in $(seq "$lanes"); do
    cat >>"$desk/uketsuke.conf" <<EOF

[lane $n]
label = 窓口$n
reader = usbip=$desk/run/usbip-$n.sock
camera = same
token-file = tokens/lane-$n
EOF
done
ln -sfn "$build/sim/cards" "$desk/cards"
ln -sfn "$build/models" "$desk/models"
ln -sfn "$build/sim/pki" "$desk/pki"
ln -sfn "$source/daemon/web/pages" "$desk/pages"

{
    echo "set BIN $bin"
    echo "set DESK $desk"
    echo "set BUILD $build"
    cat <<'EOF'
program service $BIN/sim-service --port PORT --cert $BUILD/sim/pki/server.pem --key $BUILD/sim/pki/server.key --client-ca $BUILD/sim/pki/ca.pem --user-ca $BUILD/sim/cards/trust/auth-ca.pem --user-crl $BUILD/sim/cards/trust/auth-ca.crl.pem --resume --people SOURCE/tests/sim/service/people --accounts SOURCE/tests/sim/service/accounts.json --cards SOURCE/tests/sim/cards --ledger $DESK/log/ledger.jsonl --control $DESK/run/service.control --port-file $DESK/run/service.port
  ready file $DESK/run/service.port
EOF
    for n in $(seq "$lanes"); do
        cat <<EOF
program device-$n \$BIN/sim-reader --usbip \$DESK/run/usbip-$n.sock --control \$DESK/run/device-$n.control --cards \$BUILD/sim/cards --videos \$BUILD/sim/videos --state \$DESK/card-state --serial SIM$n
  ready file \$DESK/run/device-$n.control
program reader-$n \$BIN/uketsuke-reader --config \$DESK/uketsuke.conf --instance $n
  listen reader seqpacket \$DESK/run/reader-$n.sock
  ready notify
EOF
    done
    cat <<'EOF'
program broker $BIN/uketsuke-broker --config $DESK/uketsuke.conf
  listen broker seqpacket $DESK/run/broker.sock
  ready notify
program matcher $BIN/uketsuke-matcher --config $DESK/uketsuke.conf
  listen matcher seqpacket $DESK/run/matcher.sock
  ready notify
program ocr $BIN/uketsuke-ocr --config $DESK/uketsuke.conf
  listen ocr seqpacket $DESK/run/ocr.sock
  ready notify
program relay-main $BIN/uketsuke-relay --config $DESK/uketsuke.conf --instance main
  listen relay seqpacket $DESK/run/relay-main.sock
  ready notify
program desk $BIN/uketsuked --config $DESK/uketsuke.conf
  listen desk seqpacket $DESK/run/desk.sock
  credentials $DESK/credentials
  ready notify
program web $BIN/uketsuke-web --config $DESK/uketsuke.conf
  listen web tcp 127.0.0.1:WEBPORT
  ready notify
EOF
} | sed "s|WEBPORT|$port|; s|PORT|$service_port|; s|SOURCE|$source|g" >"$desk/plan"
