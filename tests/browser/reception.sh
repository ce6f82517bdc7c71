#!/bin/bash
# reception.sh BUILD BIN DESK LANES PORT [FAMILY]: every visit of `make run` once more, by the pages alone: patients at the
# kiosks and staff at the boards, in Debian's Chromium; then the same books against each other. One line a visit, then
# "N passed, M failed". ONLY=name[,name]: these visits.
set -u
build=$1 bin=$2 desk=$3 lanes=$4 port=$5 family=${6:-}
here=$(realpath "$(dirname "$0")")
out=$build/browser
browser=$("$here/packages.sh" "$out/packages") || exit 1
exec "$here/../sim/run-desk.sh" "$build" "$bin" "$desk" "$lanes" "$port" once \
    node "$here/reception.mjs" ${family:+--family="$family"} ${ONLY:+--only="$ONLY"} --packages="$(realpath "$out/packages")" --browser="$browser" --pictures="$out/pictures"
