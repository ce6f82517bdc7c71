#!/bin/bash
# npm-tree.sh NAME VERSION SHA256 DIRECTORY
# Fetches one npm package by name and version, checks the tarball's sha256 and unpacks all of it into
# DIRECTORY/NAME. Atomic, and does nothing when it is there from the same tarball.
set -eu
name=$1 version=$2 sha256=$3 directory=$4
stamp=$directory/$name/.from
[ "$(cat "$stamp" 2>/dev/null)" != "$version $sha256" ] || exit 0
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
printf '%s' "$version $sha256" >"$work/package/.from"
rm -rf "${directory:?}/$name"
mv "$work/package" "$directory/$name"
