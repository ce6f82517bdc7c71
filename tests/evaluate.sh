#!/bin/bash
# evaluate.sh BUILD BIN MODELS PAIRS [OPTION...]
# Error rates on a list of pairs, of all its people and of the half that no choice was made on (--half holdout), each
# compared in pairs with plain use of the same nets (plain-vectors: cv::dnn calls without the matcher; only for the
# shipped set, which it knows; PLAIN=stretched: without room at the side of a picture). ROC and DET: BUILD/evaluate/.
# OPTIONs: more for uketsuke-evaluate.
set -eu
build=$1 bin=$2 models=$3 pairs=$4
shift 4
out=$build/evaluate
name=$(basename "$pairs" .csv)-$(basename "$models")
mkdir -p "$out"
against=()
if [ -s "$models/fr_feature.onnx" ]; then
    pids=()
    for part in $(seq 0 $(($(nproc) - 1))); do
        "$bin/plain-vectors" "$models" "$pairs" "$part" "$(nproc)" ${PLAIN:+"$PLAIN"} >"$out/$name.$part" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid"; done
    cat "$out/$name".[0-9]* >"$out/$name.vectors"
    rm -f "$out/$name".[0-9]*
    against=(--against "$out/$name.vectors")
fi
"$bin/uketsuke-evaluate" --models "$models" --pairs "$pairs" --half all --half holdout --plot "$out/$name.svg" "${against[@]}" "$@"
rm -f "$out/$name.vectors"
