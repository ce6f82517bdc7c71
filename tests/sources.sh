#!/bin/bash
# sources.sh: rules of the house that a compiler does not check.
set -u
cd "$(dirname "$0")/.."
passed=0 failed=0
rule() { # rule WORDS: reads offending lines from standard input
    local rows
    rows=$(cat)
    if [ -z "$rows" ]; then
        echo "ok    $1"
        passed=$((passed + 1))
    else
        echo "FAIL  $1"
        head -n 10 <<<"$rows"
        failed=$((failed + 1))
    fi
}
code='*.c *.h *.cpp *.def *.sh *.js *.css *.sql'
# shellcheck disable=SC2086
git ls-files $code | xargs wc -l | awk '$2 != "total" && $1 > 800' | rule "no file is longer than 800 lines"
# shellcheck disable=SC2086
git grep -nE '\b(TODO|FIXME|XXX|HACK)\b' -- $code ':!tests/sources.sh' | rule "nothing is left for later"
git ls-files | grep -vE '^(Makefile|README\.md|LICENSE|\.[^/]+|(daemon|driver|models|packaging|sql|tests)/.*|\.ci/.*)$' | rule "every file is in a room"
git ls-files | grep -iE '\.(onnx|jpe?g|mp4|webm|jp2|tgz|deb|bin|dat|png)$' | rule "no binary data is tracked"
for key in $(sed -n 's/^FAILURE([A-Z_0-9]*, "\([A-Z][0-9]*\)".*/\1/p' daemon/common/failure.def | sort | uniq -d); do echo "$key"; done |
    rule "no failure code is given twice"
for name in $(sed -n 's/^FAILURE(\([A-Z_0-9]*\),.*/\1/p' daemon/common/failure.def); do
    grep -rqE "FAILURE_$name\b|\b$name\b" daemon/desk driver daemon/matcher daemon/relay daemon/web daemon/cli --include=*.c --include=*.h --include=*.def || echo "$name"
done >build/check-unused-failures 2>/dev/null
awk 'FNR > 0' build/check-unused-failures 2>/dev/null | wc -l | awk '{print "note  failure codes not raised yet: " $1}'
for f in $(git ls-files '*.sh'); do bash -n "$f" || echo "$f"; done 2>&1 | rule "every script parses"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
