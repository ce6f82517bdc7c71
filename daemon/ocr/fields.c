#include "fields.h"

#include <string.h>

#define YEAR 0x5e74u  /* 年 */
#define MONTH 0x6708u /* 月 */
#define DAY 0x65e5u   /* 日 */
#define BORN 0x751fu  /* 生 */
#define FIRST 0x5143u /* 元 */

/* Which characters name an era; 和 and 正 stand in two. Days from the facts of the card
   protocol, 1.5, and for the two oldest from the cabinet's notices of their time. */
static const struct {
    uint32_t marks[2];
    int first, last;
} eras[] = {
    {{0, 0}, 0, 99991231},                  /* A.D. */
    {{0x660e, 0x6cbb}, 18681023, 19120729}, /* 明治 */
    {{0x5927, 0}, 19120730, 19261224},      /* 大正 */
    {{0x662d, 0}, 19261225, 19890107},      /* 昭和 */
    {{0x5e73, 0x6210}, 19890108, 20190430}, /* 平成 */
    {{0x4ee4, 0}, 20190501, 99991231},      /* 令和 */
};
#define ERAS ((uint8_t)(sizeof(eras) / sizeof(eras[0])))

static bool is_digit(const struct symbol *s)
{
    return s->code >= '0' && s->code <= '9';
}

/* Digits from `at` on; returns their number, 0 when there are more than `most`. */
static unsigned take_number(const struct symbols *line, unsigned at, unsigned most, unsigned *value)
{
    unsigned n = 0;

    *value = 0;
    while (at + n < line->n && is_digit(&line->at[at + n])) {
        if (n == most)
            return 0;
        *value = *value * 10 + (line->at[at + n].code - '0');
        n++;
    }
    return n;
}

static uint8_t era_before(const struct symbols *line, unsigned end)
{
    for (unsigned i = 0; i < end; i++)
        for (uint8_t e = 1; e < ERAS; e++)
            if (line->at[i].code == eras[e].marks[0] ||
                (eras[e].marks[1] != 0 && line->at[i].code == eras[e].marks[1]))
                return e;
    return 0;
}

static bool valid_until_follows(const struct symbols *line, unsigned from)
{
    static const uint32_t marks[] = {0x307e, 0x3067, 0x6709, 0x52b9}; /* まで有効 */
    unsigned seen = 0;

    for (unsigned i = from; i < line->n; i++)
        for (unsigned k = 0; k < 4; k++)
            seen += line->at[i].code == marks[k];
    return seen >= 2;
}

static void note_group(const struct symbols *line, struct date_read *out, unsigned which,
                       unsigned first, unsigned n)
{
    size_t len = strlen(out->digits);

    out->groups[which] = (struct digit_group){(uint8_t)first, (uint8_t)n};
    for (unsigned i = 0; i < n && len < sizeof(out->digits) - 1; i++) {
        const struct symbol *s = &line->at[first + i];

        out->digits[len++] = (char)s->code;
        if (s->sure < out->sure)
            out->sure = s->sure;
    }
}

/* A date whose 年 stands at `mark`. */
static bool date_at(const struct symbols *line, unsigned mark, struct date_read *out)
{
    unsigned first = mark, year = 0, month, day, n, at = mark + 1;
    bool of_era_one = mark > 0 && line->at[mark - 1].code == FIRST;

    memset(out, 0, sizeof(*out));
    out->sure = 100;
    if (of_era_one) {
        first = mark - 1;
        year = 1;
        note_group(line, out, 0, first, 0);
        out->sure = line->at[first].sure;
    } else {
        while (first > 0 && is_digit(&line->at[first - 1]))
            first--;
        n = take_number(line, first, 4, &year);
        if (n == 0 || n == 3)
            return false;
        note_group(line, out, 0, first, n);
    }
    n = take_number(line, at, 2, &month);
    if (n == 0 || at + n >= line->n || line->at[at + n].code != MONTH)
        return false;
    note_group(line, out, 1, at, n);
    at += n + 1;
    n = take_number(line, at, 2, &day);
    if (n == 0 || at + n >= line->n || line->at[at + n].code != DAY)
        return false;
    note_group(line, out, 2, at, n);
    at += n + 1;
    out->date =
        (struct card_date){era_before(line, first), (uint16_t)year, (uint8_t)month, (uint8_t)day};
    if (!of_era_one && out->groups[0].n == 4)
        out->kind = valid_until_follows(line, at)               ? DATE_EXPIRY
                    : at < line->n && line->at[at].code == BORN ? DATE_BIRTH_AD
                                                                : DATE_NONE;
    else if (out->date.era != 0)
        out->kind = DATE_BIRTH;
    if (out->kind == DATE_EXPIRY)
        out->date.era = 0;
    return out->kind != DATE_NONE;
}

void fields_find_date(const struct symbols *line, struct date_read *out)
{
    for (unsigned i = 0; i < line->n; i++)
        if (line->at[i].code == YEAR && date_at(line, i, out))
            return;
    memset(out, 0, sizeof(*out));
}

bool fields_find_code(const struct symbols *line, char code[5], float *sure)
{
    *sure = 100;
    if (line->n != 4)
        return false;
    for (unsigned i = 0; i < 4; i++) {
        if (!is_digit(&line->at[i]))
            return false;
        code[i] = (char)line->at[i].code;
        if (line->at[i].sure < *sure)
            *sure = line->at[i].sure;
    }
    code[4] = '\0';
    return true;
}

static int days_in(int year, int month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 && leap ? 29 : days[month - 1];
}

int fields_day(const struct card_date *date)
{
    int year, day;

    if (date->era >= ERAS || date->year < 1 || date->month < 1 || date->month > 12 || date->day < 1)
        return 0;
    year = date->era == 0 ? date->year : eras[date->era].first / 10000 + date->year - 1;
    if (year > 9999 || date->day > days_in(year, date->month))
        return 0;
    day = year * 10000 + date->month * 100 + date->day;
    return day >= eras[date->era].first && day <= eras[date->era].last ? day : 0;
}

bool fields_plausible(const struct card_date *birth, const struct card_date *expiry, int today)
{
    const int born = fields_day(birth), until = fields_day(expiry);
    const int birthday = born % 10000, last = until % 10000;

    if (born == 0 || until == 0 || birth->era == 0 || expiry->era != 0)
        return false;
    if (born > today || born < today - 1300000 || until < today - 10000 || until > today + 100001 ||
        until <= born)
        return false;
    return birthday == last || (birthday == 229 && (last == 228 || last == 301));
}

static char *put_two(char *out, unsigned value)
{
    *out++ = (char)('0' + value / 10 % 10);
    *out++ = (char)('0' + value % 10);
    return out;
}

void fields_number_b(const struct card_date *birth, const struct card_date *expiry,
                     const char code[5], char *out)
{
    out = put_two(out, birth->year);
    out = put_two(out, birth->month);
    out = put_two(out, birth->day);
    out = put_two(out, expiry->year / 100);
    out = put_two(out, expiry->year);
    memcpy(out, code, 4);
    out[4] = '\0';
}
