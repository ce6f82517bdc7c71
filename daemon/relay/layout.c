#include "layout.h"

#include <stdlib.h>
#include <string.h>

enum kind { LEAF, BRANCH };

static const struct {
    const char *parent;
    const char *name;
    enum kind kind;
} rows[] = {
#define LAYOUT(parent, name, kind) {parent, name, kind},
#define LAYOUT_ALIAS(other, name)
#include "layout.def"
#undef LAYOUT
#undef LAYOUT_ALIAS
};

static const struct {
    const char *other;
    const char *name;
} aliases[] = {
#define LAYOUT(parent, name, kind)
#define LAYOUT_ALIAS(other, name) {other, name},
#include "layout.def"
#undef LAYOUT
#undef LAYOUT_ALIAS
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))
#define ALIASES (sizeof(aliases) / sizeof(aliases[0]))

bool layout_is_branch(const char *name)
{
    size_t len = strlen(name);

    if (len > 4 && strcmp(name + len - 4, "List") == 0)
        return true;
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].kind == BRANCH && strcmp(rows[i].name, name) == 0)
            return true;
    return false;
}

const char *layout_name(const char *name)
{
    for (size_t i = 0; i < ALIASES; i++)
        if (strcmp(aliases[i].other, name) == 0)
            return aliases[i].name;
    return name;
}

/* The place among its siblings; ROWS: not known. */
static size_t rank_of(const char *parent, const char *name)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].parent, parent) == 0 && strcmp(rows[i].name, name) == 0)
            return i;
    return ROWS;
}

struct place {
    size_t rank;
    const char *name;
    size_t index; /* makes the order stable */
    const struct xmlmsg *element;
};

static int compare(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    int order;

    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    order = a->rank == ROWS ? strcmp(a->name, b->name) : 0;
    if (order != 0)
        return order;
    return a->index < b->index ? -1 : 1;
}

/* The depth is that of a tree that exists, so bounded by XMLMSG_DEPTH_MAX. */
static int copy_children(struct xmlmsg *to, const struct xmlmsg *from)
{
    struct place *places;
    size_t n = 0;
    int error = 0;

    for (const struct xmlmsg *c = xmlmsg_child(from, NULL); c != NULL; c = xmlmsg_next(c, NULL))
        n++;
    if (n == 0)
        return 0;
    places = calloc(n, sizeof(*places));
    if (places == NULL)
        return -1;
    n = 0;
    for (const struct xmlmsg *c = xmlmsg_child(from, NULL); c != NULL; c = xmlmsg_next(c, NULL)) {
        const char *name = layout_name(xmlmsg_name(c));

        places[n] = (struct place){rank_of(xmlmsg_name(to), name), name, n, c};
        n++;
    }
    qsort(places, n, sizeof(*places), compare);
    for (size_t i = 0; i < n && error == 0; i++) {
        struct xmlmsg *child = xmlmsg_add(to, places[i].name, xmlmsg_value(places[i].element));

        error = child != NULL ? copy_children(child, places[i].element) : -1;
    }
    free(places);
    return error;
}

struct xmlmsg *layout_copy(const struct xmlmsg *root)
{
    struct xmlmsg *copy = xmlmsg_new(xmlmsg_name(root));

    if (copy != NULL && copy_children(copy, root) != 0)
        xmlmsg_free(&copy);
    return copy;
}
