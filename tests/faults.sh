#!/bin/bash
# faults.sh BIN [PATTERN]: every cell of the fault matrix (each transfer of a face visit and of a PIN visit, each fault), and
# every call for memory and into the cryptographic library made to fail; the same for whole visits at the desk with its
# store, for the web, and for relay, broker, matcher, reader and reader of card faces as programs of their own, with files,
# sockets and SQLite besides (tests/unit/short_calls.h). PATTERN: only of the programs whose names it fits ("reader").
# Logs under BIN/../faults; the last line is "N passed, N failed".
set -u
bin=$(realpath "$1") wanted=${2:-.}
logs=$bin/../faults
slices=16
rm -rf "$logs"
mkdir -p "$logs"
preload=libumockdev-preload.so.0
export UKETSUKE_SOURCE=$PWD UKETSUKE_BIN=$bin UKETSUKE_PKI=$PWD/build/sim/pki
export UKETSUKE_MODELS=$PWD/build/models UKETSUKE_FRAMES=$PWD/build/sim/videos
export ASAN_OPTIONS=abort_on_error=1:detect_stack_use_after_return=1:detect_leaks=0 CMOCKA_MESSAGE_OUTPUT=STDOUT
if readelf -d "$bin/test_reader_faults" | grep -q 'libasan\.so'; then
    preload="$(gcc -print-file-name=libasan.so) $preload"
fi
export bin logs preload

one() { # one PROGRAM SLICE
    local log=$logs/$1-${2/\//-of-}.log
    local with=$preload
    case $1 in test_short_broker) ;; test_short_*) with= ;; esac
    LD_PRELOAD=$with UKETSUKE_FAULTS=$2 timeout -k 10 5000 "$bin/$1" >"$log" 2>&1
    echo "status $?" >>"$log"
}
export -f one

# shellcheck disable=SC2016 # the words are expanded by the inner shell
{
    echo test_reader_shortage all
    for program in desk web relay broker matcher ocr reader; do echo "test_short_$program all"; done
    for ((i = 0; i < slices; i++)); do echo "test_reader_faults $i/$slices"; done
} | grep -E -- "$wanted" | xargs -P "${FAULT_JOBS:-$(($(nproc) * 2))}" -L 1 bash -c 'one "$0" "$1"'

grep -h '^FAIL' "$logs"/*.log
# Of the matrix, once; of the rest, what was made to fail.
grep -hE '^(face|pin): (transfers|[0-9]+ cells)' "$logs/test_reader_faults-0-of-$slices.log" 2>/dev/null | sed 's/, [0-9]* of them run.*//'
grep -hE '^(memory|library calls|memory of the library): ' "$logs"/test_reader_shortage-*.log 2>/dev/null
grep -hE 'made to fail in turn' "$logs"/test_short_*.log 2>/dev/null
# A program that did not come to its end has failed, whatever it counted.
broken=$(grep -L '^status 0$' "$logs"/*.log | wc -l)
{
    grep -hE '^[0-9]+ passed, [0-9]+ failed$' "$logs"/*.log
    sed -nE 's/.* ([0-9]+) of them made to fail in turn: .*, ([0-9]+) failed$/\1 \2/p' "$logs"/*.log |
        awk '{ print $1 - $2 " passed, " $2 " failed" }'
} |
    awk -v broken="$broken" '{ p += $1; f += $3 } END { if (f == 0) f = broken; print p + 0 " passed, " f + 0 " failed"; exit f > 0 || p == 0 }'
