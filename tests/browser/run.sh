#!/bin/bash
# run.sh BUILD BIN PORT: kiosk and board in a real browser, against a whole desk on simulated hardware of its own.
# One line a check, then "N passed, N failed"; pictures of every screen under BUILD/browser/.
# SHORT=1, as `make check` runs it: fewer visits (reception.sh has them all), each failure in each language at the smallest
# size alone (axe there, layout at the others), no pictures of the languages.
# ONLY=part[,part]: visits forms boards hostile again japanese languages entry ease board.
# BENCH=n: n visits, and how long each step takes to reach the screen.
set -u
build=$1 bin=$2 port=$3
here=$(realpath "$(dirname "$0")")
# shellcheck source=tests/sim/launcher.sh
. "$here/../sim/launcher.sh"
desk=$build/desk-$port
out=$build/browser

browser=$("$here/packages.sh" "$out/packages") || exit 1

rm -rf "$desk" "$out/pictures"
mkdir -p "$out/pictures"
"$here/../sim/make-desk.sh" "$build" "$bin" "$desk" 1 "$port" || exit 1
desk=$(realpath "$desk")
# People of this desk only: a copy, with one more whose every text is markup.
cp -r "$here/../sim/service/people" "$desk/people"
cp "$here/markup.json" "$desk/people/markup.json"
sed -i "s|--people [^ ]*|--people $desk/people|" "$desk/plan"
launcher_start "$desk"
trap 'kill -TERM $launcher 2>/dev/null; wait $launcher 2>/dev/null' EXIT
sleep 0.3
kill -0 "$launcher" 2>/dev/null || { cat "$desk/log/launcher.log" >&2; exit 1; }
launcher_ready "$desk" || exit 1
voice=$(find "$build/voice/vi" -name '*.opus' -print -quit 2>/dev/null)
# What stands in the README about the pages, as pictures: the way of a visit first, then all.
album() {
    local name
    echo '<!doctype html><meta charset="utf-8"><title>uketsuke</title><style>img{max-width:48%;border:1px solid #888;margin:2px}</style>'
    for name in kiosk-g-idle kiosk-g-method kiosk-g-number-b kiosk-g-face-good kiosk-g-pin kiosk-g-consent kiosk-g-done board-g-full board-f-statement board-f-help board-admin; do
        [ ! -f "$out/pictures/$name-1280x800.jpg" ] || echo "<img src=\"$name-1280x800.jpg\" alt=\"$name\">"
    done
    echo '<hr>'
    for name in "$out"/pictures/*.jpg; do echo "<a href=\"${name##*/}\">${name##*/}</a><br>"; done
}
trap 'album >"$out/pictures/index.html"; kill -TERM $launcher 2>/dev/null; wait $launcher 2>/dev/null' EXIT
node "$here/main.mjs" ${ONLY:+--only "$ONLY"} ${SHORT:+--short} ${BENCH:+--bench "$BENCH"} ${voice:+--voice} --desk "$desk" --port "$port" --packages "$(realpath "$out/packages")" --browser "$browser" \
    --pictures "$(realpath "$out/pictures")" --cards "$(realpath "$build/sim/cards")"
