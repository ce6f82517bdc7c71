# guest.sh: what both guests need; sourced with the build folder as $1. Results go to /out/results, logs to /out.
# shellcheck shell=bash
# shellcheck disable=SC2034 # names for those who source it
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp
build=$1
bin=$build/rig/bin
cards=$build/sim/cards
card=franck
kernel=$build/rig/linux-image-$(uname -r)
module=$(compgen -G "/usr/lib/*/opensc-pkcs11.so")
work=/tmp/rig
mkdir -p "$work"
mkdir -p "$work/no-readers" # pcscd's configuration: none but USB readers

result() { # result ok|FAILED NAME
    printf '%-7s %s\n' "$1" "$2" >> /out/results
}

check() { # check NAME COMMAND...: the command's status decides
    local name=$1
    shift
    if "$@" > "$work/out" 2>&1; then
        result ok "$name"
    else
        result FAILED "$name"
        sed 's/^/        /' "$work/out" | tail -n 8 >> /out/results
    fi
    { echo "== $(cut -d " " -f 1 /proc/uptime) s: $name"; cat "$work/out"; } >> /out/checks.log
}

says() { # says PATTERN COMMAND...: the output decides, whatever the status
    local pattern=$1
    shift
    "$@" > "$work/said" 2>&1
    cat "$work/said"
    grep -qE -- "$pattern" "$work/said"
}


until_true() { # until_true SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

# A cmocka program: each of its tests is a check of its own. Its whole output is kept.
suite() { # suite PREFIX LOG COMMAND...
    local prefix=$1 log=/out/$2 status
    shift 2
    "$@" > "$log" 2>&1
    status=$?
    sed -nE "s/^\[       OK \] (.*)/ok      $prefix: \1/p; s/^\[  (FAILED |ERROR  ) \] ([a-z_0-9]+)\$/FAILED  $prefix: \2/p" "$log" |
        tr _ ' ' | awk '!seen[$0]++' >> /out/results
    grep -E '^(identify|photo|sign|pulled): ' "$log" | sed 's/^/        /' | sort -u | head -n 6 >> /out/results
    if [ "$status" -ne 0 ]; then
        grep -vE '^\[ (RUN|      OK) ' "$log" | tail -n 12 | sed 's/^/        /' >> /out/results
        grep -qE '^\[  (FAILED |ERROR  ) \] [a-z]' "$log" || result FAILED "$prefix: ended with status $status"
        dmesg > "$log.dmesg"
        grep -H . /sys/bus/usb/devices/*/product /sys/bus/usb/devices/*/devnum > "$log.devices" 2>&1
    fi
}

load() { modprobe -d "$kernel" -a "$@"; }

start_udev() {
    /lib/systemd/systemd-udevd --daemon
    udevadm trigger --type=all > /dev/null 2>&1
}

# Its log is long: it is written to memory first.
start_pcscd() { # start_pcscd --debug|--error
    pcscd --foreground "$@" --config "$work/no-readers" > "$work/pcscd.log" 2>&1 &
    pcscd_pid=$!
    check "pcscd: it has the reader, with a card in it" until_true 60 has_reader
}
# shellcheck disable=SC2317  # called by until_true
has_reader() { opensc-tool --list-readers 2> /dev/null | grep -qE '^0 +Yes'; }

stop_pcscd() {
    kill "$pcscd_pid"
    wait "$pcscd_pid"
    cat "$work/pcscd.log" >> /out/pcscd.log
}

# libccid takes only readers whose numbers stand in its list; ours is added in the guest's copy.
take_our_reader() {
    local list
    list=$(readlink -f /usr/lib/pcsc/drivers/ifd-ccid.bundle/Contents/Info.plist)
    sed -i -e '/<key>ifdVendorID<\/key>/,/<array>/ s|<array>|<array><string>0x1209</string>|' \
        -e '/<key>ifdProductID<\/key>/,/<array>/ s|<array>|<array><string>0x0001</string>|' \
        -e '/<key>ifdFriendlyName<\/key>/,/<array>/ s|<array>|<array><string>Simulated reception reader</string>|' "$list"
}

# Our device: simulator and cable.
plug() { # plug LEVEL
    "$bin/sim-reader" --usbip "$work/usbip" --control "$work/control" --cards "$cards" --videos "$build/sim/videos" \
        --state "$work/state" --seed 1 --level "$1" --camera franck --card "$card" >> /out/sim.log 2>&1 &
    sim=$!
    "$bin/rig-attach" "$work/usbip" >> /out/attach.log 2>&1 &
    attach=$!
}
unplug() {
    kill "$attach"
    wait "$attach"
    kill "$sim"
    wait "$sim"
}

p15() { timeout 60 pkcs15-tool --reader 0 "$@"; }
p11() { timeout 60 pkcs11-tool --module "$module" "$@"; }

# OpenSC on the card that lies in the only reader of pcscd: what a PIN visit needs.
opensc_signs() { # opensc_signs PREFIX
    local prefix=$1
    p15 --read-certificate 1 > "$work/auth.pem" 2> "$work/auth.err"
    check "$prefix: user certificate is the one that was made" \
        says "$(openssl x509 -in "$cards/$card/auth-certificate.pem" -noout -fingerprint -sha256)" \
        openssl x509 -in "$work/auth.pem" -noout -fingerprint -sha256
    head -c 3000 /dev/urandom > "$work/message"
    rm -f "$work/signature"
    check "$prefix: PKCS#11 signature is made" p11 --slot-index 0 --login --pin 1234 --sign \
        --mechanism SHA256-RSA-PKCS --id 01 --input-file "$work/message" --output-file "$work/signature"
    openssl x509 -in "$work/auth.pem" -pubkey -noout > "$work/public.pem" 2> /dev/null
    check "$prefix: openssl accepts the signature" openssl dgst -sha256 -verify "$work/public.pem" \
        -signature "$work/signature" "$work/message"
    echo changed >> "$work/message"
    check "$prefix: openssl refuses it over another message" says 'Verification failure' openssl dgst -sha256 \
        -verify "$work/public.pem" -signature "$work/signature" "$work/message"
}

# The same, and everything before it.
opensc_on_the_card() { # opensc_on_the_card PREFIX READER_PATTERN ATR
    local prefix=$1
    check "$prefix: pcscd with libccid takes the reader" says "$2" opensc-tool --list-readers
    check "$prefix: answer to reset" says "$3" timeout 60 opensc-tool --reader 0 --atr
    check "$prefix: OpenSC recognises the JPKI card" says '^jpki' timeout 60 opensc-tool --reader 0 --name
    check "$prefix: wrong PIN is refused" \
        says 'Authentication method blocked|incorrect' p15 --verify-pin --auth-id 1 --pin 9999
    check "$prefix: card reports two tries" says 'Tries left +: 2' p15 --list-pins
    opensc_signs "$prefix"
    check "$prefix: card is back at three tries" says 'Tries left +: 3' p15 --list-pins
}

finished() {
    dmesg > /out/dmesg.log
    date +%s > /out/finished
}
