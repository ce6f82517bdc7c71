/*
 * The card operations on every card that set-up makes (build/sim/cards), in this process: the simulator shares no
 * code with the card layer, so that both would have to misread the published layout in the same way.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/common/clock.h"
#include "daemon/common/secret.h"
#include "daemon/common/visit.h"
#include "driver/card/card.h"
#include "driver/card/card_channel.h"
#include "driver/card/card_trust.h"
#include "tests/sim/reader/card.h"

struct wire {
    struct card_channel channel; /* first */
    struct card *card;
    card_channel_fn *done;
    void *arg;
    enum card_link link;
    uint8_t answer[CARD_RESPONSE_MAX];
    size_t len;
    bool pending;
};

static struct wire wire;
static struct clock *now;
static struct card_trust *trust;
static struct card_engine *engine;
static struct card_report report;
static unsigned reports;
static char cards[PATH_MAX];
static char state_directory[] = "/tmp/card-simulated-XXXXXX";

static void begin(card_channel_fn *done, void *arg)
{
    assert_false(wire.pending);
    wire.pending = true;
    wire.done = done;
    wire.arg = arg;
    wire.link = CARD_LINK_OK;
    wire.len = 0;
}

static void power_on(struct card_channel *channel, uint64_t deadline_us, card_channel_fn *done,
                     void *arg)
{
    (void)channel;
    (void)deadline_us;
    begin(done, arg);
    sim_card_reset(wire.card);
    wire.len = sim_card_atr(wire.card, wire.answer);
    if (wire.len == 0)
        wire.link = CARD_LINK_MUTE;
}

static void power_off(struct card_channel *channel, uint64_t deadline_us, card_channel_fn *done,
                      void *arg)
{
    (void)channel;
    (void)deadline_us;
    begin(done, arg);
    sim_card_reset(wire.card);
}

static void transmit(struct card_channel *channel, const uint8_t *apdu, size_t len,
                     uint64_t deadline_us, card_channel_fn *done, void *arg)
{
    (void)channel;
    (void)deadline_us;
    begin(done, arg);
    wire.len = sim_card_transmit(wire.card, apdu, len, wire.answer);
}

static void abort_request(struct card_channel *channel)
{
    (void)channel;
    wire.link = CARD_LINK_CANCELLED;
}

static const struct card_channel_ops ops = {
    .power_on = power_on, .power_off = power_off, .transmit = transmit, .abort = abort_request};

static void on_done(struct card_engine *e, const struct card_report *r, void *arg)
{
    (void)e;
    (void)arg;
    report = *r;
    reports++;
}

static enum card_end finish(void)
{
    unsigned before = reports;

    while (reports == before) {
        if (wire.pending) {
            wire.pending = false;
            wire.done(wire.arg, wire.link, wire.answer, wire.len);
        } else {
            assert_true(clock_advance(now, 1) > 0);
        }
    }
    return report.end;
}

static uint64_t deadline(void)
{
    return clock_monotonic_us(now) + 30 * CLOCK_SECOND;
}

static struct secret secret_of(const char *text)
{
    struct secret secret;

    assert_int_equal(secret_new(&secret, 32), 0);
    assert_int_equal(secret_set(&secret, text, strlen(text)), 0);
    return secret;
}

static enum card_end identify(void)
{
    assert_int_equal(card_engine_identify(engine, deadline(), on_done, NULL), 0);
    return finish();
}

static enum card_end sign(const char *pin)
{
    const struct card_sign_request request = {.deadline_us = deadline(),
                                              .time = 1795339500,
                                              .institution = "9910000017",
                                              .purpose = "eligibility"};
    struct secret secret = secret_of(pin);

    assert_int_equal(card_engine_sign(engine, &request, &secret, on_done, NULL), 0);
    return finish();
}

static enum card_end photo(const char *number_b)
{
    const struct card_photo_request request = {.deadline_us = deadline(), .scanned = true};
    struct secret secret = secret_of(number_b);

    assert_int_equal(card_engine_photo(engine, &request, &secret, on_done, NULL), 0);
    return finish();
}

/* A cell of cards/index.tsv. */
static void cell(const char *card, const char *column, char *out, size_t size)
{
    char path[PATH_MAX + 16];
    char line[2048];
    char head[2048];
    unsigned n = 0;
    char *at;
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/index.tsv", cards);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(head, sizeof(head), file));
    for (at = strtok(head, "\t\n"); at != NULL && strcmp(at, column) != 0;
         at = strtok(NULL, "\t\n"))
        n++;
    assert_non_null(at);
    out[0] = 0;
    while (out[0] == 0 && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, card, strlen(card)) != 0 || line[strlen(card)] != '\t')
            continue;
        at = line;
        for (unsigned i = 0; i < n; i++)
            at = strchr(at, '\t') + 1;
        (void)snprintf(out, size, "%.*s", (int)strcspn(at, "\t\n"), at);
    }
    (void)fclose(file);
}

static void lay(const char *name)
{
    sim_card_close(&wire.card);
    if (sim_card_open(&wire.card, cards, state_directory, name, 1) < 0)
        fail_msg("no card %s in %s; make cards", name, cards);
    assert_int_equal(sim_card_reset_counters(wire.card), 0);
    card_engine_card_gone(engine);
    card_engine_forget(engine);
}

static int up(void **state)
{
    const char *sim = getenv("UKETSUKE_SIM");
    char path[PATH_MAX + 64];
    char authorities[PATH_MAX + 64];
    char *culprit = NULL;
    ssize_t n;

    (void)state;
    if (sim != NULL) {
        (void)snprintf(cards, sizeof(cards), "%.4000s/cards", sim);
    } else {
        n = readlink("/proc/self/exe", path, PATH_MAX - 1);
        assert_true(n > 0);
        path[n] = 0;
        *strrchr(path, '/') = 0;
        (void)snprintf(cards, sizeof(cards), "%.4000s/../../sim/cards", path);
    }
    assert_non_null(mkdtemp(state_directory));
    (void)snprintf(path, sizeof(path), "%s/trust", cards);
    (void)snprintf(authorities, sizeof(authorities), "%s/trust/auth-ca.pem", cards);
    if (card_trust_load(&trust, path, authorities, &culprit) < 0)
        fail_msg("%s cannot be read; make cards", culprit);
    now = clock_new_simulated(CLOCK_SECOND, 1795339500 * CLOCK_SECOND);
    wire.channel.ops = &ops;
    wire.channel.read_max = 510;
    engine = card_engine_new(now, trust);
    assert_non_null(engine);
    card_engine_set_channel(engine, &wire.channel);
    return 0;
}

static int down(void **state)
{
    char command[128];

    (void)state;
    card_engine_free(&engine);
    card_trust_free(&trust);
    clock_free(&now);
    sim_card_close(&wire.card);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", state_directory);
    return system(command);
}

static void every_made_card_ends_as_its_description_says(void **state)
{
    static const struct {
        const char *card;
        enum card_end identify, sign, photo;
        enum genuine record, challenge;
    } rows[] = {
        {"franck", CARD_END_OK, CARD_END_OK, CARD_END_OK, GENUINE_YES, GENUINE_YES},
        {"other", CARD_END_OK, CARD_END_OK, CARD_END_OK, GENUINE_YES, GENUINE_YES},
        {"counterfeit", CARD_END_OK, CARD_END_OK, CARD_END_OK, GENUINE_NO, GENUINE_YES},
        {"cloned", CARD_END_OK, CARD_END_OK, CARD_END_OK, GENUINE_YES, GENUINE_NO},
        {"unknown-issuer", CARD_END_OK, CARD_END_OK, CARD_END_OK, GENUINE_NO, GENUINE_YES},
        {"no-photo", CARD_END_OK, CARD_END_OK, CARD_END_NO_PHOTO, GENUINE_NOT_CHECKED,
         GENUINE_NOT_CHECKED},
        {"absent-photo", CARD_END_OK, CARD_END_OK, CARD_END_NO_PHOTO, GENUINE_NOT_CHECKED,
         GENUINE_NOT_CHECKED},
        {"pinless", CARD_END_OK, CARD_END_PIN_LOCKED, CARD_END_OK, GENUINE_YES, GENUINE_YES},
        {"locked-pin", CARD_END_OK, CARD_END_PIN_LOCKED, CARD_END_OK, GENUINE_YES, GENUINE_YES},
        {"last-try", CARD_END_OK, CARD_END_PIN_LAST_TRY, CARD_END_OK, GENUINE_YES, GENUINE_YES},
        {"number-b-locked", CARD_END_OK, CARD_END_OK, CARD_END_NUMBER_B_LOCKED, GENUINE_NOT_CHECKED,
         GENUINE_NOT_CHECKED},
        {"number-b-used", CARD_END_OK, CARD_END_OK, CARD_END_NUMBER_B_FEW_TRIES,
         GENUINE_NOT_CHECKED, GENUINE_NOT_CHECKED},
        {"expired-cert", CARD_END_OK, CARD_END_OK, CARD_END_OK, GENUINE_YES, GENUINE_YES},
        {"revoked-cert", CARD_END_OK, CARD_END_OK, CARD_END_OK, GENUINE_YES, GENUINE_YES},
    };
    char pin[64];
    char number_b[64];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("%s\n", rows[i].card);
        lay(rows[i].card);
        cell(rows[i].card, "pin", pin, sizeof(pin));
        cell(rows[i].card, "number-b", number_b, sizeof(number_b));
        assert_int_equal(identify(), rows[i].identify);
        assert_int_equal(report.chain, GENUINE_YES);
        assert_int_equal(sign(pin), rows[i].sign);
        assert_int_equal(photo(number_b), rows[i].photo);
        assert_int_equal(report.record, rows[i].record);
        assert_int_equal(report.challenge, rows[i].challenge);
    }
}

static void other_cards_are_told_apart(void **state)
{
    static const struct {
        const char *card;
        enum card_end end;
    } rows[] = {
        {"suica", CARD_END_FOREIGN}, {"old-juki", CARD_END_OLD_RESIDENT},
        {"android", CARD_END_PHONE}, {"next-gen", CARD_END_NEXT_GENERATION},
        {"mute", CARD_END_MUTE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        lay(rows[i].card);
        assert_int_equal(identify(), rows[i].end);
    }
}

static void signed_data_are_those_of_the_description(void **state)
{
    static const struct {
        const char *column;
        const char *value;
    } rows[] = {{"birth", report.birth},
                {"sex", report.sex},
                {"expiry", report.expiry},
                {"name", report.name}};
    char number_b[64];
    char expected[256];

    (void)state;
    lay("franck");
    cell("franck", "number-b", number_b, sizeof(number_b));
    assert_int_equal(photo(number_b), CARD_END_OK);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cell("franck", rows[i].column, expected, sizeof(expected));
        assert_string_equal(rows[i].value, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_made_card_ends_as_its_description_says),
        cmocka_unit_test(other_cards_are_told_apart),
        cmocka_unit_test(signed_data_are_those_of_the_description),
    };

    return cmocka_run_group_tests(tests, up, down);
}
