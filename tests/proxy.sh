#!/bin/bash
# proxy.sh BUILD BIN [nginx|caddy...]: the examples in packaging/proxy as they stand (only the certificate lies elsewhere),
# each by its own program, before a whole desk on simulated hardware: names, origins, cookies, events and TLS as curl sees
# them, then a visit with kiosk and board in a browser. All of it in a network of its own, where the ports are free. The
# programs are Debian's, unpacked below BUILD/proxy and not installed: no server is started on this machine.
# One line a check, then "N passed, N failed".
# shellcheck disable=SC2016 # what bash -c gets in single quotes is for that bash
set -u
build=$(realpath "$1") bin=$(realpath "$2")
here=$(realpath "$(dirname "$0")")
if [ -z "${PROXY_INSIDE-}" ]; then
    "$here/browser/npm-tree.sh" playwright-core 1.60.0 8b1df81ba75e90a41eb5c996350ea7ecc1c915ea643ec55138f91c949c5a25bf "$build/browser/packages" || exit 1
    mkdir -p "$build/proxy/programs"
    for package in nginx caddy; do
        program=$build/proxy/programs/$package
        [ ! -d "$program" ] || continue
        (cd "$build/proxy/programs" && { apt-get -qq download "$package" 2>/dev/null || { apt-get -qq update && apt-get -qq download "$package"; }; } &&
            dpkg-deb -x "$package"_*.deb "$program.new" && rm "$package"_*.deb && mv "$program.new" "$program") || exit 1
    done
    own=(--net)
    [ "$(id -u)" -eq 0 ] || own+=(--map-root-user)
    PROXY_INSIDE=1 exec unshare "${own[@]}" "$0" "$@"
fi
shift 2
# shellcheck source=tests/verdicts.sh
. "$here/verdicts.sh"
# shellcheck source=tests/sim/launcher.sh
. "$here/sim/launcher.sh"
out=$build/proxy
desk=$build/desk-proxy
name=uketsuke.clinic.example
browser=$(command -v chromium) || { echo "chromium がありません / chromium is missing: make proxy installs it" >&2; exit 1; }
ip link set lo up || exit 1
export HOME=$out XDG_DATA_HOME=$out/data XDG_CONFIG_HOME=$out/config
mkdir -p "$XDG_DATA_HOME" "$XDG_CONFIG_HOME"

server=''
stop() { [ -z "$1" ] || { kill -TERM "$1" && wait "$1"; }; } 2>/dev/null
trap 'stop "$server"; stop "$launcher"' EXIT
trap 'exit 130' INT TERM
until_it() { # until_it TENTHS COMMAND...
    local left=$1
    shift
    until "$@"; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || return 1
        sleep 0.1
    done
}

# --- an authority of the house, and a certificate for the example's name
house=$out/house
rm -rf "$house"
mkdir -p "$house"
new_key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
{
    openssl req -x509 "${new_key[@]}" -days 2 -subj '/CN=a house' -keyout "$house/ca.key" -out "$house/ca.pem"
    openssl req "${new_key[@]}" -subj "/CN=$name" -keyout "$house/key.pem" -out "$house/request.pem"
    openssl x509 -req -in "$house/request.pem" -CA "$house/ca.pem" -CAkey "$house/ca.key" -CAcreateserial -days 2 \
        -extfile <(echo "subjectAltName=DNS:$name") -out "$house/fullchain.pem"
} 2>"$out/openssl.log" || { cat "$out/openssl.log" >&2; exit 1; }

# --- the desk, at the port that the examples name
rm -rf "$desk"
"$here/sim/make-desk.sh" "$build" "$bin" "$desk" 1 8620 || exit 1
launcher_start "$desk"
check "the desk comes up" launcher_ready "$desk"
token=$(cat "$desk/tokens/staff")

start_nginx() {
    local run=$out/nginx program=$out/programs/nginx/usr/sbin/nginx
    sed "s|/etc/uketsuke/proxy/|$house/|" "$here/../packaging/proxy/nginx.conf" >"$run/uketsuke.conf"
    {
        echo "daemon off; pid $run/pid; error_log $run/error.log; events {}"
        echo "http { access_log $run/access.log;"
        for kind in client_body proxy fastcgi uwsgi scgi; do echo "${kind}_temp_path $run/$kind;"; done
        echo "include $run/uketsuke.conf; }"
    } >"$run/nginx.conf"
    [ "$(id -u)" -ne 0 ] || sed -i "1i user root;" "$run/nginx.conf"
    check "nginx takes the example" "$program" -e "$run/start.log" -t -q -c "$run/nginx.conf"
    "$program" -e "$run/start.log" -c "$run/nginx.conf" >"$run/log" 2>&1 &
    server=$! authority=$house/ca.pem
}
start_caddy() {
    local run=$out/caddy program=$out/programs/caddy/usr/bin/caddy
    # This machine's own store of certificates is left alone.
    sed 's|^	admin off|&\n	skip_install_trust|' "$here/../packaging/proxy/Caddyfile" >"$run/Caddyfile"
    check "caddy takes the example" "$program" validate --config "$run/Caddyfile" --adapter caddyfile 2>"$run/validate.log" >&2
    "$program" run --config "$run/Caddyfile" --adapter caddyfile >"$run/log" 2>&1 &
    server=$! authority=$XDG_DATA_HOME/caddy/pki/authorities/local/root.crt
}
ask() { # ask PATH [WORD...]: as curl does, through the proxy, by the house's name
    local path=$1
    shift
    curl -s --max-time 20 --cacert "$authority" --resolve "$name:443:127.0.0.1" "$@" "https://$name$path"
}
status() { ask "$@" -o /dev/null -w '%{http_code}'; }
is() { # is WORDS WANTED GOT
    if [ "$3" = "$2" ]; then good "$1"; else bad "$1: wanted $2, got $3"; fi
}
body=(-H 'X-Uketsuke: board' -H 'Content-Type: application/json')
ours=("${body[@]}" -H "Origin: https://$name")
sign_in=(-d "{\"token\":\"$token\",\"name\":\"受付\"}")
up() { [ "$(status /board)" = 200 ]; }

try() { # try PROXY
    local proxy=$1 log=$out/$1 visit listening cookie word forged
    rm -rf "$log"
    mkdir -p "$log"
    "start_$proxy"
    check "$proxy: the board's page comes over TLS" until_it 150 up
    ask /kiosk/1 -D "$log/headers" -o "$log/page"
    check "$proxy: ... as the desk made it" cmp -s "$log/page" <(curl -s http://127.0.0.1:8620/kiosk/1)
    check "$proxy: ... with its policy" grep -qi "^content-security-policy: default-src 'none'" "$log/headers"
    check "$proxy: ... and TLS for a year" grep -qi '^strict-transport-security: max-age=31536000' "$log/headers"
    is "$proxy: TLS 1.1 is refused" 000 "$(status /board --tls-max 1.1 --ciphers 'DEFAULT@SECLEVEL=0')"
    # A name of somebody else's that leads here (a DNS rebinding), and who is not of the house.
    word=$(curl -sk --max-time 20 --resolve other.example:443:127.0.0.1 -o /dev/null -w '%{http_code}' https://other.example/board)
    check "$proxy: another name gets no page ($word)" test "$word" = 000 -o "$word" = 421
    ask /board -H 'Host: other.example' >"$log/other"
    check "$proxy: nor does another name under our certificate" bash -c '! grep -qi "<script" "$1"' _ "$log/other"
    is "$proxy: an address that is not of the house is refused" 403 "$(status /board --interface 127.0.0.2)"
    is "$proxy: the counters are not for the house" 403 "$(status /metrics)"
    is "$proxy: without a session nothing of patients" 401 "$(status /api/visits "${body[@]}")"

    for word in https://evil.example "http://$name" "https://$name.evil.example" null; do
        is "$proxy: a page of $word cannot sign in" 403 "$(status /api/session "${body[@]}" "${sign_in[@]}" -H "Origin: $word")"
    done
    is "$proxy: our own page signs in" 200 "$(status /api/session "${ours[@]}" "${sign_in[@]}" -c "$log/cookies" -D "$log/signed-in")"
    cookie=$(grep -i '^set-cookie:' "$log/signed-in" | tr -d '\r')
    for word in Secure HttpOnly SameSite=Strict; do
        is "$proxy: the cookie is $word, once" 1 "$(tr ';' '\n' <<<"$cookie" | grep -ciE "^ *$word *$")"
    done
    is "$proxy: the session opens the list" 200 "$(status /api/visits -b "$log/cookies" "${ours[@]}")"
    # Where a client claims to come from makes no difference, for good or ill.
    forged=(-H 'X-Forwarded-For: 127.0.0.1' -H 'X-Real-IP: 127.0.0.1' -H 'X-Forwarded-Host: evil.example' -H 'X-Forwarded-Proto: http' -H 'Forwarded: host=evil.example')
    is "$proxy: forged X-Forwarded headers shut nobody out" 200 "$(status /api/visits -b "$log/cookies" "${ours[@]}" "${forged[@]}")"
    is "$proxy: and let nobody in" 403 "$(status /board --interface 127.0.0.2 "${forged[@]}")"
    is "$proxy: a body that is too long is refused" 413 "$(head -c 200000 /dev/zero | status /api/lookup -b "$log/cookies" "${ours[@]}" --data-binary @-)"

    # Events come when they happen, not when a buffer is full.
    ask /api/events -N -b "$log/cookies" -H 'X-Uketsuke: board' --max-time 60 >"$log/events" &
    listening=$!
    check "$proxy: the day comes at once" until_it 30 grep -q '^event: ready' "$log/events"
    visit=$(ask /api/lookup -b "$log/cookies" "${ours[@]}" -d '{"insurer":"00990010","symbol":"試験","number":"2001","branch":"01","birth":"19640229"}' | jq -r .visit)
    decided() { [ "$(ask "/api/visits/$visit" -b "$log/cookies" "${ours[@]}" | jq -r .outcome)" = eligible ]; }
    check "$proxy: a look-up of the house becomes a visit and is answered" until_it 200 decided
    told() { sed -n 's/^data: //p' "$log/events" | jq -e --arg v "$visit" 'select(.visit == $v and .outcome == "eligible")' >/dev/null 2>&1; }
    check "$proxy: ... and is told as it happens" until_it 15 told
    kill "$listening" 2>/dev/null
    wait "$listening" 2>/dev/null

    # A visit by the pages alone, in a browser that takes this certificate and no other.
    word=$(openssl s_client -connect 127.0.0.1:443 -servername "$name" </dev/null 2>/dev/null | openssl x509 -pubkey -noout |
        openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64)
    node "$here/browser/proxy.mjs" --desk "$desk" --name "$name" --pin "$word" --packages "$build/browser/packages" --browser "$browser" \
        --cards "$build/sim/cards" --words "$proxy" | tee "$log/browser.log"
    passed=$((passed + $(grep -c '^ok ' "$log/browser.log"))) failed=$((failed + $(grep -c '^FAIL ' "$log/browser.log")))
    check "$proxy: the browser came to its end" grep -q '^browser: the end' "$log/browser.log"
    rm "$log/cookies"
    check "$proxy: nothing that it keeps has the token" bash -c '! grep -rqF "$1" "${@:2}"' _ "$token" "$log" "$XDG_DATA_HOME" "$XDG_CONFIG_HOME"
    stop "$server"
    server=''
}

[ $# -gt 0 ] || set -- nginx caddy
for proxy; do try "$proxy"; done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
