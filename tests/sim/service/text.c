#include "text.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define JST_SECONDS (9 * 3600)

bool text_is_digits(const char *s, size_t length)
{
    return strlen(s) == length && strspn(s, "0123456789") == length;
}

static int text_read_digits(const char *s, size_t count)
{
    int value = 0;

    for (size_t i = 0; i < count; i++)
        value = value * 10 + (s[i] - '0');
    return value;
}

static bool text_is_day(int year, int month, int day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    if (month < 1 || month > 12 || day < 1)
        return false;
    return day <= days[month - 1] + (month == 2 && leap ? 1 : 0);
}

bool text_is_date(const char *s)
{
    int year;

    if (!text_is_digits(s, 8))
        return false;
    year = text_read_digits(s, 4);
    if (year < 1868 || year > 2199)
        return false;
    return text_is_day(year, text_read_digits(s + 4, 2), text_read_digits(s + 6, 2));
}

size_t text_count_chars(const char *s)
{
    size_t count = 0;

    for (; *s != '\0'; s++) {
        if (((unsigned char)*s & 0xc0) != 0x80)
            count++;
    }
    return count;
}

bool text_fold_width(const char *s, char *out, size_t size)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t used = 0;

    while (*p != '\0') {
        unsigned char folded = 0;
        size_t taken = 1;

        /* U+3000 is E3 80 80; U+FF01..U+FF5E is EF BC 81 .. EF BD 9E and maps to 0x21..0x7E. */
        if (p[0] == 0xe3 && p[1] == 0x80 && p[2] == 0x80) {
            folded = ' ';
            taken = 3;
        } else if (p[0] == 0xef && (p[1] == 0xbc || p[1] == 0xbd) && p[2] != '\0') {
            unsigned code = ((unsigned)(p[1] & 0x3f) << 6) | (unsigned)(p[2] & 0x3f);

            if (code >= 0xf01 && code <= 0xf5e) {
                folded = (unsigned char)(code - 0xf01 + 0x21);
                taken = 3;
            }
        }
        if (folded == 0)
            folded = p[0];
        if (!(folded == ' ' && used == 0)) {
            if (used + 1 >= size)
                return false;
            out[used++] = (char)folded;
        }
        p += taken;
    }
    while (used > 0 && out[used - 1] == ' ')
        used--;
    out[used] = '\0';
    return true;
}

const char *text_skip_padding(const char *s)
{
    return s + strspn(s, " 0");
}

void text_format_jst(time_t when, char out[static 15])
{
    time_t shifted = when + JST_SECONDS;
    struct tm tm;

    if (gmtime_r(&shifted, &tm) == NULL || strftime(out, 15, "%Y%m%d%H%M%S", &tm) != 14)
        memcpy(out, "00000000000000", 15);
}

bool text_parse_utc(const char *s, time_t *when)
{
    struct tm tm = {0};

    if (strlen(s) != 16 || s[8] != 'T' || s[15] != 'Z')
        return false;
    if (strspn(s, "0123456789") != 8 || strspn(s + 9, "0123456789") != 6)
        return false;
    tm.tm_year = text_read_digits(s, 4) - 1900;
    tm.tm_mon = text_read_digits(s + 4, 2) - 1;
    tm.tm_mday = text_read_digits(s + 6, 2);
    tm.tm_hour = text_read_digits(s + 9, 2);
    tm.tm_min = text_read_digits(s + 11, 2);
    tm.tm_sec = text_read_digits(s + 13, 2);
    if (!text_is_day(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday))
        return false;
    if (tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
        return false;
    *when = timegm(&tm);
    return true;
}

bool text_parse_number(const char *s, long min, long max, long *out)
{
    char *end = NULL;
    long value;

    if (*s == '\0' || (*s != '-' && (*s < '0' || *s > '9')))
        return false;
    errno = 0;
    value = strtol(s, &end, 10);
    if (errno != 0 || *end != '\0' || value < min || value > max)
        return false;
    *out = value;
    return true;
}
