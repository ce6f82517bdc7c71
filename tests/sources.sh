#!/bin/bash
# sources.sh: rules of the house that a compiler does not check.
set -u
cd "$(dirname "$0")/.." || exit 1
passed=0 failed=0
rule() { # rule WORDS COMMAND...: the command prints the lines that offend
    local words=$1 rows
    shift
    rows=$("$@")
    if [ -z "$rows" ]; then
        echo "ok    $words"
        passed=$((passed + 1))
    else
        echo "FAIL  $words"
        head -n 10 <<<"$rows"
        failed=$((failed + 1))
    fi
}
code=('*.c' '*.h' '*.cpp' '*.def' '*.sh' '*.js' '*.css' '*.sql')
long_files() { git ls-files "${code[@]}" | xargs wc -l | awk '$2 != "total" && $1 > 800'; }
unfinished() { git grep -nE '\b(TODO|FIXME|XXX|HACK)\b' -- "${code[@]}" ':!tests/sources.sh'; }
strays() { git ls-files | grep -vE '^(Makefile|README\.md|LICENSE|\.[^/]+|(daemon|driver|models|packaging|sql|tests)/.*|\.ci/.*)$'; }
binaries() { git ls-files | grep -iE '\.(onnx|jpe?g|mp4|webm|jp2|tgz|deb|bin|dat|png)$'; }
codes_twice() { sed -n 's/^FAILURE([A-Z_0-9]*, "\([A-Z][0-9]*\)".*/\1/p' daemon/common/failure.def | sort | uniq -d; }
codes_unraised() { # a row that no program names is a promise that nobody keeps
    local name
    sed -n 's/^FAILURE(\([A-Z_0-9]*\),.*/\1/p' daemon/common/failure.def | while read -r name; do
        grep -rqwE "FAILURE_$name|$name" daemon/desk daemon/matcher daemon/relay daemon/web daemon/cli driver \
            --include='*.c' --include='*.h' --include='*.def' || echo "$name"
    done
}
routes_undescribed() { node tests/openapi.mjs 2>&1; }
broken_scripts() { git ls-files '*.sh' .ci/run | xargs -n 1 bash -n 2>&1; }
rule "no file is longer than 800 lines" long_files
rule "nothing is left for later" unfinished
rule "every file is in a room" strays
rule "no binary data is tracked" binaries
rule "no failure code is given twice" codes_twice
rule "every failure code is raised somewhere" codes_unraised
rule "the API's document has every route of the router, and no other" routes_undescribed
rule "every script parses" broken_scripts
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
