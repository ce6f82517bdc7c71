#include "login.h"

#include "../common/log.h"
#include "codec_json.h"
#include "token.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define CALL_US (10 * CLOCK_SECOND)
#define TOKEN_MAX 8000
#define HOLD_FIRST (60 * CLOCK_SECOND)
#define HOLD_MOST (30 * CLOCK_MINUTE)
#define RENEW_AGAIN (10 * CLOCK_SECOND)

struct login {
    struct login_setup setup;
    login_done_fn *done;
    void *arg;
    struct http_exchange *call;
    struct timer *timer; /* renewal, or the end of being held back */
    struct secret token; /* NUL-terminated; len 0: none */
    uint64_t serial;
    uint64_t hold_us;       /* how long the next refusal holds back */
    uint64_t held_until_us; /* 0: not held back */
};

const char *login_token(const struct login *login)
{
    return login->token.len > 0 ? (const char *)login->token.data : NULL;
}

uint64_t login_serial(const struct login *login)
{
    return login->serial;
}

uint64_t login_held_us(const struct login *login)
{
    return login->held_until_us != 0 ? clock_left_us(login->setup.clock, login->held_until_us) : 0;
}

uint64_t login_renew_us(const struct login *login)
{
    uint64_t deadline = timer_deadline(login->timer);

    if (login->token.len == 0 || deadline == CLOCK_NEVER)
        return CLOCK_NEVER;
    return clock_left_us(login->setup.clock, deadline);
}

void login_drop(struct login *login, uint64_t serial)
{
    if (serial == login->serial)
        secret_wipe(&login->token);
}

/* The token goes into a header: visible ASCII only. */
static bool token_valid(const char *text)
{
    size_t len = text != NULL ? strlen(text) : 0;

    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return len > 0 && len <= TOKEN_MAX;
}

/* 0, -EACCES (a proper answer without a token: it says no in its own words), -EBADMSG. */
static int take_token(struct login *login, const struct http_result *result)
{
    json_t *json = NULL;
    const char *text;
    int error = codec_json_check_size(result->body, result->len);

    if (error != 0)
        return error;
    json = json_loadb((const char *)result->body, result->len, JSON_REJECT_DUPLICATES, NULL);
    text = json_string_value(json_object_get(json_object_get(json, "result"), "idToken"));
    error = json_is_object(json) && text == NULL ? -EACCES : -EBADMSG;
    if (token_valid(text)) {
        secret_wipe(&login->token);
        error = secret_set(&login->token, text, strlen(text) + 1);
    }
    json_decref(json);
    return error;
}

static void ready(struct login *login)
{
    uint64_t renew =
        token_renew_after_us((const char *)login->token.data, clock_realtime_us(login->setup.clock),
                             login->setup.token_seconds);

    login->serial++;
    login->hold_us = HOLD_FIRST;
    login->held_until_us = 0;
    if (renew == CLOCK_NEVER)
        timer_stop(login->timer);
    else
        (void)timer_set_after(login->timer, renew);
}

static void hold_back(struct login *login)
{
    login->held_until_us = clock_monotonic_us(login->setup.clock) + login->hold_us;
    (void)timer_set_at(login->timer, login->held_until_us);
    login->hold_us = login->hold_us > HOLD_MOST / 2 ? HOLD_MOST : login->hold_us * 2;
}

static enum login_result judge(struct login *login, const struct http_result *result)
{
    if (result->fate != HTTP_ANSWERED)
        return LOGIN_FAILED;
    if (result->status >= 400 && result->status < 500)
        return result->status == 408 || result->status == 429 ? LOGIN_FAILED : LOGIN_REFUSED;
    if (result->status != 200)
        return LOGIN_FAILED;
    switch (take_token(login, result)) {
    case 0:
        return LOGIN_READY;
    case -EACCES:
        return LOGIN_REFUSED;
    default:
        return LOGIN_FAILED;
    }
}

static void called(const struct http_result *result, void *arg)
{
    struct login *login = arg;
    enum login_result outcome = judge(login, result);

    login->call = NULL;
    if (outcome == LOGIN_REFUSED) {
        secret_wipe(&login->token);
        hold_back(login);
    } else if (outcome == LOGIN_READY) {
        ready(login);
    } else if (login->token.len > 0) {
        /* The old token may still be good: keep it and come back. */
        (void)timer_set_after(login->timer, RENEW_AGAIN);
    }
    log_event(outcome == LOGIN_READY ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "login",
              LOG_NAME("ended", http_fate_name(result->fate)), LOG_NUMBER("status", result->status),
              LOG_NUMBER("ready", outcome == LOGIN_READY), LOG_NUMBER("curl", result->code),
              LOG_NUMBER("tls", result->tls));
    login->done(login->arg, outcome, result);
}

static char *make_body(const struct login_setup *setup)
{
    json_t *json = json_pack("{s:s, s:s}", setup->user_field, setup->user, setup->password_field,
                             setup->password);
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;

    json_decref(json);
    return text;
}

int login_start(struct login *login)
{
    struct http_request request = {
        .url = login->setup.url,
        .connect_us = login->setup.connect_us,
        .deadline_us = clock_monotonic_us(login->setup.clock) + CALL_US,
    };
    char *body;
    int error;

    if (login->call != NULL)
        return 0;
    if (login_held_us(login) > 0)
        return -EACCES;
    login->held_until_us = 0;
    body = make_body(&login->setup);
    if (body == NULL)
        return -ENOMEM;
    request.body = body;
    request.len = strlen(body);
    error = http_send(login->setup.http, &request, called, login, &login->call);
    explicit_bzero(body, request.len);
    free(body);
    return error;
}

static void on_timer(struct timer *timer, void *arg)
{
    struct login *login = arg;

    (void)timer;
    login->held_until_us = 0;
    if (login_start(login) < 0)
        (void)timer_set_after(login->timer, RENEW_AGAIN);
}

int login_new(struct login **out, const struct login_setup *setup, login_done_fn *done, void *arg)
{
    struct login *login = calloc(1, sizeof(*login));
    int error;

    *out = NULL;
    if (login == NULL)
        return -ENOMEM;
    login->setup = *setup;
    login->done = done;
    login->arg = arg;
    login->hold_us = HOLD_FIRST;
    error = secret_new(&login->token, TOKEN_MAX + 1);
    if (error == 0) {
        login->timer = timer_new(setup->clock, on_timer, login);
        error = login->timer != NULL ? 0 : -ENOMEM;
    }
    if (error != 0) {
        login_free(&login);
        return error;
    }
    *out = login;
    return 0;
}

void login_free(struct login **at)
{
    struct login *login = *at;

    if (login == NULL)
        return;
    *at = NULL;
    (void)http_cancel(&login->call);
    timer_free(&login->timer);
    secret_free(&login->token);
    free(login);
}
