/* Numbers of a certificate as staff key them in. Era boundaries: the days on which the eras changed. */
#include "../../daemon/desk/numbers.h"

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
        const char *wrong = check("06130012", "", "1", "", cases[i].text, &out);

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
        {"06130012", "06130012"},
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

static void symbol_number_branch(void **state)
{
    struct store_numbers out;

    (void)state;
    assert_null(check("06130012", "　試験　", " 1001 ", "1", "19710203", &out));
    assert_string_equal(out.symbol, "試験");
    assert_string_equal(out.number, "1001");
    assert_string_equal(out.branch, "01");
    assert_null(check("06130012", "", "１００１", "", "19710203", &out));
    assert_string_equal(out.number, "１００１");
    assert_string_equal(out.branch, "");
    assert_string_equal(check("06130012", "", "", "", "19710203", &out), "number");
    assert_string_equal(check("06130012", "", "　", "", "19710203", &out), "number");
    assert_string_equal(check("06130012", "", "1", "a", "19710203", &out), "branch");
    assert_string_equal(check("06130012", "a\tb", "1", "", "19710203", &out), "symbol");
    assert_string_equal(
        check("06130012", "ああああああああああああああああああああ1", "1", "", "19710203", &out),
        "symbol");
    assert_null(
        check("06130012", "ああああああああああああああああああああ", "1", "", "19710203", &out));
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
        cmocka_unit_test(symbol_number_branch),
        cmocka_unit_test(one_subject_for_one_person),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
