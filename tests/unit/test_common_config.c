/* The configuration: what is accepted, and that each error says where, what and what next. */
#include "daemon/common/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/uketsuke-conf-XXXXXX";

static int load(struct config **config, const char *text, char **message)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return config_load(config, path, message);
}

static void given_values_and_defaults_are_found(void **state)
{
    struct config *config;
    char *message;

    (void)state;
    assert_int_equal(
        load(&config,
             "# comment\n[desk]\ninstitution = 9910000017\ninstitution-kind = "
             "pharmacy\nstate-directory = state\n"
             "[lane 2]\nlabel = 窓口2\n[lane 1]\n[upstream main]\ncapabilities = by_numbers\n",
             &message),
        0);
    assert_null(message);
    assert_string_equal(config_text(config, CFG_desk_INSTITUTION, NULL), "9910000017");
    assert_int_equal(config_number(config, CFG_desk_INSTITUTION_KIND, NULL), 2);
    assert_string_equal(config_text(config, CFG_desk_STATE_DIRECTORY, NULL), "/tmp/state");
    assert_string_equal(config_text(config, CFG_desk_RUN_DIRECTORY, NULL), "/run/uketsuke");
    assert_int_equal(config_number(config, CFG_desk_METHOD_SECONDS, NULL), 60);
    assert_false(config_given(config, CFG_desk_METHOD_SECONDS, NULL));
    assert_true(config_given(config, CFG_desk_INSTITUTION, NULL));
    assert_string_equal(config_text(config, CFG_lane_LABEL, "2"), "窓口2");
    assert_string_equal(config_text(config, CFG_lane_READER, "1"), "only");
    assert_string_equal(config_instance(config, "lane", 0), "2");
    assert_string_equal(config_instance(config, "lane", 1), "1");
    assert_null(config_instance(config, "lane", 2));
    config_free(&config);
}

static void each_error_names_its_line_and_a_way_out(void **state)
{
    static const struct {
        const char *text;
        const char *said;
    } wrong[] = {
        {"[desk]\ninstitutoin = 9910000017\n",
         ":2: institutoin: there is no such key here; did you mean institution?"},
        {"[deskk]\n", ":1: deskk: there is no such section; did you mean [desk]?"},
        {"[desk]\n\nmethod-seconds = soon\n",
         ":3: method-seconds: not a number in range; give a number from 5 to 600"},
        {"[desk]\nmethod-seconds = 3\n", ":2: method-seconds: not a number in range"},
        {"[desk]\nmethod-seconds = 99999999999999999999\n",
         ":2: method-seconds: not a number in range"},
        {"[desk]\ngenuineness = maybe\n",
         ":2: genuineness: not one of the choices; choose one of require|challenge-only|off"},
        {"[desk]\ninstitution = 123\n",
         ":2: institution: too short or too long; give 10 to 10 bytes"},
        {"[desk]\npin-tries = 1\npin-tries = 2\n", ":3: pin-tries: given twice"},
        {"institution = 1\n", ":1: institution: stands before any section"},
        {"[lane]\n", ":1: lane: this section needs a name"},
        {"[lane one]\n", ":1: lane one: a lane is named by a number"},
        {"[lane 65]\n", ":1: lane 65: a lane is named by a number"},
        {"[desk 1]\n", ":1: desk 1: this section takes no name"},
        {"[upstream a/b]\n", ":1: upstream a/b: not a usable name"},
        {"[web]\nlisten = 0.0.0.0:8620\n",
         ":2: listen: not a loopback address with a port; give one like 127.0.0.1:8620"},
        {"[web]\nlisten = 192.168.10.5:8620\n", ":2: listen: not a loopback address"},
        {"[web]\nlisten = [::]:8620\n", ":2: listen: not a loopback address"},
        {"[web]\nlisten = 127.0.0.1\n", ":2: listen: not a loopback address"},
        {"[web]\nlisten = 127.0.0.1:0\n", ":2: listen: not a loopback address"},
        {"[web]\nlisten = 127.0.0.1:65536\n", ":2: listen: not a loopback address"},
        {"[web]\nlisten = localhost.example:8620\n", ":2: listen: not a loopback address"},
        {"[desk]\nnonsense\n", ":2: line: not of the form `name = value`"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct config *config;
        char *message;

        assert_true(load(&config, wrong[i].text, &message) < 0);
        assert_null(config);
        assert_non_null(message);
        if (strstr(message, wrong[i].said) == NULL)
            fail_msg("for %s the message is %s", wrong[i].text, message);
        free(message);
    }
}

static void all_errors_are_told_at_once(void **state)
{
    struct config *config;
    char *message;
    int lines = 0;

    (void)state;
    assert_true(load(&config, "[desk]\na = 1\nb = 2\n[web]\nlisten = x\nc = 3\n", &message) < 0);
    for (const char *p = message; *p != '\0'; p++)
        lines += *p == '\n';
    assert_int_equal(lines, 4);
    free(message);
}

static void the_pages_may_stand_on_any_loopback_address(void **state)
{
    static const char *const good[] = {"127.0.0.1:8620", "127.1.2.3:1", "[::1]:65535",
                                       "localhost:8620"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct config *config;
        char text[100], *message;

        (void)snprintf(text, sizeof(text), "[web]\nlisten = %s\n", good[i]);
        assert_int_equal(load(&config, text, &message), 0);
        assert_string_equal(config_text(config, CFG_web_LISTEN, NULL), good[i]);
        config_free(&config);
    }
}

static void a_line_too_long_is_told_and_not_cut(void **state)
{
    struct config *config;
    char text[600] = "[desk]\nstate-directory = /";
    char *message;

    (void)state;
    memset(text + strlen(text), 'x', 400);
    (void)strcat(text, "\n[lane x]\n");
    assert_true(load(&config, text, &message) < 0);
    assert_non_null(strstr(message, ":2: line: the line is too long"));
    assert_non_null(strstr(message, ":3: lane x: a lane is named by a number"));
    free(message);
}

static void a_missing_file_is_told(void **state)
{
    struct config *config;
    char *message;

    (void)state;
    assert_true(config_load(&config, "/nonexistent/uketsuke.conf", &message) < 0);
    assert_non_null(strstr(message, "cannot be read (No such file or directory); check the path"));
    free(message);
}

static void every_row_of_the_table_is_sound(void **state)
{
    (void)state;
    for (int i = 0; i < CONFIG_KEY_COUNT; i++) {
        const struct config_row *row = config_row((enum config_key)i);

        assert_true(row->name[0] != '\0' && row->ja[0] != '\0' && row->en[0] != '\0');
        assert_true(row->min <= row->max);
        assert_int_equal(row->choices[0] != '\0', row->type == CONFIG_CHOICE);
        for (int j = 0; j < i; j++)
            assert_true(strcmp(row->section, config_row((enum config_key)j)->section) != 0 ||
                        strcmp(row->name, config_row((enum config_key)j)->name) != 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(given_values_and_defaults_are_found),
        cmocka_unit_test(each_error_names_its_line_and_a_way_out),
        cmocka_unit_test(all_errors_are_told_at_once),
        cmocka_unit_test(the_pages_may_stand_on_any_loopback_address),
        cmocka_unit_test(a_line_too_long_is_told_and_not_cut),
        cmocka_unit_test(a_missing_file_is_told),
        cmocka_unit_test(every_row_of_the_table_is_sound),
    };
    int fd = mkstemp(path), r;

    if (fd < 0)
        return 1;
    (void)close(fd);
    r = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(path);
    return r;
}
