/*
 * http against servers that mean harm (relay_server.h), which speak whatever bytes a row of the
 * table holds. In this process, so that the sanitizer also looks for leaks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <curl/curl.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "daemon/relay/http.h"

#include "relay_rig.h"
#include "relay_server.h"

/* ---- the client ------------------------------------------------------------------------------ */

static sd_event *loop;
static struct clock *clock_;
static struct http *http;
static char *pem[3];

static char *slurp(const char *name)
{
    char path[256];
    FILE *file = fopen(rig_pki(name, path, sizeof(path)), "re");
    char *text = calloc(1, 16384);

    assert_non_null(file);
    assert_non_null(text);
    assert_true(fread(text, 1, 16383, file) > 0);
    (void)fclose(file);
    return text;
}

static int set_up(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    pem[0] = slurp("ca.pem");
    pem[1] = slurp("client.pem");
    pem[2] = slurp("client.key");
    assert_true(sd_event_new(&loop) >= 0);
    clock_ = clock_new_system(loop);
    assert_non_null(clock_);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        free(pem[i]);
    clock_free(&clock_);
    sd_event_unref(loop);
    return 0;
}

static int open_http(void **state)
{
    const struct http_tls tls = {pem[0],         strlen(pem[0]), pem[1],
                                 strlen(pem[1]), pem[2],         strlen(pem[2])};

    (void)state;
    assert_int_equal(http_new(&http, loop, clock_, &tls), 0);
    return 0;
}

static int close_http(void **state)
{
    (void)state;
    http_free(&http);
    return 0;
}

#define ENOUGH_MS 20000 /* for what does not wait for its time to run out */

struct outcome {
    bool done;
    struct http_result result;
    char body[256];
};

static void take(const struct http_result *result, void *arg)
{
    struct outcome *outcome = arg;

    assert_false(outcome->done);
    outcome->done = true;
    outcome->result = *result;
    if (result->len > 0)
        memcpy(outcome->body, result->body, result->len < 255 ? result->len : 255);
    outcome->result.body = NULL;
}

static void turn_until(const bool *done, unsigned ms)
{
    uint64_t until = clock_monotonic_us(clock_) + ms * CLOCK_MS;

    while (!*done && clock_monotonic_us(clock_) < until)
        assert_true(sd_event_run(loop, 20000) >= 0);
}

static struct outcome ask_url(const char *url, bool once, unsigned ms)
{
    struct http_request request = {.url = url,
                                   .body = "{\"a\":1}",
                                   .len = 7,
                                   .authorization = "token",
                                   .request_id = "RD-1",
                                   .connect_us = ms * CLOCK_MS / 2,
                                   .deadline_us = clock_monotonic_us(clock_) + ms * CLOCK_MS,
                                   .once = once};
    struct http_exchange *exchange;
    struct outcome outcome;

    memset(&outcome, 0, sizeof(outcome));
    assert_int_equal(http_send(http, &request, take, &outcome, &exchange), 0);
    assert_non_null(exchange);
    assert_false(outcome.done); /* never from within http_send() */
    turn_until(&outcome.done, ms + ENOUGH_MS);
    assert_true(outcome.done);
    return outcome;
}

static struct outcome ask(const struct server *server, bool once, unsigned ms)
{
    char url[64];

    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%u/x", server->port);
    return ask_url(url, once, ms);
}

static void sends_what_it_says(void **state)
{
    struct server *server =
        server_start(WAY_BYTES, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    struct outcome o = ask(server, false, ENOUGH_MS);

    (void)state;
    assert_int_equal(o.result.fate, HTTP_ANSWERED);
    assert_int_equal(o.result.status, 200);
    assert_true(o.result.sent);
    assert_string_equal(o.body, "{}");
    assert_ptr_equal(strstr(server->last, "POST /x HTTP/1.1\r\n"), server->last);
    assert_non_null(strstr(server->last, "\r\nAuthorization: token\r\n"));
    assert_non_null(strstr(server->last, "\r\nX-Request-Id: RD-1\r\n"));
    assert_non_null(strstr(server->last, "\r\nContent-Type: application/json;charset=UTF-8\r\n"));
    assert_non_null(strstr(server->last, "\r\n\r\n{\"a\":1}"));
    assert_null(strstr(server->last, "Expect:"));
    assert_null(strstr(server->last, "Accept-Encoding"));
    assert_null(strstr(server->last, "Cookie"));
    server_stop(server);
}

static void every_bad_ending_has_its_name(void **state)
{
    static const struct {
        enum way way;
        const char *bytes;
        enum http_fate fate;
        bool sent;
        int status;
    } rows[] = {
        {WAY_BYTES, "", HTTP_BROKEN, true, 0},
        {WAY_BYTES, "garbage\r\n\r\n", HTTP_BROKEN, true, 0},
        {WAY_BYTES, "HTTP/0.9 what\r\n\r\n", HTTP_BROKEN, true, 0},
        {WAY_BYTES, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", HTTP_BROKEN, true, 200},
        {WAY_BYTES, "HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n", HTTP_TOO_LARGE, true,
         200},
        {WAY_BYTES, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
         HTTP_BROKEN, true, 200},
        /*
         * No length, and the end not said by TLS: anybody on the way may have cut it. This curl
         * lets it pass (it tells OpenSSL to); no part of a JSON object is one, so the codec refuses
         * what was cut (test_relay_codec).
         */
        {WAY_CUT, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"XmlMsg\":", HTTP_ANSWERED, true,
         200},
        {WAY_CUT, "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"XmlMsg\":", HTTP_BROKEN, true,
         200},
        {WAY_BYTES, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"XmlMsg\":{}}", HTTP_ANSWERED,
         true, 200},
        {WAY_BYTES,
         "HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
         HTTP_ANSWERED, true, 302},
        {WAY_BYTES,
         "HTTP/1.1 301 Moved\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
         HTTP_ANSWERED, true, 301},
        {WAY_NOT_TLS, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", HTTP_TLS_REFUSED, false, 0},
        {WAY_NOT_TLS, "", HTTP_UNREACHABLE, false, 0},
        {WAY_SILENT, "", HTTP_SLOW, false, 0},
        {WAY_HANG, "", HTTP_SLOW, true, 0},
        {WAY_HANG, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", HTTP_SLOW, true, 200},
        {WAY_HANG, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n", HTTP_SLOW, true,
         100},
        {WAY_FLOOD_HEADER, "", HTTP_TOO_LARGE, true, 200},
        {WAY_FLOOD_BODY, "", HTTP_TOO_LARGE, true, 200},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct server *server = server_start(rows[i].way, rows[i].bytes);
        /* Short where the time is to run out; elsewhere a busy machine may take its time, for the
         * handshake (half of it) too. */
        struct outcome o = ask(server, false,
                               rows[i].way == WAY_SILENT ? 800
                               : rows[i].way == WAY_HANG ? 6000
                                                         : ENOUGH_MS);

        if (o.result.fate != rows[i].fate || o.result.sent != rows[i].sent ||
            (rows[i].status != 100 && o.result.status != rows[i].status))
            fail_msg("row %zu: %s sent %d status %d curl %d", i, http_fate_name(o.result.fate),
                     o.result.sent, o.result.status, o.result.code);
        server_stop(server);
    }
}

/* A gzip stream is data like any other: never unpacked, however small it is and large it would be.
 */
static void compressed_bodies_are_not_unpacked(void **state)
{
    struct server *server = server_start(
        WAY_BYTES,
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x01");
    struct outcome o = ask(server, false, ENOUGH_MS);

    (void)state;
    assert_int_equal(o.result.fate, HTTP_ANSWERED);
    assert_int_equal(o.result.len, 4);
    assert_memory_equal(o.body, "\x1f\x8b\x08\x01", 4);
    server_stop(server);
}

static void old_tls_is_not_spoken(void **state)
{
    struct server *server =
        server_start(WAY_BYTES, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    struct outcome o;

    (void)state;
    SSL_CTX_set_security_level(server->tls, 0);
    assert_int_equal(SSL_CTX_set_max_proto_version(server->tls, TLS1_1_VERSION), 1);
    o = ask(server, false, ENOUGH_MS);
    assert_int_equal(o.result.fate, HTTP_TLS_REFUSED);
    assert_false(o.result.sent);
    /* 1.2 is, but not with a cipher that lacks forward secrecy or authentication of the data. */
    assert_int_equal(SSL_CTX_set_max_proto_version(server->tls, TLS1_2_VERSION), 1);
    assert_int_equal(SSL_CTX_set_cipher_list(server->tls, "ECDHE-ECDSA-AES128-SHA"), 1);
    assert_int_equal(ask(server, false, ENOUGH_MS).result.fate, HTTP_TLS_REFUSED);
    assert_int_equal(SSL_CTX_set_cipher_list(server->tls, "ECDHE-ECDSA-AES128-GCM-SHA256"), 1);
    assert_int_equal(ask(server, false, ENOUGH_MS).result.fate, HTTP_ANSWERED);
    server_stop(server);
}

static void connections_are_used_again_but_not_for_what_must_go_once(void **state)
{
    struct server *server =
        server_start(WAY_BYTES, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    struct outcome o;

    (void)state;
    server->keep = true;
    o = ask(server, false, ENOUGH_MS);
    assert_false(o.result.reused);
    o = ask(server, false, ENOUGH_MS);
    assert_int_equal(o.result.fate, HTTP_ANSWERED);
    assert_true(o.result.reused);
    assert_int_equal(server->accepted, 1);
    close_http(NULL); /* the server takes one connection at a time */
    open_http(NULL);
    (void)ask(server, true, ENOUGH_MS);
    http_free(&http);
    open_http(NULL);
    o = ask(server, true, ENOUGH_MS);
    assert_false(o.result.reused);
    close_http(NULL);
    server_stop(server);
    open_http(NULL);
}

/* Offered in the handshake, taken where the service has it, one connection for all. */
static void http_2_is_spoken_where_it_is_offered(void **state)
{
    struct server *server = server_start(WAY_HTTP2, "");
    struct outcome o;

    (void)state;
    SSL_CTX_set_alpn_select_cb(server->tls, server_choose_h2, NULL);
    for (int i = 0; i < 3; i++) {
        o = ask(server, false, ENOUGH_MS);
        assert_int_equal(o.result.fate, HTTP_ANSWERED);
        assert_int_equal(o.result.status, 200);
        assert_string_equal(o.body, "{\"h\":2}");
        assert_int_equal(o.result.reused, i > 0);
    }
    assert_int_equal(server->accepted, 1);
    assert_int_equal(server->streams, 3);
    close_http(NULL); /* the server takes one connection at a time */
    server_stop(server);
    open_http(NULL);
}

static void only_https_is_spoken(void **state)
{
    static const char *const urls[] = {"http://127.0.0.1:1/", "file:///etc/passwd",
                                       "ftp://127.0.0.1/", "gopher://127.0.0.1:1/"};

    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct outcome o = ask_url(urls[i], false, ENOUGH_MS);

        assert_int_equal(o.result.fate, HTTP_LOCAL);
        assert_false(o.result.sent);
    }
}

static void nobody_there_is_unreachable(void **state)
{
    struct outcome o = ask_url("https://127.0.0.1:1/", false, ENOUGH_MS);

    (void)state;
    assert_int_equal(o.result.fate, HTTP_UNREACHABLE);
    assert_false(o.result.sent);
    o = ask_url("https://no-such-host.invalid/", false, 3000);
    assert_true(o.result.fate == HTTP_UNREACHABLE || o.result.fate == HTTP_SLOW);
    assert_false(o.result.sent);
}

static void header_values_cannot_say_more_headers(void **state)
{
    struct http_request request = {.url = "https://127.0.0.1:1/",
                                   .authorization = "a\r\nX-Evil: 1",
                                   .connect_us = CLOCK_SECOND,
                                   .deadline_us = clock_monotonic_us(clock_) + CLOCK_SECOND};
    struct http_exchange *exchange;

    (void)state;
    assert_int_equal(http_send(http, &request, take, NULL, &exchange), -EINVAL);
    assert_null(exchange);
}

static void a_cancelled_exchange_never_calls_back(void **state)
{
    struct server *server = server_start(WAY_HANG, "");
    struct http_request request = {.connect_us = 6 * CLOCK_SECOND,
                                   .deadline_us = clock_monotonic_us(clock_) + 6 * CLOCK_SECOND};
    struct http_exchange *exchange;
    struct outcome outcome = {.done = false};
    bool never = false;
    char url[64];

    (void)state;
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%u/x", server->port);
    request.url = url;
    assert_int_equal(http_send(http, &request, take, &outcome, &exchange), 0);
    assert_false(http_cancel(&exchange)); /* nothing has left yet */
    assert_null(exchange);
    assert_int_equal(http_send(http, &request, take, &outcome, &exchange), 0);
    for (int i = 0; i < 500 && server->requests == 0; i++)
        turn_until(&never, 10);
    assert_int_equal(server->requests, 1);
    assert_false(outcome.done);
    assert_true(http_cancel(&exchange)); /* it waits for the answer */
    turn_until(&never, 6500);            /* past the deadline */
    assert_false(outcome.done);
    server_stop(server);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_http, close_http)
    const struct CMUnitTest tests[] = {
        TEST(sends_what_it_says),
        TEST(every_bad_ending_has_its_name),
        TEST(compressed_bodies_are_not_unpacked),
        TEST(old_tls_is_not_spoken),
        TEST(connections_are_used_again_but_not_for_what_must_go_once),
        TEST(http_2_is_spoken_where_it_is_offered),
        TEST(only_https_is_spoken),
        TEST(nobody_there_is_unreachable),
        TEST(header_values_cannot_say_more_headers),
        TEST(a_cancelled_exchange_never_calls_back),
    };
    int failed;

    cmocka_set_test_filter(getenv("UKETSUKE_TEST"));
    if (http_setup() != 0)
        return 1;
    failed = cmocka_run_group_tests(tests, set_up, tear_down);
    curl_global_cleanup();
    return failed;
}
