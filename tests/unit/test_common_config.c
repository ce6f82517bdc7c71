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
         ":2: institutoin: ここにその項目はありません / there is no such key here; "
         "これのことですか / did you mean: institution\n"},
        {"[deskk]\n", ":1: deskk: そのセクションはありません / there is no such section; "
                      "これのことですか / did you mean: [desk]\n"},
        {"[lain 1]\n", "did you mean: [lane 1]\n"},
        {"[desk]\n\nmethod-seconds = soon\n",
         ":3: method-seconds: 範囲の中の数ではありません / not a number in range; "
         "この範囲の数にします / give a number within: 5 - 600\n"},
        {"[desk]\nmethod-seconds = 3\n", ":2: method-seconds: 範囲の中の数ではありません / "},
        {"[desk]\nmethod-seconds = 99999999999999999999\n",
         ":2: method-seconds: 範囲の中の数ではありません / "},
        {"[desk]\ngenuineness = maybe\n",
         ":2: genuineness: 選べる語ではありません / not one of the choices; 次から選びます / "
         "choose one of: require|challenge-only|off\n"},
        {"[desk]\ninstitution = 123\n",
         ":2: institution: 短すぎるか、長すぎます / too short or too long; "
         "このバイト数にします / give so many bytes: 10\n"},
        {"[lane 1]\nlabel = 0123456789012345678901234567890123456789012345678901234567890123x\n",
         ":2: label: 短すぎるか、長すぎます / too short or too long; "
         "このバイト数にします / give so many bytes: 0 - 64\n"},
        {"[desk]\npin-tries = 1\npin-tries = 2\n",
         ":3: pin-tries: 二度書かれています / given twice; どちらかの行を消します / keep one of "
         "the two lines\n"},
        {"institution = 1\n",
         ":1: institution: どのセクションにも入っていません / stands before any section; [desk] "},
        {"[lane]\n",
         ":1: lane: このセクションには名前が要ります / this section needs a name; [lane 1] "},
        {"[lane one]\n",
         ":1: lane one: レーンの名前は番号です / a lane is named by a number; [lane 1] "},
        {"[lane 65]\n", ":1: lane 65: レーンの名前は番号です / a lane is named by a number; "},
        {"[desk 1]\n", ":1: desk 1: このセクションに名前は付けられません / this section takes no "
                       "name; 名前を消します / "},
        {"[upstream a/b]\n", ":1: upstream a/b: 使えない名前です / not a usable name; "},
        {"[web]\nlisten = 0.0.0.0:8620\n",
         ":2: listen: このコンピューター自身のアドレスとポートではありません / not a loopback "
         "address with a port; 127.0.0.1:8620 "},
        {"[web]\nlisten = 192.168.10.5:8620\n",
         ":2: listen: このコンピューター自身のアドレスとポートではありません / "},
        {"[web]\nlisten = [::]:8620\n",
         ":2: listen: このコンピューター自身のアドレスとポートではありません / "},
        {"[web]\nlisten = 127.0.0.1\n",
         ":2: listen: このコンピューター自身のアドレスとポートではありません / "},
        {"[web]\nlisten = 127.0.0.1:0\n",
         ":2: listen: このコンピューター自身のアドレスとポートではありません / "},
        {"[web]\nlisten = 127.0.0.1:65536\n",
         ":2: listen: このコンピューター自身のアドレスとポートではありません / "},
        {"[web]\nlisten = localhost.example:8620\n",
         ":2: listen: このコンピューター自身のアドレスとポートではありません / "},
        {"[desk]\nnonsense\n",
         ":2: 「名前 = 値」の形ではありません / not of the form `name = value`; "},
        {"[desk\n", ":1: 見出しの形ではありません / not a heading; "},
        {"[desk]\nregister-references = perhaps\n",
         ":2: register-references: yes でも no でもありません / not a "
         "yes or no; yes か no と書きます / write yes or no\n"},
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
    assert_non_null(strstr(message, ":2: 行が長すぎます / the line is too long; "));
    assert_non_null(strstr(message, ":3: lane x: レーンの名前は番号です / "));
    free(message);
}

static void too_many_sections_are_told(void **state)
{
    struct config *config;
    char text[4000] = "[desk]\n";
    char *message;

    (void)state;
    for (int i = 0; i < 100; i++)
        (void)sprintf(text + strlen(text), "[output o%d]\n", i);
    assert_true(load(&config, text, &message) < 0);
    assert_non_null(strstr(message, ": output o99: セクションが多すぎます / too many sections; "));
    free(message);
}

static void a_missing_file_is_told(void **state)
{
    struct config *config;
    char *message;

    (void)state;
    assert_true(config_load(&config, "/nonexistent/uketsuke.conf", &message) < 0);
    assert_non_null(strstr(
        message,
        "読めません / cannot be read (No such file or directory); パスと権限を確かめます / "));
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
        cmocka_unit_test(too_many_sections_are_told),
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
