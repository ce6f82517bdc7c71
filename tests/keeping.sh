#!/bin/bash
# keeping.sh BUILD BIN PORT: the database of a whole desk is looked after as its administrator would: backup, audit log,
# new keys, restore, each by the command as printed in uketsuke(1), while patients are served or the desk is stopped.
# shellcheck disable=SC2016 # what bash -c gets in single quotes is for that bash
set -u
build=$1 bin=$2 port=$3
here=$(dirname "$0")
desk=$build/desk-$port
rm -rf "$desk"
"$here/sim/make-desk.sh" "$build" "$bin" "$desk" 1 "$port" card-back=10 || exit 1
desk=$(realpath "$desk")
mkdir -p "$desk/backups" # relative paths of the configuration begin where it stands
sed -i '/^state-directory/a backup-directory = backups\nbackup-hours = 744' "$desk/uketsuke.conf"
database=$desk/state/uketsuke.db
export UKETSUKE_CONFIG=$desk/uketsuke.conf
launcher=
# shellcheck source=tests/verdicts.sh
. "$here/verdicts.sh"
# shellcheck source=tests/sim/launcher.sh
. "$here/sim/launcher.sh"
start() {
    "$bin/sim-launcher" "$desk/plan" "$desk/log" "$desk/run/launcher.control" 2>>"$desk/log/launcher.log" &
    launcher=$!
    launcher_ready "$desk"
}
stop() {
    [ -n "$launcher" ] || return 0
    kill -TERM "$launcher"
    wait "$launcher"
    launcher=
}
trap stop EXIT
quiet() { "$@" >/dev/null; }
guest() { "$bin/sim-guest" visits "$here/sim/visits/reception.txt" --family first --desk "$desk" >"$desk/log/guest.log"; }
run() { # run COMMAND...: its output in $said
    said=$("$@" 2>&1)
}
says() { grep -qF -- "$1" <<<"$said" || { echo "      it says: $said"; return 1; }; }
generation() { sqlite3 "$database" "SELECT DISTINCT hex(substr(payload, 1, 1)) FROM visits WHERE payload IS NOT NULL"; }
visits() { sqlite3 "$database" 'SELECT count(*) FROM visits'; }

check "the desk starts" start
# --- watch: a page on a terminal, lines elsewhere
mkfifo "$desk/keys"
exec 9<>"$desk/keys"
page() { # page NAME COMMAND: on a terminal of its own, whose keys come from descriptor 9
    script -qefc "$2" "$desk/log/$1" <&9 >/dev/null 2>&1 &
    page=$!
}
in_time() { # in_time COMMAND...: soon, or on a busy machine later
    for _ in $(seq 300); do
        "$@" && return 0
        sleep 0.1
    done
    return 1
}
"$bin/uketsuke" watch >"$desk/log/lines" 2>&1 &
lines=$!
page page "$bin/uketsuke watch"
check "visits are served" guest
served_by() { grep -aqE 'ok +upstream service: ' "$desk/log/page"; }
in_time served_by # the page asks every ten seconds, at first perhaps before the relay has had an answer
printf q >&9
wait "$page"
check "watch: q ends it, status 0" [ $? -eq 0 ]
kill "$lines"
wait "$lines" 2>/dev/null
row() { tr '\r' '\n' <"$desk/log/page" | sed 's/\x1b\[[0-9;?]*[A-Za-z]//g' | grep -aoE "^1 +[^ ]+ +$1 "; }
check "watch: it says which state the lane is in when nobody is there" quiet row idle
states() { row '[a-z_]+' | awk '{print $3}' | sort -u | wc -l; }
check "watch: the lane's row changed with the visits ($(states) states)" [ "$(states)" -ge 4 ]
check "watch: what happened stands below, with its outcome" quiet grep -aqE 'visit [0-9]+ +eligible +pin' "$desk/log/page"
check "watch: how the programs and the service are" served_by
home=$(printf '\033[H')
check "watch: it is drawn in place" [ "$(grep -aoF "$home" "$desk/log/page" | wc -l)" -ge 10 ]
check "watch: the terminal gets its own screen back" quiet grep -aqF "$(printf '\033[?1049l')" "$desk/log/page"
check "watch: without a terminal there are lines" quiet grep -qE '^[0-9:]{8}  lane 1 ' "$desk/log/lines"
no_escapes() { ! grep -qaF "$(printf '\033')" "$1"; }
check "watch: ... and nothing that steers a terminal" no_escapes "$desk/log/lines"
page small "stty rows 6 cols 20; $bin/uketsuke watch"
in_time grep -qsaF "$home" "$desk/log/small"
sleep 2
printf '\003' >&9
wait "$page"
check "watch: control-C ends it, status 0" [ $? -eq 0 ]
highest() { # of the pages drawn, the one with most lines
    awk -v RS='\033\\[H' 'NR > 1 {sub(/\033\[\?25h.*/, ""); n = gsub(/\n/, "&") + 1; if (n > most) most = n} END {print most + 0}' "$desk/log/small"
}
check "watch: a small window is not left ($(highest) lines of 6)" [ "$(highest)" -le 6 -a "$(highest)" -ge 4 ]
page again "$bin/uketsuke watch"
in_time grep -qsa 'q: 終わる' "$desk/log/again"
stop
in_time grep -qa 'the desk is not running' "$desk/log/again"
came_back() { sed -n '/the desk is not running/,$p' "$desk/log/again" | grep -aq 'q: 終わる'; }
check "watch: the desk starts again" start
in_time came_back
printf q >&9
wait "$page"
check "watch: a desk that went was waited for, status 0" [ $? -eq 0 ]
check "watch: ... which was said, and then the page went on" came_back
page plain "$bin/uketsuke watch --lines"
in_time grep -qsaE '^[0-9:]{8}  lane 1 ' "$desk/log/plain"
kill "$page"
wait "$page" 2>/dev/null
exec 9>&-
check "watch: --lines on a terminal too" quiet grep -aqE '^[0-9:]{8}  lane 1 ' "$desk/log/plain"
check "watch: ... and nothing that steers it" no_escapes "$desk/log/plain"
served=$(visits)
check "there are visits to be looked after" [ "$served" -ge 8 ]

# --- the audit log
run "$bin/uketsuke" audit verify
check "audit verify: status 0" [ $? -eq 0 ]
check "audit verify: counts the rows" says "the chain is whole"
anchor=$("$bin/uketsuke" audit anchor)
check "an anchor is a row and its hash" grep -qE '^[0-9]+:[0-9a-f]{16}:[0-9a-f]{16}$' <<<"$anchor"
check "the log fits its anchor" quiet "$bin/uketsuke" audit verify "$anchor"
# Without && or || for a reason: the status is what is looked at.
run "$bin/uketsuke" audit verify "${anchor%:*}:0000000000000000"
check "a foreign anchor: status 1" [ $? -eq 1 ]
check "a foreign anchor: the row is named" says "does not fit"
check "who asked stands in the log" [ "$(sqlite3 "$database" "SELECT count(*) FROM audit WHERE event = 'audit_verified'")" -eq 3 ]

# --- who saw what
token=$(cat "$desk/tokens/staff")
for _ in 1 2 3; do
    quiet curl -sf -H "Authorization: Bearer $token" "http://127.0.0.1:$port/api/visits"
done
quiet "$bin/uketsuke" --staff 監査係 visits
run "$bin/uketsuke" --staff 監査係 audit list --limit 12
check "audit list: a list that a program asked for three times stands in it once" \
    [ "$(grep -cE "visits_viewed .*\(token\) +board rows=$served visits=1-$(visits)" <<<"$said")" -eq 1 ]
check "audit list: what the command showed, and to whom" \
    grep -qE "visits_viewed .*監査係 +command rows=$served visits=1-" <<<"$said"
check "audit list: who reads it stands in it" grep -qE "audit_viewed .*監査係 +command" <<<"$said"
check "audit list: no patient does" bash -c '! grep -qE "見本|例示|試験|架空" <<<"$1"' - "$said"
check "the chain holds with them" quiet "$bin/uketsuke" audit verify

# --- a backup while the desk works
run "$bin/uketsuke" backup
check "backup: status 0" [ $? -eq 0 ]
backup=$desk/backups/$(sed -n 's/.*\(uketsuke-[0-9]*-[0-9]*\.backup\).*/\1/p' <<<"$said")
check "backup: its name is printed" [ -s "$backup" ]
run "$bin/uketsuke" doctor
check "backup: doctor knows how old it is" says "良 ok    backups: 最後は 0 時間前"
counted() { curl -s "http://127.0.0.1:$port/metrics" | awk -v least="$(($(date +%s) - 600))" '$1 == "uketsuke_backup_last_timestamp_seconds" && $2 >= least {n++} $0 == "uketsuke_backup_failures_total 0" {n++} END {exit n != 2}'; }
check "backup: the metrics too" counted
check "backup: nothing of SQLite's format is readable in it" bash -c '! grep -qa "SQLite format\|CREATE TABLE" "$1"' _ "$backup"
cp "$desk/credentials/database.key" "$desk/key-of-that-day"
run "$bin/uketsuke" restore "$backup" --check --key "$desk/key-of-that-day"
check "restore --check: status 0" [ $? -eq 0 ]
check "restore --check: says how much is in it" says "audit rows"
run "$bin/uketsuke" restore "$backup" --key "$desk/key-of-that-day"
check "restore is refused while the desk runs" says "stop it first"

# --- a new key for the data
check "the data are sealed under the first key" [ "$(generation)" = 01 ]
run "$bin/uketsuke" key rotate
check "key rotate: status 0" [ $? -eq 0 ]
check "key rotate: every visit is sealed anew" [ "$(generation)" = 02 ]
check "key rotate: the board still reads them" bash -c '"$1" --json visits | grep -q "\"name\":\"[^\"]"' _ "$bin/uketsuke"

# --- killed in the middle of a rotation, with a new master key beside the old one
"$bin/uketsuke" key rotate >/dev/null 2>&1 &
rotation=$!
kill -9 "$(pgrep -P "$launcher" -x uketsuked)"
wait "$rotation"
stop
openssl rand 32 >"$desk/credentials/database.key.next"
check "the desk starts with a new master key beside the old one" start
for _ in $(seq 100); do
    [ "$(sqlite3 "$database" "SELECT count(*) FROM audit WHERE event = 'master_key'")" -eq 1 ] && break
    sleep 0.1
done
check "the new master key has taken over, and the log says so" [ "$(sqlite3 "$database" "SELECT count(*) FROM audit WHERE event = 'master_key'")" -eq 1 ]
stop
check "stopped before the files are moved, the desk starts all the same" start
stop
mv "$desk/credentials/database.key.next" "$desk/credentials/database.key"
check "the desk starts with the new master key alone" start
check "no visit was lost" [ "$(visits)" -eq "$served" ]
rotated() { [ "$(generation)" = 02 ] || [ "$(generation)" = 03 ]; }
for _ in $(seq 100); do
    rotated && break
    sleep 0.1
done
check "the rotation has ended or never begun: one generation only" rotated
check "the audit log is whole" quiet "$bin/uketsuke" audit verify
check "and still fits the anchor taken before" quiet "$bin/uketsuke" audit verify "$anchor"

# --- going back
stop
cp "$desk/credentials/database.key" "$desk/key-of-today"
run "$bin/uketsuke" restore "$backup" --key "$desk/key-of-today"
check "a backup of another key is refused, in words" says "database.key of its day"
head -c 5000 "$backup" >"$desk/backups/cut.backup"
run "$bin/uketsuke" restore "$desk/backups/cut.backup" --key "$desk/key-of-that-day"
check "a file cut short is refused, in words" says "use another generation"
printf 'no database any more' | dd of="$database" conv=notrunc status=none
rm -f "$database-wal" "$database-shm"
run "$bin/uketsuke" restore "$backup" --key "$desk/key-of-that-day"
check "restore over a damaged database: status 0" [ $? -eq 0 ]
check "what stood there is kept" bash -c 'ls "$1".before-restore-* >/dev/null' _ "$database"
cp "$desk/key-of-that-day" "$desk/credentials/database.key"
check "the desk starts on the restored database" start
check "every visit is there again" [ "$(visits)" -eq "$served" ]
check "its audit log is whole" quiet "$bin/uketsuke" audit verify
# (The guest itself misses questions in the ledger here: today's answers came back with the backup.)
outcomes() { sqlite3 "$database" "SELECT group_concat(outcome) FROM (SELECT outcome FROM visits WHERE id > $1 ORDER BY id LIMIT $served)"; }
guest
check "patients are served again, each visit with its outcome" [ "$(outcomes "$served")" = "$(outcomes 0)" ]
stop

# --- another configuration while a patient is there
check "the desk starts once more" start
"$bin/sim-guest" part consent --method pin --seconds 120 --desk "$desk" >"$desk/log/begun" 2>&1
check "a visit is under way" grep -q '^visit' "$desk/log/begun"
id=$(awk '$1 == "visit" {print $2}' "$desk/log/begun")
cp "$desk/uketsuke.conf" "$desk/good.conf"
sed -i '/^state-directory/a fase-seconds = 30' "$desk/uketsuke.conf"
run "$bin/uketsuke" reload
check "reload: an unknown key is refused with its line" says "did you mean: face-seconds"
sed 's/^again-seconds.*/&\nroutes = nonsense/' "$desk/good.conf" >"$desk/uketsuke.conf"
run "$bin/uketsuke" reload
check "reload: a word that means nothing is refused with its line" says ": routes: nonsense: "
sed '/^search-url/d; s/^face-seconds.*/face-seconds = 31/' "$desk/good.conf" >"$desk/uketsuke.conf"
run "$bin/uketsuke" reload
check "reload: what another program lacks is refused, status 1" [ $? -eq 1 ]
check "reload: with its section" says "search-url: ありません / is missing"
check "reload: and nothing was changed" says "nothing was changed"
sed 's/^face-seconds.*/face-seconds = 31/; s/^listen = .*/&\nidle-minutes = 20/' "$desk/good.conf" >"$desk/uketsuke.conf"
run "$bin/uketsuke" reload
check "reload: status 0" [ $? -eq 0 ]
check "reload: what can change at once is taken" says "[desk] face-seconds: すぐに有効"
check "reload: what cannot is named with its unit" says "needs a restart of: uketsuke-web.service"
run "$bin/uketsuke" reload
check "reload: a second time nothing new is taken" says "0 taken, 1 after a restart"
check "reload: who asked stands in the audit log" [ "$(sqlite3 "$database" "SELECT count(*) FROM audit WHERE event = 'configuration'")" -eq 2 ]
desk_pid=$(pgrep -P "$launcher" -x uketsuked)
kill -HUP "$desk_pid"
"$bin/sim-guest" part finish --method pin --seconds 120 --desk "$desk" >"$desk/log/ended" 2>&1
check "the visit goes on to its end" grep -q "^visit $id eligible" "$desk/log/ended"
check "by the same desk" [ "$(pgrep -P "$launcher" -x uketsuked)" = "$desk_pid" ]
stop

no_names() { ! grep -rqaE '見本|例示|架空' "$desk/state" "$desk/backups"; }
check "no patient's name lies in database, copies or backups in the clear" no_names
no_sanitizer() { ! grep -laE 'Sanitizer|runtime error' "$desk"/log/*.log; }
check "no sanitizer had a word to say" no_sanitizer
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
