/*
 * layout: the order in which the elements of a message are written, and which of them are branches.
 * The rows stand in layout.def; pure.
 */
#ifndef UKETSUKE_RELAY_LAYOUT_H
#define UKETSUKE_RELAY_LAYOUT_H

#include "../common/xmlmsg.h"

/* Known to have children, or named like a list: without content it is an empty branch, not an empty
 * value. */
bool layout_is_branch(const char *name);

/* The name under which this element is kept and written: mostly itself. */
const char *layout_name(const char *name);

/*
 * A copy in canonical order: within each element the known ones in the order of the layout, then
 * the unknown ones by name (bytes); those of one name keep their order. So two messages that differ
 * in nothing but the order of their elements become the same. Names become layout_name(). NULL: out
 * of memory.
 */
struct xmlmsg *layout_copy(const struct xmlmsg *root);

#endif
