#!/bin/bash
# secrets.sh BUILD BIN PORT: a desk serves patients whose secrets are known (PIN, one keyed in wrongly, 照合番号B, the twelve digits
# of the chip, the photo's bytes, the photo as it is decoded, the vector that the matcher makes of it, the film before the
# camera, the key of the database); then all of them are looked for: in
# every file of the run, in the memory of every process (secrets/search.c), in core files that were asked for, in the swap.
# While a secret is in use it must be found, and only in memory that is locked and left out of dumps.
# As root the desk runs as a user of its own and its memory is read; else that part is left out, and said so.
# shellcheck disable=SC2016 # what bash -c gets in single quotes is for that bash
set -u
build=$(realpath "$1") bin=$(realpath "$2") port=$3
here=$(realpath "$(dirname "$0")")
# shellcheck source=tests/verdicts.sh
. "$here/verdicts.sh"
rm -rf "$build/secrets"
work=$build/secrets desk=$build/secrets/desk
mkdir -p "$work/descriptions" "$work/core" "$work/planted"
launcher='' holder='' left_out=0
child() { pgrep -P "$launcher" -x "${1:0:15}"; } # the kernel knows fifteen letters of a name
stop() {
    [ -z "$holder" ] || kill -KILL "$holder"
    [ -z "$launcher" ] || {
        kill -CONT "$(child sim-reader)"
        kill -TERM "$launcher"
        wait "$launcher"
    }
    launcher='' holder=''
} 2>/dev/null
trap stop EXIT
trap 'exit 130' INT TERM
give_up() { # give_up WORDS: without this nothing else can be tried
    bad "$1"
    echo "$passed passed, $failed failed"
    exit 1
}

# --- who keys in what: a PIN of this run, for the chip and for the patient (tests/sim/README.md)
# Four digits are soon found somewhere: two such that no program and no library of it has, and that no process number and
# no second of the clock in the logs will be while this runs. A count of processes that starts anew meanwhile does not reach them.
in_no_program() {
    local mapped
    # Round numbers and ports are in files as they are.
    seq 4400 9899 | grep -v '00$' | awk -v port="$port" '$1 < port || $1 > port + 99' | sed 's/.*/n& digits &/' >"$work/digits"
    mapfile -t mapped < <(for program in "$bin"/uketsuke*; do realpath "$program"; ldd "$program" | grep -o '/[^ ]*' | xargs realpath; done | sort -u)
    "$bin/search-secrets" "$work/digits" files "${mapped[@]}" | sed -n 's/^found n\([0-9]*\) .*/\1/p' | sort -u >"$work/digits-taken"
    sed 's/.* //' "$work/digits" | comm -23 - "$work/digits-taken"
}
fresh() { # fresh SECOND PROCESS: of the digits on the input, those that neither will be
    awk -v second="$1" -v pid="$2" '!($1 >= second && $1 <= second + 900) && !($1 >= pid && $1 <= pid + 4000)'
}
in_no_program >"$work/digits-free"
found_always() { # a machine's clock and its count of processes may stand anywhere
    local second pid
    for second in 100 $(seq 3600 900 9900); do
        for pid in $(seq 300 800 33000); do
            [ "$(fresh "$second" "$pid" <"$work/digits-free" | wc -l)" -ge 2 ] || { echo "second $second, process $pid: no digits" && return 1; }
        done
    done
}
check "digits for two PINs are found whatever the clock and the count of processes" found_always
# Of the highest: few things last as many milliseconds or are as many.
{ read -r pin && read -r wrong; } < <(fresh "$(cut -d. -f1 /proc/uptime)" "$(cut -d' ' -f5 /proc/loadavg)" <"$work/digits-free" |
    tail -n 400 | shuf -n 2) || give_up "two PINs are chosen"
sed "s/^pin = .*/pin = $pin/" "$here/sim/cards/franck.card" >"$work/descriptions/franck.card"
"$here/sim/make-desk.sh" "$build" "$bin" "$desk" 1 "$port" descriptions="$work/descriptions" || give_up "a desk is made"
echo "value.jpki.0018 = $pin" >"$desk/card-state/franck.state"
mkdir "$desk/backups"
sed -i '/^state-directory/a backup-directory = backups\nbackup-hours = 744' "$desk/uketsuke.conf"
cat >"$work/visits" <<VISITS
family nobody nobody
family secrets the ordinary day
visit pin once wrong, then right
  ends pin eligible - asked=0
  place franck franck; see method; press choose_pin; see pin; type pin $wrong; see pin P001; type pin own; see consent; consent; see done; take; see idle
visit shown the printed side shown to the camera
  ends face eligible - asked=0
  place franck card-franck; see method; press show_card; see photo|face 85; device camera franck; see consent; consent; see done; take; see idle
VISITS
of_card() { sed -n "s/^$1 = //p" "$work/descriptions/franck.card"; }
photo=$build/sim/stills/$(of_card photo | tr ' ' _).jp2
number_b=$(awk -F'\t' '$1 == "franck" { print $7 }' "$build/sim/cards/index.tsv")
{
    echo "pin digits $pin"
    echo "pin-wrong digits $wrong"
    echo "pin-sent hex 0020008004$(printf %s "$pin" | od -An -tx1 | tr -d ' ')" # VERIFY, as the chip gets it
    echo "number-b text $number_b"
    echo "number-b-end text ${number_b:6}" # what shorter commands after it would leave of it in a buffer
    echo "my-number text $(of_card number)"
    echo "my-number-packed hex $(of_card number)"
    echo "photo parts $photo"
    "$bin/secrets-known" "$build/models" "$photo"
    echo "database-key hex $(od -An -v -tx1 "$desk/credentials/database.key" | tr -d ' \n')"
    find -L "$build/sim/videos/franck" "$build/sim/videos/card-franck" -name '*.jpg' | sed 's/^/film parts /'
    # Those that a visit begins with.
    find -L "$build/sim/videos/franck" "$build/sim/videos/card-franck" -maxdepth 1 -name 'frame_000[0-9]*.jpg' | sed 's/^/film-pixels pixels /'
} >"$work/patterns"
names=$(cut -d' ' -f1 "$work/patterns" | sort -u)
search() { "$bin/search-secrets" "$work/patterns" "$@"; }
search hold </dev/null >/dev/null || give_up "what is looked for is known"
echo "looked for: $(cut -d' ' -f1 "$work/patterns" | sort | uniq -c | awk '{ printf "%s (%d) ", $2, $1 }')"

# --- the search finds what is there
await() { # await FILE WORDS [COUNT]
    for _ in $(seq 200); do
        [ "$(grep -c "$2" "$1" 2>/dev/null)" -ge "${3:-1}" ] && return 0
        sleep 0.05
    done
    return 1
}
mkfifo "$work/fifo"
(cd "$work/core" && ulimit -c "$(ulimit -H -c)" && exec "$bin/search-secrets" "$work/patterns" hold <"$work/fifo" >"$work/held") &
holder=$!
exec 8>"$work/fifo"
await "$work/held" held
search memory "holder=$holder" >"$work/found-held"
found_are() { [ "$(sed -n 's/^found \([^ ]*\) .*/\1/p' "$1" | sort -u)" = "$2" ]; }
check "the search finds each of them in a process that holds them" found_are "$work/found-held" "$names"
printf 'at %s, %s\n' "$pin" "$number_b" >"$work/planted/a.log"
printf 'token %sc%sb%s\n' 0123456789ab "$wrong" cdef0123456789ab >"$work/planted/token" # chance
{ head -c 1048000 /dev/zero; cat "$photo"; } >"$work/planted/across" # two blocks of the search
search files "$work/planted" >"$work/found-planted"
check "the search finds them in files" found_are "$work/found-planted" $'number-b\nnumber-b-end\nphoto\npin'

# --- the desk; as root its programs are somebody else's, so that the kernel's own checks are tried too
as=() user=
if [ "$(id -u)" -eq 0 ]; then
    user=60321
    while getent passwd "$user" >/dev/null; do user=$((user + 1)); done
    as=(setpriv "--reuid=$user" "--regid=$user" --clear-groups)
    if "${as[@]}" test -x "$bin/uketsuked" -a -r "$build/sim/cards/index.tsv" -a -r "$build/models/manifest.ini"; then
        rm "$desk/pki" && cp -r "$build/sim/pki" "$desk/pki" # its keys are root's
        sed -i 's|\$BUILD/sim/pki/|$DESK/pki/|g' "$desk/plan"
        chown -R "$user" "$desk"
        ulimit -l unlimited 2>/dev/null || ulimit -l hard # as root is, and as the units allow
    else
        as=() user=
    fi
fi
cd "$desk" || exit 1 # a core file would lie here
ulimit -c unlimited 2>/dev/null
"${as[@]}" "$bin/sim-launcher" "$desk/plan" "$desk/log" "$desk/run/launcher.control" 2>"$desk/log/launcher.log" &
launcher=$!
guest() { "$bin/sim-guest" "$@" --desk "$desk"; }
guest visits "$work/visits" --family nobody >/dev/null # until every program is ready
programs=() small=()
for program in uketsuked uketsuke-broker uketsuke-reader uketsuke-matcher uketsuke-ocr uketsuke-relay uketsuke-web; do
    pid=$(child "$program")
    check "$program runs" [ -n "$pid" ]
    programs+=("$program=$pid")
    case $program in *-matcher | *-ocr) ;; *) small+=("$program=$pid") ;; esac
done
reads= # root, and not one of a container that may not
if [ "$(id -u)" -eq 0 ] && search memory "${programs[0]}" >/dev/null; then reads=yes; fi

# --- nobody's but the kernel's: what its own user may not read of a program that cannot be dumped
opens() { "${as[@]}" bash -c ': <"$1"' _ "/proc/$1/$2" 2>/dev/null; }
refused() { ! opens "$@"; }
owner() { stat -c %u "/proc/$1/environ"; }
for program in "${programs[@]}"; do
    pid=${program#*=} program=${program%=*}
    check "$program may leave no core file" [ "$(awk '/^Max core file size/ { print $5, $6 }' "/proc/$pid/limits")" = "0 0" ]
    if [ "$(id -u)" -eq 0 ] && [ -z "$user" ]; then
        left_out=$((left_out + 4))
        continue
    fi
    check "$program is nobody's to dump or trace" [ "$(owner "$pid")" -eq 0 ]
    for what in mem environ maps; do check "its user may not read the $what of $program" refused "$pid" "$what"; done
done
if [ -n "$user" ]; then
    check "what protects nothing is its user's" [ "$(owner "$launcher")" -eq "$user" ]
    check "and may be read by him" opens "$launcher" environ
fi

# --- while a secret is in use: the device is stopped meanwhile, so that it stays. What lay at the same place before
# anybody came is chance.
place='^found [^ ]+ in [^ ]+ memory at [^ ]+'
since() { # since FILE: what was found there at places where nothing lay before
    awk -v place="$place" 'match($0, place) { at = substr($0, 1, RLENGTH); if (NR == FNR) was[at]; else if (!(at in was)) print }' "$work/before" "$1"
}
elsewhere() { ! since "$2" | grep "^found $1 " | grep -v "$3 memory at .* locked,undumped "; }
lies_in() { since "$3" | grep -q "^found $1 in $2 .* locked,undumped "; }
in_use() { # in_use SECRET METHOD STATE
    local visit
    guest part "$3" --method "$2" --seconds 30 >"$work/part-$1" 2>&1
    check "a visit asks for the $1" grep -q "^visit .* $3\$" "$work/part-$1"
    kill -STOP "$(child sim-reader)"
    guest part finish --method "$2" --seconds 40 >"$work/rest-$1" 2>&1 &
    visit=$!
    if [ -n "$reads" ]; then
        grep "^$1 " "$work/patterns" >"$work/one"
        until=$((SECONDS + 30))
        while [ "$SECONDS" -lt "$until" ] && kill -0 "$visit" 2>/dev/null; do
            "$bin/search-secrets" "$work/one" memory "${programs[2]}" >"$work/use" && lies_in "$1" uketsuke-reader "$work/use" && break
            sleep 0.02
        done
        "$bin/search-secrets" "$work/one" memory "${small[@]}" >"$work/use-$1"
        check "the $1 is found in the reader while the card is asked" lies_in "$1" uketsuke-reader "$work/use-$1"
        check "and lies in locked memory of the reader alone, left out of dumps" elsewhere "$1" "$work/use-$1" uketsuke-reader
    else
        left_out=$((left_out + 2))
    fi
    kill -CONT "$(child sim-reader)"
    wait "$visit"
    check "the visit goes on to its end" grep -q '^visit .* eligible' "$work/rest-$1"
}
[ -z "$reads" ] || search memory "${programs[@]}" >"$work/before"
in_use pin pin pin
in_use number-b face number_b

# What the matcher makes of the photo, caught at work.
compared() {
    local visit matcher
    guest part number_b --method face --seconds 30 >"$work/part-embedding" 2>&1
    check "a visit asks for 照合番号B once more" grep -q '^visit .* number_b$' "$work/part-embedding"
    guest part finish --method face --seconds 40 >"$work/rest-embedding" 2>&1 &
    visit=$!
    if [ -n "$reads" ]; then
        grep '^embedding ' "$work/patterns" >"$work/one"
        matcher=$(child uketsuke-matcher)
        for _ in $(seq 200); do
            kill -STOP "$matcher"
            "$bin/search-secrets" "$work/one" memory "uketsuke-matcher=$matcher" >"$work/use" && lies_in embedding uketsuke-matcher "$work/use" && break
            kill -CONT "$matcher"
            sleep 0.02
        done
        "$bin/search-secrets" "$work/one" memory "${programs[@]}" >"$work/use-embedding"
        kill -CONT "$matcher"
        check "the embedding is found in the matcher while faces are compared" lies_in embedding uketsuke-matcher "$work/use-embedding"
        check "and lies in locked memory of the matcher alone, left out of dumps" elsewhere embedding "$work/use-embedding" uketsuke-matcher
    else
        left_out=$((left_out + 2))
    fi
    wait "$visit"
    check "the visit goes on to its end" grep -q '^visit .* eligible' "$work/rest-embedding"
}
compared

# --- the ordinary day
guest visits "$work/visits" --family secrets >"$work/visits.log"
check "patients are served" grep -q '^visits: 2 passed, 0 failed' "$work/visits.log"
backup() { "${as[@]}" env UKETSUKE_CONFIG="$desk/uketsuke.conf" "$bin/uketsuke" backup >>"$work/backup" 2>&1; }
backup
sleep 1.1 # they are named by the second
backup

# --- afterwards, memory, but for that chance
places() { sed -nE "s/($place) .*/\1/p; s/^found [^ ]+ in [^ ]+ \/.*/&/p" "$1" | sort; }
nowhere() { ! grep -E "^found $1 in $2 " "$3"; }
may_lie() { ! grep "^found $1 in $2 " "$3" | grep -v ' locked,undumped '; }
if [ -n "$reads" ]; then
    search memory "${programs[@]}" >"$work/after"
    tail -n 1 "$work/after"
    check "every readable page was read" bash -c '! grep "^unread" "$1"' _ "$work/after"
    comm -13 <(places "$work/before") <(places "$work/after") >"$work/stays"
    for program in "${programs[@]}"; do
        program=${program%=*}
        for name in $names; do
            case "$name $program" in
            # Pictures have any four bytes; these two are given no digits (and `pin-sent` is looked for).
            pin*\ *-matcher | pin*\ *-ocr) [ "$name" = pin-sent ] || continue ;;
            # The desk's own stays, where it may.
            "database-key uketsuked")
                check "the database's key lies in locked memory of the desk or nowhere" may_lie "$name" "$program" "$work/after"
                continue
                ;;
            esac
            check "$program holds no $name after the visits" nowhere "$name" "$program" "$work/stays"
        done
    done
else
    left_out=$((left_out + 1 + 7 * $(wc -w <<<"$names")))
fi

# --- the swap: what is locked cannot be there, of the rest nothing is
of_status() { awk -v key="$1:" '$1 == key { print $2 }' "/proc/$2/status"; }
for program in "${programs[@]}"; do
    check "${program%=*} has nothing in the swap" [ "$(of_status VmSwap "${program#*=}")" = 0 ]
    case $program in # those that keep room for secrets all day
    uketsuked=* | *-reader=* | *-matcher=*) check "${program%=*} has locked memory" [ "$(of_status VmLck "${program#*=}")" -gt 0 ] ;;
    esac
done

# --- files of the desk at work: its write-ahead log is not there when it is stopped
search files "$desk/state" "$desk/log" >"$work/files-at-work"
check "the write-ahead log is among what was searched" [ -s "$desk/state/uketsuke.db-wal" ]

# --- a core file is asked for, of each, and of a program that has nothing to hide
for program in "${programs[@]}"; do kill -ABRT "${program#*=}"; done
check "each program is aborted" await "$desk/log/launcher.log" 'ended (signal 6' 7
check "none is dumped" bash -c '! grep "core dumped" "$1"' _ "$desk/log/launcher.log"
check "no core file lies where they ran" [ -z "$(find "$desk" -name '*core*')" ]
kill -TERM "$launcher"
wait "$launcher"
launcher=
kill -ABRT "$holder"
wait "$holder" 2>/dev/null
exec 8>&-
holder=
core=$(find "$work/core" -type f | head -n 1)
if [ -n "$core" ]; then
    search files "$core" >"$work/found-core"
    check "of the other there is a core file, and they are found in it" found_are "$work/found-core" "$names"
else
    echo "left out: this host keeps no core file where a program ran ($(cat /proc/sys/kernel/core_pattern))"
    left_out=$((left_out + 1))
fi

# --- files: whatever the run left, but the chip's own memory and what is given to the programs
mapfile -t files < <(find "$desk" -type f -not -path "$desk/card-state/*" -not -path "$desk/credentials/*" -not -path "$desk/pki/*")
search files "${files[@]}" >"$work/files"
tail -n 1 "$work/files"
for what in log/desk.log log/reader-1.log log/launcher.log state/uketsuke.db .backup; do
    check "what was searched has $what" bash -c 'what=$1; shift; printf "%s\n" "$@" | grep -qF "$what"' _ "$what" "${files[@]}"
done
cat "$work/files-at-work" >>"$work/files"
# Any four bytes stand by chance in so many sealed ones, but not in both of two backups. (The desk made one before anybody came.)
has() { grep -qF "found $1 in file $desk/backups/$2 at " "$work/files"; }
mapfile -t backups <"$work/backup"
check "two backups of after the visits were searched" [ "${#backups[@]}" -eq 2 -a -s "backups/${backups[0]}" -a -s "backups/${backups[1]}" ]
grep -vE '^found pin(-wrong)? in file .*\.backup ' "$work/files" >"$work/files-told"
for name in pin pin-wrong; do
    ! { has "$name" "${backups[0]}" && has "$name" "${backups[1]}"; } || echo "found $name in file both backups" >>"$work/files-told"
done
for name in $names; do check "no file of the run has the $name" nowhere "$name" file "$work/files-told"; done
[ "$left_out" -eq 0 ] || echo "left out (not root, or no core files here): $left_out, not counted as passed"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
