/*
 * The power goes in the middle of visits: the desk's whole core over the real store on a disk that
 * forgets what was not synced (power_disk.h). What a receptionist was told stands afterwards; no
 * visit is there twice; what left the desk had been on the disk before (the stage sees to that with
 * each message); the day goes on to its end.
 */
#include "power_disk.h"
#include "store_rig.h"
#include "whole_stage.h"

#include "daemon/desk/desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define VISITS 3
#define MOVES 8
#ifdef __SANITIZE_ADDRESS__
#define CUTS 10
#else
#define CUTS 150
#endif

static uint64_t seed;

static uint64_t draw(uint64_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % below;
}

/* What the world outside knows by now: it does not forget. */
struct told {
    uint64_t visit;
    uint8_t state, outcome;
};
static struct told told[64];
static size_t ntold;

static void press(struct stage *stage, unsigned action)
{
    struct stage_act act = {.surface = 'K', .action = action, .consents = CONSENT_LIMIT};

    stage_act(stage, 1, &act);
}

/* The patient does what the screen asks for: whatever state the desk is in, on to the end of the
 * visit. */
static void move(struct stage *stage)
{
    static const struct stage_identified good = {3, 10, GENUINE_YES, 0};
    const struct stage_lane *lane = &stage->lanes[1];

    switch (lane->shown.state) {
    case VISIT_IDLE:
        stage_card(stage, 1, lane->card[0] == '\0' ? "card" : "");
        break;
    case VISIT_CARD:
        stage_identified(stage, 1, &good);
        break;
    case VISIT_METHOD:
        press(stage, ACTION_CHOOSE_PIN);
        break;
    case VISIT_PIN:
        press(stage, ACTION_SEND_PIN);
        break;
    case VISIT_PIN_CHECK:
        stage_signed(stage, 1);
        break;
    case VISIT_CONSENT:
        press(stage, ACTION_CONSENT);
        break;
    case VISIT_ELIGIBILITY:
        if (lane->ask.request != 0)
            (void)stage_answer(stage, 1, "valid");
        else
            stage_advance(stage, CLOCK_SECOND);
        break;
    case VISIT_DONE:
    case VISIT_TAKE_CARD:
        stage_card(stage, 1, "");
        break;
    default:
        stage_advance(stage, CLOCK_SECOND);
        break;
    }
}

/* What a board was shown, unless the power was gone by then. */
static void note(const struct stage *stage)
{
    const struct msg_visit_item *item = &stage->lanes[1].item;

    if (power_disk_is_cut() || item->visit == 0)
        return;
    for (size_t i = 0; i < ntold; i++)
        if (told[i].visit == item->visit) {
            told[i].state = item->state;
            told[i].outcome = item->outcome;
            return;
        }
    assert_true(ntold < sizeof(told) / sizeof(told[0]));
    told[ntold++] = (struct told){item->visit, item->state, item->outcome};
}

static void judge(struct rig *rig)
{
    uint64_t rows, bad;

    assert_int_equal(store_audit_verify(rig->store, &rows, &bad), 0);
    assert_int_equal(
        rig_sql_int(rig,
                    "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
        0);
    assert_int_equal(rig_sql_int(rig, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
    assert_int_equal(rig_sql_int(rig, "SELECT count(*) - count(DISTINCT correlation) FROM asks"),
                     0);
    for (size_t i = 0; i < ntold; i++) {
        struct store_visit visit;

        assert_int_equal(store_visit_load(rig->store, told[i].visit, &visit), 0);
        /* A step that was on the disk but not yet told may be one further. */
        if (told[i].outcome != OUTCOME_OPEN)
            assert_int_equal(visit.outcome, told[i].outcome);
        if (told[i].state == VISIT_CLOSED)
            assert_true(visit.closed_us != 0);
    }
}

static void a_day_with_a_cut_at(unsigned n, unsigned *operations)
{
    struct stage *stage = stage_new(1);
    struct rig *rig = whole_stage_rig();
    unsigned done = 0;

    ntold = 0;
    power_disk_watch(whole_stage_directory());
    power_disk_cut_at(n);
    for (unsigned i = 0; i < VISITS * (MOVES + 2) && !power_disk_is_cut(); i++) {
        move(stage);
        note(stage);
    }
    *operations = power_disk_operations();
    if (power_disk_is_cut()) {
        memset(&stage->lanes[1].item, 0, sizeof(stage->lanes[1].item));
        /* The desk dies with the machine; its neighbours too. */
        stage->broken[0] = '\0';
        desk_free(&stage->desk);
        fake_store_free(&stage->store);
        power_disk_cut_at(0);
        power_disk_restore(draw(UINT64_MAX / 2));
        whole_stage_open(stage);
        judge(rig);
        stage_restart(stage);
    }
    assert_string_equal(stage->broken, "");
    for (unsigned i = 0; i < 200 && done < 1; i++) {
        move(stage);
        done += stage->lanes[1].item.outcome == OUTCOME_ELIGIBLE &&
                stage->lanes[1].shown.state == VISIT_IDLE;
        note(stage);
    }
    if (done == 0)
        fail_msg("no visit after the cut comes to its end: %s",
                 visit_state_name(stage->lanes[1].shown.state));
    assert_string_equal(stage->broken, "");
    judge(rig);
    power_disk_forget();
    stage_free(&stage);
    whole_stage_end();
}

static void what_was_told_stands_after_a_cut_at_any_operation(void **state)
{
    unsigned operations = 0, n = 0, cuts = 0;

    (void)state;
    a_day_with_a_cut_at(0, &operations);
    assert_true(operations > 100);
    for (n = 1; n <= operations; n += 1 + operations / CUTS, cuts++) {
        unsigned some;

        a_day_with_a_cut_at(n, &some);
    }
    print_message("%u operations on the disk in %u visits, %u cuts\n", operations, VISITS, cuts);
}

int main(void)
{
    const char *given = getenv("UKETSUKE_SEED");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_told_stands_after_a_cut_at_any_operation),
    };

    seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) ^ (uint64_t)getpid();
    print_message("UKETSUKE_SEED=%llu repeats these cuts\n", (unsigned long long)seed);
    rig_quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
