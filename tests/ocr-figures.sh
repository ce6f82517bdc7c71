#!/bin/bash
# ocr-figures.sh BIN [FACES [FRAMES [SEED [WIDTHxHEIGHT [TROUBLES]]]]]
# How well generated card faces are read: how many give their number within FRAMES frames, how many a wrong one
# (what would have cost a try of the card's counter), how long a frame takes on one core. Fails when a single wrong
# number was offered, or nothing was read at all. The font that was never used in tuning stands apart.
set -eu
bin=$1 faces=${2:-300} frames=${3:-8} seed=${4:-50000} size=${5:-1280x720} troubles=${6:-1}
parts=$(nproc)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
pids=()
for part in $(seq 0 $((parts - 1))); do
    "$bin/ocr-figures" "$faces" "$frames" "$seed" "$part" "$parts" "$size" "$troubles" >"$out/$part" &
    pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid"; done
cat "$out"/* | awk -v size="$size" -v films="$frames" '
    BEGIN {
        split("IPA Gothic|IPA Mincho|Noto Sans CJK|Noto Serif CJK|VL Gothic|BIZ UD Gothic (never used in tuning)", fonts, "|")
        split("wear glare blur noise fingers tilt turned clutter far", names, " ")
        for (i = 1; i <= 9; i++) bit[sprintf("%x", 2 ^ (i - 1))] = names[i]
        bit["0"] = "none"
    }
    {
        # face NUMBER font FONT TROUBLES FAULT OUTCOME FRAMES FOUND CPU_MS WORST_MS
        cpu += $10; shot += $8
        if ($11 > worst) worst = $11
        if ($7 == "wrong") wrong++
        if ($6 != 0) { bad++; kept += $7 == "kept"; next }
        faces++
        key = $5 in bit ? bit[$5] : "several"
        t[key]++; f[$4]++
        w[key] += $7 == "wrong"
        if ($7 == "right") { r[key]++; fr[$4]++; right++; needed += $8 }
    }
    END {
        printf "card faces, %s, up to %d frames each\n", size, films
        for (i = 0; i < 6; i++) if (f[i]) printf "  font %-40s %4d faces %5.1f%% read\n", fonts[i + 1], f[i], 100 * fr[i] / f[i]
        for (k in t) printf "  trouble %-37s %4d faces %5.1f%% read, %d wrong\n", k, t[k], 100 * r[k] / t[k], w[k]
        printf "  read: %d of %d (%.1f%%), after %.1f frames on average\n", right, faces, 100 * right / faces, right ? needed / right : 0
        printf "  wrong numbers offered: %d of %d offered; faces that must not be read: %d of %d kept back\n", wrong, right + wrong, kept, bad
        if (right + wrong) printf "  with none wrong of %d the true rate is below %.2f%% (95%%, rule of three)\n", right + wrong, 300 / (right + wrong)
        printf "  milliseconds of one core a frame: %.0f mean, %.0f worst\n", shot ? cpu / shot : 0, worst
        ok = wrong == 0 && right > 0 && kept == bad
        printf "%d passed, %d failed\n", right + kept, ok ? 0 : wrong + (right == 0) + (bad - kept)
        exit !ok
    }'
