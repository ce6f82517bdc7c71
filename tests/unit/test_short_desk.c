/*
 * The host and the libraries fail the desk and its store, at each call that whole visits make
 * (short_calls.h), over the real SQLite and OpenSSL: nothing crashes, nothing leaks, nobody is told
 * a wrong result, what leaves the desk stands in the database (the stage sees to that), and the
 * next visit is undisturbed.
 *
 * A slice of them runs by itself; UKETSUKE_FAULTS=all runs each (`make faults`).
 */
#include "quiet_desk.h"
#include "short_calls.h"
#include "store_rig.h"
#include "whole_stage.h"

#include "daemon/common/question.h"
#include "daemon/common/xmlmsg.h"
#include "daemon/desk/desk.h"
#include "daemon/desk/resume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[SHORT_KINDS] = {SHORT_NAMES};
#ifdef __SANITIZE_ADDRESS__
static const unsigned runs_wanted = 10;
#else
static const unsigned runs_wanted = 40;
#endif

/* -- where the desk begins and ends: the linker puts these around what the stage calls (see the Makefile) ---- */

#define ENTRY(type, name, parameters, arguments)                                                   \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        type result;                                                                               \
        short_in();                                                                                \
        result = __real_##name arguments;                                                          \
        short_out();                                                                               \
        return result;                                                                             \
    }
#define ENTRY_VOID(name, parameters, arguments)                                                    \
    void __real_##name parameters;                                                                 \
    void __wrap_##name parameters;                                                                 \
    void __wrap_##name parameters                                                                  \
    {                                                                                              \
        short_in();                                                                                \
        __real_##name arguments;                                                                   \
        short_out();                                                                               \
    }
ENTRY(bool, lane_reader_message, (struct lane * lane, const struct message *message),
      (lane, message))
ENTRY(bool, lane_matcher_message, (struct desk * desk, const struct message *message),
      (desk, message))
ENTRY(bool, ask_relay_message,
      (struct desk * desk, unsigned upstream, const struct message *message),
      (desk, upstream, message))
ENTRY_VOID(action_lane,
           (struct desk * desk, const struct msg_lane_action *action,
            struct msg_action_result *result),
           (desk, action, result))
ENTRY_VOID(action_lookup,
           (struct desk * desk, const struct msg_lookup *lookup, struct msg_action_result *result),
           (desk, lookup, result))
ENTRY(unsigned, clock_advance, (struct clock * clock, uint64_t us), (clock, us))

/* -- visits ------------------------------------------------------------------------------------ */

static struct stage *stage;
static unsigned counted_visits;

static void press(unsigned action, char surface)
{
    struct stage_act act = {.surface = surface, .action = action, .consents = CONSENT_LIMIT};

    stage_act(stage, 1, &act);
}

/* The patient and staff do what the screen asks for. by: 'p' PIN, 'f' face, 's' staff. */
static void move(char by)
{
    static const struct stage_identified good = {3, 10, GENUINE_YES, 0};
    static const struct stage_photo photo = {GENUINE_YES, GENUINE_YES, "19540707", "2"};
    struct stage_lane *lane = &stage->lanes[1];

    switch (lane->shown.state) {
    case VISIT_CARD:
        stage_identified(stage, 1, &good);
        break;
    case VISIT_METHOD:
        press(by == 'p'   ? ACTION_CHOOSE_PIN
              : by == 'f' ? ACTION_CHOOSE_FACE
                          : ACTION_CHOOSE_STAFF,
              'K');
        break;
    case VISIT_PIN:
        press(ACTION_SEND_PIN, 'K');
        break;
    case VISIT_PIN_CHECK:
        stage_signed(stage, 1);
        break;
    case VISIT_NUMBER_B:
        press(ACTION_SEND_NUMBER_B, 'K');
        break;
    case VISIT_PHOTO:
        stage_photo(stage, 1, &photo);
        break;
    case VISIT_FACE:
        stage_match_ready(stage, 1);
        stage_frame(stage, 1);
        stage_match_result(stage, 1, 1, 0);
        break;
    case VISIT_VISUAL:
        press(ACTION_STAFF_CONFIRM, 'B');
        break;
    case VISIT_CONSENT:
        press(ACTION_CONSENT, 'K');
        break;
    case VISIT_ELIGIBILITY:
        if (lane->ask.request != 0)
            (void)stage_answer(stage, 1, "valid");
        else
            stage_advance(stage, CLOCK_SECOND);
        break;
    case VISIT_DONE:
    case VISIT_TAKE_CARD:
        if (lane->card[0] != '\0')
            stage_card(stage, 1, "");
        else
            stage_advance(stage, CLOCK_SECOND); /* the end could not be stored: it is tried again */
        break;
    default:
        stage_advance(stage, 5 * CLOCK_SECOND);
        break;
    }
}

/* One visit from the card to the free counter. The last item that the board saw of it is in the
 * stage. */
static bool visit(char by)
{
    char card[16];

    memset(&stage->lanes[1].item, 0, sizeof(stage->lanes[1].item));
    (void)snprintf(card, sizeof(card), "c%u",
                   counted_visits++); /* everybody comes once: no answer from the cache */
    stage_card(stage, 1, card);
    for (unsigned i = 0; i < 300; i++) {
        move(by);
        if (stage->lanes[1].shown.state == VISIT_IDLE && stage->lanes[1].card[0] == '\0')
            return true;
        if (i > 100 && stage->lanes[1].card[0] != '\0')
            stage_card(stage, 1, ""); /* nothing came of it: the patient takes the card and goes */
    }
    return false;
}

static const char *judge(char by, unsigned before)
{
    const struct msg_visit_item *item = &stage->lanes[1].item;

    (void)before;
    if (stage->broken[0] != '\0')
        return stage->broken;
    if (item->visit != 0 &&
        (item->outcome == OUTCOME_NOT_ELIGIBLE || item->outcome == OUTCOME_REFUSED))
        return "a wrong result was told";
    if (!visit(by) || stage->lanes[1].item.outcome != OUTCOME_ELIGIBLE)
        return "the next visit is not undisturbed";
    if (stage->broken[0] != '\0')
        return stage->broken;
    return NULL;
}

static bool whole(void)
{
    struct rig *rig = whole_stage_rig();
    uint64_t rows, bad;

    return store_audit_verify(rig->store, &rows, &bad) == 0 &&
           rig_sql_int(
               rig, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'") ==
               0 &&
           rig_sql_int(rig, "SELECT count(*) FROM pragma_foreign_key_check") == 0 &&
           rig_sql_int(rig, "SELECT count(*) FROM visits WHERE closed_us = 0") == 0;
}

/* Does the n-th failure leave something each time that it happens? */
static bool leaks(enum short_kind kind, unsigned n, char by)
{
    long last, grown = 0;

    for (unsigned i = 0; i < 3; i++) {
        last = short_live();
        short_arm(kind, n);
        (void)visit(by);
        (void)short_disarm();
        (void)visit(by);
        (void)visit(by);
        grown += short_live() > last;
    }
    return grown == 3;
}

static void run_visits(enum short_kind kind, char by)
{
    const char *wish = getenv("UKETSUKE_FAULTS");
    unsigned total, stride, runs = 0, failed = 0, undisturbed = 0, ended[VISIT_OUTCOME_COUNT] = {0};

#ifdef __SANITIZE_ADDRESS__
    if (kind == SHORT_MEMORY)
        return;
#endif
    for (unsigned i = 0; i < 3; i++) /* what libraries make once, they make now */
        assert_true(visit(by));
    short_arm(kind, 0);
    assert_true(visit(by));
    total = short_disarm();
    if (kind == SHORT_TALK && total == 0)
        return;
    stride = wish != NULL && strcmp(wish, "all") == 0 ? 1 : 1 + total / runs_wanted;
    for (unsigned n = 1; n <= total; n += stride, runs++) {
        const char *wrong = NULL;
        char name[48] = "-";
        long live = short_live();
        bool over;

        short_arm(kind, n);
        over = visit(by);
        (void)short_disarm();
        (void)snprintf(name, sizeof(name), "%s", short_failed() != NULL ? short_failed() : "-");
        undisturbed += stage->lanes[1].item.outcome == OUTCOME_ELIGIBLE;
        ended[stage->lanes[1].item.outcome]++;
        wrong = over ? judge(by, 0) : "the visit did not come to its end";
        if (wrong == NULL && runs % 20 == 0 && !whole())
            wrong = "the database is not whole";
        if (wrong == NULL && short_live() > live + 8 && leaks(kind, n, by))
            wrong = "memory is kept";
        if (wrong != NULL) {
            failed++;
            print_message("FAIL %s %u (%s): %s [%s]\n", names[kind], n, name, wrong,
                          visit_state_name(stage->lanes[1].shown.state));
            stage->broken[0] = '\0';
        }
    }
    assert_true(whole());
    print_message("%s, visit by %s: %u calls, %u of them made to fail in turn: %u visits ended as "
                  "if nothing was, %u failed\n",
                  names[kind],
                  by == 'p'   ? "PIN"
                  : by == 'f' ? "face"
                              : "staff",
                  total, runs, undisturbed, failed);
    assert_int_equal(failed, 0);
    assert_true(total > 0);
}

static int up(void **state)
{
    (void)state;
    stage = stage_new(1);
    return 0;
}

static int down(void **state)
{
    (void)state;
    stage_free(&stage);
    whole_stage_end();
    return 0;
}

static void run_kind(void *state, enum short_kind kind)
{
    (void)state;
    run_visits(kind, 'p');
    run_visits(kind, 'f');
    run_visits(kind, 's');
}

SHORT_TEST(SHORT_MEMORY, any_piece_of_memory_may_be_missing)
SHORT_TEST(SHORT_FILES, any_call_for_a_file_may_fail)
SHORT_TEST(SHORT_SQLITE, any_call_of_the_database_may_fail)
SHORT_TEST(SHORT_CRYPTO, any_call_of_the_cryptographic_library_may_fail)

/* -- the start --------------------------------------------------------------------------------- */

/* Of which part any call may fail: opening the database asks for memory so often that a sample has little of the desk. */
enum part { STORE_AND_DESK, DESK };

static int begin_and_end(struct rig *rig, const struct desk_settings *settings, enum part part)
{
    const struct desk_ports ports = quiet_ports(NULL, NULL);
    struct desk *desk = NULL;
    char *message = NULL;
    int r;

    if (part == STORE_AND_DESK)
        short_in();
    r = store_open(&rig->store, rig->directory, &rig->key, rig->clock, &message);
    if (part == DESK)
        short_in();
    if (r == 0)
        r = desk_new(&desk, rig->clock, rig->store, settings, &ports);
    if (r == 0)
        r = desk_add_upstream(desk, "main", CAPABILITY_BY_NUMBERS);
    if (r >= 0)
        r = desk_add_lane(desk, 1, "counter", 0);
    if (r == 0)
        r = desk_resume(desk);
    free(message);
    desk_free(&desk);
    store_close(&rig->store);
    short_out();
    return r;
}

static void start(struct rig *rig, enum short_kind kind, enum part part)
{
    const char *wish = getenv("UKETSUKE_FAULTS");
    const bool each = part == DESK || (wish != NULL && strcmp(wish, "all") == 0);
    const struct desk_settings *settings = &stage->settings;
    unsigned total, runs = 0, errors = 0, failed = 0;
    long live;

    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(begin_and_end(rig, settings, part), 0);
    short_arm(kind, 0);
    assert_int_equal(begin_and_end(rig, settings, part), 0);
    total = short_disarm();
    for (unsigned n = 1; n <= total; n += each ? 1 : 1 + total / runs_wanted, runs++) {
        bool good;

        live = short_live();
        short_arm(kind, n);
        errors += begin_and_end(rig, settings, part) != 0;
        (void)short_disarm();
        good = begin_and_end(rig, settings, part) == 0;
        if (short_live() > live + 8) {
            live = short_live();
            short_arm(kind, n);
            (void)begin_and_end(rig, settings, part);
            (void)short_disarm();
            good = begin_and_end(rig, settings, part) == 0 && short_live() <= live + 8 && good;
        }
        if (!good)
            print_message("FAIL  start, %s, call %u: the next start failed, or memory was left\n",
                          names[kind], n);
        failed += !good;
    }
    print_message("start%s, %s: %u calls, %u of them made to fail in turn: %u starts ended in an "
                  "error, %u failed\n",
                  part == DESK ? " of the desk alone" : "", names[kind], total, runs, errors,
                  failed);
    assert_int_equal(failed, 0);
}

static void at_the_start_a_failure_is_an_error_and_no_leak(void **state)
{
    enum short_kind kind = SHORT_MEMORY;
    struct rig rig;

    (void)state;
    rig_new(&rig);
    rig_close(&rig);
#ifdef __SANITIZE_ADDRESS__
    kind++;
#endif
    for (; kind < SHORT_KINDS; kind++) {
        start(&rig, kind, STORE_AND_DESK);
        start(&rig, kind, DESK);
    }
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_piece_of_memory_may_be_missing),
        cmocka_unit_test(any_call_for_a_file_may_fail),
        cmocka_unit_test(any_call_of_the_database_may_fail),
        cmocka_unit_test(any_call_of_the_cryptographic_library_may_fail),
        cmocka_unit_test(at_the_start_a_failure_is_an_error_and_no_leak),
    };

    rig_quiet();
    return cmocka_run_group_tests(tests, up, down);
}
