#include "slip_fields.h"

#include "names.h"
#include "numbers.h"

#include "../common/failure.h"
#include "../common/utf8.h"
#include "../common/visit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEWBORN_YEARS 1
#define AGE_75 75

enum need {
    NEED_NAME = 1 << 0,
    NEED_BIRTH = 1 << 1,
    NEED_SEX = 1 << 2,
    NEED_ADDRESS = 1 << 3,
    NEED_INSURED = 1 << 4,
    NEED_NUMBERS = 1 << 5,
    NEED_RATIO = 1 << 6,
    NEED_DATES = 1 << 7,
    NEED_CONSENT = 1 << 8,
    NEED_PHONE = 1 << 9,
};

/* What a kind cannot do without (the four items of an outage; the certificate's own; the written
 * statement's). */
static const struct {
    uint16_t needs;
    uint16_t notice;
} kinds[SLIP_KIND_COUNT] = {
    [SLIP_INTAKE] = {NEED_NAME | NEED_BIRTH | NEED_SEX | NEED_ADDRESS, FAILURE_SLIP_FILED},
    [SLIP_CERTIFICATE] = {NEED_NAME | NEED_NUMBERS | NEED_RATIO | NEED_DATES,
                          FAILURE_CERTIFICATE_BY_SIGHT},
    [SLIP_STATEMENT] = {NEED_NAME | NEED_BIRTH | NEED_SEX | NEED_ADDRESS | NEED_PHONE |
                            NEED_NUMBERS,
                        FAILURE_STATEMENT_TAKEN},
    [SLIP_NEWBORN] = {NEED_BIRTH | NEED_INSURED, FAILURE_NEWBORN_PENDING},
    [SLIP_DISASTER] = {NEED_NAME | NEED_BIRTH | NEED_SEX | NEED_ADDRESS | NEED_CONSENT,
                       FAILURE_VISIT_DISASTER},
    [SLIP_QUEUED] = {0, FAILURE_SLIP_FILED},
};

uint16_t slip_fields_notice(unsigned kind)
{
    return kind < SLIP_KIND_COUNT ? kinds[kind].notice : (uint16_t)FAILURE_NONE;
}

/* One line of text: no control characters; blanks alone are nothing. */
static bool take_line(const char *text, char *out, size_t size)
{
    const char *end = text + strlen(text);
    bool seen = false;

    for (const char *at = text; at < end;) {
        uint32_t c = utf8_next(&at, end);

        if (c == UINT32_MAX || c < 0x20 || (c >= 0x7f && c < 0xa0))
            return false;
        seen = seen || (c != ' ' && c != 0x3000);
    }
    return message_text(out, size, seen ? text : "") == 0;
}

/* Percent: "10", "030"; a certificate says 3割, which is 30. */
static bool take_ratio(const char *text, char out[4])
{
    size_t n = strlen(text);
    int percent;

    if (n == 0) {
        out[0] = '\0';
        return true;
    }
    if (n < 2 || n > 3 || strspn(text, "0123456789") != n)
        return false;
    percent = atoi(text);
    if (percent > 100)
        return false;
    (void)snprintf(out, 4, "%03u", (unsigned)percent % 1000);
    return true;
}

static bool take_date(const char *text, char out[9])
{
    out[0] = '\0';
    return text[0] == '\0' || numbers_date(text, out);
}

/* Years of age on a day: counted as the law does, a year more on the birthday. */
static int age(const char *birth, const char *day)
{
    int years = 0, born = 0;

    for (int i = 0; i < 4; i++) {
        years = years * 10 + (day[i] - '0');
        born = born * 10 + (birth[i] - '0');
    }
    return years - born - (strcmp(day + 4, birth + 4) < 0 ? 1 : 0);
}

static const char *take_numbers(const struct msg_slip_file *entry, const char *day,
                                struct store_slip *out)
{
    struct numbers_entry numbers = {entry->insurer, entry->symbol, entry->number, entry->branch,
                                    out->birth};
    bool given = entry->insurer[0] != '\0' || entry->number[0] != '\0';

    if (entry->numbers_unknown != 0) {
        if (given)
            return "insurer";
        (void)MESSAGE_TEXT(out->numbers.insurer, NUMBERS_UNKNOWN_INSURER);
        (void)MESSAGE_TEXT(out->numbers.number,
                           out->birth[0] != '\0' && age(out->birth, day) >= AGE_75
                               ? NUMBERS_UNKNOWN_NUMBER_75
                               : NUMBERS_UNKNOWN_NUMBER);
        return NULL;
    }
    if (!given)
        return NULL;
    out->numbers_known = 1;
    return numbers_check(&numbers, day, &out->numbers);
}

static const char *take_texts(const struct msg_slip_file *entry, const struct store_person *known,
                              struct store_slip *out)
{
    if (!take_line(entry->name[0] != '\0' ? entry->name : known->name, out->name,
                   sizeof(out->name)))
        return "name";
    if (!take_line(entry->kana[0] != '\0' ? entry->kana : known->kana, out->kana,
                   sizeof(out->kana)))
        return "kana";
    if (!take_line(entry->address, out->address, sizeof(out->address)))
        return "address";
    if (!take_line(entry->phone, out->phone, sizeof(out->phone)))
        return "phone";
    if (!take_line(entry->insured, out->insured, sizeof(out->insured)))
        return "insured";
    if (!take_line(entry->note, out->note, sizeof(out->note)))
        return "note";
    (void)MESSAGE_TEXT(out->sex, entry->sex[0] != '\0' ? entry->sex : known->sex);
    if (out->sex[0] != '\0' && strchr("123", out->sex[0]) == NULL)
        return "sex";
    return take_ratio(entry->ratio, out->ratio) ? NULL : "ratio";
}

static const char *take_days(const struct msg_slip_file *entry, const struct store_person *known,
                             const char *day, struct store_slip *out)
{
    const char *birth = entry->birth[0] != '\0' ? entry->birth : known->birth;

    if (birth[0] != '\0' && !numbers_birth(birth, day, out->birth))
        return "birth";
    if (entry->kind == SLIP_NEWBORN && out->birth[0] != '\0' &&
        age(out->birth, day) >= NEWBORN_YEARS)
        return "birth";
    if (!take_date(entry->valid_from, out->valid_from))
        return "valid_from";
    if (!take_date(entry->valid_until, out->valid_until))
        return "valid_until";
    /* A certificate that does not hold on the day cannot be taken by sight. */
    if (out->valid_from[0] != '\0' && strcmp(out->valid_from, day) > 0)
        return "valid_from";
    return out->valid_until[0] != '\0' && strcmp(out->valid_until, day) < 0 ? "valid_until" : NULL;
}

static const char *missing(const struct store_slip *slip, unsigned needs)
{
    const struct {
        unsigned need;
        bool there;
        const char *field;
    } rows[] = {
        {NEED_NAME, slip->name[0] != '\0', "name"},
        {NEED_BIRTH, slip->birth[0] != '\0', "birth"},
        {NEED_SEX, slip->sex[0] != '\0', "sex"},
        {NEED_ADDRESS, slip->address[0] != '\0', "address"},
        {NEED_PHONE, slip->phone[0] != '\0', "phone"},
        {NEED_INSURED, slip->insured[0] != '\0', "insured"},
        {NEED_NUMBERS, slip->numbers.insurer[0] != '\0', "insurer"},
        {NEED_RATIO, slip->ratio[0] != '\0', "ratio"},
        {NEED_DATES, slip->valid_from[0] != '\0', "valid_from"},
        {NEED_DATES, slip->valid_until[0] != '\0', "valid_until"},
        {NEED_CONSENT, slip->consent != SLIP_CONSENT_NOT_ASKED, "consent"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if ((needs & rows[i].need) != 0 && !rows[i].there)
            return rows[i].field;
    return NULL;
}

const char *slip_fields_check(const struct msg_slip_file *entry, const struct store_person *known,
                              const char *day, struct store_slip *out)
{
    const char *wrong;

    memset(out, 0, sizeof(*out));
    if (entry->kind == SLIP_NONE || entry->kind >= SLIP_KIND_COUNT || entry->kind == SLIP_QUEUED)
        return "kind";
    if (entry->consent >= SLIP_CONSENT_COUNT)
        return "consent";
    out->kind = entry->kind;
    out->consent = entry->consent;
    wrong = take_texts(entry, known, out);
    if (wrong == NULL)
        wrong = take_days(entry, known, day, out);
    if (wrong == NULL)
        wrong = take_numbers(entry, day, out);
    if (wrong == NULL)
        wrong = missing(out, kinds[entry->kind].needs);
    if (wrong == NULL && out->birth[0] == '\0')
        (void)MESSAGE_TEXT(out->birth, out->numbers.birth);
    (void)MESSAGE_TEXT(out->staff, entry->staff);
    out->state = out->numbers_known ? SLIP_STATE_WAITING : SLIP_STATE_NUMBERS;
    out->failure = out->numbers_known ? FAILURE_NONE : FAILURE_SLIP_NUMBERS;
    return wrong;
}

/* ---- comparing ------------------------------------------------------------------------------- */

void slip_fields_compare(const struct store_slip *slip, const struct store_person *person,
                         const char *ratio, char out[97])
{
    const struct {
        const char *name;
        const char *noted, *said;
        bool same;
    } rows[] = {
        {"name", slip->name, person->name, names_compare(slip->name, person->name) != NAMES_OTHER},
        {"birth", slip->birth, person->birth, strcmp(slip->birth, person->birth) == 0},
        {"sex", slip->sex, person->sex, strcmp(slip->sex, person->sex) == 0},
        {"ratio", slip->ratio, ratio, strcmp(slip->ratio, ratio) == 0},
    };

    out[0] = '\0';
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].noted[0] != '\0' && rows[i].said[0] != '\0' && !rows[i].same) {
            size_t n = strlen(out);

            (void)snprintf(out + n, 97 - n, "%s%s", n > 0 ? " " : "", rows[i].name);
        }
}
