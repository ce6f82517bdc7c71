/* Which path leads where, and who may go there. Every check that does not depend on the question
 * stands here. */
#include "failure.h"
#include "json_view.h"
#include "log.h"
#include "pages.h"
#include "server.h"
#include "voice.h"
#include "web.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum who {
    WHO_ANYONE, /* nothing of a patient, nothing that changes */
    WHO_TOKEN,  /* carries its token in the body */
    WHO_KIOSK,  /* the kiosk of the lane in the path */
    WHO_STAFF,
    WHO_KIOSK_OR_STAFF /* for changes: the surface named in X-Uketsuke */
};

/* Which accounts. */
enum {
    TOKEN = 1 << 0, /* the shared one, where nobody has an account */
    RECEPTION = 1 << 1,
    CLINICIAN = 1 << 2, /* and what is consented for treatment (json_view.h) */
    ADMINISTRATOR = 1 << 3,
    EVERYBODY = TOKEN | RECEPTION | CLINICIAN | ADMINISTRATOR,
    OVERSIGHT = TOKEN | ADMINISTRATOR,
};

struct route { /* NOLINT(clang-analyzer-optin.performance.Padding): in the order it is read */
    const char *method;
    const char *path;
    enum who who;
    api_fn *run;
    unsigned roles; /* 0: not asked */
};

static const struct route routes[] = {
    {"GET", "/api/health", WHO_ANYONE, api_health, 0},
    {"GET", "/metrics", WHO_ANYONE, api_metrics, 0},
    {"GET", "/api/failures", WHO_ANYONE, api_failures, 0},
    {"POST", "/api/session", WHO_TOKEN, api_session_make, 0},
    {"GET", "/api/session", WHO_ANYONE, api_session_show, 0},
    {"DELETE", "/api/session", WHO_ANYONE, api_session_end, 0},
    {"GET", "/api/lanes", WHO_STAFF, api_lanes, EVERYBODY},
    {"GET", "/api/lanes/{lane}", WHO_KIOSK_OR_STAFF, api_lane, EVERYBODY},
    {"POST", "/api/lanes/{lane}/actions", WHO_KIOSK_OR_STAFF, api_lane_action, EVERYBODY},
    {"GET", "/api/lanes/{lane}/events", WHO_KIOSK, api_lane_events, 0},
    {"GET", "/api/lanes/{lane}/preview", WHO_KIOSK, api_lane_preview, 0},
    {"GET", "/api/visits", WHO_STAFF, api_visits, EVERYBODY},
    {"GET", "/api/visits/{visit}", WHO_STAFF, api_visit, EVERYBODY},
    {"GET", "/api/visits/{visit}/answer", WHO_STAFF, api_visit_answer, EVERYBODY},
    {"GET", "/api/visits/{visit}/slip", WHO_STAFF, api_visit_slip, EVERYBODY},
    {"POST", "/api/visits/{visit}/slip", WHO_STAFF, api_slip_amend, EVERYBODY},
    {"POST", "/api/visits/{visit}/pick-up", WHO_STAFF, api_pick_up, EVERYBODY},
    {"POST", "/api/visits/{visit}/patient", WHO_STAFF, api_patient, EVERYBODY},
    {"GET", "/api/slips", WHO_STAFF, api_slips, EVERYBODY},
    {"POST", "/api/slips", WHO_STAFF, api_slip_file, EVERYBODY},
    {"GET", "/api/outbox", WHO_STAFF, api_outbox, EVERYBODY},
    {"POST", "/api/outbox/{visit}", WHO_STAFF, api_outbox_decide, EVERYBODY},
    {"GET", "/api/visits/{visit}/outbox", WHO_STAFF, api_visit_outbox, EVERYBODY},
    {"GET", "/api/openapi.json", WHO_ANYONE, api_openapi, 0},
    {"GET", "/api/disaster", WHO_STAFF, api_disaster, EVERYBODY},
    {"POST", "/api/disaster", WHO_STAFF, api_disaster_set, EVERYBODY},
    {"GET", "/api/events", WHO_STAFF, api_board_events, EVERYBODY},
    {"POST", "/api/lookup", WHO_STAFF, api_lookup, EVERYBODY},
    {"POST", "/api/sign-in", WHO_TOKEN, api_sign_in, 0},
    {"POST", "/api/setup", WHO_TOKEN, api_setup, 0},
    {"POST", "/api/session/touch", WHO_STAFF, api_session_touch, EVERYBODY},
    {"GET", "/api/accounts", WHO_STAFF, api_accounts, ADMINISTRATOR},
    {"POST", "/api/accounts", WHO_STAFF, api_account_change, ADMINISTRATOR},
    {"GET", "/api/sessions", WHO_STAFF, api_sessions, ADMINISTRATOR},
    {"DELETE", "/api/sessions/{visit}", WHO_STAFF, api_sessions_end, ADMINISTRATOR},
    {"GET", "/api/devices", WHO_STAFF, api_devices, EVERYBODY},
    {"GET", "/api/troubles", WHO_STAFF, api_troubles, OVERSIGHT},
};
#define ROUTES (sizeof(routes) / sizeof(routes[0]))

static const struct {
    unsigned status;
    const char *code;
    const char *ja;
    const char *en;
    const char *next; /* what the page does: reload, sign_in, wait, correct, none */
} problems[PROBLEM_COUNT] = {
    [PROBLEM_BAD_REQUEST] = {400, "W400", "要求の形が正しくありません。",
                             "The request is malformed.", "correct"},
    [PROBLEM_HOST] = {421, "W421", "このアドレスでは受け付けません。",
                      "Not served under this address.", "none"},
    [PROBLEM_ORIGIN] = {403, "W403", "ほかのページからの要求は受け付けません。",
                        "Requests of other pages are refused.", "none"},
    [PROBLEM_UNAUTHORISED] = {401, "W401", "この画面を開き直してください。",
                              "Please open this page anew.", "sign_in"},
    [PROBLEM_FORBIDDEN] = {403, "W404", "この操作は許されていません。",
                           "This is not allowed from here.", "none"},
    [PROBLEM_NOT_FOUND] = {404, "W405", "見つかりません。", "There is no such thing.", "none"},
    [PROBLEM_METHOD] = {405, "W406", "この方法では使えません。", "Not with this method.", "none"},
    [PROBLEM_TOO_LARGE] = {413, "W413", "要求が大きすぎます。", "The request is too large.",
                           "correct"},
    [PROBLEM_MEDIA_TYPE] = {415, "W415", "JSONで送ってください。", "Please send JSON.", "correct"},
    [PROBLEM_FIELD] = {422, "W422", "入力を確かめてください。", "Please check the entry.",
                       "correct"},
    [PROBLEM_RATE] = {429, "W429", "間違いが続いたため、しばらく待ってください。",
                      "Too many wrong attempts; please wait.", "wait"},
    [PROBLEM_DESK_DOWN] = {503, "W503", "受付の本体が止まっています。自動で再開します。",
                           "The desk is not running; it restarts by itself.", "wait"},
    [PROBLEM_DESK_SLOW] = {504, "W504", "受付の本体が時間内に応答しません。",
                           "The desk did not answer in time.", "wait"},
    [PROBLEM_BUSY] = {503, "W505", "混み合っています。少し待ってください。",
                      "Busy; please wait a moment.", "wait"},
};

void reply_json(struct request *request, unsigned status, json_t *json)
{
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;

    if (text == NULL) {
        server_reply(request, 500, "application/json", "{}", 2);
    } else {
        server_reply(request, status, "application/json", text, strlen(text));
        /* It may name a patient. */
        explicit_bzero(text, strlen(text));
        free(text);
    }
    json_decref(json);
}

static void reply_problem_field(struct web *web, struct request *request, enum problem problem,
                                const char *field)
{
    json_t *error =
        json_pack("{s:s, s:s, s:s, s:s}", "code", problems[problem].code, "ja",
                  problems[problem].ja, "en", problems[problem].en, "next", problems[problem].next);

    if (field != NULL)
        (void)json_object_set_new(error, "field", json_string(field));
    web->refused++;
    reply_json(request, problems[problem].status, json_pack("{s:o}", "error", error));
}

void reply_problem(struct web *web, struct request *request, enum problem problem)
{
    reply_problem_field(web, request, problem, NULL);
}

void reply_field(struct web *web, struct request *request, const char *field)
{
    reply_problem_field(web, request, PROBLEM_FIELD, field);
}

void reply_failure(struct request *request, unsigned status, uint16_t failure, bool staff,
                   const char *field)
{
    json_t *error = json_failure(failure, staff);

    if (json_is_null(error)) {
        json_decref(error);
        error = json_failure(FAILURE_DESK_BUSY, staff);
    }
    /* The kind of a failure says what comes next: retry, another way, staff... */
    (void)json_object_set(error, "next", json_object_get(error, "kind"));
    (void)json_object_del(error, "kind");
    if (field[0] != '\0')
        (void)json_object_set_new(error, "field", json_string(field));
    reply_json(request, status, json_pack("{s:o}", "error", error));
}

/* A number without sign, blank or leading zero up to `end` or a slash. */
static bool number(const char **at, uint64_t most, uint64_t *out)
{
    uint64_t v = 0;
    const char *p = *at;

    if (*p < '1' || *p > '9')
        return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');

        if (v > (most - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *at = p;
    *out = v;
    return true;
}

static bool match(const char *pattern, const char *path, struct call *call)
{
    uint64_t v;

    while (*pattern != '\0') {
        if (strncmp(pattern, "{lane}", 6) == 0) {
            if (!number(&path, UINT16_MAX, &v))
                return false;
            call->lane = (uint16_t)v;
            pattern += 6;
        } else if (strncmp(pattern, "{visit}", 7) == 0) {
            if (!number(&path, UINT64_MAX, &call->visit))
                return false;
            pattern += 7;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

static bool is_change(const struct request *request)
{
    return strcmp(request_method(request), "GET") != 0 &&
           strcmp(request_method(request), "HEAD") != 0;
}

/* The surface that the page says it is. */
static enum surface claimed(struct request *request)
{
    const char *value = request_header(request, "X-Uketsuke", NULL);

    if (value != NULL && strcmp(value, "kiosk") == 0)
        return SURFACE_KIOSK;
    if (value != NULL && strcmp(value, "board") == 0)
        return SURFACE_BOARD;
    return SURFACE_NONE;
}

static bool allowed(const struct route *route, const struct call *call, const struct identity *who)
{
    switch (route->who) {
    case WHO_KIOSK:
        return who->surface == SURFACE_KIOSK && who->lane == call->lane;
    case WHO_STAFF:
        return who->surface == SURFACE_BOARD;
    case WHO_KIOSK_OR_STAFF:
        return who->surface == SURFACE_BOARD ||
               (who->surface == SURFACE_KIOSK && who->lane == call->lane);
    case WHO_ANYONE:
    case WHO_TOKEN:
        return true;
    }
    return false;
}

/* A session of a token has no role: it may do all but what only accounts have. */
static bool role_may(const struct web *web, const struct call *call)
{
    unsigned role = session_has_accounts(web->session) ? 1u << call->who.role : TOKEN;

    return (call->route->roles & role) != 0;
}

/* By its token, sent with each request (programs). */
static bool authorise_bearer(struct web *web, struct request *request, struct call *call,
                             const char *header)
{
    static const char scheme[] = "Bearer ";
    enum surface surface = claimed(request);
    unsigned wait_s;
    int r;

    if (strncasecmp(header, scheme, sizeof(scheme) - 1) != 0) {
        reply_problem(web, request, PROBLEM_UNAUTHORISED);
        return false;
    }
    header += sizeof(scheme) - 1;
    r = session_check_token(web->session, request_peer(request), header, strlen(header), &call->who,
                            &wait_s);
    if (r == -EAGAIN) {
        char text[16];

        (void)snprintf(text, sizeof(text), "%u", wait_s);
        request_add_header(request, "Retry-After", text);
        reply_problem(web, request, PROBLEM_RATE);
        return false;
    }
    if (r < 0) {
        log_event(LOG_LEVEL_WARNING, "wrong token");
        reply_problem(web, request, PROBLEM_UNAUTHORISED);
        return false;
    }
    if (!allowed(call->route, call, &call->who) ||
        (call->who.surface == SURFACE_BOARD && !role_may(web, call)) ||
        (is_change(request) && surface != call->who.surface)) {
        reply_problem(web, request, PROBLEM_FORBIDDEN);
        return false;
    }
    return true;
}

/* By the cookie of its session (pages). */
static bool authorise_cookie(struct web *web, struct request *request, struct call *call)
{
    const char *cookies = request_header(request, "Cookie", NULL);
    enum surface surface = claimed(request);
    bool kiosk = call->route->who == WHO_KIOSK || call->route->who == WHO_KIOSK_OR_STAFF;
    bool staff = call->route->who == WHO_STAFF || call->route->who == WHO_KIOSK_OR_STAFF;

    /* One browser may hold both: the page says which one is acting. */
    if (surface == SURFACE_BOARD || (surface == SURFACE_NONE && is_change(request)))
        kiosk = false;
    if (surface == SURFACE_KIOSK)
        staff = false;
    if (is_change(request) && request_header(request, "Origin", NULL) == NULL) {
        reply_problem(web, request, PROBLEM_ORIGIN);
        return false;
    }
    if (kiosk &&
        session_cookie_check(web->session, cookies, SURFACE_KIOSK, call->lane, &call->who) == 0)
        return true;
    if (staff && session_cookie_check(web->session, cookies, SURFACE_BOARD, 0, &call->who) == 0) {
        if (!role_may(web, call)) {
            reply_problem(web, request, PROBLEM_FORBIDDEN);
            return false;
        }
        if (is_change(request))
            session_touch(web->session, call->who.id);
        return true;
    }
    reply_problem(web, request, PROBLEM_UNAUTHORISED);
    return false;
}

static bool from_our_pages(struct web *web, struct request *request)
{
    bool twice_host = false, twice_origin = false;
    const char *host = request_header(request, "Host", &twice_host);
    const char *origin = request_header(request, "Origin", &twice_origin);

    if (twice_host || !guard_host(&web->guard, host)) {
        reply_problem(web, request, PROBLEM_HOST);
        return false;
    }
    if (twice_origin || (origin != NULL && !guard_origin(&web->guard, origin))) {
        reply_problem(web, request, PROBLEM_ORIGIN);
        return false;
    }
    return true;
}

static bool change_in_order(struct web *web, struct request *request)
{
    const char *type = request_header(request, "Content-Type", NULL);
    bool post = strcmp(request_method(request), "POST") == 0;

    /* No other site can send this header without asking first, and we never say yes to such a
     * question. */
    if (claimed(request) == SURFACE_NONE) {
        reply_problem(web, request, PROBLEM_ORIGIN);
        return false;
    }
    if (post && (type == NULL || strncasecmp(type, "application/json", 16) != 0 ||
                 (type[16] != '\0' && type[16] != ';' && type[16] != ' '))) {
        reply_problem(web, request, PROBLEM_MEDIA_TYPE);
        return false;
    }
    return true;
}

static void serve_page(struct web *web, struct request *request)
{
    const struct page *page = pages_find(web->pages, request_path(request));

    if (page == NULL)
        page = voice_find(web->voice, request_path(request));
    if (page == NULL)
        reply_problem(web, request, PROBLEM_NOT_FOUND);
    else if (is_change(request))
        reply_problem(web, request, PROBLEM_METHOD);
    else
        server_reply_shared(request, 200, page->type, page->data, page->len, NULL, NULL);
}

static const struct route *find_route(const struct request *request, struct call *call,
                                      char *methods, size_t size)
{
    size_t used = 0;

    methods[0] = '\0';
    for (size_t i = 0; i < ROUTES; i++) {
        if (!match(routes[i].path, request_path(request), call))
            continue;
        if (strcmp(routes[i].method, request_method(request)) == 0)
            return &routes[i];
        used += (size_t)snprintf(methods + used, size - used, "%s%s", used > 0 ? ", " : "",
                                 routes[i].method);
    }
    return NULL;
}

void route_head(struct request *request, void *arg)
{
    struct web *web = arg;
    char methods[64];
    struct call *call;
    const char *bearer;

    if (!from_our_pages(web, request))
        return;
    if (request_body_too_long(request)) {
        reply_problem(web, request, PROBLEM_TOO_LARGE);
        return;
    }
    call = calloc(1, sizeof(*call));
    if (call == NULL) {
        reply_problem(web, request, PROBLEM_BUSY);
        return;
    }
    request_set_context(request, call);
    call->route = find_route(request, call, methods, sizeof(methods));
    if (call->route == NULL) {
        if (methods[0] == '\0') {
            serve_page(web, request);
        } else {
            request_add_header(request, "Allow", methods);
            reply_problem(web, request, PROBLEM_METHOD);
        }
        return;
    }
    if (!guard_fetch_site(request_header(request, "Sec-Fetch-Site", NULL))) {
        reply_problem(web, request, PROBLEM_ORIGIN);
        return;
    }
    if (is_change(request) && !change_in_order(web, request))
        return;
    if (call->route->who == WHO_ANYONE || call->route->who == WHO_TOKEN)
        return;
    bearer = request_header(request, "Authorization", NULL);
    if (bearer != NULL ? !authorise_bearer(web, request, call, bearer)
                       : !authorise_cookie(web, request, call))
        return;
    if (call->lane != 0 && !session_has_lane(web->session, call->lane))
        reply_problem(web, request, PROBLEM_NOT_FOUND);
}

void route_complete(struct request *request, void *arg)
{
    struct call *call = request_context(request);

    call->route->run(arg, request, call);
}
