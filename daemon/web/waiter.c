#include "waiter.h"

#include "desk_link.h"
#include "server.h"
#include "web.h"

#include <stdio.h>
#include <stdlib.h>

struct waiter {
    struct web *web;
    struct waiter *next, **link;
    struct request *request;
    uint16_t lane;
};

static void waiter_free(struct waiter *waiter)
{
    *waiter->link = waiter->next;
    if (waiter->next != NULL)
        waiter->next->link = waiter->link;
    free(waiter);
}

static void on_gone(struct request *request, void *arg)
{
    (void)request;
    waiter_free(arg);
}

static void on_late(struct request *request, void *arg)
{
    waiter_free(arg);
    server_reply(request, 204, NULL, NULL, 0);
}

static const struct request_hooks hooks = {.gone = on_gone, .late = on_late};

static void reply(struct request *request, struct preview *preview)
{
    char frame[16];

    (void)snprintf(frame, sizeof(frame), "%u", (unsigned)preview->frame);
    request_add_header(request, "X-Frame", frame);
    server_reply_shared(request, 200, "image/jpeg", preview->data, preview->len, preview_release,
                        preview);
}

void waiter_ask(struct web *web, struct request *request, uint16_t lane, uint32_t after)
{
    struct preview *preview = desk_link_preview(web->desk, lane);
    struct waiter *waiter;

    if (preview != NULL && preview->frame != after) {
        reply(request, preview);
        return;
    }
    preview_release(preview);
    waiter = calloc(1, sizeof(*waiter));
    if (waiter == NULL) {
        reply_problem(web, request, PROBLEM_BUSY);
        return;
    }
    waiter->web = web;
    waiter->request = request;
    waiter->lane = lane;
    waiter->next = web->waiters;
    waiter->link = &web->waiters;
    if (waiter->next != NULL)
        waiter->next->link = &waiter->next;
    web->waiters = waiter;
    server_keep(request, &hooks, waiter);
    server_set_deadline(request, WAITER_MS);
}

void waiter_serve(struct web *web, uint16_t lane)
{
    struct waiter *next;

    for (struct waiter *w = web->waiters; w != NULL; w = next) {
        struct preview *preview;
        struct request *request = w->request;

        next = w->next;
        if (w->lane != lane)
            continue;
        preview = desk_link_preview(web->desk, lane);
        if (preview == NULL)
            continue;
        waiter_free(w);
        reply(request, preview);
    }
}
