/*
 * config_meaning: what a well-formed configuration means, as far as the file alone tells: formats, word lists, what one
 * section says of another. A table of checks; config_load() applies those of what is written, so that every program
 * refuses the same files with the same words. What is missing is asked for by the program that cannot start without it,
 * and by `uketsuke config check` and `uketsuke reload` for all of them.
 */
#ifndef UKETSUKE_CONFIG_MEANING_H
#define UKETSUKE_CONFIG_MEANING_H

#include "config.h"

/* What cannot be as it is written: a line each into `errors`; how many. */
size_t config_wrong(const struct config *config, FILE *errors);
/* What programs of `use` (FOR_...) need and the file does not say. instance: of that section only (NULL: all).
 * errors NULL: counted only. */
size_t config_missing(const struct config *config, unsigned use, const char *instance,
                      FILE *errors);

/* [desk] consents or [upstream NAME] capabilities as bits; each word is known once the file is loaded. */
uint32_t config_bits(const struct config *config, enum config_key key, const char *instance);

/* [desk] routes: "documents=web reference_number=terminal". */
struct config_route {
    uint32_t capability;  /* 0: no such word */
    char word[202];       /* as it is written */
    const char *upstream; /* into `word`'s copy; "" when none is named */
    char copy[202];
};
/* The next one at *text; false at the end. */
bool config_next_route(const char **text, struct config_route *out);

#endif
