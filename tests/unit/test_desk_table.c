/* The visit table walked as a graph: what must hold of it whatever the program does. */
#include "../../daemon/common/config.h"
#include "../../daemon/desk/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BIT(state) (UINT32_C(1) << (state))
#define ALL_STATES ((UINT32_C(1) << VISIT_STATE_COUNT) - 1)

static unsigned target(const struct table_row *row, unsigned from)
{
    return row->to == TABLE_STAY ? from : row->to;
}

static void every_state_is_reached_from_idle(void **state)
{
    uint32_t reached = BIT(VISIT_IDLE), before;

    (void)state;
    do {
        before = reached;
        for (size_t i = 0; i < table_rows(); i++)
            for (unsigned s = 0; s < VISIT_STATE_COUNT; s++)
                if ((table_row_at(i)->from & reached & BIT(s)) != 0)
                    reached |= BIT(target(table_row_at(i), s));
    } while (reached != before);
    assert_int_equal(reached, ALL_STATES);
}

/* Backwards from CLOSED along the rows of `allowed` events; returns the states that have a way. */
static uint32_t have_a_way_out(bool (*allowed)(const struct table_row *row))
{
    uint32_t have = BIT(VISIT_CLOSED), before;

    do {
        before = have;
        for (size_t i = 0; i < table_rows(); i++)
            for (unsigned s = 0; s < VISIT_STATE_COUNT; s++)
                if ((table_row_at(i)->from & BIT(s)) != 0 && allowed(table_row_at(i)) &&
                    (have & BIT(target(table_row_at(i), s))) != 0)
                    have |= BIT(s);
    } while (have != before);
    return have;
}

static bool any(const struct table_row *row)
{
    (void)row;
    return true;
}

/* Everybody is gone: no patient, no staff, no program that answers; only clocks run, and the card is taken. */
static bool nobody_acts(const struct table_row *row)
{
    return row->event == EVENT_TIMEOUT || row->event == EVENT_CARD_OUT;
}

/* All machines are dead and the card stays: staff alone. */
static bool staff_end_it(const struct table_row *row)
{
    return row->event == EVENT_STAFF_END;
}

static void an_end_is_reached_from_every_state(void **state)
{
    size_t pairs = 0;

    (void)state;
    assert_int_equal(have_a_way_out(any) | BIT(VISIT_IDLE), ALL_STATES);
    for (size_t i = 0; i < table_rows(); i++)
        pairs += (size_t)__builtin_popcount(table_row_at(i)->from);
    print_message("%u states, %zu rows, %zu transitions: an end is reached from every state, also "
                  "if nobody does "
                  "anything, also by staff alone\n",
                  (unsigned)VISIT_STATE_COUNT, table_rows(), pairs);
}

static void an_end_is_reached_even_if_nobody_does_anything(void **state)
{
    (void)state;
    assert_int_equal(have_a_way_out(nobody_acts) | BIT(VISIT_IDLE), ALL_STATES);
}

static void staff_can_end_every_visit(void **state)
{
    (void)state;
    assert_int_equal(have_a_way_out(staff_end_it) | BIT(VISIT_IDLE), ALL_STATES);
}

/* A limit without an unguarded way on would be no limit. */
static void no_state_waits_without_a_time_limit(void **state)
{
    (void)state;
    for (unsigned s = 0; s < VISIT_STATE_COUNT; s++) {
        struct table_limit limit = table_limit(s);
        bool leads_on = false;

        if (s == VISIT_IDLE || s == VISIT_CLOSED) {
            assert_int_equal(limit.config_key, -2);
            continue;
        }
        assert_true(limit.config_key >= 0 || (limit.config_key == -1 && limit.seconds > 0));
        for (size_t i = 0; i < table_rows(); i++) {
            const struct table_row *row = table_row_at(i);

            if ((row->from & BIT(s)) != 0 && row->event == EVENT_TIMEOUT && row->to != TABLE_STAY &&
                (row->guard == GUARD_ALWAYS || s == VISIT_SHOW_CARD))
                leads_on = true;
        }
        if (!leads_on)
            fail_msg("%s has a limit that leads nowhere", visit_state_name(s));
    }
}

static uint64_t limit_s(unsigned s)
{
    struct table_limit limit = table_limit(s);

    return limit.config_key >= 0
               ? strtoull(config_row((enum config_key)limit.config_key)->fallback, NULL, 10)
               : limit.seconds;
}

/* Seconds until the visit has closed when nobody does anything and the card is gone; the clock's rows alone are walked. */
static uint64_t silent_s(unsigned s, unsigned depth)
{
    uint64_t worst = 0;

    assert_true(depth <= VISIT_STATE_COUNT);
    if (s == VISIT_CLOSED)
        return 0;
    for (size_t i = 0; i < table_rows(); i++) {
        const struct table_row *row = table_row_at(i);
        uint64_t rest;

        /* TAKE_CARD starts anew for as long as a card lies there; here none does. */
        if (row->event != EVENT_TIMEOUT || (row->from & BIT(s)) == 0 || target(row, s) == s)
            continue;
        rest = silent_s(target(row, s), depth + 1);
        worst = rest > worst ? rest : worst;
    }
    return limit_s(s) + worst;
}

static void a_visit_that_everybody_left_is_over_in_minutes(void **state)
{
    uint64_t worst = 0;
    unsigned where = 0, walked = 0;

    (void)state;
    for (unsigned s = VISIT_CARD; s < VISIT_CLOSED; s++) {
        uint64_t silent = silent_s(s, 0);

        assert_true(silent > 0);
        walked++;
        if (silent > worst) {
            worst = silent;
            where = s;
        }
    }
    print_message(
        "%u states wait with a limit; left alone the longest way to the end is %llu s, from %s\n",
        walked, (unsigned long long)worst, visit_state_name(where));
    assert_true(worst <= 600);
}

/*
 * Every failure of a card operation has a way on in the state of that operation, unguarded, and none of
 * the ways leads back into an operation by itself.
 */
static void every_failure_of_an_operation_leads_on(void **state)
{
    static const unsigned operations[] = {VISIT_CARD, VISIT_PHOTO, VISIT_PIN_CHECK};

    (void)state;
    for (size_t o = 0; o < 3; o++)
        for (unsigned event = EVENT_FAIL_GONE; event <= EVENT_READER_LOST; event++) {
            bool leads_on = false;

            /* Identifying spends no entry, so nothing entered can be wrong or need a yes. */
            if (operations[o] == VISIT_CARD &&
                (event == EVENT_FAIL_ENTRY || event == EVENT_FAIL_CONFIRM))
                continue;
            for (size_t i = 0; i < table_rows(); i++) {
                const struct table_row *row = table_row_at(i);

                if ((row->from & BIT(operations[o])) == 0 || row->event != event)
                    continue;
                leads_on |= row->guard == GUARD_ALWAYS;
                assert_true(row->to != VISIT_CARD && row->to != VISIT_PHOTO &&
                            row->to != VISIT_PIN_CHECK);
            }
            if (!leads_on)
                fail_msg("%s in %s leads nowhere", table_event_name(event),
                         visit_state_name(operations[o]));
        }
}

/*
 * A credential goes to the card only in the step that brought it; the one exception is a scanned 照合番号B
 * that waited for the card to come back.
 */
static void no_path_sends_a_credential_that_was_not_given(void **state)
{
    (void)state;
    for (size_t i = 0; i < table_rows(); i++) {
        const struct table_row *row = table_row_at(i);

        for (unsigned send = 0; send < SEND_COUNT; send++) {
            char needed = table_send_credential(send);

            if ((row->sends >> send & 1) == 0 || needed == 0)
                continue;
            if (table_event_credential(row->event) != needed && row->guard != GUARD_BACK_TO_READING)
                fail_msg("row %zu (%s) sends '%s' without a credential", i,
                         table_event_name(row->event), table_send_name(send));
        }
    }
}

/*
 * The same along whole ways: every way through the table is walked, with what is in hand on it. In hand is a scanned
 * 照合番号B (it waits for the card, and goes with the send), and for the length of one row the credential of its event.
 */
struct walk {
    bool seen[VISIT_STATE_COUNT][2];
    unsigned configurations, rows, sends;
};

static void walk_on(struct walk *w, unsigned from, bool scanned)
{
    if (w->seen[from][scanned])
        return;
    w->seen[from][scanned] = true;
    w->configurations++;
    for (size_t i = 0; i < table_rows(); i++) {
        const struct table_row *row = table_row_at(i);
        bool next = scanned || (row->notes >> NOTE_SCANNED & 1) != 0;
        bool held = next;

        /* Its guard holds only with a reading in hand (guard.c). */
        if ((row->from & BIT(from)) == 0 || (row->guard == GUARD_BACK_TO_READING && !scanned))
            continue;
        w->rows++;
        if ((row->notes >> NOTE_SCANNED & 1) != 0)
            assert_int_equal(table_event_credential(row->event), 'B');
        for (unsigned send = 0; send < SEND_COUNT; send++) {
            char needed = table_send_credential(send);

            if ((row->sends >> send & 1) == 0 || needed == 0)
                continue;
            w->sends++;
            if (table_event_credential(row->event) != needed && !(needed == 'B' && held))
                fail_msg("on a way through %s, %s sends '%s' with nothing in hand",
                         visit_state_name(from), table_event_name(row->event),
                         table_send_name(send));
            held = false;
        }
        if ((row->sends & BIT(SEND_PHOTO)) != 0 || (row->sends & BIT(SEND_END)) != 0)
            next = false;
        if (target(row, from) != VISIT_CLOSED)
            walk_on(w, target(row, from), next);
    }
}

static void every_way_through_the_table_sends_only_what_is_in_hand(void **state)
{
    struct walk w = {0};

    (void)state;
    walk_on(&w, VISIT_IDLE, false);
    print_message(
        "%u configurations, %u rows taken on all ways, %u sends of a credential: each was given\n",
        w.configurations, w.rows, w.sends);
    assert_true(w.sends >= 4);
    for (unsigned s = 0; s < VISIT_CLOSED; s++)
        assert_true(w.seen[s][0]);
}

/*
 * Nobody comes to an entry with the last try (PIN) or few tries (照合番号B) but by saying yes: before each row that leads
 * there stands one for the same states and event that leads to the question instead.
 */
static void the_last_tries_are_behind_a_yes(void **state)
{
    static const struct {
        uint8_t entry, question, guards[2];
        uint32_t but; /* states that are reached only at the full counter */
    } cases[] = {
        {VISIT_PIN, VISIT_PIN_CONFIRM, {GUARD_PIN_LAST, GUARD_BACK_TO_PIN_LAST}, 0},
        {VISIT_NUMBER_B,
         VISIT_NUMBER_B_CONFIRM,
         {GUARD_NUMBER_B_FEW, GUARD_BACK_TO_NUMBER_B_FEW},
         BIT(VISIT_SHOW_CARD)},
    };
    unsigned rows = 0;

    (void)state;
    for (size_t c = 0; c < 2; c++)
        for (size_t i = 0; i < table_rows(); i++) {
            const struct table_row *row = table_row_at(i);
            uint32_t open = row->from & ~cases[c].but;

            if (row->to != cases[c].entry || row->event == EVENT_YES ||
                row->event == EVENT_STILL_HERE)
                continue;
            rows++;
            for (size_t j = 0; j < i; j++) {
                const struct table_row *before = table_row_at(j);

                if (before->event == row->event && before->to == cases[c].question &&
                    (before->guard == cases[c].guards[0] || before->guard == cases[c].guards[1]))
                    open &= ~before->from;
            }
            if (open != 0)
                fail_msg("row %zu (%s) leads to %s without a yes", i, table_event_name(row->event),
                         visit_state_name(cases[c].entry));
        }
    print_message("%u rows lead to an entry; each has its question before it\n", rows);
    assert_true(rows >= 8);
}

/* A person is let through to consent and answer only by a right PIN, a face, or staff. */
static void nobody_gets_past_the_check_without_one(void **state)
{
    const uint32_t after = BIT(VISIT_CONSENT) | BIT(VISIT_ELIGIBILITY) | BIT(VISIT_REGISTER) |
                           BIT(VISIT_LINK) | BIT(VISIT_DONE) | BIT(VISIT_STAFF) |
                           BIT(VISIT_TAKE_CARD) | BIT(VISIT_CARD_LOST) | BIT(VISIT_CARD) |
                           BIT(VISIT_CLOSED);
    const uint64_t checks = UINT64_C(1) << NOTE_MATCHED | UINT64_C(1) << NOTE_PIN_RIGHT |
                            UINT64_C(1) << NOTE_BY_EYE | UINT64_C(1) << NOTE_BY_NUMBERS;

    (void)state;
    for (size_t i = 0; i < table_rows(); i++) {
        const struct table_row *row = table_row_at(i);
        bool guarded = row->guard == GUARD_EVIDENCE || row->guard == GUARD_ASKABLE ||
                       row->guard == GUARD_BACK_TO_CONSENT ||
                       row->guard == GUARD_BACK_TO_REGISTER ||
                       row->guard == GUARD_BACK_TO_ELIGIBILITY || row->guard == GUARD_SELF_ASKING;
        bool lets_in = row->to == VISIT_CONSENT || row->to == VISIT_ELIGIBILITY ||
                       row->to == VISIT_REGISTER || row->to == VISIT_LINK;
        bool unchecked_start = (row->from & ~after) != 0;

        if (lets_in && unchecked_start && (row->notes & checks) == 0 && !guarded)
            fail_msg("row %zu (%s) lets in to %s", i, table_event_name(row->event),
                     visit_state_name(row->to));
        if (lets_in &&
            (row->from & (BIT(VISIT_CARD) | BIT(VISIT_CARD_LOST) | BIT(VISIT_STAFF))) != 0 &&
            (row->notes & checks) == 0 && !guarded)
            fail_msg("row %zu (%s) lets in to %s", i, table_event_name(row->event),
                     visit_state_name(row->to));
    }
}

/* Without an answer somebody is received only by what staff wrote down: a slip, and its outcome says so. */
static void a_slip_is_filed_by_staff_alone(void **state)
{
    unsigned rows = 0;

    (void)state;
    for (size_t i = 0; i < table_rows(); i++) {
        const struct table_row *row = table_row_at(i);

        assert_int_equal((row->notes >> NOTE_SLIP & 1) != 0, row->event == EVENT_SLIP);
        rows += row->event == EVENT_SLIP;
        if (row->event == EVENT_SLIP)
            assert_true(row->to == VISIT_DONE || row->to == TABLE_STAY);
    }
    assert_string_equal(visit_action_who(ACTION_SLIP), "B");
    assert_true(rows > 0);
}

/* Only the last rows for a pair may be unguarded: a row behind it could never be taken. */
static void no_row_is_hidden_behind_another(void **state)
{
    (void)state;
    for (size_t i = 0; i < table_rows(); i++) {
        const struct table_row *row = table_row_at(i);
        uint32_t hidden = row->from;

        for (size_t j = 0; j < i; j++) {
            const struct table_row *earlier = table_row_at(j);

            if (earlier->event == row->event &&
                (earlier->guard == GUARD_ALWAYS || earlier->guard == row->guard))
                hidden &= ~earlier->from;
        }
        if (hidden == 0)
            fail_msg("row %zu (%s [%s]) is never taken", i, table_event_name(row->event),
                     table_guard_name(row->guard));
    }
}

static void every_action_has_its_event(void **state)
{
    (void)state;
    assert_int_equal(table_event_of_action(ACTION_NONE), EVENT_COUNT);
    assert_int_equal(table_event_of_action(VISIT_ACTION_COUNT), EVENT_COUNT);
    for (unsigned action = ACTION_NONE + 1; action < VISIT_ACTION_COUNT; action++) {
        enum desk_event_kind event = table_event_of_action(action);

        assert_string_equal(table_event_name(event), visit_action_name(action));
    }
}

/* The closing step writes the time of closing, and nothing but it does. */
static void closing_is_noted(void **state)
{
    (void)state;
    for (size_t i = 0; i < table_rows(); i++) {
        const struct table_row *row = table_row_at(i);

        assert_int_equal(row->to == VISIT_CLOSED, (row->notes >> NOTE_CLOSE & 1) != 0);
        if (row->to == VISIT_CLOSED)
            assert_true(row->sends & UINT32_C(1) << SEND_END);
        assert_true(row->from != 0 && row->event < EVENT_COUNT && row->guard < GUARD_COUNT);
    }
}

static void it_can_be_drawn(void **state)
{
    char *text = NULL;
    size_t len = 0, edges = 0, pairs = 0, lines = 0, drawn = 0;
    bool joined[VISIT_STATE_COUNT][VISIT_STATE_COUNT] = {{false}};
    FILE *out = open_memstream(&text, &len);

    (void)state;
    assert_int_equal(table_print_dot(out), 0);
    fclose(out);
    /* An edge for each two states that a row joins, and in the edges a line for each row of each of its states. */
    for (size_t i = 0; i < table_rows(); i++)
        for (unsigned s = 0; s < VISIT_STATE_COUNT; s++)
            if ((table_row_at(i)->from & BIT(s)) != 0) {
                pairs += !joined[s][target(table_row_at(i), s)];
                joined[s][target(table_row_at(i), s)] = true;
                lines++;
            }
    for (const char *at = text; (at = strstr(at, " -> ")) != NULL; at++)
        edges++;
    for (const char *at = text; (at = strstr(at, "\\l")) != NULL; at++)
        drawn++;
    assert_int_equal(edges, pairs);
    assert_int_equal(drawn, lines);
    free(text);
    text = NULL;
    out = open_memstream(&text, &len);
    assert_int_equal(table_print_text(out), 0);
    fclose(out);
    edges = 0;
    for (const char *at = text; *at != '\0'; at++)
        edges += *at == '\n';
    assert_int_equal(edges, table_rows());
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_is_reached_from_idle),
        cmocka_unit_test(an_end_is_reached_from_every_state),
        cmocka_unit_test(an_end_is_reached_even_if_nobody_does_anything),
        cmocka_unit_test(staff_can_end_every_visit),
        cmocka_unit_test(no_state_waits_without_a_time_limit),
        cmocka_unit_test(a_visit_that_everybody_left_is_over_in_minutes),
        cmocka_unit_test(every_failure_of_an_operation_leads_on),
        cmocka_unit_test(no_path_sends_a_credential_that_was_not_given),
        cmocka_unit_test(every_way_through_the_table_sends_only_what_is_in_hand),
        cmocka_unit_test(the_last_tries_are_behind_a_yes),
        cmocka_unit_test(nobody_gets_past_the_check_without_one),
        cmocka_unit_test(a_slip_is_filed_by_staff_alone),
        cmocka_unit_test(no_row_is_hidden_behind_another),
        cmocka_unit_test(every_action_has_its_event),
        cmocka_unit_test(closing_is_noted),
        cmocka_unit_test(it_can_be_drawn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
