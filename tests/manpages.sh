#!/bin/bash
# manpages.sh [PAGES]: the man pages against the sources: every program has a page whose name it bears; every key of
# config.def stands in uketsuke.conf.5 in its section with its default and its choices, and no other; the keys that the desk
# takes at once stand in its page; a program's page
# has every message that the program sends or gets, every option of it, and no failure code that is none; no warning
# from the formatter.
set -u
cd "$(dirname "$0")/.." || exit 1
pages=${1:-packaging/man}
passed=0 failed=0
ok() { passed=$((passed + 1)); }
bad() { echo "FAIL  $1"; failed=$((failed + 1)); }
must() { # must WORDS COMMAND...
    local words=$1
    shift
    if "$@" >/dev/null 2>&1; then ok; else bad "$words"; fi
}
page_of() { find "$pages" -maxdepth 1 -name "$1.[1-8]" | head -n 1; }

programs=$(sed -n 's/^PROGRAMS := //p' Makefile)
[ -n "$programs" ] || bad "the Makefile names no programs"
for program in $programs; do
    page=$(page_of "$program")
    if [ -z "$page" ]; then
        bad "$program has no page in $pages"
        continue
    fi
    must "$page is not named $program" grep -qx "\.Nm $program" "$page"
    for part in 'Sh NAME' 'Sh SYNOPSIS' 'Sh DESCRIPTION' 'Sh EXIT STATUS' 'Sh SEE ALSO'; do
        must "$page has no .$part" grep -qx "\.$part" "$page"
    done
    case $page in *.8)
        for option in config instance try-cage version help; do
            must "$page does not have --$option" grep -qE -- "Fl -$option( |$)" "$page"
        done ;;
    esac
done

# Rows by the C preprocessor, so that the table is read as the programs read it.
rows() { # rows FILE MACRO: one line a row, fields separated by ^
    printf '#define %s\n#include "%s"\n' "$2" "$1" | gcc -E -P -x c -I. - | tr '\n' ' ' | sed 's/@@ */\n/g' | sed 's/ *\^ */^/g' | grep '\^'
}
unquote() { sed 's/^"//; s/"$//' <<<"$1"; }

conf=$(page_of uketsuke.conf)
keys=0
while IFS='^' read -r section name fallback choices _; do
    section=$(unquote "$section") name=$(unquote "$name") fallback=$(unquote "$fallback") choices=$(unquote "$choices")
    keys=$((keys + 1))
    # The lines from the key to the next, within its section.
    entry=$(awk -v section="$section" -v name="$name" '
        /^\.S[sh] / {inside = $0 ~ "^\\.Ss \\[" section "[] ]"; within = 0}
        /^\.It Cm / {within = inside && $3 == name}
        /^\.El/ {within = 0}
        within' "$conf")
    if [ -z "$entry" ]; then
        bad "$conf: [$section] $name is missing"
        continue
    fi
    ok
    must "$conf: [$section] $name: the default is ${fallback:-empty}" grep -qxF "Default: ${fallback:-empty}" <<<"$entry"
    for choice in ${choices//|/ }; do
        must "$conf: [$section] $name: $choice is missing" grep -qE "(^One of|,) ${choice}[,.]" <<<"$entry"
    done
done < <(rows daemon/common/config.def 'CONFIG_KEY(s, id, u, n, t, min, max, d, c, ja, en) @@ s ^ n ^ d ^ c ^')
must "config.def has keys" test "$keys" -gt 40
known=$(rows daemon/common/config.def 'CONFIG_KEY(s, id, u, n, t, min, max, d, c, ja, en) @@ n ^' | tr -d '"^')
# shellcheck disable=SC2013 # words, not lines
for name in $(awk '/^\.Sh FILES/ {exit} /^\.It Cm / {print $3}' "$conf"); do
    must "$conf: $name is no key" grep -qxF "$name" <<<"$known"
done

# What the desk takes at once: the list in its page and the table.
live=$(rows daemon/common/config.def 'CONFIG_KEY(s, id, u, n, t, min, max, d, c, ja, en) @@ n ^ u ^' | sed -n 's/^"\(.*\)"^FOR_DESK_LIVE^$/\1/p' | sort)
must "config.def has keys that are taken at once" test "$(wc -l <<<"$live")" -gt 10
must "$(page_of uketsuked): what is taken at once is another list than config.def's" \
    diff <(echo "$live") <(sed -n '/^Taken at once/,/^Everything else/s/^\.Cm //p' "$(page_of uketsuked)" | grep -oE '[a-z][a-z-]+' | sort)

messages=0
while IFS='^' read -r name from to _; do
    [[ $name != HE* ]] || continue
    messages=$((messages + 1))
    for pair in D:uketsuked B:uketsuke-broker R:uketsuke-reader M:uketsuke-matcher Y:uketsuke-relay H:uketsuke-relay; do
        [[ $from$to == *${pair%%:*}* ]] || continue
        page=$(page_of "${pair#*:}")
        must "$page: the message $name is missing" grep -qE "^\.Sy $name( ,)?$" "$page"
    done
done < <(rows daemon/common/message.def 'MESSAGE(N, n, t, f, to, fds, fields) @@ N ^ f ^ to ^' | tr -d '"')
must "message.def has messages" test "$messages" -gt 40

codes=$(rows daemon/common/failure.def 'FAILURE(N, c, k, a, b, d, e) @@ c ^' | tr -d '"^')
for page in "$pages"/*.[1-8]; do
    # shellcheck disable=SC2013 # words, not lines
    for code in $(grep -oP '(?<![-\w])[ACPNFRKESHV][0-9]{3}\b' "$page" | sort -u); do
        must "$page: $code is no failure code" grep -qxF "$code" <<<"$codes"
    done
    if command -v mandoc >/dev/null; then
        said=$(mandoc -T lint -W warning "$page" 2>&1)
    elif command -v groff >/dev/null; then
        said=$(groff -mandoc -Tutf8 -K utf8 -ww -z "$page" 2>&1)
    else
        continue
    fi
    if [ -z "$said" ]; then ok; else bad "$page: $(head -n 3 <<<"$said")"; fi
done

# What a newcomer is told to type, in the README's part about a counter and in EXAMPLES, is typed in the guest; or it is
# named here, with what is tried instead.
untried() {
    case $1 in
    'sudo apt install --no-install-recommends npm' | 'sudo uketsuke-fetch-models DIRECTORY') ;; # tests/deb.sh, with and without a network
    'sudo make install PREFIX=/usr') ;;                                                         # what packaging/deb.sh does, into a folder
    'sudo uketsuke-sim visits') ;;                                                              # make run: the guest has two films of its own
    'uketsuke doctor' | 'uketsuke config check') ;;                                             # with sudo, or before it is configured: typed as well
    *) return 1 ;;
    esac
}
typed=$(grep -hoE "as_printed ('[^']*'|\"([^\"\\\\]|\\\\.)*\")" tests/guest/parts/*.sh | sed -E "s/^as_printed .//; s/.\$//; s/\\\\\"/\"/g")
commands=0
while read -r command; do
    commands=$((commands + 1))
    if untried "$command" || grep -qxF -- "$command" <<<"$typed"; then ok; else bad "nobody types what is printed: $command"; fi
done < <(
    awk '/^## On a real counter/ { f = 1; next } /^## / { f = 0 } f' README.md | tr '\n' ' ' | tr -s ' ' |
        grep -oP '\x60(sudo |uketsuke |systemctl )[^\x60]*\x60' | tr -d '\140' | sort -u
    awk '/^\.Sh EXAMPLES/ { f = 1; next } /^\.Sh/ { f = 0 } f && /^(sudo )?uketsuke/' "$pages"/*.[1-8]
)
must "there are commands that are printed" test "$commands" -gt 20

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
