#include "desk_link.h"

#include "clock.h"
#include "ipc.h"
#include "log.h"
#include "memfd.h"
#include "visit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

#define QUESTIONS_MAX 256
#define PREVIEW_MAX ((size_t)512 * 1024)
#define WATCH_LANES (1 << 0)
#define WATCH_VISITS (1 << 1)
#define WATCH_PREVIEWS (1 << 2)

/* Which types answer a question. item 0: a single answer. */
static const struct {
    uint16_t question;
    uint16_t item;
    uint16_t end;
} exchanges[] = {
    {MSG_SUBSCRIBE, MSG_VISIT_ITEM, MSG_SUBSCRIBED},
    {MSG_LANE_ACTION, 0, MSG_ACTION_RESULT},
    {MSG_LOOKUP, 0, MSG_ACTION_RESULT},
    {MSG_VISITS_QUERY, MSG_VISIT_ITEM, MSG_VISITS_END},
    {MSG_VIEW, 0, MSG_ACTION_RESULT},
    {MSG_ANSWER_QUERY, 0, MSG_ANSWER},
    {MSG_METRICS_QUERY, 0, MSG_METRICS},
    {MSG_HEALTH_QUERY, MSG_HEALTH_ITEM, MSG_HEALTH_END},
    {MSG_DEVICES_QUERY, MSG_DEVICE_ITEM, MSG_DEVICES_END},
    {MSG_SLIP_FILE, 0, MSG_ACTION_RESULT},
    {MSG_SLIP_AMEND, 0, MSG_ACTION_RESULT},
    {MSG_PICK_UP, 0, MSG_ACTION_RESULT},
    {MSG_PATIENT_LINK, 0, MSG_ACTION_RESULT},
    {MSG_DISASTER_SET, 0, MSG_ACTION_RESULT},
    {MSG_SLIPS_QUERY, MSG_SLIP_ITEM, MSG_SLIPS_END},
    {MSG_TROUBLES_QUERY, MSG_TROUBLE_ITEM, MSG_TROUBLES_END},
    {MSG_OUTBOX_QUERY, MSG_OUTBOX_ITEM, MSG_OUTBOX_END},
    {MSG_OUTBOX_DECIDE, 0, MSG_ACTION_RESULT},
    {MSG_ACCOUNT_QUERY, 0, MSG_ACCOUNT},
    {MSG_SIGN_IN, 0, MSG_ACCOUNT_RESULT},
    {MSG_ACCOUNT_CHANGE, 0, MSG_ACCOUNT_RESULT},
    {MSG_ACCOUNTS_QUERY, MSG_ACCOUNT_ITEM, MSG_ACCOUNTS_END},
};
#define EXCHANGES (sizeof(exchanges) / sizeof(exchanges[0]))

/* Every question and every answer begins with the number of the request. */
#define REQUEST_FIRST(name) _Static_assert(offsetof(struct msg_##name, request) == 0, #name)
REQUEST_FIRST(subscribe);
REQUEST_FIRST(subscribed);
REQUEST_FIRST(lane_action);
REQUEST_FIRST(action_result);
REQUEST_FIRST(lookup);
REQUEST_FIRST(visits_query);
REQUEST_FIRST(visit_item);
REQUEST_FIRST(visits_end);
REQUEST_FIRST(answer_query);
REQUEST_FIRST(answer);
REQUEST_FIRST(metrics_query);
REQUEST_FIRST(metrics);
REQUEST_FIRST(health_query);
REQUEST_FIRST(health_item);
REQUEST_FIRST(health_end);
REQUEST_FIRST(devices_query);
REQUEST_FIRST(device_item);
REQUEST_FIRST(devices_end);
REQUEST_FIRST(slip_file);
REQUEST_FIRST(slip_amend);
REQUEST_FIRST(pick_up);
REQUEST_FIRST(disaster_set);
REQUEST_FIRST(slips_query);
REQUEST_FIRST(slip_item);
REQUEST_FIRST(slips_end);
REQUEST_FIRST(troubles_query);
REQUEST_FIRST(trouble_item);
REQUEST_FIRST(troubles_end);
REQUEST_FIRST(view);
REQUEST_FIRST(outbox_query);
REQUEST_FIRST(outbox_item);
REQUEST_FIRST(outbox_end);
REQUEST_FIRST(outbox_decide);

struct question {
    uint32_t request; /* 0: free */
    uint16_t item;
    uint16_t end;
    uint64_t deadline_us;
    desk_answer_fn *answer;
    void *arg;
};

struct lane_slot {
    struct lane_mirror mirror;
    struct preview *preview;
};

struct desk_link {
    struct clock *clock;
    struct ipc_client *client;
    struct desk_link_events events;
    void *arg;
    struct timer *timer;
    struct question questions[QUESTIONS_MAX];
    struct lane_slot lanes[DESK_LANES_MAX]; /* by number */
    size_t nlanes;
    uint32_t last_request;
    uint32_t subscription;
    struct msg_disaster_state disaster;
    bool up;
};

void preview_release(void *arg)
{
    struct preview *preview = arg;

    if (preview == NULL || --preview->uses > 0)
        return;
    explicit_bzero(preview->data, preview->len);
    free(preview);
}

static void drop_preview(struct lane_slot *slot)
{
    preview_release(slot->preview);
    slot->preview = NULL;
}

static void set_timer(struct desk_link *link)
{
    uint64_t nearest = CLOCK_NEVER;

    for (size_t i = 0; i < QUESTIONS_MAX; i++)
        if (link->questions[i].request != 0 && link->questions[i].deadline_us < nearest)
            nearest = link->questions[i].deadline_us;
    if (nearest == CLOCK_NEVER)
        timer_stop(link->timer);
    else
        (void)timer_set_at(link->timer, nearest);
}

/* Hand on one answer. The slot is freed before the last one, so that its handler may ask again. */
static void answer(struct question *question, struct message *message, bool last, int error)
{
    desk_answer_fn *fn = question->answer;
    void *arg = question->arg;

    if (last)
        memset(question, 0, sizeof(*question));
    if (fn != NULL)
        fn(message, last, error, arg);
}

static void on_timer(struct timer *timer, void *arg)
{
    struct desk_link *link = arg;
    uint64_t now = clock_monotonic_us(link->clock);

    (void)timer;
    for (size_t i = 0; i < QUESTIONS_MAX; i++)
        if (link->questions[i].request != 0 && link->questions[i].deadline_us <= now) {
            log_event(LOG_LEVEL_WARNING, "desk did not answer in time",
                      LOG_NAME("wanted", message_name(link->questions[i].end)));
            answer(&link->questions[i], NULL, true, -ETIMEDOUT);
        }
    set_timer(link);
}

static struct question *find_question(struct desk_link *link, uint32_t request, uint16_t type)
{
    for (size_t i = 0; i < QUESTIONS_MAX; i++) {
        struct question *q = &link->questions[i];

        if (request != 0 && q->request == request && (q->item == type || q->end == type))
            return q;
    }
    return NULL;
}

static struct lane_slot *find_lane(struct desk_link *link, uint16_t lane, bool make)
{
    size_t i = 0;

    while (i < link->nlanes && link->lanes[i].mirror.state.lane < lane)
        i++;
    if (i < link->nlanes && link->lanes[i].mirror.state.lane == lane)
        return &link->lanes[i];
    if (!make || lane == 0 || link->nlanes == DESK_LANES_MAX)
        return NULL;
    memmove(&link->lanes[i + 1], &link->lanes[i], (link->nlanes - i) * sizeof(link->lanes[0]));
    memset(&link->lanes[i], 0, sizeof(link->lanes[0]));
    link->lanes[i].mirror.state.lane = lane;
    link->nlanes++;
    return &link->lanes[i];
}

static bool state_has_picture(unsigned state)
{
    return state == VISIT_FACE || state == VISIT_SHOW_CARD;
}

static void take_lane(struct desk_link *link, const struct msg_lane_state *state)
{
    struct lane_slot *slot = find_lane(link, state->lane, true);

    if (slot == NULL)
        return;
    if (slot->mirror.state.visit != state->visit || !state_has_picture(state->state))
        drop_preview(slot);
    slot->mirror.state = *state;
    slot->mirror.received_us = clock_monotonic_us(link->clock);
    if (link->up)
        link->events.lane(&slot->mirror, link->arg);
}

static void take_preview(struct desk_link *link, struct message *message)
{
    const struct msg_lane_preview *m = &message->body.lane_preview;
    struct lane_slot *slot = find_lane(link, m->lane, false);
    struct preview *preview;
    const uint8_t *map;

    if (slot == NULL || slot->mirror.state.visit != m->visit ||
        !state_has_picture(slot->mirror.state.state))
        return;
    if (memfd_map(message->fds[0], m->bytes, PREVIEW_MAX, &map) < 0)
        return;
    preview = malloc(sizeof(*preview) + m->bytes);
    if (preview != NULL) {
        preview->uses = 1;
        preview->visit = m->visit;
        preview->frame = m->frame;
        preview->len = m->bytes;
        memcpy(preview->data, map, m->bytes);
        drop_preview(slot);
        slot->preview = preview;
    }
    memfd_unmap(map, m->bytes);
    if (preview != NULL)
        link->events.preview(m->lane, link->arg);
}

static void on_subscribed(struct message *message, bool last, int error, void *arg)
{
    struct desk_link *link = arg;

    (void)error;
    if (message == NULL || !last)
        return;
    link->up = true;
    log_event(LOG_LEVEL_INFO, "desk is there", LOG_NUMBER("lanes", link->nlanes));
    link->events.link(true, link->arg);
}

static void on_open(struct ipc *ipc, const struct msg_hello *peer, void *arg)
{
    struct desk_link *link = arg;
    struct msg_subscribe subscribe = {.what = WATCH_LANES | WATCH_VISITS | WATCH_PREVIEWS};

    (void)ipc;
    (void)peer;
    if (desk_link_ask(link, MSG_SUBSCRIBE, &subscribe, on_subscribed, link, &link->subscription) <
        0)
        ipc_client_restart(link->client);
}

static void on_closed(struct ipc *ipc, int error, void *arg)
{
    struct desk_link *link = arg;
    bool was_up = link->up;

    (void)ipc;
    log_event(LOG_LEVEL_WARNING, "desk has gone", LOG_ERRNO(error));
    link->up = false;
    link->subscription = 0;
    for (size_t i = 0; i < link->nlanes; i++)
        drop_preview(&link->lanes[i]);
    explicit_bzero(link->lanes, sizeof(link->lanes));
    memset(&link->disaster, 0, sizeof(link->disaster));
    link->nlanes = 0;
    for (size_t i = 0; i < QUESTIONS_MAX; i++)
        if (link->questions[i].request != 0)
            answer(&link->questions[i], NULL, true, -ENOTCONN);
    set_timer(link);
    if (was_up)
        link->events.link(false, link->arg);
}

static void on_message(struct ipc *ipc, struct message *message, void *arg)
{
    struct desk_link *link = arg;
    struct question *question;
    uint32_t request;

    switch (message->type) {
    case MSG_LANE_STATE:
        take_lane(link, &message->body.lane_state);
        return;
    case MSG_LANE_PREVIEW:
        take_preview(link, message);
        return;
    case MSG_DISASTER_STATE:
        link->disaster = message->body.disaster_state;
        if (link->up)
            link->events.disaster(&link->disaster, link->arg);
        return;
    case MSG_HEALTH_QUERY:
        link->events.health(ipc, message->body.health_query.request, link->arg);
        return;
    default:
        break;
    }
    /* What is left begins with the number of a request. */
    memcpy(&request, &message->body, sizeof(request));
    if (message->type == MSG_VISIT_ITEM && (request == link->subscription || request == 0)) {
        if (link->up)
            link->events.visit(&message->body.visit_item, link->arg);
        return;
    }
    if (message->type == MSG_SLIP_ITEM && request == 0) {
        if (link->up)
            link->events.slip(&message->body.slip_item, link->arg);
        return;
    }
    if (message->type == MSG_OUTBOX_ITEM && request == 0) {
        if (link->up)
            link->events.outbox(&message->body.outbox_item, link->arg);
        return;
    }
    question = find_question(link, request, message->type);
    if (question == NULL)
        return; /* asked too long ago */
    answer(question, message, message->type == question->end, 0);
    if (message->type == question->end || question->request == 0)
        set_timer(link);
}

int desk_link_new(struct desk_link **out, struct sd_event *loop, struct clock *clock,
                  const char *path, const struct desk_link_events *events, void *arg)
{
    static const struct ipc_self self = {IPC_WEB, 0, "uketsuke-web", ""};
    static const struct ipc_handlers handlers = {on_open, on_message, on_closed};
    struct desk_link *link = calloc(1, sizeof(*link));
    int r = -ENOMEM;

    *out = NULL;
    if (link == NULL)
        return r;
    link->clock = clock;
    link->events = *events;
    link->arg = arg;
    link->timer = timer_new(clock, on_timer, link);
    if (link->timer == NULL)
        goto fail;
    r = ipc_client_new(&link->client, loop, clock, path, &self, "D", &handlers, link);
    if (r < 0)
        goto fail;
    *out = link;
    return 0;
fail:
    desk_link_free(&link);
    return r;
}

void desk_link_free(struct desk_link **at)
{
    struct desk_link *link = *at;

    if (link == NULL)
        return;
    *at = NULL;
    ipc_client_free(&link->client);
    for (size_t i = 0; i < QUESTIONS_MAX; i++)
        if (link->questions[i].request != 0)
            answer(&link->questions[i], NULL, true, -ENOTCONN);
    for (size_t i = 0; i < link->nlanes; i++)
        drop_preview(&link->lanes[i]);
    timer_free(&link->timer);
    explicit_bzero(link, sizeof(*link));
    free(link);
}

bool desk_link_up(const struct desk_link *link)
{
    return link->up;
}

int desk_link_ask(struct desk_link *link, uint16_t type, void *body, desk_answer_fn *fn, void *arg,
                  uint32_t *ticket)
{
    struct ipc *ipc = ipc_client_peer(link->client);
    struct question *free_slot = NULL;
    size_t e = 0;
    int r;

    while (e < EXCHANGES && exchanges[e].question != type)
        e++;
    if (e == EXCHANGES)
        return -EINVAL;
    if (ipc == NULL || !ipc_is_open(ipc))
        return -ENOTCONN;
    for (size_t i = 0; i < QUESTIONS_MAX && free_slot == NULL; i++)
        if (link->questions[i].request == 0)
            free_slot = &link->questions[i];
    if (free_slot == NULL)
        return -EBUSY;
    if (++link->last_request == 0)
        link->last_request = 1;
    memcpy(body, &link->last_request, sizeof(link->last_request));
    r = ipc_send(ipc, type, body);
    if (r < 0)
        return r;
    *free_slot = (struct question){
        .request = link->last_request,
        .item = exchanges[e].item,
        .end = exchanges[e].end,
        .deadline_us = clock_monotonic_us(link->clock) + DESK_ASK_MS * CLOCK_MS,
        .answer = fn,
        .arg = arg,
    };
    if (ticket != NULL)
        *ticket = link->last_request;
    set_timer(link);
    return 0;
}

void desk_link_forget(struct desk_link *link, uint32_t ticket)
{
    for (size_t i = 0; i < QUESTIONS_MAX; i++)
        if (ticket != 0 && link->questions[i].request == ticket)
            link->questions[i].answer = NULL;
}

const struct msg_disaster_state *desk_link_disaster(const struct desk_link *link)
{
    return &link->disaster;
}

const struct lane_mirror *desk_link_lane(const struct desk_link *link, uint16_t lane)
{
    for (size_t i = 0; i < link->nlanes; i++)
        if (link->lanes[i].mirror.state.lane == lane)
            return &link->lanes[i].mirror;
    return NULL;
}

const struct lane_mirror *desk_link_lane_at(const struct desk_link *link, size_t i)
{
    return i < link->nlanes ? &link->lanes[i].mirror : NULL;
}

uint32_t desk_link_left_ms(const struct desk_link *link, const struct lane_mirror *lane)
{
    uint64_t gone = (clock_monotonic_us(link->clock) - lane->received_us) / CLOCK_MS;

    if (lane->state.ends_ms == 0)
        return 0;
    return gone >= lane->state.ends_ms ? 1 : (uint32_t)(lane->state.ends_ms - gone);
}

struct preview *desk_link_preview(const struct desk_link *link, uint16_t lane)
{
    for (size_t i = 0; i < link->nlanes; i++)
        if (link->lanes[i].mirror.state.lane == lane && link->lanes[i].preview != NULL) {
            link->lanes[i].preview->uses++;
            return link->lanes[i].preview;
        }
    return NULL;
}
