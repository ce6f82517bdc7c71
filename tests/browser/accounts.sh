#!/bin/bash
# accounts.sh BUILD BIN PORT: staff sign in at the board in a real browser, on a desk whose board is for accounts: the
# first administrator from the command line, first setup, wrong attempts, roles, a locked board, sessions ended.
# One line a check, then "N passed, N failed".
set -u
build=$1 bin=$2 port=$3
here=$(realpath "$(dirname "$0")")
# shellcheck source=tests/sim/launcher.sh
. "$here/../sim/launcher.sh"
desk=$build/desk-$port
out=$build/browser

command -v zbarimg >/dev/null || { echo "zbarimg がありません / zbarimg is missing: make browser installs it" >&2; exit 1; }
browser=$("$here/packages.sh" "$out/packages") || exit 1
rm -rf "$desk"
mkdir -p "$out/pictures"
SIGN_IN=accounts "$here/../sim/make-desk.sh" "$build" "$bin" "$desk" 1 "$port" kind=pharmacy || exit 1
desk=$(realpath "$desk")
sed -i '/^sign-in/a idle-minutes = 1' "$desk/uketsuke.conf"
launcher_start "$desk"
trap 'kill -TERM $launcher 2>/dev/null; wait $launcher 2>/dev/null' EXIT
launcher_ready "$desk" || exit 1
code=$("$bin/uketsuke" -c "$desk/uketsuke.conf" --json account add 佐藤 administrator | jq -r .setup_code)
[ -n "$code" ] || { echo "FAIL  the first administrator is made"; echo "0 passed, 1 failed"; exit 1; }
node "$here/accounts.mjs" --desk "$desk" --port "$port" --packages "$(realpath "$out/packages")" --browser "$browser" \
    --pictures "$(realpath "$out/pictures")" --code "$code" --database "$desk/state/uketsuke.db" | tee "$desk/log/accounts.log"
[ "${PIPESTATUS[0]}" -eq 0 ] || exit 1
grep -qE '^[1-9][0-9]* passed, 0 failed$' "$desk/log/accounts.log"
