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
# The policy lets run the one script that stands in the pages, by the hash of its bytes.
scripts_unnamed() {
    local page hash
    for page in daemon/web/pages/*.html; do
        hash=$(perl -0ne 'print $1 if m{<script>(.*?)</script>}s' "$page" | openssl dgst -sha256 -binary | base64)
        grep -qF "'sha256-$hash'" daemon/web/server.c || echo "$page: sha256-$hash"
    done
}
broken_scripts() { git ls-files '*.sh' .ci/run | xargs -n 1 bash -n 2>&1; }
# Which programs read which key of the configuration (the column USE of config.def), and which of them the desk takes
# while it runs: what settings_read() and maintain_configure() and the limits of the states read, but for the two that
# take() of reload.c keeps.
used() { sed -nE 's/^CONFIG_KEY\((\w+), (\w+), ([A-Z_| ]+), ".*/\1_\2 \3/p' daemon/common/config.def; }
reads_said() { used | sed 's/FOR_DESK_LIVE/FOR_DESK/; s/ |//g' | awk '{for (i = 2; i <= NF; i++) print $1, $i}' | sort -u; }
reads_done() {
    {
        git grep -oE 'CFG_[a-z]+_[A-Z_]+' -- daemon driver ':!daemon/cli' ':!daemon/common/config*'
        sed -nE 's/^LIMIT\(\w+, (\w+),.*/daemon\/desk\/table.def:CFG_desk_\1/p' daemon/desk/table.def
    } | grep -v FIXED | awk -F: '
        {sub("CFG_", "", $2); who = "FOR_NOBODY: " $1}
        $1 ~ "^driver/" {who = "FOR_READER"}
        $1 ~ "^driver/broker/" {who = "FOR_BROKER"}
        $1 ~ "^daemon/(desk|matcher|ocr|relay|web)/" {split($1, room, "/"); who = "FOR_" toupper(room[2])}
        $1 ~ "^daemon/relay/handover" {who = "FOR_HANDOVER"}
        $1 == "daemon/common/service.c" {who = "FOR_ALL"}
        {print $2, who}' | sort -u
}
reads_untrue() { diff <(reads_said) <(reads_done) | grep '^[<>]'; }
live_said() { used | sed -n 's/ FOR_DESK_LIVE$//p' | sort; }
live_done() {
    {
        sed -n '/^void settings_read/,/^}/p' daemon/desk/settings.c
        sed -n '/^void maintain_configure/,/^}/p' daemon/desk/maintain.c
        sed -nE 's/^LIMIT\(\w+, (\w+),.*/CFG_desk_\1/p' daemon/desk/table.def
    } | grep -oE 'CFG_[a-z]+_[A-Z_]+' | sed 's/^CFG_//' | grep -vxE 'desk_(INSTITUTION|INSTITUTION_KIND|FIXED)' | sort -u
}
live_untrue() { diff <(live_said) <(live_done) | grep '^[<>]'; }
rule "no file is longer than 800 lines" long_files
rule "nothing is left for later" unfinished
rule "every file is in a room" strays
rule "no binary data is tracked" binaries
rule "no failure code is given twice" codes_twice
rule "every failure code is raised somewhere" codes_unraised
rule "the API's document has every route of the router, and no other" routes_undescribed
rule "each key of the configuration is said to be read by the programs that read it, and no other" reads_untrue
rule "what is said to be taken at once is what the desk takes at once" live_untrue
rule "the script that stands in a page is the one that the policy names" scripts_unnamed
rule "every script parses" broken_scripts
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
