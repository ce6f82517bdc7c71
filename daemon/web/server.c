#include "server.h"

#include "clock.h"
#include "log.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define HEADERS_MAX 4
/* A page asks in milliseconds; whoever needs longer for a head and 8 KB of body is no page of ours. */
#define REQUEST_US (10 * CLOCK_SECOND)
#define LISTEN_US (2 * CLOCK_SECOND)
#define KEEP_ALIVE_US (60 * CLOCK_SECOND)
/* A reply that the peer does not take in this time is not wanted. */
#define REPLY_US (20 * CLOCK_SECOND)
/* The kernel's share of a reply: without a bound it grows to megabytes for a peer that does not read. */
#define SEND_BUFFER (128 * 1024)
#define CONNECTIONS_SPARE 8
#define MEMORY_PER_CONNECTION ((size_t)16 * 1024)

struct connection {
    struct server *server;
    struct connection *next, **link;
    int fd;
    uint64_t deadline_us;
    bool busy;  /* a request is complete and not yet answered: one that is still coming may go */
    bool ended; /* shut by us; MHD will notice */
};

struct reply {
    unsigned status;
    const char *type; /* a constant */
    void *copy;       /* of bytes that are ours */
    const void *data;
    size_t len;
    void (*release)(void *arg);
    void *release_arg;
    bool stream;
};

struct request {
    struct server *server;
    struct MHD_Connection *mhd;
    struct connection *connection;
    struct request *next, **link;
    const char *method;
    char *path;
    uint8_t *body;
    size_t body_len;
    void *context;
    const struct request_hooks *hooks;
    void *hooks_arg;
    uint64_t late_us;
    struct reply reply;
    bool replied;
    bool queued; /* MHD has the reply */
    bool suspended;
    struct {
        char *name;
        char *value;
    } headers[HEADERS_MAX];
    size_t nheaders;
};

struct server {
    struct sd_event *loop;
    struct clock *clock;
    struct MHD_Daemon *mhd;
    sd_event_source *io;
    sd_event_source *again;
    struct timer *timer;
    struct timer *listen; /* always */
    struct server_handlers handlers;
    void *arg;
    struct connection *connections;
    struct request *requests;
    size_t nconnections;
    bool ending;
};

/* The nearest of all deadlines, so that an idle server wakes for nothing. */
static void set_timer(struct server *server)
{
    uint64_t nearest = CLOCK_NEVER;

    for (const struct connection *c = server->connections; c != NULL; c = c->next)
        if (c->deadline_us < nearest)
            nearest = c->deadline_us;
    for (const struct request *r = server->requests; r != NULL; r = r->next)
        if (r->late_us < nearest)
            nearest = r->late_us;
    if (nearest == CLOCK_NEVER)
        timer_stop(server->timer);
    else if (timer_deadline(server->timer) != nearest)
        (void)timer_set_at(server->timer, nearest);
}

static void set_deadline(struct connection *connection, uint64_t us)
{
    if (connection == NULL)
        return;
    connection->deadline_us =
        us == CLOCK_NEVER ? CLOCK_NEVER : clock_monotonic_us(connection->server->clock) + us;
    set_timer(connection->server);
}

static void run(struct server *server)
{
    MHD_UNSIGNED_LONG_LONG timeout;

    (void)MHD_run(server->mhd);
    /* MHD may have work left that its epoll descriptor does not show. */
    if (MHD_get_timeout(server->mhd, &timeout) == MHD_YES && timeout == 0)
        (void)sd_event_source_set_enabled(server->again, SD_EVENT_ONESHOT);
}

static int on_epoll(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
    (void)source;
    (void)fd;
    (void)revents;
    run(arg);
    return 0;
}

static int on_again(sd_event_source *source, void *arg)
{
    (void)source;
    run(arg);
    return 0;
}

/*
 * When the host had no descriptor for a new connection MHD takes its listening socket out of its epoll set, puts it
 * back in its next turn after a connection went, and nothing wakes anybody for that turn.
 */
static void on_listen(struct timer *timer, void *arg)
{
    run(arg);
    (void)timer_set_after(timer, LISTEN_US);
}

static void on_timer(struct timer *timer, void *arg)
{
    struct server *server = arg;
    uint64_t now = clock_monotonic_us(server->clock);
    bool again;

    (void)timer;
    for (struct connection *c = server->connections; c != NULL; c = c->next) {
        if (c->deadline_us > now)
            continue;
        /* MHD owns the descriptor; a shut one makes it close the connection by itself. */
        (void)shutdown(c->fd, SHUT_RDWR);
        c->deadline_us = CLOCK_NEVER;
        for (struct request *r = server->requests; r != NULL; r = r->next)
            if (r->connection == c && r->suspended)
                server_wake(r);
    }
    do {
        again = false;
        for (struct request *r = server->requests; r != NULL; r = r->next) {
            if (r->late_us > now || r->replied)
                continue;
            r->late_us = CLOCK_NEVER;
            r->hooks->late(r, r->hooks_arg);
            again = true; /* the list may have changed */
            break;
        }
    } while (again);
    set_timer(server);
    (void)sd_event_source_set_enabled(server->again, SD_EVENT_ONESHOT);
}

/* Nearly full: the oldest connection that asks nothing goes, so that silent ones never shut out the pages. */
static void make_room(struct server *server)
{
    struct connection *oldest = NULL;

    if (server->nconnections + CONNECTIONS_SPARE <= SERVER_CONNECTIONS_MAX)
        return;
    for (struct connection *c = server->connections; c != NULL; c = c->next)
        if (!c->busy && !c->ended)
            oldest = c; /* the newest come first */
    if (oldest == NULL)
        return;
    (void)shutdown(oldest->fd, SHUT_RDWR);
    oldest->deadline_us = CLOCK_NEVER;
    oldest->ended = true;
    (void)sd_event_source_set_enabled(server->again, SD_EVENT_ONESHOT);
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct server *server = arg;
    struct connection *c = *context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);

        c = calloc(1, sizeof(*c));
        if (c == NULL || info == NULL) {
            free(c);
            if (info != NULL)
                (void)shutdown(info->connect_fd, SHUT_RDWR);
            return;
        }
        make_room(server);
        c->server = server;
        c->fd = info->connect_fd;
        (void)setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &(const int){SEND_BUFFER}, sizeof(int));
        c->next = server->connections;
        c->link = &server->connections;
        if (c->next != NULL)
            c->next->link = &c->next;
        server->connections = c;
        server->nconnections++;
        *context = c;
        set_deadline(c, REQUEST_US);
    } else if (c != NULL) {
        *c->link = c->next;
        if (c->next != NULL)
            c->next->link = c->link;
        server->nconnections--;
        free(c);
        *context = NULL;
        if (!server->ending)
            set_timer(server);
    }
}

static void reply_clear(struct reply *reply)
{
    if (reply->copy != NULL)
        explicit_bzero(reply->copy, reply->len);
    free(reply->copy);
    if (reply->release != NULL)
        reply->release(reply->release_arg);
    memset(reply, 0, sizeof(*reply));
}

static void request_free(struct request *request)
{
    *request->link = request->next;
    if (request->next != NULL)
        request->next->link = request->link;
    if (!request->queued)
        reply_clear(&request->reply);
    for (size_t i = 0; i < request->nheaders; i++) {
        free(request->headers[i].name);
        free(request->headers[i].value);
    }
    /* A body holds sealed entries and tokens. */
    if (request->body != NULL)
        explicit_bzero(request->body, SERVER_BODY_MAX);
    free(request->body);
    free(request->path);
    free(request->context);
    free(request);
}

static void on_completed(void *arg, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode code)
{
    struct server *server = arg;
    struct request *request = *context;

    (void)mhd;
    (void)code;
    if (request == NULL)
        return;
    *context = NULL;
    if (request->hooks != NULL && request->hooks->gone != NULL &&
        (!request->replied || request->reply.stream))
        request->hooks->gone(request, request->hooks_arg);
    if (request->connection != NULL) {
        request->connection->deadline_us = clock_monotonic_us(server->clock) + KEEP_ALIVE_US;
        request->connection->busy = false;
    }
    request_free(request);
    if (!server->ending)
        set_timer(server);
}

static ssize_t on_read(void *arg, uint64_t pos, char *buf, size_t max)
{
    struct request *request = arg;
    ssize_t n;

    (void)pos;
    if (request->server->ending)
        return MHD_CONTENT_READER_END_OF_STREAM;
    n = request->hooks->read(request, buf, max, request->hooks_arg);
    if (n < 0)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (n == 0) {
        set_deadline(request->connection, CLOCK_NEVER);
        request->suspended = true;
        MHD_suspend_connection(request->mhd);
    } else {
        set_deadline(request->connection, REPLY_US);
    }
    return n;
}

/* MHD frees replies when the last byte is out, which may be after the request has gone: they own their bytes. */
struct shipment {
    struct reply reply;
};

static void on_shipped(void *arg)
{
    struct shipment *shipment = arg;

    reply_clear(&shipment->reply);
    free(shipment);
}

static const struct {
    const char *name;
    const char *value;
} headers_always[] = {
    {"Cache-Control", "no-store"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"X-Frame-Options", "DENY"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "camera=(), microphone=(), geolocation=(), usb=(), payment=()"},
    /* The hash is of the one script that stands in the pages (tests/sources.sh): it is what is left when
     * a page's other files do not come. */
    {"Content-Security-Policy", "default-src 'none'; script-src 'self' "
                                "'sha256-jMvZ157P1iGVR09TS4TpQpKYyEXd4Wkwx3KMGbcDNn4='; "
                                "style-src 'self'; img-src "
                                "'self'; media-src 'self'; connect-src 'self'; "
                                "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
                                "require-trusted-types-for 'script'"},
};

static enum MHD_Result queue_reply(struct request *request)
{
    struct MHD_Response *response = NULL;
    struct shipment *shipment;
    enum MHD_Result result;

    if (request->reply.stream) {
        response =
            MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, on_read, request, NULL);
    } else {
        shipment = calloc(1, sizeof(*shipment));
        if (shipment == NULL)
            return MHD_NO;
        shipment->reply = request->reply;
        response = MHD_create_response_from_buffer_with_free_callback_cls(
            request->reply.len, (void *)(uintptr_t)request->reply.data, on_shipped, shipment);
        if (response == NULL)
            free(shipment);
    }
    if (response == NULL)
        return MHD_NO;
    request->queued = true;
    if (request->reply.type != NULL)
        (void)MHD_add_response_header(response, "Content-Type", request->reply.type);
    for (size_t i = 0; i < sizeof(headers_always) / sizeof(headers_always[0]); i++)
        (void)MHD_add_response_header(response, headers_always[i].name, headers_always[i].value);
    for (size_t i = 0; i < request->nheaders; i++)
        (void)MHD_add_response_header(response, request->headers[i].name,
                                      request->headers[i].value);
    set_deadline(request->connection, REPLY_US);
    result = MHD_queue_response(request->mhd, request->reply.status, response);
    MHD_destroy_response(response);
    return result;
}

static struct request *request_begin(struct server *server, struct MHD_Connection *mhd,
                                     const char *path, const char *method)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct request *request = calloc(1, sizeof(*request));

    if (request == NULL)
        return NULL;
    request->server = server;
    request->mhd = mhd;
    request->connection = info != NULL ? info->socket_context : NULL;
    request->method = method;
    request->late_us = CLOCK_NEVER;
    request->path = strdup(path);
    if (request->path == NULL || request->connection == NULL) {
        free(request->path);
        free(request);
        return NULL;
    }
    request->next = server->requests;
    request->link = &server->requests;
    if (request->next != NULL)
        request->next->link = &request->next;
    server->requests = request;
    return request;
}

bool request_body_too_long(struct request *request)
{
    const char *text = request_header(request, "Content-Length", NULL);
    char *end;

    if (text == NULL)
        return false;
    errno = 0;
    return strtoull(text, &end, 10) > SERVER_BODY_MAX || *end != '\0' || errno != 0;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *mhd, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **context)
{
    struct server *server = arg;
    struct request *request = *context;

    (void)version;
    if (request == NULL) {
        request = request_begin(server, mhd, path, method);
        if (request == NULL)
            return MHD_NO;
        *context = request;
        set_deadline(request->connection, REQUEST_US);
        server->handlers.head(request, server->arg);
        return request->replied ? queue_reply(request) : MHD_YES;
    }
    if (*size > 0) {
        if (request->body == NULL)
            request->body = calloc(1, SERVER_BODY_MAX);
        /* More than was announced, or chunks without end: no answer, the connection is closed. */
        if (request->body == NULL || *size > SERVER_BODY_MAX - request->body_len)
            return MHD_NO;
        memcpy(request->body + request->body_len, data, *size);
        request->body_len += *size;
        *size = 0;
        return MHD_YES;
    }
    if (!request->replied && request->hooks == NULL) {
        request->connection->busy = true;
        set_deadline(request->connection, CLOCK_NEVER);
        server->handlers.complete(request, server->arg);
        if (!request->replied && request->hooks == NULL)
            return MHD_NO;
    }
    if (request->replied)
        return queue_reply(request);
    if (server->ending)
        return MHD_NO;
    request->suspended = true;
    MHD_suspend_connection(mhd);
    return MHD_YES;
}

/* A NUL in a path or value would end it early for us, but not for whoever wrote it: then there is nothing. */
static size_t on_unescape(void *arg, struct MHD_Connection *mhd, char *text)
{
    size_t len = MHD_http_unescape(text);

    (void)arg;
    (void)mhd;
    if (strlen(text) == len)
        return len;
    text[0] = '\0';
    return 0;
}

int server_new(struct server **out, struct sd_event *loop, struct clock *clock, int listen_fd,
               const struct server_handlers *handlers, void *arg)
{
    struct server *server = calloc(1, sizeof(*server));
    const union MHD_DaemonInfo *info;
    int r = -ENOMEM;

    *out = NULL;
    if (server == NULL) {
        (void)close(listen_fd);
        return r;
    }
    server->loop = loop;
    server->clock = clock;
    server->handlers = *handlers;
    server->arg = arg;
    server->timer = timer_new(clock, on_timer, server);
    server->listen = timer_new(clock, on_listen, server);
    if (server->timer == NULL || server->listen == NULL ||
        timer_set_after(server->listen, LISTEN_US) < 0) {
        (void)close(listen_fd);
        goto fail;
    }
    server->mhd = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, server,
        MHD_OPTION_LISTEN_SOCKET, (MHD_socket)listen_fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)SERVER_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_PER_CONNECTION,
        MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, NULL, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, server, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_END);
    if (server->mhd == NULL) {
        (void)close(listen_fd);
        goto fail;
    }
    info = MHD_get_daemon_info(server->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL)
        goto fail;
    r = sd_event_add_io(loop, &server->io, info->epoll_fd, EPOLLIN, on_epoll, server);
    if (r < 0)
        goto fail;
    r = sd_event_add_defer(loop, &server->again, on_again, server);
    if (r < 0)
        goto fail;
    (void)sd_event_source_set_enabled(server->again, SD_EVENT_OFF);
    *out = server;
    return 0;
fail:
    server_free(&server);
    return r;
}

void server_free(struct server **at)
{
    struct server *server = *at;

    if (server == NULL)
        return;
    *at = NULL;
    server->ending = true;
    if (server->mhd != NULL) {
        /* MHD insists that no connection sleeps when it stops. */
        for (struct request *r = server->requests; r != NULL; r = r->next)
            if (r->suspended) {
                r->suspended = false;
                MHD_resume_connection(r->mhd);
            }
        (void)MHD_run(server->mhd);
        server->io = sd_event_source_disable_unref(server->io);
        MHD_stop_daemon(server->mhd);
    }
    server->again = sd_event_source_disable_unref(server->again);
    timer_free(&server->timer);
    timer_free(&server->listen);
    free(server);
}

const char *request_method(const struct request *request)
{
    return request->method;
}

const char *request_path(const struct request *request)
{
    return request->path;
}

struct lookup {
    const char *name;
    const char *value;
    unsigned count;
};

static enum MHD_Result each_header(void *arg, enum MHD_ValueKind kind, const char *key,
                                   const char *value)
{
    struct lookup *lookup = arg;

    (void)kind;
    if (strcasecmp(key, lookup->name) == 0) {
        lookup->value = value;
        lookup->count++;
    }
    return MHD_YES;
}

const char *request_header(struct request *request, const char *name, bool *twice)
{
    struct lookup lookup = {.name = name};

    (void)MHD_get_connection_values(request->mhd, MHD_HEADER_KIND, each_header, &lookup);
    if (twice != NULL)
        *twice = lookup.count > 1;
    return lookup.count == 1 ? lookup.value : NULL;
}

const char *request_query(struct request *request, const char *name)
{
    return MHD_lookup_connection_value(request->mhd, MHD_GET_ARGUMENT_KIND, name);
}

const uint8_t *request_body(const struct request *request, size_t *len)
{
    *len = request->body_len;
    return request->body;
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
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    if (info == NULL || info->client_addr == NULL || info->client_addr->sa_family != AF_INET)
        return 0;
    return ((const struct sockaddr_in *)(const void *)info->client_addr)->sin_addr.s_addr;
}

void server_keep(struct request *request, const struct request_hooks *hooks, void *arg)
{
    request->hooks = hooks;
    request->hooks_arg = arg;
}

void server_set_deadline(struct request *request, uint32_t ms)
{
    request->late_us = clock_monotonic_us(request->server->clock) + ms * CLOCK_MS;
    set_timer(request->server);
}

void request_add_header(struct request *request, const char *name, const char *value)
{
    size_t i = request->nheaders;

    if (i == HEADERS_MAX)
        return;
    request->headers[i].name = strdup(name);
    request->headers[i].value = strdup(value);
    if (request->headers[i].name == NULL || request->headers[i].value == NULL) {
        free(request->headers[i].name);
        free(request->headers[i].value);
        return;
    }
    request->nheaders++;
}

/* MHD notices a resumed connection only when it runs again, which nothing else would make it do. */
static void resume(struct request *request)
{
    request->suspended = false;
    MHD_resume_connection(request->mhd);
    (void)sd_event_source_set_enabled(request->server->again, SD_EVENT_ONESHOT);
}

static void replied(struct request *request)
{
    request->replied = true;
    request->late_us = CLOCK_NEVER;
    if (request->suspended)
        resume(request);
}

void server_reply(struct request *request, unsigned status, const char *type, const void *data,
                  size_t len)
{
    void *copy = malloc(len + 1);

    if (copy == NULL) {
        server_reply_shared(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "text/plain", "", 0, NULL,
                            NULL);
        return;
    }
    if (len > 0)
        memcpy(copy, data, len);
    request->reply =
        (struct reply){.status = status, .type = type, .copy = copy, .data = copy, .len = len};
    replied(request);
}

void server_reply_shared(struct request *request, unsigned status, const char *type,
                         const void *data, size_t len, void (*release)(void *arg), void *arg)
{
    request->reply = (struct reply){.status = status,
                                    .type = type,
                                    .data = data,
                                    .len = len,
                                    .release = release,
                                    .release_arg = arg};
    replied(request);
}

void server_reply_stream(struct request *request, const char *type)
{
    request->reply = (struct reply){.status = MHD_HTTP_OK, .type = type, .stream = true};
    replied(request);
}

void server_wake(struct request *request)
{
    if (!request->suspended) {
        /* Awake and not asking: the peer is not taking what it has; its deadline runs. */
        return;
    }
    set_deadline(request->connection, REPLY_US);
    resume(request);
}

bool server_client_closed(struct request *request)
{
    char byte;
    ssize_t n = recv(request->connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

size_t server_connections(const struct server *server)
{
    return server->nconnections;
}
