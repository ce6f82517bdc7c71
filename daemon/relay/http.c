#include "http.h"

#include "../common/log.h"
#include "../common/memory.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define CONNECTIONS_MAX 8L
#define IDLE_SECONDS 55L /* then an open connection is not used again */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"

struct http {
    struct sd_event *loop;
    struct clock *clock;
    struct http_tls tls;
    CURLM *multi;
    struct timer *timer; /* curl's own wish for a turn */
    struct http_exchange *first;
};

struct http_exchange {
    struct http *http;
    struct http_exchange *next;
    CURL *easy;
    struct curl_slist *headers;
    struct timer *deadline;
    http_done_fn *done;
    void *arg;
    uint8_t *request; /* our copy of the body: curl's own would not be wiped */
    size_t request_len;
    uint8_t *body;
    size_t len;
    size_t size;
    size_t header_bytes;
    bool too_large;
    char error[CURL_ERROR_SIZE];
};

/* A socket of curl's on our loop. */
struct watch {
    struct http *http;
    sd_event_source *source;
};

static const struct {
    enum http_fate fate;
    const char *name;
} fates[] = {
    {HTTP_ANSWERED, "answered"},
    {HTTP_UNREACHABLE, "unreachable"},
    {HTTP_TLS_REFUSED, "tls refused"},
    {HTTP_BROKEN, "broken"},
    {HTTP_SLOW, "slow"},
    {HTTP_TOO_LARGE, "too large"},
    {HTTP_LOCAL, "local"},
};

const char *http_fate_name(enum http_fate fate)
{
    for (size_t i = 0; i < sizeof(fates) / sizeof(fates[0]); i++)
        if (fates[i].fate == fate)
            return fates[i].name;
    return "?";
}

/* curl's end of a transfer; what is not named here broke off. */
static const struct {
    CURLcode code;
    enum http_fate fate;
} endings[] = {
    {CURLE_OK, HTTP_ANSWERED},
    {CURLE_COULDNT_RESOLVE_HOST, HTTP_UNREACHABLE},
    {CURLE_COULDNT_CONNECT, HTTP_UNREACHABLE},
    {CURLE_INTERFACE_FAILED, HTTP_UNREACHABLE},
    {CURLE_SSL_CONNECT_ERROR, HTTP_UNREACHABLE},
    {CURLE_PEER_FAILED_VERIFICATION, HTTP_TLS_REFUSED},
    {CURLE_SSL_CERTPROBLEM, HTTP_TLS_REFUSED},
    {CURLE_SSL_CACERT_BADFILE, HTTP_TLS_REFUSED},
    {CURLE_SSL_CIPHER, HTTP_TLS_REFUSED},
    {CURLE_SSL_ISSUER_ERROR, HTTP_TLS_REFUSED},
    {CURLE_OPERATION_TIMEDOUT, HTTP_SLOW},
    {CURLE_FILESIZE_EXCEEDED, HTTP_TOO_LARGE},
    {CURLE_OUT_OF_MEMORY, HTTP_LOCAL},
    {CURLE_FAILED_INIT, HTTP_LOCAL},
    {CURLE_URL_MALFORMAT, HTTP_LOCAL},
    {CURLE_UNSUPPORTED_PROTOCOL, HTTP_LOCAL},
};

/*
 * The reason within OpenSSL's error number ("...error:0A00045C:SSL routines..."), 0 where there is
 * none. A connection reset in the handshake has no such number: that is a network's failure, not a
 * refusal. Layout of the number: library 20 (SSL) in bits 23..30, reason below (openssl/err.h
 * of 3.0); an alert received is 1000 + alert.
 */
static unsigned tls_reason(const char *text)
{
    const char *at = strstr(text, "error:");
    unsigned long number;

    if (at == NULL)
        return 0;
    number = strtoul(at + strlen("error:"), NULL, 16);
    return (number >> 23 & 0xff) == 20 ? (unsigned)(number & 0x7fffff) : 0;
}

/*
 * An alert by which the other side refuses our certificate or our offer (RFC 8446, 6.2). It acts upon no request
 * then; after any other alert (an internal error, say) nobody knows what it has done before.
 */
static bool is_refusal(unsigned reason)
{
    static const uint8_t alerts[] = {
        40,  /* handshake_failure */
        42,  /* bad_certificate */
        43,  /* unsupported_certificate */
        44,  /* certificate_revoked */
        45,  /* certificate_expired */
        46,  /* certificate_unknown */
        48,  /* unknown_ca */
        49,  /* access_denied */
        51,  /* decrypt_error: our signature does not fit our certificate */
        70,  /* protocol_version */
        71,  /* insufficient_security */
        116, /* certificate_required */
    };

    for (size_t i = 0; i < sizeof(alerts); i++)
        if (reason == 1000u + alerts[i])
            return true;
    return false;
}

static bool may_be_sent(CURL *easy)
{
    curl_off_t ready = 0;
    long bytes = 0;

    (void)curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &ready);
    (void)curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &bytes);
    return ready > 0 || bytes > 0;
}

static void describe(struct http_exchange *x, CURLcode code, struct http_result *result)
{
    long status = 0, connects = 0;

    memset(result, 0, sizeof(*result));
    result->code = (int)code;
    result->sent = may_be_sent(x->easy);
    (void)curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(x->easy, CURLINFO_NUM_CONNECTS, &connects);
    result->status = (int)status;
    result->reused = result->sent && connects == 0;
    result->body = x->body;
    result->len = x->len;
    result->fate = HTTP_BROKEN;
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
        if (endings[i].code == code)
            result->fate = endings[i].fate;
    if (result->fate == HTTP_ANSWERED)
        return;
    /* curl also says "unsupported" to an answer that is no HTTP: what was sent may have been acted
     * upon. */
    if (result->fate == HTTP_LOCAL && result->sent)
        result->fate = HTTP_BROKEN;
    if (x->too_large)
        result->fate = HTTP_TOO_LARGE;
    result->tls = tls_reason(x->error);
    /* In TLS 1.3 a client certificate is refused after our side has finished: seen as an alert
     * while reading. */
    if ((code == CURLE_SSL_CONNECT_ERROR && result->tls != 0) ||
        (status == 0 && is_refusal(result->tls)))
        result->fate = HTTP_TLS_REFUSED;
}

static void exchange_free(struct http_exchange *x)
{
    struct http_exchange **at = &x->http->first;

    while (*at != NULL && *at != x)
        at = &(*at)->next;
    if (*at == x)
        *at = x->next;
    timer_free(&x->deadline);
    if (x->easy != NULL) {
        (void)curl_multi_remove_handle(x->http->multi, x->easy);
        curl_easy_cleanup(x->easy);
    }
    for (struct curl_slist *h = x->headers; h != NULL; h = h->next)
        explicit_bzero(h->data, strlen(h->data));
    curl_slist_free_all(x->headers);
    if (x->request != NULL)
        explicit_bzero(x->request, x->request_len);
    free(x->request);
    if (x->body != NULL)
        explicit_bzero(x->body, x->size);
    free(x->body);
    free(x);
}

static void exchange_end(struct http_exchange *x, CURLcode code)
{
    http_done_fn *done = x->done;
    void *arg = x->arg;
    struct http_result result;

    describe(x, code, &result);
    /* Out of curl before the callback, so that it may send the next request over the same
     * connection. */
    (void)curl_multi_remove_handle(x->http->multi, x->easy);
    timer_stop(x->deadline);
    done(&result, arg);
    exchange_free(x);
}

static void collect(struct http *http)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
        char *private = NULL;
        CURLcode code = message->data.result;

        if (message->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        exchange_end((struct http_exchange *)(void *)private, code);
    }
}

static void act(struct http *http, curl_socket_t fd, int mask)
{
    int running;

    (void)curl_multi_socket_action(http->multi, fd, mask, &running);
    collect(http);
}

static int on_socket(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
    struct watch *watch = arg;
    int mask = 0;

    (void)source;
    if ((revents & EPOLLIN) != 0)
        mask |= CURL_CSELECT_IN;
    if ((revents & EPOLLOUT) != 0)
        mask |= CURL_CSELECT_OUT;
    if ((revents & (EPOLLERR | EPOLLHUP)) != 0)
        mask |= CURL_CSELECT_ERR;
    act(watch->http, fd, mask);
    return 0;
}

static void on_timer(struct timer *timer, void *arg)
{
    (void)timer;
    act(arg, CURL_SOCKET_TIMEOUT, 0);
}

/*
 * A callback that says no leaves libcurl 7.88 for dead, and in the list of that socket a transfer that it reads when it
 * is gone (tests/unit/test_short_relay.c saw it crash). Whoever cannot watch a socket has no memory either, or no
 * descriptors: the program is started again.
 */
_Noreturn static void unwatched(int error)
{
    log_event(LOG_LEVEL_ERROR, "a socket or timer cannot be watched: the program ends",
              LOG_ERRNO(error));
    _exit(MEMORY_STATUS);
}

static int want_timer(CURLM *multi, long ms, void *arg)
{
    struct http *http = arg;
    int r = 0;

    (void)multi;
    if (ms < 0)
        timer_stop(http->timer);
    else
        r = timer_set_after(http->timer, (uint64_t)ms * CLOCK_MS);
    if (r < 0)
        unwatched(r);
    return 0;
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct http *http = arg;
    struct watch *watch = socket_arg;
    uint32_t events =
        ((what & CURL_POLL_IN) != 0 ? EPOLLIN : 0u) | ((what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0u);
    int r;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL)
            sd_event_source_disable_unref(watch->source);
        free(watch);
        return 0;
    }
    if (watch != NULL) {
        r = sd_event_source_set_io_events(watch->source, events);
    } else {
        watch = memory_zeroed_or_end(1, sizeof(*watch));
        watch->http = http;
        r = sd_event_add_io(http->loop, &watch->source, fd, events, on_socket, watch);
        if (r >= 0)
            (void)curl_multi_assign(http->multi, fd, watch);
    }
    if (r < 0)
        unwatched(r);
    return 0;
}

static size_t take_header(char *data, size_t size, size_t n, void *arg)
{
    struct http_exchange *x = arg;

    (void)data;
    x->header_bytes += size * n;
    x->too_large = x->too_large || x->header_bytes > HTTP_HEADERS_MAX;
    return x->too_large ? 0 : size * n;
}

static bool body_reserve(struct http_exchange *x, size_t more)
{
    size_t size = x->size > 0 ? x->size : 16384;
    uint8_t *bigger;

    while (size - x->len < more)
        size *= 2;
    if (size == x->size)
        return true;
    /* Not realloc(): the old place holds a patient's data and is wiped. */
    bigger = malloc(size);
    if (bigger == NULL)
        return false;
    if (x->body != NULL) {
        memcpy(bigger, x->body, x->len);
        explicit_bzero(x->body, x->size);
        free(x->body);
    }
    x->body = bigger;
    x->size = size;
    return true;
}

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
    struct http_exchange *x = arg;

    n *= size;
    if (n > HTTP_BODY_MAX - x->len) {
        x->too_large = true;
        return 0;
    }
    if (!body_reserve(x, n))
        return 0;
    memcpy(x->body + x->len, data, n);
    x->len += n;
    return n;
}

static void on_deadline(struct timer *timer, void *arg)
{
    (void)timer;
    exchange_end(arg, CURLE_OPERATION_TIMEDOUT);
}

static int add_header(struct http_exchange *x, const char *name, const char *value)
{
    char line[8192];
    struct curl_slist *list;
    int n = snprintf(line, sizeof(line), "%s: %s", name, value);

    /* A value with a control character could say a header of its own. */
    for (const char *at = value; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            return -EINVAL;
    if (n < 0 || (size_t)n >= sizeof(line))
        return -EINVAL;
    list = curl_slist_append(x->headers, line);
    explicit_bzero(line, sizeof(line));
    if (list == NULL)
        return -ENOMEM;
    x->headers = list;
    return 0;
}

static int set_headers(struct http_exchange *x, const struct http_request *request)
{
    int error =
        add_header(x, "Accept", request->accept != NULL ? request->accept : "application/json");

    if (error == 0 && request->body != NULL)
        error = add_header(x, "Content-Type",
                           request->content_type != NULL ? request->content_type
                                                         : "application/json;charset=UTF-8");
    for (size_t i = 0; error == 0 && i < request->nheaders; i++)
        error = add_header(x, request->headers[i].name, request->headers[i].value);
    if (error == 0 && request->authorization != NULL)
        error = add_header(x, "Authorization", request->authorization);
    if (error == 0 && request->request_id != NULL)
        error = add_header(x, "X-Request-Id", request->request_id);
    /* No "100 Continue" round: a service that does not know it would cost a second. */
    if (error == 0)
        error = curl_slist_append(x->headers, "Expect:") != NULL ? 0 : -ENOMEM;
    return error;
}

static CURLcode set_tls(CURL *easy, const struct http_tls *tls)
{
    /* Nothing is written through the pointers: CURL_BLOB_NOCOPY keeps the key where it is. */
    struct curl_blob ca = {(void *)(uintptr_t)tls->ca, tls->ca_len, CURL_BLOB_NOCOPY};
    struct curl_blob certificate = {(void *)(uintptr_t)tls->certificate, tls->certificate_len,
                                    CURL_BLOB_NOCOPY};
    struct curl_blob key = {(void *)(uintptr_t)tls->key, tls->key_len, CURL_BLOB_NOCOPY};
    CURLcode r = curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);

    if (r == CURLE_OK)
        r = curl_easy_setopt(easy, CURLOPT_SSL_CIPHER_LIST, CIPHERS);
    if (r == CURLE_OK)
        r = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    if (r == CURLE_OK)
        r = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (r == CURLE_OK)
        r = curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &ca);
    /* Nobody else's authorities: Debian's curl would add its own bundle and directory. */
    if (r == CURLE_OK)
        r = curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
    if (r == CURLE_OK)
        r = curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    if (r == CURLE_OK && tls->certificate_len > 0)
        r = curl_easy_setopt(easy, CURLOPT_SSLCERT_BLOB, &certificate);
    if (r == CURLE_OK && tls->certificate_len > 0)
        r = curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, &key);
    return r;
}

#define SET(option, value)                                                                         \
    do {                                                                                           \
        CURLcode set_result = curl_easy_setopt(x->easy, option, value);                            \
        if (set_result != CURLE_OK)                                                                \
            return set_result;                                                                     \
    } while (0)

static CURLcode set_options(struct http_exchange *x, const struct http_request *request)
{
    SET(CURLOPT_PRIVATE, (char *)(void *)x);
    SET(CURLOPT_ERRORBUFFER, x->error);
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_PROTOCOLS_STR, request->cleartext ? "http" : "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L);
    SET(CURLOPT_USERAGENT, "uketsuke-relay");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(request->connect_us / CLOCK_MS));
    SET(CURLOPT_MAXAGE_CONN, IDLE_SECONDS);
    SET(CURLOPT_FRESH_CONNECT, request->once ? 1L : 0L);
    SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)HTTP_BODY_MAX);
    SET(CURLOPT_HEADERFUNCTION, take_header);
    SET(CURLOPT_HEADERDATA, x);
    SET(CURLOPT_WRITEFUNCTION, take_body);
    SET(CURLOPT_WRITEDATA, x);
    SET(CURLOPT_HTTPHEADER, x->headers);
    if (x->request != NULL) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->request_len);
        SET(CURLOPT_POSTFIELDS, x->request);
    } else {
        SET(CURLOPT_HTTPGET, 1L);
    }
    return request->cleartext ? CURLE_OK : set_tls(x->easy, &x->http->tls);
}

int http_send(struct http *http, const struct http_request *request, http_done_fn *done, void *arg,
              struct http_exchange **out)
{
    struct http_exchange *x = calloc(1, sizeof(*x));
    int error;

    *out = NULL;
    if (x == NULL)
        return -ENOMEM;
    x->http = http;
    x->done = done;
    x->arg = arg;
    x->next = http->first;
    http->first = x;
    error = set_headers(x, request);
    if (error != 0)
        goto fail;
    error = -ENOMEM;
    x->deadline = timer_new(http->clock, on_deadline, x);
    x->easy = curl_easy_init();
    if (x->deadline == NULL || x->easy == NULL)
        goto fail;
    if (request->body != NULL) {
        x->request = malloc(request->len + 1);
        if (x->request == NULL)
            goto fail;
        memcpy(x->request, request->body, request->len);
        x->request_len = request->len;
    }
    error = -EINVAL;
    if (set_options(x, request) != CURLE_OK)
        goto fail;
    error = timer_set_at(x->deadline, request->deadline_us);
    if (error < 0)
        goto fail;
    error = -EIO;
    if (curl_multi_add_handle(http->multi, x->easy) != CURLM_OK)
        goto fail;
    *out = x;
    return 0;
fail:
    exchange_free(x);
    return error;
}

bool http_cancel(struct http_exchange **exchange)
{
    bool sent;

    if (*exchange == NULL)
        return false;
    sent = may_be_sent((*exchange)->easy);
    exchange_free(*exchange);
    *exchange = NULL;
    return sent;
}

int http_setup(void)
{
    if (unsetenv("SSLKEYLOGFILE") != 0)
        return -EIO;
    return curl_global_init_mem(CURL_GLOBAL_DEFAULT, memory_or_end, free, memory_resized_or_end,
                                memory_text_or_end, memory_zeroed_or_end) == CURLE_OK
               ? 0
               : -EIO;
}

const struct cage_spec *http_cage(void)
{
    static const struct cage_path paths[] = {
        {.path = "/etc/resolv.conf", .optional = true},
        {.path = "/etc/hosts", .optional = true},
        {.path = "/etc/nsswitch.conf", .optional = true},
        {.path = "/etc/host.conf", .optional = true},
        {.path = "/etc/gai.conf", .optional = true},
    };
    static const struct cage_spec cage = {
        .calls = CAGE_INET | CAGE_THREADS | CAGE_FILES_READ | CAGE_ACCEPT | CAGE_FD_PASS,
        .paths = paths,
        .npaths = sizeof(paths) / sizeof(paths[0]),
    };

    return &cage;
}

int http_new(struct http **out, struct sd_event *loop, struct clock *clock,
             const struct http_tls *tls)
{
    struct http *http = calloc(1, sizeof(*http));

    *out = NULL;
    if (http == NULL)
        return -ENOMEM;
    http->loop = sd_event_ref(loop);
    http->clock = clock;
    http->tls = *tls;
    http->timer = timer_new(clock, on_timer, http);
    http->multi = curl_multi_init();
    if (http->timer == NULL || http->multi == NULL ||
        curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, want_socket) != CURLM_OK ||
        curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http) != CURLM_OK ||
        curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, want_timer) != CURLM_OK ||
        curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http) != CURLM_OK ||
        curl_multi_setopt(http->multi, CURLMOPT_MAX_HOST_CONNECTIONS, CONNECTIONS_MAX) !=
            CURLM_OK ||
        curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX) != CURLM_OK) {
        http_free(&http);
        return -ENOMEM;
    }
    *out = http;
    return 0;
}

void http_free(struct http **at)
{
    struct http *http = *at;

    if (http == NULL)
        return;
    *at = NULL;
    while (http->first != NULL)
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): each takes itself off the list */
        exchange_free(http->first);
    if (http->multi != NULL)
        (void)curl_multi_cleanup(http->multi);
    timer_free(&http->timer);
    sd_event_unref(http->loop);
    free(http);
}
