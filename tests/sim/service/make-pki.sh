#!/bin/sh
# Makes the certificates the simulated eligibility service is tried with.
#
#   make-pki.sh OUT_DIR
#
# ca            test authority            server, client      certificates it issued
# wrong-host    issued by it, for another host name
# wrong-ca      another authority         wrong-server, wrong-client   certificates of that one
#
# Each is NAME.pem and NAME.key. What is there, fits and lasts at least 30 days more is kept.
set -eu

DAYS=730
KEEP_SECONDS=2592000

if [ $# -ne 1 ]; then
    echo "usage: make-pki.sh OUT_DIR" >&2
    exit 2
fi
umask 077
mkdir -p "$1"
cd "$1"

# Two set-ups at the same time must not mix their files.
exec 9>.lock
flock -w 60 9

work=$(mktemp -d -p .)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

same_key() {
    [ "$(openssl x509 -in "$1.pem" -noout -pubkey 2>/dev/null)" = \
      "$(openssl pkey -in "$1.key" -pubout 2>/dev/null)" ]
}

# keep NAME ISSUER: may the certificate stay?
keep() {
    [ -s "$1.pem" ] && [ -s "$1.key" ] && same_key "$1" &&
        openssl x509 -in "$1.pem" -noout -checkend "$KEEP_SECONDS" >/dev/null 2>&1 &&
        openssl verify -CAfile "$2.pem" "$1.pem" >/dev/null 2>&1
}

# The key goes in place first: a certificate without its key is made anew next time.
place() {
    mv "$work/$1.key" "$1.key"
    mv "$work/$1.pem" "$1.pem"
    echo "made $1.pem"
}

new_key() {
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/$1.key" 2>/dev/null
}

# authority NAME COMMON_NAME
authority() {
    if keep "$1" "$1"; then return 0; fi
    new_key "$1"
    openssl req -new -x509 -sha256 -days "$DAYS" -key "$work/$1.key" -out "$work/$1.pem" \
        -subj "/C=JP/O=uketsuke simulation/CN=$2" \
        -addext "basicConstraints=critical,CA:TRUE,pathlen:0" \
        -addext "keyUsage=critical,keyCertSign,cRLSign"
    place "$1"
}

# issue NAME ISSUER COMMON_NAME PURPOSE ALTERNATIVE_NAMES
issue() {
    if keep "$1" "$2"; then return 0; fi
    new_key "$1"
    openssl req -new -sha256 -key "$work/$1.key" -out "$work/$1.csr" \
        -subj "/C=JP/O=uketsuke simulation/CN=$3"
    {
        echo "basicConstraints=critical,CA:FALSE"
        echo "keyUsage=critical,digitalSignature"
        echo "extendedKeyUsage=$4"
        echo "subjectKeyIdentifier=hash"
        echo "authorityKeyIdentifier=keyid"
        if [ -n "$5" ]; then echo "subjectAltName=$5"; fi
    } >"$work/$1.ext"
    openssl x509 -req -sha256 -days "$DAYS" -in "$work/$1.csr" -out "$work/$1.pem" \
        -CA "$2.pem" -CAkey "$2.key" -set_serial "0x$(openssl rand -hex 16 | sed 's/^./1/')" \
        -extfile "$work/$1.ext" 2>/dev/null
    place "$1"
}

authority ca "Simulated eligibility CA"
authority wrong-ca "Another CA"
issue server ca "Simulated eligibility service" serverAuth "IP:127.0.0.1,DNS:localhost"
issue wrong-host ca "Another host" serverAuth "DNS:another-host.invalid"
issue wrong-server wrong-ca "Simulated eligibility service" serverAuth "IP:127.0.0.1,DNS:localhost"
issue client ca "SIM relay 9910000017" clientAuth ""
issue wrong-client wrong-ca "SIM relay 9910000017" clientAuth ""
