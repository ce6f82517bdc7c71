#!/bin/bash
# deb.sh OUT [--next] [--after SOURCE] [--in DIRECTORY] [--no-lintian]
#
# The Debian packages into OUT, from a copy of the tree in which packaging/debian is debian/. lintian judges them: no
# error, no warning. --next builds the version after this one: the same tree with one more migration, which is what
# an upgrade is tried with; --after takes from the copy of another run what was compiled there and is the same. --in says where the copy stands (OUT/source otherwise).
set -eu
here=$(realpath "$(dirname "$0")")
top=$(dirname "$here")
mkdir -p "$1"
out=$(realpath "$1")
shift
next='' after='' work=$out/source lint=1
while [ $# -gt 0 ]; do
    case $1 in
        --next) next=1 ;;
        --after) after=$(realpath "$2") && shift ;;
        --in) work=$2 && shift ;;
        --no-lintian) lint= ;;
        *) echo "deb.sh: $1?" >&2 && exit 2 ;;
    esac
    shift
done

version=$(sed -n 's/^VERSION := //p' "$top/Makefile")
if [ "$version" != "$(cd "$here" && dpkg-parsechangelog -l debian/changelog -S Version)" ]; then
    echo "deb.sh: the Makefile says $version, packaging/debian/changelog another version" >&2
    exit 1
fi
rm -rf "$work"
mkdir -p "$work"
work=$(realpath "$work")
# What is under version control, as it stands here; an unpacked archive has nothing else but build/.
if git -C "$top" rev-parse --git-dir >/dev/null 2>&1; then
    (cd "$top" && git ls-files -z --cached --others --exclude-standard) | (cd "$top" && xargs -0 ls -d 2>/dev/null) |
        tar -C "$top" -cf - -T - | tar -C "$work" -xf -
else
    tar -C "$top" --exclude=./build -cf - . | tar -C "$work" -xf -
fi
chmod -R u+rwX,go+rX,go-w "$work"
mv "$work/packaging/debian" "$work/debian"
cp "$here/sysusers.conf" "$work/debian/uketsuke.sysusers"
cp "$here/sim/sysusers.conf" "$work/debian/uketsuke-sim.sysusers"
if [ -n "$next" ]; then
    last=$(find "$work/sql/migrations" -name '*.sql' -printf '%f\n' | sort | tail -n 1)
    number=$(printf %04d $((10#${last%%_*} + 1)))
    echo "CREATE TABLE upgrade_tried (id INTEGER PRIMARY KEY, at_us INTEGER NOT NULL) STRICT;" \
        >"$work/sql/migrations/${number}_upgrade_tried.sql"
    sed "1s/($version)/($version+next1)/" "$here/debian/changelog" >"$work/debian/changelog"
fi

cd "$work"
clean=()
if [ -n "$after" ]; then
    mkdir -p build
    cp -a "$after/build/release" build/
    # What knows the version is compiled anew; that there is a migration more, make sees by itself.
    grep -rlF UKETSUKE_VERSION --include='*.[ch]' --include='*.cpp' . | xargs touch
    clean=(--no-pre-clean)
fi
if ! DEB_BUILD_OPTIONS="nocheck parallel=$(nproc)" dpkg-buildpackage -b -uc -us "${clean[@]}" >"$out/build.log" 2>&1; then
    tail -n 30 "$out/build.log"
    echo "deb.sh: the build failed; see $out/build.log" >&2
    exit 1
fi
changes=$(find "$work/.." -maxdepth 1 -name "uketsuke_$(dpkg-parsechangelog -S Version)_*.changes")
files() { # files FILE: what a .changes names
    sed -n '/^Files:/,/^[^ ]/s/^ .* \([^ ]*\)$/\1/p' "$1"
}
if ! [ "$work/.." -ef "$out" ]; then
    files "$changes" | (cd "$work/.." && xargs mv -t "$out" "$(basename "$changes")")
fi
cd "$out"
if [ -n "$lint" ]; then
    lintian --allow-root --fail-on error,warning --tag-display-limit 0 "$(basename "$changes")"
    echo "lintian: no errors, no warnings"
fi
files "$(basename "$changes")" | grep '\.deb$' | while read -r file; do
    echo "$(sha256sum <"$file" | cut -c 1-16)  $(stat -c %s "$file")  $file"
done
