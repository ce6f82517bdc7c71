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
if command -v dot >/dev/null; then
    drawn() { [ "$(dot -Tsvg <<<"$dot" | grep -c 'class="edge"')" -eq "$(wc -l <<<"$edges")" ]; }
    check "Graphviz draws every edge" drawn
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
