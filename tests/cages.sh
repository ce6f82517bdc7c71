#!/bin/bash
# cages.sh BUILD BIN: every daemon is asked to break out of its own cage (--try-cage) and must be refused.
set -u
build=$1 bin=$2
here=$(dirname "$0")
desk=$build/desk-cages
passed=0 failed=0
rm -rf "$desk"
"$here/sim/make-desk.sh" "$build" "$bin" "$desk" 1 8630 || exit 1
while read -r program instance; do
    echo "== $program $instance"
    status=0
    out=$(CREDENTIALS_DIRECTORY=$desk/credentials timeout 60 "$bin/$program" --config "$desk/uketsuke.conf" \
        ${instance:+--instance "$instance"} --try-cage 2>&1) || status=$?
    echo "$out"
    refused=$(grep -c '^refused' <<<"$out")
    wrong=$(grep -c '^ALLOWED' <<<"$out")
    passed=$((passed + refused)) failed=$((failed + wrong))
    if [ "$refused" -lt 10 ] || { [ "$status" -ne 0 ] && [ "$wrong" -eq 0 ]; }; then
        echo "FAIL  $program did not try (status $status)"
        failed=$((failed + 1))
    fi
done <<'EOF'
uketsuked
uketsuke-broker
uketsuke-reader 1
uketsuke-matcher
uketsuke-relay main
uketsuke-web
EOF
[ ! -e /tmp/uketsuke-escaped ] || { echo "FAIL  a file was left in /tmp"; failed=$((failed + 1)); }
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
