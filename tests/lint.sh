#!/bin/bash
# lint.sh [PART...]: clang-tidy, cppcheck, gcc's analyzer and shellcheck over the tree, a build with clang's own warnings,
# and the form of the sources; or only the parts that are named.
set -u
cd "$(dirname "$0")/.." || exit 1
passed=0 failed=0
logs=build/lint
mkdir -p "$logs"
parts=" $* " known=' '
one() { # one NAME COMMAND...
    local name=$1
    shift
    known+="$name "
    [ -z "${parts// /}" ] || [[ $parts = *" $name "* ]] || return 0
    if "$@" >"$logs/$name.log" 2>&1; then
        echo "ok    $name"
        passed=$((passed + 1))
    else
        echo "FAIL  $name"
        grep -E 'warning|error|style|note:' "$logs/$name.log" | sort -u | head -n 25
        failed=$((failed + 1))
    fi
}
mapfile -t sources < <(git ls-files 'daemon/*.c' 'driver/*.c' 'models/*.c')
flags=(-std=c17 -D_GNU_SOURCE -DUKETSUKE_VERSION='"0"' -I. -Idaemon/common -isystem /usr/include/libusb-1.0)
one clang-tidy bash -c "printf '%s\n' ${sources[*]} | xargs -P $(nproc) -n 4 -I{} clang-tidy --quiet {} -- ${flags[*]@Q}"
one cppcheck cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
    --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches -j "$(nproc)" -D_GNU_SOURCE -I. -Idaemon/common "${sources[@]}"
# Each function with what it calls in the same file, on every path: leaks, what is used after it was freed, what may be
# NULL. What it says that is not so stands in lint-analyzer.txt, and nothing else there.
analyzer() {
    printf '%s\n' "${sources[@]}" | LC_ALL=C xargs -P "$(nproc)" -I{} gcc -fanalyzer -fdiagnostics-plain-output -O1 -c -o /dev/null "${flags[@]}" {} 2>"$logs/analyzer-says"
    local status=$?
    awk -F"'" '/: In function / { sub(/:.*/, "", $1); file = $1; name = $2 }
        match($0, /\[-Wanalyzer[a-z-]*\]$/) { print file, name, substr($0, RSTART + 1, RLENGTH - 2) }' "$logs/analyzer-says" | sort -u >"$logs/analyzer-found"
    cat "$logs/analyzer-says"
    sed '/^#/d; s/ *#.*//' tests/lint-analyzer.txt | sort | diff - "$logs/analyzer-found" | sed -n 's/^> /warning: /p; s/^< /warning: not said any more: /p'
    [ "$status" -eq 0 ] && sed '/^#/d; s/ *#.*//' tests/lint-analyzer.txt | sort | cmp -s - "$logs/analyzer-found"
}
one gcc-analyzer analyzer
# shellcheck disable=SC2046
one shellcheck shellcheck -x -e SC1090,SC1091 $(git ls-files '*.sh' 'packaging/debian/*.p[or]*' ':!packaging/debian/po' 'packaging/debian/*.config') packaging/uketsuke-setup \
    packaging/uketsuke-fetch-models packaging/uketsuke-make-voice packaging/sim/uketsuke-sim .ci/run
one clang-build bash -c "printf '%s\n' ${sources[*]} | xargs -P $(nproc) -I{} clang -fsyntax-only -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror ${flags[*]@Q} {}"
# shellcheck disable=SC2046
one clang-format clang-format --dry-run -Werror $(git ls-files '*.c' '*.h' '*.cpp')
for part in $parts; do
    [[ $known = *" $part "* ]] || { echo "lint.sh: $part? There are:$known" >&2 && exit 2; }
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
