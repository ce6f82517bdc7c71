#include "numbers.h"

#include "names.h"

#include "../common/failure.h"
#include "../common/utf8.h"
#include "../common/xmlmsg.h"

#include <stdio.h>
#include <string.h>

#define SYMBOL_CHARACTERS 20 /* 記号 and 番号: at most 20 characters */
#define BIRTH_FIRST "18680101"

/* By the day: 明治6年 (1873) is when the calendar became Gregorian, so 明治 is taken from there. */
static const struct {
    char letter;
    char digit;
    int first_year;
    const char *from;
    const char *until; /* the last day */
} eras[] = {
    {'M', '1', 1868, "18730101", "19120729"}, {'T', '2', 1912, "19120730", "19261224"},
    {'S', '3', 1926, "19261225", "19890107"}, {'H', '4', 1989, "19890108", "20190430"},
    {'R', '5', 2019, "20190501", "99991231"},
};

/* Half width, without blanks. False when it does not fit or is no text. */
static bool fold(const char *text, char *out, size_t size)
{
    const char *end = text + strlen(text);
    size_t n = 0;

    while (text < end) {
        uint32_t c = utf8_next(&text, end);

        if (c == UINT32_MAX)
            return false;
        if (c == ' ' || c == 0x3000)
            continue;
        if (c >= 0xff01 && c <= 0xff5e)
            c -= 0xff01 - 0x21;
        if (c > 0x7e || c < 0x21 || n + 1 >= size)
            return false;
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return true;
}

static bool all_digits(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static bool is_day(int year, int month, int day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month >= 1 && month <= 12 && day >= 1 &&
           day <= days[month - 1] + (month == 2 && leap ? 1 : 0);
}

static int two(const char *at)
{
    return (at[0] - '0') * 10 + (at[1] - '0');
}

static bool from_era(const char *text, char out[9])
{
    for (size_t i = 0; i < sizeof(eras) / sizeof(eras[0]); i++) {
        char letter = (char)(text[0] & ~0x20);
        int year;

        if ((letter != eras[i].letter && text[0] != eras[i].digit) || two(text + 1) == 0)
            continue;
        year = eras[i].first_year + two(text + 1) - 1;
        (void)snprintf(out, 5, "%04u", (unsigned)year % 10000);
        memcpy(out + 4, text + 3, 5);
        return strcmp(out, eras[i].from) >= 0 && strcmp(out, eras[i].until) <= 0;
    }
    return false;
}

/* The next number of at most four digits and what stands behind it; 元 is the first year. -1: there is none. */
static int next_number(const char **at, const char *end, uint32_t *behind)
{
    int value = -1;

    *behind = 0;
    while (*at < end) {
        uint32_t c = utf8_next(at, end);

        if (c >= 0xff10 && c <= 0xff19)
            c -= 0xff10 - '0';
        if (c == ' ' || c == 0x3000)
            continue;
        if (c == 0x5143 && value < 0) {
            value = 1;
        } else if (c >= '0' && c <= '9' && value < 1000) {
            value = (value < 0 ? 0 : value) * 10 + (int)(c - '0');
        } else {
            *behind = c;
            break;
        }
    }
    return value;
}

static bool is_separator(uint32_t c, uint32_t kanji)
{
    return c == '.' || c == '/' || c == '-' || c == kanji || c == 0xff0e || c == 0xff0f ||
           c == 0xff0d;
}

/* 昭和46年2月3日, 令和元年5月1日, S46.2.3, 1971/2/3: as lists and certificates print days. */
static bool from_words(const char *text, char out[9])
{
    static const struct {
        const char *name;
        char letter;
    } names[] = {{"明治", 'M'}, {"大正", 'T'}, {"昭和", 'S'}, {"平成", 'H'}, {"令和", 'R'}};
    const char *at = text + strspn(text, " "), *end = text + strlen(text);
    char compact[16], era = '\0';
    uint32_t a, b, c;
    int year, month, day;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strncmp(at, names[i].name, strlen(names[i].name)) == 0) {
            era = names[i].letter;
            at += strlen(names[i].name);
            break;
        }
    if (era == '\0' && at < end && strchr("MTSHRmtshr", *at) != NULL)
        era = *at++;
    year = next_number(&at, end, &a);
    month = next_number(&at, end, &b);
    day = next_number(&at, end, &c);
    if (year < 0 || month < 1 || month > 12 || day < 1 || day > 31 || !is_separator(a, 0x5e74) ||
        !is_separator(b, 0x6708) || (c != 0 && c != 0x65e5) || at != end)
        return false;
    if (era == '\0')
        return year >= 1000 && snprintf(out, 9, "%04d%02d%02d", year, month, day) == 8;
    return year < 100 &&
           snprintf(compact, sizeof(compact), "%c%02d%02d%02d", era, year, month, day) == 7 &&
           from_era(compact, out);
}

static bool is_real_day(const char day[9])
{
    return is_day(two(day) * 100 + two(day + 2), two(day + 4), two(day + 6));
}

bool numbers_date(const char *text, char out[9])
{
    char folded[16] = "";

    if (from_words(text, out))
        return is_real_day(out);
    if (!fold(text, folded, sizeof(folded)))
        return false;
    if (strlen(folded) == 8 && all_digits(folded))
        memcpy(out, folded, 9);
    else if (strlen(folded) != 7 || !all_digits(folded + 1) || !from_era(folded, out))
        return false;
    return is_real_day(out);
}

bool numbers_birth(const char *text, const char *today, char out[9])
{
    return numbers_date(text, out) && strcmp(out, BIRTH_FIRST) >= 0 && strcmp(out, today) <= 0;
}

/* As on the card, without blanks at its ends: 1 to 20 visible characters when it must be there. */
static bool check_symbol(const char *text, char *out, size_t size)
{
    const char *end;
    size_t n = 0;

    while (*text == ' ' || strncmp(text, "\xe3\x80\x80", 3) == 0)
        text += *text == ' ' ? 1 : 3;
    end = text + strlen(text);
    while (end > text &&
           (end[-1] == ' ' || (end - text >= 3 && memcmp(end - 3, "\xe3\x80\x80", 3) == 0)))
        end -= end[-1] == ' ' ? 1 : 3;
    if ((size_t)(end - text) >= size)
        return false;
    memcpy(out, text, (size_t)(end - text));
    out[end - text] = '\0';
    for (const char *at = out, *stop = out + (end - text); at < stop; n++) {
        uint32_t c = utf8_next(&at, stop);

        if (c < 0x20 || c == 0x7f || c == UINT32_MAX)
            return false;
    }
    return n <= SYMBOL_CHARACTERS;
}

/* 保険者番号 has eight digits; 国民健康保険 and 退職 print six, padded in front with blanks or zeros. */
static bool read_insurer(const char *text, char *out, size_t size)
{
    size_t n;

    if (!fold(text, out, size) || !all_digits(out))
        return false;
    n = strlen(out);
    if ((n != 6 && n != 8) || strspn(out, "0") == n)
        return false;
    /* Stands on claims for 不詳: nobody is insured there, so nobody can be asked about it. */
    return strcmp(out, NUMBERS_UNKNOWN_INSURER) != 0 && strcmp(out, NUMBERS_UNKNOWN_INSURER_9) != 0;
}

/*
 * 検証番号: its last digit makes a multiple of ten of the sum of the others, weighted 2 and 1 in turn from the right,
 * a product of two digits counted as their sum. Zeros in front change nothing.
 */
static bool check_digit_holds(const char *insurer)
{
    size_t n = strlen(insurer);
    unsigned sum = 0;

    for (size_t i = 0; i < n; i++) {
        unsigned product = (unsigned)(insurer[n - 1 - i] - '0') * (i % 2 == 0 ? 1 : 2);

        sum += product / 10 + product % 10;
    }
    return sum % 10 == 0;
}

/* `keyed`: by hand, so that a digit may be another than meant. */
static const char *check(const struct numbers_entry *entry, const char *today, bool keyed,
                         struct store_numbers *out)
{
    memset(out, 0, sizeof(*out));
    if (!read_insurer(entry->insurer, out->insurer, sizeof(out->insurer)) ||
        (keyed && !check_digit_holds(out->insurer)))
        return "insurer";
    if (!check_symbol(entry->symbol, out->symbol, sizeof(out->symbol)))
        return "symbol";
    if (!check_symbol(entry->number, out->number, sizeof(out->number)) || out->number[0] == '\0')
        return "number";
    if (!fold(entry->branch, out->branch, sizeof(out->branch)) ||
        (out->branch[0] != '\0' && !all_digits(out->branch)))
        return "branch";
    if (strlen(out->branch) == 1) {
        out->branch[1] = out->branch[0];
        out->branch[0] = '0';
        out->branch[2] = '\0';
    }
    if (!numbers_birth(entry->birth, today, out->birth))
        return "birth";
    return NULL;
}

const char *numbers_check(const struct numbers_entry *entry, const char *today,
                          struct store_numbers *out)
{
    return check(entry, today, true, out);
}

uint16_t numbers_failure(const char *field, const char *insurer, uint16_t usual)
{
    char number[sizeof(((struct store_numbers *)0)->insurer)];

    if (strcmp(field, "insurer") == 0 && read_insurer(insurer, number, sizeof(number)) &&
        !check_digit_holds(number))
        return FAILURE_INSURER_DIGIT;
    return usual;
}

bool numbers_of_answer(const struct xmlmsg *tree, const char *today, struct store_numbers *out)
{
    const struct xmlmsg *result =
        xmlmsg_find(tree, "MessageBody/ResultList/ResultOfQualificationConfirmation");
    struct numbers_entry entry;

    if (result == NULL)
        return false;
    entry = (struct numbers_entry){
        xmlmsg_get(result, "InsurerNumber"), xmlmsg_get(result, "InsuredCardSymbol"),
        xmlmsg_get(result, "InsuredIdentificationNumber"),
        xmlmsg_get(result, "InsuredBranchNumber"), xmlmsg_get(result, "Birthdate")};
    /* What the service says is so, whatever the rule for its digits. */
    return check(&entry, today, false, out) == NULL;
}

static const char *unpadded(const char *text)
{
    return text + strspn(text, " 0");
}

bool numbers_echoed(const struct xmlmsg *info, const char *insurer, const char *number)
{
    return strcmp(unpadded(xmlmsg_get(info, "InsuredIdentificationNumber")), unpadded(number)) ==
               0 &&
           strcmp(unpadded(xmlmsg_get(info, "InsurerNumber")), unpadded(insurer)) == 0;
}

size_t numbers_subject(const struct store_numbers *numbers, char *out, size_t size)
{
    const char *insurer = numbers->insurer + strspn(numbers->insurer, "0");
    char symbol[sizeof(numbers->symbol)], number[sizeof(numbers->number)];
    int n;

    /* The same certificate in another width is the same certificate. */
    names_fold_code(numbers->symbol, symbol, sizeof(symbol));
    names_fold_code(numbers->number, number, sizeof(number));
    n = snprintf(out, size, "numbers\n%s\n%s\n%s\n%s\n%s", insurer, symbol, number, numbers->branch,
                 numbers->birth);

    return n > 0 && (size_t)n < size ? (size_t)n : 0;
}
