/*
 * fields: what the characters of a line mean, and whether it can be true.
 *
 * Birth date: era, year of the era (元 = 01), month, day, 生. Expiry: year A.D., month, day,
 * まで有効. Eras begin and end by the day. 照合番号B = year of the era, month, day of birth (two
 * digits each), year of expiry, the four digits under the photo (facts of the card protocol, 1.5).
 * The dates of a foreign resident are printed A.D.; which six digits the chip then wants is not
 * known, so nothing is made of them.
 */
#ifndef UKETSUKE_OCR_FIELDS_H
#define UKETSUKE_OCR_FIELDS_H

#include "recognise.h"

#include <stdbool.h>

struct card_date {
    uint8_t era; /* index of fields_eras, 0: A.D. */
    uint16_t year;
    uint8_t month, day;
};

/* Where the digits of a date stand in the line's symbols. */
struct digit_group {
    uint8_t first, n; /* n 0: no digits (元) */
};

enum date_kind { DATE_NONE, DATE_BIRTH, DATE_EXPIRY, DATE_BIRTH_AD };

struct date_read {
    enum date_kind kind;
    struct card_date date;
    struct digit_group groups[3]; /* year, month, day */
    float sure;                   /* the least sure digit */
    char digits[9]; /* the groups' digits as printed, one after the other, NUL-terminated */
};

/* The first date of the line. DATE_NONE: there is none. */
void fields_find_date(const struct symbols *line, struct date_read *out);
/* The line's digits when they are exactly four and nothing else. False otherwise. */
bool fields_find_code(const struct symbols *line, char code[5], float *sure);

/* YYYYMMDD of a date with or without era, 0 when there is no such day, or the era had not begun or
 * was over. */
int fields_day(const struct card_date *date);

/*
 * Birth and expiry against each other and against `today` (YYYYMMDD): birth in the past and less
 * than 130 years ago, expiry on the birthday (of the 29th of February: then, the day before or
 * after), at most ten years and a day ahead and not more than a year past.
 */
bool fields_plausible(const struct card_date *birth, const struct card_date *expiry, int today);

/* The fourteen digits; `out` has room for 15. */
void fields_number_b(const struct card_date *birth, const struct card_date *expiry,
                     const char code[5], char *out);

#endif
