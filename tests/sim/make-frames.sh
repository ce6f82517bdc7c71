#!/bin/sh
# make-frames.sh VIDEO OUT_DIR FPS WIDTHxHEIGHT START DURATION
#
# Turns a piece of a video (seconds) into what the simulated camera plays: OUT_DIR/frame_00001.jpg
# and on, the same at half size in OUT_DIR/half, and OUT_DIR/fps. The picture is scaled to fit and
# padded, never stretched. Does nothing when OUT_DIR was made from the same things.
set -eu

if [ $# -ne 6 ]; then
    echo "usage: make-frames.sh VIDEO OUT_DIR FPS WIDTHxHEIGHT START DURATION" >&2
    exit 2
fi
video=$1
out=$2
fps=$3
width=${4%x*}
height=${4#*x}
start=$5
duration=$6
made="$(cksum < "$video") $fps $4 $start $duration format-1"

if [ -f "$out/made-from" ] && [ "$(cat "$out/made-from")" = "$made" ]; then
    exit 0
fi
work="$out.tmp.$$"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$work/half"

fit() {
    printf 'fps=%s,scale=%d:%d:force_original_aspect_ratio=decrease:flags=lanczos,pad=%d:%d:(ow-iw)/2:(oh-ih)/2' \
        "$fps" "$1" "$2" "$1" "$2"
}

ffmpeg -nostdin -v error -y -ss "$start" -t "$duration" -i "$video" \
    -filter_complex "[0:v]split[a][b];[a]$(fit "$width" "$height")[full];[b]$(fit $((width / 2)) $((height / 2)))[half]" \
    -map '[full]' -q:v 3 -pix_fmt yuvj422p "$work/frame_%05d.jpg" \
    -map '[half]' -q:v 3 -pix_fmt yuvj422p "$work/half/frame_%05d.jpg"
[ -s "$work/frame_00001.jpg" ] || { echo "make-frames: no frame in $video at $start s" >&2; exit 1; }
echo "$fps" > "$work/fps"
echo "$made" > "$work/made-from"
rm -rf "$out"
mv "$work" "$out"
echo "$out: $(find "$out" -maxdepth 1 -name 'frame_*.jpg' | wc -l) frames"
