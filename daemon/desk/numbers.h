/*
 * numbers: what staff key in from a certificate (資格確認書), checked field by field before anything is asked.
 *
 * Full-width digits, letters and blanks are folded to half width in insurer, number, branch and birth date; a
 * 記号 keeps its width ("as on the card"). The birth date is Gregorian (19710203) or of a Japanese era as S460203
 * or 3460203 (1 M, 2 T, 3 S, 4 H, 5 R), or as lists print it (昭和46年2月3日, 令和元年5月1日, S46.2.3, 1971/2/3); eras
 * begin and end by the day. The insurer's last digit must be its check digit (検証番号).
 */
#ifndef UKETSUKE_DESK_NUMBERS_H
#define UKETSUKE_DESK_NUMBERS_H

#include "../store/store.h"

/* 不詳 on a claim: insurer (the second where the software cannot take the first), number; 75 and over have eight digits. */
#define NUMBERS_UNKNOWN_INSURER "77777777"
#define NUMBERS_UNKNOWN_INSURER_9 "77777779"
#define NUMBERS_UNKNOWN_NUMBER "777777777"
#define NUMBERS_UNKNOWN_NUMBER_75 "77777777"

struct numbers_entry {
    const char *insurer;
    const char *symbol;
    const char *number;
    const char *branch;
    const char *birth;
};

/* A day as it is keyed in, to YYYYMMDD; false when it is none. */
bool numbers_date(const char *text, char out[9]);
/* The same of a person: not before 明治, not after `today`. */
bool numbers_birth(const char *text, const char *today, char out[9]);

/* `today` YYYYMMDD: a birth date may not lie after it. NULL when good, else the name of the field that is not. */
const char *numbers_check(const struct numbers_entry *entry, const char *today,
                          struct store_numbers *out);
/* Why that field is wrong: INSURER_DIGIT where the insurer's number has its form and a wrong check digit, else `usual`. */
uint16_t numbers_failure(const char *field, const char *insurer, uint16_t usual);

/* The numbers that an answer's (first) result names; false when it lacks some, or they cannot be. */
struct xmlmsg;
bool numbers_of_answer(const struct xmlmsg *tree, const char *today, struct store_numbers *out);

/* Insurer and number as an answer repeats them from the question: padding aside the same. */
bool numbers_echoed(const struct xmlmsg *info, const char *insurer, const char *number);

/* One canonical text of the numbers for the cache: never the same for two different persons' numbers. */
size_t numbers_subject(const struct store_numbers *numbers, char *out, size_t size);

#endif
