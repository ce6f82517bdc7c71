/* The decision of a visit: pure arithmetic over scores, so every rule can be shown without a
 * picture. */
#include "daemon/matcher/decision.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#define FRAME_US 33333 /* a camera of 30 frames a second */

static const struct decision_rule rule = {
    .threshold = 0.41f, .different = 0.24f, .noise = 0.06, .live_pass = 0.5f, .live_fail = 0.2f};

/* Equal scores at a steady rate until a decision or `most` frames; returns how many it took. */
static unsigned feed(struct decision_state *state, const struct decision_rule *r, float score,
                     const float *live, unsigned most, uint64_t step_us)
{
    unsigned n = 0;

    while (n < most && state->decision == DECISION_NOT_YET) {
        decision_add(state, r, 1000000 + n * step_us, false, score, live);
        n++;
    }
    return n;
}

static void one_frame_is_never_enough(void **context)
{
    struct decision_state state;

    (void)context;
    decision_init(&state);
    decision_add(&state, &rule, 1000000, false, 0.999f, NULL);
    assert_int_equal(state.decision, DECISION_NOT_YET);
    assert_int_equal(state.good_frames, 1);
}

static void two_clear_frames_apart_accept(void **context)
{
    struct decision_state state;

    (void)context;
    decision_init(&state);
    assert_int_equal(feed(&state, &rule, 0.80f, NULL, 100, 150000), 2);
    assert_int_equal(state.decision, DECISION_SAME);
}

static void a_flood_of_frames_is_no_more_evidence_than_its_time(void **context)
{
    struct decision_state state;

    (void)context;
    decision_init(&state);
    for (unsigned i = 0; i < 1000; i++) /* 1000 frames within a tenth of a second */
        decision_add(&state, &rule, 1000000 + i * 100, false, 0.9f, NULL);
    assert_int_equal(state.decision, DECISION_NOT_YET);
    assert_true(state.evidence < 1.9);
}

static void repeated_and_old_frames_are_no_evidence(void **context)
{
    struct decision_state state;

    (void)context;
    decision_init(&state);
    decision_add(&state, &rule, 5000000, false, 0.9f, NULL);
    for (unsigned i = 1; i < 100; i++)
        decision_add(&state, &rule, 5000000 + i * 200000, true, 0.9f, NULL);
    decision_add(&state, &rule, 4000000, false, 0.9f, NULL);
    decision_add(&state, &rule, 5000000, false, 0.9f, NULL);
    decision_add(&state, &rule, 6000000, false, NAN, NULL);
    assert_int_equal(state.good_frames, 1);
    assert_int_equal(state.decision, DECISION_NOT_YET);
}

static void a_lucky_frame_does_not_win(void **context)
{
    struct decision_state state;
    unsigned n;

    (void)context;
    decision_init(&state);
    for (n = 0; n < 3000 && state.decision == DECISION_NOT_YET; n++)
        decision_add(&state, &rule, 1000000 + (uint64_t)n * FRAME_US, false,
                     n % 10 == 0 ? 0.95f : 0.30f, NULL);
    assert_int_not_equal(state.decision, DECISION_SAME);
}

/* The one that is configured is the one that decides: the same scores, only the number differs. */
static void the_configured_threshold_decides(void **context)
{
    const float thresholds[4] = {0.24f, 0.33f, 0.41f, 0.47f};
    static const struct {
        unsigned fmr;
        int override_milli;
        float score;
        enum decision expected;
    } rows[] = {
        {0, 0, 0.30f, DECISION_SAME},   {1, 0, 0.30f, DECISION_NOT_SAME},
        {1, 0, 0.38f, DECISION_SAME},   {2, 0, 0.38f, DECISION_NOT_SAME},
        {2, 0, 0.45f, DECISION_SAME},   {3, 0, 0.43f, DECISION_NOT_SAME},
        {3, 0, 0.51f, DECISION_SAME},   {2, 600, 0.56f, DECISION_NOT_SAME},
        {2, 600, 0.65f, DECISION_SAME}, {0, 900, 0.86f, DECISION_NOT_SAME},
    };

    (void)context;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct decision_rule r = rule;
        struct decision_state state;

        decision_rule_set(&r, thresholds, 0, rows[i].fmr, rows[i].override_milli);
        decision_init(&state);
        feed(&state, &r, rows[i].score, NULL, 3000, FRAME_US);
        assert_int_equal(state.decision, rows[i].expected);
    }
}

/* Scores of a recogniser whose strangers and friends lie close together. */
static void the_manifests_frame_noise_sets_how_sure_a_few_frames_are(void **context)
{
    const float thresholds[4] = {0.9088f, 0.9272f, 0.9413f, 0.9518f};
    struct decision_rule narrow = rule, wide = rule;
    struct decision_state state;

    (void)context;
    decision_rule_set(&narrow, thresholds, 0.01f, 2, 0);
    decision_rule_set(&wide, thresholds, 0, 2, 0);
    assert_float_equal(wide.noise, 0.06, 1e-9);
    /* radius at W = 2, alpha = 0.05: 2.585 sigma */
    decision_init(&state);
    assert_int_equal(feed(&state, &narrow, 0.97f, NULL, 2, 150000), 2);
    assert_int_equal(state.decision, DECISION_SAME);
    decision_init(&state);
    (void)feed(&state, &narrow, 0.965f, NULL, 2, 150000);
    assert_int_equal(state.decision, DECISION_NOT_YET);
    decision_init(&state);
    (void)feed(&state, &wide, 0.97f, NULL, 20, 150000);
    assert_int_equal(state.decision, DECISION_NOT_YET);
    /* A lucky frame adds no more than a third over three sigma. */
    decision_init(&state);
    (void)feed(&state, &narrow, 1.0f, NULL, 1, 150000);
    assert_float_equal(state.sum, 0.9413 + 0.0333333, 1e-5);
}

static void at_the_threshold_itself_nobody_is_accepted(void **context)
{
    struct decision_state state;

    (void)context;
    decision_init(&state);
    feed(&state, &rule, 0.41f, NULL, 5000, FRAME_US);
    assert_int_equal(state.decision, DECISION_NOT_YET);
}

static void another_person_is_refused_only_after_frames_and_time(void **context)
{
    struct decision_state state;
    unsigned n;

    (void)context;
    decision_init(&state);
    n = feed(&state, &rule, 0.02f, NULL, 3000, FRAME_US);
    assert_int_equal(state.decision, DECISION_NOT_SAME);
    assert_in_range((n - 1) * FRAME_US, 1500000, 2500000);

    /* Slow frames: the time is there at once, the evidence is not. */
    decision_init(&state);
    n = feed(&state, &rule, 0.02f, NULL, 3000, 1000000);
    assert_int_equal(state.decision, DECISION_NOT_SAME);
    assert_int_equal(n, 8);
}

static void a_doubtful_person_has_time_to_take_off_the_mask(void **context)
{
    struct decision_state state;
    unsigned n;

    (void)context;
    decision_init(&state);
    n = feed(&state, &rule, 0.33f, NULL, 3000, FRAME_US);
    assert_int_equal(state.decision, DECISION_NOT_SAME);
    assert_true((n - 1) * FRAME_US >= 6000000);

    /* Four seconds like that, then a clear view. */
    decision_init(&state);
    feed(&state, &rule, 0.33f, NULL, 120, FRAME_US);
    assert_int_equal(state.decision, DECISION_NOT_YET);
    for (unsigned i = 120; i < 600 && state.decision == DECISION_NOT_YET; i++)
        decision_add(&state, &rule, 1000000 + (uint64_t)i * FRAME_US, false, 0.75f, NULL);
    assert_int_equal(state.decision, DECISION_SAME);
}

/* Values worked out by hand from the formula in the header: sigma 0.06, rho 0.0072. */
static void doubt_is_told_so_that_the_mask_can_come_off(void **context)
{
    struct decision_state state;

    (void)context;
    decision_init(&state);
    (void)feed(&state, &rule, 0.33f, NULL, 5, 150000);
    assert_false(decision_doubtful(&state, &rule)); /* a moment is none */
    (void)feed(&state, &rule, 0.33f, NULL, 1, 150000);
    for (unsigned i = 0; i < 3; i++)
        decision_add(&state, &rule, 3000000 + i * 150000, false, 0.33f, NULL);
    assert_true(decision_doubtful(&state, &rule));
    /* It comes off: the doubt goes, the person is accepted. */
    for (unsigned i = 0; i < 40 && state.decision == DECISION_NOT_YET; i++)
        decision_add(&state, &rule, 4000000 + i * 150000, false, 0.85f, NULL);
    assert_int_equal(state.decision, DECISION_SAME);
    assert_false(decision_doubtful(&state, &rule));
    /* Somebody else entirely is not told so. */
    decision_init(&state);
    (void)feed(&state, &rule, 0.05f, NULL, 7, 150000);
    assert_int_equal(state.decision, DECISION_NOT_YET);
    assert_false(decision_doubtful(&state, &rule));
}

static void the_boundary_is_the_published_one(void **context)
{
    (void)context;
    /* W = 2: sqrt(0.0144 (ln 2 + 2 ln 20)) / 2 = sqrt(0.0144 * 6.684612) / 2 */
    assert_float_equal(decision_radius(2, 0.06, 0.05), 0.155128, 1e-5);
    /* W = 10: sqrt(0.0432 (ln 6 + 2 ln 100)) / 10 = sqrt(0.0432 * 11.002100) / 10 */
    assert_float_equal(decision_radius(10, 0.06, 0.01), 0.068941, 1e-5);
    assert_true(isinf(decision_radius(0, 0.06, 0.05)));
}

static uint64_t random_state;
static double uniform(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return ((double)(random_state >> 11) + 0.5) / 9007199254740992.0;
}
static double gaussian(void)
{
    return sqrt(-2 * log(uniform())) * cos(2 * 3.14159265358979 * uniform());
}

/* The promise of the header, tried: noise of sigma about the threshold itself, looked at after
 * every frame. */
static void wrong_accepts_at_the_edge_stay_below_alpha(void **context)
{
    const unsigned visits = 4000;
    unsigned accepted = 0;

    (void)context;
    random_state = 20251122;
    for (unsigned v = 0; v < visits; v++) {
        struct decision_state state;

        decision_init(&state);
        for (unsigned i = 0; i < 120 && state.decision == DECISION_NOT_YET; i++)
            decision_add(&state, &rule, 1000000 + (uint64_t)i * DECISION_TAU_US, false,
                         (float)(0.41 + rule.noise * gaussian()), NULL);
        accepted += state.decision == DECISION_SAME;
    }
    assert_true(accepted <= (unsigned)(DECISION_ALPHA_ACCEPT * visits));
    assert_true(accepted > 0); /* else the boundary would be needlessly far away */
}

static void liveness_advises_by_default(void **context)
{
    const float dead = 0.01f;
    struct decision_state state;

    (void)context;
    decision_init(&state);
    assert_int_equal(state.liveness, LIVENESS_NOT_CHECKED);
    feed(&state, &rule, 0.8f, &dead, 100, 150000);
    assert_int_equal(state.decision, DECISION_SAME);
    assert_int_equal(state.liveness,
                     LIVENESS_NOT_CHECKED); /* nobody checked: the score is told beside, no more */
    assert_float_equal(decision_live_mean(&state), 0.01, 1e-6);
}

/* Scores that accept are fed; presence says `presence`, with or without enough watched. */
static enum decision under(enum presence_policy policy, enum liveness presence, bool watched,
                           struct decision_state *state)
{
    struct decision_rule r = rule;

    r.policy = policy;
    decision_init(state);
    for (unsigned n = 0; n < 20; n++) {
        decision_add(state, &r, 1000000 + n * 150000, false, 0.8f, NULL);
        decision_presence(state, &r, presence, watched);
    }
    return state->decision;
}

static void the_policy_says_what_an_acceptance_waits_for(void **context)
{
    struct decision_state state;

    (void)context;
    assert_int_equal(under(PRESENCE_OFF, LIVENESS_NOT_CHECKED, false, &state), DECISION_SAME);
    assert_int_equal(state.liveness, LIVENESS_NOT_CHECKED);
    assert_int_equal(under(PRESENCE_PASSIVE, LIVENESS_NOT_CHECKED, false, &state),
                     DECISION_NOT_YET);
    assert_int_equal(under(PRESENCE_PASSIVE, LIVENESS_NOT_CHECKED, true, &state), DECISION_SAME);
    assert_int_equal(state.liveness, LIVENESS_NOT_CHECKED);
    assert_int_equal(under(PRESENCE_CHALLENGE, LIVENESS_NOT_CHECKED, true, &state),
                     DECISION_NOT_YET);
    assert_true(state.matches);
    assert_int_equal(under(PRESENCE_CHALLENGE, LIVENESS_PASSED, true, &state), DECISION_SAME);
    assert_int_equal(state.liveness, LIVENESS_PASSED);
}

static void a_presentation_that_failed_is_an_attack_under_every_policy_that_looks(void **context)
{
    struct decision_state state;
    struct decision_rule r = rule;

    (void)context;
    assert_int_equal(under(PRESENCE_PASSIVE, LIVENESS_FAILED, true, &state), DECISION_ATTACK);
    assert_int_equal(under(PRESENCE_CHALLENGE, LIVENESS_FAILED, false, &state), DECISION_ATTACK);
    assert_int_equal(state.liveness, LIVENESS_FAILED);
    /* It stands: nothing that comes later makes another try of it. */
    r.policy = PRESENCE_CHALLENGE;
    decision_presence(&state, &r, LIVENESS_PASSED, true);
    decision_add(&state, &r, 90000000, false, 0.9f, NULL);
    assert_int_equal(state.decision, DECISION_ATTACK);
    assert_int_equal(state.liveness, LIVENESS_FAILED);
}

static void liveness_that_gates_ends_in_attack_and_not_in_retry(void **context)
{
    const float dead = 0.01f, live = 0.9f, thin = 0.35f;
    struct decision_rule gate = rule;
    struct decision_state state;

    (void)context;
    gate.live_gates = true;
    decision_init(&state);
    feed(&state, &gate, 0.8f, &dead, 100, 150000);
    assert_int_equal(state.decision, DECISION_ATTACK);
    decision_add(&state, &gate, 90000000, false, 0.8f, &live); /* it stands */
    assert_int_equal(state.decision, DECISION_ATTACK);

    decision_init(&state);
    feed(&state, &gate, 0.8f, &live, 100, 150000);
    assert_int_equal(state.decision, DECISION_SAME);
    assert_int_equal(state.liveness, LIVENESS_PASSED);

    /* Neither passed nor failed, or no score at all: not accepted. */
    decision_init(&state);
    feed(&state, &gate, 0.8f, &thin, 300, 150000);
    assert_int_equal(state.decision, DECISION_NOT_YET);
    decision_init(&state);
    feed(&state, &gate, 0.8f, NULL, 300, 150000);
    assert_int_equal(state.decision, DECISION_NOT_YET);
    assert_int_equal(state.liveness, LIVENESS_NOT_CHECKED);
}

static void a_decision_stands(void **context)
{
    struct decision_state state;

    (void)context;
    decision_init(&state);
    feed(&state, &rule, 0.8f, NULL, 100, 150000);
    for (unsigned i = 0; i < 1000; i++)
        decision_add(&state, &rule, 10000000 + (uint64_t)i * FRAME_US, false, -0.1f, NULL);
    assert_int_equal(state.decision, DECISION_SAME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_frame_is_never_enough),
        cmocka_unit_test(two_clear_frames_apart_accept),
        cmocka_unit_test(a_flood_of_frames_is_no_more_evidence_than_its_time),
        cmocka_unit_test(repeated_and_old_frames_are_no_evidence),
        cmocka_unit_test(a_lucky_frame_does_not_win),
        cmocka_unit_test(the_configured_threshold_decides),
        cmocka_unit_test(the_manifests_frame_noise_sets_how_sure_a_few_frames_are),
        cmocka_unit_test(at_the_threshold_itself_nobody_is_accepted),
        cmocka_unit_test(another_person_is_refused_only_after_frames_and_time),
        cmocka_unit_test(a_doubtful_person_has_time_to_take_off_the_mask),
        cmocka_unit_test(doubt_is_told_so_that_the_mask_can_come_off),
        cmocka_unit_test(the_boundary_is_the_published_one),
        cmocka_unit_test(wrong_accepts_at_the_edge_stay_below_alpha),
        cmocka_unit_test(liveness_advises_by_default),
        cmocka_unit_test(the_policy_says_what_an_acceptance_waits_for),
        cmocka_unit_test(a_presentation_that_failed_is_an_attack_under_every_policy_that_looks),
        cmocka_unit_test(liveness_that_gates_ends_in_attack_and_not_in_retry),
        cmocka_unit_test(a_decision_stands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
