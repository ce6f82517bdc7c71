#include "disaster.h"

#include "action.h"
#include "lane.h"

#include "../common/log.h"

#include <errno.h>
#include <string.h>

#define LONGEST_US (INT64_C(31) * 86400 * 1000000)
#define LOOK_US CLOCK_MINUTE /* the end is a time of the wall clock, which may be stepped */

bool disaster_on(const struct desk *desk)
{
    return desk->disaster.open.cause != DISASTER_OFF &&
           (int64_t)desk_wall_us(desk) < desk->disaster.open.until_us;
}

void disaster_state(const struct desk *desk, struct msg_disaster_state *out)
{
    const struct store_disaster *open = &desk->disaster.open;

    memset(out, 0, sizeof(*out));
    if (!disaster_on(desk))
        return;
    out->cause = open->cause;
    out->since = open->since_us / 1000000;
    out->until = open->until_us / 1000000;
    (void)MESSAGE_TEXT(out->word, open->word);
    (void)MESSAGE_TEXT(out->staff, open->staff);
}

static void publish(struct desk *desk)
{
    struct msg_disaster_state state;

    disaster_state(desk, &state);
    desk->ports.disaster_changed(desk->ports.arg, &state);
    lane_publish_all(desk);
}

static void watch(struct desk *desk)
{
    int64_t left = desk->disaster.open.until_us - (int64_t)desk_wall_us(desk);

    if (desk->disaster.open.cause == DISASTER_OFF)
        timer_stop(desk->disaster.timer);
    else
        (void)timer_set_after(desk->disaster.timer, left <= 0                  ? 0
                                                    : (uint64_t)left < LOOK_US ? (uint64_t)left
                                                                               : LOOK_US);
}

/* One durable step: the mode that is open ends; a new one (cause 0: none) begins. */
static int change(struct desk *desk, const struct store_disaster *next, const char *event,
                  const char *staff)
{
    static const char *const causes[] = {
        [DISASTER_OFF] = "off", [DISASTER_MINISTRY] = "ministry", [DISASTER_OUTAGE] = "outage"};
    int r = store_begin(desk->store);

    if (r == 0)
        r = next->cause == DISASTER_OFF
                ? store_disaster_end(desk->store, (int64_t)desk_wall_us(desk))
                : store_disaster_put(desk->store, next);
    if (r == 0)
        r = store_audit(desk->store, event, 0, 0, staff, causes[next->cause]);
    if (r == 0)
        r = store_commit(desk->store);
    if (r < 0) {
        store_rollback(desk->store);
        desk->metrics.store_failures++;
        return r;
    }
    desk->disaster.open = *next;
    log_event(LOG_LEVEL_NOTICE, "disaster mode", LOG_NAME("cause", causes[next->cause]));
    watch(desk);
    publish(desk);
    return 0;
}

void disaster_set(struct desk *desk, const struct msg_disaster_set *entry,
                  struct msg_action_result *out)
{
    int64_t now = (int64_t)clock_realtime_us(desk->clock);
    int64_t left_s = entry->until - now / 1000000;
    struct store_disaster next = {.cause = entry->cause, .since_us = now};
    const char *wrong = NULL;

    memset(out, 0, sizeof(*out));
    out->request = entry->request;
    if ((entry->surface != 'B' && entry->surface != 'C') || entry->staff[0] == '\0' ||
        (entry->cause == DISASTER_OFF && !disaster_on(desk))) {
        action_refuse(desk, out, FAILURE_DESK_OUT_OF_TURN);
        return;
    }
    if (!desk_check_clock(desk)) {
        action_refuse(desk, out, FAILURE_DESK_CLOCK);
        return;
    }
    if (entry->cause >= DISASTER_CAUSE_COUNT)
        wrong = "cause";
    else if (entry->cause != DISASTER_OFF && entry->word[strspn(entry->word, " ")] == '\0')
        wrong = "word";
    else if (entry->cause != DISASTER_OFF && (left_s <= 0 || left_s > LONGEST_US / 1000000))
        wrong = "until";
    if (wrong != NULL) {
        action_refuse(desk, out, FAILURE_VISIT_DISASTER_FORMAT);
        (void)MESSAGE_TEXT(out->field, wrong);
        return;
    }
    if (entry->cause != DISASTER_OFF) {
        next.until_us = entry->until * 1000000;
        (void)MESSAGE_TEXT(next.word, entry->word);
        (void)MESSAGE_TEXT(next.staff, entry->staff);
    }
    action_end(desk, out, change(desk, &next, "disaster_mode", entry->staff));
}

int disaster_load(struct desk *desk)
{
    int r = store_disaster_open(desk->store, &desk->disaster.open);

    if (r == -ENOENT || r == -EBADMSG)
        memset(&desk->disaster.open, 0, sizeof(desk->disaster.open));
    if (r == -EBADMSG)
        log_event(LOG_LEVEL_ERROR, "the disaster mode's row cannot be opened");
    watch(desk);
    return r == -ENOENT || r == -EBADMSG ? 0 : r;
}

void disaster_on_timer(struct timer *timer, void *arg)
{
    static const struct store_disaster off;
    struct desk *desk = arg;

    (void)timer;
    /* Its time is over whatever the store says; that it ended is written as soon as the store takes
     * it. */
    if (disaster_on(desk))
        watch(desk);
    else if (change(desk, &off, "disaster_ended", "") < 0)
        (void)timer_set_after(desk->disaster.timer, LOOK_US);
}
