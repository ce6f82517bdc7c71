#!/bin/bash
# make-desk.sh BUILD BIN DESK LANES [PORT [WORD...]]
# Lays out a whole reception desk on simulated hardware below DESK: configuration, tokens, credentials, the
# launcher's plan, and for the guest `port` and `places` (which lane stands where). BUILD holds models, videos and
# cards from set-up; BIN the programs. A WORD makes it another desk:
#   kind=pharmacy          another kind of institution
#   genuineness=off        another policy
#   issuers=none           no issuer keys
#   liveness=gate          the liveness score ends the face method (by itself it only advises)
#   again=600              a card that was received so many seconds ago is pointed out
#   card-back=3            so many seconds are waited for a card that was taken away
#   patience=short         the shortest waits that make sense
#   method-seconds=20      another wait than patience= writes; one that it does not write is refused
#   consents=all           every consent is asked
#   name=PLACE             what its lanes are called in `places` (main)
#   places=storm,numbers   one lane more for each: `storm` asks a service of its own, which may be ill-treated;
#                          `numbers` asks an upstream that knows no card; the reader of `pair` has two slots
#   documents=DIR          drugs, treatment and check-ups go into that directory of the desk, as the consents allow
#   copies=own             each lane has cards of its own, with counters of their own
#   people=DIR descriptions=DIR cards=DIR  other than those of the tree
set -eu
build=$(realpath "$1") bin=$(realpath "$2") lanes=$4 port=${5:-8620}
mkdir -p "$3"
desk=$(realpath "$3")
here=$(realpath "$(dirname "$0")")
source=$(realpath "$here/../..")
shift 4
[ $# -eq 0 ] || shift
name=main kind=clinic genuineness=require issuers=cards/trust patience=usual consents='' places='' copies=shared documents='' liveness=advice again=0 card_back=3
declare -A waits=()
people=$source/tests/sim/service/people descriptions=$source/tests/sim/cards cards=$build/sim/cards
for word; do
    value=${word#*=}
    case $word in
    name=*) name=$value ;;
    kind=*) kind=$value ;;
    genuineness=*) genuineness=$value ;;
    issuers=none) issuers='' ;;
    patience=*) patience=$value ;;
    liveness=*) liveness=$value ;;
    again=*) again=$value ;;
    card-back=*) card_back=$value ;;
    *-seconds=*) waits[${word%%=*}]=$value ;;
    consents=*) consents=$value ;;
    places=*) places=$value ;;
    copies=*) copies=$value ;;
    documents=*) documents=$value ;;
    people=*) people=$(realpath "$value") ;;
    descriptions=*) descriptions=$(realpath "$value") ;;
    cards=*) cards=$(realpath "$value") ;;
    *) echo "make-desk.sh: $word: no such word" >&2 && exit 2 ;;
    esac
done
usual="method-seconds=60 card-back-seconds=$card_back face-seconds=20"
[ "$patience" != short ] || usual='method-seconds=5 entry-seconds=5 face-seconds=6 staff-seconds=10 card-back-seconds=2 take-card-seconds=5 ask-seconds=3'
for wait in "${!waits[@]}"; do
    [[ " $usual" == *" $wait="* ]] || { echo "make-desk.sh: $wait: patience=$patience does not write it" >&2 && exit 2; }
done
mkdir -p "$desk/run" "$desk/log" "$desk/state" "$desk/credentials" "$desk/tokens" "$desk/card-state"
[ -z "$documents" ] || mkdir -p "$desk/$documents"
chmod 700 "$desk" "$desk"/*

# Which lane stands where, and whom it asks.
: >"$desk/places"
for n in $(seq "$lanes"); do echo "$n $name" >>"$desk/places"; done
all=$lanes
for place in ${places//,/ }; do all=$((all + 1)) && echo "$all $place" >>"$desk/places"; done
echo "$port" >"$desk/port"
echo "$descriptions" >"$desk/descriptions"
has() { grep -q " $1\$" "$desk/places"; }

secret() { # secret FILE BYTES [text]: random, made once
    [ -s "$1" ] || { if [ "${3:-}" = text ]; then openssl rand -hex "$2"; else openssl rand "$2"; fi >"$1.new" && chmod 600 "$1.new" && mv "$1.new" "$1"; }
}
secret "$desk/credentials/database.key" 32
secret "$desk/tokens/staff" 16 text
for n in $(seq "$all"); do secret "$desk/tokens/lane-$n" 16 text; done
printf 'sim-password-not-secret' >"$desk/tokens/service-password" # of tests/sim/service/accounts.json

service_port=$((port + 1)) storm_port=$((port + 2))
upstream() { # upstream NAME PORT CAPABILITIES
    local service=https://127.0.0.1:$2
    cat <<EOF

[upstream $1]
kind = web-api
auth-url = $service/oqs-api-pro/MSA12020/ILI12020SV01/auth
search-url = $service/oqs-api-pro/MSA01030/ILI01030SV01/search
extension-url = $service/uketsuke-extension/v1
capabilities = $3
ca = pki/ca.pem
certificate = pki/client.pem
key = pki/client.key
user = sim-user
password-file = tokens/service-password
EOF
}
{
    cat <<EOF
# 模擬の受付 / a desk on simulated hardware, written by make-desk.sh
[desk]
institution = 9910000017
institution-kind = $kind
genuineness = $genuineness
run-directory = run
state-directory = state
again-seconds = $again
EOF
    [ "$consents" != all ] || echo "consents = limit drugs checkup diagnosis operation disease"
    for wait in $usual; do echo "${wait%=*} = ${waits[${wait%=*}]:-${wait#*=}}"; done
    cat <<EOF

[card]
kenkaku-issuers = $issuers
user-ca = cards/trust/auth-ca.pem

[matcher]
models = models
# A man in a video cannot do what he is asked (the default is challenge; tests/visit-figures.sh has persons who can).
liveness = passive

[web]
listen = 127.0.0.1:$port
sign-in = ${SIGN_IN:-token}
staff-token-file = tokens/staff
pages = pages
voice = voice
EOF
    upstream main "$service_port" "by_numbers card_session register consents${documents:+ documents}"
    [ -z "$documents" ] || printf '\n[output chart]\nkind = documents\nfolder = %s\nseconds = 5\n' "$documents"
    ! has numbers || upstream numbers "$service_port" by_numbers
    ! has storm || upstream storm "$storm_port" 'by_numbers card_session register consents'
    printf '\n[log]\nlevel = info\n'
    while read -r n place; do
        cat <<EOF

[lane $n]
label = 窓口$n
reader = usbip=$desk/run/usbip-$n.sock
camera = same
token-file = tokens/lane-$n
voice = request
EOF
        case $place in numbers | storm) echo "upstream = $place" ;; esac
    done <"$desk/places"
} >"$desk/uketsuke.conf"
ln -sfn "$cards" "$desk/cards"
if [ "$liveness" = gate ]; then
    mkdir -p "$desk/models"
    cp "$build"/models/* "$desk/models"
    sed -i 's/^gate = no/gate = yes/' "$desk/models/manifest.ini"
else
    ln -sfn "$build/models" "$desk/models"
fi
ln -sfn "$build/sim/pki" "$desk/pki"
ln -sfn "$source/daemon/web/pages" "$desk/pages"
ln -sfn "$build/voice" "$desk/voice" # of make voice; without it the kiosk is silent

service() { # service NAME PORT LEDGER
    cat <<EOF
program $1 \$BIN/sim-service --port $2 --cert \$BUILD/sim/pki/server.pem --key \$BUILD/sim/pki/server.key --client-ca \$BUILD/sim/pki/ca.pem --user-ca \$DESK/cards/trust/auth-ca.pem --user-crl \$DESK/cards/trust/auth-ca.crl.pem --resume --people $people --accounts $source/tests/sim/service/accounts.json --cards $descriptions --ledger \$DESK/log/$3 --control \$DESK/run/$1.control --port-file \$DESK/run/$1.port
  ready file \$DESK/run/$1.port
EOF
}
relay() { # relay UPSTREAM
    cat <<EOF
program relay-$1 \$BIN/uketsuke-relay --config \$DESK/uketsuke.conf --instance $1
  listen relay seqpacket \$DESK/run/relay-$1.sock
  ready notify
EOF
}
{
    echo "set BIN $bin"
    echo "set DESK $desk"
    echo "set BUILD $build"
    service service "$service_port" ledger.jsonl
    ! has storm || service service-storm "$storm_port" ledger-storm.jsonl
    while read -r n place; do
        state=card-state
        [ "$copies" != own ] || state=card-state/$n
        mkdir -p "$desk/$state"
        second=''
        [ "$place" != pair ] || second=' --second-slot'
        cat <<EOF
program device-$n \$BIN/sim-reader --usbip \$DESK/run/usbip-$n.sock --control \$DESK/run/device-$n.control --cards \$DESK/cards --videos \$BUILD/sim/videos --state \$DESK/$state --serial SIM$n --trace \$DESK/log/trace-$n$second
  ready file \$DESK/run/device-$n.control
program reader-$n \$BIN/uketsuke-reader --config \$DESK/uketsuke.conf --instance $n
  listen reader seqpacket \$DESK/run/reader-$n.sock
  ready notify
EOF
    done <"$desk/places"
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
EOF
    relay main
    ! has numbers || relay numbers
    ! has storm || relay storm
    [ -z "$documents" ] || cat <<'EOF'
program handover-chart $BIN/uketsuke-relay --config $DESK/uketsuke.conf --instance chart
  listen handover seqpacket $DESK/run/handover-chart.sock
  ready notify
EOF
    cat <<EOF
program desk \$BIN/uketsuked --config \$DESK/uketsuke.conf
  listen desk seqpacket \$DESK/run/desk.sock
  credentials \$DESK/credentials
  ready notify
program web \$BIN/uketsuke-web --config \$DESK/uketsuke.conf
  listen web tcp 127.0.0.1:$port
  ready notify
EOF
} >"$desk/plan"
