#!/bin/bash
# run-desk.sh BUILD BIN DESK LANES PORT once|serve: starts a whole desk on simulated hardware, drives the visits,
# and then serves on (on a terminal) or ends with the visits' result.
set -eu
build=$1 bin=$2 desk=$3 lanes=$4 port=$5 mode=$6
here=$(dirname "$0")

# A fresh day: yesterday's state would answer from its cache.
rm -rf "$desk"
"$here/make-desk.sh" "$build" "$bin" "$desk" "$lanes" "$port"
desk=$(realpath "$desk")
"$bin/sim-launcher" "$desk/plan" "$desk/log" "$desk/run/launcher.control" 2>"$desk/log/launcher.log" &
launcher=$!
sleep 0.3
if ! kill -0 "$launcher" 2>/dev/null; then
    cat "$desk/log/launcher.log" >&2
    echo "始められません。別のポートは PORT=番号 で選べます / cannot start; choose another port with PORT=number" >&2
    exit 1
fi
stop() {
    kill -TERM "$launcher" 2>/dev/null || return 0
    wait "$launcher" 2>/dev/null || return 0
}
trap stop EXIT
trap 'exit 130' INT TERM

echo "受付を始めます(模擬の装置・カード・サービス) / starting a desk on simulated hardware"
status=0
"$bin/sim-guest" --desk "$desk" --cards "$here/cards" --port "$port" || status=$?
if [ "$mode" = once ] || [ ! -t 0 ]; then
    exit "$status"
fi
kiosk=$(cat "$desk/tokens/lane-1") staff=$(cat "$desk/tokens/staff")
echo
echo "患者の画面 / kiosk : http://127.0.0.1:$port/kiosk/1#token=$kiosk"
echo "係の画面   / board : http://127.0.0.1:$port/board#token=$staff&name=受付"
echo "状態       / status: $bin/uketsuke --config $desk/uketsuke.conf status"
echo "カードを置く / a card: $bin/sim-service --send $desk/run/device-1.control insert franck"
echo "記録       / logs  : $desk/log"
echo "Ctrl-C で終わります / Ctrl-C ends"
wait "$launcher"
