#!/bin/bash
# packages.sh GROUP...: installs the Debian packages of packages.txt that are missing, and says which and why.
# Asks for sudo only when something is missing and we are not root. Never repeats what is done.
set -eu
here=$(dirname "$0")
missing=()
for group in "$@"; do
    while read -r package for why; do
        case "$package" in '' | '#'*) continue ;; esac
        [ "$for" = "$group" ] || continue
        # A command that is already there from elsewhere will do (a newer npm, for one).
        if [ "$package" = npm ] && command -v npm >/dev/null; then continue; fi
        if ! dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then
            echo "パッケージがありません / missing package: $package ($why)"
            missing+=("$package")
        fi
    done <"$here/packages.txt"
done
[ ${#missing[@]} -gt 0 ] || exit 0
sudo=
[ "$(id -u)" -eq 0 ] || sudo=sudo
echo "インストールします / installing: ${missing[*]}"
if ! $sudo apt-get -q update >/dev/null; then
    echo "apt-get update に失敗しました。ネットワークと /etc/apt を確かめてください / apt-get update failed: check the network and /etc/apt" >&2
    exit 1
fi
if ! $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "${missing[@]}" >/tmp/uketsuke-apt.$$ 2>&1; then
    tail -n 20 "/tmp/uketsuke-apt.$$" >&2
    rm -f "/tmp/uketsuke-apt.$$"
    echo "インストールに失敗しました / the installation failed (see above)" >&2
    exit 1
fi
rm -f "/tmp/uketsuke-apt.$$"
