#include "codes.h"

#include <string.h>

#define CERTAINTY_V true
#define CERTAINTY_U false

static const struct code_list_text lists[CODE_LIST_COUNT] = {
    [CODE_LIST_NONE] = {"", "", ""},
#define CODE_LIST(list, ja, en) [CODE_LIST_##list] = {#list, ja, en},
#define CODE_ELEMENT(list, parent, element)
#define CODE(list, value, certainty, ja, en)
#include "codes.def"
#undef CODE_LIST
#undef CODE_ELEMENT
#undef CODE
};

static const struct {
    enum code_list list;
    const char *parent; /* "": any */
    const char *name;   /* "*X": every name that ends in X */
} elements[] = {
#define CODE_LIST(list, ja, en)
#define CODE_ELEMENT(list, parent, element) {CODE_LIST_##list, parent, element},
#define CODE(list, value, certainty, ja, en)
#include "codes.def"
#undef CODE_LIST
#undef CODE_ELEMENT
#undef CODE
};

static const struct code_text rows[] = {
#define CODE_LIST(list, ja, en)
#define CODE_ELEMENT(list, parent, element)
#define CODE(list, value, certainty, ja, en)                                                       \
    {value, ja, en, CODE_LIST_##list, CERTAINTY_##certainty},
#include "codes.def"
#undef CODE_LIST
#undef CODE_ELEMENT
#undef CODE
};

#define ELEMENTS (sizeof(elements) / sizeof(elements[0]))
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static bool name_fits(const char *pattern, const char *name)
{
    size_t len = strlen(name), tail = strlen(pattern) - 1;

    if (pattern[0] != '*')
        return strcmp(pattern, name) == 0;
    return len > tail && strcmp(name + len - tail, pattern + 1) == 0;
}

enum code_list codes_list_of(const char *parent, const char *name)
{
    for (size_t i = 0; i < ELEMENTS; i++) {
        if (elements[i].parent[0] != '\0' &&
            (parent == NULL || strcmp(elements[i].parent, parent) != 0))
            continue;
        if (name_fits(elements[i].name, name))
            return elements[i].list;
    }
    return CODE_LIST_NONE;
}

const struct code_list_text *codes_list(enum code_list list)
{
    return &lists[(unsigned)list < CODE_LIST_COUNT ? list : CODE_LIST_NONE];
}

enum code_list codes_list_named(const char *name)
{
    for (int i = CODE_LIST_NONE + 1; i < CODE_LIST_COUNT; i++)
        if (strcmp(lists[i].name, name) == 0)
            return (enum code_list)i;
    return CODE_LIST_NONE;
}

const struct code_text *codes_find(enum code_list list, const char *value)
{
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].list == list && strcmp(rows[i].value, value) == 0)
            return &rows[i];
    return NULL;
}

const struct code_text *codes_row(size_t i)
{
    return i < ROWS ? &rows[i] : NULL;
}
