#!/bin/bash
# run-desk.sh BUILD BIN DESK LANES PORT once|serve [DRIVER...]: starts whole desks on simulated hardware, drives every visit of
# tests/sim/visits/reception.txt, lets the books be compared, and then serves on (on a terminal) or ends with the result.
# The desk proper is DESK; beside it stand a pharmacy and two desks with another policy, DESK-pharmacy and so on, which
# end with the visits. DRIVER: another program than sim-guest that drives them (tests/browser/reception.sh).
set -eu -o pipefail
build=$1 bin=$2 desk=$3 lanes=$4 port=$5 mode=$6
driver=("${@:7}")
[ ${#driver[@]} -gt 0 ] || driver=("$bin/sim-guest" visits)
here=$(dirname "$0")
# shellcheck source=tests/sim/launcher.sh
. "$here/launcher.sh"

# What a visit lives through, and what is only waited for: the first has time on a machine that is busy.
short='method-seconds=20 staff-seconds=60 ask-seconds=10'
# name, lanes, port, words for make-desk.sh
rows=(
    "main $lanes $port card-back=12 places=numbers,storm,pair,beside"
    "pharmacy 2 $((port + 5)) name=pharmacy kind=pharmacy issuers=none patience=short $short"
    "challenge 1 $((port + 10)) name=challenge genuineness=challenge-only issuers=none patience=short $short liveness=gate again=600"
    "off 1 $((port + 15)) name=off card-back=30 genuineness=off issuers=none consents=all documents=chart"
)
launchers=() desks=() ended=0
stop() { # all but the first N
    local i
    for ((i = ${#launchers[@]} - 1; i >= ${1:-0}; i--)); do kill -TERM "${launchers[i]}" 2>/dev/null || ended=1; done
    for ((i = ${#launchers[@]} - 1; i >= ${1:-0}; i--)); do wait "${launchers[i]}" 2>/dev/null || ended=1; done
    launchers=("${launchers[@]:0:${1:-0}}")
}
trap stop EXIT
trap 'exit 130' INT TERM
for row in "${rows[@]}"; do
    read -r name n at words <<<"$row"
    directory=$desk$([ "$name" = main ] || echo "-$name")
    # A fresh day: yesterday's state would answer from its cache.
    rm -rf "$directory"
    # shellcheck disable=SC2086 # several words
    "$here/make-desk.sh" "$build" "$bin" "$directory" "$n" "$at" $words
    directory=$(realpath "$directory")
    launcher_start "$directory"
    launchers+=("$launcher") desks+=("$directory")
done
sleep 0.3
for i in "${!launchers[@]}"; do
    if ! kill -0 "${launchers[i]}" 2>/dev/null; then
        cat "${desks[i]}/log/launcher.log" >&2
        echo "始められません。別のポートは PORT=番号 で選べます / cannot start; choose another port with PORT=number" >&2
        exit 1
    fi
done

echo "受付を始めます(模擬の装置・カード・サービス) / starting a desk on simulated hardware"
for desk in "${desks[@]}"; do launcher_ready "$desk"; done
desk=${desks[0]}
status=0
"${driver[@]}" "$here/visits/reception.txt" "${desks[@]/#/--desk=}" | tee "$desk/log/visits" || status=$?
if [ "$mode" = once ] || [ ! -t 0 ]; then
    stop
    [ "$ended" -eq 0 ] || { echo "FAIL  a desk's launcher had ended before, or ended badly" && status=1; }
    # Every book against every other; what does not fit is shown, the rest stands in log/books.
    "$here/../reconcile.sh" "${desks[@]}" >"$desk/log/books" || status=1
    sed -n '/^FAIL/p' "$desk/log/books"
    tail -n 1 "$desk/log/books"
    sed -nE 's/^(visits|books): ([0-9]+) passed, ([0-9]+) failed$/\2 \3/p' "$desk/log/visits" "$desk/log/books" |
        awk '{ passed += $1; failed += $2 } END { printf "%d passed, %d failed\n", passed, failed }'
    exit "$status"
fi
stop 1
kiosk=$(cat "$desk/tokens/lane-1") staff=$(cat "$desk/tokens/staff")
echo
echo "患者の画面 / kiosk : http://127.0.0.1:$port/kiosk/1#token=$kiosk"
echo "係の画面   / board : http://127.0.0.1:$port/board#token=$staff&name=受付"
echo "状態       / status: $bin/uketsuke --config $desk/uketsuke.conf status"
echo "カードを置く / a card: $bin/sim-service --send $desk/run/device-1.control insert franck"
echo "記録       / logs  : $desk/log"
echo "Ctrl-C で終わります / Ctrl-C ends"
wait "${launchers[0]}"
