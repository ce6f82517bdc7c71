#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay_rig.h"
#include "relay_server.h"

static void flood(SSL *ssl, const char *first, const char *line)
{
    char block[16000] = "";
    size_t used = 0;

    for (; used + strlen(line) < sizeof(block); used += strlen(line))
        memcpy(block + used, line, strlen(line));
    (void)SSL_write(ssl, first, (int)strlen(first));
    for (int i = 0; i < 5000; i++)
        if (SSL_write(ssl, block, (int)used) <= 0)
            return;
}

/* Header and body of one request; false when the client has gone. */
static bool read_request(struct server *server, SSL *ssl)
{
    size_t used = 0;
    const char *head_end = NULL;
    size_t body = 0;

    memset(server->last, 0, sizeof(server->last));
    while (head_end == NULL || strlen(head_end + 4) < body) {
        int n = SSL_read(ssl, server->last + used, (int)(sizeof(server->last) - 1 - used));
        const char *length;

        if (n <= 0)
            return false;
        used += (size_t)n;
        head_end = strstr(server->last, "\r\n\r\n");
        length = strstr(server->last, "Content-Length: ");
        body = length != NULL ? strtoul(length + 16, NULL, 10) : 0;
    }
    return true;
}

static void write_answer(const struct server *server, SSL *ssl)
{
    (void)SSL_write(ssl, server->bytes, (int)strlen(server->bytes));
    if (server->body != NULL)
        (void)SSL_write(ssl, server->body, (int)server->body_len);
}

static void drip(const struct server *server, SSL *ssl)
{
    while (!server->stop && SSL_write(ssl, "x", 1) == 1)
        (void)poll(NULL, 0, 20);
}

/* The head of a record of 4096 bytes of application data (RFC 8446, 5.1), and a few of those. */
static const unsigned char half_record[] = {23, 3, 3, 16, 0, 1, 2, 3, 4, 5, 6, 7, 8};

static void serve_http2(struct server *server, SSL *ssl);

static void serve_tls(struct server *server, int fd)
{
    SSL *ssl = SSL_new(server->tls);

    (void)SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1 && server->way == WAY_HTTP2) {
        serve_http2(server, ssl);
    } else if (SSL_get_state(ssl) == TLS_ST_OK) {
        while (read_request(server, ssl)) {
            server->requests++;
            if (server->way == WAY_FLOOD_HEADER)
                flood(ssl, "HTTP/1.1 200 OK\r\n",
                      "X-More: 0123456789012345678901234567890123456789\r\n");
            else if (server->way == WAY_FLOOD_BODY)
                flood(ssl, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
                      "0123456789012345678901234567890123456789");
            else
                write_answer(server, ssl);
            if (server->way == WAY_DRIP)
                drip(server, ssl);
            if (server->way == WAY_CUT_RECORD)
                (void)!write(fd, half_record, sizeof(half_record));
            if (server->way == WAY_HANG) {
                char c;

                (void)SSL_read(ssl, &c, 1); /* until the client goes */
            }
            if (!server->keep)
                break;
        }
        if (server->way == WAY_BYTES)
            (void)SSL_shutdown(ssl);
    }
    SSL_free(ssl);
}

/* ---- HTTP/2 (RFC 9113), as little of it as an answer needs ----------------------------------- */

int server_choose_h2(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                     const unsigned char *in, unsigned in_len, void *arg)
{
    (void)ssl;
    (void)arg;
    for (unsigned i = 0; i + 2 < in_len; i += 1u + in[i]) {
        if (in[i] != 2 || memcmp(in + i + 1, "h2", 2) != 0)
            continue;
        *out = in + i + 1;
        *out_len = 2;
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool read_exactly(SSL *ssl, unsigned char *data, size_t len)
{
    while (len > 0) {
        int n = SSL_read(ssl, data, (int)len);

        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static void write_frame(SSL *ssl, unsigned char type, unsigned char flags, unsigned char stream,
                        const char *data, size_t len)
{
    unsigned char frame[9 + 64] = {0, 0, (unsigned char)len, type, flags, 0, 0, 0, stream};

    memcpy(frame + 9, data, len);
    (void)SSL_write(ssl, frame, (int)(9 + len));
}

static void serve_http2(struct server *server, SSL *ssl)
{
    enum { DATA = 0, HEADERS = 1, SETTINGS = 4, END_STREAM = 1, ACK = 1, END_HEADERS = 4 };
    unsigned char head[24], payload[16384];

    if (!read_exactly(ssl, head, 24) || memcmp(head, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24) != 0)
        return;
    write_frame(ssl, SETTINGS, 0, 0, "", 0);
    while (read_exactly(ssl, head, 9)) {
        size_t len = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];

        if (len > sizeof(payload) || !read_exactly(ssl, payload, len))
            return;
        if (head[3] == SETTINGS && (head[4] & ACK) == 0)
            write_frame(ssl, SETTINGS, ACK, 0, "", 0);
        if ((head[3] != HEADERS && head[3] != DATA) || (head[4] & END_STREAM) == 0)
            continue;
        server->streams++;
        write_frame(ssl, HEADERS, END_HEADERS, head[8], "\x88",
                    1); /* :status 200 of HPACK's own table */
        write_frame(ssl, DATA, END_STREAM, head[8], "{\"h\":2}", 7);
    }
}

static void *serve(void *arg)
{
    struct server *server = arg;
    sigset_t pipe;

    /* Clients go in the middle of a word: that ends the word and not the program. */
    (void)sigemptyset(&pipe);
    (void)sigaddset(&pipe, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    for (;;) {
        int fd = accept(server->fd, NULL, NULL);
        char c[512];

        if (fd < 0 || server->stop) {
            if (fd >= 0)
                (void)close(fd);
            return NULL;
        }
        server->accepted++;
        if (server->way == WAY_SILENT) {
            while (read(fd, c, sizeof(c)) > 0)
                ;
        } else if (server->way == WAY_CUT_HANDSHAKE) {
            (void)!read(fd, c, sizeof(c));
        } else if (server->way == WAY_NOT_TLS) {
            (void)!write(fd, server->bytes, strlen(server->bytes));
        } else {
            serve_tls(server, fd);
        }
        (void)close(fd);
    }
}

void server_certificate(struct server *server, const char *name)
{
    char path[256], file[64];

    (void)snprintf(file, sizeof(file), "%s.pem", name);
    assert_int_equal(SSL_CTX_use_certificate_file(server->tls, rig_pki(file, path, sizeof(path)),
                                                  SSL_FILETYPE_PEM),
                     1);
    (void)snprintf(file, sizeof(file), "%s.key", name);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(server->tls, rig_pki(file, path, sizeof(path)),
                                                 SSL_FILETYPE_PEM),
                     1);
}

struct server *server_start(enum way way, const char *bytes)
{
    struct server *server = calloc(1, sizeof(*server));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    assert_non_null(server);
    server->way = way;
    server->bytes = bytes;
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(server->fd, 8), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &len), 0);
    server->port = ntohs(address.sin_port);
    server->tls = SSL_CTX_new(TLS_server_method());
    assert_non_null(server->tls);
    server_certificate(server, "server");
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
    return server;
}

void server_stop(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons(server->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    server->stop = true;
    (void)connect(fd, (struct sockaddr *)&address, sizeof(address));
    (void)close(fd);
    (void)pthread_join(server->thread, NULL);
    (void)close(server->fd);
    SSL_CTX_free(server->tls);
    free(server);
}
