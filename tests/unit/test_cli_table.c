/* Columns of a terminal. Widths by hand from Unicode's EastAsianWidth.txt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/cli/json.h"
#include "daemon/cli/table.h"
#include "failure.h"
#include "visit.h"

#include <stdlib.h>
#include <string.h>

static void widths_are_cells_not_bytes(void **state)
{
    static const struct {
        const char *text;
        size_t cells;
    } cases[] = {
        {"", 0},     {"abc", 3},      {"受付", 4},     {"レーン1", 7}, {"ﾔﾏﾀﾞ", 4},
        {"１２", 4}, {"高●一", 5},    {"か\u3099", 2}, {"한국", 4},    {"e\u0301", 1},
        {"𠮷", 2},   {"a\u200bb", 2}, {"、。", 4},     {"→", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(table_width(cases[i].text), cases[i].cells);
}

static char *put(const char *text)
{
    char *out = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&out, &len);

    table_put(file, text);
    (void)fclose(file);
    return out;
}

static void a_name_cannot_steer_the_terminal(void **state)
{
    static const struct {
        const char *text;
        const char *shown;
    } cases[] = {
        {"\033[2J山田", "\ufffd[2J山田"},
        {"a\nb", "a\ufffdb"},
        {"a\x7f", "a\ufffd"},
        {"\xc2\x9b"
         "31m",
         "\ufffd31m"},
        {"\u202eabc", "\ufffdabc"},
        {"a\xff", "a\ufffd"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *shown = put(cases[i].text);

        assert_string_equal(shown, cases[i].shown);
        free(shown);
    }
}

static void a_text_is_cut_to_cells(void **state)
{
    static const struct {
        size_t cells;
        const char *shown;
    } cases[] = {{0, ""},    {1, "a"},           {2, "a"},           {3, "a山"},
                 {4, "a山"}, {5, "a山か\u3099"}, {6, "a山か\u3099b"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *out = NULL;
        size_t len = 0;
        FILE *file = open_memstream(&out, &len);

        table_put_most(file, "a山か\u3099b", cases[i].cells);
        (void)fclose(file);
        /* a wide letter is not halved, and its mark goes with it */
        assert_string_equal(out, cases[i].shown);
        free(out);
    }
}

static void columns_line_up(void **state)
{
    static const char *const headings[] = {"名前", "x", "z"};
    struct table *table = table_new(headings, 3);
    char *out = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&out, &len);

    (void)state;
    table_add(table, (const char *const[]){"山田 花子", "1", "end"});
    table_add(table, (const char *const[]){"Lee", "22", ""});
    assert_int_equal(table_rows(table), 2);
    table_print(table, file);
    (void)fclose(file);
    assert_string_equal(out, "名前       x   z\n"
                             "山田 花子  1   end\n"
                             "Lee        22  \n");
    free(out);
    table_free(&table);
}

static void a_message_is_one_line_of_json(void **state)
{
    struct msg_action_result m = {
        .request = 3, .accepted = 1, .failure = FAILURE_PIN_LOCKED, .visit = UINT64_MAX};
    struct msg_health_item h = {.request = 1, .state = 2};
    char *out = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&out, &len);

    (void)state;
    MESSAGE_TEXT(m.field, "a\"\\\n\x1f受");
    json_message(file, MSG_ACTION_RESULT, &m);
    MESSAGE_TEXT(h.component, "reader 1");
    json_message(file, MSG_HEALTH_ITEM, &h);
    (void)fclose(file);
    assert_string_equal(out, "{\"message\":\"action_result\",\"request\":3,\"accepted\":1,"
                             "\"failure\":\"P003\",\"visit\":\"18446744073709551615\","
                             "\"field\":\"a\\\"\\\\\\u000a\\u001f受\"}\n"
                             "{\"message\":\"health_item\",\"request\":1,\"state\":\"bad\","
                             "\"failure\":\"-\",\"component\":\"reader 1\","
                             "\"detail\":\"\",\"next\":\"\",\"until\":0}\n");
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(widths_are_cells_not_bytes),
        cmocka_unit_test(a_name_cannot_steer_the_terminal),
        cmocka_unit_test(a_text_is_cut_to_cells),
        cmocka_unit_test(columns_line_up),
        cmocka_unit_test(a_message_is_one_line_of_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
