#!/bin/bash
# packages.sh BUILD: what the guest is given, below BUILD/guest: the packages of this tree (old), those of the version
# after it (new: one migration more), and a Debian that has what they depend on. Made again only when something changed.
set -u
build=$(realpath "$1")
here=$(realpath "$(dirname "$0")")
guest=$build/guest
mkdir -p "$guest"
now=$(cd "$here/../.." && git ls-files -z -- Makefile daemon driver models packaging sql tests/sim tests/setup 2>/dev/null | xargs -0 cat | sha256sum)
packages() { # packages NAME OPTION...
    local name=$1
    shift
    [ "$(cat "$guest/$name.of" 2>/dev/null)" = "$now" ] && return 0
    rm -rf "${guest:?}/$name"
    "$here/../../packaging/deb.sh" "$guest/$name" --no-lintian "$@" || return 1
    rm -rf "$guest/$name/source"
    echo "$now" >"$guest/$name.of"
}
packages old || exit 1
packages new --next || exit 1
"$here/image.sh" "$guest" "$guest"/old/uketsuke_*.deb "$guest"/old/uketsuke-sim_*.deb "$guest"/old/uketsuke-models_*.deb
