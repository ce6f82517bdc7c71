#!/bin/bash
# visit-table.sh BIN: the visit table as it is drawn (--print-table dot) against its rows (--print-table text), read by
# another program; where Graphviz is, the picture is drawn too. (The walks over the graph are tests/unit/test_desk_table.c.)
set -u
bin=$1
passed=0 failed=0
check() { # check WORDS COMMAND...
    local words=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "ok    $words"
    else
        failed=$((failed + 1))
        echo "FAIL  $words"
    fi
}
dot=$("$bin/uketsuked" --print-table dot) || exit 1
rows=$("$bin/uketsuked" --print-table text) || exit 1

# from TAB to, for each state of each row
joined=$(awk -F'\t' '{
    n = split($1, from, ", ")
    for (i = 1; i <= n; i++)
        print from[i] "\t" ($4 == "(stays)" ? from[i] : $4)
}' <<<"$rows")
edges=$(sed -nE 's/^  ([a-z_]+) -> ([a-z_]+) \[label=.*/\1\t\2/p' <<<"$dot" | sort)
nodes=$(sed -nE 's/^  ([a-z_]+) \[label=.*/\1/p' <<<"$dot" | sort)
lines=$(grep -o '\\l' <<<"$dot" | wc -l)
same_edges() { [ -n "$edges" ] && [ "$edges" = "$(sort -u <<<"$joined")" ]; }
same_lines() { [ "$lines" -eq "$(wc -l <<<"$joined")" ]; }
same_nodes() { [ "$nodes" = "$(tr '\t' '\n' <<<"$joined" | sort -u)" ]; }
one_graph() { [ "$(head -n 1 <<<"$dot")" = "digraph visit {" ] && [ "$(tail -n 1 <<<"$dot")" = "}" ]; }
check "it is one graph" one_graph
check "its nodes are the states of the rows ($(wc -l <<<"$nodes"))" same_nodes
check "its edges are what the rows join ($(wc -l <<<"$edges"))" same_edges
check "each row stands on the edges of each of its states ($lines)" same_lines
check "a node says how long its state may last" grep -qE '^  method \[label="method\\nmethod-seconds"\];$' <<<"$dot"

# The picture for people: each row is an edge of it, or a letter in its states that the legend explains.
picture=$("$bin/uketsuked" --print-table text | awk -f "$(dirname "$0")/../daemon/desk/picture.awk" <(echo "$dot") -) || exit 1
told=$(awk '
    /^ *<td/ { # a letter, its event, where that leads
        gsub(/<br[^>]*>/, "")
        text = $0
        gsub(/<[^>]*>/, "|", text)
        n = split(text, part, "|")
        k = 0
        for (i = 1; i <= n; i++)
            if (part[i] !~ /^ *$/)
                field[++k] = part[i]
        sub(/^→ /, "", field[3])
        event[field[1]] = field[2]
        leads[field[1]] = field[3]
    }
    /^  [a-z_]+ \[fillcolor=/ && match($0, /color="#9a5b00">[A-Za-z]+</) {
        letters[$1] = substr($0, RSTART + 16, RLENGTH - 17)
    }
    /^  [a-z_]+ -> [a-z_]+ / {
        from = $1
        to = $3
        if (/dir=back/) {
            from = $3
            to = $1
        }
        label = $0
        sub(/^[^"]*"/, "", label)
        sub(/".*/, "", label)
        n = split(label, part, /\\l/)
        for (i = 1; i < n; i++)
            print from, part[i], to
    }
    END {
        for (state in letters)
            for (i = 1; i <= length(letters[state]); i++) {
                letter = substr(letters[state], i, 1)
                n = split(leads[letter], part, ", ")
                for (k = 1; k <= n; k++)
                    print state, event[letter], part[k] ~ /stays/ ? state : part[k]
            }
    }' <<<"$picture" | sort -u)
rows_told=$(awk -F'\t' '{
    n = split($1, from, ", ")
    for (i = 1; i <= n; i++)
        print from[i], $2, ($4 == "(stays)" ? from[i] : $4)
}' <<<"$rows" | sort -u)
same_picture() { [ -n "$told" ] && [ "$told" = "$rows_told" ]; }
check "the picture for people tells every row and no other ($(wc -l <<<"$rows_told"), $(grep -c -- ' -> ' <<<"$picture") of its edges drawn)" same_picture
if command -v dot >/dev/null; then
    quietly() { [ -z "$(dot -Tsvg -o /dev/null <<<"$picture" 2>&1)" ]; }
    check "Graphviz draws the picture without a complaint" quietly
    drawn() { [ "$(dot -Tsvg <<<"$dot" | grep -c 'class="edge"')" -eq "$(wc -l <<<"$edges")" ]; }
    check "Graphviz draws every edge" drawn
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
