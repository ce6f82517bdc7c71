#!/bin/bash
# packages.sh DIRECTORY: what the tests in a browser need beside Debian's: npm packages by version and checksum, and a look
# whether the browser is there, whose path is printed.
set -eu
here=$(dirname "$0")
"$here/npm-tree.sh" playwright-core 1.60.0 8b1df81ba75e90a41eb5c996350ea7ecc1c915ea643ec55138f91c949c5a25bf "$1" >&2
"$here/npm-tree.sh" axe-core 4.14.1 e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745 "$1" >&2
command -v chromium || { echo "chromium がありません / chromium is missing: make browser installs it" >&2 && exit 1; }
