#!/bin/bash
# valgrind.sh BIN TEST...: the driver's unit tests under memcheck: no error, nothing lost for good. Each with its line;
# the last is "N passed, N failed". Logs under BIN/../valgrind.
set -u
bin=$1
shift
logs=$bin/../valgrind
rm -rf "$logs"
mkdir -p "$logs"
export bin logs CMOCKA_MESSAGE_OUTPUT=STDOUT UKETSUKE_SIM=$PWD/build/sim UKETSUKE_VISITS=10

one() { # one TEST
    local preload=
    if readelf -d "$bin/$1" | grep -q 'libumockdev\.so'; then preload=libumockdev-preload.so.0; fi
    # What a reader tells of itself (descriptors, lengths) is what a test is about: uninitialised memory is an error.
    LD_PRELOAD=$preload timeout -k 10 3600 valgrind -q --error-exitcode=99 --leak-check=full \
        --errors-for-leak-kinds=definite --show-leak-kinds=definite --num-callers=20 --child-silent-after-fork=yes \
        "$bin/$1" >"$logs/$1.log" 2>&1
    echo $? >"$logs/$1.status"
}
export -f one

printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} bash -c 'one {}'
passed=0 failed=0
for test in "$@"; do
    if [ "$(cat "$logs/$test.status")" = 0 ]; then
        passed=$((passed + 1))
        printf 'ok   %-28s %s\n' "$test" "$(sed -n 's/^\[  PASSED  \] //p' "$logs/$test.log" | tail -n 1)"
    else
        failed=$((failed + 1))
        printf 'FAIL %-28s see %s\n' "$test" "$logs/$test.log"
        grep -m 6 -E '^==[0-9]+== |FAILED' "$logs/$test.log"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
