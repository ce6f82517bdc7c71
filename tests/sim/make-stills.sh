#!/bin/sh
# make-stills.sh VIDEO_DIR OUT_DIR
#
# Makes the chip photos: for every "photo = VIDEO TIME CROP SIZE BYTES" of cards/*.card one grey
# JPEG 2000 file of about BYTES bytes, like the picture in a card's chip. CROP and SIZE are in
# pixels: WIDTHxHEIGHT+X+Y of the video, WIDTHxHEIGHT of the photo. What is there is not remade.
# Needs ffmpeg and opj_compress (Debian: libopenjp2-tools).
set -eu

if [ $# -ne 2 ]; then
    echo "usage: make-stills.sh VIDEO_DIR OUT_DIR" >&2
    exit 2
fi
videos=$1
out=$2
cards=$(dirname "$0")/cards
mkdir -p "$out"
list=$(mktemp)
work=$(mktemp -d)
trap 'rm -rf "$work" "$list"' EXIT
trap 'exit 1' HUP INT TERM

sed -n 's/^photo *= *\([^ ][^ ]*  *[^ ].*\)$/\1/p' "$cards"/*.card | sort -u > "$list"
while read -r video time crop size bytes rest; do
    name="${video}_${time}_${crop}_${size}_${bytes}"
    [ -z "$rest" ] || { echo "make-stills: too many words: $video $time ... $rest" >&2; exit 1; }
    [ -s "$out/$name.jp2" ] && continue
    geometry=$(echo "$crop" | sed 's/[x+]/:/g')
    ffmpeg -nostdin -v error -y -ss "$time" -i "$videos/$video.mp4" -frames:v 1 \
        -vf "crop=$geometry,scale=$(echo "$size" | tr x :):flags=lanczos" -pix_fmt gray \
        "$work/still.pgm"
    ratio=$(echo "$size" | awk -Fx -v bytes="$bytes" '{ printf "%.3f", $1 * $2 / bytes }')
    opj_compress -i "$work/still.pgm" -o "$work/still.jp2" -r "$ratio" > "$work/log" 2>&1 ||
        { cat "$work/log" >&2; exit 1; }
    mv "$work/still.jp2" "$out/$name.jp2"
    echo "$name.jp2: $(wc -c < "$out/$name.jp2") bytes"
done < "$list"
