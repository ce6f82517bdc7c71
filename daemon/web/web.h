/*
 * web: what the rooms of this program share: the one place where desk, pages, sessions and server meet.
 */
#ifndef UKETSUKE_WEB_WEB_H
#define UKETSUKE_WEB_WEB_H

#include "guard.h"
#include "session.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct clock;
struct sd_event;
struct ipc;
struct listener;
struct desk_link;
struct events;
struct pages;
struct passwords;
struct request;
struct server;
struct timer;
struct voice;
struct waiter;

/* How the kiosk of a lane is set up; all 0: as the configuration has it by default. */
enum lane_voice { LANE_VOICE_OFF, LANE_VOICE_REQUEST, LANE_VOICE_ON };
struct lane_manner {
    enum lane_voice voice;
    bool shuffled; /* the digits of the PIN pad */
};

struct web {
    struct clock *clock;
    struct session *session;
    struct guard guard;
    struct pages *pages;
    struct passwords *passwords; /* NULL: the board has a token, no accounts */
    struct voice *voice;         /* may be NULL */
    struct lane_manner manners[SESSION_LANES_MAX + 1]; /* by lane */
    struct events *events;
    struct desk_link *desk;
    struct server *server;
    struct waiter *waiters; /* for the next preview */
    struct timer *look;     /* at the boards that are open */
    char *failures;         /* GET /api/failures, made once */
    size_t failures_len;
    uint64_t refused; /* requests turned away by guard, session or route */
    /* Answers the desk's HEALTH_QUERY (main). */
    void (*health)(struct ipc *ipc, uint32_t request, void *arg);
    void *health_arg;
};

/*
 * Everything but the session's tokens and the cage. `pages` is taken on success. `listen_fd` is taken in any case.
 * The health callback may be NULL. -EADDRNOTAVAIL when the socket is not on loopback.
 */
int web_start(struct web *web, struct sd_event *loop, struct clock *clock, struct session *session,
              struct pages *pages, int listen_fd, const char *desk_path);
void web_stop(struct web *web);

/* ---- route.c --------------------------------------------------------------------------------- */

/* What the router found out about a request (its context). */
struct call {
    const struct route *route;
    struct identity who; /* SURFACE_NONE: nobody in particular */
    uint16_t lane;       /* {lane} of the path */
    uint64_t visit;      /* {visit} of the path */
};

typedef void api_fn(struct web *web, struct request *request, struct call *call);

void route_head(struct request *request, void *web);
void route_complete(struct request *request, void *web);

/* Refusals that are no misfortune of a visit. */
enum problem {
    PROBLEM_BAD_REQUEST,
    PROBLEM_HOST,
    PROBLEM_ORIGIN,
    PROBLEM_UNAUTHORISED,
    PROBLEM_FORBIDDEN,
    PROBLEM_NOT_FOUND,
    PROBLEM_METHOD,
    PROBLEM_TOO_LARGE,
    PROBLEM_MEDIA_TYPE,
    PROBLEM_FIELD,
    PROBLEM_RATE,
    PROBLEM_DESK_DOWN,
    PROBLEM_DESK_SLOW,
    PROBLEM_BUSY,
    PROBLEM_COUNT
};
void reply_problem(struct web *web, struct request *request, enum problem problem);
/* The same with the name of the field that is wrong. */
void reply_field(struct web *web, struct request *request, const char *field);
/* A row of the failure table, in the words for the surface; `field` may be "". */
void reply_failure(struct request *request, unsigned status, uint16_t failure, bool staff,
                   const char *field);
/* Takes the reference. */
void reply_json(struct request *request, unsigned status, json_t *json);

/* ---- api_*.c: what the routes do ------------------------------------------------------------- */
api_fn api_sign_in, api_setup, api_session_touch, api_accounts, api_account_change, api_sessions,
    api_sessions_end;
api_fn api_session_make, api_session_show, api_session_end;
api_fn api_health, api_metrics, api_failures, api_devices, api_troubles;
api_fn api_lanes, api_lane, api_lane_action, api_lane_events, api_lane_preview;
api_fn api_visits, api_visit, api_visit_answer, api_board_events, api_lookup;
api_fn api_outbox, api_visit_outbox, api_outbox_decide, api_openapi;
api_fn api_slips, api_slip_file, api_visit_slip, api_slip_amend, api_pick_up, api_disaster,
    api_disaster_set, api_patient;

/* ---- live.c: what the desk tells, told on ---------------------------------------------------- */
extern const struct desk_link_events live_events;
/* A new board, or one that could not be shown anything yet: all of it, once the desk has written down who looks. */
void live_open_board(struct listener *listener, void *web);
/* Boards that are still open are told to the desk again and again, so that its log shows until when. */
#define LIVE_LOOK_US (30 * CLOCK_MINUTE)
void live_look(struct timer *timer, void *web);
/* The lanes as they are, to a listener (lane 0: a board). */
void live_show_lane(struct web *web, struct listener *listener, uint16_t lane);
/* Slips that wait for somebody and today's visits from the desk, then "ready", to a board by its number (0: to all). */
void live_show_visits(struct web *web, uint64_t listener);
/* The beginning of today on the host's clock, seconds since 1970. */
int64_t live_midnight(const struct web *web);

#endif
