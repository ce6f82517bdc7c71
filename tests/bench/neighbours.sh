#!/bin/bash
# neighbours.sh BUILD BIN PORT ROUNDS: what a live lane notices of neighbours whose services are in trouble. Two desks of
# five lanes that differ in one thing: at the second the lanes 2 to 5 ask a service whose name is never resolved, a folder
# on a mount that hangs, a host that takes connections and says nothing, and one that drops them (bench_trouble.c), and
# staff look somebody up at each of them again and again. Look-ups at lane 1 are measured at both: from the cache, and
# asked of the live service. The desks take turns, ROUNDS times each; a ratio is of the same round.
#
# Medians of the rounds with the least and the most in brackets. Ends badly when a look-up at lane 1 was refused, not
# answered as it should be, or when a neighbour was not in trouble at all.
set -u
build=$(realpath "$1") bin=$2 port=$3 rounds=$4
here=$(dirname "$0")
top=$build/desk-neighbours
watchers=()
# shellcheck source=tests/sim/launcher.sh
. "$here/../sim/launcher.sh"
who='"insurer":"99000010","symbol":"見本","number":"1001","branch":"01","birth":"19750604"' # people/franck.json
# Whom no service knows is asked about anew each time; the neighbours ask about somebody of their own.
nobody=${who/1001/9999} other=${who/1001/8888}
cached=120 live=60 # a look-up stays on the board for ten seconds, and 256 may stand there
names=(- - dns mount silent full)
lanes=() # with a neighbour in trouble

stop() {
    local pid
    for pid in "${watchers[@]}"; do kill "$pid" 2>/dev/null; wait "$pid" 2>/dev/null; done
    launcher_stop
    watchers=()
}
trap stop EXIT
trap 'exit 130' INT TERM

# What this machine does not allow is left out, and said.
mkdir -p "$top-try"
for n in 2 3 4 5; do
    case ${names[$n]} in
    dns) set -- dns /bin/true ;;
    mount) set -- mount "$top-try" /bin/true ;;
    *) set -- ;;
    esac
    if [ $# -eq 0 ] || why=$("$bin/bench_trouble" "$@" 2>&1); then
        lanes+=("$n")
    else
        echo "  neighbour: ${names[$n]}: not on this machine: $why"
    fi
done
rmdir "$top-try"

trouble() { # trouble DESK: its lanes 2 to 5 ask elsewhere
    local desk=$1 n kind
    mkdir -p "$desk/folder/req" "$desk/folder/res" "$desk/folder/face" "$desk/folder/silent"
    for n in "${lanes[@]}"; do sed -i "s/^\[lane $n\]\$/&\nupstream = ${names[$n]}/" "$desk/uketsuke.conf"; done
    for kind in dns:eligibility.invalid:443 silent:127.0.0.1:$((port + 3)) full:127.0.0.1:$((port + 4)); do
        cat <<EOF

[upstream ${kind%%:*}]
kind = web-api
auth-url = https://${kind#*:}/auth
search-url = https://${kind#*:}/search
capabilities = by_numbers
ca = pki/ca.pem
certificate = pki/client.pem
key = pki/client.key
user = sim-user
password-file = tokens/service-password
EOF
    done >>"$desk/uketsuke.conf"
    cat >>"$desk/uketsuke.conf" <<EOF

[upstream mount]
kind = folders
folder = folder
capabilities = by_numbers face_files
EOF
    for n in "${lanes[@]}"; do
        kind=${names[$n]}
        case $kind in
        dns) set -- "\$BIN/bench_trouble dns " ;;
        mount) set -- "\$BIN/bench_trouble mount $desk/folder/silent " ;;
        *) set -- '' && echo "program host-$kind \$BIN/bench_trouble $kind $((port + n - 1))" ;;
        esac
        cat <<EOF
program relay-$kind $1\$BIN/uketsuke-relay --config \$DESK/uketsuke.conf --instance $kind
  listen relay seqpacket \$DESK/run/relay-$kind.sock
  ready notify
EOF
    done >>"$desk/plan"
}

start() { # start NAME: `alone` or `beside`
    local desk=$top-$1
    stop
    rm -rf "$desk"
    "$here/../sim/make-desk.sh" "$build" "$bin" "$desk" 5 "$port" || exit 1
    sed -i 's/^\[desk\]$/&\nask-seconds = 8/' "$desk/uketsuke.conf"
    [ "$1" = alone ] || trouble "$(realpath "$desk")"
    launcher_start "$desk"
    launcher_ready "$desk" || exit 1
    # Where the relay looks there is the mount from now on.
    [ "$1" = alone ] || { mv "$desk/folder/face" "$desk/folder/face-away" && ln -s silent/face "$desk/folder/face"; }
}

lookups() { "$bin/bench_lookups" "$port" "$1/tokens/staff" "$2" "$3" "$4" "$5"; } # DESK COUNT REST LANE FIELDS

round() { # round NAME NUMBER
    local desk=$top-$1 n
    start "$1"
    if [ "$1" = beside ]; then
        for n in "${lanes[@]}"; do
            # Not by the function: the process that is ended must be the program itself.
            "$bin/bench_lookups" "$port" "$desk/tokens/staff" 100000 500 "$n" "$other" >"$top.neighbour.${names[$n]}.$2" &
            watchers+=($!)
        done
        sleep 1 # their first questions hang
    fi
    lookups "$desk" 1 0 1 "$who" >/dev/null || exit 1 # asked: from now on it is in the cache
    lookups "$desk" "$cached" 0 1 "$who" >"$top.cached.$1.$2" || exit 1
    lookups "$desk" "$live" 0 1 "$nobody" >"$top.live.$1.$2" || exit 1
    sleep 9 # longer than a question may take: what the neighbours are told is shown
    stop
}

rm -f "$top".*
for ((i = 1; i <= rounds; i++)); do
    # In turns, and turned round each time: what drifts hits both.
    if ((i % 2)); then round alone "$i" && round beside "$i"; else round beside "$i" && round alone "$i"; fi
done

wrong=$(cat "$top".cached.* | grep -cv ' eligible - cached$')
wrong=$((wrong + $(cat "$top".live.* | grep -cv ' not_eligible E009 asked$')))

quantile() { sort -n | awk -v q="$1" '{ a[NR] = $1 } END { print NR ? a[int((NR - 1) * q + 1.5)] : "" }'; }
spread() { sort -n | awk -v form="$1" '{ a[NR] = $1 } END { printf form " (" form ".." form ")", a[int((NR + 1) / 2)], a[1], a[NR] }'; }
for what in cached live; do
    column=$([ "$what" = cached ] && echo 1 || echo 2)
    for q in 0.5 0.99; do
        for name in alone beside; do
            for ((i = 1; i <= rounds; i++)); do cut -d' ' -f"$column" "$top.$what.$name.$i" | quantile "$q"; done >"$top.$name"
        done
        printf '  %-46s alone %s us, beside %s us, ratio %s\n' "look-up, $what, p$([ "$q" = 0.5 ] && echo 50 || echo 99)" \
            "$(spread %.0f <"$top.alone")" "$(spread %.0f <"$top.beside")" \
            "$(paste -d' ' "$top.alone" "$top.beside" | awk '{ print $2 / $1 }' | spread %.2f)"
    done
done
for n in "${lanes[@]}"; do
    said=$(cat "$top.neighbour.${names[$n]}".* | awk '{ print $4 }' | sort | uniq -c | sort -rn | awk '{ printf "%s%s %d times", (NR > 1 ? ", " : ""), $2, $1 }')
    printf '  %-46s %s; longest %s ms\n' "neighbour: ${names[$n]}" "${said:-nothing yet}" \
        "$(cat "$top.neighbour.${names[$n]}".* | awk '$2 > most { most = $2 } END { printf "%.0f", most / 1000 }')"
    # None may have had an answer from its service.
    if cat "$top.neighbour.${names[$n]}".* | grep -q ' eligible ' || [ -z "$said" ]; then wrong=$((wrong + 1)); fi
done
echo "  $rounds rounds of $cached cached and $live live look-ups at each desk; $wrong not as they should be"
[ "$wrong" -eq 0 ] || exit 1
rm -rf "$top".* "$top-alone" "$top-beside"
