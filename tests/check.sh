#!/bin/bash
# check.sh: everything that `make check` shows, each part with its own line and log under build/check/.
# The last line is "N passed, N failed"; the exit status is 0 only when nothing failed.
set -u
cd "$(dirname "$0")/.." || exit 1
logs=build/check
passed=0 failed=0
rm -rf "$logs"
mkdir -p "$logs"
started=$(date +%s)

add() { # add NAME PASSED FAILED: one finished part
    passed=$((passed + $2)) failed=$((failed + $3))
    printf '%-4s %-44s %5d passed %3d failed   %4ds\n' "$([ "$3" -eq 0 ] && echo ok || echo FAIL)" "$1" "$2" "$3" \
        "$(($(date +%s) - started))"
    if [ "$3" -gt 0 ]; then
        grep -nE '\[  FAILED|\[  ERROR|^not ok|FAIL|rror:|Sanitizer|ALLOWED' "$logs/$1.log" >"$logs/why" ||
            tail -n 5 "$logs/$1.log" >"$logs/why" # it ended without saying what went wrong
        head -n 12 "$logs/why"
        echo "     see $logs/$1.log"
    fi
}

# Counts from a log: cmocka's own closing lines, else the last "N passed, N failed". A part that says neither, or
# that ends with a status other than its counts promise, has failed.
count() { # count NAME STATUS
    local p f line
    if grep -q '^\[  PASSED  \]' "$logs/$1.log"; then
        p=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test(s)\..*/\1/p' "$logs/$1.log" | awk '{n += $1} END {print n + 0}')
        f=$(sed -n 's/^\[  FAILED  \] .*: \([0-9]*\) test(s), listed below.*/\1/p; s/^\[  FAILED  \] \([0-9]*\) test(s), listed below.*/\1/p' \
            "$logs/$1.log" | awk '{n += $1} END {print n + 0}')
    else
        line=$(grep -E '^([^ ]+: )?[0-9]+ passed, [0-9]+ failed' "$logs/$1.log" | tail -n 1)
        p=$(sed -nE 's/^([^ ]+: )?([0-9]+) passed.*/\2/p' <<<"$line")
        f=$(sed -nE 's/.* ([0-9]+) failed.*/\1/p' <<<"$line")
    fi
    p=${p:-0} f=${f:-0}
    if [ "$2" -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
    if [ "$p" -eq 0 ] && [ "$f" -eq 0 ]; then f=1; fi
    add "$1" "$p" "$f"
}

part() { # part NAME SECONDS COMMAND...
    local name=$1 limit=$2
    shift 2
    local status=0
    timeout -k 10 "$limit" "$@" >"$logs/$name.log" 2>&1 || status=$?
    [ "$status" -ne 124 ] || echo "timed out after $limit s" >>"$logs/$name.log"
    count "$name" "$status"
}

must() { # must NAME COMMAND...: without it nothing else makes sense
    local name=$1
    shift
    if ! "$@" >"$logs/$name.log" 2>&1; then
        tail -n 30 "$logs/$name.log"
        add "$name" 0 1
        echo "$passed passed, $failed failed"
        exit 1
    fi
    printf '%-4s %-44s %30ds\n' ok "$name" "$(($(date +%s) - started))"
}

# A part in which an answer counts for the rest of the day does not begin just before midnight in Japan.
same_day() { # same_day SECONDS
    local left=$((86400 - ($(date +%s) + 32400) % 86400))
    [ "$left" -gt "$1" ] || sleep $((left + 2))
}

jobs=$(nproc)
must packages make -s --no-print-directory setup-check
must models-and-cards make -s --no-print-directory models cards
must build make -s --no-print-directory -j"$jobs" all unit-programs
must build-sanitized make -s --no-print-directory -j"$jobs" SAN=1 all unit-programs

export UKETSUKE_MODELS=$PWD/build/models UKETSUKE_FRAMES=$PWD/build/sim/videos UKETSUKE_CARDS=$PWD/build/sim/cards
export UKETSUKE_PKI=$PWD/build/sim/pki UKETSUKE_STILLS=$PWD/build/sim/stills UKETSUKE_SOURCE=$PWD
# Leaks are looked for in the unit tests; a caged program cannot run the leak checker (it needs ptrace).
sanitizer="abort_on_error=1:detect_stack_use_after_return=1"

unit() { # unit VARIANT: every tests/unit program of one build, two at a time
    local variant=$1 bin=build/$1/bin name
    export UKETSUKE_BIN=$PWD/$bin
    for test in tests/unit/test_*.c; do basename "$test" .c; done |
        xargs -P "$jobs" -I{} tests/run-unit.sh "$bin" {} "$logs" "$variant" "$sanitizer"
    for test in tests/unit/test_*.c; do
        name=$(basename "$test" .c)-$variant
        count "$name" "$(cat "$logs/$name.status")"
    done
}
unit release
unit asan

export UKETSUKE_BIN=$PWD/build/release/bin
[ ! -x build/release/bin/scenarios ] || part scenarios 300 build/release/bin/scenarios tests/scenario
part visit-table 60 tests/visit-table.sh build/release/bin
part architecture 60 tests/architecture.sh build/release/bin
part cages 60 tests/cages.sh build build/release/bin
part opensc-on-the-card 150 tests/rig/opensc.sh build/release/bin build/sim/cards
part service-self-test 180 tests/sim/service/selftest.sh build/release/bin/sim-service
same_day 240
part visits 240 tests/desk.sh build build/release/bin 8640
part books-can-fail 120 tests/books-can-fail.sh build/desk-8640
same_day 400
part visits-sanitized 400 env ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 tests/desk.sh build build/asan/bin 8650
same_day 400
part every-visit 400 tests/sim/run-desk.sh build build/release/bin build/desk-every 4 8700 once
same_day 400
part handing-over 400 tests/handover.sh build build/release/bin 8660
same_day 240
part upstreams 240 tests/upstreams.sh build build/release/bin 8840
part kills 400 tests/kills.sh build build/release/bin 8750 3 1/7
part pulls 240 tests/pulls.sh build build/release/bin 8860 12 0/13
part lanes 240 tests/lanes.sh build build/release/bin 8770 8 3
part soak 240 tests/soak.sh build build/release/bin 8780 30 8
same_day 300
part keeping 300 tests/keeping.sh build build/release/bin 8680
same_day 180
part secrets 180 tests/secrets.sh build build/release/bin 8690
part messages 300 tests/samples.sh build build/release/bin
part failure-codes 120 tests/failure-codes.sh
part bundle 60 tests/bundle.sh build/release/bin
part systemd-units 120 tests/units.sh build/release/bin
part configurations 120 tests/configurations.sh build/release/bin
part man-pages 120 tests/manpages.sh
part card-faces 300 tests/ocr-figures.sh build/release/bin 16 5
part texts 60 node tests/browser/texts.mjs
part voice 120 tests/browser/voice.sh
same_day 600
part browser 600 env SHORT=1 tests/browser/run.sh build build/release/bin 8930
same_day 900
part every-visit-by-pages 900 tests/browser/reception.sh build build/release/bin build/desk-pages 2 8980
part signing-in 300 tests/browser/accounts.sh build build/release/bin 8960
part face-visits 600 tests/visit-figures.sh build build/release/bin short
part sources 120 tests/sources.sh

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
