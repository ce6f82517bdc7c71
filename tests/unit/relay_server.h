/*
 * relay_server: a TLS server on the loopback that means harm, on OpenSSL alone: it speaks whatever it is told to. One
 * connection at a time, on a thread of its own. What a test changes while it runs holds from the next connection on.
 */
#ifndef TESTS_UNIT_RELAY_SERVER_H
#define TESTS_UNIT_RELAY_SERVER_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum way {
    WAY_BYTES,         /* the bytes, then a proper end of TLS */
    WAY_CUT,           /* the bytes, then the connection ends without TLS's goodbye */
    WAY_CUT_RECORD,    /* the bytes, then it ends within a record of TLS */
    WAY_CUT_HANDSHAKE, /* it ends once the client has said its first word of TLS */
    WAY_HTTP2,         /* what ALPN offers */
    WAY_SILENT,        /* accept, never say a word, not even in TLS */
    WAY_NOT_TLS,       /* the bytes without any TLS */
    WAY_HANG,          /* TLS, the bytes, then nothing */
    WAY_DRIP,          /* the bytes, then the letter x for ever, one at a time, each 20 ms */
    WAY_FLOOD_HEADER,  /* header lines without end */
    WAY_FLOOD_BODY,    /* a body without end */
};

struct server {
    int fd;
    uint16_t port;
    enum way way;
    const char *bytes; /* text */
    const void *body;  /* bytes of any kind behind it, or NULL */
    size_t body_len;
    SSL_CTX *tls;
    pthread_t thread;
    unsigned accepted;
    unsigned requests;
    char last[4096];  /* the last request as it came */
    unsigned streams; /* of HTTP/2 */
    bool keep;        /* serve several requests on one connection */
    bool stop;
};

struct server *server_start(enum way way, const char *bytes);
void server_stop(struct server *server);
/* Another certificate of the test PKI: "wrong-server", "wrong-host". */
void server_certificate(struct server *server, const char *name);
/* For tls: takes "h2" where ALPN offers it. */
int server_choose_h2(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                     const unsigned char *in, unsigned in_len, void *arg);

#endif
