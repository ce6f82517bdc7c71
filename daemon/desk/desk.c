#include "desk.h"

#include "disaster.h"
#include "hub.h"
#include "lane.h"
#include "outbox.h"
#include "precheck.h"
#include "reconcile.h"
#include "visit.h"

#include "../common/log.h"
#include "../common/xmlmsg.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STEP_BACK_US (5 * CLOCK_MINUTE)

int desk_new(struct desk **out, struct clock *clock, struct store *store,
             const struct desk_settings *settings, const struct desk_ports *ports)
{
    struct desk *desk = calloc(1, sizeof(*desk));

    *out = desk;
    if (desk == NULL)
        return -ENOMEM;
    desk->clock = clock;
    desk->store = store;
    desk->settings = *settings;
    desk->ports = *ports;
    desk->wall_us = clock_realtime_us(clock);
    desk->wall_monotonic_us = clock_monotonic_us(clock);
    (void)desk_check_clock(desk);
    desk->reconcile.timer = timer_new(clock, reconcile_on_timer, desk);
    desk->disaster.timer = timer_new(clock, disaster_on_timer, desk);
    desk->hub.timer = timer_new(clock, hub_on_timer, desk);
    desk->precheck.timer = timer_new(clock, precheck_on_timer, desk);
    if (desk->reconcile.timer == NULL || desk->disaster.timer == NULL || desk->hub.timer == NULL ||
        desk->precheck.timer == NULL || outbox_new(&desk->outbox, desk) < 0) {
        desk_free(out);
        return -ENOMEM;
    }
    return 0;
}

void desk_free(struct desk **desk)
{
    struct desk *d = *desk;

    if (d == NULL)
        return;
    for (unsigned i = 0; i < d->nlanes; i++)
        lane_free(&d->lanes[i]);
    while (d->lookups != NULL) {
        struct visit *v = d->lookups;

        d->lookups = v->next_lookup;
        visit_free(&v);
    }
    timer_free(&d->reconcile.timer);
    timer_free(&d->disaster.timer);
    hub_free(d);
    outbox_free(&d->outbox);
    precheck_free(d);
    explicit_bzero(&d->disaster, sizeof(d->disaster));
    free(d);
    *desk = NULL;
}

int desk_add_upstream(struct desk *desk, const char *name, uint32_t capabilities)
{
    struct upstream *u;

    for (unsigned i = 0; i < desk->nupstreams; i++)
        if (strcmp(desk->upstreams[i].name, name) == 0)
            return (int)i;
    if (desk->nupstreams == DESK_UPSTREAMS_MAX)
        return -ENOSPC;
    u = &desk->upstreams[desk->nupstreams];
    if (MESSAGE_TEXT(u->name, name) < 0)
        return -ENAMETOOLONG;
    u->capabilities = capabilities;
    u->failure = FAILURE_ELIGIBILITY_UNREACHABLE;
    return (int)desk->nupstreams++;
}

int desk_add_lane(struct desk *desk, uint16_t number, const char *label, unsigned upstream)
{
    struct lane *lane;
    int r;

    if (desk->nlanes == DESK_LANES_MAX)
        return -ENOSPC;
    if (number == 0 || desk_lane(desk, number) != NULL || upstream >= desk->nupstreams)
        return -EINVAL;
    r = lane_new(&lane, desk, number, label, upstream);
    if (r < 0)
        return r;
    lane->index = desk->nlanes;
    desk->lanes[desk->nlanes++] = lane;
    return 0;
}

int desk_add_route(struct desk *desk, uint32_t capability, unsigned upstream)
{
    if ((capability & CAPABILITY_MOVABLE) == 0 || upstream >= desk->nupstreams)
        return -EINVAL;
    for (unsigned i = 0; i < desk->nroutes; i++)
        if (desk->routes[i].capability == capability)
            return -EINVAL;
    desk->routes[desk->nroutes].capability = capability;
    desk->routes[desk->nroutes++].upstream = upstream;
    return 0;
}

unsigned desk_upstream_for(const struct desk *desk, uint16_t lane, uint32_t capability)
{
    for (unsigned i = 0; capability != 0 && i < desk->nroutes; i++)
        if (desk->routes[i].capability == capability)
            return desk->routes[i].upstream;
    for (unsigned i = 0; i < desk->nlanes; i++)
        if (desk->lanes[i]->number == lane)
            return desk->lanes[i]->upstream;
    return 0;
}

struct lane *desk_lane(struct desk *desk, uint16_t number)
{
    for (unsigned i = 0; i < desk->nlanes; i++)
        if (desk->lanes[i]->number == number)
            return desk->lanes[i];
    return NULL;
}

struct visit *desk_visit(struct desk *desk, uint64_t id)
{
    struct visit *v = desk->by_id[id % DESK_HASH];

    while (v != NULL && v->record.id != id)
        v = v->next_hash;
    return id != 0 ? v : NULL;
}

void desk_day(int64_t us, char out[9])
{
    time_t then = (time_t)(us / (int64_t)CLOCK_SECOND) + CLOCK_JAPAN_SECONDS;
    struct tm tm;

    if (gmtime_r(&then, &tm) == NULL || strftime(out, 9, "%Y%m%d", &tm) != 8)
        out[0] = '\0';
}

long desk_day_number(const char *day)
{
    struct tm tm = {0};

    if (sscanf(day, "%4d%2d%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday) != 3)
        return LONG_MIN / 2;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    return (long)(timegm(&tm) / (24 * 3600));
}

void desk_today(const struct desk *desk, char out[9])
{
    desk_day((int64_t)clock_realtime_us(desk->clock), out);
}

static uint64_t expected_us(const struct desk *desk)
{
    return desk->wall_us + clock_monotonic_us(desk->clock) - desk->wall_monotonic_us;
}

int desk_clock_synchronised(const struct desk *desk)
{
    return desk->settings.clock_watched ? clock_synchronised(desk->clock) : 1;
}

/* What cannot be told is no sign that it is right. */
static bool is_loose(struct desk *desk)
{
    int synchronised = desk_clock_synchronised(desk);
    bool loose = synchronised != 1;

    if (loose != desk->clock_loose) {
        desk->clock_loose = loose;
        if (loose)
            log_event(LOG_LEVEL_WARNING, "clock follows no time server",
                      LOG_NUMBER("error", synchronised < 0 ? -synchronised : 0));
        else
            log_event(LOG_LEVEL_NOTICE, "clock follows a time server");
    }
    return loose;
}

bool desk_check_clock(struct desk *desk)
{
    uint64_t now = clock_realtime_us(desk->clock), expected = expected_us(desk);
    bool loose = is_loose(desk);
    bool doubtful = now < (uint64_t)CLOCK_NOT_BEFORE_S * CLOCK_SECOND ||
                    now + STEP_BACK_US < expected || (loose && desk->settings.clock_refused);

    if (now > expected) {
        desk->wall_us = now;
        desk->wall_monotonic_us = clock_monotonic_us(desk->clock);
    }
    if (doubtful != desk->clock_doubtful) {
        desk->clock_doubtful = doubtful;
        if (doubtful)
            log_event(LOG_LEVEL_ERROR, "clock in doubt",
                      LOG_NUMBER("now", (int64_t)(now / CLOCK_SECOND)),
                      LOG_NUMBER("expected", (int64_t)(expected / CLOCK_SECOND)));
        else
            log_event(LOG_LEVEL_NOTICE, "clock good again");
        lane_publish_all(desk);
    }
    return !doubtful;
}

uint64_t desk_wall_us(const struct desk *desk)
{
    return desk->clock_doubtful ? expected_us(desk) : clock_realtime_us(desk->clock);
}
