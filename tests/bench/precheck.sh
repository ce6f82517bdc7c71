#!/bin/bash
# precheck.sh BUILD BIN ROWS PORT [bulk]: a list of ROWS appointments is asked about at a desk with the simulated service,
# one by one or in bulk, killed by kill -9 in the middle and taken up again, while look-ups at the board go on beside it; what
# make bench prints of it. The command rests a tenth of a second between two questions, for the counter: one by one that is
# most of its time, and said so.
set -u
build=$1 bin=$2 rows=$3 port=$4 how=${5:-}
here=$(dirname "$0")
desk=$build/desk-precheck
# shellcheck source=tests/sim/launcher.sh
. "$here/../sim/launcher.sh"
command=''
stop() {
    [ -z "$command" ] || kill -KILL "$command" 2>/dev/null
    launcher_stop
    command=''
}
trap stop EXIT
trap 'exit 130' INT TERM
rm -rf "$desk"
"$here/../sim/make-desk.sh" "$build" "$bin" "$desk" 1 "$port" || exit 1
desk=$(realpath "$desk")
[ -z "$how" ] || sed -i 's/^capabilities = by_numbers/& bulk/' "$desk/uketsuke.conf"
launcher_start "$desk"
launcher_ready "$desk" || exit 1

# Everybody whom the service knows by numbers, again and again.
list=$desk/list.csv
echo '患者番号,氏名,生年月日,保険者番号,記号,番号,枝番' >"$list"
jq -r '.results[0] | select(.InsurerNumber != null and .InsuredIdentificationNumber != null and .Birthdate != null) |
    ["", .Name, .Birthdate, .InsurerNumber, .InsuredCardSymbol // "", .InsuredIdentificationNumber, .InsuredBranchNumber // ""] | @csv' \
    "$here"/../sim/service/people/*.json >"$desk/known"
known=$(wc -l <"$desk/known")
for ((i = 0; i * known < rows; i++)); do cat "$desk/known"; done | head -n "$rows" >>"$list"

# Look-ups beside it, one a second: what a patient at the counter notices.
who=$(jq -c '.results[0] | {insurer: .InsurerNumber, symbol: .InsuredCardSymbol, number: .InsuredIdentificationNumber,
    branch: .InsuredBranchNumber, birth: .Birthdate}' "$here/../sim/service/people/franck.json" | tr -d '{}')
lines() { if [ -f "$desk/report.csv" ]; then wc -l <"$desk/report.csv"; else echo 0; fi; }
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
uketsuked=$(pgrep -n -f -x ".*/uketsuked --config $desk/uketsuke.conf")
before=$(rss "$uketsuked")
run=("$bin/uketsuke" --config "$desk/uketsuke.conf" precheck "$list" --output "$desk/report.csv")
began=$(date +%s%N)
"${run[@]}" >"$desk/said" 2>"$desk/words" & # itself, no shell around it: that is what is killed
command=$!
"$bin/bench_lookups" "$port" "$desk/tokens/staff" 100000 1000 0 "$who" >"$desk/beside" &
beside=$!
# In the middle the power goes, as far as the command is concerned.
while kill -0 "$command" 2>/dev/null && [ "$(lines)" -lt $((rows / 2)) ]; do sleep 0.5; done
kill -KILL "$command" 2>/dev/null
wait "$command" 2>/dev/null
command=''
"${run[@]}" >"$desk/said" 2>"$desk/words"
status=$?
ended=$(date +%s%N)
kill "$beside" 2>/dev/null
wait "$beside" 2>/dev/null
answered=$(($(wc -l <"$desk/report.csv") - 1))
awk -v how="${how:+ in bulk}" -v ms=$(((ended - began) / 1000000)) -v rows="$rows" -v before="$before" -v after="$(rss "$uketsuked")" 'BEGIN {
    printf "  %-46s %12.1f s     (once; %.0f ms a row%s)\n", rows " appointments" how ", killed once on the way", ms / 1000, ms / rows, how == "" ? ", of which 100 are the rest between two rows" : ""
    printf "  %-46s %12.1f MiB   (%.1f before)\n", "the desk'"'"'s memory afterwards", after / 1024, before / 1024 }'
sort -n "$desk/beside" | awk '{ a[NR] = $1 / 1000 } END { if (NR > 0)
    printf "  %-46s p50 %.1f ms, p99 %.1f ms, most %.1f ms (%d)\n", "look-ups at the board beside it", a[int((NR + 1) / 2)], a[int(NR * 0.99 + 0.5)], a[NR], NR }'
# Of the rows only those that were under way when it was killed are asked again.
kinds=$(jq -r 'select(.kind == "bulk" or (.request_id // "" | startswith("P"))) | .outcome | if startswith("bulk ") then .[5:] | split(",")[0] else "1" end' "$desk"/log/ledger*.jsonl)
asked=$(awk '{ n += $1 } END { print n + 0 }' <<<"$kinds")
printf '  %-46s %12d       (%d rows asked about)\n' questions "$(wc -l <<<"$kinds")" "$asked"
if [ "$asked" -lt "$rows" ] || [ "$asked" -gt $((rows + (${#how} ? 50 : 1))) ]; then
    echo "  rows were asked about twice, or not at all" && exit 1
fi
# Nobody twice, nobody left out; and each look-up was answered.
if grep -qv ' eligible - ' "$desk/beside"; then
    echo "  a look-up beside it was not answered: $(grep -v ' eligible - ' "$desk/beside" | head -n 1)"
    exit 1
fi
if [ "$answered" -lt "$rows" ] || [ "$status" -gt 1 ]; then
    echo "  the report has $answered of $rows rows (status $status)" && tail -n 2 "$desk/words"
    exit 1
fi
