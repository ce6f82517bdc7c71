/*
 * http: HTTPS requests on the event loop (libcurl's multi interface, driven by our loop and our
 * timers).
 *
 * Fixed here, not by callers: https only (http where a request says that cleartext will do); TLS 1.2 at least with forward-secret AEAD ciphers; the
 * server's certificate and name always checked; the client's certificate always shown; no
 * redirects, proxies, cookies, compression, .netrc, prompts or signals; a bounded answer
 * (HTTP_BODY_MAX, HTTP_HEADERS_MAX). A name look-up that hangs is left behind with its thread and
 * never waited for.
 */
#ifndef UKETSUKE_HTTP_H
#define UKETSUKE_HTTP_H

#include "../common/cage.h"
#include "../common/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_BODY_MAX (4u << 20)
#define HTTP_HEADERS_MAX (64u << 10)

struct http;
struct http_exchange;

/*
 * PEM texts; borrowed for as long as the struct http lives (the key stays in secret memory). certificate_len 0: we
 * show none (hooks, ORCA).
 */
struct http_tls {
    const void *ca;
    size_t ca_len;
    const void *certificate;
    size_t certificate_len;
    const void *key;
    size_t key_len;
};

/* What became of a request. */
enum http_fate {
    HTTP_ANSWERED,    /* a whole answer with a status */
    HTTP_UNREACHABLE, /* no connection */
    HTTP_TLS_REFUSED, /* one side's certificate or offer was refused by the other */
    HTTP_BROKEN,      /* the connection ended before a whole answer */
    HTTP_SLOW,        /* the deadline passed (or the time for connecting, then `sent` is false) */
    HTTP_TOO_LARGE,   /* more header or body than allowed */
    HTTP_LOCAL,       /* a failure of our own (memory, an option) */
};

struct http_result {
    enum http_fate fate;
    bool sent;           /* a byte of the request may have reached the service */
    int status;          /* HTTP status, 0: none was received */
    int code;            /* CURLcode, for the log */
    unsigned tls;        /* reason number of OpenSSL, for the log; 0: none */
    bool reused;         /* an open connection was used */
    const uint8_t *body; /* borrowed during the callback */
    size_t len;
};

/* The exchange is over: its handle must not be used any more. May send the next one. */
typedef void http_done_fn(const struct http_result *result, void *arg);

struct http_header {
    const char *name;
    const char *value; /* visible ASCII and blanks */
};

struct http_request {
    const char *url;  /* https://..., or http://... with cleartext */
    const void *body; /* copied; NULL: a GET */
    size_t len;
    const char *authorization; /* NULL: none */
    const char *request_id;    /* visible ASCII, NULL: none */
    uint64_t connect_us;       /* longest time for name, connection and TLS */
    uint64_t deadline_us;      /* monotonic, for everything */
    /*
     * Never send it twice: a connection that lay open may be closing unseen, and curl would quietly
     * repeat a request that met that. With `once` each request gets a new connection.
     */
    bool once;
    bool cleartext;                    /* the configuration says that http:// will do */
    const char *content_type;          /* NULL: JSON */
    const char *accept;                /* NULL: JSON */
    const struct http_header *headers; /* more of them */
    size_t nheaders;
};

/*
 * Once in a process, before its cage and before any other thread: starts the libraries. What the environment
 * says about keeping the secrets of TLS connections in a file (SSLKEYLOGFILE) is not listened to: curl would
 * open that file here and write to it from inside the cage. Without memory for curl the program ends (memory.h).
 * 0 or -EIO.
 */
int http_setup(void);

/* What a program needs inside its cage to speak HTTPS, resolver included. */
const struct cage_spec *http_cage(void);

/* 0 or negative errno. `tls` is borrowed. */
int http_new(struct http **out, struct sd_event *loop, struct clock *clock,
             const struct http_tls *tls);
/* Ends what runs without calling back. Accepts and stores NULL. */
void http_free(struct http **http);

/* 0 and the handle; negative errno: nothing was sent and `done` will not be called. */
int http_send(struct http *http, const struct http_request *request, http_done_fn *done, void *arg,
              struct http_exchange **out);
/* End it now without calling back. Accepts and stores NULL. True when a byte may have been sent. */
bool http_cancel(struct http_exchange **exchange);

/* "answered", "unreachable"... */
const char *http_fate_name(enum http_fate fate);

#endif
