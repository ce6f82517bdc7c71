#!/bin/bash
# visit-figures.sh BUILD BIN [short|long] [PAIRS.csv]
# Whole simulated visits through the matcher, cut from the videos, with light, size, pose and noise disturbed: false rejects
# per thousand, seconds from the first frame with a face to the decision, wrong accepts, and per kind of presentation
# attack how many were accepted (APCER), how many persons were refused for their liveness (BPCER). Time is the camera's: the
# same on every machine, for the same seed. UKETSUKE_VISITS_POLICY (challenge), UKETSUKE_VISITS_SEED (20260601).
# Fails when an impostor, a picture of somebody else or an attack of a kind used in tuning was accepted, or when persons were
# called attackers. PAIRS.csv: 200 pairs of pictures of two people are visits too. "animated" was never used in tuning.
set -eu
build=$1 bin=$2 form=${3:-short} pairs=${4:-}
policy=${UKETSUKE_VISITS_POLICY:-challenge} seed=${UKETSUKE_VISITS_SEED:-20260601}
kinds='print-still print-held print-waved print-bent print-eyes print-close chip-photo screen-stand screen-held screen-close frozen loop animated'
if [ "$form" = long ]; then
    what="living=${UKETSUKE_VISITS_LIVING:-300} stranger=${UKETSUKE_VISITS_STRANGERS:-30}"
    for k in $kinds; do what="$what $k=${UKETSUKE_VISITS_ATTACKS:-12}"; done
else
    what='living=4 stranger=1 print-waved=1 screen-close=1 loop=1'
fi
[ -z "$pairs" ] || what="$what stills=$pairs:${UKETSUKE_VISITS_PAIRS:-200}"
for photo in "$build"/sim/stills/*.jp2; do # the chip photo that an attacker prints
    [ -s "${photo%.jp2}.pgm" ] || opj_decompress -i "$photo" -o "${photo%.jp2}.pgm" >/dev/null
done
parts=$(nproc)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
pids=()
for part in $(seq 0 $((parts - 1))); do
    # shellcheck disable=SC2086 # words
    "$bin/visit-figures" "$build/models" "$build/sim" "$part" "$parts" "$seed" "$policy" $what >"$out/$part" &
    pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid"; done
[ -z "${UKETSUKE_VISITS_LINES:-}" ] || cat "$out"/* >"$UKETSUKE_VISITS_LINES"
cat "$out"/* | awk -v policy="$policy" -v seed="$seed" '
    function sort(a, n,    i, j, t) {
        for (i = 2; i <= n; i++) { t = a[i]; for (j = i - 1; j > 0 && a[j] > t; j--) a[j + 1] = a[j]; a[j + 1] = t }
    }
    {
        # visit KIND NUMBER OUTCOME SECONDS LIVENESS TROUBLE asked N most-told CODE
        kind = $2; outcome = $4
        if (!(kind in n)) order[++kinds] = kind
        n[kind]++; by[kind, outcome]++
        if (kind == "living") {
            third = $7 < 1 / 3 ? "light" : $7 < 2 / 3 ? "middle" : "heavy"
            living[third]++
            if (outcome == "same") { time[++times] = $5 + 0; accepted[third]++; asked += $9 > 0 }
            else if (outcome == "attack") cause["called an attack"]++
            else if (outcome == "not-same") cause["called somebody else"]++
            else if ($9 > 0) cause["liveness not shown in time"]++
            else cause["no decision in time, mostly told " $11]++
        }
    }
    END {
        printf "simulated visits, policy %s, seed %s\n", policy, seed
        same = by["living", "same"] + 0
        sort(time, times)
        printf "  right person: %d of %d accepted, %.0f false rejects a thousand; %d of them were asked for a movement\n", same, n["living"], 1000 * (n["living"] - same) / n["living"], asked
        split("light middle heavy", thirds, " ")
        for (i = 1; i <= 3; i++) if (living[thirds[i]]) printf "    %s disturbance: %d of %d\n", thirds[i], accepted[thirds[i]], living[thirds[i]]
        for (c in cause) printf "    refused, %s: %d\n", c, cause[c]
        if (times) printf "  first frame with a face to the decision: median %.2f s, 95%% within %.2f s\n", time[int((times + 1) / 2)], time[int(times * 0.95 + 0.999)]
        if (n["living"]) printf "  BPCER (persons whose liveness failed or was not shown): %.3f; called attackers: %d\n", (cause["called an attack"] + cause["liveness not shown in time"]) / n["living"], by["living", "attack"]
        for (i = 1; i <= kinds; i++) {
            k = order[i]
            if (k == "living") continue
            label = k == "stranger" || k == "still-pair" ? "wrong accepts" : "APCER"
            printf "  %-14s %-14s %.3f (%d of %d accepted; %d called an attack, %d somebody else, %d undecided)%s\n", k, label, by[k, "same"] / n[k], by[k, "same"], n[k], by[k, "attack"], by[k, "not-same"], by[k, "none"], k == "animated" ? "  never used in tuning" : ""
            if (by[k, "same"] && k != "animated") wrong += by[k, "same"]
        }
        good = same + 0
        failed = wrong + by["living", "attack"] + (good * 2 < n["living"])
        printf "%d passed, %d failed\n", good + kinds - 1, failed
        exit failed > 0
    }'
