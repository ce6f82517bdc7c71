#include "clock.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

struct clock {
    struct sd_event *loop; /* NULL: a simulated clock */
    struct timer *first;   /* simulated: the set timers, nearest first */
    uint64_t monotonic_us; /* simulated only */
    uint64_t realtime_us;  /* simulated only */
    int synchronised;      /* simulated only */
    unsigned timers;       /* alive, set or not */
};

struct timer {
    struct clock *clock;
    clock_timer_fn *fire;
    void *arg;
    uint64_t deadline_us;
    sd_event_source *source; /* system clocks: made at the first use, with that slack */
    uint64_t slack_us;
    struct timer *next; /* simulated clocks */
};

static uint64_t host_time_us(clockid_t id)
{
    struct timespec ts;

    if (clock_gettime(id, &ts) != 0)
        return 0;
    return (uint64_t)ts.tv_sec * CLOCK_SECOND + (uint64_t)ts.tv_nsec / 1000;
}

struct clock *clock_new_system(struct sd_event *loop)
{
    struct clock *clock = calloc(1, sizeof(*clock));

    assert(loop != NULL);
    if (clock != NULL)
        clock->loop = sd_event_ref(loop);
    return clock;
}

struct clock *clock_new_simulated(uint64_t monotonic_us, uint64_t realtime_us)
{
    struct clock *clock = calloc(1, sizeof(*clock));

    if (clock != NULL) {
        clock->monotonic_us = monotonic_us;
        clock->realtime_us = realtime_us;
        clock->synchronised = 1;
    }
    return clock;
}

void clock_free(struct clock **clock)
{
    if (*clock == NULL)
        return;
    assert((*clock)->timers == 0);
    sd_event_unref((*clock)->loop);
    free(*clock);
    *clock = NULL;
}

uint64_t clock_monotonic_us(const struct clock *clock)
{
    return clock->loop != NULL ? host_time_us(CLOCK_MONOTONIC) : clock->monotonic_us;
}

uint64_t clock_realtime_us(const struct clock *clock)
{
    return clock->loop != NULL ? host_time_us(CLOCK_REALTIME) : clock->realtime_us;
}

/* The call itself, not glibc's, which makes it by another number: the cage names this one. */
int clock_host_synchronised(void)
{
    struct timex state = {.modes = 0}; /* asks, and sets nothing */

    if (syscall(SYS_adjtimex, &state) < 0)
        return -errno;
    return (state.status & STA_UNSYNC) == 0;
}

int clock_synchronised(const struct clock *clock)
{
    return clock->loop != NULL ? clock_host_synchronised() : clock->synchronised;
}

void clock_set_synchronised(struct clock *clock, int synchronised)
{
    assert(clock->loop == NULL);
    clock->synchronised = synchronised;
}

int64_t clock_day_start_s(const struct clock *clock)
{
    int64_t japan = (int64_t)(clock_realtime_us(clock) / CLOCK_SECOND) + CLOCK_JAPAN_SECONDS;

    return japan - japan % 86400 - CLOCK_JAPAN_SECONDS;
}

uint64_t clock_left_us(const struct clock *clock, uint64_t deadline_us)
{
    uint64_t now = clock_monotonic_us(clock);

    return deadline_us > now ? deadline_us - now : 0;
}

static void simulated_unlink(struct timer *timer)
{
    struct timer **at = &timer->clock->first;

    while (*at != NULL && *at != timer)
        at = &(*at)->next;
    if (*at == timer)
        *at = timer->next;
    timer->next = NULL;
}

static void simulated_link(struct timer *timer)
{
    struct timer **at = &timer->clock->first;

    while (*at != NULL && (*at)->deadline_us <= timer->deadline_us)
        at = &(*at)->next;
    timer->next = *at;
    *at = timer;
}

unsigned clock_advance(struct clock *clock, uint64_t us)
{
    uint64_t end = clock->monotonic_us + us;
    unsigned fired = 0;

    assert(clock->loop == NULL);
    while (clock->first != NULL && clock->first->deadline_us <= end) {
        struct timer *timer = clock->first;

        if (timer->deadline_us > clock->monotonic_us) {
            clock->realtime_us += timer->deadline_us - clock->monotonic_us;
            clock->monotonic_us = timer->deadline_us;
        }
        simulated_unlink(timer);
        timer->deadline_us = CLOCK_NEVER;
        fired++;
        timer->fire(timer, timer->arg);
    }
    clock->realtime_us += end - clock->monotonic_us;
    clock->monotonic_us = end;
    return fired;
}

void clock_step_realtime(struct clock *clock, int64_t us)
{
    assert(clock->loop == NULL);
    clock->realtime_us += (uint64_t)us;
}

uint64_t clock_next_deadline(const struct clock *clock)
{
    return clock->first != NULL ? clock->first->deadline_us : CLOCK_NEVER;
}

struct timer *timer_new(struct clock *clock, clock_timer_fn *fire, void *arg)
{
    struct timer *timer = calloc(1, sizeof(*timer));

    if (timer == NULL)
        return NULL;
    timer->clock = clock;
    timer->fire = fire;
    timer->arg = arg;
    timer->deadline_us = CLOCK_NEVER;
    clock->timers++;
    return timer;
}

void timer_free(struct timer **timer)
{
    if (*timer == NULL)
        return;
    timer_stop(*timer);
    sd_event_source_disable_unref((*timer)->source);
    (*timer)->clock->timers--;
    free(*timer);
    *timer = NULL;
}

static int system_fire(sd_event_source *source, uint64_t usec, void *arg)
{
    struct timer *timer = arg;

    (void)source;
    (void)usec;
    timer->deadline_us = CLOCK_NEVER;
    timer->fire(timer, timer->arg);
    return 0;
}

/* 1 ms of slack lets the kernel wake once for timers that lie side by side. What is to be at once has none (an accuracy
 * of 0 would be the library's own, a quarter of a second): libcurl sets such a timer for every request. */
static int system_set(struct timer *timer, uint64_t monotonic_us)
{
    const uint64_t slack_us = monotonic_us > clock_monotonic_us(timer->clock) ? CLOCK_MS : 1;
    int r = 0;

    if (timer->source == NULL) {
        r = sd_event_add_time(timer->clock->loop, &timer->source, CLOCK_MONOTONIC, monotonic_us,
                              slack_us, system_fire, timer);
    } else {
        if (slack_us != timer->slack_us)
            r = sd_event_source_set_time_accuracy(timer->source, slack_us);
        if (r >= 0)
            r = sd_event_source_set_time(timer->source, monotonic_us);
    }
    if (r >= 0)
        timer->slack_us = slack_us;
    return r;
}

int timer_set_at(struct timer *timer, uint64_t monotonic_us)
{
    int r;

    timer_stop(timer);
    if (monotonic_us == CLOCK_NEVER)
        return 0;
    if (timer->clock->loop == NULL) {
        timer->deadline_us = monotonic_us;
        simulated_link(timer);
        return 0;
    }
    r = system_set(timer, monotonic_us);
    if (r >= 0)
        r = sd_event_source_set_enabled(timer->source, SD_EVENT_ONESHOT);
    if (r < 0)
        return r;
    timer->deadline_us = monotonic_us;
    return 0;
}

int timer_set_after(struct timer *timer, uint64_t us)
{
    uint64_t now = clock_monotonic_us(timer->clock);

    return timer_set_at(timer, us > CLOCK_NEVER - 1 - now ? CLOCK_NEVER - 1 : now + us);
}

void timer_stop(struct timer *timer)
{
    if (timer->deadline_us == CLOCK_NEVER)
        return;
    timer->deadline_us = CLOCK_NEVER;
    if (timer->clock->loop == NULL)
        simulated_unlink(timer);
    else
        (void)sd_event_source_set_enabled(timer->source, SD_EVENT_OFF);
}

uint64_t timer_deadline(const struct timer *timer)
{
    return timer->deadline_us;
}
