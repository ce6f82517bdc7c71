/* Signing in and out: a page exchanges its token for a cookie. */
#include "account.h"
#include "body.h"
#include "log.h"
#include "server.h"
#include "web.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The desk lets nobody without a name act or see, so no board is opened without one. */
static bool is_name(const char *name)
{
    while (*name == ' ' || *name == '\t' || strncmp(name, "\xe3\x80\x80", 3) == 0)
        name += (unsigned char)*name == 0xe3 ? 3 : 1;
    return *name != '\0';
}

static json_t *describe(const struct identity *who)
{
    if (who->surface == SURFACE_KIOSK)
        return json_pack("{s:s, s:i}", "surface", "kiosk", "lane", (int)who->lane);
    if (who->role != ROLE_NONE)
        return json_pack("{s:s, s:s, s:s}", "surface", "board", "name", who->name, "role",
                         account_role_name(who->role));
    return json_pack("{s:s, s:s}", "surface", "board", "name", who->name);
}

/* POST {"token": "...", "name": "..."}: the name is staff's own word, for the audit log. */
void api_session_make(struct web *web, struct request *request, struct call *call)
{
    char token[SESSION_TOKEN_MAX + 1] = "", name[SESSION_NAME_MAX + 1] = "",
                                   cookie[SESSION_COOKIE_MAX], wait[16];
    struct identity who;
    struct body body;
    unsigned wait_s = 0;
    int r;

    (void)call;
    if (body_open(&body, request) < 0) {
        reply_problem(web, request, PROBLEM_BAD_REQUEST);
        return;
    }
    body_text(&body, "token", token, sizeof(token));
    body_text(&body, "name", name, sizeof(name));
    if (body_check(&body) < 0) {
        reply_field(web, request, body.wrong);
        goto out;
    }
    r = session_check_token(web->session, request_peer(request), token, strlen(token), &who,
                            &wait_s);
    if (r == -EAGAIN) {
        (void)snprintf(wait, sizeof(wait), "%u", wait_s);
        request_add_header(request, "Retry-After", wait);
        reply_problem(web, request, PROBLEM_RATE);
        goto out;
    }
    if (r < 0) {
        log_event(LOG_LEVEL_WARNING, "wrong token");
        reply_problem(web, request, PROBLEM_UNAUTHORISED);
        goto out;
    }
    if (who.surface == SURFACE_BOARD && !is_name(name)) {
        reply_field(web, request, "name");
        goto out;
    }
    if (who.surface == SURFACE_BOARD)
        memcpy(who.name, name, sizeof(who.name));
    if (session_cookie_make(web->session, &who, cookie, sizeof(cookie)) < 0) {
        reply_problem(web, request, PROBLEM_BUSY);
        goto out;
    }
    request_add_header(request, "Set-Cookie", cookie);
    explicit_bzero(cookie, sizeof(cookie));
    log_event(LOG_LEVEL_INFO, "signed in",
              LOG_NAME("surface", who.surface == SURFACE_BOARD ? "board" : "kiosk"),
              LOG_NUMBER("lane", who.lane));
    reply_json(request, 200, describe(&who));
out:
    explicit_bzero(token, sizeof(token));
    body_close(&body);
}

/* Every session that the browser holds. */
void api_session_show(struct web *web, struct request *request, struct call *call)
{
    const char *cookies = request_header(request, "Cookie", NULL);
    json_t *sessions = json_array();
    struct identity who;

    (void)call;
    if (session_cookie_check(web->session, cookies, SURFACE_BOARD, 0, &who) == 0)
        (void)json_array_append_new(sessions, describe(&who));
    for (uint16_t lane = 1; lane <= SESSION_LANES_MAX; lane++)
        if (session_cookie_check(web->session, cookies, SURFACE_KIOSK, lane, &who) == 0)
            (void)json_array_append_new(sessions, describe(&who));
    reply_json(request, 200,
               json_pack("{s:o, s:b}", "sessions", sessions, "accounts",
                         session_has_accounts(web->session)));
}

/* The board signs out (X-Uketsuke says which surface). A kiosk stays: it has no person to sign out.
 */
void api_session_end(struct web *web, struct request *request, struct call *call)
{
    const char *cookies = request_header(request, "Cookie", NULL);
    char clear[128];
    struct identity who;

    (void)call;
    if (request_header(request, "Origin", NULL) == NULL) {
        reply_problem(web, request, PROBLEM_ORIGIN);
        return;
    }
    if (session_cookie_check(web->session, cookies, SURFACE_BOARD, 0, &who) < 0) {
        reply_problem(web, request, PROBLEM_UNAUTHORISED);
        return;
    }
    session_sign_out(web->session, &who);
    if (session_cookie_clear(&who, clear, sizeof(clear)) == 0)
        request_add_header(request, "Set-Cookie", clear);
    server_reply(request, 204, NULL, NULL, 0);
}
