/* What a well-formed configuration means: each thing that cannot be is refused with its line, its key and a way out, for
 * every program; what is missing, for the programs that cannot start without it. And what works goes on working. */
#include "daemon/common/config_meaning.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PATH "/etc/uketsuke/uketsuke.conf"
#define DESK "[desk]\ninstitution = 9910000017\n"
#define LANE "[lane 1]\n"
#define FILES "ca = ca.pem\ncertificate = client.pem\n"
#define AUTH "auth-url = https://h/auth\n"
#define WEB "[upstream main]\n" AUTH "search-url = https://h/search\n" FILES
#define FIRST_FREE_LINE "9" /* after DESK LANE WEB */
#define GOOD DESK LANE WEB

static int load(const char *text, struct config **config, char **message)
{
    FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    int r;

    assert_non_null(file);
    r = config_load_stream(config, file, PATH, message);
    assert_int_equal(fclose(file), 0);
    return r;
}

static size_t lines_of(const char *text)
{
    size_t lines = 0;

    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

static void what_cannot_be_is_refused_with_its_line_and_a_way_out(void **state)
{
    static const struct {
        const char *text;
        const char *said; /* after the path */
        const char *next; /* the suggestion */
    } wrong[] = {
        {"[desk]\ninstitution = 12345678ab\n",
         ":2: institution: 数字10桁ではありません / is not ten digits; ", "give the ten digits"},
        {"[desk]\nconsents = limit foo\n", ":2: consents: foo: 不明な語です / no such word; ",
         "choose from limit drugs checkup diagnosis operation disease\n"},
        {WEB "[desk]\nroutes = nonsense\n",
         ":7: routes: nonsense: ", "choose from by_numbers reference_number documents = main\n"},
        {WEB "[desk]\nroutes = documents=nobody\n", ":7: routes: documents=nobody: ", "= main\n"},
        {WEB "[desk]\nroutes = documents=\n", ":7: routes: documents=: ", "= main\n"},
        {WEB "[desk]\nroutes = =main\n", ":7: routes: =main: ", "= main\n"},
        {WEB "[desk]\nroutes = face_files=main\n",
         ":7: routes: face_files=main: ", "choose from by_numbers"},
        {WEB "[desk]\nroutes = documents=main by_numbers=main documents=main\n",
         ":7: routes: documents=main: ", "each capability once"},
        {WEB "[lane 1]\nupstream = nosuch\n",
         ":7: [lane 1] upstream: nosuch: その [upstream] がありません / there is no such "
         "[upstream] "
         "section; ",
         "choose from main\n"},
        {WEB "[lane 1]\nupstream =\n", ":7: [lane 1] upstream: ", "choose from main\n"},
        {"[lane 1]\nlabel = a\nreader = rubbish\n",
         ":3: [lane 1] reader: rubbish: 読み取り機の書き方ではありません / names no reader; ",
         "only | port=1-2.3"},
        {"[lane 1]\nreader = same\n", ":2: [lane 1] reader: same: ", "usbip=PATH"},
        {"[lane 1]\n\ncamera = video0\n", ":3: [lane 1] camera: video0: ", "v4l2:/dev/video0"},
        {"[lane 1]\n[lane 2]\n[lane 01]\n",
         ":3: [lane 01]: 同じ番号のレーンがもうあります / another lane", "give it another number"},
        {"[upstream main]\ncapabilities = by_numbers telepathy\n",
         ":2: [upstream main] capabilities: telepathy: 不明な語です / no such word; ",
         "choose from by_numbers reference_number bulk face_files card_session register consents "
         "documents\n"},
        {"[upstream main]\ncapabilities = face_files\n",
         ":2: [upstream main] capabilities: face_files: この種類の照会先にはありません",
         "choose from by_numbers reference_number bulk card_session register consents documents\n"},
        {"[upstream main]\ncapabilities = register\nkind = folders\n",
         ":2: [upstream main] capabilities: register: ",
         "choose from by_numbers reference_number bulk face_files documents\n"},
        {"[upstream main]\nauth-url = http://127.0.0.1/auth\n",
         ":2: [upstream main] auth-url: ", "https://HOST/"},
        {"[upstream main]\nsearch-url = https:///search\n",
         ":2: [upstream main] search-url: ", "https://HOST/"},
        {"[upstream main]\nsearch-url = https://\n",
         ":2: [upstream main] search-url: ", "https://HOST/"},
        {"[upstream main]\nextension-url = https://user@host/\n",
         ":2: [upstream main] extension-url: ", "holds no user name"},
        {WEB "[output main]\n",
         ":6: [output main]: 同じ名前の [upstream] があります / an upstream has that name; ",
         "rename one of the two"},
        {"[output a]\nkind = hook\nurl = ftp://h/\n", ":3: [output a] url: ", "https://HOST/"},
        {"[output a]\nkind = orca\nurl = http://192.168.0.9:8000/x\n",
         ":3: [output a] url: ", "cleartext = yes"},
        {"[output a]\nkind = hook\nurl = http://localhost.example/x\n",
         ":3: [output a] url: ", "cleartext = yes"},
        {"[output a]\nkind = orca\nuser = a:b\n", ":3: [output a] user: ", "the user at ORCA"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct config *config = NULL;
        char *message = NULL, said[300];

        if (load(wrong[i].text, &config, &message) == 0)
            fail_msg("%s is taken", wrong[i].text);
        assert_null(config);
        (void)snprintf(said, sizeof(said), PATH "%s", wrong[i].said);
        if (strncmp(message, said, strlen(said)) != 0 || strstr(message, wrong[i].next) == NULL ||
            lines_of(message) != 1)
            fail_msg("for %s the message is %s", wrong[i].text, message);
        free(message);
    }
}

static void too_many_of_a_kind_are_refused(void **state)
{
    static const char *const kinds[] = {"upstream", "output"};

    (void)state;
    for (size_t k = 0; k < 2; k++)
        for (int n = 16; n <= 17; n++) {
            struct config *config = NULL;
            char *message = NULL, text[600] = "", said[60];

            for (int i = 0; i < n; i++)
                (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "[%s a%d]\n",
                               kinds[k], i);
            assert_int_equal(load(text, &config, &message) == 0, n == 16);
            (void)snprintf(said, sizeof(said), ":17: [%s a16]: ", kinds[k]);
            if (n == 17)
                assert_non_null(strstr(message, said));
            config_free(&config);
            free(message);
        }
}

static void what_is_right_is_taken(void **state)
{
    static const char *const right[] = {
        "", /* many a program needs nothing of the file */
        "[lane 1]\nlabel = 1\n",
        "[upstream main]\n",
        GOOD,
        "[desk]\nconsents =\n",
        "[desk]\nconsents =  limit   disease \n",
        WEB "[desk]\nroutes =  documents=main   by_numbers=main\n",
        "[upstream main]\ncapabilities =\n",
        "[upstream main]\nkind = folders\ncapabilities = face_files bulk\nauth-url = http://old\n",
        "[upstream main]\nkind = web-api\nauth-url = https://127.0.0.1:8/a?b=c\n",
        "[upstream main]\n[lane 64]\nreader = id=054c:0dc8/A1\ncamera = auto:same\n",
        "[upstream b]\n[lane 1]\nupstream = b\nreader = usbip=/run/a.sock\ncamera = none\n",
        "[output a]\nkind = hook\nurl = http://127.0.0.1:8624/hook\n",
        "[output a]\nkind = hook\nurl = http://[::1]:8624/hook\n",
        "[output a]\nkind = hook\nurl = http://localhost:8624/hook\n",
        "[output a]\nkind = orca\nurl = http://192.168.0.9/x\ncleartext = yes\n",
        "[output a]\nkind = face-files\nurl = ftp://not-looked-at\nuser = a:b\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        struct config *config = NULL;
        char *message = NULL;

        if (load(right[i], &config, &message) != 0)
            fail_msg("%s: %s", right[i], message);
        config_free(&config);
    }
}

static void what_is_missing_is_told_to_whom_it_concerns(void **state)
{
    static const struct {
        const char *text;
        unsigned use;         /* whose start fails */
        const char *instance; /* of which section */
        const char *said, *next;
    } rows[] = {
        {LANE WEB, FOR_DESK, NULL, ": institution: ありません / is missing; ", "ten digits"},
        {"[desk]\n" LANE WEB, FOR_DESK, NULL, ":1: institution: ", "ten digits"},
        {DESK WEB, FOR_DESK, NULL, ": [lane]: レーンがありません / there is no lane; ",
         "write [lane 1]"},
        {DESK LANE "[upstream b]\n" AUTH "search-url = https://h/s\n" FILES, FOR_DESK, NULL,
         ":3: [lane 1] upstream: main: ", "write [upstream main]"},
        {DESK LANE "[upstream main]\nsearch-url = https://h/s\n" FILES, FOR_RELAY, "main",
         ":4: [upstream main] auth-url: ありません / is missing; ", "authentication call"},
        {DESK LANE "[upstream main]\nauth-url =\nsearch-url = https://h/s\n" FILES, FOR_RELAY,
         "main", ":5: [upstream main] auth-url: ", "authentication call"},
        {DESK LANE "[upstream main]\n" AUTH FILES, FOR_RELAY, "main",
         ":4: [upstream main] search-url: ", "search call"},
        {GOOD "capabilities = by_numbers register\n", FOR_RELAY, "main",
         ":4: [upstream main] extension-url: ", "any capability but by_numbers"},
        {DESK LANE "[upstream main]\n" AUTH "search-url = https://h/s\ncertificate = c\n",
         FOR_RELAY, "main", ":4: [upstream main] ca: ", "the server's CA"},
        {DESK LANE "[upstream main]\n" AUTH "search-url = https://h/s\nca = c\n", FOR_RELAY, "main",
         ":4: [upstream main] certificate: ", "client certificate"},
        {DESK LANE "[upstream main]\nkind = folders\n", FOR_RELAY, "main",
         ":4: [upstream main] folder: ", "req"},
        {GOOD "[output a]\n", FOR_HANDOVER, "a",
         ":" FIRST_FREE_LINE ": [output a] folder: ", "where the files appear"},
        {GOOD "[output a]\nkind = documents\n", FOR_HANDOVER, "a",
         ": [output a] folder: ", "where the files appear"},
        {GOOD "[output a]\nkind = hook\n", FOR_HANDOVER, "a",
         ": [output a] url: ", "URL of the hook"},
        {GOOD "[output a]\nkind = hook\nurl = https://h/\n", FOR_HANDOVER, "a",
         ": [output a] ca: ", "the receiver's CA"},
        {GOOD "[output a]\nkind = orca\nurl = http://[::1]/\n", FOR_HANDOVER, "a",
         ": [output a] physician: ", "physician code"},
        {GOOD "[output a]\nkind = orca\nurl = http://[::1]/\nphysician = 1\ndepartment =\n",
         FOR_HANDOVER, "a", ":13: [output a] department: ", "department code"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config *config = NULL;
        char *message = NULL;

        if (load(rows[i].text, &config, &message) != 0)
            fail_msg("%s: %s", rows[i].text, message);
        for (unsigned use = 0; use <= 9; use++) {
            /* each program, then all of them, then the right one with another instance */
            unsigned asked = use < 8 ? 1u << use : use == 8 ? (unsigned)FOR_ALL : rows[i].use;
            const char *instance = use == 9 && rows[i].instance != NULL ? "other"
                                   : use < 8                            ? rows[i].instance
                                                                        : NULL;
            bool mine = (asked & rows[i].use) != 0 && !(use == 9 && rows[i].instance != NULL);
            size_t size = 0;
            FILE *to = open_memstream(&message, &size);

            assert_non_null(to);
            assert_int_equal(config_missing(config, asked, instance, to), mine ? 1 : 0);
            assert_int_equal(fclose(to), 0);
            if (mine &&
                (strncmp(message, PATH, strlen(PATH)) != 0 ||
                 strstr(message, rows[i].said) == NULL || strstr(message, rows[i].next) == NULL))
                fail_msg("for %s the message is %s", rows[i].text, message);
            free(message);
        }
        config_free(&config);
    }
}

static void all_that_is_wrong_is_told_at_once(void **state)
{
    struct config *config = NULL;
    char *message = NULL;

    (void)state;
    assert_true(load("[desk]\nconsents = x\nfoo = 1\n[lane 1]\nreader = y\ncamera = z\n", &config,
                     &message) < 0);
    assert_int_equal(lines_of(message), 4);
    free(message);
}

static void the_words_are_read_as_they_were_checked(void **state)
{
    struct config *config = NULL;
    char *message = NULL;
    struct config_route route;
    const char *text;

    (void)state;
    assert_int_equal(load("[desk]\nconsents = drugs  disease\nroutes =  documents=b by_numbers=a\n"
                          "[upstream a]\ncapabilities = bulk\n[upstream b]\n",
                          &config, &message),
                     0);
    assert_int_equal(config_bits(config, CFG_desk_CONSENTS, NULL), 2 | 32);
    assert_int_equal(config_bits(config, CFG_upstream_CAPABILITIES, "a"), 4);
    assert_int_equal(config_bits(config, CFG_upstream_CAPABILITIES, "b"), 1);
    text = config_text(config, CFG_desk_ROUTES, NULL);
    assert_true(config_next_route(&text, &route));
    assert_int_equal(route.capability, 128);
    assert_string_equal(route.upstream, "b");
    assert_true(config_next_route(&text, &route));
    assert_int_equal(route.capability, 1);
    assert_string_equal(route.upstream, "a");
    assert_false(config_next_route(&text, &route));
    config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_is_refused_with_its_line_and_a_way_out),
        cmocka_unit_test(too_many_of_a_kind_are_refused),
        cmocka_unit_test(what_is_right_is_taken),
        cmocka_unit_test(what_is_missing_is_told_to_whom_it_concerns),
        cmocka_unit_test(all_that_is_wrong_is_told_at_once),
        cmocka_unit_test(the_words_are_read_as_they_were_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
