#!/bin/bash
# lint.sh: clang-tidy, cppcheck and shellcheck over the tree, a build with clang's own warnings, and the form of the sources.
set -u
cd "$(dirname "$0")/.." || exit 1
passed=0 failed=0
logs=build/lint
mkdir -p "$logs"
one() { # one NAME COMMAND...
    local name=$1
    shift
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
tidy() {
    printf '%s\n' "${sources[@]}" | xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p none "$@" 2>&1
}
one clang-tidy bash -c "printf '%s\n' ${sources[*]} | xargs -P $(nproc) -n 4 -I{} clang-tidy --quiet {} -- ${flags[*]@Q}"
one cppcheck cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
    --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches -j "$(nproc)" -D_GNU_SOURCE -I. -Idaemon/common "${sources[@]}"
# shellcheck disable=SC2046
one shellcheck shellcheck -x -e SC1090,SC1091 $(git ls-files '*.sh' 'packaging/debian/*.p[or]*' ':!packaging/debian/po' 'packaging/debian/*.config') packaging/uketsuke-setup \
    packaging/uketsuke-fetch-models packaging/uketsuke-make-voice packaging/sim/uketsuke-sim .ci/run
one clang-build bash -c "printf '%s\n' ${sources[*]} | xargs -P $(nproc) -I{} clang -fsyntax-only -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror ${flags[*]@Q} {}"
# shellcheck disable=SC2046
one clang-format clang-format --dry-run -Werror $(git ls-files '*.c' '*.h' '*.cpp')
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
