#!/bin/bash
# units.sh BIN: the systemd units, judged by systemd itself without starting them: they load, every program has one
# with a user of its own, and `systemd-analyze security` finds an exposure of at most 1.5. The examples beside them hold
# too. (tests/guest starts them.)
set -u
bin=$1
here=$(realpath "$(dirname "$0")")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
units=$root/usr/lib/systemd/system
mkdir -p "$units" "$root/usr/bin"
cp -r "$here"/../packaging/systemd/. "$units"
cp "$bin"/uketsuke* "$root/usr/bin"
# Instances, as `systemctl enable` would name them.
cp "$units/uketsuke-reader@.service" "$units/uketsuke-reader@1.service"
cp "$units/uketsuke-relay@.service" "$units/uketsuke-relay@main.service"
cp "$units/uketsuke-handover@.service" "$units/uketsuke-handover@receipt.service"
passed=0 failed=0
say() { # say GOOD WORDS
    if [ "$1" = 0 ]; then echo "ok    $2"; passed=$((passed + 1)); else echo "FAIL  $2"; failed=$((failed + 1)); fi
}
users=
while read -r unit program; do
    level=$(systemd-analyze security --offline=true --root="$root" "$unit.service" 2>/dev/null | sed -nE 's/.*exposure level for [^ ]*: ([0-9.]+).*/\1/p')
    awk -v level="${level:-10}" 'BEGIN {exit !(level <= 1.5)}'
    say $? "$unit: exposure ${level:-unknown} (at most 1.5)"
    grep -q "^ExecStart=/usr/bin/$program " "$units/${unit%%@*}"*.service
    say $? "$unit starts $program"
    users="$users $(sed -n 's/^User=//p' "$units/$unit.service")"
    out=$(systemd-analyze verify --man=no --recursive-errors=no --root="$root" "$unit.service" 2>&1)
    [ -z "$out" ]
    say $? "$unit loads without a word"
    [ -z "$out" ] || echo "      $out"
done <<'EOF'
uketsuke-desk uketsuked
uketsuke-broker uketsuke-broker
uketsuke-reader@1 uketsuke-reader
uketsuke-matcher uketsuke-matcher
uketsuke-ocr uketsuke-ocr
uketsuke-relay@main uketsuke-relay
uketsuke-handover@receipt uketsuke-relay
uketsuke-web uketsuke-web
EOF
[ "$(tr ' ' '\n' <<<"$users" | sed '/^$/d' | sort -u | wc -l)" = 8 ]
say $? "every program has a user of its own"
for user in $users; do grep -q "^u $user " "$here/../packaging/sysusers.conf" || echo "$user"; done | grep -q . && bad=1 || bad=0
say "$bad" "every user is made by sysusers.conf"
# An alert on a counter that nobody exports would never ring.
alerts=$here/../packaging/prometheus/alerts.yml
# shellcheck disable=SC2013 # words, not lines
for name in $(grep -oE 'uketsuke_[a-z_]+' "$alerts" | sed 's/_bucket$//' | sort -u); do
    grep -qF "\"${name#uketsuke_}\"" "$here/../daemon/desk/metrics.c"
    say $? "the alerts' $name is exported by the desk"
done
# The pages stand where the configuration, the socket and the examples of a proxy say, and the examples say it in headers
# that the program reads.
listen=$(sed -nE 's/^CONFIG_KEY\(web, LISTEN, FOR_WEB, "listen", TEXT, [0-9]+, [0-9]+, "([^"]*)".*/\1/p' "$here/../daemon/common/config.def")
[ -n "$listen" ] && grep -qxF "ListenStream=$listen" "$units/uketsuke-web.socket"
say $? "the pages' socket is the configuration's ($listen)"
for example in "$here"/../packaging/proxy/*; do
    name=${example##*/}
    [ "$(grep -oE '127\.0\.0\.1:[0-9]+' "$example" | sort -u)" = "$listen" ]
    say $? "$name names the pages' address and no other"
    headers=$(grep -oE '(proxy_set_header|header_up|request_header @own) [A-Za-z-]+' "$example" | awk '$NF != "Connection" {print $NF}' | sort)
    bad=0
    [ "$headers" = "$(printf 'Host\nOrigin')" ] || bad=1
    for header in $headers; do grep -qF "request_header(request, \"$header\"" "$here"/../daemon/web/*.c || bad=1; done
    say "$bad" "$name sets Host and Origin, and nothing that is not read"
done
rules=$(sed -nE 's/.*idVendor\}=="([0-9a-f]+)".*idProduct\}=="([0-9a-f]+)".*/usb:v\U\1\Ep\U\2\Ed*/p' "$here/../packaging/udev.rules" | sort)
[ -n "$rules" ] && [ "$rules" = "$(sed -nE 's/.*<modalias>(.*)<\/modalias>.*/\1/p' "$here/../packaging/uketsuke.metainfo.xml" | sort)" ]
say $? "the package's metadata names the devices of the udev rules"
kiosk=$here/../packaging/kiosk/uketsuke-kiosk.service
out=$(systemd-analyze verify --man=no --recursive-errors=no "$kiosk" 2>&1 | grep -vE 'is not executable|Unit uketsuke-web.socket not found')
[ -z "$out" ]
say $? "the kiosk's example unit loads without a word"
[ -z "$out" ] || echo "      $out"
# The unit starts the browser as the README's command does, whatever else it asks for (autoplay: a voice before any touch).
flags() { tr ' ' '\n' | grep -E '^--[a-z]' | sort; }
# shellcheck disable=SC2016 # the README's backquotes
readme=$(sed -nE 's/^`chromium (--[^`]*)`.*/\1/p' "$here/../README.md" | flags)
unit=$(sed -nE '/^ExecStart=/,/[^\]$/s/.*chromium|^ +/ /gp' "$kiosk" | flags)
[ -n "$readme" ] && [ -z "$(comm -23 <(echo "$readme") <(echo "$unit"))" ]
say $? "the kiosk's example unit has every flag of the README's command (${readme//$'\n'/, })"
grep -qx -- '--autoplay-policy=no-user-gesture-required' <<<"$unit"
say $? "the kiosk's example unit lets a voice be heard before the first touch"
# systemd gives a runtime directory, with all in it, to the user and group of each unit that names it, as it begins.
shared=$(awk -F= 'FNR == 1 { user = group = "" } $1 == "User" { user = $2 } $1 == "Group" { group = $2 }
    $1 == "RuntimeDirectory" { print $2, user, group }' "$here"/../packaging/s[iy]*/*.service | sort -u | cut -d' ' -f1 | uniq -d)
[ -z "$shared" ]
say $? "no runtime directory is of two owners ($shared)"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
