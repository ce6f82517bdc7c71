#!/bin/bash
# configurations.sh BIN: `uketsuke config check` and the programs say the same of a configuration, with the same words. Each
# row below is put to the check and to every program that the row concerns: those refuse it before anything else, and a
# configuration without errors is refused by none.
set -u
bin=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
ok() { passed=$((passed + 1)); }
bad() { echo "FAIL  $1"; failed=$((failed + 1)); }

every='uketsuked uketsuke-broker uketsuke-reader uketsuke-matcher uketsuke-ocr uketsuke-relay uketsuke-web'
errors='設定に誤りがあります / the configuration has errors:'
# One program on the configuration, without sockets and without the cage: what it says, until it is done with the file.
said_by() { # said_by PROGRAM INSTANCE
    timeout 10 "$bin/$1" --config "$work/conf" ${2:+--instance "$2"} --try-cage 2>&1 </dev/null
}
instance_of() { # instance_of PROGRAM OUTPUT?
    case $1 in
    uketsuke-reader) echo 1 ;;
    uketsuke-relay) echo "$2" ;;
    esac
}

good='[desk]
institution = 9910000017
run-directory = run
state-directory = state
[upstream main]
auth-url = https://127.0.0.1:1/auth
search-url = https://127.0.0.1:1/search
ca = ca.pem
certificate = client.pem
'
lane='[lane 1]
'
# WHO | the end of the configuration, lines parted by ; | the line and the key that are named
# WHO: all (every program), desk, relay, handover (the one of [output a]), none (it is good)
row() {
    local who=$1 text=$2 wanted=$3 program instance said line
    printf '%s' "$text" | tr ';' '\n' >"$work/conf"
    said=$("$bin/uketsuke" --config "$work/conf" config check 2>&1)
    status=$?
    if [ "$who" = none ]; then
        if [ "$status" -eq 0 ]; then ok; else bad "config check refuses: $text: $said"; fi
    else
        if [ "$status" -eq 2 ]; then ok; else bad "config check, status $status: $text"; fi
        if grep -qF "$work/conf:$wanted" <<<"$said"; then ok; else bad "config check does not say $wanted: $said"; fi
    fi
    line=$(grep -F "$work/conf:" <<<"$said")
    for program in $every; do
        instance=$(instance_of "$program" "$([ "$who" = handover ] && echo a || echo main)")
        case $who:$program in
        all:* | desk:uketsuked | relay:uketsuke-relay | handover:uketsuke-relay)
            said=$(said_by "$program" "$instance")
            status=$?
            if [ "$status" -ne 0 ] && [ "$status" -ne 124 ]; then ok; else bad "$program starts ($status) with: $text"; fi
            if grep -qF "$errors" <<<"$said" && grep -qxF "$line" <<<"$said"; then
                ok
            else
                bad "$program says otherwise than the check of: $text: $said"
            fi ;;
        none:*)
            if said_by "$program" "$instance" | grep -F "$errors"; then bad "$program refuses what the check takes: $text"; else ok; fi ;;
        esac
    done
}

row none "$good$lane" ''
row none "${good}[lane 1];reader = id=054c:0dc8/A1;camera = auto:same;upstream = main;[output a];kind = hook;url = http://127.0.0.1:1/" ''
row none "${good}capabilities = by_numbers;${lane}[desk]" ''
row all "[desk];institution = 12345678ab" '2: institution: '
row all "$good${lane}[desk];consents = foo" '12: consents: foo: '
row all "$good${lane}[desk];routes = nonsense" '12: routes: nonsense: '
row all "${good}[lane 1];upstream = nosuch" '11: [lane 1] upstream: nosuch: '
row all "${good}[lane 1];reader = rubbish" '11: [lane 1] reader: rubbish: '
row all "${good}[lane 1];camera = rubbish" '11: [lane 1] camera: rubbish: '
row all "${good}capabilities = telepathy;$lane" '10: [upstream main] capabilities: telepathy: '
row all "${good}capabilities = face_files;$lane" '10: [upstream main] capabilities: face_files: '
row all "$good${lane}[output main]" '11: [output main]: '
row all "[upstream main];auth-url = http://127.0.0.1/;$lane" '2: [upstream main] auth-url: '
row all "$good${lane}[output a];kind = hook;url = http://192.168.0.9/" '13: [output a] url: '
row all "$good${lane}[output a];kind = orca;user = a:b" '13: [output a] user: '
row all "$good${lane}[desk];fase-seconds = 30" '12: fase-seconds: '
row desk "$good" ' [lane]: '
row desk "[desk];institution = 9910000017;$lane" ' [upstream]: '
row desk "${good/institution*17/}$lane" '1: institution: '
row desk "${good/upstream main/upstream b}$lane" '10: [lane 1] upstream: '
row relay "${good/auth-url*auth/}$lane" '5: [upstream main] auth-url: '
row relay "${good/search-url*search/}$lane" '5: [upstream main] search-url: '
row relay "${good/ca = ca.pem/}$lane" '5: [upstream main] ca: '
row relay "${good}capabilities = register;$lane" '5: [upstream main] extension-url: '
row relay "[desk];institution = 9910000017;${lane}[upstream main];kind = folders" '4: [upstream main] folder: '
row handover "$good${lane}[output a]" '11: [output a] folder: '
row handover "$good${lane}[output a];kind = hook" '11: [output a] url: '
row handover "$good${lane}[output a];kind = orca;url = http://127.0.0.1:1/" '11: [output a] physician: '
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
