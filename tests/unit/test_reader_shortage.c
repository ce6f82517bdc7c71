/*
 * Memory and the cryptographic library fail, at each call that a face visit and a PIN visit make: nothing crashes,
 * nothing leaks, no card is called false, no credential is sent twice, and the next visit is undisturbed.
 *
 * A slice of them runs by itself; UKETSUKE_FAULTS=all runs each (`make faults`).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <systemd/sd-event.h>

#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "daemon/common/secret.h"
#include "driver/card/card.h"
#include "driver/card/card_trust.h"
#include "driver/reader/envelope.h"
#include "driver/reader/frames.h"
#include "driver/reader/lane.h"
#include "driver/reader/visit.h"
#include "lane_rig.h"
#include "lane_wrap.h"
#include "sim_rig.h"

static const char *const kind_names[LANE_WRAP_KINDS] = {"memory", "library calls",
                                                        "memory of the library"};
/* By itself: every n-th. */
static const unsigned strides[LANE_WRAP_KINDS] = {3, 3, 197};

static struct lane_rig *rig;

static unsigned stride_of(enum lane_wrap_kind kind)
{
    const char *wish = getenv("UKETSUKE_FAULTS");

    return wish != NULL && strcmp(wish, "all") == 0 ? 1 : strides[kind];
}

static bool counters_are_full(void)
{
    struct sim_rig *sim = lane_rig_sim(rig);
    bool full;

    (void)sim_rig_ask(sim, "insert franck");
    full = sim_rig_tries(sim, "jpki", 0x0018) == 3 && sim_rig_tries(sim, "kenkaku", 0x0012) == 10 &&
           sim_rig_tries(sim, "kenhojo", 0x0015) == 10;
    (void)sim_rig_ask(sim, "remove");
    return full;
}

struct pair {
    struct lane_visit face, pin;
};

static void visits(struct pair *out)
{
    lane_rig_anew(rig);
    lane_rig_face(rig, &out->face);
    lane_rig_pin(rig, &out->pin);
}

static bool untroubled(const struct lane_visit *v)
{
    return v->done && v->again + v->camera_again + v->reopened + v->refused == 0;
}

/* NULL, or what is wrong. */
static const char *judge(const struct pair *calm, const struct pair *got, long live)
{
    static const char *const false_words[] = {"not-its-key", "damaged",         "no-photo",
                                              "foreign",     "next-generation", "phone"};
    struct pair after;

    for (size_t i = 0; i < sizeof(false_words) / sizeof(false_words[0]); i++)
        if (strstr(got->face.trouble, false_words[i]) != NULL ||
            strstr(got->pin.trouble, false_words[i]) != NULL)
            return "the card was called false";
    if (!got->face.done || !got->pin.done)
        return "a visit did not come to its end";
    if (got->face.photo_print != calm->face.photo_print)
        return "another photo";
    if (got->face.not_genuine)
        return "the card was not called genuine";
    if (!counters_are_full())
        return "a counter is not full";
    visits(&after);
    if (!untroubled(&after.face) || !untroubled(&after.pin))
        return "the visits after it are not undisturbed";
    lane_rig_anew(rig);
    return lane_wrap_live() == live ? NULL : "memory is kept";
}

static void run_kind(enum lane_wrap_kind kind)
{
    unsigned total, run = 0, failed = 0, stride = stride_of(kind);
    const char *name;
    struct pair calm;
    long live;

    for (unsigned i = 0; i < 3; i++) /* what the library makes once, it makes now */
        visits(&calm);
    assert_true(untroubled(&calm.face) && untroubled(&calm.pin));
    lane_rig_anew(rig);
    live = lane_wrap_live();
    lane_wrap_arm(kind, 0);
    visits(&calm);
    total = lane_wrap_disarm(&name);
    lane_rig_anew(rig);
    assert_int_equal(lane_wrap_live(), live);
    for (unsigned n = 1; n <= total; n += stride, run++) {
        const char *wrong;
        struct pair got;

        lane_wrap_arm(kind, n);
        visits(&got);
        (void)lane_wrap_disarm(&name);
        wrong = name != NULL ? judge(&calm, &got, live) : "was not met";
        if (wrong == NULL)
            continue;
        failed++;
        print_message("FAIL %s %u (%s): %s [%s, %s]\n", kind_names[kind], n,
                      name != NULL ? name : "-", wrong, got.face.trouble, got.pin.trouble);
        if (strcmp(wrong, "memory is kept") == 0)
            live = lane_wrap_live();
    }
    print_message("%s: %u calls in a face visit and a PIN visit, %u of them made to fail\n%u "
                  "passed, %u failed\n",
                  kind_names[kind], total, run, run - failed, failed);
    assert_int_equal(failed, 0);
    assert_true(total > 20);
}

static void any_piece_of_memory_may_be_missing(void **state)
{
    (void)state;
    run_kind(LANE_WRAP_MEMORY);
}

static void any_call_into_the_library_may_fail(void **state)
{
    (void)state;
    run_kind(LANE_WRAP_LIBRARY);
}

static void any_piece_of_memory_may_be_missing_in_the_library(void **state)
{
    (void)state;
    run_kind(LANE_WRAP_INSIDE);
}

/* -- what is made once, at the start ----------------------------------------------------------- */

struct parts {
    sd_event *loop;
    struct clock *clock;
    struct card_trust *trust;
    struct card_engine *engine;
    struct frames *frames;
    struct lane *lane;
    struct reader_visit *visit;
};

static void send_nothing(uint16_t type, const void *body, int fd, void *arg)
{
    (void)type, (void)body, (void)fd, (void)arg;
}

static void hear_nothing(uint16_t failure, void *arg)
{
    (void)failure, (void)arg;
}

static bool make(struct parts *p)
{
    static const struct lane_listener listener;
    char *culprit = NULL;

    memset(p, 0, sizeof(*p));
    assert_true(sd_event_new(&p->loop) >= 0);
    p->clock = clock_new_simulated(0, 0);
    if (p->clock == NULL ||
        card_trust_load(&p->trust, NULL, lane_rig_authorities(rig), &culprit) < 0) {
        free(culprit);
        return false;
    }
    p->engine = card_engine_new(p->clock, p->trust);
    p->frames = frames_new(p->clock, send_nothing, hear_nothing, NULL);
    if (p->engine == NULL || p->frames == NULL)
        return false;
    p->lane = lane_new(p->loop, p->clock, p->engine, p->frames, &listener, NULL);
    p->visit = reader_visit_new(p->clock, p->engine, p->frames);
    return p->lane != NULL && p->visit != NULL;
}

static void unmake(struct parts *p)
{
    lane_free(&p->lane);
    reader_visit_free(&p->visit);
    card_engine_free(&p->engine);
    frames_free(&p->frames);
    card_trust_free(&p->trust);
    clock_free(&p->clock);
    sd_event_unref(p->loop);
}

static void a_start_without_memory_fails_and_leaves_nothing(void **state)
{
    struct parts parts;
    bool made = false;
    unsigned n = 0;
    long live;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        assert_true(make(&parts));
        unmake(&parts);
    }
    live = lane_wrap_live();
    while (!made) {
        const char *name;

        lane_wrap_arm(LANE_WRAP_MEMORY, ++n);
        made = make(&parts);
        (void)lane_wrap_disarm(&name);
        assert_true(made == (name == NULL));
        unmake(&parts);
        assert_int_equal(lane_wrap_live(), live);
    }
    print_message("start: %u calls\n", n - 1);
    assert_true(n > 10);
}

/* -- sealed entries ---------------------------------------------------------------------------- */

static void a_sealed_entry_opens_or_fails_without_a_trace(void **state)
{
    uint8_t point[ENVELOPE_POINT], sealed[256] = {0};
    struct envelope_key *key = NULL;
    struct secret secret;

    (void)state;
    assert_int_equal(envelope_key_new(&key, point), 0);
    memcpy(sealed, point, sizeof(point)); /* a point of the curve, and a text that nobody sealed */
    for (unsigned kind = 0; kind < LANE_WRAP_KINDS; kind++) {
        unsigned total;
        const char *name;
        long live;

        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(envelope_open(key, ENVELOPE_PIN, 1, sealed, 120, &secret), -EBADMSG);
        live = lane_wrap_live();
        lane_wrap_arm(kind, 0);
        assert_int_equal(envelope_open(key, ENVELOPE_PIN, 1, sealed, 120, &secret), -EBADMSG);
        total = lane_wrap_disarm(&name);
        assert_true(total > 0);
        for (unsigned n = 1; n <= total; n++) {
            struct envelope_key *other = NULL;

            lane_wrap_arm(kind, n);
            assert_true(envelope_open(key, ENVELOPE_PIN, 1, sealed, 120, &secret) < 0);
            assert_null(secret.data);
            (void)lane_wrap_disarm(&name);
            lane_wrap_arm(kind, n);
            if (envelope_key_new(&other, point) < 0)
                assert_null(other);
            (void)lane_wrap_disarm(&name);
            envelope_key_free(&other);
            assert_int_equal(lane_wrap_live(), live);
        }
        print_message("sealed entry, %s: %u calls\n", kind_names[kind], total);
    }
    envelope_key_free(&key);
}

static int up(void **state)
{
    struct lane_rig_options options = {.wire = LANE_DIRECT, .level = "extended", .card = "franck"};

    (void)state;
    log_open("shortage", "", LOG_LEVEL_ERROR);
    rig = lane_rig_new(&options);
    return 0;
}

static int down(void **state)
{
    (void)state;
    lane_rig_free(&rig);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_without_memory_fails_and_leaves_nothing),
        cmocka_unit_test(a_sealed_entry_opens_or_fails_without_a_trace),
        cmocka_unit_test(any_piece_of_memory_may_be_missing),
        cmocka_unit_test(any_call_into_the_library_may_fail),
        cmocka_unit_test(any_piece_of_memory_may_be_missing_in_the_library),
    };

    lane_wrap_prepare();
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, up, down);
}
