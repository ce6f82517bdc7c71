#include "fuzz_server.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/web/server.h"

#define OPEN_MAX 24
#define HEADERS_ADDED_MAX 4

struct request {
    struct fuzz_request wish;
    fuzz_reply_fn *reply;
    void *arg;
    void *context;
    const struct request_hooks *hooks;
    void *hooks_arg;
    uint64_t late_us;
    unsigned added;
    bool replied, stream, woken;
};

struct server {
    struct clock *clock;
    const struct server_handlers *handlers;
    void *arg;
    struct request *open[OPEN_MAX];
};

static struct server *the_server; /* of the process: as the handlers know it */

int server_new(struct server **out, struct sd_event *loop, struct clock *clock, int listen_fd,
               const struct server_handlers *handlers, void *arg)
{
    (void)loop;
    close(listen_fd);
    *out = calloc(1, sizeof(**out));
    FUZZ_CHECK(*out != NULL);
    (*out)->clock = clock;
    (*out)->handlers = handlers;
    (*out)->arg = arg;
    the_server = *out;
    return 0;
}

static void end(struct request **request)
{
    struct request *r = *request;

    *request = NULL;
    if (r->hooks != NULL && r->hooks->gone != NULL && (!r->replied || r->stream))
        r->hooks->gone(r, r->hooks_arg);
    free(r->context);
    free(r);
}

void server_free(struct server **server)
{
    if (*server == NULL)
        return;
    for (unsigned i = 0; i < OPEN_MAX; i++)
        if ((*server)->open[i] != NULL)
            end(&(*server)->open[i]);
    free(*server);
    *server = the_server = NULL;
}

const char *request_method(const struct request *request)
{
    return request->wish.method;
}

const char *request_path(const struct request *request)
{
    return request->wish.path;
}

const char *request_header(struct request *request, const char *name, bool *twice)
{
    const char *value = NULL;
    unsigned n = 0;

    for (unsigned i = 0; i < FUZZ_HEADERS; i++)
        if (request->wish.headers[i][0] != NULL &&
            strcasecmp(request->wish.headers[i][0], name) == 0) {
            value = request->wish.headers[i][1];
            n++;
        }
    if (twice != NULL)
        *twice = n > 1;
    return n == 1 ? value : NULL;
}

const char *request_query(struct request *request, const char *name)
{
    (void)name;
    return request->wish.query;
}

const uint8_t *request_body(const struct request *request, size_t *len)
{
    *len = request->wish.body_len;
    return request->wish.body;
}

bool request_body_too_long(struct request *request)
{
    return request->wish.body_len > SERVER_BODY_MAX;
}

void request_set_context(struct request *request, void *context)
{
    free(request->context);
    request->context = context;
}

void *request_context(const struct request *request)
{
    return request->context;
}

uint32_t request_peer(const struct request *request)
{
    (void)request;
    return 0x7f000001;
}

void server_keep(struct request *request, const struct request_hooks *hooks, void *arg)
{
    FUZZ_CHECK(!request->replied && request->hooks == NULL);
    request->hooks = hooks;
    request->hooks_arg = arg;
}

void server_set_deadline(struct request *request, uint32_t ms)
{
    FUZZ_CHECK(request->hooks != NULL && request->hooks->late != NULL);
    request->late_us = clock_monotonic_us(the_server->clock) + ms * CLOCK_MS;
}

void request_add_header(struct request *request, const char *name, const char *value)
{
    FUZZ_CHECK(request->added++ < HEADERS_ADDED_MAX);
    FUZZ_CHECK(strpbrk(name, "\r\n") == NULL && strpbrk(value, "\r\n") == NULL);
}

static void replied(struct request *request, unsigned status, const char *type, const void *data,
                    size_t len)
{
    FUZZ_CHECK(!request->replied);
    FUZZ_CHECK(status >= 200 && status < 600);
    request->replied = true;
    request->late_us = CLOCK_NEVER;
    request->reply(status, type, data, len, request->arg);
}

void server_reply(struct request *request, unsigned status, const char *type, const void *data,
                  size_t len)
{
    replied(request, status, type, data, len);
}

void server_reply_shared(struct request *request, unsigned status, const char *type,
                         const void *data, size_t len, void (*release)(void *arg), void *arg)
{
    replied(request, status, type, data, len);
    if (release != NULL)
        release(arg);
}

void server_reply_stream(struct request *request, const char *type)
{
    FUZZ_CHECK(request->hooks != NULL && request->hooks->read != NULL);
    request->stream = true;
    replied(request, 200, type, NULL, 0);
}

void server_wake(struct request *request)
{
    FUZZ_CHECK(request->stream);
    request->woken = true;
}

bool server_client_closed(struct request *request)
{
    (void)request;
    return false;
}

size_t server_connections(const struct server *server)
{
    size_t n = 0;

    for (unsigned i = 0; i < OPEN_MAX; i++)
        n += server->open[i] != NULL;
    return n;
}

struct request *fuzz_server_ask(const struct fuzz_request *wish, fuzz_reply_fn *reply, void *arg)
{
    struct request **place = NULL, *r;

    for (unsigned i = 0; i < OPEN_MAX && place == NULL; i++)
        if (the_server->open[i] == NULL)
            place = &the_server->open[i];
    if (place == NULL)
        return NULL;
    r = *place = calloc(1, sizeof(*r));
    FUZZ_CHECK(r != NULL);
    r->wish = *wish;
    r->reply = reply;
    r->arg = arg;
    r->late_us = CLOCK_NEVER;
    the_server->handlers->head(r, the_server->arg);
    if (!r->replied)
        the_server->handlers->complete(r, the_server->arg);
    /* Whoever neither replies nor keeps leaves a client waiting for ever. */
    FUZZ_CHECK(r->replied || r->hooks != NULL);
    return r;
}

void fuzz_server_turn(void)
{
    char buffer[512];

    for (unsigned i = 0; i < OPEN_MAX; i++) {
        struct request *r = the_server->open[i];
        ssize_t n = 1;

        if (r == NULL)
            continue;
        if (!r->replied && r->late_us <= clock_monotonic_us(the_server->clock)) {
            r->late_us = CLOCK_NEVER;
            r->hooks->late(r, r->hooks_arg);
            FUZZ_CHECK(r->replied);
        }
        while (r->stream && r->woken && n > 0) {
            n = r->hooks->read(r, buffer, sizeof(buffer), r->hooks_arg);
            FUZZ_CHECK(n <= (ssize_t)sizeof(buffer));
            if (n > 0)
                r->reply(200, "text/event-stream", (const uint8_t *)buffer, (size_t)n, r->arg);
            r->woken = n > 0;
        }
        if (n < 0 || (r->replied && !r->stream))
            end(&the_server->open[i]);
    }
}

void fuzz_server_leave(void)
{
    for (unsigned i = 0; i < OPEN_MAX; i++)
        if (the_server->open[i] != NULL)
            end(&the_server->open[i]);
}
