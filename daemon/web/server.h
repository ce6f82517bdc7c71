/*
 * server: the glue to libmicrohttpd, and nothing else: connections, their deadlines, bodies, replies.
 *
 * External epoll mode: MHD's own epoll descriptor sits in the process's event loop; no thread is ever made. MHD's
 * time-outs are off: each connection has one deadline of our clock, whatever it is busy with, so that a peer that
 * drips bytes, one that does not read, and one that went away all end the same way.
 *
 * A request is handed on once it is complete. The handler replies at once, or keeps the pointer and replies later
 * (the connection sleeps meanwhile); `gone` tells when a kept request is no more.
 */
#ifndef UKETSUKE_WEB_SERVER_H
#define UKETSUKE_WEB_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sd_event;
struct clock;
struct server;
struct request;

#define SERVER_BODY_MAX 8192 /* of a request */
#define SERVER_CONNECTIONS_MAX                                                                     \
    256 /* at a time; near that the oldest silent one goes for a new one */

/* What a kept request is waiting for. */
struct request_hooks {
    /* The client has gone, or the server ends: the pointer is invalid after this call. */
    void (*gone)(struct request *request, void *arg);
    /*
     * Streams: fill `to` with at most `size` bytes. 0: nothing now (server_wake() when there is), -1: the end.
     */
    ssize_t (*read)(struct request *request, char *to, size_t size, void *arg);
    /* Requests with server_set_deadline(): it has passed; reply now. */
    void (*late)(struct request *request, void *arg);
};

struct server_handlers {
    /*
     * The head of a request is there. Reply here to refuse it (no body is read then); else return and wait for
     * `complete`.
     */
    void (*head)(struct request *request, void *arg);
    /* Body complete: reply, or keep the request with server_keep(). */
    void (*complete)(struct request *request, void *arg);
};

/* `listen_fd` is taken. */
int server_new(struct server **out, struct sd_event *loop, struct clock *clock, int listen_fd,
               const struct server_handlers *handlers, void *arg);
/* Ends every connection. Accepts and stores NULL. */
void server_free(struct server **server);

const char *request_method(const struct request *request);
/* The decoded path, without the query. */
const char *request_path(const struct request *request);
/* NULL when absent; also when it stands there twice (`twice` set if given): a doubtful header is no header. */
const char *request_header(struct request *request, const char *name, bool *twice);
/* NULL when absent. */
const char *request_query(struct request *request, const char *name);
const uint8_t *request_body(const struct request *request, size_t *len);
/* The announced length is over SERVER_BODY_MAX (or no number). */
bool request_body_too_long(struct request *request);
/* What route and session found out about it; freed with plain free() at the end of the request. */
void request_set_context(struct request *request, void *context);
void *request_context(const struct request *request);
/* A number for the rate limit: the peer's address. */
uint32_t request_peer(const struct request *request);

/* Keep a request that is not replied yet. `hooks` must outlive it. */
void server_keep(struct request *request, const struct request_hooks *hooks, void *arg);
/* `late` is called after that many milliseconds unless it was replied. */
void server_set_deadline(struct request *request, uint32_t ms);

/* Add a header to the reply to come (copied; at most 4). */
void request_add_header(struct request *request, const char *name, const char *value);
/* Reply with bytes (copied). The request must not be used afterwards. */
void server_reply(struct request *request, unsigned status, const char *type, const void *data,
                  size_t len);
/* The same with shared bytes: `release(arg)` is called when they are out. */
void server_reply_shared(struct request *request, unsigned status, const char *type,
                         const void *data, size_t len, void (*release)(void *arg), void *arg);
/* Reply 200 with a stream from hooks->read (the request must be kept). */
void server_reply_stream(struct request *request, const char *type);
/* The stream has something to say, or its end. */
void server_wake(struct request *request);
/* True when the client of a sleeping stream has closed its side. */
bool server_client_closed(struct request *request);

/* For health and tests. */
size_t server_connections(const struct server *server);

#endif
