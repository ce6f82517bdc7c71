/*
 * memory: for libraries that do not survive a malloc() that fails.
 *
 * jansson 2.14 drops a byte of a text when the room for it cannot grow, and then copies to its end quote, past what it
 * has (src/load.c, lex_save()): what comes from outside would write over the heap. libcurl 7.88 crashes at the next
 * transfer after its list of sockets could not grow, OpenSSL 3.0 keeps what a failed SSL_CTX_new() had begun
 * (tests/unit/test_short_relay.c found each). A program that ends is started again by its supervisor; one whose heap is
 * damaged does anything.
 */
#ifndef UKETSUKE_MEMORY_H
#define UKETSUKE_MEMORY_H

#include <stddef.h>

#define MEMORY_STATUS 71 /* EX_OSERR of sysexits.h */

/* Said on standard error; with MEMORY_STATUS. */
_Noreturn void memory_end(void);
/* malloc() and so on, or memory_end(). */
void *memory_or_end(size_t size);
void *memory_zeroed_or_end(size_t count, size_t size);
void *memory_resized_or_end(void *block, size_t size);
char *memory_text_or_end(const char *text);
/* Wipes, then free(): texts of a library that does not wipe its own. */
void memory_wipe_free(void *block);

#endif
