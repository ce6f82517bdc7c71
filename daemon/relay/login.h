/*
 * login: the life of the Web API's id token: the authentication call, renewal before the end where
 * the end is known, again after a 401. One call at a time, however many wait for it.
 *
 * A refused password is not tried again and again (that locks accounts): after a refusal the next
 * call waits a minute, then twice as long each time, up to half an hour.
 */
#ifndef UKETSUKE_RELAY_LOGIN_H
#define UKETSUKE_RELAY_LOGIN_H

#include "../common/secret.h"
#include "http.h"

struct login;

struct login_setup {
    struct http *http;
    struct clock *clock;
    const char *url;
    const char *user_field;
    const char *user;
    const char *password_field;
    const char *password; /* in secret memory */
    int64_t token_seconds;
    uint64_t connect_us;
};

enum login_result {
    LOGIN_READY,   /* there is a token */
    LOGIN_FAILED,  /* the service could not be asked: login_start() again when it suits */
    LOGIN_REFUSED, /* it said no; held back for a while, then tried again by itself */
};

/* http: how the call ended, for the breaker and the log. */
typedef void login_done_fn(void *arg, enum login_result result, const struct http_result *http);

/* The texts are borrowed for the life of the login. */
int login_new(struct login **out, const struct login_setup *setup, login_done_fn *done, void *arg);
void login_free(struct login **login);

/* The token, NULL when there is none. Borrowed until the loop turns. */
const char *login_token(const struct login *login);
/* Begin a call unless one is under way. 0, -EACCES (held back after a refusal), another negative
 * errno. */
int login_start(struct login *login);
/* The service refused this token with 401: forget it, unless another has taken its place meanwhile.
 */
void login_drop(struct login *login, uint64_t serial);
/* Counts the tokens: which one a request used. */
uint64_t login_serial(const struct login *login);
/* Held back: how long still. Else 0. */
uint64_t login_held_us(const struct login *login);
/* How long until the next renewal; CLOCK_NEVER when the end is not known or there is no token. */
uint64_t login_renew_us(const struct login *login);

#endif
