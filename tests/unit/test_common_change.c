/* What differs between two configurations, which of it a running desk can take, and which unit
 * needs a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/config_change.h"

static struct config *load(const char *text)
{
    struct config *config = NULL;
    char *message = NULL;
    FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");

    assert_non_null(file);
    if (config_load_stream(&config, file, "/etc/uketsuke/uketsuke.conf", &message) != 0)
        fail_msg("%s", message);
    assert_int_equal(fclose(file), 0);
    return config;
}

#define PLAIN                                                                                      \
    "[desk]\ninstitution = 9910000017\n[lane 1]\n[lane 2]\nlabel = b\n[upstream main]\nuser = a\n"

struct seen {
    char text[1000];
};

static void note(const struct config_change *change, void *arg)
{
    struct seen *seen = arg;
    char unit[200];
    size_t len = strlen(seen->text);

    config_units(change, unit, sizeof(unit));
    (void)snprintf(seen->text + len, sizeof(seen->text) - len, "%s: %s>%s %s;", change->name,
                   change->from != NULL ? change->from : "-", change->to != NULL ? change->to : "-",
                   change->live ? "live" : unit);
}

/* started, running (NULL: the same), wanted */
static void expect(const char *started, const char *running, const char *wanted, size_t count,
                   const char *words)
{
    struct config *a = load(started), *b = running != NULL ? load(running) : NULL,
                  *c = load(wanted);
    struct seen seen = {""};

    assert_int_equal(config_compare(a, b != NULL ? b : a, c, note, &seen), count);
    assert_string_equal(seen.text, words);
    config_free(&a);
    config_free(&b);
    config_free(&c);
}

static void the_same_is_no_change(void **state)
{
    (void)state;
    expect(PLAIN, NULL, PLAIN, 0, "");
    /* A default written out is no change either. */
    expect(PLAIN, NULL, PLAIN "[web]\nidle-minutes = 15\n", 0, "");
}

static void what_the_desk_can_take_is_told_apart_from_what_needs_a_restart(void **state)
{
    (void)state;
    expect(PLAIN, NULL, PLAIN "[web]\nidle-minutes = 30\n", 1,
           "[web] idle-minutes: 15>30 uketsuke-web.service;");
    expect(
        PLAIN, NULL,
        "[desk]\ninstitution = 9910000017\nface-seconds = 30\n[lane 1]\nlabel = "
        "a\n[lane 2]\nlabel = b\n[upstream main]\nuser = b\n",
        3,
        "[desk] face-seconds: 20>30 live;[lane 1] label: >a uketsuke-desk.service;[upstream main] "
        "user: a>b uketsuke-relay@main.service;");
    expect(PLAIN, NULL, PLAIN "[log]\nlevel = debug\n", 1,
           "[log] level: info>debug uketsuke.target;");
}

static void whoever_reads_a_key_is_named_and_nobody_else(void **state)
{
    static const struct {
        const char *from, *to, *words;
    } rows[] = {
        /* What a hook is told is decided by the desk: the one that carries it changes nothing. */
        {PLAIN "[output a]\ndetails = visit\n", PLAIN "[output a]\n",
         "[output a] details: visit>ids uketsuke-desk.service;"},
        {PLAIN "[output a]\n", PLAIN "[output a]\nmonths = 3\n",
         "[output a] months: 12>3 uketsuke-desk.service;"},
        {PLAIN "[output a]\n", PLAIN "[output a]\nseconds = 3\n",
         "[output a] seconds: 10>3 uketsuke-desk.service uketsuke-handover@a.service;"},
        {PLAIN "[output a]\n", PLAIN "[output a]\nuser = b\n",
         "[output a] user: >b uketsuke-handover@a.service;"},
        {PLAIN, PLAIN "capabilities = by_numbers consents\n",
         "[upstream main] capabilities: by_numbers>by_numbers consents uketsuke-desk.service "
         "uketsuke-relay@main.service;"},
        {PLAIN, PLAIN "[desk]\npeers = a\n", "[desk] peers: >a uketsuke.target;"},
        {PLAIN, PLAIN "[desk]\nrun-directory = /run/b\n",
         "[desk] run-directory: /run/uketsuke>/run/b uketsuke.target;"},
        {PLAIN, PLAIN "[desk]\nnegative-seconds = 0\nsubsidy = off\nsubsidy-element = A\n",
         "[desk] negative-seconds: 300>0 live;[desk] subsidy: ask>off live;[desk] "
         "subsidy-element: >A live;"},
        {PLAIN, PLAIN "[lane 1]\ncamera = none\nkeypad = shuffled\nlabel = a\n",
         "[lane 1] label: >a uketsuke-desk.service;[lane 1] camera: same>none "
         "uketsuke-broker.service;[lane 1] keypad: fixed>shuffled uketsuke-web.service;"},
        {PLAIN, PLAIN "[card]\nuser-ca = /a\n", "[card] user-ca: >/a uketsuke-reader@*.service;"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t count = 0;

        for (const char *at = rows[i].words; (at = strchr(at, ';')) != NULL; at++)
            count++;
        expect(rows[i].from, NULL, rows[i].to, count, rows[i].words);
    }
}

static void sections_come_and_go(void **state)
{
    (void)state;
    expect(PLAIN, NULL,
           "[desk]\ninstitution = 9910000017\n[lane 1]\n[lane 3]\n[upstream main]\nuser = a\n", 2,
           "[lane 3]: -> uketsuke-desk.service uketsuke-broker.service uketsuke-reader@3.service "
           "uketsuke-web.service;[lane 2]: >- uketsuke-desk.service uketsuke-broker.service "
           "uketsuke-reader@2.service uketsuke-web.service;");
    expect(PLAIN, NULL, PLAIN "[upstream old]\n[output kasa]\n", 2,
           "[upstream old]: -> uketsuke-desk.service uketsuke-relay@old.service;[output kasa]: -> "
           "uketsuke-desk.service uketsuke-handover@kasa.service;");
}

static void a_second_reload_is_held_against_what_was_taken_by_the_first(void **state)
{
    const char *first = "[desk]\ninstitution = 9910000018\nface-seconds = 30\n[lane 1]\n[lane "
                        "2]\nlabel = b\n[upstream main]\nuser = a\n";

    (void)state;
    /* The institution is still the one that the desk was started with. */
    expect(PLAIN, first, first, 1,
           "[desk] institution: 9910000017>9910000018 uketsuke-desk.service "
           "uketsuke-relay@*.service uketsuke-handover@*.service;");
    expect(PLAIN, first, PLAIN, 1, "[desk] face-seconds: 30>20 live;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_is_no_change),
        cmocka_unit_test(what_the_desk_can_take_is_told_apart_from_what_needs_a_restart),
        cmocka_unit_test(whoever_reads_a_key_is_named_and_nobody_else),
        cmocka_unit_test(sections_come_and_go),
        cmocka_unit_test(a_second_reload_is_held_against_what_was_taken_by_the_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
