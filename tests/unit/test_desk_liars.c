/*
 * A reader, the matcher, the OCR or the relay was taken over and sends whatever it likes between all steps of honest
 * visits. It can alter only the facts that it is the source of: of a visit at another lane, or where it has no part,
 * nothing at all; of one where it has a part, no proof and no answer that another program gives.
 *
 * Expected is what the same visit leaves in the store without the liar.
 */
#include "../fuzz/liars.h"

#include "daemon/common/log.h"
#include "daemon/desk/visit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HONEST = 2, OTHER = 1, LANES = 2, STEPS = 24, DAYS = 40, BYTES = 1500 };

/* ---- an honest visit at lane 2 --------------------------------------------------------------- */

struct plan {
    const char *words;
    uint8_t method;     /* what the patient wants */
    uint8_t decision;   /* of the matcher */
    const char *answer; /* of the service, NULL: none comes */
};

static void want(struct stage *stage, const struct plan *plan)
{
    const unsigned face[] = {ACTION_CHOOSE_FACE, ACTION_KEY_IN, ACTION_SEND_NUMBER_B,
                             ACTION_CONSENT};
    const unsigned pin[] = {ACTION_CHOOSE_PIN, ACTION_SEND_PIN, ACTION_CONSENT};
    const unsigned *wanted = plan->method == METHOD_FACE ? face : pin;
    const size_t n =
        plan->method == METHOD_FACE ? sizeof(face) / sizeof(face[0]) : sizeof(pin) / sizeof(pin[0]);

    for (size_t i = 0; i < n; i++)
        if ((stage->lanes[HONEST].shown.offers & VISIT_OFFER(wanted[i])) != 0) {
            const struct stage_act act = {.surface = 'K', .action = wanted[i]};

            stage_act(stage, HONEST, &act);
            return;
        }
}

static void do_step(struct stage *stage, const struct plan *plan)
{
    static const struct stage_identified identified = {3, 10, GENUINE_YES, 0};
    static const struct stage_photo photo = {GENUINE_YES, GENUINE_YES, "19540707", "2"};
    struct stage_lane *l = &stage->lanes[HONEST];

    if (l->asked_reader == MSG_CARD_IDENTIFY)
        stage_identified(stage, HONEST, &identified);
    else if (l->asked_reader == MSG_CARD_PHOTO)
        stage_photo(stage, HONEST, &photo);
    else if (l->asked_reader == MSG_CARD_SIGN)
        stage_signed(stage, HONEST);
    else if (l->ask.request != 0 && plan->answer != NULL)
        assert_true(stage_answer(stage, HONEST, plan->answer));
    else if (l->shown.state == VISIT_FACE) {
        stage_match_ready(stage, HONEST);
        stage_match_result(stage, HONEST, plan->decision, FAILURE_NONE);
    } else
        want(stage, plan);
    stage_advance(stage, 200 * CLOCK_MS);
}

/* ---- lies ------------------------------------------------------------------------------------ */

typedef void lie_fn(struct stage *stage, struct fuzz_input *in, unsigned lane);

static uint64_t next(uint64_t *random)
{
    *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *random >> 33;
}

/* Mostly nothing and small numbers: what decodes, and names what there is. */
static void some_lies(struct stage *stage, lie_fn *lie, unsigned lane, uint64_t *random)
{
    for (unsigned n = (unsigned)(next(random) % 4); n > 0; n--) {
        uint8_t bytes[BYTES];
        struct fuzz_input in = {bytes, sizeof(bytes)};

        for (size_t i = 0; i < sizeof(bytes); i++) {
            const unsigned kind = (unsigned)(next(random) % 10);

            bytes[i] = (uint8_t)(kind < 6 ? 0 : kind < 9 ? next(random) % 12 : next(random));
        }
        bytes[0] = (uint8_t)next(random); /* which message */
        bytes[1] = (uint8_t)next(random); /* about whom */
        lie(stage, &in, lane);
    }
}

/* The visit of lane 2 as it stands in the store when everybody has gone home. */
static void live(const struct plan *plan, lie_fn *lie, unsigned lane, uint64_t random,
                 struct store_visit *out)
{
    struct stage *stage = stage_new(LANES);
    bool found = false;

    stage_ocr_program(stage, true);
    stage_card(stage, HONEST, "hanako");
    for (unsigned i = 0; i < STEPS; i++) {
        if (lie != NULL)
            some_lies(stage, lie, lane, &random);
        do_step(stage, plan);
    }
    stage_card(stage, HONEST, "");
    stage_advance(stage, 10 * CLOCK_MINUTE);
    if (stage->broken[0] != '\0')
        fail_msg("%s: %s", plan->words, stage->broken);
    for (uint64_t id = 1; !found && id <= fake_store_visits(stage->store); id++) {
        *out = *fake_store_visit(stage->store, id);
        found = out->lane == HONEST;
    }
    assert_true(found);
    assert_int_not_equal(out->outcome, OUTCOME_OPEN);
    stage_free(&stage);
}

/* ---- facts and who gives them ---------------------------------------------------------------- */

#define FACT(sources, member)                                                                      \
    {                                                                                              \
#member, sources, offsetof(struct store_visit, member),                                    \
            sizeof(((struct store_visit *)0)->member)                                              \
    }

/* R: the lane's reader, M: matcher, O: OCR, Y: relay; what is decided from several facts has them all. */
static const struct {
    const char *name, *sources;
    size_t at, size;
} facts[] = {
    FACT("", lane),         FACT("", consents),    FACT("", staff),       FACT("", proxy),
    FACT("", relation),     FACT("", patient),     FACT("R", record),     FACT("R", challenge),
    FACT("R", has_subject), FACT("R", subject),    FACT("M", liveness),   FACT("M", score_milli),
    FACT("M", face_failed), FACT("Y", validity),   FACT("Y", ratio),      FACT("Y", limit_class),
    FACT("Y", notice),      FACT("Y", candidates), FACT("Y", changes),    FACT("RY", person),
    FACT("RMOY", method),   FACT("RMOY", outcome), FACT("RMOY", failure),
};

/*
 * Nobody was let in, and it is not there, or only as far as the card itself says: what a program has a part in it can
 * always stop, before the service has answered.
 */
static bool is_prevented(const struct store_visit *visit, size_t fact)
{
    static const char nothing[sizeof(struct store_visit)];

    return visit->outcome != OUTCOME_ELIGIBLE && visit->outcome != OUTCOME_LAST_KNOWN &&
           visit->answer == 0 &&
           (strcmp(facts[fact].sources, "RY") == 0 ||
            memcmp((const char *)visit + facts[fact].at, nothing, facts[fact].size) == 0);
}

static void compare(const char *words, const char *liar, uint64_t random,
                    const struct store_visit *honest, const struct store_visit *visit,
                    const char *alterable)
{
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
        if (strpbrk(facts[i].sources, alterable) == NULL &&
            memcmp((const char *)honest + facts[i].at, (const char *)visit + facts[i].at,
                   facts[i].size) != 0 &&
            (alterable[0] == ' ' || !is_prevented(visit, i)))
            fail_msg("%s, a lying %s (seed %llu): %s is another", words, liar,
                     (unsigned long long)random, facts[i].name);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static const struct plan by_pin = {"a visit by PIN", METHOD_PIN, 0, "valid"},
                         by_face = {"a visit by face", METHOD_FACE, 1, "valid"},
                         wrong_face = {"somebody else's face", METHOD_FACE, 2, "valid"},
                         lost = {"a card reported lost", METHOD_PIN, 0, "lost"},
                         unanswered = {"no answer", METHOD_PIN, 0, NULL};

/* alterable: the roles whose facts this liar may alter in that visit; " ": nothing at all. */
static const struct {
    const char *liar;
    lie_fn *lie;
    unsigned lane;
    const struct plan *plan;
    const char *alterable;
} cases[] = {
    {"reader of another lane", liars_reader, OTHER, &by_pin, " "},
    {"reader of another lane", liars_reader, OTHER, &by_face, " "},
    {"reader of another lane", liars_reader, OTHER, &wrong_face, " "},
    {"reader of another lane", liars_reader, OTHER, &lost, " "},
    {"matcher", liars_matcher, HONEST, &by_pin, " "},
    {"matcher", liars_matcher, HONEST, &lost, " "},
    {"matcher", liars_matcher, HONEST, &by_face, "M"},
    {"OCR", liars_ocr, HONEST, &by_pin, " "},
    {"OCR", liars_ocr, HONEST, &lost, " "},
    {"OCR", liars_ocr, HONEST, &wrong_face, "O"},
    {"relay", liars_relay, HONEST, &by_pin, "Y"},
    {"relay", liars_relay, HONEST, &by_face, "Y"},
    {"relay", liars_relay, HONEST, &wrong_face, "Y"},
};

static void a_liar_alters_only_what_it_is_the_source_of(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store_visit honest, visit;
        unsigned altered = 0;

        live(cases[i].plan, NULL, 0, 0, &honest);
        for (uint64_t day = 1; day <= DAYS; day++) {
            live(cases[i].plan, cases[i].lie, cases[i].lane, day * 7919 + i, &visit);
            compare(cases[i].plan->words, cases[i].liar, day * 7919 + i, &honest, &visit,
                    cases[i].alterable);
            altered += memcmp(&honest, &visit, sizeof(honest)) != 0;
        }
        print_message("%s, a lying %s: %u of %u visits went another way\n", cases[i].plan->words,
                      cases[i].liar, altered, (unsigned)DAYS);
        if (cases[i].alterable[0] == ' ')
            assert_int_equal(altered, 0); /* to the last byte */
    }
}

/* Whoever lies, also the reader at the very card: the proofs of others are not to be had. */
static void nobody_is_let_in_by_one_liar_alone(void **state)
{
    static const struct {
        const char *liar;
        lie_fn *lie;
        const struct plan *plan;
    } rows[] = {
        {"reader", liars_reader, &unanswered}, {"matcher", liars_matcher, &unanswered},
        {"OCR", liars_ocr, &unanswered},       {"reader", liars_reader, &lost},
        {"matcher", liars_matcher, &lost},     {"OCR", liars_ocr, &lost},
    };
    static const struct {
        const char *liar;
        lie_fn *lie;
    } faces[] = {{"reader", liars_reader}, {"OCR", liars_ocr}, {"relay", liars_relay}};
    struct store_visit visit;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (uint64_t day = 1; day <= DAYS; day++) {
            live(rows[i].plan, rows[i].lie, HONEST, day * 104729 + i, &visit);
            if (visit.outcome == OUTCOME_ELIGIBLE || visit.outcome == OUTCOME_LAST_KNOWN)
                fail_msg("%s: let in by a lying %s (day %llu)", rows[i].plan->words, rows[i].liar,
                         (unsigned long long)day);
        }
    for (size_t i = 0; i < sizeof(faces) / sizeof(faces[0]); i++)
        for (uint64_t day = 1; day <= DAYS; day++) {
            live(&wrong_face, faces[i].lie, HONEST, day * 1299709 + i, &visit);
            if (visit.method == METHOD_FACE && visit.outcome == OUTCOME_ELIGIBLE)
                fail_msg("somebody else's face passed by a lying %s (day %llu)", faces[i].liar,
                         (unsigned long long)day);
        }
}

/* What the honest visits end in, so that the comparisons above are of something. */
static void the_honest_visits_end_as_they_should(void **state)
{
    static const struct {
        const struct plan *plan;
        uint8_t method, outcome;
    } rows[] = {
        {&by_pin, METHOD_PIN, OUTCOME_ELIGIBLE},
        {&by_face, METHOD_FACE, OUTCOME_ELIGIBLE},
        {&lost, METHOD_PIN, OUTCOME_NOT_ELIGIBLE},
    };
    struct store_visit visit;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        live(rows[i].plan, NULL, 0, 0, &visit);
        print_message("%s: method %u outcome %u failure %u\n", rows[i].plan->words, visit.method,
                      visit.outcome, visit.failure);
        assert_int_equal(visit.method, rows[i].method);
        assert_int_equal(visit.outcome, rows[i].outcome);
    }
    live(&wrong_face, NULL, 0, 0, &visit);
    assert_int_not_equal(visit.outcome, OUTCOME_ELIGIBLE);
    assert_int_equal(visit.face_failed, 1);
    live(&unanswered, NULL, 0, 0, &visit);
    assert_int_not_equal(visit.outcome, OUTCOME_ELIGIBLE);
}

static void silent(enum log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_honest_visits_end_as_they_should),
        cmocka_unit_test(a_liar_alters_only_what_it_is_the_source_of),
        cmocka_unit_test(nobody_is_let_in_by_one_liar_alone),
    };

    log_capture(silent, NULL); /* thousands of visits */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
