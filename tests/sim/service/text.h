/*
 * Small helpers for the text forms of the eligibility messages: digits, dates, widths, times.
 * All strings are UTF-8 and NUL-terminated. Nothing here keeps state.
 */
#ifndef SIM_SERVICE_TEXT_H
#define SIM_SERVICE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* True when s has exactly length characters and all are ASCII digits. */
bool text_is_digits(const char *s, size_t length);

/* True when s is a day that exists, written yyyyMMdd, in the years 1868 to 2199. */
bool text_is_date(const char *s);

/* Number of characters (not bytes) of valid UTF-8. */
size_t text_count_chars(const char *s);

/*
 * Writes s with full-width ASCII and the ideographic space folded to half width and blanks at both
 * ends removed. Returns false when it does not fit in size bytes.
 */
bool text_fold_width(const char *s, char *out, size_t size);

/* The first character of s that is neither a blank nor a zero: numbers are padded with either. */
const char *text_skip_padding(const char *s);

/* yyyyMMddHHmmss in Japan's time, which has no summer time. out holds at least 15 bytes. */
void text_format_jst(time_t when, char out[static 15]);

/* Reads yyyymmddThhmmssZ (UTC). Returns false when it is anything else. */
bool text_parse_utc(const char *s, time_t *when);

/* Reads an ASCII decimal number from min to max with nothing before or after it. */
bool text_parse_number(const char *s, long min, long max, long *out);

#endif
