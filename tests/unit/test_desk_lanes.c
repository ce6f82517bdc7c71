/*
 * Many lanes on one desk: fair and independent, counted in messages and steps, never in seconds. All readers, the relay
 * and the clock are played; what the desk sends to each lane is counted.
 */
#include "../scenario/stage.h"
#include "quiet_desk.h"

#include "../../daemon/desk/visit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MOST 32

struct cost {
    unsigned messages; /* from the desk to this lane's reader */
    unsigned steps;    /* changes of the lane's offer or state that were shown */
    unsigned questions;
};

static void press(struct stage *stage, unsigned lane, unsigned action)
{
    struct stage_act act = {.surface = 'K', .action = action, .consents = CONSENT_LIMIT};

    stage_act(stage, lane, &act);
    assert_int_equal(stage->result.accepted, 1);
}

/* A visit by PIN in eight moves, each of which the lane makes in its turn. */
#define MOVES 8
static void move(struct stage *stage, unsigned lane, unsigned n)
{
    static const struct stage_identified good = {3, 10, GENUINE_YES, 0};
    char card[8];

    switch (n) {
    case 0:
        snprintf(card, sizeof(card), "card%u", lane);
        stage_card(stage, lane, card);
        break;
    case 1:
        stage_identified(stage, lane, &good);
        break;
    case 2:
        press(stage, lane, ACTION_CHOOSE_PIN);
        break;
    case 3:
        press(stage, lane, ACTION_SEND_PIN);
        break;
    case 4:
        stage_signed(stage, lane);
        break;
    case 5:
        press(stage, lane, ACTION_CONSENT);
        break;
    case 6:
        assert_true(stage_answer(stage, lane, "valid"));
        break;
    default:
        assert_int_equal(stage->lanes[lane].shown.state, VISIT_DONE);
        stage_card(stage, lane, "");
        break;
    }
}

static struct cost cost_of(const struct stage *stage, unsigned lane, size_t from, uint32_t step,
                           uint64_t questions)
{
    struct cost cost = {0};

    for (size_t i = from; i < stage->nsent; i++)
        cost.messages += stage->sent[i].lane == lane;
    cost.steps = stage->lanes[lane].shown.step - step;
    cost.questions = (unsigned)(stage->questions_sent - questions);
    return cost;
}

/* What one visit costs a lane that is alone in the house. */
static struct cost alone(void)
{
    struct stage *stage = stage_new(1);
    uint32_t step = stage->lanes[1].shown.step;
    size_t from = stage->nsent;
    struct cost cost;

    for (unsigned n = 0; n < MOVES; n++)
        move(stage, 1, n);
    assert_string_equal(stage->broken, "");
    assert_int_equal(stage->lanes[1].item.outcome, OUTCOME_ELIGIBLE);
    cost = cost_of(stage, 1, from, step, 0);
    stage_free(&stage);
    assert_true(cost.messages > 3 && cost.steps >= MOVES && cost.questions == 1);
    return cost;
}

/* All lanes at once, in an order that turns with each move: every one pays what it would pay alone. */
static void all_at_once(unsigned lanes)
{
    struct cost one = alone();
    struct stage *stage = stage_new(lanes);
    uint32_t steps[MOST + 1];
    size_t from = stage->nsent;

    for (unsigned lane = 1; lane <= lanes; lane++)
        steps[lane] = stage->lanes[lane].shown.step;
    for (unsigned n = 0; n < MOVES; n++)
        for (unsigned i = 0; i < lanes; i++)
            move(stage, 1 + (i * 7 + n * 3) % lanes, n);
    assert_string_equal(stage->broken, "");
    assert_int_equal(stage->questions_sent, lanes);
    assert_int_equal(fake_store_open_visits(stage->store), 0);
    for (unsigned lane = 1; lane <= lanes; lane++) {
        struct cost cost = cost_of(stage, lane, from, steps[lane], 0);

        assert_int_equal(stage->lanes[lane].item.outcome, OUTCOME_ELIGIBLE);
        assert_int_equal(stage->lanes[lane].item.flags & VISIT_FLAG_AGAIN, 0);
        assert_int_equal(cost.messages, one.messages);
        assert_int_equal(cost.steps, one.steps);
    }
    stage_free(&stage);
}

static void eight_lanes_at_once_pay_what_one_pays_alone(void **state)
{
    (void)state;
    all_at_once(8);
}

static void thirty_two_lanes_at_once_pay_what_one_pays_alone(void **state)
{
    (void)state;
    all_at_once(32);
}

/* How a lane comes to stand in a state, and stays there because nobody there does anything more. */
static void stick(struct stage *stage, unsigned lane, unsigned where)
{
    static const struct stage_identified few = {1, 2, GENUINE_YES, 0},
                                         good = {3, 10, GENUINE_YES, 0};
    static const struct stage_photo photo = {GENUINE_YES, GENUINE_YES, "19540707", "2"};
    char card[8];

    snprintf(card, sizeof(card), "x%u", lane);
    stage_card(stage, lane, card);
    if (where == VISIT_CARD)
        return;
    stage_identified(stage, lane,
                     where == VISIT_PIN_CONFIRM || where == VISIT_NUMBER_B_CONFIRM ? &few : &good);
    switch (where) {
    case VISIT_METHOD:
        break;
    case VISIT_CARD_LOST:
        stage_card(stage, lane, "");
        break;
    case VISIT_VISUAL:
        press(stage, lane, ACTION_CHOOSE_STAFF);
        break;
    case VISIT_SHOW_CARD:
        press(stage, lane, ACTION_SHOW_CARD);
        break;
    case VISIT_NUMBER_B:
    case VISIT_NUMBER_B_CONFIRM:
    case VISIT_PHOTO:
    case VISIT_FACE:
        press(stage, lane, ACTION_CHOOSE_FACE);
        if (where == VISIT_PHOTO || where == VISIT_FACE)
            press(stage, lane, ACTION_SEND_NUMBER_B);
        if (where == VISIT_FACE) {
            stage_photo(stage, lane, &photo);
            stage_match_ready(stage, lane);
        }
        break;
    default:
        press(stage, lane, ACTION_CHOOSE_PIN);
        if (where == VISIT_PIN || where == VISIT_PIN_CONFIRM)
            break;
        press(stage, lane, ACTION_SEND_PIN);
        if (where == VISIT_PIN_CHECK)
            break;
        stage_signed(stage, lane);
        if (where == VISIT_CONSENT)
            break;
        press(stage, lane, ACTION_CONSENT);
        if (where == VISIT_ELIGIBILITY)
            break;
        (void)stage_answer(stage, lane,
                           where == VISIT_REGISTER                       ? "not_registered"
                           : where == VISIT_STAFF || where == VISIT_LINK ? "status2"
                                                                         : "valid");
        if (where == VISIT_LINK) {
            struct stage_act act = {.surface = 'B', .action = ACTION_LINK};

            stage_act(stage, lane, &act);
        }
        if (where == VISIT_TAKE_CARD)
            stage_advance(stage, 10 * CLOCK_SECOND);
        break;
    }
}

/* A lane stuck in each state in turn, until its own time limit and past it: seven others work on and pay nothing more. */
static void a_lane_stuck_in_any_state_costs_the_others_nothing(void **state)
{
    struct cost one = alone();
    unsigned stuck = 0;

    (void)state;
    for (unsigned where = VISIT_CARD; where < VISIT_CLOSED; where++) {
        struct stage *stage = stage_new(8);

        stage_ocr_program(stage, true);
        stick(stage, 1, where);
        if (stage->lanes[1].shown.state != where)
            fail_msg("lane 1 is in %s, not in %s", visit_state_name(stage->lanes[1].shown.state),
                     visit_state_name(where));
        stuck++;
        for (unsigned round = 0; round < 2; round++) {
            uint32_t steps[9];
            uint64_t questions = stage->questions_sent;
            size_t from = stage->nsent;

            for (unsigned lane = 2; lane <= 8; lane++)
                steps[lane] = stage->lanes[lane].shown.step;
            for (unsigned n = 0; n < MOVES; n++)
                for (unsigned lane = 2; lane <= 8; lane++)
                    move(stage, lane, n);
            for (unsigned lane = 2; lane <= 8; lane++) {
                struct cost cost = cost_of(stage, lane, from, steps[lane], 0);

                assert_int_equal(stage->lanes[lane].item.outcome, OUTCOME_ELIGIBLE);
                assert_int_equal(stage->lanes[lane].shown.state, VISIT_IDLE);
                assert_int_equal(cost.messages, one.messages);
                assert_int_equal(cost.steps, one.steps);
            }
            /* The first round asks; in the second today's answers serve, so nobody's question waits for lane 1's. */
            assert_int_equal(stage->questions_sent - questions, round == 0 ? 7 : 0);
            if (round == 0) {
                /* Past every limit: the others' day goes on while lane 1 is wound up by its own clock. */
                stage_advance(stage, 20 * CLOCK_MINUTE);
            }
        }
        assert_string_equal(stage->broken, "");
        stage_free(&stage);
    }
    assert_int_equal(stuck, VISIT_CLOSED - VISIT_CARD);
    print_message("stuck in %u states in turn\n", stuck);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eight_lanes_at_once_pay_what_one_pays_alone),
        cmocka_unit_test(thirty_two_lanes_at_once_pay_what_one_pays_alone),
        cmocka_unit_test(a_lane_stuck_in_any_state_costs_the_others_nothing),
    };

    quiet_log();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
