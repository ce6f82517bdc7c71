#!/bin/bash
# quote.sh: brings the texts that the pages quote up to date with daemon/common/failure.def: the lines code, name,
# kind, patient-* and staff-* of each page. A code without a page gets one that still lacks its own words.
set -eu
cd "$(dirname "$0")/../.."
pages=packaging/failure-codes
gawk -v pages="$pages" '
match($0, /^FAILURE\((\w+), "(\w+)", (\w+), "([^"]*)", "([^"]*)", "([^"]*)", "([^"]*)"\)/, m) {
    page = pages "/" m[2] ".txt"
    own = ""
    while ((getline line < page) > 0)
        if (line ~ /^(happened|do|check)-(ja|en): /)
            own = own line "\n"
    close(page)
    printf "code: %s\nname: %s\nkind: %s\npatient-ja: %s\npatient-en: %s\nstaff-ja: %s\nstaff-en: %s\n%s", \
        m[2], m[1], m[3], m[4], m[5], m[6], m[7], own > page
    close(page)
}' daemon/common/failure.def
