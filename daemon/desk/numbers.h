/*
 * numbers: what staff key in from a certificate (資格確認書), checked field by field before anything is asked.
 *
 * Full-width digits, letters and blanks are folded to half width in insurer, number, branch and birth date; a
 * 記号 keeps its width ("as on the card"). The birth date is Gregorian (19710203) or of a Japanese era as S460203
 * or 3460203 (1 M, 2 T, 3 S, 4 H, 5 R); eras begin and end by the day.
 */
#ifndef UKETSUKE_DESK_NUMBERS_H
#define UKETSUKE_DESK_NUMBERS_H

#include "../store/store.h"

struct numbers_entry {
    const char *insurer;
    const char *symbol;
    const char *number;
    const char *branch;
    const char *birth;
};

/* `today` YYYYMMDD: a birth date may not lie after it. NULL when good, else the name of the field that is not. */
const char *numbers_check(const struct numbers_entry *entry, const char *today, struct store_numbers *out);

/* One canonical text of the numbers for the cache: never the same for two different persons' numbers. */
size_t numbers_subject(const struct store_numbers *numbers, char *out, size_t size);

#endif
