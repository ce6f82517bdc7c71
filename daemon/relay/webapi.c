/*
 * The Web API: an id token from the authentication call, questions as JSON over HTTPS with mutual
 * TLS.
 *
 * A question goes: (wait for a token) -> under way -> answered, or rest a little and go again
 * (retry.h says when), or end with a failure. Its one timer is the end of the rest or of the
 * budget, whichever is nearer. While the breaker is open questions end at once, and the relay
 * itself looks whether the service is back.
 */
#include "upstream.h"

#include "../common/config_meaning.h"
#include "../common/log.h"
#include "../common/question.h"
#include "breaker.h"
#include "codec_json.h"
#include "credentials.h"
#include "login.h"
#include "verdict.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BREAKER_LIMIT 4
#define BREAKER_OPEN_US (3 * CLOCK_SECOND)
#define BREAKER_OPEN_MAX_US (30 * CLOCK_SECOND)

static const struct retry_policy policy = {
    .attempts = 4,
    .first_us = 300 * CLOCK_MS,
    .most_us = 2 * CLOCK_SECOND,
    .useful_us = 500 * CLOCK_MS,
};

/* Where each kind of question goes. */
static const struct {
    uint8_t kind;
    uint32_t capability;
    const char *extension; /* below extension-url; NULL: search-url */
} routes[] = {
    {UPSTREAM_BY_NUMBERS, CAPABILITY_BY_NUMBERS, NULL},
    {UPSTREAM_CARD_SESSION, CAPABILITY_CARD_SESSION, "card_session"},
    {UPSTREAM_REGISTER, CAPABILITY_REGISTER, "register"},
    {UPSTREAM_CONSENTS, CAPABILITY_CONSENTS, "consents"},
    {UPSTREAM_REFERENCE_NUMBER, CAPABILITY_REFERENCE_NUMBER, "reference_number"},
    {UPSTREAM_REFERENCE_BULK, CAPABILITY_BULK, "reference_bulk"},
    {UPSTREAM_BULK, CAPABILITY_BULK, "bulk"},
    {UPSTREAM_TICKETS, CAPABILITY_BULK, "tickets"},
    {UPSTREAM_DRUGS, CAPABILITY_DOCUMENTS, "drugs"},
    {UPSTREAM_CHECKUP, CAPABILITY_DOCUMENTS, "checkup"},
};

enum stage {
    STAGE_WAITING, /* for a token */
    STAGE_FLYING,
    STAGE_RESTING, /* before the next attempt */
    STAGE_ENDING,  /* the answer is told on the next turn of the loop */
};

struct webapi;

struct question {
    struct question *next;
    struct webapi *webapi;
    struct upstream_question asked;
    enum stage stage;
    char url[600];
    char *body;
    size_t body_len;
    struct http_exchange *exchange;
    struct timer *timer;
    uint64_t token_serial; /* the token that the last attempt used */
    bool renewed;          /* a 401 has been answered with a new token already */
    bool trial;            /* the breaker's one try */
    uint8_t attempts;
    struct upstream_answer end; /* STAGE_ENDING */
};

struct webapi {
    struct upstream upstream;
    struct upstream_setup setup;
    struct credentials credentials;
    struct http *http;
    struct login *login;
    struct breaker breaker;
    struct timer *again; /* the next login that is not on a question's behalf: a retry or the
                            breaker's probe */
    unsigned login_attempts;
    bool probing;          /* the login under way is the breaker's try */
    uint16_t last_failure; /* why the breaker opened */
    uint32_t capabilities;
    uint64_t connect_us;
    int64_t answered_at; /* realtime of the last whole answer, 0 never */
    size_t nquestions;
    struct question *first;
};

static struct webapi *webapi_of(struct upstream *upstream)
{
    return (struct webapi *)(void *)upstream; /* its first member */
}

static const char *text_of(const struct webapi *w, enum config_key key)
{
    return config_text(w->setup.config, key, w->setup.name);
}

static uint64_t now_us(const struct webapi *w)
{
    return clock_monotonic_us(w->setup.clock);
}

static void tell_change(struct webapi *w)
{
    w->setup.handlers.changed(w->setup.handlers.arg);
}

/* ---- a question's life ----------------------------------------------------------------------- */

static void question_free(struct question *q)
{
    struct question **at = &q->webapi->first;

    while (*at != NULL && *at != q)
        at = &(*at)->next;
    if (*at == q) {
        *at = q->next;
        q->webapi->nquestions--;
    }
    if (q->trial)
        breaker_abandon(&q->webapi->breaker);
    (void)http_cancel(&q->exchange);
    timer_free(&q->timer);
    xmlmsg_free(&q->asked.tree);
    if (q->body != NULL)
        explicit_bzero(q->body, q->body_len);
    free(q->body);
    explicit_bzero(q, sizeof(*q));
    free(q);
}

/* Tell the answer and forget the question. `q` is gone afterwards. */
static void finish(struct question *q, struct upstream_answer *answer)
{
    struct upstream_handlers handlers = q->webapi->setup.handlers;
    uint64_t id = q->asked.id;

    answer->attempts = q->attempts;
    question_free(q);
    (void)handlers.answered(handlers.arg, id, answer);
}

/* End it on the next turn of the loop: callers walk the list, or stand within ask(). */
static void end_soon(struct question *q, enum retry_outcome outcome, uint16_t failure,
                     uint16_t status)
{
    if (q->stage == STAGE_ENDING)
        return;
    q->stage = STAGE_ENDING;
    q->end = (struct upstream_answer){
        .outcome = (uint8_t)outcome, .failure = failure, .http_status = status};
    (void)timer_set_after(q->timer, 0);
}

static void end_waiting(struct webapi *w, enum retry_outcome outcome, uint16_t failure)
{
    for (struct question *q = w->first; q != NULL; q = q->next)
        if (q->stage == STAGE_WAITING || q->stage == STAGE_RESTING)
            end_soon(q, outcome, failure, 0);
}

/* ---- the breaker ----------------------------------------------------------------------------- */

static void breaker_changed(struct webapi *w)
{
    uint64_t left = breaker_left_us(&w->breaker, now_us(w));

    log_event(LOG_LEVEL_WARNING, "breaker", LOG_NUMBER("state", w->breaker.state),
              LOG_NUMBER("open_ms", left / CLOCK_MS), LOG_FAILURE(w->last_failure));
    if (w->breaker.state == BREAKER_OPEN) {
        (void)timer_set_after(w->again, left);
        end_waiting(w, RETRY_OUTCOME_NOT_SENT, w->last_failure);
    }
    tell_change(w);
}

static void upstream_failed(struct webapi *w, uint16_t failure, unsigned weight)
{
    enum breaker_state before = w->breaker.state;

    /* A refusal within TLS often shows as a mere reset; one that came through explains the others.
     */
    if (failure != FAILURE_ELIGIBILITY_UNREACHABLE ||
        w->last_failure != FAILURE_ELIGIBILITY_REFUSED)
        w->last_failure = failure;
    breaker_fail(&w->breaker, now_us(w), weight);
    if (w->breaker.state != before)
        breaker_changed(w);
}

static void upstream_alive(struct webapi *w)
{
    enum breaker_state before = w->breaker.state;

    breaker_succeed(&w->breaker);
    w->last_failure = FAILURE_NONE;
    w->answered_at = (int64_t)(clock_realtime_us(w->setup.clock) / CLOCK_SECOND);
    if (before != BREAKER_CLOSED)
        breaker_changed(w);
}

/* ---- sending --------------------------------------------------------------------------------- */

static void question_done(const struct http_result *result, void *arg);

static void fly(struct question *q)
{
    struct webapi *w = q->webapi;
    struct http_request request = {
        .url = q->url,
        .body = q->body,
        .len = q->body_len,
        .authorization = login_token(w->login),
        .request_id = q->asked.correlation[0] != '\0' ? q->asked.correlation : NULL,
        .connect_us = w->connect_us,
        .deadline_us = q->asked.deadline_us,
        .once = q->asked.writes,
    };
    int error;

    timer_stop(q->timer);
    q->token_serial = login_serial(w->login);
    error = http_send(w->http, &request, question_done, q, &q->exchange);
    if (error != 0) {
        log_event(LOG_LEVEL_ERROR, "cannot send", LOG_NUMBER("question", q->asked.id),
                  LOG_ERRNO(error));
        end_soon(q, RETRY_OUTCOME_NOT_SENT, FAILURE_ELIGIBILITY_UNREACHABLE, 0);
        return;
    }
    q->stage = STAGE_FLYING;
    q->attempts++;
}

/* With a token it flies; without it waits, and the login is begun. */
static void go(struct question *q)
{
    struct webapi *w = q->webapi;

    if (login_token(w->login) != NULL) {
        fly(q);
        return;
    }
    q->stage = STAGE_WAITING;
    (void)timer_set_at(q->timer, q->asked.deadline_us);
    /* A retry of the login that is set already comes in its own time. */
    if (timer_deadline(w->again) != CLOCK_NEVER)
        return;
    switch (login_start(w->login)) {
    case 0:
        break;
    case -EACCES:
        end_soon(q, RETRY_OUTCOME_REFUSED, FAILURE_ELIGIBILITY_REFUSED, 0);
        break;
    default:
        end_soon(q, RETRY_OUTCOME_NOT_SENT, FAILURE_ELIGIBILITY_UNREACHABLE, 0);
        break;
    }
}

static void question_timer(struct timer *timer, void *arg)
{
    struct question *q = arg;
    struct upstream_answer end;

    (void)timer;
    switch (q->stage) {
    case STAGE_RESTING:
        go(q);
        break;
    case STAGE_WAITING:
        end = (struct upstream_answer){.outcome = RETRY_OUTCOME_NOT_SENT,
                                       .failure = FAILURE_ELIGIBILITY_UNREACHABLE};
        finish(q, &end);
        break;
    case STAGE_ENDING:
        end = q->end;
        finish(q, &end);
        break;
    case STAGE_FLYING: /* the exchange has its own deadline */
        break;
    }
}

/* The consent that it was asked under has ended. */
static bool consent_over(const struct question *q)
{
    return q->asked.until != 0 &&
           (int64_t)(clock_realtime_us(q->webapi->setup.clock) / CLOCK_SECOND) >= q->asked.until;
}

/* An answer that names another institution or request than ours is not ours. */
static bool belongs(const struct xmlmsg *asked, const struct xmlmsg *answer)
{
    static const char *const paths[] = {"MessageHeader/MedicalInstitutionCode",
                                        "MessageHeader/ArbitraryFileIdentifier"};

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (xmlmsg_get(answer, paths[i])[0] != '\0' &&
            strcmp(xmlmsg_get(answer, paths[i]), xmlmsg_get(asked, paths[i])) != 0)
            return false;
    return true;
}

static void take_answer(struct question *q, const struct http_result *result)
{
    struct upstream_answer answer = {.http_status = (uint16_t)result->status};
    struct xmlmsg *tree = NULL;
    int error = codec_json_read(&tree, result->body, result->len);

    if (consent_over(q)) {
        answer.failure = FAILURE_ELIGIBILITY_CANNOT_ASK;
        answer.outcome = RETRY_OUTCOME_NOT_SENT;
    } else if (error == 0 && strcmp(xmlmsg_name(tree), "XmlMsg") == 0 &&
               belongs(q->asked.tree, tree)) {
        answer.tree = tree;
        answer.raw = result->body;
        answer.raw_len = result->len;
    } else {
        log_event(LOG_LEVEL_WARNING, "answer refused", LOG_NUMBER("question", q->asked.id),
                  LOG_NUMBER("bytes", result->len), LOG_NUMBER("well_formed", error == 0));
        answer.failure = FAILURE_ELIGIBILITY_GARBLED;
        answer.outcome = q->asked.writes ? RETRY_OUTCOME_DOUBTFUL : RETRY_OUTCOME_NOT_SENT;
    }
    finish(q, &answer);
    xmlmsg_free(&tree);
}

static void take_failure(struct question *q, const struct http_result *result,
                         const struct verdict *verdict)
{
    struct webapi *w = q->webapi;
    struct retry_verdict retry =
        retry_decide(&policy, &w->setup.random, q->asked.writes, verdict->ending, q->attempts,
                     clock_left_us(w->setup.clock, q->asked.deadline_us));
    struct upstream_answer end = {
        .outcome = (uint8_t)(verdict->refused ? RETRY_OUTCOME_REFUSED : retry.outcome),
        .failure = verdict->failure,
        .http_status = (uint16_t)result->status,
    };

    if (end.outcome == RETRY_OUTCOME_DOUBTFUL)
        end.failure = FAILURE_ELIGIBILITY_DOUBTFUL;
    if (verdict->final || !retry.again || w->breaker.state != BREAKER_CLOSED) {
        finish(q, &end);
        return;
    }
    q->stage = STAGE_RESTING;
    (void)timer_set_after(q->timer, retry.wait_us);
}

static void question_done(const struct http_result *result, void *arg)
{
    struct question *q = arg;
    struct webapi *w = q->webapi;
    struct verdict verdict = verdict_of(result);

    q->exchange = NULL;
    log_event(verdict.failure == FAILURE_NONE ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "asked",
              LOG_NUMBER("question", q->asked.id), LOG_NUMBER("kind", q->asked.kind),
              LOG_NAME("ended", http_fate_name(result->fate)), LOG_NUMBER("status", result->status),
              LOG_NUMBER("attempt", q->attempts), LOG_NUMBER("bytes", result->len),
              LOG_NUMBER("sent", result->sent), LOG_NUMBER("reused", result->reused),
              LOG_NUMBER("curl", result->code), LOG_NUMBER("tls", result->tls));
    q->trial = false; /* what it told the breaker follows */
    if (verdict.weight == 0)
        upstream_alive(w);
    else
        upstream_failed(w, verdict.failure, verdict.weight);
    if (verdict.failure == FAILURE_NONE) {
        take_answer(q, result);
    } else if (verdict.unauthorised && !q->renewed) {
        q->renewed = true;
        login_drop(w->login, q->token_serial);
        go(q);
    } else {
        take_failure(q, result, &verdict);
    }
}

/* ---- the login ------------------------------------------------------------------------------- */

static bool same_origin(const char *a, const char *b)
{
    size_t n = strlen("https://");

    n += strcspn(a + n, "/");
    return strncmp(a, b, n) == 0 && (b[n] == '/' || b[n] == '\0');
}

static void login_answered(struct webapi *w)
{
    bool probing = w->probing;

    w->probing = false;
    w->login_attempts = 0;
    timer_stop(w->again);
    /* Where search is another host, its own next question is the try that closes the breaker. */
    if (same_origin(text_of(w, CFG_upstream_AUTH_URL), text_of(w, CFG_upstream_SEARCH_URL)))
        upstream_alive(w);
    else if (probing)
        breaker_abandon(&w->breaker);
    for (struct question *q = w->first; q != NULL; q = q->next)
        if (q->stage == STAGE_WAITING)
            fly(q);
    tell_change(w);
}

static void login_failed(struct webapi *w, const struct http_result *result)
{
    struct verdict verdict = verdict_of(result);
    uint16_t failure =
        verdict.failure != FAILURE_NONE ? verdict.failure : FAILURE_ELIGIBILITY_GARBLED;

    w->probing = false;
    w->login_attempts++;
    upstream_failed(w, failure, verdict.weight > 0 ? verdict.weight : BREAKER_QUICK);
    if (w->breaker.state == BREAKER_CLOSED && login_token(w->login) == NULL)
        (void)timer_set_after(w->again,
                              retry_wait_us(&policy, &w->setup.random, w->login_attempts));
}

static void login_done(void *arg, enum login_result result, const struct http_result *http)
{
    struct webapi *w = arg;

    switch (result) {
    case LOGIN_READY:
        login_answered(w);
        break;
    case LOGIN_FAILED:
        login_failed(w, http);
        break;
    case LOGIN_REFUSED:
        /* It is there, but it does not want us: the login comes back by itself. */
        w->probing = false;
        upstream_alive(w);
        end_waiting(w, RETRY_OUTCOME_REFUSED, FAILURE_ELIGIBILITY_REFUSED);
        tell_change(w);
        break;
    }
}

/* A failed login again, or the breaker's time is over: look whether the service is back. */
static void again_timer(struct timer *timer, void *arg)
{
    struct webapi *w = arg;
    int error;

    (void)timer;
    if (breaker_state(&w->breaker, now_us(w)) != BREAKER_CLOSED) {
        if (!breaker_enter(&w->breaker, now_us(w)))
            return;
        w->probing = true;
    }
    error = login_start(w->login);
    if (error != 0 && w->probing) {
        w->probing = false;
        breaker_abandon(&w->breaker);
    }
    if (error != 0 && error != -EACCES)
        (void)timer_set_after(w->again, policy.most_us);
    tell_change(w);
}

/* ---- the contract ---------------------------------------------------------------------------- */

/* JSON clients pad the insurer's number with zeros where the XML layout has blanks. */
static int pad_insurer(struct xmlmsg *tree)
{
    static const char path[] = "MessageBody/QualificationConfirmSearchInfo/InsurerNumber";
    char number[32];
    size_t len = strlen(xmlmsg_get(tree, path));

    if (len == 0 || len >= sizeof(number))
        return 0;
    memcpy(number, xmlmsg_get(tree, path), len + 1);
    for (size_t i = 0; number[i] == ' '; i++)
        number[i] = '0';
    return xmlmsg_set(tree, path, number);
}

static int make_url(const struct webapi *w, uint8_t kind, char *out, size_t size,
                    uint32_t *capability)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        const char *base;
        int n;

        if (routes[i].kind != kind)
            continue;
        *capability = routes[i].capability;
        base = text_of(w, routes[i].extension != NULL ? CFG_upstream_EXTENSION_URL
                                                      : CFG_upstream_SEARCH_URL);
        n = snprintf(out, size, "%s%s%s", base, routes[i].extension != NULL ? "/" : "",
                     routes[i].extension != NULL ? routes[i].extension : "");
        return base[0] != '\0' && n > 0 && (size_t)n < size ? 0 : -EINVAL;
    }
    *capability = 0;
    return -EINVAL;
}

static int webapi_ask(struct upstream *upstream, struct upstream_question *asked)
{
    struct webapi *w = webapi_of(upstream);
    struct question *q = NULL;
    uint32_t capability;
    int error = -ENOBUFS;

    if (w->nquestions >= UPSTREAM_QUESTIONS_MAX)
        goto fail;
    error = -ENOMEM;
    q = calloc(1, sizeof(*q));
    if (q == NULL)
        goto fail;
    q->webapi = w;
    q->timer = timer_new(w->setup.clock, question_timer, q);
    if (q->timer == NULL || pad_insurer(asked->tree) != 0 ||
        codec_json_write(asked->tree, &q->body, &q->body_len) != 0)
        goto fail;
    q->asked = *asked;
    q->next = w->first;
    w->first = q;
    w->nquestions++;
    if (make_url(w, asked->kind, q->url, sizeof(q->url), &capability) != 0 ||
        (w->capabilities & capability) == 0 || consent_over(q)) {
        end_soon(q, RETRY_OUTCOME_NOT_SENT, FAILURE_ELIGIBILITY_CANNOT_ASK, 0);
        return 0;
    }
    if (!breaker_enter(&w->breaker, now_us(w))) {
        end_soon(q, RETRY_OUTCOME_NOT_SENT, w->last_failure, 0);
        return 0;
    }
    q->trial = w->breaker.state == BREAKER_HALF_OPEN;
    go(q);
    return 0;
fail:
    xmlmsg_free(&asked->tree);
    if (q != NULL)
        question_free(q);
    return error;
}

static bool webapi_cancel(struct upstream *upstream, uint64_t id)
{
    struct question *q = webapi_of(upstream)->first;

    while (q != NULL && q->asked.id != id)
        q = q->next;
    if (q == NULL)
        return true;
    if (q->asked.writes && q->stage == STAGE_FLYING)
        return false;
    question_free(q);
    return true;
}

static void webapi_state(struct upstream *upstream, struct upstream_state *out)
{
    struct webapi *w = webapi_of(upstream);

    memset(out, 0, sizeof(*out));
    out->capabilities = w->capabilities;
    out->breaker = (uint8_t)breaker_state(&w->breaker, now_us(w));
    out->retry_us = breaker_left_us(&w->breaker, now_us(w));
    out->certificate_until = w->credentials.certificate_until;
    out->ca_until = w->credentials.ca_until;
    if (out->breaker != BREAKER_CLOSED)
        out->failure = w->last_failure;
    if (login_held_us(w->login) > 0) {
        out->failure = FAILURE_ELIGIBILITY_REFUSED;
        out->retry_us = login_held_us(w->login);
    }
}

static const struct cage_spec *webapi_cage(struct upstream *upstream)
{
    (void)upstream;
    return http_cage();
}

static int webapi_start(struct upstream *upstream)
{
    return login_start(webapi_of(upstream)->login);
}

static void webapi_free(struct upstream **upstream)
{
    struct webapi *w = webapi_of(*upstream);

    *upstream = NULL;
    while (w->first != NULL)
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): each takes itself off the list */
        question_free(w->first);
    login_free(&w->login);
    http_free(&w->http);
    timer_free(&w->again);
    credentials_free(&w->credentials);
    free(w);
}

static void health_service(struct webapi *w, upstream_health_fn *item, void *arg)
{
    struct upstream_state state;
    char detail[200];
    char ago[48] = "no answer yet";
    int64_t now = (int64_t)(clock_realtime_us(w->setup.clock) / CLOCK_SECOND);

    webapi_state(&w->upstream, &state);
    if (w->answered_at != 0)
        (void)snprintf(ago, sizeof(ago), "last answer %lld s ago",
                       (long long)(now - w->answered_at));
    (void)snprintf(detail, sizeof(detail), "breaker %s, %s",
                   state.breaker == BREAKER_CLOSED ? "closed"
                   : state.breaker == BREAKER_OPEN ? "open"
                                                   : "half open",
                   ago);
    item(arg,
         state.breaker == BREAKER_OPEN                               ? 2
         : state.breaker == BREAKER_HALF_OPEN || w->answered_at == 0 ? 1
                                                                     : 0,
         state.failure, "upstream service", detail,
         state.breaker == BREAKER_CLOSED ? "" : failure_text(w->last_failure)->staff_ja);
}

static void health_token(struct webapi *w, upstream_health_fn *item, void *arg)
{
    uint64_t held = login_held_us(w->login);
    uint64_t renew = login_renew_us(w->login);
    char detail[200];

    if (login_token(w->login) == NULL) {
        (void)snprintf(detail, sizeof(detail),
                       held > 0 ? "refused, asked again in %llu s" : "none yet",
                       (unsigned long long)(held / CLOCK_SECOND));
        item(arg, held > 0 ? 2 : 1, held > 0 ? FAILURE_ELIGIBILITY_REFUSED : FAILURE_NONE,
             "upstream token", detail,
             held > 0 ? "利用者IDと合言葉を確かめて再起動します / check user id and password, then "
                        "restart"
                      : "");
        return;
    }
    if (renew == CLOCK_NEVER)
        (void)snprintf(detail, sizeof(detail), "there; its end is not known, renewed when refused");
    else
        (void)snprintf(detail, sizeof(detail), "there; renewed in %llu s",
                       (unsigned long long)(renew / CLOCK_SECOND));
    item(arg, 0, FAILURE_NONE, "upstream token", detail, "");
}

static void webapi_health(struct upstream *upstream, upstream_health_fn *item, void *arg)
{
    health_service(webapi_of(upstream), item, arg);
    health_token(webapi_of(upstream), item, arg);
}

/* ---- opening --------------------------------------------------------------------------------- */

static int webapi_open(struct upstream **out, const struct upstream_setup *setup)
{
    struct webapi *w = calloc(1, sizeof(*w));
    struct login_setup login;
    struct http_tls tls;
    int error;

    *out = NULL;
    if (w == NULL)
        return -ENOMEM;
    w->upstream.ops = &upstream_webapi;
    w->setup = *setup;
    w->connect_us =
        (uint64_t)config_number(setup->config, CFG_upstream_CONNECT_SECONDS, setup->name) *
        CLOCK_SECOND;
    breaker_init(&w->breaker, BREAKER_LIMIT, BREAKER_OPEN_US, BREAKER_OPEN_MAX_US);
    *out = &w->upstream;
    w->capabilities = config_bits(setup->config, CFG_upstream_CAPABILITIES, setup->name);
    error = credentials_load(&w->credentials, setup->config, setup->name);
    if (error != 0)
        goto fail;
    tls = credentials_tls(&w->credentials);
    error = http_new(&w->http, setup->loop, setup->clock, &tls);
    if (error != 0)
        goto fail;
    login = (struct login_setup){
        .http = w->http,
        .clock = setup->clock,
        .url = text_of(w, CFG_upstream_AUTH_URL),
        .user_field = text_of(w, CFG_upstream_USER_FIELD),
        .user = text_of(w, CFG_upstream_USER),
        .password_field = text_of(w, CFG_upstream_PASSWORD_FIELD),
        .password = (const char *)w->credentials.password.data,
        .token_seconds = config_number(setup->config, CFG_upstream_TOKEN_SECONDS, setup->name),
        .connect_us = w->connect_us,
    };
    error = login_new(&w->login, &login, login_done, w);
    if (error != 0)
        goto fail;
    error = -ENOMEM;
    w->again = timer_new(setup->clock, again_timer, w);
    if (w->again == NULL)
        goto fail;
    return 0;
fail:
    webapi_free(out);
    return error;
}

const struct upstream_kind_ops upstream_webapi = {
    .name = "web-api",
    .open = webapi_open,
    .cage = webapi_cage,
    .start = webapi_start,
    .ask = webapi_ask,
    .cancel = webapi_cancel,
    .state = webapi_state,
    .health = webapi_health,
    .free = webapi_free,
};
