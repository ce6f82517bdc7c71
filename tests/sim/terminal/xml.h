/*
 * Messages as XML files and as jansson trees, by libxml2 and iconv: the simulated terminal's own
 * way, which shares nothing with the product's.
 *
 * In the tree an element with children is an object, another a string; what repeats is an array;
 * the members of
 * ...List are an array of objects with one member each, as the Web API has it.
 */
#ifndef SIM_TERMINAL_XML_H
#define SIM_TERMINAL_XML_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum xml_encoding { XML_UTF_8, XML_SHIFT_JIS };

/* {"XmlMsg": {...}}, or NULL: no XML. *encoding as declared. */
json_t *xml_read(const char *data, size_t len, enum xml_encoding *encoding);

struct xml_style {
    enum xml_encoding encoding;
    unsigned shuffle; /* 0: as in the tree; else the order of all siblings is drawn by this seed */
    bool spread;      /* an element a line, with tabs and CR LF */
};

/* malloc()ed; NULL: a character that the encoding lacks. */
char *xml_write(const json_t *tree, const struct xml_style *style, size_t *len);

#endif
