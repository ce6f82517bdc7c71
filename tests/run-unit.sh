#!/bin/bash
# run-unit.sh BIN NAME LOGS VARIANT SANITIZER_OPTIONS: runs one unit test program with what it needs around it.
bin=$1 name=$2 logs=$3 variant=$4
export ASAN_OPTIONS=$5 UBSAN_OPTIONS=print_stacktrace=1 CMOCKA_MESSAGE_OUTPUT=STDOUT
log=$logs/$name-$variant.log
preload=
# Programs that use the mocked USB device are linked with umockdev and need its preload library before libc.
if readelf -d "$bin/$name" | grep -q 'libumockdev\.so'; then
    preload=libumockdev-preload.so.0
    if [ "$variant" = asan ]; then
        preload="$(gcc -print-file-name=libasan.so) $preload"
        ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0
    fi
fi
status=0
LD_PRELOAD=$preload timeout -k 10 600 "$bin/$name" >"$log" 2>&1 || status=$?
echo "$status" >"$logs/$name-$variant.status"
exit 0
