#!/bin/bash
# npm-package.sh NAME VERSION SHA256 DIRECTORY FILE...
# Fetches one npm package by name and version, checks the tarball's sha256 and lays the named files (paths in
# the package) flat into DIRECTORY. Atomic, and does nothing when the files are there from the same tarball.
set -eu
name=$1 version=$2 sha256=$3 directory=$4
shift 4
stamp=$directory/.from-$name-$version
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sha256 $*" ]; then exit 0; fi
mkdir -p "$directory"
work=$(mktemp -d "$directory/.fetch-XXXXXX")
trap 'rm -rf "$work"' EXIT
echo "取得します / fetching: $name $version"
if ! (cd "$work" && npm pack --silent "$name@$version" >/dev/null); then
    echo "$name を取得できません。ネットワークと npm の設定を確かめてください / cannot fetch $name: check the network and npm's settings" >&2
    exit 1
fi
tarball=$(find "$work" -name '*.tgz' | head -n 1)
if [ "$(sha256sum <"$tarball" | cut -d' ' -f1)" != "$sha256" ]; then
    echo "$name の sha256 が違います。使いません / the sha256 of $name is not the pinned one: not used" >&2
    exit 1
fi
tar -xzf "$tarball" -C "$work"
for file in "$@"; do
    mv "$work/package/$file" "$directory/$(basename "$file")"
done
printf '%s' "$sha256 $*" >"$stamp"
