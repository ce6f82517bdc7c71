/*
 * clock: the only source of time and of timers in the house.
 *
 * Every wait has a deadline from here, and tests put a simulated clock in its place, so that a whole
 * day at a counter passes in milliseconds. Times are microseconds: "monotonic" counts from an
 * arbitrary point and never jumps; "realtime" is UTC since 1970 and may be stepped by the host.
 */
#ifndef UKETSUKE_CLOCK_H
#define UKETSUKE_CLOCK_H

#include <stdint.h>

#define CLOCK_MS UINT64_C(1000)
#define CLOCK_SECOND UINT64_C(1000000)
#define CLOCK_MINUTE (60 * CLOCK_SECOND)
#define CLOCK_HOUR (60 * CLOCK_MINUTE)
#define CLOCK_NEVER UINT64_MAX

struct sd_event;
struct clock;
struct timer;

typedef void clock_timer_fn(struct timer *timer, void *arg);

/* A clock on the host's time; its timers fire from `loop`, which must outlive it. NULL if out of memory. */
struct clock *clock_new_system(struct sd_event *loop);

/* A clock that moves only by clock_advance(). Starts at the given times. */
struct clock *clock_new_simulated(uint64_t monotonic_us, uint64_t realtime_us);

/* All timers must be freed first. Accepts and stores NULL. */
void clock_free(struct clock **clock);

uint64_t clock_monotonic_us(const struct clock *clock);
uint64_t clock_realtime_us(const struct clock *clock);

/* Japan has one zone and no summer time; every date of this trade is its. */
#define CLOCK_JAPAN_SECONDS (9 * 3600)

/* This program is younger than any day before (2025-10-09): a host that says otherwise has lost its clock. */
#define CLOCK_NOT_BEFORE_S INT64_C(1760000000)

/*
 * Does the host's clock follow a time server? 1: yes, 0: no, negative errno: it cannot be told. On the host's time the
 * kernel is asked (systemd-timesyncd, chrony and ntpd all tell it; it forgets about nine hours after they fell silent).
 */
int clock_synchronised(const struct clock *clock);
int clock_host_synchronised(void);
/* Simulated clocks only: what it answers from now on (1 at the beginning). */
void clock_set_synchronised(struct clock *clock, int synchronised);

/* The beginning of today in Japan, in seconds since 1970. */
int64_t clock_day_start_s(const struct clock *clock);

/*
 * Simulated clocks only: move forward by `us`, firing each timer that falls due at its own time and in
 * the order of the deadlines (equal deadlines: in the order in which they were set). A timer set by a
 * callback within the span fires too. Returns the number of timers fired.
 */
unsigned clock_advance(struct clock *clock, uint64_t us);

/* Simulated clocks only: step the wall clock alone (an administrator or NTP corrected the host). */
void clock_step_realtime(struct clock *clock, int64_t us);

/* Simulated clocks only: the nearest deadline, CLOCK_NEVER if no timer is set. */
uint64_t clock_next_deadline(const struct clock *clock);

/* A one-shot timer, not set yet. NULL if out of memory. `arg` is borrowed. */
struct timer *timer_new(struct clock *clock, clock_timer_fn *fire, void *arg);

/* Stops and frees; safe inside its own callback. Accepts and stores NULL. */
void timer_free(struct timer **timer);

/* Set (or move) to an absolute monotonic time; a time already past fires on the next turn of the loop. */
int timer_set_at(struct timer *timer, uint64_t monotonic_us);
/* Set (or move) to `us` from now. */
int timer_set_after(struct timer *timer, uint64_t us);
void timer_stop(struct timer *timer);
/* The deadline, or CLOCK_NEVER when it is not set. */
uint64_t timer_deadline(const struct timer *timer);

/*
 * Budgets: a wait that spans several steps is handed down as an absolute deadline, so that it shrinks
 * by itself. These turn one into the time that is left (0 when past).
 */
uint64_t clock_left_us(const struct clock *clock, uint64_t deadline_us);

#endif
