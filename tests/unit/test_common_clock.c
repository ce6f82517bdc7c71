/* The simulated clock: what scenarios rely on. */
#include "daemon/common/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <sys/timex.h>
#include <systemd/sd-event.h>

struct note {
    struct clock *clock;
    uint64_t at[8];
    int order[8];
    int n;
    struct timer *again;
};

static void note_first(struct timer *timer, void *arg)
{
    struct note *note = arg;

    (void)timer;
    note->at[note->n] = clock_monotonic_us(note->clock);
    note->order[note->n++] = 1;
}

static void note_second(struct timer *timer, void *arg)
{
    struct note *note = arg;

    (void)timer;
    note->at[note->n] = clock_monotonic_us(note->clock);
    note->order[note->n++] = 2;
    if (note->again != NULL)
        assert_int_equal(timer_set_after(note->again, 5), 0);
}

static void timers_fire_in_the_order_of_their_deadlines_at_their_own_time(void **state)
{
    struct note note = {.clock = clock_new_simulated(1000, 0)};
    struct timer *a = timer_new(note.clock, note_first, &note),
                 *b = timer_new(note.clock, note_second, &note);

    (void)state;
    assert_int_equal(timer_set_after(a, 300), 0);
    assert_int_equal(timer_set_after(b, 100), 0);
    assert_int_equal(clock_next_deadline(note.clock), 1100);
    assert_int_equal(clock_advance(note.clock, 299), 1);
    assert_int_equal(note.at[0], 1100);
    assert_int_equal(clock_advance(note.clock, 1), 1);
    assert_int_equal(note.at[1], 1300);
    assert_int_equal(note.order[0], 2);
    assert_int_equal(note.order[1], 1);
    assert_int_equal(clock_next_deadline(note.clock), CLOCK_NEVER);
    timer_free(&a);
    timer_free(&b);
    clock_free(&note.clock);
}

static void equal_deadlines_fire_in_the_order_in_which_they_were_set(void **state)
{
    struct note note = {.clock = clock_new_simulated(0, 0)};
    struct timer *a = timer_new(note.clock, note_first, &note),
                 *b = timer_new(note.clock, note_second, &note);

    (void)state;
    (void)timer_set_at(b, 50);
    (void)timer_set_at(a, 50);
    assert_int_equal(clock_advance(note.clock, 50), 2);
    assert_int_equal(note.order[0], 2);
    assert_int_equal(note.order[1], 1);
    timer_free(&a);
    timer_free(&b);
    clock_free(&note.clock);
}

static void a_timer_set_by_a_callback_within_the_span_fires_too(void **state)
{
    struct note note = {.clock = clock_new_simulated(0, 0)};
    struct timer *a = timer_new(note.clock, note_first, &note),
                 *b = timer_new(note.clock, note_second, &note);

    (void)state;
    note.again = a;
    (void)timer_set_at(b, 10);
    assert_int_equal(clock_advance(note.clock, 14), 1);
    assert_int_equal(clock_advance(note.clock, 1), 1);
    assert_int_equal(note.at[1], 15);
    timer_free(&a);
    timer_free(&b);
    clock_free(&note.clock);
}

static void a_stopped_or_moved_timer_does_not_fire_at_its_old_time(void **state)
{
    struct note note = {.clock = clock_new_simulated(0, 0)};
    struct timer *a = timer_new(note.clock, note_first, &note);

    (void)state;
    (void)timer_set_at(a, 10);
    (void)timer_set_at(a, 30);
    assert_int_equal(clock_advance(note.clock, 20), 0);
    timer_stop(a);
    assert_int_equal(timer_deadline(a), CLOCK_NEVER);
    assert_int_equal(clock_advance(note.clock, 20), 0);
    timer_free(&a);
    clock_free(&note.clock);
}

static void a_step_of_the_wall_clock_moves_no_deadline(void **state)
{
    struct note note = {.clock = clock_new_simulated(0, 1000000)};
    struct timer *a = timer_new(note.clock, note_first, &note);

    (void)state;
    (void)timer_set_at(a, 100);
    clock_step_realtime(note.clock, -900000);
    assert_int_equal(clock_realtime_us(note.clock), 100000);
    assert_int_equal(clock_advance(note.clock, 99), 0);
    assert_int_equal(clock_advance(note.clock, 1), 1);
    assert_int_equal(clock_realtime_us(note.clock), 100100);
    assert_int_equal(clock_left_us(note.clock, 150), 50);
    assert_int_equal(clock_left_us(note.clock, 50), 0);
    timer_free(&a);
    clock_free(&note.clock);
}

static void count_one(struct timer *timer, void *arg)
{
    (void)timer;
    ++*(unsigned *)arg;
}

static void end_loop(struct timer *timer, void *arg)
{
    (void)timer;
    (void)sd_event_exit(arg, 7);
}

static void a_system_timer_fires_from_the_loop(void **state)
{
    sd_event *loop = NULL;
    struct clock *clock;
    struct timer *timer;
    uint64_t before;

    (void)state;
    assert_int_equal(sd_event_new(&loop), 0);
    clock = clock_new_system(loop);
    timer = timer_new(clock, end_loop, loop);
    before = clock_monotonic_us(clock);
    assert_int_equal(timer_set_after(timer, 2000), 0);
    assert_int_equal(sd_event_loop(loop), 7);
    assert_true(clock_monotonic_us(clock) - before >= 2000);
    timer_free(&timer);
    clock_free(&clock);
    sd_event_unref(loop);
}

static int by_size(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* With the slack that other timers have it would be a millisecond, and one that was set far off before keeps none of it. */
static void what_is_to_be_at_once_does_not_wait_for_company(void **state)
{
    enum { TRIES = 101 };
    uint64_t took[TRIES];
    sd_event *loop = NULL;
    struct clock *clock;
    struct timer *timer;
    unsigned fired = 0;

    (void)state;
    assert_int_equal(sd_event_new(&loop), 0);
    clock = clock_new_system(loop);
    timer = timer_new(clock, count_one, &fired);
    for (unsigned i = 0; i < TRIES; i++) {
        const uint64_t before = clock_monotonic_us(clock);

        if (i % 2 == 1)
            assert_int_equal(timer_set_after(timer, CLOCK_HOUR), 0);
        assert_int_equal(timer_set_at(timer, i % 3 == 0 ? 1 : before), 0);
        while (fired == i)
            assert_true(sd_event_run(loop, CLOCK_SECOND) >= 0);
        took[i] = clock_monotonic_us(clock) - before;
    }
    qsort(took, TRIES, sizeof(took[0]), by_size);
    if (took[TRIES / 2] >= CLOCK_MS / 2)
        fail_msg("half of them took %u us and more", (unsigned)took[TRIES / 2]);
    timer_free(&timer);
    clock_free(&clock);
    sd_event_unref(loop);
}

/* Compared with GNU date: TZ=Asia/Tokyo date -d '2026-11-23 08:30' +%s is 1795390200. */
static void the_day_begins_at_midnight_in_japan(void **state)
{
    const uint64_t monday_half_past_eight = UINT64_C(1795390200) * CLOCK_SECOND;
    const int64_t monday = 1795359600; /* TZ=Asia/Tokyo date -d 2026-11-23 +%s */
    struct clock *clock = clock_new_simulated(1, monday_half_past_eight);

    (void)state;
    assert_int_equal(clock_day_start_s(clock), monday);
    clock_step_realtime(clock, -(int64_t)(8 * 3600 + 30 * 60) * (int64_t)CLOCK_SECOND);
    assert_int_equal(clock_day_start_s(clock), monday);
    clock_step_realtime(clock, -1);
    assert_int_equal(clock_day_start_s(clock), monday - 86400);
    clock_free(&clock);
}

/* The same as by glibc's own call; asking sets nothing. */
static void the_kernel_is_asked_and_nothing_is_set(void **state)
{
    struct clock *clock = clock_new_simulated(1, 1);
    struct timex before = {.modes = 0}, after = {.modes = 0};
    int asked;

    (void)state;
    if (adjtimex(&before) < 0) {
        assert_int_equal(clock_host_synchronised(), -errno);
    } else {
        asked = clock_host_synchronised();
        assert_int_equal(asked, (before.status & STA_UNSYNC) == 0);
        assert_true(adjtimex(&after) >= 0);
        assert_int_equal(after.status, before.status);
        assert_int_equal(after.tai, before.tai);
        assert_int_equal(after.tick, before.tick);
    }
    assert_int_equal(clock_synchronised(clock), 1);
    clock_set_synchronised(clock, 0);
    assert_int_equal(clock_synchronised(clock), 0);
    clock_set_synchronised(clock, -EPERM);
    assert_int_equal(clock_synchronised(clock), -EPERM);
    clock_free(&clock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernel_is_asked_and_nothing_is_set),
        cmocka_unit_test(timers_fire_in_the_order_of_their_deadlines_at_their_own_time),
        cmocka_unit_test(equal_deadlines_fire_in_the_order_in_which_they_were_set),
        cmocka_unit_test(a_timer_set_by_a_callback_within_the_span_fires_too),
        cmocka_unit_test(a_stopped_or_moved_timer_does_not_fire_at_its_old_time),
        cmocka_unit_test(a_step_of_the_wall_clock_moves_no_deadline),
        cmocka_unit_test(a_system_timer_fires_from_the_loop),
        cmocka_unit_test(what_is_to_be_at_once_does_not_wait_for_company),
        cmocka_unit_test(the_day_begins_at_midnight_in_japan),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
