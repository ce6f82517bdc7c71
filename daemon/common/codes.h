/*
 * codes: what the codes of an eligibility message mean, in Japanese and English. The rows stand in
 * codes.def.
 *
 * A code that no list has is kept by everybody who carries it and shown as unknown; it is never an
 * error and never guessed. Values are compared as they are: "1" is not "01".
 */
#ifndef UKETSUKE_CODES_H
#define UKETSUKE_CODES_H

#include <stdbool.h>
#include <stddef.h>

enum code_list {
    CODE_LIST_NONE,
#define CODE_LIST(list, ja, en) CODE_LIST_##list,
#define CODE_ELEMENT(list, parent, element)
#define CODE(list, value, certainty, ja, en)
#include "codes.def"
#undef CODE_LIST
#undef CODE_ELEMENT
#undef CODE
    CODE_LIST_COUNT
};

struct code_list_text {
    const char *name; /* "CD006" */
    const char *ja;
    const char *en;
};

struct code_text {
    const char *value;
    const char *ja;
    const char *en;
    enum code_list list;
    bool verified; /* false: no source confirms this meaning */
};

/* The list of the element `name` below `parent` (NULL or "" when it is not known); CODE_LIST_NONE:
 * it is no code. */
enum code_list codes_list_of(const char *parent, const char *name);
/* Never NULL: anything that is no list gives the row of CODE_LIST_NONE, with empty texts. */
const struct code_list_text *codes_list(enum code_list list);
/* "CD006"; CODE_LIST_NONE when there is none of that name. */
enum code_list codes_list_named(const char *name);

/* The row of a value; NULL: the list does not have it. */
const struct code_text *codes_find(enum code_list list, const char *value);
/* All rows of all lists, in the order of codes.def; NULL past the end. */
const struct code_text *codes_row(size_t i);

#endif
