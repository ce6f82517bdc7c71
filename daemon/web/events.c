#include "events.h"

#include "clock.h"
#include "log.h"
#include "server.h"
#include "session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PULSE_US (15 * CLOCK_SECOND)

struct chunk {
    struct chunk *next;
    size_t len;
    size_t sent;
    char text[];
};

struct listener {
    struct events *events;
    struct listener *next, **link;
    struct request *request;
    uint16_t lane;
    uint64_t id;
    uint64_t last_event;
    struct chunk *first, **last;
    size_t queued;
    bool dropped;
    bool open;
    char staff[SESSION_NAME_MAX + 1];
};

struct events {
    struct clock *clock;
    struct timer *pulse;
    struct listener *listeners; /* the newest first */
    uint64_t last_id;
};

static void chunk_free(struct chunk *chunk)
{
    explicit_bzero(chunk->text, chunk->len);
    free(chunk);
}

static void drop_queue(struct listener *listener)
{
    while (listener->first != NULL) {
        struct chunk *chunk = listener->first;

        listener->first = chunk->next;
        chunk_free(chunk);
    }
    listener->last = &listener->first;
    listener->queued = 0;
}

void events_end(struct listener *listener)
{
    drop_queue(listener);
    listener->dropped = true;
    server_wake(listener->request);
}

static void push(struct listener *listener, const char *text, size_t len)
{
    struct chunk *chunk;

    if (listener->dropped)
        return;
    if (listener->queued + len > EVENTS_QUEUE_MAX) {
        log_event(LOG_LEVEL_NOTICE, "listener does not read", LOG_NUMBER("lane", listener->lane));
        events_end(listener);
        return;
    }
    chunk = malloc(sizeof(*chunk) + len);
    if (chunk == NULL) {
        events_end(listener);
        return;
    }
    chunk->next = NULL;
    chunk->len = len;
    chunk->sent = 0;
    memcpy(chunk->text, text, len);
    *listener->last = chunk;
    listener->last = &chunk->next;
    listener->queued += len;
    server_wake(listener->request);
}

static ssize_t on_read(struct request *request, char *to, size_t size, void *arg)
{
    struct listener *listener = arg;
    size_t used = 0;

    (void)request;
    if (listener->dropped)
        return -1;
    while (listener->first != NULL && used < size) {
        struct chunk *chunk = listener->first;
        size_t n = chunk->len - chunk->sent < size - used ? chunk->len - chunk->sent : size - used;

        memcpy(to + used, chunk->text + chunk->sent, n);
        chunk->sent += n;
        used += n;
        listener->queued -= n;
        if (chunk->sent == chunk->len) {
            listener->first = chunk->next;
            if (listener->first == NULL)
                listener->last = &listener->first;
            chunk_free(chunk);
        }
    }
    return (ssize_t)used;
}

static void on_gone(struct request *request, void *arg)
{
    struct listener *listener = arg;

    (void)request;
    *listener->link = listener->next;
    if (listener->next != NULL)
        listener->next->link = listener->link;
    drop_queue(listener);
    if (listener->events->listeners == NULL)
        timer_stop(listener->events->pulse);
    free(listener);
}

static const struct request_hooks hooks = {.gone = on_gone, .read = on_read};

static void on_pulse(struct timer *timer, void *arg)
{
    static const char comment[] = ": here\n\n";
    struct events *events = arg;

    (void)timer;
    for (struct listener *l = events->listeners; l != NULL; l = l->next) {
        if (server_client_closed(l->request))
            events_end(l);
        else
            push(l, comment, sizeof(comment) - 1);
    }
    if (events->listeners != NULL)
        (void)timer_set_after(events->pulse, PULSE_US);
}

int events_new(struct events **out, struct clock *clock)
{
    *out = calloc(1, sizeof(**out));
    if (*out == NULL)
        return -ENOMEM;
    (*out)->clock = clock;
    (*out)->pulse = timer_new(clock, on_pulse, *out);
    if ((*out)->pulse == NULL) {
        free(*out);
        *out = NULL;
        return -ENOMEM;
    }
    return 0;
}

void events_free(struct events **events)
{
    if (*events == NULL)
        return;
    timer_free(&(*events)->pulse);
    free(*events);
    *events = NULL;
}

size_t events_count(const struct events *events, uint16_t lane)
{
    size_t n = 0;

    for (const struct listener *l = events->listeners; l != NULL; l = l->next)
        n += l->lane == lane && !l->dropped;
    return n;
}

bool events_heard(const struct events *events, uint16_t lane)
{
    const struct listener *l = events->listeners;

    while (l != NULL && (l->lane != lane || l->dropped || !l->open))
        l = l->next;
    return l != NULL;
}

/* Make room: the oldest of the lane goes. */
static void drop_oldest(struct events *events, uint16_t lane)
{
    struct listener *oldest = NULL;

    for (struct listener *l = events->listeners; l != NULL; l = l->next)
        if (l->lane == lane && !l->dropped)
            oldest = l;
    if (oldest != NULL)
        events_end(oldest);
}

struct listener *events_listen(struct events *events, struct request *request, uint16_t lane,
                               const char *staff)
{
    static const char hello[] = "retry: 1000\n\n";
    struct listener *listener = calloc(1, sizeof(*listener));

    if (listener == NULL)
        return NULL;
    if (events_count(events, lane) >= (lane == 0 ? EVENTS_BOARDS_MAX : EVENTS_PER_LANE_MAX))
        drop_oldest(events, lane);
    listener->events = events;
    listener->request = request;
    listener->lane = lane;
    listener->open = lane != 0;
    (void)snprintf(listener->staff, sizeof(listener->staff), "%s", staff != NULL ? staff : "");
    listener->id = ++events->last_id;
    listener->last = &listener->first;
    listener->next = events->listeners;
    listener->link = &events->listeners;
    if (listener->next != NULL)
        listener->next->link = &listener->next;
    else
        (void)timer_set_after(events->pulse, PULSE_US);
    events->listeners = listener;
    server_keep(request, &hooks, listener);
    server_reply_stream(request, "text/event-stream; charset=utf-8");
    push(listener, hello, sizeof(hello) - 1);
    return listener;
}

void events_say(struct listener *listener, const char *event, const char *json)
{
    char *text = NULL;
    int n =
        asprintf(&text, "id: %llu-%llu\nevent: %s\ndata: %s\n\n", (unsigned long long)listener->id,
                 (unsigned long long)++listener->last_event, event, json);

    if (n < 0)
        return;
    push(listener, text, (size_t)n);
    explicit_bzero(text, (size_t)n);
    free(text);
}

void events_tell(struct events *events, uint16_t lane, const char *event, const char *json)
{
    struct listener *next;

    for (struct listener *l = events->listeners; l != NULL; l = next) {
        next = l->next;
        if (l->lane == lane && l->open)
            events_say(l, event, json);
    }
}

const char *events_staff(const struct listener *listener)
{
    return listener->staff;
}

void events_open(struct listener *listener)
{
    listener->open = true;
}

void events_each_board(struct events *events, bool open,
                       void (*each)(struct listener *listener, void *arg), void *arg)
{
    struct listener *next;

    for (struct listener *l = events->listeners; l != NULL; l = next) {
        next = l->next;
        if (l->lane == 0 && l->open == open && !l->dropped)
            each(l, arg);
    }
}

uint64_t events_id(const struct listener *listener)
{
    return listener->id;
}

struct listener *events_find(struct events *events, uint64_t id)
{
    for (struct listener *l = events->listeners; l != NULL; l = l->next)
        if (l->id == id && !l->dropped)
            return l;
    return NULL;
}
