/* The house itself: health, metrics, devices, the table of failures. */
#include "asking.h"
#include "events.h"
#include "ipc.h"
#include "json_view.h"
#include "memfd.h"
#include "server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define METRICS_MAX ((size_t)1 << 20)

static void take_health(struct asking *asking, struct message *message, bool last)
{
    bool bad = false;

    if (!last) {
        (void)json_array_append_new(asking->items, json_health(&message->body.health_item));
        return;
    }
    for (size_t i = 0; i < json_array_size(asking->items); i++)
        bad = bad ||
              strcmp(json_string_value(json_object_get(json_array_get(asking->items, i), "state")),
                     "bad") == 0;
    reply_json(asking->request, 200,
               json_pack("{s:s, s:b, s:O}", "status", bad ? "degraded" : "ok", "desk", 1, "items",
                         asking->items));
}

/* Anyone learns whether the desk is there; staff (who are asked for by the header) every part of it. */
void api_health(struct web *web, struct request *request, struct call *call)
{
    const char *cookies = request_header(request, "Cookie", NULL);
    const char *bearer = request_header(request, "Authorization", NULL);
    struct msg_health_query query = {0};
    bool up = desk_link_up(web->desk);
    unsigned wait_s;

    if (bearer != NULL && strncmp(bearer, "Bearer ", 7) == 0)
        (void)session_check_token(web->session, request_peer(request), bearer + 7,
                                  strlen(bearer + 7), &call->who, &wait_s);
    else
        (void)session_cookie_check(web->session, cookies, SURFACE_BOARD, 0, &call->who);
    if (call->who.surface == SURFACE_BOARD && up)
        asking_start(web, request, call, MSG_HEALTH_QUERY, &query, take_health);
    else
        reply_json(request, up ? 200 : 503,
                   json_pack("{s:s, s:b}", "status", up ? "ok" : "desk_down", "desk", (int)up));
}

static void take_metrics(struct asking *asking, struct message *message, bool last)
{
    const struct msg_metrics *m = &message->body.metrics;
    struct web *web = asking->web;
    size_t listeners = events_count(web->events, 0);
    const uint8_t *map;
    char *text = NULL;
    int n;

    (void)last;
    for (uint16_t lane = 1; lane <= SESSION_LANES_MAX; lane++)
        listeners += events_count(web->events, lane);
    if (memfd_map(message->fds[0], m->bytes, METRICS_MAX, &map) < 0) {
        reply_problem(web, asking->request, PROBLEM_DESK_DOWN);
        return;
    }
    n = asprintf(
        &text,
        "%.*s"
        "# HELP uketsuke_web_connections Open connections.\n# TYPE uketsuke_web_connections gauge\n"
        "uketsuke_web_connections %zu\n"
        "# HELP uketsuke_web_listeners Pages that listen to events.\n# TYPE uketsuke_web_listeners "
        "gauge\n"
        "uketsuke_web_listeners %zu\n"
        "# HELP uketsuke_web_refused_total Requests refused.\n# TYPE uketsuke_web_refused_total "
        "counter\n"
        "uketsuke_web_refused_total %llu\n",
        (int)m->bytes, (const char *)map, server_connections(web->server), listeners,
        (unsigned long long)web->refused);
    memfd_unmap(map, m->bytes);
    if (n < 0) {
        reply_problem(web, asking->request, PROBLEM_BUSY);
        return;
    }
    server_reply_shared(asking->request, 200, "text/plain; version=0.0.4; charset=utf-8", text,
                        (size_t)n, free, text);
}

void api_metrics(struct web *web, struct request *request, struct call *call)
{
    struct msg_metrics_query query = {0};

    asking_start(web, request, call, MSG_METRICS_QUERY, &query, take_metrics);
}

void api_failures(struct web *web, struct request *request, struct call *call)
{
    (void)call;
    server_reply_shared(request, 200, "application/json", web->failures, web->failures_len, NULL,
                        NULL);
}

static void take_devices(struct asking *asking, struct message *message, bool last)
{
    if (!last)
        (void)json_array_append_new(asking->items, json_device(&message->body.device_item));
    else
        reply_json(asking->request, 200, json_pack("{s:O}", "devices", asking->items));
}

void api_devices(struct web *web, struct request *request, struct call *call)
{
    struct msg_devices_query query = {0};

    asking_start(web, request, call, MSG_DEVICES_QUERY, &query, take_devices);
}

static void take_troubles(struct asking *asking, struct message *message, bool last)
{
    if (!last)
        (void)json_array_append_new(asking->items, json_trouble(&message->body.trouble_item));
    else
        reply_json(asking->request, 200, json_pack("{s:O}", "troubles", asking->items));
}

/* GET ?since=: seconds since 1970; without, all that is kept. */
void api_troubles(struct web *web, struct request *request, struct call *call)
{
    const char *since = request_query(request, "since");
    struct msg_troubles_query query = {0};
    char *end = NULL;

    errno = 0;
    if (since != NULL)
        query.since = strtoll(since, &end, 10);
    if (since != NULL && (end == since || *end != '\0' || errno != 0 || query.since < 0))
        reply_field(web, request, "since");
    else
        asking_start(web, request, call, MSG_TROUBLES_QUERY, &query, take_troubles);
}
