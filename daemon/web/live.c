/* What the desk tells is told on to the pages that listen. */
#include "clock.h"
#include "desk_link.h"
#include "events.h"
#include "json_view.h"
#include "server.h"
#include "visit.h"
#include "waiter.h"
#include "web.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Takes the reference; NULL tells nothing. */
static void tell(struct web *web, uint16_t lane, const char *event, json_t *json)
{
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;

    if (text != NULL) {
        events_tell(web->events, lane, event, text);
        explicit_bzero(text, strlen(text));
    }
    free(text);
    json_decref(json);
}

static void on_lane(const struct lane_mirror *lane, void *arg)
{
    struct web *web = arg;
    uint32_t left = desk_link_left_ms(web->desk, lane);

    if (events_heard(web->events, lane->state.lane))
        tell(web, lane->state.lane, "lane", json_lane_kiosk(&lane->state, left));
    if (events_heard(web->events, 0))
        tell(web, 0, "lane", json_lane_board(&lane->state, left));
}

static void on_visit(const struct msg_visit_item *visit, void *arg)
{
    struct web *web = arg;

    if (events_heard(web->events, 0))
        tell(web, 0, "visit", json_visit(visit));
}

static void on_preview(uint16_t lane, void *arg)
{
    waiter_serve(arg, lane);
}

static void on_slip(const struct msg_slip_item *slip, void *arg)
{
    struct web *web = arg;

    if (events_heard(web->events, 0))
        tell(web, 0, "slip", json_slip(slip));
}

static void on_outbox(const struct msg_outbox_item *item, void *arg)
{
    struct web *web = arg;

    if (events_heard(web->events, 0))
        tell(web, 0, "outbox", json_outbox(item));
}

static void on_disaster(const struct msg_disaster_state *state, void *arg)
{
    struct web *web = arg;

    if (events_heard(web->events, 0))
        tell(web, 0, "disaster", json_disaster(state));
}

static void on_link(bool up, void *arg)
{
    struct web *web = arg;

    for (uint16_t lane = 1; lane <= SESSION_LANES_MAX; lane++)
        if (events_heard(web->events, lane))
            tell(web, lane, "desk", json_pack("{s:b}", "up", up));
    tell(web, 0, "desk", json_pack("{s:b}", "up", up));
    if (!up)
        return;
    for (size_t i = 0; desk_link_lane_at(web->desk, i) != NULL; i++)
        on_lane(desk_link_lane_at(web->desk, i), web);
    on_disaster(desk_link_disaster(web->desk), web);
    if (events_heard(web->events, 0))
        live_show_visits(web, 0);
    events_each_board(web->events, false, live_open_board, web);
}

static void on_health(struct ipc *ipc, uint32_t request, void *arg)
{
    struct web *web = arg;

    if (web->health != NULL)
        web->health(ipc, request, web->health_arg);
}

const struct desk_link_events live_events = {on_lane,     on_visit, on_preview, on_slip,
                                             on_disaster, on_link,  on_health,  on_outbox};

/* ---- the first words to a new listener ------------------------------------------------------- */

struct show {
    struct web *web;
    uint64_t listener; /* 0: every board */
    /* The last of each list; where it had no room for all, the page asks for those before it. */
    uint64_t visit, slip;
    uint8_t more_slips;
};

static json_t *number_of(uint8_t more, uint64_t id)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)id);
    return more != 0 && id != 0 ? json_string(text) : json_null();
}

static void show_say(const struct show *show, const char *event, json_t *json)
{
    struct listener *listener = events_find(show->web->events, show->listener);
    char *text;

    if (show->listener == 0) {
        tell(show->web, 0, event, json);
        return;
    }
    text = listener != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    if (text != NULL) {
        events_say(listener, event, text);
        explicit_bzero(text, strlen(text));
    }
    free(text);
    json_decref(json);
}

static void on_shown(struct message *message, bool last, int error, void *arg)
{
    struct show *show = arg;

    (void)error;
    if (message != NULL && !last) {
        show->visit = message->body.visit_item.visit;
        show_say(show, "visit", json_visit(&message->body.visit_item));
    }
    if (last) {
        /* Without an end the page asks again by itself when the desk is back. */
        if (message != NULL)
            show_say(show, "ready",
                     json_pack("{s:i, s:o, s:o}", "count", (int)message->body.visits_end.count,
                               "older", number_of(message->body.visits_end.more, show->visit),
                               "older_slips", number_of(show->more_slips, show->slip)));
        free(show);
    }
}

/* Slips that wait for somebody, of whatever day; then the visits. */
static void on_slips(struct message *message, bool last, int error, void *arg)
{
    struct msg_visits_query query = {0};
    struct show *show = arg;

    (void)error;
    if (message != NULL && !last) {
        show->slip = message->body.slip_item.visit;
        show_say(show, "slip", json_slip(&message->body.slip_item));
    }
    if (!last)
        return;
    show->more_slips = message != NULL ? message->body.slips_end.more : 0;
    query.since = live_midnight(show->web);
    query.limit = LIST_PAGE;
    if (message == NULL ||
        desk_link_ask(show->web->desk, MSG_VISITS_QUERY, &query, on_shown, show, NULL) < 0)
        free(show);
}

void live_show_visits(struct web *web, uint64_t listener)
{
    struct msg_slips_query query = {.open_only = 1};
    struct show *show = calloc(1, sizeof(*show));

    if (show == NULL)
        return;
    show->web = web;
    show->listener = listener;
    if (desk_link_ask(web->desk, MSG_SLIPS_QUERY, &query, on_slips, show, NULL) < 0)
        free(show);
}

/* ---- a board ------------------------------------------------------------------------------ */

static void say_link(struct web *web, uint64_t listener, bool up)
{
    struct show show = {.web = web, .listener = listener};

    show_say(&show, "desk", json_pack("{s:b}", "up", (int)up));
}

/* Without the desk it stays shut until there is one; what cannot be written down is not shown: the page comes back. */
static void on_viewed(struct message *message, bool last, int error, void *arg)
{
    struct show *show = arg;
    struct listener *listener = events_find(show->web->events, show->listener);

    (void)last;
    if (listener == NULL) {
        /* gone meanwhile */
    } else if (message == NULL && error == -ENOTCONN) {
        say_link(show->web, show->listener, false);
    } else if (message == NULL || message->body.action_result.accepted == 0) {
        events_end(listener);
    } else {
        events_open(listener);
        live_show_lane(show->web, listener, 0);
        live_show_visits(show->web, show->listener);
    }
    free(show);
}

void live_open_board(struct listener *listener, void *arg)
{
    struct msg_view view = {.view = VIEW_BOARD};
    struct show *show = calloc(1, sizeof(*show));
    struct web *web = arg;
    int r = -ENOTCONN;

    if (show == NULL) {
        events_end(listener);
        return;
    }
    show->web = web;
    show->listener = events_id(listener);
    (void)MESSAGE_TEXT(view.staff, events_staff(listener));
    if (desk_link_up(web->desk))
        r = desk_link_ask(web->desk, MSG_VIEW, &view, on_viewed, show, NULL);
    if (r >= 0)
        return;
    if (r == -ENOTCONN)
        say_link(web, show->listener, false);
    else
        events_end(listener);
    free(show);
}

static void on_looked(struct message *message, bool last, int error, void *arg)
{
    struct show *show = arg;
    struct listener *listener = events_find(show->web->events, show->listener);

    (void)last;
    (void)error;
    /* Without the desk nothing is shown; it has the row of the last time. */
    if (message != NULL && message->body.action_result.accepted == 0 && listener != NULL)
        events_end(listener);
    free(show);
}

static void look_again(struct listener *listener, void *arg)
{
    struct msg_view view = {.view = VIEW_BOARD};
    struct show *show = calloc(1, sizeof(*show));
    struct web *web = arg;

    if (show == NULL)
        return;
    show->web = web;
    show->listener = events_id(listener);
    (void)MESSAGE_TEXT(view.staff, events_staff(listener));
    if (desk_link_ask(web->desk, MSG_VIEW, &view, on_looked, show, NULL) < 0)
        free(show);
}

void live_look(struct timer *timer, void *arg)
{
    struct web *web = arg;

    events_each_board(web->events, true, look_again, web);
    (void)timer_set_after(timer, LIVE_LOOK_US);
}

static json_t *settings(const struct web *web, uint16_t lane)
{
    static const char *const voices[] = {
        [LANE_VOICE_OFF] = "off", [LANE_VOICE_REQUEST] = "request", [LANE_VOICE_ON] = "on"};
    const struct lane_manner *manner = &web->manners[lane <= SESSION_LANES_MAX ? lane : 0];

    return json_pack("{s:s, s:s}", "voice", voices[manner->voice], "keypad",
                     manner->shuffled ? "shuffled" : "fixed");
}

void live_show_lane(struct web *web, struct listener *listener, uint16_t lane)
{
    struct show show = {.web = web, .listener = events_id(listener)};

    if (lane != 0)
        show_say(&show, "settings", settings(web, lane));
    show_say(&show, "desk", json_pack("{s:b}", "up", desk_link_up(web->desk)));
    for (size_t i = 0; desk_link_lane_at(web->desk, i) != NULL; i++) {
        const struct lane_mirror *mirror = desk_link_lane_at(web->desk, i);
        uint32_t left = desk_link_left_ms(web->desk, mirror);

        if (lane == 0)
            show_say(&show, "lane", json_lane_board(&mirror->state, left));
        else if (lane == mirror->state.lane)
            show_say(&show, "lane", json_lane_kiosk(&mirror->state, left));
    }
    if (lane == 0)
        show_say(&show, "disaster", json_disaster(desk_link_disaster(web->desk)));
}

/* The visits' day is Japan's, like the date of an answer, wherever the host's own clock is set. */
int64_t live_midnight(const struct web *web)
{
    return clock_day_start_s(web->clock);
}
