/*
 * Names that may be the same person's, and what an answer says otherwise than before. Pairs of characters are those of
 * Unicode's decompositions and of the JIS kanji whose old and new forms the 人名用 and 常用漢字 tables print together.
 */
#include "../../daemon/common/xmlmsg.h"
#include "../../daemon/desk/names.h"
#include "../../daemon/desk/person.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void names_that_may_be_the_same(void **state)
{
    static const struct {
        const char *a, *b;
        enum names_likeness like;
    } cases[] = {
        {"架空　花子", "架空 花子", NAMES_SAME},
        {"架空　花子", "架空花子", NAMES_SAME},
        {"髙橋　太郎", "高橋　太郎", NAMES_SAME},
        {"山﨑", "山崎", NAMES_SAME},
        {"山嵜", "山﨑", NAMES_SAME},
        {"渡邊", "渡辺", NAMES_SAME},
        {"渡邉", "渡邊", NAMES_SAME},
        {"齋藤", "斉藤", NAMES_SAME},
        {"濵田", "浜田", NAMES_SAME},
        {"𠮷田", "吉田", NAMES_SAME},
        {"栁沢", "柳澤", NAMES_SAME},
        {"桒原", "桑原", NAMES_SAME},
        {"福\xef\xa8\x9b", "福福", NAMES_SAME},       /* U+FA1B, a compatibility ideograph of 福 */
        {"葛\xf3\xa0\x84\x80城", "葛城", NAMES_SAME}, /* U+E0100, a selector of the glyph */
        {"架●　花子", "架空　花子", NAMES_MASKED},
        {"架空　花子", "●空　●子", NAMES_MASKED},
        {"架●　花子", "架●　花子", NAMES_MASKED},
        {"架●花子", "架空　一花子", NAMES_OTHER}, /* a ● is one character */
        {"●●", "架空", NAMES_OTHER},              /* nothing is seen of it */
        {"", "", NAMES_OTHER},
        {"架空　花子", "架空　花", NAMES_OTHER},
        {"佐藤　花子", "架空　花子", NAMES_OTHER},
        {"JOHN　SMITH", "ｊｏｈｎ smith", NAMES_SAME},
        {"ジョン・スミス", "ジョン　スミス", NAMES_SAME},
        {"ｼﾞｮﾝ", "ジョン", NAMES_SAME},
        {"\xff", "\xff", NAMES_OTHER},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (names_compare(cases[i].a, cases[i].b) != cases[i].like)
            fail_msg("%s and %s: %d", cases[i].a, cases[i].b,
                     (int)names_compare(cases[i].a, cases[i].b));
        if (names_compare(cases[i].b, cases[i].a) != cases[i].like)
            fail_msg("%s and %s", cases[i].b, cases[i].a);
    }
}

static void readings_that_may_be_the_same(void **state)
{
    static const struct {
        const char *a, *b;
        enum names_likeness like;
    } cases[] = {
        {"ｶｸｳ ﾊﾅｺ", "カクウ　ハナコ", NAMES_SAME},
        {"ｶｸｳ ﾊﾅｺ", "かくう はなこ", NAMES_SAME},
        {"ﾜﾀﾅﾍﾞ", "ワタナベ", NAMES_SAME},
        {"ﾊﾟｳﾛ", "パウロ", NAMES_SAME},
        {"ｳﾞｨﾄﾘｱ", "ヴイトリア", NAMES_SAME},
        {"ｼｮｳｺ", "シヨウコ", NAMES_SAME},
        {"ﾘｮｰ", "リョ－", NAMES_SAME},
        {"ｲｯﾍﾟｲ", "イツペイ", NAMES_SAME},
        {"ﾊﾅｺ", "ハナコ゛", NAMES_OTHER},
        {"ﾊﾅｺ", "バナコ", NAMES_OTHER},
        {"は゛な", "バナ", NAMES_SAME},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (names_compare_kana(cases[i].a, cases[i].b) != cases[i].like ||
            names_compare_kana(cases[i].b, cases[i].a) != cases[i].like)
            fail_msg("%s and %s", cases[i].a, cases[i].b);
}

static void symbols_in_one_width(void **state)
{
    static const struct {
        const char *text, *folded;
    } cases[] = {
        {"９９０１", "9901"},
        {"  990012", "990012"},
        {"試験　１－２", "試験1-2"},
        {"ｻｸﾗ‐１", "サクラ-1"},
        {"ﾎﾟﾌﾟﾗ", "ポプラ"},
        {"第・号", "第・号"},
        {"", ""},
    };
    char out[64], small[6];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        names_fold_code(cases[i].text, out, sizeof(out));
        assert_string_equal(out, cases[i].folded);
    }
    names_fold_code("架空の", small, sizeof(small));
    assert_string_equal(small, "架"); /* cut at a character */
}

/* Every row of the two tables is sorted and ends at once: what a variant stands for is no variant itself. */
static void the_tables_are_in_order(void **state)
{
    static const uint32_t variants[][2] = {
#define VARIANT(from, to) {from, to},
#include "../../daemon/desk/variants.def"
#undef VARIANT
    };
    static const uint32_t compat[][2] = {
#define COMPAT(from, to) {from, to},
#include "../../daemon/desk/compat.def"
#undef COMPAT
    };
    size_t n = sizeof(variants) / sizeof(variants[0]), m = sizeof(compat) / sizeof(compat[0]);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        assert_true(i == 0 || variants[i][0] > variants[i - 1][0]);
        for (size_t j = 0; j < n; j++)
            assert_true(variants[i][1] != variants[j][0]);
        for (size_t j = 0; j < m; j++) {
            assert_true(variants[i][0] != compat[j][0]);
            assert_true(variants[i][1] != compat[j][0]);
        }
    }
    for (size_t j = 1; j < m; j++)
        assert_true(compat[j][0] > compat[j - 1][0]);
}

/* ---- what an answer says --------------------------------------------------------------------- */

#define RESULT "MessageBody/ResultList/ResultOfQualificationConfirmation/"

static struct xmlmsg *answer(const char *const (*pairs)[2])
{
    struct xmlmsg *tree = xmlmsg_new("XmlMsg");
    char path[200];

    (void)xmlmsg_set(tree, RESULT "Name", "架空　花子");
    for (size_t i = 0; pairs != NULL && pairs[i][0] != NULL; i++) {
        (void)snprintf(path, sizeof(path), RESULT "%s", pairs[i][0]);
        assert_int_equal(xmlmsg_set(tree, path, pairs[i][1]), 0);
    }
    return tree;
}

static void every_field_is_taken_packed_and_compared(void **state)
{
    struct person empty = {0}, one = {0}, two, back;
    char packed[PERSON_PACKED], changes[12000], small[200];
    size_t len;

    (void)state;
    for (unsigned i = 0; i < PERSON_COUNT; i++)
        memset(one.text[i], 'a' + (int)(i % 20), PERSON_TEXT - 1);
    one.limit_told = one.diseases_told = true;
    len = person_pack(&one, packed, sizeof(packed));
    assert_true(len > 0);
    assert_true(person_unpack(&back, packed, len));
    assert_memory_equal(&back, &one, sizeof(one));
    assert_int_equal(person_pack(&one, packed, 100), 0);
    two = one;
    for (unsigned i = 0; i < PERSON_COUNT; i++)
        memset(two.text[i], '7', 3);
    assert_int_equal(person_compare(&one, &two, changes, sizeof(changes)), PERSON_COUNT);
    for (unsigned i = 0; i < PERSON_COUNT; i++) {
        char begins[40];

        (void)snprintf(begins, sizeof(begins), "%s\t", person_field_name(i));
        assert_non_null(strstr(changes, begins));
    }
    /* What does not fit is counted, and the last line says that there is more. */
    assert_int_equal(person_compare(&one, &two, small, sizeof(small)), PERSON_COUNT);
    assert_true(strlen(small) < sizeof(small));
    assert_string_equal(small + strlen(small) - 7, "more\t\t\n");
    assert_int_equal(person_compare(&one, &one, changes, sizeof(changes)), 0);
    assert_string_equal(changes, "");
    assert_int_equal(person_compare(&empty, &empty, changes, sizeof(changes)), 0);
    assert_false(person_unpack(&back, "name", 4));
    assert_false(person_unpack(&back, "name\n", 5));
    assert_true(person_unpack(&back, "of_a_later_version\tx\nname\tn\n", 28));
    assert_string_equal(back.text[PERSON_NAME], "n");
}

static void an_answer_with_one_result_is_a_person(void **state)
{
    static const char *const pairs[][2] = {
        {"Birthdate", "19540707"},
        {"Address", "架空県\t見本市\n1"},
        {"ElderlyRecipientCertificateInfo/ElderlyRecipientContributionRatio", "020"},
        {"LimitApplicationCertificateRelatedConsFlg", "1"},
        {NULL, NULL},
    };
    struct xmlmsg *tree = answer(pairs), *list, *info;
    struct person p;

    (void)state;
    list = xmlmsg_add(xmlmsg_find(tree, "MessageBody/ResultList/ResultOfQualificationConfirmation"),
                      "SpecificDiseasesCertificateList", NULL);
    for (unsigned i = 0; i < 2; i++) {
        info = xmlmsg_add(list, "SpecificDiseasesCertificateInfo", NULL);
        assert_non_null(xmlmsg_add(info, "SpecificDiseasesDiseaseCategory", i == 0 ? "1" : "3"));
    }
    assert_true(person_take(&p, tree));
    assert_string_equal(p.text[PERSON_NAME], "架空　花子");
    assert_string_equal(p.text[PERSON_ADDRESS], "架空県 見本市 1"); /* one line, no tabs */
    assert_string_equal(p.text[PERSON_ELDERLY_RATIO], "020");
    assert_string_equal(p.text[PERSON_DISEASES], "1 3");
    assert_true(p.limit_told && p.diseases_told);
    assert_non_null(xmlmsg_add(xmlmsg_add(xmlmsg_find(tree, "MessageBody/ResultList"),
                                          "ResultOfQualificationConfirmation", NULL),
                               "Name", "別人"));
    assert_false(person_take(&p, tree)); /* two: nobody knows which */
    xmlmsg_free(&tree);
    tree = xmlmsg_new("XmlMsg");
    assert_false(person_take(&p, tree));
    xmlmsg_free(&tree);
}

static void what_is_left_out_stays_in_the_book(void **state)
{
    struct person kept = {0}, now = {0};

    (void)state;
    strcpy(kept.text[PERSON_NAME], "髙橋　花子");
    strcpy(kept.text[PERSON_ADDRESS], "架空県");
    strcpy(kept.text[PERSON_VALID_UNTIL], "20260930");
    strcpy(now.text[PERSON_NAME], "高橋　●子");
    strcpy(now.text[PERSON_RATIO], "030");
    person_merge(&kept, &now);
    assert_string_equal(kept.text[PERSON_NAME], "髙橋　花子");
    assert_string_equal(kept.text[PERSON_ADDRESS], "架空県");
    assert_string_equal(kept.text[PERSON_RATIO], "030");
    assert_string_equal(kept.text[PERSON_VALID_UNTIL],
                        ""); /* its absence says that there is no end */
    strcpy(kept.text[PERSON_NAME], "高●　花子");
    person_merge(&kept, &now);
    strcpy(now.text[PERSON_NAME], "高橋　花子");
    person_merge(&kept, &now);
    assert_string_equal(kept.text[PERSON_NAME], "高橋　花子"); /* more is known now */
    strcpy(now.text[PERSON_NAME], "田中　花子");
    person_merge(&kept, &now);
    assert_string_equal(kept.text[PERSON_NAME], "田中　花子");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_may_be_the_same),
        cmocka_unit_test(readings_that_may_be_the_same),
        cmocka_unit_test(symbols_in_one_width),
        cmocka_unit_test(the_tables_are_in_order),
        cmocka_unit_test(every_field_is_taken_packed_and_compared),
        cmocka_unit_test(an_answer_with_one_result_is_a_person),
        cmocka_unit_test(what_is_left_out_stays_in_the_book),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
