# verdicts.sh: sourced by scripts that try one thing after another: a line each, counted.
# shellcheck shell=bash
passed=0 failed=0
good() { echo "ok    $1"; passed=$((passed + 1)); }
bad() { echo "FAIL  $1"; failed=$((failed + 1)); }
check() { # check WORDS COMMAND...
    local words=$1
    shift
    if "$@"; then good "$words"; else bad "$words"; fi
}
