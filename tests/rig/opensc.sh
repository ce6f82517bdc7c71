#!/bin/bash
# opensc.sh BUILD_BIN_DIR CARDS_DIR
#
# OpenSC judges the simulated card: its JPKI driver, over pcscd and vpcd, lists and reads the
# certificates, verifies the PIN, counts a wrong one, signs; openssl checks the signature.
# Needs pcscd, vsmartcard-vpcd, opensc, opensc-pkcs11, openssl. pcscd runs with a configuration of
# its own; where the kernel allows it, in namespaces of its own too, so that neither its fixed
# socket nor vpcd's fixed port meets another one. Ends within two minutes; prints one line a check.
set -u
export PATH=$PATH:/usr/sbin:/sbin

if [ $# -ne 2 ]; then
    echo "usage: opensc.sh BUILD_BIN_DIR CARDS_DIR" >&2
    exit 2
fi
if [ -z "${OPENSC_RIG_INSIDE:-}" ]; then
    export OPENSC_RIG_INSIDE=plain
    if unshare --map-root-user --net --mount true 2> /dev/null; then
        export OPENSC_RIG_INSIDE=namespace
        exec timeout -k 5 110 unshare --map-root-user --net --mount "$0" "$@"
    fi
    exec timeout -k 5 110 "$0" "$@"
fi

bin=$1
cards=$2
card=franck
work=$(mktemp -d)
library=$(find /usr/lib -name libifdvpcd.so 2> /dev/null | head -n 1)
module=$(find /usr/lib -name opensc-pkcs11.so 2> /dev/null | head -n 1)
pcscd_pid=
card_pid=
passed=0
failed=0

finish() {
    [ -z "$card_pid" ] || kill "$card_pid" 2> /dev/null
    [ -z "$pcscd_pid" ] || kill "$pcscd_pid" 2> /dev/null
    wait
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

check() { # NAME COMMAND...: the command's status decides
    local name=$1
    shift
    if "$@" > "$work/out" 2>&1; then
        passed=$((passed + 1))
        echo "ok      $name"
    else
        failed=$((failed + 1))
        echo "FAILED  $name"
        sed 's/^/        /' "$work/out" | tail -n 8
    fi
}

says() { # PATTERN COMMAND...: the output decides, whatever the status
    local pattern=$1
    shift
    "$@" > "$work/said" 2>&1
    cat "$work/said"
    grep -qE -- "$pattern" "$work/said"
}

refuses() { # COMMAND...: must fail, but not by time-out
    timeout 15 "$@"
    local rc=$?
    echo "status $rc"
    [ "$rc" -ne 0 ] && [ "$rc" -ne 124 ]
}

tries_left() { # the counter in the card's own state file
    sed -n 's/^tries.jpki.0018 = //p' "$work/$card.state"
}

[ -n "$library" ] || { echo "opensc.sh: libifdvpcd.so not found: install vsmartcard-vpcd" >&2; exit 1; }
[ -n "$module" ] || { echo "opensc.sh: opensc-pkcs11.so not found: install opensc-pkcs11" >&2; exit 1; }

if [ "$OPENSC_RIG_INSIDE" = namespace ]; then
    mkdir -p /run/pcscd 2> /dev/null
    mount -t tmpfs tmpfs /run/pcscd 2> /dev/null || mount -t tmpfs tmpfs /run
    mkdir -p /run/pcscd
elif [ -S /run/pcscd/pcscd.comm ] && opensc-tool --list-readers > /dev/null 2>&1; then
    echo "opensc.sh: another pcscd runs here and namespaces are not allowed: stop it first" >&2
    exit 1
fi
mkdir -p "$work/readers" "$work/home"
export HOME=$work/home
cat > "$work/readers/vpcd" << CONF
FRIENDLYNAME "Simulated reader"
DEVICENAME /dev/null:0x2233
LIBPATH $library
CHANNELID 0x2233
CONF
mkdir -p /run/pcscd
pcscd --foreground --config "$work/readers" > "$work/pcscd.log" 2>&1 &
pcscd_pid=$!
"$bin/sim-vpcd" --port 8755 --cards "$cards" --card "$card" --state "$work" --raise-loopback \
    > "$work/card.log" 2>&1 &
card_pid=$!
SECONDS=0
until opensc-tool --list-readers 2> /dev/null | grep -qE '^0 +Yes'; do
    if [ "$SECONDS" -gt 40 ] || ! kill -0 "$pcscd_pid" 2> /dev/null || ! kill -0 "$card_pid" 2> /dev/null; then
        echo "opensc.sh: no card at pcscd's reader after $SECONDS s" >&2
        cat "$work/pcscd.log" "$work/card.log" >&2
        exit 1
    fi
    sleep 0.1
done

head -c 3000 /dev/urandom > "$work/message"
p15() { timeout 20 pkcs15-tool --reader 0 "$@"; }
p11() { timeout 20 pkcs11-tool --module "$module" "$@"; }
export -f p15 p11
export module

check "answer to reset is the contact one of the card" \
    says '3b:e0:00:ff:81:31:fe:45:14' timeout 15 opensc-tool --reader 0 --atr
check "OpenSC recognises the JPKI card" says '^jpki' timeout 15 opensc-tool --reader 0 --name
check "user and signing certificate are listed" \
    says 'User Authentication Certificate' p15 --list-certificates
check "PINs are listed with three tries" says 'Tries left +: 3' p15 --list-pins
p15 --read-certificate 1 > "$work/auth.pem" 2> /dev/null
check "user certificate read through the card is the one that was made" \
    says "$(openssl x509 -in "$cards/$card/auth-certificate.pem" -noout -fingerprint -sha256)" \
    openssl x509 -in "$work/auth.pem" -noout -fingerprint -sha256
p15 --read-certificate 3 > "$work/ca.pem" 2> /dev/null
check "user certificate verifies under the CA certificate on the card" \
    openssl verify -CAfile "$work/ca.pem" "$work/auth.pem"
check "CA certificate on the card is the configured trust anchor" \
    says "$(openssl x509 -in "$cards/trust/auth-ca.pem" -noout -fingerprint -sha256)" \
    openssl x509 -in "$work/ca.pem" -noout -fingerprint -sha256
check "right PIN is accepted" p15 --verify-pin --auth-id 1 --pin 1234
check "wrong PIN is refused" refuses pkcs15-tool --reader 0 --verify-pin --auth-id 1 --pin 9999
check "wrong PIN cost one try" test "$(tries_left)" = 2
check "card itself reports two tries" says 'Tries left +: 2' p15 --list-pins
check "right PIN restores the counter" p15 --verify-pin --auth-id 1 --pin 1234
check "counter is back at three" test "$(tries_left)" = 3
check "PKCS#11 signature is made" p11 --slot-index 0 --login --pin 1234 --sign \
    --mechanism SHA256-RSA-PKCS --id 01 --input-file "$work/message" --output-file "$work/signature"
openssl x509 -in "$work/auth.pem" -pubkey -noout > "$work/public.pem" 2> /dev/null
check "openssl accepts the signature" openssl dgst -sha256 -verify "$work/public.pem" \
    -signature "$work/signature" "$work/message"
echo changed >> "$work/message"
check "openssl refuses it over another message" refuses openssl dgst -sha256 \
    -verify "$work/public.pem" -signature "$work/signature" "$work/message"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
