/* What the characters of a card face mean: expectations from the facts of the card protocol (1.5)
 * and the calendar. */
#include "daemon/ocr/fields.h"
#include "daemon/ocr/vote.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A line as a network would give it: each character surely read. */
static struct symbols line_of(const char *text)
{
    struct symbols line = {0};
    const uint8_t *p = (const uint8_t *)text;

    while (*p != 0) {
        struct symbol *s = &line.at[line.n++];

        s->sure = 90;
        if (*p < 0x80) {
            s->code = *p++;
        } else {
            s->code = (uint32_t)(p[0] & 15) << 12 | (uint32_t)(p[1] & 63) << 6 | (p[2] & 63);
            p += 3;
        }
    }
    return line;
}

static struct date_read date_of(const char *text)
{
    struct symbols line = line_of(text);
    struct date_read date;

    fields_find_date(&line, &date);
    return date;
}

static void dates_as_printed(void **state)
{
    static const struct {
        const char *text;
        enum date_kind kind;
        int day;
        const char *digits;
    } rows[] = {
        {"昭和50年6月4日生", DATE_BIRTH, 19750604, "5064"},
        {"昭和55年2月17日生", DATE_BIRTH, 19800217, "55217"},
        {"平成元年12月31日生", DATE_BIRTH, 19891231, "1231"},
        {"令和元年5月1日生", DATE_BIRTH, 20190501, "51"},
        {"大正15年12月24日生", DATE_BIRTH, 19261224, "151224"},
        {"明治45年7月29日生", DATE_BIRTH, 19120729, "45729"},
        {"2034年6月4日まで有効", DATE_EXPIRY, 20340604, "203464"},
        {"2034年6月4日まで", DATE_EXPIRY, 20340604, "203464"},
        {"1975年6月4日生", DATE_BIRTH_AD, 19750604, "197564"},
        /* the certificates' expiry has no まで有効 behind it */
        {"有効2027年9月27日", DATE_NONE, 0, ""},
        {"2027年9月27日", DATE_NONE, 0, ""},
        {"50年6月4日生", DATE_NONE, 0, ""},
        {"昭和500年6月4日生", DATE_NONE, 0, ""},
        {"昭和50年6月4", DATE_NONE, 0, ""},
        {"昭和50年月4日生", DATE_NONE, 0, ""},
        {"昭和50年123月4日生", DATE_NONE, 0, ""},
        {"年", DATE_NONE, 0, ""},
        {"", DATE_NONE, 0, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct date_read date = date_of(rows[i].text);

        assert_int_equal(date.kind, rows[i].kind);
        if (date.kind != DATE_NONE) {
            assert_int_equal(fields_day(&date.date), rows[i].day);
            assert_string_equal(date.digits, rows[i].digits);
        }
    }
}

static void eras_end_by_the_day(void **state)
{
    static const struct {
        const char *text;
        int day;
    } rows[] = {
        {"昭和元年12月24日生", 0},       {"昭和元年12月25日生", 19261225},
        {"大正15年12月25日生", 0},       {"昭和64年1月7日生", 19890107},
        {"昭和64年1月8日生", 0},         {"平成元年1月7日生", 0},
        {"平成元年1月8日生", 19890108},  {"平成31年4月30日生", 20190430},
        {"平成31年5月1日生", 0},         {"令和元年4月30日生", 0},
        {"平成32年1月1日生", 0},         {"昭和50年2月29日生", 0},
        {"昭和51年2月29日生", 19760229}, {"昭和50年13月1日生", 0},
        {"昭和50年4月31日生", 0},        {"昭和50年0月1日生", 0},
        {"昭和50年1月0日生", 0},         {"昭和0年5月5日生", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct date_read date = date_of(rows[i].text);

        assert_int_equal(date.kind, DATE_BIRTH);
        assert_int_equal(fields_day(&date.date), rows[i].day);
    }
}

static bool plausible(const char *birth, const char *expiry, int today)
{
    const struct date_read b = date_of(birth), e = date_of(expiry);

    return fields_plausible(&b.date, &e.date, today);
}

static void birth_and_expiry_check_each_other(void **state)
{
    (void)state;
    assert_true(plausible("昭和50年6月4日生", "2034年6月4日まで有効", 20260601));
    assert_false(plausible("昭和50年6月4日生", "2034年6月5日まで有効", 20260601));
    assert_false(plausible("昭和50年6月4日生", "2034年7月4日まで有効", 20260601));
    assert_false(plausible("昭和50年6月4日生", "2037年6月4日まで有効", 20260601));
    assert_true(plausible("昭和50年6月4日生", "2036年6月4日まで有効", 20260604));
    assert_true(plausible("昭和50年6月4日生", "2026年6月4日まで有効", 20270301));
    assert_false(plausible("昭和50年6月4日生", "2024年6月4日まで有効", 20260601));
    assert_false(plausible("令和8年6月4日生", "2031年6月4日まで有効", 20260601)); /* not born yet */
    assert_false(plausible("明治20年6月4日生", "2031年6月4日まで有効", 20260601));
    /* the 29th of February */
    assert_true(plausible("昭和51年2月29日生", "2028年2月29日まで有効", 20260601));
    assert_true(plausible("昭和51年2月29日生", "2030年2月28日まで有効", 20260601));
    assert_true(plausible("昭和51年2月29日生", "2030年3月1日まで有効", 20260601));
    assert_false(plausible("昭和51年2月28日生", "2030年3月1日まで有効", 20260601));
}

/* The example of the facts: born 1980-02-17 (昭和55), expiry 2035, code 2285 -> 55021720352285. */
static void number_of_the_facts(void **state)
{
    const struct date_read b = date_of("昭和55年2月17日生"), e = date_of("2035年2月17日まで有効");
    char number[15];

    (void)state;
    fields_number_b(&b.date, &e.date, "2285", number);
    assert_string_equal(number, "55021720352285");
    {
        const struct date_read first = date_of("令和元年8月9日生");

        fields_number_b(&first.date, &e.date, "0007", number);
        assert_string_equal(number, "01080920350007");
    }
}

static void code_is_four_digits(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } rows[] = {{"2285", true},   {"0000", true},   {"228", false},
                {"22850", false}, {"22年5", false}, {"", false}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct symbols line = line_of(rows[i].text);
        char code[5];
        float sure;

        assert_int_equal(fields_find_code(&line, code, &sure), rows[i].good);
        if (rows[i].good)
            assert_string_equal(code, rows[i].text);
    }
}

/* ---- votes ----------------------------------------------------------------------------------- */

#define TODAY 20260601

static struct reading reading_of(const char *birth, const char *expiry, const char *code)
{
    struct reading r = {.card = true};

    if (birth != NULL) {
        r.birth_there = true;
        r.birth = date_of(birth).date;
    }
    if (expiry != NULL) {
        r.expiry_there = true;
        r.expiry = date_of(expiry).date;
    }
    if (code != NULL) {
        r.code_there = true;
        memcpy(r.code, code, 5);
    }
    return r;
}

static void votes_settle_after_agreeing_frames(void **state)
{
    const struct reading whole = reading_of("昭和55年2月17日生", "2035年2月17日まで有効", "2285");
    struct votes votes = {0};
    char number[15];

    (void)state;
    assert_false(vote_add(&votes, &whole, TODAY));
    assert_false(vote_add(&votes, &whole, TODAY));
    assert_true(vote_add(&votes, &whole, TODAY));
    vote_number(&votes, number);
    assert_string_equal(number, "55021720352285");
}

/* Glare that wanders: each field from other frames. */
static void fields_come_from_different_frames(void **state)
{
    const struct reading birth = reading_of("昭和55年2月17日生", NULL, NULL),
                         expiry = reading_of(NULL, "2035年2月17日まで有効", NULL),
                         code = reading_of(NULL, NULL, "2285"),
                         nothing = reading_of(NULL, NULL, NULL);
    const struct reading *film[] = {&birth,  &nothing, &birth,   &code,
                                    &expiry, &code,    &nothing, &expiry};
    struct votes votes = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(film) / sizeof(film[0]); i++)
        assert_false(vote_add(&votes, film[i], TODAY));
    assert_true(vote_add(&votes, &code, TODAY));
}

static void a_contradiction_begins_anew(void **state)
{
    const struct reading one = reading_of("昭和55年2月17日生", "2035年2月17日まで有効", "2285"),
                         other = reading_of("昭和55年2月17日生", "2035年2月17日まで有効", "2235");
    struct votes votes = {0};

    (void)state;
    assert_false(vote_add(&votes, &one, TODAY));
    assert_false(vote_add(&votes, &one, TODAY));
    assert_false(vote_add(&votes, &other, TODAY));
    assert_false(vote_add(&votes, &one, TODAY));
    assert_false(vote_add(&votes, &one, TODAY));
    assert_true(vote_add(&votes, &one, TODAY));
}

static void what_cannot_be_true_never_settles(void **state)
{
    const struct reading rows[] = {
        reading_of("昭和55年2月17日生", "2035年2月18日まで有効", "2285"),
        reading_of("昭和64年2月17日生", "2035年2月17日まで有効", "2285"),
        reading_of("昭和55年2月17日生", "2015年2月17日まで有効", "2285"),
        reading_of("昭和55年2月17日生", "2035年2月17日まで有効", NULL),
        reading_of(NULL, "2035年2月17日まで有効", "2285"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct votes votes = {0};

        for (int n = 0; n < 20; n++)
            assert_false(vote_add(&votes, &rows[i], TODAY));
    }
    {
        struct reading foreign = reading_of(NULL, "2035年2月17日まで有効", "2285");
        struct votes votes = {0};

        foreign.foreign = true;
        for (int n = 0; n < 20; n++)
            assert_false(vote_add(&votes, &foreign, TODAY));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_as_printed),
        cmocka_unit_test(eras_end_by_the_day),
        cmocka_unit_test(birth_and_expiry_check_each_other),
        cmocka_unit_test(number_of_the_facts),
        cmocka_unit_test(code_is_four_digits),
        cmocka_unit_test(votes_settle_after_agreeing_frames),
        cmocka_unit_test(fields_come_from_different_frames),
        cmocka_unit_test(a_contradiction_begins_anew),
        cmocka_unit_test(what_cannot_be_true_never_settles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
