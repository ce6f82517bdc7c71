#!/bin/bash
# upstreams.sh BUILD BIN PORT: the same day at two whole desks: one asks the Web API of the simulated service, the other the
# folders of the simulated 資格確認端末. By capability: by_numbers, reference_number and bulk (also of a list for tomorrow) come to the same at both, at
# the board and in the books of who was asked; face_files become visits where the kind has them; what a kind does not
# have is refused in plain words. A line a check, "N passed, N failed".
set -u
build=$1 bin=$2 port=$3
here=$(dirname "$0")
passed=0 failed=0
# shellcheck source=tests/sim/launcher.sh
. "$here/sim/launcher.sh"

check() { # check WORDS WANTED FOUND
    if [ "$2" = "$3" ]; then
        passed=$((passed + 1)) && echo "ok    $1"
    else
        failed=$((failed + 1)) && printf 'FAIL  %s: wanted "%s", found "%s"\n' "$1" "$2" "$3"
    fi
}
trap launcher_stop EXIT
trap 'exit 130' INT TERM

folders() { # folders DESK: [upstream main] becomes the terminal's folder, and a terminal stands there
    local desk=$1 people
    people=$(realpath "$here/sim/service/people")
    mkdir -p "$desk/oqs"
    awk '/^\[/ { skip = $0 == "[upstream main]" } !skip' "$desk/uketsuke.conf" >"$desk/conf.new"
    cat >>"$desk/conf.new" <<EOF

[upstream main]
kind = folders
folder = oqs
capabilities = by_numbers reference_number bulk face_files
taken-seconds = 5
poll-seconds = 1
EOF
    mv "$desk/conf.new" "$desk/uketsuke.conf"
    {
        sed '/^program/,$d' "$desk/plan"
        cat <<EOF
program terminal \$BIN/sim-terminal --folder \$DESK/oqs --people $people --accounts $people/../accounts.json --ledger \$DESK/log/terminal --control \$DESK/run/terminal.control
  ready file \$DESK/run/terminal.control
EOF
        sed -n '/^program/,$p' "$desk/plan"
    } >"$desk/plan.new"
    mv "$desk/plan.new" "$desk/plan"
    # Two receipt computers, one for each encoding.
    local encoding
    for encoding in utf-8 shift-jis; do
        mkdir -p "$desk/receipt-$encoding"
        printf '\n[output %s]\nkind = face-files\nfolder = receipt-%s\nencoding = %s\n' "$encoding" "$encoding" "$encoding" >>"$desk/uketsuke.conf"
        cat >>"$desk/plan" <<EOF
program handover-$encoding \$BIN/uketsuke-relay --config \$DESK/uketsuke.conf --instance $encoding
  listen handover seqpacket \$DESK/run/handover-$encoding.sock
  ready notify
EOF
    done
}

start() { # start KIND
    desk=$build/desk-$port-$1
    rm -rf "$desk"
    "$here/sim/make-desk.sh" "$build" "$bin" "$desk" 1 "$port" || exit 1
    desk=$(realpath "$desk")
    sed -i 's/^capabilities = .*/capabilities = by_numbers reference_number bulk/; s/^\[desk\]$/&\nask-seconds = 12\nreference-bulk = 2\nprecheck-bulk = 4/' "$desk/uketsuke.conf"
    [ "$1" = web-api ] || folders "$desk"
    launcher_start "$desk"
    launcher_ready "$desk"
    check "$1: the desk comes up" 0 $?
    # What is changed bears a name.
    curl -s -o /dev/null -c "$desk/cookies" -H "Origin: http://127.0.0.1:$port" -H 'X-Uketsuke: board' -H 'Content-Type: application/json' \
        -d "{\"token\":\"$(cat "$desk/tokens/staff")\",\"name\":\"受付\"}" "http://127.0.0.1:$port/api/session"
}

ask() { # ask PATH [JSON]
    curl -s -b "$desk/cookies" -H "Origin: http://127.0.0.1:$port" -H 'X-Uketsuke: board' -H 'Content-Type: application/json' \
        ${2:+-d "$2"} "http://127.0.0.1:$port$1"
}
until_it() { # until_it COMMAND...: at most half a minute
    local i
    for ((i = 0; i < 150; i++)); do "$@" && return 0; sleep 0.2; done
    return 1
}

# The visit of a look-up of these people's certificate, once it is decided: "outcome code validity name".
visit=''
decided() { ask "/api/visits/$visit" >"$desk/visit" && jq -e '.outcome != "open"' "$desk/visit" >/dev/null; }
look_up() { # look_up INSURER SYMBOL NUMBER BRANCH BIRTH
    visit=$(ask /api/lookup "$(jq -nc --arg i "$1" --arg s "$2" --arg n "$3" --arg b "$4" --arg d "$5" \
        '{insurer: $i, symbol: $s, number: $n, branch: $b, birth: $d}')" | jq -r .visit)
    until_it decided
    result=$(jq -r '"\(.outcome) \(.failure.code // "-") \(.validity | if . == "" then "-" else . end) \(.name | if . == "" then "-" else . end)"' "$desk/visit")
}
upstream() { # upstream COMMAND...: to who is asked
    case $kind in
    web-api) "$bin/sim-service" --send "$desk/run/service.control" "$@" ;;
    folders) "$bin/sim-service" --send "$desk/run/terminal.control" "$@" ;;
    esac >/dev/null
}
asked() { # asked PATH FAMILY: so many requests of a kind in the books of who was asked
    if [ "$kind" = web-api ]; then grep -c "/$1\"" "$desk/log/ledger.jsonl"; else grep -c "^$2 " "$desk/log/terminal"; fi
}
handed() { # handed VISIT: its number has arrived upstream
    [ "$(ask "/api/visits/$1/outbox" | jq -r '.entries[] | select(.target == "main") | .state')" = "done" ]
}
number() { ask "/api/visits/$1/patient" "{\"number\":\"$2\",\"same\":true}" | jq -r .accepted; }

by_numbers() {
    local name wanted insurer symbol number branch birth
    while read -r name insurer symbol number branch birth wanted; do
        look_up "$insurer" "${symbol#-}" "$number" "${branch#-}" "$birth"
        check "$kind: by_numbers: $name" "$wanted" "$result"
        printf -v "visit_${name//-/_}" %s "$visit"
    done <<EOF
shikaku 00990010 試験 2001 01 19640229 eligible - 1 架空　三郎
hanako 99000010 9901 4567 02 19540707 eligible - 1 架●　花子
kouki 39990015 - 12345678 - 19400103 eligible - 1 見本　花子
notice 99000010 見本 7001 01 19770101 eligible E011 1 架空　九郎
saburo 99000010 見本 1003 01 19680720 eligible - 1 見本　三郎
welfare 12990016 - 1234566 - 19580512 eligible E012 6 架空　七郎
lost 99000010 見本 3001 01 19900110 not_eligible E007 2 架空　四郎
lost-new 00990010 試験 1001 01 19710203 not_eligible E008 3 見本　次郎
nobody 99000010 見本 4001 01 19790909 not_eligible E009 4 -
twins 99000010 見本 6001 - 20100710 unknown E010 5 -
EOF
    look_up 00990010 試験 2001 01 19640229
    check "$kind: by_numbers: the same again is answered from the cache" "eligible - 1 架空　三郎 true" "$result $(jq '.flags | index("cached") != null' "$desk/visit")"
    upstream error processing X1 wrong
    look_up 99000010 見本 9001 01 19790909
    check "$kind: by_numbers: an error of its processing" "unknown E006 - -" "$result"
    upstream normal
    upstream error segment OQC-OWSE0900000 wrong
    look_up 99000010 見本 9001 01 19790909
    check "$kind: by_numbers: an error of the whole request" "unknown E005 - -" "$result"
    upstream normal
}

reference_number() {
    # shellcheck disable=SC2154 # printf -v above
    check "$kind: reference_number: staff say who it is" true "$(number "$visit_shikaku" PT-7001)"
    until_it handed "$visit_shikaku"
    check "$kind: reference_number: it is registered, once" "0 1" "$? $(asked reference_number OQSsiimm01)"
    # In an outage it waits, and goes when the service is back.
    upstream down
    look_up 99000010 見本 9002 01 19790909
    check "$kind: an outage is said" "unknown E001 - -" "$result"
    look_up 99000010 9901 4567 02 19540707
    check "$kind: who was answered today is answered in it" "eligible - 1 架●　花子" "$result"
}

bulk() {
    local before
    # shellcheck disable=SC2154
    check "$kind: bulk: two more, while nobody can be asked" "true true" "$(number "$visit_kouki" PT-7002) $(number "$visit_saburo" PT-7003)"
    sleep 1
    check "$kind: bulk: nothing was sent" "1 0" "$(asked reference_number OQSsiimm01) $(asked reference_bulk OQSmuimm01)"
    before=$SECONDS
    upstream up
    # shellcheck disable=SC2154
    until_it handed "$visit_kouki" && until_it handed "$visit_saburo"
    check "$kind: bulk: both are registered in one" "0 1 1" "$? $(asked reference_number OQSsiimm01) $(asked reference_bulk OQSmuimm01)"
    echo "      $((SECONDS - before)) s after the service was back"
    look_up 99000010 見本 9002 01 19790909
    check "$kind: the outage is over" "not_eligible E009 4 -" "$result"
}

# The same people as a list for tomorrow: ten rows, four in a question. A list's questions bear names that begin with P.
alone() {
    if [ "$kind" = web-api ]; then grep '/search"' "$desk/log/ledger.jsonl" | grep -c '"request_id":"P'; else grep -c '^OQSsiquc01 [^ ]* P' "$desk/log/terminal"; fi
}
prechecked() {
    local bulk status
    bulk=$(asked bulk OQSmuquc01)
    cat >"$desk/list.csv" <<EOF
患者番号,氏名,保険者番号,記号,番号,枝番,生年月日
,架空　三郎,00990010,試験,2001,01,昭和39年2月29日
,架空　花子,99000010,9901,4567,02,19540707
,見本　花子,39990015,,12345678,,19400103
,架空　九郎,99000010,見本,7001,01,19770101
,見本　三郎,99000010,見本,1003,01,19680720
,架空　七郎,12990016,,1234566,,19580512
,架空　四郎,99000010,見本,3001,01,19900110
,見本　次郎,00990010,試験,1001,01,19710203
,誰か,99000010,見本,4001,01,19790909
,双子,99000010,見本,6001,,20100710
EOF
    "$bin/uketsuke" --config "$desk/uketsuke.conf" precheck "$desk/list.csv" --date tomorrow >"$desk/said" 2>&1
    status=$?
    check "$kind: bulk: a list for tomorrow, four rows a question, none by itself" "1 3 0" \
        "$status $(($(asked bulk OQSmuquc01) - bulk)) $(alone)"
    check "$kind: bulk: each row has its own end, and the day" \
        "2 valid|3 valid|4 valid|5 valid|6 valid|7 valid|8 invalid|9 invalid|10 invalid|11 unknown|10" \
        "$(tail -n +2 "$desk/list.csv.report.csv" | sort -t'"' -k2n | sed 's/^"\([0-9]*\)","[^"]*","[^"]*","\([a-z]*\)".*/\1 \2/' | tr '\n' '|')$(
            grep -c "\"$(TZ=Asia/Tokyo date -d tomorrow +%Y%m%d)\"" "$desk/list.csv.report.csv")"
}

doubtful() { [ "$(ask "/api/visits/$1/outbox" | jq -r '.entries[] | select(.target == "main") | .state')" = "doubtful" ]; }
doubt() {
    # It arrives, and nobody hears that it did: shown as doubtful, and no later visit of the same patient sends it again.
    if [ "$kind" = web-api ]; then upstream lost /reference_number; else upstream lost; fi
    # shellcheck disable=SC2154
    check "$kind: doubt: a number on its way" true "$(number "$visit_notice" PT-7004)"
    until_it doubtful "$visit_notice"
    check "$kind: doubt: it is shown as doubtful" "0 2" "$? $(asked reference_number OQSsiimm01)"
    upstream normal
    look_up 99000010 見本 7001 01 19770101
    sleep 3
    check "$kind: doubt: it is known who that is" PT-7004 "$(ask "/api/visits/$visit" | jq -r .patient)"
    check "$kind: doubt: the same patient again, and nothing is sent" "eligible E011 1 架空　九郎 2" "$result $(asked reference_number OQSsiimm01)"
}

terminal_visit() { ask /api/visits | jq -e '.visits[] | select(.method == "terminal")' >"$desk/told"; }
face_files() {
    if [ "$kind" = folders ]; then
        upstream face hanako "9910000017c_$(date +%Y%m%d)091502"
        until_it terminal_visit
        check "$kind: face_files: what the terminal read is a visit on the board" "eligible 架●　花子" "$(jq -r '"\(.outcome) \(.name)"' "$desk/told")"
        cp "$desk"/oqs/face/*_face_9910000017c_*.xml "$desk/oqs/face/OQSsiquc01res_face_copy.xml"
        sleep 2
        terminal_visit
        check "$kind: face_files: the same under another name is no other visit" 1 "$(jq -s length "$desk/told")"
    else
        refused face_files
    fi
}
# Every combination of CD003, CD004, CD006 and CD016 as the file of a terminal, twice under different names, some of them
# half written at first. What is an answer (by jq, from the sample's own JSON) goes to both receipt computers once: of a
# card session (CD002 1) to that of its own encoding byte for byte, else written anew. What is none goes nowhere.
samples() {
    local dir=$desk/samples before tomorrow encoding name n=0 files answers raw
    before=$(terminal_visits)
    files=$(in_folder utf-8 | wc -l)
    tomorrow=$(date -d tomorrow +%Y%m%d)
    "$bin/sim-samples" "$dir" >/dev/null
    rm -f "$dir"/[!S]*
    sed -i "s/20261006091455/${tomorrow}091455/" "$dir"/*.xml # a consent that is over is no longer handed over as it came
    jq -r '.XmlMsg | .MessageHeader as $header | select($header.SegmentOfResult == "1") | .MessageBody |
        select(.ProcessingResultStatus == "1") |
        select((.QualificationValidity | IN("2", "3", "4")) or (.ResultList | length) == 1 and (.QualificationValidity | IN("1", "6"))) |
        $header.ReferenceClassification + " " + (input_filename | sub("json$"; "xml"))' "$dir"/*.json >"$dir/answers"
    answers=$(wc -l <"$dir/answers")
    raw=$(grep -c '^1' "$dir/answers")
    check "$kind: samples: some are answers, and some of these go as they are" yes \
        "$([ "$answers" -ge 24 ] && [ "$answers" -lt 72 ] && [ "$raw" -ge 12 ] && [ "$raw" -lt "$answers" ] && echo yes || echo "$answers $raw")"
    for name in "$dir"/*.xml; do
        n=$((n + 1))
        name=${name##*/}
        head -c $((n % 7 == 0 ? 400 : 100000)) "$dir/$name" >"$desk/oqs/face/OQSsiquc01res_face_$name"
    done
    sleep 1
    for name in "$dir"/*.xml; do
        name=${name##*/}
        cp "$dir/$name" "$desk/oqs/face/OQSsiquc01res_face_$name" # the same bytes again, or the rest of them
        cp "$dir/$name" "$desk/oqs/face/OQSsiquc01res_face_again_$name"
    done
    for encoding in utf-8 shift-jis; do
        sed -n "s/^1 \(.*-$encoding.xml\)\$/\1/p" "$dir/answers" | xargs sha256sum | cut -d' ' -f1 | sort >"$dir/wanted-$encoding"
        until_it handed_all "$encoding" "$dir" $((files + answers))
        sleep 1
        handed_all "$encoding" "$dir" $((files + answers))
        check "$kind: samples, $encoding: every answer goes there once, each of a card session byte for byte, and nothing else" "0 0" \
            "$? $(strangers "$encoding" "$dir")"
    done
    check "$kind: samples: each is one visit" 288 "$(($(terminal_visits) - before))"
}
terminal_visits() { sqlite3 "$desk/state/uketsuke.db" "SELECT count(*) FROM audit WHERE event = 'terminal_visit'"; }
in_folder() { sha256sum "$desk/receipt-$1"/OQS*.xml | cut -d' ' -f1 | sort; } # of what terminals told and what was asked
handed_all() { # handed_all ENCODING SAMPLES FILES
    [ "$(in_folder "$1" | wc -l)" -eq "$3" ] && [ -z "$(comm -23 "$2/wanted-$1" <(in_folder "$1"))" ]
}
strangers() { # what came as it lies there, and should not have; or twice
    local here="$2/here"
    in_folder "$1" >"$here"
    { comm -12 <(sha256sum "$2"/*.xml | cut -d' ' -f1 | sort | comm -23 - "$2/wanted-$1") "$here"; uniq -d "$here" | comm -12 - "$2/wanted-$1"; } | wc -l
}
refused() { # refused CAPABILITY: the relay does not begin with it, and says why
    local words
    sed "s/^capabilities = .*/capabilities = by_numbers $1/" "$desk/uketsuke.conf" >"$desk/refused.conf"
    words=$("$bin/uketsuke-relay" --config "$desk/refused.conf" --instance main --try-cage 2>&1)
    check "$kind: $1 is refused in plain words" "1 yes" \
        "$? $(grep -q "capabilities: $1: この種類の照会先にはありません / not something that this kind of upstream can do; 次から選びます / choose from by_numbers " <<<"$words" && echo yes || echo "$words")"
}

for kind in web-api folders; do
    start "$kind"
    by_numbers
    reference_number
    bulk
    prechecked
    doubt
    face_files
    [ "$kind" = web-api ] || samples
    [ "$kind" = web-api ] || for capability in card_session register consents; do refused "$capability"; done
    launcher_stop
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
