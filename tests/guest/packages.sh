#!/bin/bash
# packages.sh BUILD: what the guest is given, below BUILD/guest: the packages of this tree (old), those of the version
# after it (new: one migration more), a Debian that has what they depend on, and what its patients need of cards and film
# (sim: twenty seconds of two films, since to an emulated processor six thousand pictures are minutes). Made again only
# when something changed.
set -u
build=$(realpath "$1")
here=$(realpath "$(dirname "$0")")
guest=$build/guest
mkdir -p "$guest"
now=$(cd "$here/../.." && git ls-files -z -- Makefile daemon driver models packaging sql tests/sim tests/setup 2>/dev/null | xargs -0 cat | sha256sum)
deb() { "$here/../../packaging/deb.sh" "$guest/$1" --no-lintian "${@:2}"; }
if [ "$(cat "$guest/packages.of" 2>/dev/null)" != "$now" ]; then
    rm -rf "$guest"/{old,new}
    deb old || exit 1
    deb new --next --after "$guest/old/source" || exit 1
    rm -rf "$guest"/{old,new}/source
    echo "$now" >"$guest/packages.of"
fi
if ! [ "$guest/sim" -nt "$build/sim/videos" ]; then
    rm -rf "$guest"/sim{,.new}
    mkdir -p "$guest/sim.new/videos"
    cp -r "$build/sim/cards" "$build/sim/pki" "$guest/sim.new/"
    for film in franck cap12; do
        from=$build/sim/videos/$film to=$guest/sim.new/videos/$film
        mkdir -p "$to/half"
        cp "$from/fps" "$to/"
        cp "$from"/frame_00[0-2]*.jpg "$to/"
        cp "$from"/half/frame_00[0-2]*.jpg "$to/half/"
    done
    mv "$guest/sim.new" "$guest/sim"
fi
"$here/image.sh" "$guest" "$guest"/old/uketsuke_*.deb "$guest"/old/uketsuke-sim_*.deb "$guest"/old/uketsuke-models_*.deb
