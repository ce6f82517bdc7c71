/* [output NAME] kind = hook and kind = orca: one HTTP request for each order, never repeated here.
 */
#include "breaker.h"
#include "codec_xml.h"
#include "handover_internal.h"
#include "hook.h"
#include "http.h"
#include "orca.h"

#include "../common/log.h"
#include "../common/secret.h"
#include "../common/service.h"
#include "../common/xmlmsg.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET_MAX 512
#define CA_MAX (1u << 20)
#define FAILURES_MAX 3
#define OPEN_US (5 * CLOCK_SECOND)
#define OPEN_MAX_US (2 * CLOCK_MINUTE)

struct sender {
    struct carrier_setup setup;
    const char *url;
    bool cleartext;
    uint64_t seconds_us;
    struct secret secret; /* the hook's key, or "Basic ..." */
    char *ca;
    size_t ca_len;
    struct codec_xml *codec; /* orca */
    struct orca_settings orca;
    struct http *http;
    struct http_exchange *exchange;
    struct msg_handover_give give; /* under way */
    struct breaker breaker;
    struct timer *timer; /* when the breaker is half open */
    uint16_t failure;
};

/* ---- how it ended ---------------------------------------------------------------------------- */

static void tell_state(struct sender *s, bool good, bool reached)
{
    uint64_t now = clock_monotonic_us(s->setup.clock);

    if (good || reached)
        breaker_succeed(&s->breaker);
    else
        breaker_fail(&s->breaker, now, BREAKER_QUICK);
    s->failure = good || reached ? FAILURE_NONE : FAILURE_HANDOVER_UNREACHABLE;
    if (breaker_state(&s->breaker, now) == BREAKER_OPEN)
        (void)timer_set_after(s->timer, breaker_left_us(&s->breaker, now));
    s->setup.changed(s->setup.arg);
}

static void on_timer(struct timer *timer, void *arg)
{
    struct sender *s = arg;

    (void)timer;
    s->setup.changed(s->setup.arg);
}

/* What is known of a request without a whole answer. */
static struct carrier_result no_answer(const struct http_result *r)
{
    bool refused = r->fate == HTTP_TLS_REFUSED;

    if (!r->sent || refused)
        return (struct carrier_result){.outcome = HANDOVER_NOT_SENT,
                                       .failure = FAILURE_HANDOVER_UNREACHABLE};
    return (struct carrier_result){.outcome = HANDOVER_DOUBTFUL,
                                   .failure = FAILURE_HANDOVER_DOUBTFUL};
}

/* The receiver acts upon a hook at least once, so what it may take later is doubtful only. */
static struct carrier_result read_hook(const struct http_result *r)
{
    static const int later[] = {408, 425, 429};

    if (r->status >= 200 && r->status < 300)
        return (struct carrier_result){.outcome = HANDOVER_DONE};
    for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
        if (r->status == later[i])
            return (struct carrier_result){.outcome = HANDOVER_NOT_SENT,
                                           .failure = FAILURE_HANDOVER_UNREACHABLE};
    if (r->status >= 500)
        return (struct carrier_result){.outcome = HANDOVER_DOUBTFUL,
                                       .failure = FAILURE_HANDOVER_DOUBTFUL};
    return (struct carrier_result){.outcome = HANDOVER_REFUSED,
                                   .failure = FAILURE_HANDOVER_REFUSED};
}

static struct carrier_result read_orca(struct sender *s, const struct http_result *r,
                                       char detail[129])
{
    struct carrier_result result = {.outcome = HANDOVER_DOUBTFUL,
                                    .failure = FAILURE_HANDOVER_DOUBTFUL};

    if (r->status >= 300 && r->status < 500)
        return (struct carrier_result){.outcome = HANDOVER_REFUSED,
                                       .failure = FAILURE_HANDOVER_REFUSED};
    if (r->status < 200 || r->status >= 300)
        return result;
    result.outcome = (uint8_t)orca_read(s->codec, &s->orca, r->body, r->len, detail);
    result.detail = detail;
    result.failure = result.outcome == HANDOVER_DONE       ? FAILURE_NONE
                     : result.outcome == HANDOVER_DOUBTFUL ? FAILURE_HANDOVER_DOUBTFUL
                     : result.outcome == HANDOVER_NOT_SENT ? FAILURE_HANDOVER_UNREACHABLE
                                                           : FAILURE_HANDOVER_REFUSED;
    return result;
}

static void on_done(const struct http_result *r, void *arg)
{
    struct sender *s = arg;
    char detail[129] = "";
    struct carrier_result result;

    s->exchange = NULL;
    if (r->fate != HTTP_ANSWERED)
        result = no_answer(r);
    else if (s->codec != NULL)
        result = read_orca(s, r, detail);
    else
        result = read_hook(r);
    if (r->fate == HTTP_ANSWERED && result.detail == NULL && result.outcome != HANDOVER_DONE) {
        (void)snprintf(detail, sizeof(detail), "HTTP %d", r->status);
        result.detail = detail;
    }
    result.http_status = (uint16_t)r->status;
    log_event(LOG_LEVEL_INFO, "request", LOG_NUMBER("entry", s->give.entry),
              LOG_NAME("fate", http_fate_name(r->fate)), LOG_NUMBER("sent", r->sent),
              LOG_NUMBER("status", r->status), LOG_NUMBER("code", r->code));
    tell_state(s, result.outcome == HANDOVER_DONE, r->fate == HTTP_ANSWERED && r->status < 500);
    s->setup.result(s->setup.arg, &s->give, &result);
    explicit_bzero(detail, sizeof(detail));
}

/* ---- one request ----------------------------------------------------------------------------- */

static int send_request(struct sender *s, const struct msg_handover_give *give, const char *body)
{
    char signature[HOOK_SIGNATURE_SIZE] = "";
    struct http_header headers[2];
    struct http_request request = {
        .url = s->url,
        .body = body,
        .len = strlen(body),
        .connect_us = s->seconds_us / 2,
        .deadline_us = clock_monotonic_us(s->setup.clock) + s->seconds_us,
        .once = true,
        .cleartext = s->cleartext,
        .headers = headers,
    };
    int error = 0;

    if (s->codec != NULL) {
        request.content_type = "application/xml";
        request.accept = "application/xml";
        request.authorization = s->secret.len > 0 ? (const char *)s->secret.data : NULL;
    } else {
        headers[request.nheaders++] = (struct http_header){"X-Uketsuke-Id", give->name};
        error = hook_sign(&s->secret, body, request.len, signature);
        headers[request.nheaders++] = (struct http_header){"X-Uketsuke-Signature", signature};
    }
    if (error == 0)
        error = http_send(s->http, &request, on_done, s, &s->exchange);
    return error;
}

static bool give_http(struct carrier *carrier, const struct msg_handover_give *give,
                      const struct carrier_data *data, struct carrier_result *at_once)
{
    struct sender *s = (void *)carrier;
    struct xmlmsg *tree = NULL;
    char *body = NULL;

    if (give->step != HANDOVER_SEND)
        return false;
    if (xmlmsg_unpack(&tree, data->tree, data->len) == 0)
        body = s->codec != NULL ? orca_request(&s->orca, tree) : hook_body(tree, give->name);
    xmlmsg_free(&tree);
    if (body == NULL) {
        *at_once =
            (struct carrier_result){.outcome = HANDOVER_REFUSED, .failure = FAILURE_HANDOVER_GONE};
        return true;
    }
    *at_once = (struct carrier_result){.outcome = HANDOVER_NOT_SENT,
                                       .failure = FAILURE_HANDOVER_UNREACHABLE};
    if (s->exchange == NULL && breaker_enter(&s->breaker, clock_monotonic_us(s->setup.clock))) {
        s->give = *give;
        if (send_request(s, give, body) == 0)
            at_once->outcome = HANDOVER_OUTCOME_COUNT;
        else
            breaker_abandon(&s->breaker);
    }
    explicit_bzero(body, strlen(body));
    free(body);
    return true;
}

/* ---- what the configuration says ------------------------------------------------------------- */

static int complain(const struct sender *s, const char *key, const char *ja, const char *en)
{
    (void)fprintf(stderr, "uketsuke-relay: [output %s] %s: %s / %s\n", s->setup.name, key, ja, en);
    return -EINVAL;
}

static ssize_t read_file(const char *path, void *data, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t used = 0;
    ssize_t n;

    if (fd < 0)
        return -errno;
    while ((n = read(fd, (char *)data + used, size - used)) > 0)
        used += (size_t)n;
    if (n < 0)
        n = -errno;
    (void)close(fd);
    return n < 0 ? n : used < size ? (ssize_t)used : -EFBIG;
}

/* From the file of the configuration, else the credential output-NAME.SUFFIX; without the newline
 * at its end. */
static int read_secret(const struct sender *s, enum config_key key, const char *suffix,
                       struct secret *out)
{
    const char *path = config_text(s->setup.config, key, s->setup.name);
    char credential[96];
    ssize_t n;
    int error;

    if (path[0] == '\0') {
        (void)snprintf(credential, sizeof(credential), "output-%s.%s", s->setup.name, suffix);
        error = service_credential(credential, out, SECRET_MAX);
    } else {
        error = secret_new(out, SECRET_MAX + 1);
        n = error == 0 ? read_file(path, out->data, out->size) : error;
        error = n < 0 ? (int)n : 0;
        out->len = n > 0 ? (size_t)n : 0;
    }
    while (error == 0 && out->len > 0 &&
           (out->data[out->len - 1] == '\n' || out->data[out->len - 1] == '\r'))
        out->len--;
    if (error != 0 || out->len == 0)
        return complain(
            s, config_row(key)->name, "ファイルも資格情報もないか、空です",
            "neither a file nor a credential of the supervisor is there, or it is empty");
    return 0;
}

/* "Basic " and base64 of user:password (RFC 7617), NUL-terminated. */
static int make_basic(struct sender *s)
{
    const char *user = config_text(s->setup.config, CFG_output_USER, s->setup.name);
    struct secret password = {0}, pair = {0};
    size_t users = strlen(user);
    int error;

    if (user[0] == '\0')
        return 0; /* who wants none */
    error = read_secret(s, CFG_output_PASSWORD_FILE, "password", &password);
    if (error == 0)
        error = secret_new(&pair, users + 1 + password.len);
    if (error == 0)
        error = secret_new(&s->secret, 6 + (pair.size + 2) / 3 * 4 + 1);
    if (error == 0) {
        memcpy(pair.data, user, users);
        pair.data[users] = ':';
        memcpy(pair.data + users + 1, password.data, password.len);
        memcpy(s->secret.data, "Basic ", 6);
        s->secret.len = 6 + (size_t)EVP_EncodeBlock(s->secret.data + 6, pair.data,
                                                    (int)(users + 1 + password.len));
    }
    secret_free(&pair);
    secret_free(&password);
    return error;
}

static void read_url(struct sender *s)
{
    static const char plain[] = "http://";

    s->url = config_text(s->setup.config, CFG_output_URL, s->setup.name);
    s->cleartext = strncmp(s->url, plain, sizeof(plain) - 1) == 0;
    if (s->cleartext && config_flag(s->setup.config, CFG_output_CLEARTEXT, s->setup.name))
        log_event(LOG_LEVEL_WARNING, "sent unencrypted, as the configuration allows");
}

static int read_ca(struct sender *s)
{
    const char *path = config_text(s->setup.config, CFG_output_CA, s->setup.name);
    X509 *certificate = NULL;
    BIO *text;
    ssize_t n;

    if (s->cleartext)
        return 0;
    s->ca = malloc(CA_MAX);
    n = s->ca != NULL ? read_file(path, s->ca, CA_MAX) : -ENOMEM;
    if (n <= 0)
        return complain(s, "ca", "読めません", "cannot be read");
    s->ca_len = (size_t)n;
    text = BIO_new_mem_buf(s->ca, (int)s->ca_len);
    if (text != NULL)
        certificate = PEM_read_bio_X509(text, NULL, NULL, (void *)(uintptr_t) "");
    BIO_free(text);
    if (certificate == NULL)
        return complain(s, "ca", "証明書(PEM)がありません", "holds no certificate in PEM");
    X509_free(certificate);
    return 0;
}

static struct sender *make_sender(const struct carrier_setup *setup)
{
    struct sender *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->setup = *setup;
    s->seconds_us =
        (uint64_t)config_number(setup->config, CFG_output_SECONDS, setup->name) * CLOCK_SECOND;
    breaker_init(&s->breaker, FAILURES_MAX, OPEN_US, OPEN_MAX_US);
    return s;
}

static int open_hook(struct carrier **out, const struct carrier_setup *setup)
{
    struct sender *s = make_sender(setup);
    int error;

    if (s == NULL)
        return -ENOMEM;
    *out = (struct carrier *)s;
    read_url(s);
    error = read_ca(s);
    return error == 0 ? read_secret(s, CFG_output_SECRET_FILE, "secret", &s->secret) : error;
}

static int open_orca(struct carrier **out, const struct carrier_setup *setup)
{
    struct sender *s = make_sender(setup);
    int error;

    if (s == NULL)
        return -ENOMEM;
    *out = (struct carrier *)s;
    s->orca = (struct orca_settings){
        .department = config_text(setup->config, CFG_output_DEPARTMENT, setup->name),
        .physician = config_text(setup->config, CFG_output_PHYSICIAN, setup->name),
        .medical = config_text(setup->config, CFG_output_MEDICAL_INFORMATION, setup->name),
        .accepted = config_text(setup->config, CFG_output_ACCEPTED_CODES, setup->name),
        .busy = config_text(setup->config, CFG_output_BUSY_CODES, setup->name),
    };
    s->codec = codec_xml_new();
    if (s->codec == NULL)
        return -ENOMEM;
    read_url(s);
    error = read_ca(s);
    return error == 0 ? make_basic(s) : error;
}

/* ---- life ------------------------------------------------------------------------------------ */

static int start_http(struct carrier *carrier)
{
    struct sender *s = (void *)carrier;
    const struct http_tls tls = {.ca = s->ca, .ca_len = s->ca_len};

    s->timer = timer_new(s->setup.clock, on_timer, s);
    return s->timer == NULL ? -ENOMEM : http_new(&s->http, s->setup.loop, s->setup.clock, &tls);
}

static const struct cage_spec *cage(const struct carrier *carrier)
{
    (void)carrier;
    return http_cage();
}

static void state(struct carrier *carrier, struct carrier_state *out)
{
    struct sender *s = (void *)carrier;
    uint64_t now = clock_monotonic_us(s->setup.clock);

    *out = (struct carrier_state){.breaker = (uint8_t)breaker_state(&s->breaker, now),
                                  .failure = s->failure,
                                  .retry_us = breaker_left_us(&s->breaker, now)};
}

static void free_http(struct carrier **at)
{
    struct sender *s = (void *)*at;

    if (s == NULL)
        return;
    *at = NULL;
    (void)http_cancel(&s->exchange);
    http_free(&s->http);
    timer_free(&s->timer);
    secret_free(&s->secret);
    codec_xml_free(&s->codec);
    free(s->ca);
    free(s);
}

const struct carrier_ops carrier_hook = {
    .kind = OUTBOX_HOOK,
    .open = open_hook,
    .start = start_http,
    .give = give_http,
    .cage = cage,
    .state = state,
    .free = free_http,
};

const struct carrier_ops carrier_orca = {
    .kind = OUTBOX_ORCA,
    .open = open_orca,
    .start = start_http,
    .give = give_http,
    .cage = cage,
    .state = state,
    .free = free_http,
};
