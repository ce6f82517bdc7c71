/*
 * memory: for libraries that do not survive a malloc() that fails.
 *
 * jansson 2.14 drops a byte of a text when the room for it cannot grow, and then copies to its end quote, past what it
 * has (src/load.c, lex_save()): what comes from outside would write over the heap. A program that ends is started again
 * by its supervisor; one whose heap is damaged does anything.
 */
#ifndef UKETSUKE_MEMORY_H
#define UKETSUKE_MEMORY_H

#include <stddef.h>

#define MEMORY_STATUS 71 /* EX_OSERR of sysexits.h */

/* malloc(), or the end of the program with MEMORY_STATUS, said on its standard error. */
void *memory_or_end(size_t size);
/* Wipes, then free(): texts of a library that does not wipe its own. */
void memory_wipe_free(void *block);

#endif
