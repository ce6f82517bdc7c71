#!/bin/bash
# guest-bench.sh BUILD: runs inside the guest. The same APDUs to the same device, in turn by our driver and by pcscd with
# libccid; ratios only, for an emulated processor's times mean nothing by themselves.
set -u
# shellcheck source=tests/rig/guest.sh
. "$(dirname "$0")/guest.sh"
rounds=6 visits=4
mkdir -p "$work/state"

take_our_reader
load vhci-hcd
start_udev
pin=$(awk -F '\t' 'NR == 1 { for (i = 1; i <= NF; i++) n[$i] = i } $1 == "franck" { print $n["pin"] }' "$cards/index.tsv")
number_b=$(awk -F '\t' 'NR == 1 { for (i = 1; i <= NF; i++) n[$i] = i } $1 == "franck" { print $n["number-b"] }' "$cards/index.tsv")

one() { # one ours|pcscd CHUNK
    timeout 120 "$bin/rig-bench" "$1" "$work/control" "$pin" "$number_b" "$2" "$visits" >> "$work/lines" 2>> /out/bench.err ||
        echo "$1 failed" >> "$work/lines"
}

# The first visit of each turn is left out: caches fill.
ratios() { # ratios NAME: lines of both on stdin
    awk -v name="$1" -v visits="$visits" '
        function sort(a, n,    i, j, t) {
            for (i = 2; i <= n; i++) { t = a[i]; for (j = i - 1; j > 0 && a[j] > t; j--) a[j + 1] = a[j]; a[j + 1] = t }
        }
        function median(way, f,    i, a, n) {
            n = count[way]
            for (i = 1; i <= n; i++) a[i] = value[way, f, i] + 0
            sort(a, n)
            return a[int((n + 1) / 2)]
        }
        NF != 7 { broken = 1; next }
        {
            digests[$7] = 1
            if (seen[$1]++ % visits == 0) next
            n = ++count[$1]
            for (f = 2; f <= 6; f++) value[$1, f, n] = $f
        }
        END {
            for (d in digests) kinds++
            if (broken || kinds != 1 || count["ours"] < 3 || count["pcscd"] < 3) { print "no figures"; exit 1 }
            printf "%s: wall x%.2f, USB transfers x%.2f (%d : %d), CPU x%.2f; the same %d APDUs, %d bytes; %d : %d visits\n", name,
                median("ours", 2) / median("pcscd", 2), median("ours", 4) / median("pcscd", 4), median("ours", 4),
                median("pcscd", 4), median("ours", 3) / median("pcscd", 3), median("ours", 5), median("ours", 6), count["ours"], count["pcscd"]
            exit median("ours", 4) > median("pcscd", 4)
        }'
}

# shellcheck disable=SC2317  # called by until_true
is_plugged() { [ -S "$work/control" ] && grep -qx 1209 /sys/bus/usb/devices/*/idVendor; }

bench() { # bench LEVEL CHUNK
    : > "$work/lines"
    rm -f "$work/control"
    plug "$1"
    until_true 60 is_plugged
    for _ in $(seq "$rounds"); do
        one ours "$2"
        start_pcscd --error
        PCSCD_PID=$pcscd_pid one pcscd "$2"
        stop_pcscd
    done
    unplug
    cp "$work/lines" "/out/bench-$1.lines"
    check "bench, $1 APDU level: no more transfers than pcscd with libccid" ratios "$1" < "$work/lines"
    sed 's/^/        ours : pcscd + libccid, /' "$work/out" >> /out/results
}
bench extended 4000
bench short 256
finished
