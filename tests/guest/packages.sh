#!/bin/bash
# packages.sh BUILD: what the guest is given, below BUILD/guest: the packages of this tree (old), those of the version
# after it (new: one migration more), and a Debian that has what they depend on. Made again only when something changed.
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
"$here/image.sh" "$guest" "$guest"/old/uketsuke_*.deb "$guest"/old/uketsuke-sim_*.deb "$guest"/old/uketsuke-models_*.deb
