/* What must stand on a slip, kind by kind, and where an answer is not what the slip says. Dates and rules: the facts. */
#include "../../daemon/common/failure.h"
#include "../../daemon/common/visit.h"
#include "../../daemon/desk/slip_fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DAY "20261005"

static const struct store_person nobody;

/* A slip of this kind with all it can have. */
static struct msg_slip_file full(unsigned kind)
{
    struct msg_slip_file m = {.kind = (uint8_t)kind, .consent = SLIP_CONSENT_ORAL};

    MESSAGE_TEXT(m.name, "架空　花子");
    MESSAGE_TEXT(m.birth, kind == SLIP_NEWBORN ? "20260920" : "19540707");
    MESSAGE_TEXT(m.sex, "2");
    MESSAGE_TEXT(m.address, "架空県見本市１－２－３");
    MESSAGE_TEXT(m.phone, "000-0000-0000");
    MESSAGE_TEXT(m.insured, "架空　太郎");
    MESSAGE_TEXT(m.insurer, "06130017");
    MESSAGE_TEXT(m.symbol, "９９０１");
    MESSAGE_TEXT(m.number, "4567");
    MESSAGE_TEXT(m.branch, "02");
    MESSAGE_TEXT(m.ratio, "020");
    MESSAGE_TEXT(m.valid_from, "20260801");
    MESSAGE_TEXT(m.valid_until, "20270731");
    MESSAGE_TEXT(m.staff, "佐藤");
    return m;
}

static const char *check(const struct msg_slip_file *m, struct store_slip *slip)
{
    return slip_fields_check(m, &nobody, DAY, slip);
}

static void a_full_slip_of_each_kind_is_good(void **state)
{
    static const uint8_t kinds[] = {SLIP_INTAKE, SLIP_CERTIFICATE, SLIP_STATEMENT, SLIP_NEWBORN,
                                    SLIP_DISASTER};
    struct store_slip slip;

    (void)state;
    for (size_t i = 0; i < sizeof(kinds); i++) {
        struct msg_slip_file m = full(kinds[i]);

        assert_null(check(&m, &slip));
        assert_int_equal(slip.kind, kinds[i]);
        assert_int_equal(slip.state, SLIP_STATE_WAITING);
        assert_int_equal(slip.numbers_known, 1);
        assert_string_equal(slip.numbers.insurer, "06130017");
        assert_string_equal(slip.numbers.birth, slip.birth);
        assert_string_equal(slip.staff, "佐藤");
        assert_int_not_equal(slip_fields_notice(kinds[i]), FAILURE_NONE);
    }
}

/* What each kind cannot do without: the four items of an outage, the certificate's print, the statement's form. */
static void what_is_missing_is_named(void **state)
{
    static const struct {
        unsigned kind;
        const char *field;
        bool needed;
    } cases[] = {
        {SLIP_INTAKE, "name", true},
        {SLIP_INTAKE, "birth", true},
        {SLIP_INTAKE, "sex", true},
        {SLIP_INTAKE, "address", true},
        {SLIP_INTAKE, "insurer", false},
        {SLIP_INTAKE, "ratio", false},
        {SLIP_CERTIFICATE, "insurer", true},
        {SLIP_CERTIFICATE, "ratio", true},
        {SLIP_CERTIFICATE, "valid_from", true},
        {SLIP_CERTIFICATE, "valid_until", true},
        {SLIP_CERTIFICATE, "address", false},
        {SLIP_STATEMENT, "name", true},
        {SLIP_STATEMENT, "address", true},
        {SLIP_STATEMENT, "phone", true},
        {SLIP_STATEMENT, "insurer", true},
        {SLIP_NEWBORN, "insured", true},
        {SLIP_NEWBORN, "birth", true},
        {SLIP_NEWBORN, "name", false},
        {SLIP_NEWBORN, "insurer", false},
        {SLIP_DISASTER, "name", true},
        {SLIP_DISASTER, "birth", true},
        {SLIP_DISASTER, "address", true},
        {SLIP_DISASTER, "sex", true},
        {SLIP_DISASTER, "insurer", false},
    };
    struct store_slip slip;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct msg_slip_file m = full(cases[i].kind);
        const struct {
            const char *name;
            char *at;
        } fields[] = {
            {"name", m.name},       {"birth", m.birth},           {"sex", m.sex},
            {"address", m.address}, {"phone", m.phone},           {"insured", m.insured},
            {"ratio", m.ratio},     {"valid_from", m.valid_from}, {"valid_until", m.valid_until},
            {"insurer", m.insurer}};
        const char *wrong;

        for (size_t f = 0; f < sizeof(fields) / sizeof(fields[0]); f++)
            if (strcmp(fields[f].name, cases[i].field) == 0)
                fields[f].at[0] = '\0';
        if (strcmp(cases[i].field, "insurer") == 0)
            m.number[0] = m.symbol[0] = m.branch[0] = '\0';
        wrong = check(&m, &slip);
        if (cases[i].needed) {
            assert_non_null(wrong);
            assert_string_equal(wrong, cases[i].field);
        } else {
            assert_null(wrong);
        }
    }
}

static void a_slip_without_numbers_waits_for_them(void **state)
{
    struct msg_slip_file m = full(SLIP_INTAKE);
    struct store_slip slip;

    (void)state;
    m.insurer[0] = m.number[0] = m.symbol[0] = m.branch[0] = '\0';
    assert_null(check(&m, &slip));
    assert_int_equal(slip.state, SLIP_STATE_NUMBERS);
    assert_int_equal(slip.failure, FAILURE_SLIP_NUMBERS);
    assert_int_equal(slip.numbers_known, 0);
}

/* 不詳: insurer 77777777, number of nine digits, of eight from 75 on; no symbol; never a number to ask about. */
static void unknown_numbers_are_those_of_claims(void **state)
{
    struct msg_slip_file m = full(SLIP_STATEMENT);
    struct store_slip slip;

    (void)state;
    m.insurer[0] = m.number[0] = m.symbol[0] = m.branch[0] = '\0';
    m.numbers_unknown = 1;
    assert_null(check(&m, &slip));
    assert_string_equal(slip.numbers.insurer, "77777777");
    assert_string_equal(slip.numbers.number, "777777777");
    assert_string_equal(slip.numbers.symbol, "");
    assert_int_equal(slip.numbers_known, 0);
    MESSAGE_TEXT(m.birth, "19511005"); /* 75 on this very day */
    assert_null(check(&m, &slip));
    assert_string_equal(slip.numbers.number, "77777777");
    MESSAGE_TEXT(m.birth, "19511006");
    assert_null(check(&m, &slip));
    assert_string_equal(slip.numbers.number, "777777777");
    MESSAGE_TEXT(m.insurer, "06130017");
    assert_string_equal(check(&m, &slip), "insurer");
}

static void a_certificate_holds_on_the_day_or_not_at_all(void **state)
{
    static const struct {
        const char *from, *until, *wrong;
    } cases[] = {
        {"20260801", "20270731", NULL},         {DAY, DAY, NULL},
        {"20261006", "20270731", "valid_from"}, {"20250801", "20261004", "valid_until"},
        {"20260230", "20270731", "valid_from"}, {"20260801", "20270732", "valid_until"},
        {"R080801", "R090731", NULL},           {"5080801", "5090731", NULL},
        {"R070801", "R080731", "valid_until"},
    };
    struct store_slip slip;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct msg_slip_file m = full(SLIP_CERTIFICATE);
        const char *wrong;

        MESSAGE_TEXT(m.valid_from, cases[i].from);
        MESSAGE_TEXT(m.valid_until, cases[i].until);
        wrong = check(&m, &slip);
        if (cases[i].wrong == NULL)
            assert_null(wrong);
        else
            assert_string_equal(wrong, cases[i].wrong);
    }
    assert_string_equal(slip.valid_from, "20250801"); /* R7 is 2025 */
}

static void a_ratio_is_percent(void **state)
{
    static const struct {
        const char *text, *percent;
    } cases[] = {{"020", "020"}, {"20", "020"}, {"30", "030"}, {"00", "000"}, {"100", "100"},
                 {"2", NULL},    {"101", NULL}, {"2x", NULL},  {"-1", NULL}};
    struct store_slip slip;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct msg_slip_file m = full(SLIP_CERTIFICATE);
        const char *wrong;

        MESSAGE_TEXT(m.ratio, cases[i].text);
        wrong = check(&m, &slip);
        if (cases[i].percent != NULL) {
            assert_null(wrong);
            assert_string_equal(slip.ratio, cases[i].percent);
        } else {
            assert_string_equal(wrong, "ratio");
        }
    }
}

static void a_newborn_is_under_one_year(void **state)
{
    static const struct {
        const char *birth;
        bool good;
    } cases[] = {{DAY, true},
                 {"20251006", true},
                 {"20251005", false},
                 {"20261006", false},
                 {"19540707", false}};
    struct store_slip slip;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct msg_slip_file m = full(SLIP_NEWBORN);

        m.insurer[0] = m.number[0] = m.symbol[0] = m.branch[0] = '\0';
        MESSAGE_TEXT(m.birth, cases[i].birth);
        if (cases[i].good)
            assert_null(check(&m, &slip));
        else
            assert_string_equal(check(&m, &slip), "birth");
    }
}

static void texts_are_one_line_and_more_than_blanks(void **state)
{
    struct msg_slip_file m = full(SLIP_INTAKE);
    struct store_slip slip;

    (void)state;
    MESSAGE_TEXT(m.name, "架空\n花子");
    assert_string_equal(check(&m, &slip), "name");
    MESSAGE_TEXT(m.name, "　 　");
    assert_string_equal(check(&m, &slip), "name");
    m = full(SLIP_INTAKE);
    MESSAGE_TEXT(m.note, "a\x7f");
    assert_string_equal(check(&m, &slip), "note");
}

/* The card has said who it is: staff need not write it again, and what they write goes before. */
static void what_the_card_said_need_not_be_keyed_in(void **state)
{
    struct store_person known = {.name = "例示　一郎", .birth = "19710203", .sex = "1"};
    struct msg_slip_file m = {.kind = SLIP_INTAKE};
    struct store_slip slip;

    (void)state;
    MESSAGE_TEXT(m.address, "架空県見本市");
    assert_null(slip_fields_check(&m, &known, DAY, &slip));
    assert_string_equal(slip.name, "例示　一郎");
    assert_string_equal(slip.birth, "19710203");
    assert_string_equal(slip.sex, "1");
    MESSAGE_TEXT(m.name, "例示　壱郎");
    assert_null(slip_fields_check(&m, &known, DAY, &slip));
    assert_string_equal(slip.name, "例示　壱郎");
}

static void an_answer_is_compared_field_by_field(void **state)
{
    static const struct {
        const char *name, *birth, *sex, *ratio, *different;
    } cases[] = {
        {"架空　花子", "19540707", "2", "020", ""},
        {"架空花子", "19540707", "2", "020", ""},  /* blanks do not count */
        {"架●　花子", "19540707", "2", "020", ""}, /* ● stands for any one character */
        {"架●●　花子", "19540707", "2", "020", "name"},
        {"架空　花", "19540707", "2", "020", "name"},
        {"例示　一郎", "19540708", "1", "030", "name birth sex ratio"},
        {"", "", "", "", ""}, /* what is not said is not compared */
        {"架空　花子", "19540707", "2", "030", "ratio"},
    };
    struct store_slip slip = {
        .name = "架空　花子", .birth = "19540707", .sex = "2", .ratio = "020"};
    char different[97];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store_person person = {0};

        strcpy(person.name, cases[i].name);
        strcpy(person.birth, cases[i].birth);
        strcpy(person.sex, cases[i].sex);
        slip_fields_compare(&slip, &person, cases[i].ratio, different);
        assert_string_equal(different, cases[i].different);
    }
}

/* The slip as somebody wrote it, the answer as the insurer's register has it. */
static void a_name_written_another_way_is_no_difference(void **state)
{
    static const struct {
        const char *noted, *said, *different;
    } cases[] = {
        {"高橋　花子", "髙橋　花子", ""},     {"渡辺　一郎", "渡邊　一郎", ""},
        {"タカハシ　ハナコ", "ﾀｶﾊｼ ﾊﾅｺ", ""}, {"John　Smith", "Ｊｏｈｎ　Ｓｍｉｔｈ", ""},
        {"高橋　花子", "高端　花子", "name"}, {"渡辺　一郎", "渡辺　二郎", "name"},
        {"渡辺　一郎", "●●●●", "name"}, /* says nothing about anybody */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store_slip slip = {0};
        struct store_person person = {0};
        char different[97];

        (void)MESSAGE_TEXT(slip.name, cases[i].noted);
        (void)MESSAGE_TEXT(person.name, cases[i].said);
        slip_fields_compare(&slip, &person, "", different);
        assert_string_equal(different, cases[i].different);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_slip_of_each_kind_is_good),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(a_slip_without_numbers_waits_for_them),
        cmocka_unit_test(unknown_numbers_are_those_of_claims),
        cmocka_unit_test(a_certificate_holds_on_the_day_or_not_at_all),
        cmocka_unit_test(a_ratio_is_percent),
        cmocka_unit_test(a_newborn_is_under_one_year),
        cmocka_unit_test(texts_are_one_line_and_more_than_blanks),
        cmocka_unit_test(what_the_card_said_need_not_be_keyed_in),
        cmocka_unit_test(an_answer_is_compared_field_by_field),
        cmocka_unit_test(a_name_written_another_way_is_no_difference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
