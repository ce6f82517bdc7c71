#!/bin/bash
# bundle.sh BIN: what `uketsuke bundle` packs names neither the house nor its machine: every text and path of the
# configuration, the journal's and systemd's words bear a mark here, and no mark is in the archive; what help needs is.
set -u
bin=$(realpath "$1")
here=$(realpath "$(dirname "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=tests/verdicts.sh
. "$here/verdicts.sh"

# --- a configuration of every key: numbers, choices and flags as they may be, all else with a mark
table() {
    printf '#define CONFIG_KEY(s, i, u, n, t, min, max, d, c, ja, en) @@ s ^ n ^ t ^ max ^ c ^\n#include "%s"\n' "$here/../daemon/common/config.def" |
        gcc -E -P -x c - | tr '\n' ' ' | sed 's/@@ */\n/g' | sed 's/ *\^ */^/g' | grep '\^' | tr -d '"'
}
kept=0 marked=0 last='' plain=$work/plain
conf=$work/MARK-directory/uketsuke.conf
mkdir -p "$work/MARK-directory" "$work/stub"
while IFS='^' read -r section name type max choices _; do
    case $section in lane) heading="lane 1" ;; upstream) heading="upstream main" ;; output) heading="output receipt" ;; *) heading=$section ;; esac
    [ "$heading" = "$last" ] || echo "[$heading]"
    last=$heading
    value="MARK-$name"
    case $type in
    NUMBER) value=$max ;;
    CHOICE) value=${choices##*|} ;;
    FLAG) value=no ;;
    TEXT) [ "$name" = listen ] && value=localhost:48620 || value=${value:0:$max} ;;
    esac
    # What has to be of a form is a mark in that form; of what has to be one of some words nothing can be.
    words=''
    case $section.$name in
    desk.institution) value=4862048620 ;;
    desk.consents) words=limit ;;
    desk.routes) words=by_numbers=main ;;
    lane.upstream) words=main ;;
    lane.reader) value=usbip=$value ;;
    lane.camera) value=v4l2:/dev/$value ;;
    upstream.capabilities) words=by_numbers ;;
    esac
    value=${words:-$value}
    case $value in "$words" | localhost:*) ;; *MARK* | 4862048620) marked=$((marked + 1)) ;; *) kept=$((kept + 1)) && echo "$heading|$name = $value" >>"$plain" ;; esac
    echo "$name = $value"
    echo "# MARK-comment of $name"
done < <(table) >"$conf" 2>/dev/null
export UKETSUKE_CONFIG=$conf
quiet() { "$@" >/dev/null 2>&1; }
check "the marked configuration has every kind of key ($marked marked, $kept plain)" [ "$marked" -ge 40 -a "$kept" -ge 40 ]
check "the marked configuration is a good one" quiet "$bin/uketsuke" config check

# --- programs that say more than they are asked, each time with the host's name
cat >"$work/stub/systemctl" <<'END'
#!/bin/sh
case " $* " in
*" status "*) echo "● uketsuke-desk.service - MARK-host"; echo "Nov 28 04:00:00 MARK-host uketsuked[7]: MARK-line" ;;
*" show "*) printf 'Id=uketsuke-desk.service\nDescription=MARK-host\nActiveState=active\nStatusText=MARK-host\nNRestarts=3\nResult=/MARK/path\n' ;;
*" cat "*) printf '# /usr/lib/systemd/system/uketsuke-desk.service\n[Service]\nUser=MARK-user\n# MARK-comment\n\n# /etc/systemd/system/uketsuke-desk.service.d/MARK-file.conf\n[Service]\nEnvironment=A=MARK-env\n' ;;
*" --version "*) echo "systemd 252" ;;
esac
END
cat >"$work/stub/journalctl" <<'END'
#!/bin/sh
cat <<'LINES'
{"MESSAGE":"step visit=7 from=card path=/MARK/path","_HOSTNAME":"MARK-host","_MACHINE_ID":"MARK-id","UKETSUKE_EVENT":["step","card put down"],"UKETSUKE_VISIT":"7","UKETSUKE_FROM":"card","UKETSUKE_PATH":"/MARK/path","UKETSUKE_USER":"MARK-user","UKETSUKE_NEW":"MARK","__REALTIME_TIMESTAMP":"1795838400000000","PRIORITY":"6","_SYSTEMD_UNIT":"uketsuke-desk.service","_CMDLINE":"uketsuked --config /MARK"}
{"MESSAGE":[77,65,82,75],"SYSLOG_IDENTIFIER":"systemd","UNIT":"uketsuke-web.service","_HOSTNAME":"MARK-host"}
{"PRIORITY":"3","UNIT":"MARK-host.mount","MESSAGE_ID":"d9b373ed55a64feb8242e02dbe79a49c","_HOSTNAME":"MARK-host"}
Hint: MARK-host has more journals
LINES
END
printf '#!/bin/sh\necho "<html>MARK-host</html>"\necho "uketsuke_matcher_up 1"\n' >"$work/stub/curl"
printf '#!/bin/sh\necho Timezone=Asia/Tokyo\n' >"$work/stub/timedatectl"
chmod +x "$work"/stub/*
PATH=$work/stub:$bin:$PATH
cd "$work" || exit 1
check "bundle: status 0" quiet sh "$here/../packaging/bundle" out.tar.gz
check "bundle: the archive can be unpacked" tar -xzf out.tar.gz
packed=$work/uketsuke-bundle
journal() { [ "$(jq -rs "$1" "$packed/journal.json")" = "$2" ] || { echo "      $(cat "$packed/journal.json")"; return 1; }; }
no_marks() { ! grep -rnaE 'MARK|48620' "$packed"; }
check "bundle: no mark is in it" no_marks
no_host() { ! grep -rqaF -- "$(uname -n)" "$packed"; }
[ "${#HOSTNAME}" -lt 4 ] || check "bundle: nor the name of this machine" no_host
check "bundle: the archive has no user's name" bash -c "! tar -tvzf out.tar.gz | grep -v ' 0/0 '"
missing() { # settings that had to stay and did not
    local heading='' line
    while IFS= read -r line; do
        case $line in "["*) heading=${line#[} heading=${heading%]} ;; *) echo "$heading|$line" ;; esac
    done <"$packed/uketsuke.conf" >"$work/there"
    grep -vxFf "$work/there" "$plain"
}
check "bundle: each of the $kept numbers and choices is still there" [ -z "$(missing)" ]
check "bundle: what was removed is said, key by key" [ "$(grep -c ' = (removed)$' "$packed/uketsuke.conf")" -ge "$marked" ]
check "bundle: the journal is JSON, an object a line; a line that is none is counted" journal 'map(type) | unique | join(" ")' object
check "bundle: ... three records and a count" journal '"\(length) \(.[3].unreadable)"' "4 1"
check "bundle: numbers and words of our tables stay in a record" journal '.[0] | [.UKETSUKE_VISIT, .UKETSUKE_FROM, (.UKETSUKE_EVENT | join("+")), .PRIORITY, ._SYSTEMD_UNIT] | join(" ")' "7 card step+card put down 6 uketsuke-desk.service"
check "bundle: systemd's records stay by their id" journal '"\(.[1].UNIT) \(.[2].MESSAGE_ID)"' "uketsuke-web.service d9b373ed55a64feb8242e02dbe79a49c"
check "bundle: doctor's lines are JSON with their state" quiet jq -e 'select(.component == "desk" and .state == "bad")' "$packed/doctor.json"
check "bundle: states of the units" [ "$(tr '\n' ' ' <"$packed/units")" = "Id=uketsuke-desk.service ActiveState=active NRestarts=3 " ]
check "bundle: which settings of a unit were changed" grep -qxF "# drop-in of uketsuke-desk.service" "$packed/unit-settings"
check "bundle: the metrics" [ "$(cat "$packed/metrics")" = "uketsuke_matcher_up 1" ]

# --- a configuration with an error is what help is asked for
sed -i 's/^pin-tries = .*/pin-tries = 99/; s/^threads = /fhreads = /; s/^\[log\]/[lag]/' "$conf"
check "bundle: with a wrong configuration too" quiet sh "$here/../packaging/bundle" out.tar.gz
check "bundle: it can be unpacked" tar -xzf out.tar.gz
check "bundle: no mark is in that one" no_marks
check "bundle: a wrong number, key and heading are named by their place" [ "$(grep -cE '^(pin-tries = \(removed\)|# line [0-9]+: \(removed.*)$' "$packed/uketsuke.conf")" -eq 4 ]
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
