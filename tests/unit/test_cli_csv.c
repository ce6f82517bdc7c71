/* CSV as RFC 4180 writes it down, and as Japanese spreadsheets write it (bytes composed by hand). */
#include "../../daemon/cli/csv.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void open_text(struct csv *csv, const char *text)
{
    assert_int_equal(csv_new(csv, text, strlen(text)), 0);
}

static void fields_quotes_and_line_ends(void **state)
{
    struct csv csv;
    struct csv_row row;

    (void)state;
    open_text(&csv, "a,b,c\r\n\"1,1\",\"say \"\"yes\"\"\",\"two\r\nlines\"\n\n,\"\",\r\nlast");
    assert_int_equal(csv_next(&csv, &row), 1);
    assert_int_equal(row.n, 3);
    assert_int_equal(row.line, 1);
    assert_string_equal(row.fields[0], "a");
    assert_string_equal(row.fields[2], "c");
    assert_int_equal(csv_next(&csv, &row), 1);
    assert_int_equal(row.line, 2);
    assert_string_equal(row.fields[0], "1,1");
    assert_string_equal(row.fields[1], "say \"yes\"");
    assert_string_equal(row.fields[2], "two\r\nlines");
    assert_int_equal(csv_next(&csv, &row), 1); /* the blank line is left out, and counted */
    assert_int_equal(row.line, 5);
    assert_int_equal(row.n, 3);
    assert_string_equal(row.fields[0], "");
    assert_string_equal(row.fields[1], "");
    assert_string_equal(row.fields[2], "");
    assert_int_equal(csv_next(&csv, &row), 1);
    assert_int_equal(row.n, 1);
    assert_string_equal(row.fields[0], "last");
    assert_int_equal(csv_next(&csv, &row), 0);
    assert_int_equal(csv_next(&csv, &row), 0);
    csv_free(&csv);
    open_text(&csv, "");
    assert_int_equal(csv_next(&csv, &row), 0);
    csv_free(&csv);
}

static void what_is_no_csv_says_where_and_why(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
    } cases[] = {{"a\n\"b\nc", 3}, {"a\nb\"c\n", 2}, {"\"a\"b\n", 1}};
    struct csv csv;
    struct csv_row row;
    int r;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        open_text(&csv, cases[i].text);
        while ((r = csv_next(&csv, &row)) == 1)
            ;
        assert_int_equal(r, -EINVAL);
        assert_int_equal(csv.line, cases[i].line);
        assert_non_null(csv.why_ja);
        assert_int_equal(csv_next(&csv, &row), 0);
        csv_free(&csv);
    }
}

static void both_encodings_and_a_mark(void **state)
{
    /* 氏名,髙橋 in CP932: 8E 81 96 BC, and FB FC (NEC selected) for 髙, 8B B4 for 橋 */
    static const uint8_t cp932[] = {0x8e, 0x81, 0x96, 0xbc, ',', 0xfb,
                                    0xfc, 0x8b, 0xb4, '\r', '\n'};
    struct csv csv;
    struct csv_row row;

    (void)state;
    assert_int_equal(csv_new(&csv, cp932, sizeof(cp932)), 0);
    assert_int_equal(csv_next(&csv, &row), 1);
    assert_string_equal(row.fields[0], "氏名");
    assert_string_equal(row.fields[1], "髙橋");
    csv_free(&csv);
    open_text(&csv, "\xef\xbb\xbf氏名,\"髙橋\"");
    assert_int_equal(csv_next(&csv, &row), 1);
    assert_string_equal(row.fields[0], "氏名");
    assert_string_equal(row.fields[1], "髙橋");
    csv_free(&csv);
    assert_int_equal(csv_new(&csv, "a\0b", 3), -EILSEQ);
    assert_int_equal(csv_new(&csv, "\xff\xff", 2), -EILSEQ);
}

static void bounds_hold(void **state)
{
    size_t len = CSV_BYTES_MAX + 1;
    char *big = malloc(len), line[CSV_FIELDS_MAX + 2];
    struct csv csv;
    struct csv_row row;

    (void)state;
    assert_non_null(big);
    memset(big, 'a', len);
    assert_int_equal(csv_new(&csv, big, len), -EMSGSIZE);
    assert_int_equal(csv_new(&csv, big, CSV_FIELD_MAX), 0);
    assert_int_equal(csv_next(&csv, &row), 1);
    csv_free(&csv);
    assert_int_equal(csv_new(&csv, big, CSV_FIELD_MAX + 1), 0);
    assert_int_equal(csv_next(&csv, &row), -EINVAL);
    csv_free(&csv);
    memset(line, ',', sizeof(line));
    assert_int_equal(csv_new(&csv, line, CSV_FIELDS_MAX - 1), 0);
    assert_int_equal(csv_next(&csv, &row), 1);
    assert_int_equal(row.n, CSV_FIELDS_MAX);
    csv_free(&csv);
    assert_int_equal(csv_new(&csv, line, CSV_FIELDS_MAX), 0);
    assert_int_equal(csv_next(&csv, &row), -EINVAL);
    csv_free(&csv);
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_quotes_and_line_ends),
        cmocka_unit_test(what_is_no_csv_says_where_and_why),
        cmocka_unit_test(both_encodings_and_a_mark),
        cmocka_unit_test(bounds_hold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
