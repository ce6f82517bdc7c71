#!/bin/bash
# reproduce.sh OUT: the packages built twice, in directories of different depth, with another umask, time zone, language,
# number of jobs and home, and nothing taken from a compiler cache: the same bytes, or what differs.
set -u
here=$(realpath "$(dirname "$0")")
mkdir -p "$1"
out=$(realpath "$1")/reproduce
rm -rf "$out"
mkdir -p "$out/one" "$out/two"
export CCACHE_DISABLE=1
(umask 022 && TZ=UTC LC_ALL=C HOME=/nonexistent "$here/deb.sh" "$out/one" --no-lintian --in "$out/one/source" >"$out/one.log" 2>&1) || {
    cat "$out/one.log" && echo "0 passed, 1 failed" && exit 1
}
(umask 027 && TZ=Asia/Tokyo LC_ALL=C.UTF-8 HOME=/tmp "$here/deb.sh" "$out/two" --no-lintian --in "$out/two/another/and/deeper/place/source" >"$out/two.log" 2>&1) || {
    cat "$out/two.log" && echo "0 passed, 1 failed" && exit 1
}
passed=0 failed=0
for file in "$out"/one/*.deb; do
    if cmp "$file" "$out/two/$(basename "$file")"; then
        echo "ok    $(basename "$file"): the same bytes, sha256 $(sha256sum <"$file" | cut -c 1-16)"
        passed=$((passed + 1))
    else
        echo "FAIL  $(basename "$file")"
        failed=$((failed + 1))
    fi
done
rm -rf "$out/one/source" "$out/two/another"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -ge 5 ]
