/* Numbers of a certificate as staff key them in. Era boundaries: the days on which the eras changed. */
#include "../../daemon/desk/numbers.h"

#include "../../daemon/common/failure.h"
#include "../../daemon/common/xmlmsg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TODAY "20261005"

static const char *check(const char *insurer, const char *symbol, const char *number,
                         const char *branch, const char *birth, struct store_numbers *out)
{
    struct numbers_entry entry = {insurer, symbol, number, branch, birth};

    return numbers_check(&entry, TODAY, out);
}

static void birth_dates(void **state)
{
    static const struct {
        const char *text, *date; /* NULL: refused */
    } cases[] = {
        {"19710203", "19710203"},
        {"20240229", "20240229"},
        {"20230229", NULL},
        {"19000229", NULL},
        {"20000229", "20000229"},
        {"20261005", "20261005"},
        {"20261006", NULL},
        {"18671231", NULL},
        {"19711301", NULL},
        {"19710200", NULL},
        {"1971023", NULL},
        {"", NULL},
        {"S460203", "19710203"},
        {"s460203", "19710203"},
        {"3460203", "19710203"},
        {"S640107", "19890107"},
        {"S640108", NULL},
        {"H010108", "19890108"},
        {"H010107", NULL},
        {"H310430", "20190430"},
        {"H310501", NULL},
        {"R010501", "20190501"},
        {"R010430", NULL},
        {"5010501", "20190501"},
        {"T010730", "19120730"},
        {"T010729", NULL},
        {"M450729", "19120729"},
        {"M450730", NULL},
        {"T151224", "19261224"},
        {"S011225", "19261225"},
        {"S011224", NULL},
        {"S000101", NULL},
        {"X460203", NULL},
        {"S460230", NULL},
        {"S46.2.3", "19710203"},
        {"昭和46年2月3日", "19710203"},
        {"令和元年5月1日", "20190501"},
        {"令和元年４月３０日", NULL},
        {"平成元年1月8日", "19890108"},
        {"昭和64年1月7日", "19890107"},
        {"昭和64年1月8日", NULL},
        {"1971/2/3", "19710203"},
        {"1971-02-03", "19710203"},
        {"１９７１年２月３日", "19710203"},
        {"昭和 46年 2月 3日", "19710203"},
        {"H元.1.8", "19890108"},
        {"1971/2/30", NULL},
        {"1971/2", NULL},
        {"71/2/3", NULL},
        {"昭和46年2月3日生", NULL},
        {"昭和0年2月3日", NULL},
        {"1971/2/3/4", NULL},
        {"昭和46,2,3", NULL},
    };
    struct store_numbers out;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *wrong = check("06130017", "", "1", "", cases[i].text, &out);

        if (cases[i].date == NULL ? wrong == NULL || strcmp(wrong, "birth") != 0
                                  : wrong != NULL || strcmp(out.birth, cases[i].date) != 0)
            fail_msg("%s: %s %s", cases[i].text, wrong != NULL ? wrong : "good", out.birth);
    }
}

static void insurer_numbers(void **state)
{
    static const struct {
        const char *text, *number;
    } cases[] = {
        {"06130017", "06130017"},
        {"138057", "138057"},
        {"  138057", "138057"},
        {"00138057", "00138057"},
        {"1380571", NULL},
        {"13805", NULL},
        {"", NULL},
        {"00000000", NULL},
        {"0613001x", NULL},
        {"-6130012", NULL},
    };
    struct store_numbers out;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *wrong = check(cases[i].text, "", "1", "", "19710203", &out);

        if (cases[i].number == NULL ? wrong == NULL || strcmp(wrong, "insurer") != 0
                                    : wrong != NULL || strcmp(out.insurer, cases[i].number) != 0)
            fail_msg("%s: %s", cases[i].text, wrong != NULL ? wrong : out.insurer);
    }
}

static void refuses_digit(const char *number)
{
    struct store_numbers out;
    const char *wrong = check(number, "", "1", "", "19710203", &out);

    if (wrong == NULL || strcmp(wrong, "insurer") != 0)
        fail_msg("%s: %s", number, wrong != NULL ? wrong : "good");
    assert_int_equal(numbers_failure(wrong, number, FAILURE_LOOKUP_FORMAT), FAILURE_INSURER_DIGIT);
}

/*
 * Public numbers: 協会けんぽ's of Tokyo, 千葉県警's, which the published rule is explained with, the 国民健康保険 of two wards
 * of Tokyo. A wrong digit anywhere is found, and two neighbours that changed places, but for 0 and 9.
 */
static void check_digits(void **state)
{
    static const char *const good[] = {"01130012", "33120015", "138057", "138016", "  138057"};
    struct store_numbers out;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_null(check(good[i], "", "1", "", "19710203", &out));
        for (size_t at = strspn(good[i], " "); good[i][at] != '\0'; at++) {
            char number[9];

            strcpy(number, good[i]);
            for (char digit = '0'; digit <= '9'; digit++) {
                number[at] = digit;
                if (digit != good[i][at])
                    refuses_digit(number);
            }
            strcpy(number, good[i]);
            if (number[at + 1] == '\0' || number[at] == number[at + 1])
                continue;
            number[at] = good[i][at + 1];
            number[at + 1] = good[i][at];
            refuses_digit(number);
        }
    }
    assert_null(check("０１１３００１２", "", "1", "", "19710203", &out));
    refuses_digit("０１１３００１３");
    /* What is wrong in another way keeps its own words. */
    assert_int_equal(numbers_failure("insurer", "1380571", FAILURE_LOOKUP_FORMAT),
                     FAILURE_LOOKUP_FORMAT);
    assert_int_equal(numbers_failure("insurer", "", FAILURE_SLIP_FORMAT), FAILURE_SLIP_FORMAT);
    assert_int_equal(numbers_failure("insurer", NUMBERS_UNKNOWN_INSURER, FAILURE_SLIP_FORMAT),
                     FAILURE_SLIP_FORMAT);
    assert_int_equal(numbers_failure("birth", "01130013", FAILURE_LOOKUP_FORMAT),
                     FAILURE_LOOKUP_FORMAT);
}

/* An answer names the insurer that the service knows: it is taken as it is. */
static void numbers_of_an_answer_are_not_judged(void **state)
{
#define RESULT "MessageBody/ResultList/ResultOfQualificationConfirmation/"
    struct xmlmsg *tree = xmlmsg_new("XmlMsg");
    struct store_numbers out;

    (void)state;
    assert_non_null(tree);
    assert_int_equal(xmlmsg_set(tree, RESULT "InsurerNumber", "99000011"), 0);
    assert_int_equal(xmlmsg_set(tree, RESULT "InsuredIdentificationNumber", "1001"), 0);
    assert_int_equal(xmlmsg_set(tree, RESULT "Birthdate", "19710203"), 0);
    assert_true(numbers_of_answer(tree, TODAY, &out));
    assert_string_equal(out.insurer, "99000011");
    xmlmsg_free(&tree);
}

static void symbol_number_branch(void **state)
{
    struct store_numbers out;

    (void)state;
    assert_null(check("06130017", "　試験　", " 1001 ", "1", "19710203", &out));
    assert_string_equal(out.symbol, "試験");
    assert_string_equal(out.number, "1001");
    assert_string_equal(out.branch, "01");
    assert_null(check("06130017", "", "１００１", "", "19710203", &out));
    assert_string_equal(out.number, "１００１");
    assert_string_equal(out.branch, "");
    assert_string_equal(check("06130017", "", "", "", "19710203", &out), "number");
    assert_string_equal(check("06130017", "", "　", "", "19710203", &out), "number");
    assert_string_equal(check("06130017", "", "1", "a", "19710203", &out), "branch");
    assert_string_equal(check("06130017", "a\tb", "1", "", "19710203", &out), "symbol");
    assert_string_equal(
        check("06130017", "ああああああああああああああああああああ1", "1", "", "19710203", &out),
        "symbol");
    assert_null(
        check("06130017", "ああああああああああああああああああああ", "1", "", "19710203", &out));
}

static void one_subject_for_one_person(void **state)
{
    struct store_numbers a = {"138057", "試験", "1001", "01", "19710203"};
    struct store_numbers b = a;
    char x[512], y[512];
    size_t n = numbers_subject(&a, x, sizeof(x));

    (void)state;
    assert_true(n > 0);
    /* Padded with zeros it is the same insurer. */
    strcpy(b.insurer, "00138057");
    assert_int_equal(numbers_subject(&b, y, sizeof(y)), n);
    assert_memory_equal(x, y, n);
    /* A digit that moves from one field to the next makes another person. */
    strcpy(b.number, "100101");
    b.branch[0] = '\0';
    assert_true(numbers_subject(&b, y, sizeof(y)) != n || memcmp(x, y, n) != 0);
    assert_int_equal(numbers_subject(&a, x, 10), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(birth_dates),
        cmocka_unit_test(insurer_numbers),
        cmocka_unit_test(check_digits),
        cmocka_unit_test(numbers_of_an_answer_are_not_judged),
        cmocka_unit_test(symbol_number_branch),
        cmocka_unit_test(one_subject_for_one_person),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
