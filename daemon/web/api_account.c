/*
 * Signing in with name, password and one-time code; the first setup with a code from the
 * administrator; the administrator's list of accounts and sessions.
 *
 * The order of an attempt: the desk says what it knows of the name (locks included), the password
 * is judged on its thread, the one-time code here, and then the desk counts how it went. Only its
 * word opens a session. An unknown name takes the same way, so that neither words nor time tell
 * which names there are.
 */
#include "account.h"
#include "asking.h"
#include "body.h"
#include "clock.h"
#include "failure.h"
#include "log.h"
#include "password.h"
#include "server.h"
#include "totp.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct attempt {
    struct web *web;
    struct request *request; /* NULL: the client has gone */
    uint32_t ticket;         /* of the question that is open, 0 none */
    bool setup, offer;       /* first setup; and only its secret is asked for */
    char name[65];
    char code[8]; /* one-time */
    char setup_code[40];
    struct secret password;
    uint8_t totp[TOTP_SECRET];
    struct msg_account account; /* what the desk knows */
    uint64_t step;              /* whose code it was; 0: none */
};

static void attempt_free(struct attempt *a)
{
    secret_free(&a->password);
    explicit_bzero(a, sizeof(*a));
    free(a);
}

static void on_gone(struct request *request, void *arg)
{
    struct attempt *a = arg;

    (void)request;
    if (a->ticket != 0)
        desk_link_forget(a->web->desk, a->ticket);
    passwords_forget(a->web->passwords, a);
    attempt_free(a);
}

static const struct request_hooks hooks = {.gone = on_gone};

/* The end of an attempt: replied by the caller. */
static void end_problem(struct attempt *a, enum problem problem)
{
    reply_problem(a->web, a->request, problem);
    attempt_free(a);
}

static void end_failure(struct attempt *a, uint16_t failure, uint32_t wait_s, const char *field)
{
    unsigned status = failure == FAILURE_ACCOUNT_LOCKED ? 429
                      : failure == FAILURE_DESK_STORE   ? 503
                      : field[0] != '\0'                ? 422
                                                        : 401;
    char wait[16];

    a->web->refused++;
    if (wait_s > 0) {
        (void)snprintf(wait, sizeof(wait), "%u", wait_s);
        request_add_header(a->request, "Retry-After", wait);
    }
    reply_failure(a->request, status, failure, true, field);
    attempt_free(a);
}

static void ask(struct attempt *a, uint16_t type, void *body, desk_answer_fn *answer)
{
    if (desk_link_ask(a->web->desk, type, body, answer, a, &a->ticket) < 0) {
        a->ticket = 0;
        end_problem(a, PROBLEM_DESK_DOWN);
    }
}

/* ---- the desk's word ------------------------------------------------------------------------- */

static void open_session(struct attempt *a, uint8_t role)
{
    char cookie[SESSION_COOKIE_MAX];
    struct identity who;

    if (session_begin(a->web->session, a->name, role, request_peer(a->request), &who) < 0 ||
        session_cookie_make(a->web->session, &who, cookie, sizeof(cookie)) < 0) {
        end_problem(a, PROBLEM_BUSY);
        return;
    }
    request_add_header(a->request, "Set-Cookie", cookie);
    explicit_bzero(cookie, sizeof(cookie));
    log_event(LOG_LEVEL_INFO, "signed in", LOG_NAME("surface", "board"));
    reply_json(a->request, 200,
               json_pack("{s:s, s:s, s:s}", "surface", "board", "name", who.name, "role",
                         account_role_name(role)));
    attempt_free(a);
}

static void on_counted(struct message *message, bool last, int error, void *arg)
{
    struct attempt *a = arg;
    const struct msg_account_result *m;

    (void)last;
    (void)error;
    a->ticket = 0;
    if (message == NULL) {
        end_problem(a, PROBLEM_DESK_DOWN);
        return;
    }
    m = &message->body.account_result;
    if (m->accepted == 0)
        end_failure(a, m->failure, m->locked_s, "");
    else
        open_session(a, a->account.role);
}

/* How it went, to the desk; the reply follows from its answer. */
static void count(struct attempt *a, bool good)
{
    struct msg_sign_in how = {.result = good ? SIGN_IN_GOOD : SIGN_IN_WRONG,
                              .totp_step = a->step,
                              .epoch = a->account.epoch};

    (void)MESSAGE_TEXT(how.name, a->name);
    ask(a, MSG_SIGN_IN, &how, on_counted);
}

static void on_verified(void *arg, bool good, const char *proof)
{
    struct attempt *a = arg;

    (void)proof;
    a->step = totp_match(a->account.totp.data, a->account.totp.len,
                         clock_realtime_us(a->web->clock) / CLOCK_SECOND, a->code);
    count(a, good && a->step != 0 && a->account.state == ACCOUNT_ACTIVE);
}

/* ---- first setup ----------------------------------------------------------------------------- */

static void on_set_up(struct message *message, bool last, int error, void *arg)
{
    struct attempt *a = arg;
    const struct msg_account_result *m;

    (void)last;
    (void)error;
    a->ticket = 0;
    if (message == NULL) {
        end_problem(a, PROBLEM_DESK_DOWN);
        return;
    }
    m = &message->body.account_result;
    if (m->accepted == 0) {
        end_failure(a, m->failure, m->locked_s, m->field);
        return;
    }
    reply_json(a->request, 200, json_pack("{s:b}", "ready", 1));
    attempt_free(a);
}

static void on_hashed(void *arg, bool good, const char *proof)
{
    struct attempt *a = arg;
    struct msg_account_change change = {.what = ACCOUNT_SET_UP, .epoch = a->account.epoch};

    if (!good || proof == NULL || MESSAGE_TEXT(change.proof, proof) < 0) {
        end_problem(a, PROBLEM_BUSY);
        return;
    }
    (void)MESSAGE_TEXT(change.name, a->name);
    (void)MESSAGE_TEXT(change.staff, a->name);
    memcpy(change.totp.data, a->totp, sizeof(a->totp));
    change.totp.len = sizeof(a->totp);
    ask(a, MSG_ACCOUNT_CHANGE, &change, on_set_up);
    explicit_bzero(&change, sizeof(change));
}

/* The secret goes to the page that holds the setup code, and comes back with a code made of it. */
static void offer_secret(struct attempt *a)
{
    char text[TOTP_TEXT_MAX], uri[400];

    if (RAND_bytes(a->totp, sizeof(a->totp)) != 1) {
        end_problem(a, PROBLEM_BUSY);
        return;
    }
    totp_text(a->totp, sizeof(a->totp), text);
    totp_uri(a->name, text, uri, sizeof(uri));
    reply_json(
        a->request, 200,
        json_pack("{s:s, s:s, s:i}", "secret", text, "uri", uri, "password_min", PASSWORD_MIN));
    explicit_bzero(uri, sizeof(uri));
    explicit_bzero(text, sizeof(text));
    attempt_free(a);
}

static void set_up(struct attempt *a)
{
    const char *wrong = NULL;
    uint64_t now = clock_realtime_us(a->web->clock) / CLOCK_SECOND;

    if (a->account.state != ACCOUNT_SETUP || !account_setup_fits(a->account.proof, a->setup_code)) {
        count(a, false);
        return;
    }
    if (a->offer) {
        offer_secret(a);
        return;
    }
    if (!password_will_do((const char *)a->password.data, a->password.len, a->name))
        wrong = "password";
    else if (totp_match(a->totp, sizeof(a->totp), now, a->code) == 0)
        wrong = "code";
    if (wrong != NULL)
        end_failure(a, FAILURE_LOOKUP_FORMAT, 0, wrong);
    else if (passwords_hash(a->web->passwords, &a->password, on_hashed, a) < 0)
        end_problem(a, PROBLEM_BUSY);
}

/* ---- what the desk knows --------------------------------------------------------------------- */

static void on_account(struct message *message, bool last, int error, void *arg)
{
    struct attempt *a = arg;

    (void)last;
    (void)error;
    a->ticket = 0;
    if (message == NULL) {
        end_problem(a, PROBLEM_DESK_DOWN);
        return;
    }
    a->account = message->body.account;
    explicit_bzero(&message->body.account, sizeof(message->body.account));
    if (a->account.locked_s > 0)
        end_failure(a, FAILURE_ACCOUNT_LOCKED, a->account.locked_s, "");
    else if (a->setup)
        set_up(a);
    else if (passwords_verify(a->web->passwords, &a->password,
                              a->account.found != 0 && a->account.state == ACCOUNT_ACTIVE
                                  ? a->account.proof
                                  : NULL,
                              on_verified, a) < 0)
        end_problem(a, PROBLEM_BUSY);
}

static void begin(struct attempt *a)
{
    struct msg_account_query query = {0};

    (void)MESSAGE_TEXT(query.name, a->name);
    server_keep(a->request, &hooks, a);
    ask(a, MSG_ACCOUNT_QUERY, &query, on_account);
}

/* NULL: replied. */
static struct attempt *attempt_new(struct web *web, struct request *request)
{
    struct attempt *a = NULL;

    if (request_header(request, "Origin", NULL) == NULL)
        reply_problem(web, request, PROBLEM_ORIGIN);
    else if (!session_has_accounts(web->session) || web->passwords == NULL)
        reply_problem(web, request, PROBLEM_NOT_FOUND);
    else if ((a = calloc(1, sizeof(*a))) == NULL || secret_new(&a->password, PASSWORD_MAX + 1) < 0)
        reply_problem(web, request, PROBLEM_BUSY);
    else {
        a->web = web;
        a->request = request;
        return a;
    }
    free(a);
    return NULL;
}

static void take_password(struct attempt *a, struct body *body)
{
    body_text(body, "password", (char *)a->password.data, PASSWORD_MAX + 1);
    a->password.len = strlen((const char *)a->password.data);
}

/* POST {"name", "password", "code"} */
void api_sign_in(struct web *web, struct request *request, struct call *call)
{
    struct attempt *a = attempt_new(web, request);
    struct body body;

    (void)call;
    if (a == NULL)
        return;
    if (body_open(&body, request) < 0) {
        end_problem(a, PROBLEM_BAD_REQUEST);
        return;
    }
    body_text(&body, "name", a->name, sizeof(a->name));
    body_text(&body, "code", a->code, sizeof(a->code));
    take_password(a, &body);
    if (body_check(&body) < 0 || a->name[0] == '\0' || a->password.len == 0) {
        reply_field(web, request,
                    body.wrong != NULL   ? body.wrong
                    : a->name[0] == '\0' ? "name"
                                         : "password");
        attempt_free(a);
    } else {
        begin(a);
    }
    body_close(&body);
}

/*
 * POST {"name", "setup"}: the secret for an authenticator app.
 * POST {"name", "setup", "secret", "password", "code"}: the account is ready when the code was made
 * of the secret.
 */
void api_setup(struct web *web, struct request *request, struct call *call)
{
    struct attempt *a = attempt_new(web, request);
    char secret[TOTP_TEXT_MAX + 16] = "";
    struct body body;
    int n;

    (void)call;
    if (a == NULL)
        return;
    if (body_open(&body, request) < 0) {
        end_problem(a, PROBLEM_BAD_REQUEST);
        return;
    }
    a->setup = true;
    body_text(&body, "name", a->name, sizeof(a->name));
    body_text(&body, "setup", a->setup_code, sizeof(a->setup_code));
    body_text(&body, "secret", secret, sizeof(secret));
    body_text(&body, "code", a->code, sizeof(a->code));
    take_password(a, &body);
    a->offer = secret[0] == '\0';
    n = a->offer ? (int)sizeof(a->totp) : totp_secret(secret, a->totp, sizeof(a->totp));
    if (body_check(&body) < 0 || a->name[0] == '\0' || n != sizeof(a->totp)) {
        reply_field(web, request,
                    body.wrong != NULL   ? body.wrong
                    : a->name[0] == '\0' ? "name"
                                         : "secret");
        attempt_free(a);
    } else {
        begin(a);
    }
    explicit_bzero(secret, sizeof(secret));
    body_close(&body);
}

/* POST: something was done by hand, so the board does not lock yet. */
void api_session_touch(struct web *web, struct request *request, struct call *call)
{
    session_touch(web->session, call->who.id);
    server_reply(request, 204, NULL, NULL, 0);
}

/* ---- the administrator ----------------------------------------------------------------------- */

static void take_accounts(struct asking *asking, struct message *message, bool last)
{
    const struct msg_account_item *m = &message->body.account_item;

    if (last) {
        reply_json(asking->request, 200, json_pack("{s:O}", "accounts", asking->items));
        return;
    }
    (void)json_array_append_new(
        asking->items, json_pack("{s:s, s:s, s:s, s:i, s:i, s:I}", "name", m->name, "role",
                                 account_role_name(m->role), "state", account_state_name(m->state),
                                 "failures", (int)m->failures, "locked_s", (int)m->locked_s,
                                 "changed", (json_int_t)m->changed));
}

void api_accounts(struct web *web, struct request *request, struct call *call)
{
    struct msg_accounts_query query = {0};

    (void)MESSAGE_TEXT(query.staff, call->who.name);
    asking_start(web, request, call, MSG_ACCOUNTS_QUERY, &query, take_accounts);
}

/* The setup code waits here for the desk's yes; it is in the reply and nowhere else. */
struct change {
    struct web *web;
    struct request *request;
    uint32_t ticket;
    char name[65];
    char code[ACCOUNT_CODE_LETTERS + 1];
};

static void change_free(struct change *c)
{
    explicit_bzero(c, sizeof(*c));
    free(c);
}

static void on_change_gone(struct request *request, void *arg)
{
    struct change *c = arg;

    (void)request;
    desk_link_forget(c->web->desk, c->ticket);
    change_free(c);
}

static const struct request_hooks change_hooks = {.gone = on_change_gone};

static void on_changed(struct message *message, bool last, int error, void *arg)
{
    struct change *c = arg;

    (void)last;
    (void)error;
    if (message == NULL) {
        reply_problem(c->web, c->request, PROBLEM_DESK_DOWN);
    } else if (message->body.account_result.accepted == 0) {
        reply_failure(c->request, 409, message->body.account_result.failure, true,
                      message->body.account_result.field);
    } else {
        session_end_of(c->web->session, c->name);
        reply_json(c->request, 200,
                   c->code[0] != '\0' ? json_pack("{s:s}", "setup", c->code) : json_object());
    }
    change_free(c);
}

/* POST {"what": "add" | "reset" | "role" | "disable" | "enable" | "remove", "name", "role"} */
void api_account_change(struct web *web, struct request *request, struct call *call)
{
    struct msg_account_change change = {0};
    char what[16] = "", role[16] = "";
    struct change *c = calloc(1, sizeof(*c));
    struct body body = {0};

    if (c == NULL || body_open(&body, request) < 0) {
        reply_problem(web, request, c == NULL ? PROBLEM_BUSY : PROBLEM_BAD_REQUEST);
        free(c);
        return;
    }
    body_text(&body, "what", what, sizeof(what));
    body_text(&body, "name", c->name, sizeof(c->name));
    body_text(&body, "role", role, sizeof(role));
    change.what = account_change_of(what);
    change.role = account_role_of(role);
    (void)MESSAGE_TEXT(change.name, c->name);
    (void)MESSAGE_TEXT(change.staff, call->who.name);
    if (body_check(&body) < 0 || change.what == 0) {
        reply_field(web, request, body.wrong != NULL ? body.wrong : "what");
        change_free(c);
    } else if ((change.what == ACCOUNT_NEW || change.what == ACCOUNT_RESET) &&
               account_setup_new(c->code, change.proof) < 0) {
        reply_problem(web, request, PROBLEM_BUSY);
        change_free(c);
    } else {
        c->web = web;
        c->request = request;
        if (desk_link_ask(web->desk, MSG_ACCOUNT_CHANGE, &change, on_changed, c, &c->ticket) < 0) {
            reply_problem(web, request, PROBLEM_DESK_DOWN);
            change_free(c);
        } else {
            server_keep(request, &change_hooks, c);
        }
    }
    body_close(&body);
}

static void add_session(const struct session_item *item, void *arg)
{
    char id[24];

    (void)snprintf(id, sizeof(id), "%llu", (unsigned long long)item->id);
    (void)json_array_append_new(arg,
                                json_pack("{s:s, s:s, s:s, s:i, s:i}", "id", id, "name", item->name,
                                          "role", account_role_name(item->role), "age_s",
                                          (int)item->age_s, "idle_s", (int)item->idle_s));
}

void api_sessions(struct web *web, struct request *request, struct call *call)
{
    json_t *sessions = json_array();

    (void)call;
    session_each(web->session, add_session, sessions);
    reply_json(request, 200, json_pack("{s:o}", "sessions", sessions));
}

/* DELETE: whoever sits there signs in again. */
void api_sessions_end(struct web *web, struct request *request, struct call *call)
{
    struct identity who = {.surface = SURFACE_BOARD, .id = call->visit};

    session_sign_out(web->session, &who);
    server_reply(request, 204, NULL, NULL, 0);
}
