# Turns SQL files into one C file: `const struct sql_text sql_texts[]` = { name, text }, in the order given.
# The name is the file's name without folder and ending.
function flush_text() {
    if (name != "")
        printf "    \"\"},\n"
}
BEGIN {
    print "#include \"daemon/store/sql_text.h\"\n"
    print "const struct sql_text sql_texts[] = {"
}
FNR == 1 {
    flush_text()
    name = FILENAME
    kind = name ~ /migrations\// ? "SQL_MIGRATION" : "SQL_QUERY"
    sub(/.*\//, "", name)
    sub(/\.sql$/, "", name)
    printf "    {%s, \"%s\",\n", kind, name
}
{
    gsub(/\\/, "\\\\")
    gsub(/"/, "\\\"")
    printf "     \"%s\\n\"\n", $0
}
END {
    flush_text()
    print "    {SQL_END, NULL, NULL},"
    print "};"
}
