/* utf8: the one check of text that crosses a wall (RFC 3629: shortest forms, no surrogates). */
#ifndef UKETSUKE_UTF8_H
#define UKETSUKE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool utf8_valid(const char *text, size_t len);

/*
 * The next code point of valid text; moves *at on. 0 at the end (`end`), UINT32_MAX when the bytes are
 * not UTF-8.
 */
uint32_t utf8_next(const char **at, const char *end);

#endif
