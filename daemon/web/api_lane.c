/* Lanes: what a kiosk or a board sees of them and asks of them. */
#include "asking.h"
#include "body.h"
#include "clock.h"
#include "events.h"
#include "failure.h"
#include "json_view.h"
#include "server.h"
#include "visit.h"
#include "waiter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The desk has written down who looks, or says why not. */
static bool may_look(const struct asking *asking, const struct message *message)
{
    const struct msg_action_result *m = &message->body.action_result;

    if (m->accepted == 0)
        reply_failure(asking->request, 503, m->failure, asking->staff, "");
    return m->accepted != 0;
}

static json_t *as_the_board_sees_it(const struct web *web, const struct lane_mirror *lane)
{
    return json_lane_board(&lane->state, desk_link_left_ms(web->desk, lane));
}

static void take_lanes(struct asking *asking, struct message *message, bool last)
{
    const struct desk_link *desk = asking->web->desk;
    json_t *lanes;

    (void)last;
    if (!may_look(asking, message))
        return;
    lanes = json_array();
    for (size_t i = 0; desk_link_lane_at(desk, i) != NULL; i++)
        (void)json_array_append_new(lanes,
                                    as_the_board_sees_it(asking->web, desk_link_lane_at(desk, i)));
    reply_json(asking->request, 200, json_pack("{s:o}", "lanes", lanes));
}

void api_lanes(struct web *web, struct request *request, struct call *call)
{
    struct msg_view view = {.view = VIEW_LANES};

    if (!desk_link_up(web->desk)) {
        reply_problem(web, request, PROBLEM_DESK_DOWN);
        return;
    }
    asking_staff(view.staff, call);
    asking_start(web, request, call, MSG_VIEW, &view, take_lanes);
}

static void take_lane(struct asking *asking, struct message *message, bool last)
{
    const struct lane_mirror *lane = desk_link_lane(asking->web->desk, asking->lane);

    (void)last;
    if (!may_look(asking, message))
        return;
    if (lane == NULL)
        reply_problem(asking->web, asking->request, PROBLEM_NOT_FOUND);
    else
        reply_json(asking->request, 200, as_the_board_sees_it(asking->web, lane));
}

/* To the kiosk its own view, to staff the board's: which step it is, neither key nor picture. */
void api_lane(struct web *web, struct request *request, struct call *call)
{
    const struct lane_mirror *lane = desk_link_lane(web->desk, call->lane);
    struct msg_view view = {.view = VIEW_LANES};

    if (lane == NULL) {
        reply_problem(web, request,
                      desk_link_up(web->desk) ? PROBLEM_NOT_FOUND : PROBLEM_DESK_DOWN);
    } else if (call->who.surface == SURFACE_BOARD) {
        asking_staff(view.staff, call);
        asking_start(web, request, call, MSG_VIEW, &view, take_lane);
    } else {
        reply_json(request, 200, json_lane_kiosk(&lane->state, desk_link_left_ms(web->desk, lane)));
    }
}

static void take_result(struct asking *asking, struct message *message, bool last)
{
    const struct msg_action_result *m = &message->body.action_result;
    char visit[24];

    (void)last;
    if (m->accepted == 0) {
        reply_failure(asking->request, 409, m->failure, asking->staff, m->field);
        return;
    }
    (void)snprintf(visit, sizeof(visit), "%llu", (unsigned long long)m->visit);
    reply_json(asking->request, 200,
               json_pack("{s:b, s:o}", "accepted", 1, "visit",
                         m->visit != 0 ? json_string(visit) : json_null()));
}

/* POST {"visit", "step", "action", "sealed"?, "consents"?}: `step` is the one that offered the action. */
void api_lane_action(struct web *web, struct request *request, struct call *call)
{
    struct msg_lane_action m = {.lane = call->lane, .surface = (uint8_t)call->who.surface};
    char action[32] = "";
    struct body body;

    if (body_open(&body, request) < 0) {
        reply_problem(web, request, PROBLEM_BAD_REQUEST);
        return;
    }
    body_id(&body, "visit", &m.visit);
    body_u32(&body, "step", &m.step);
    body_text(&body, "action", action, sizeof(action));
    body_consents(&body, "consents", &m.consents);
    body_base64(&body, "sealed", m.sealed.data, sizeof(m.sealed.data), &m.sealed.len);
    m.action = (uint8_t)visit_action_of(action);
    if (body.wrong == NULL && m.action == ACTION_NONE)
        body.wrong = "action";
    if (body_check(&body) < 0) {
        reply_field(web, request, body.wrong);
    } else if (strchr(visit_action_who(m.action), (int)call->who.surface) == NULL) {
        reply_problem(web, request, PROBLEM_FORBIDDEN);
    } else {
        memcpy(m.staff, call->who.name, sizeof(m.staff));
        asking_start(web, request, call, MSG_LANE_ACTION, &m, take_result);
    }
    body_close(&body);
    explicit_bzero(&m, sizeof(m));
}

void api_lane_events(struct web *web, struct request *request, struct call *call)
{
    struct listener *listener = events_listen(web->events, request, call->lane, NULL);

    if (listener == NULL)
        reply_problem(web, request, PROBLEM_BUSY);
    else
        live_show_lane(web, listener, call->lane);
}

/* GET ?after=FRAME: the newest preview that is another one; 204 when none came for two seconds. */
void api_lane_preview(struct web *web, struct request *request, struct call *call)
{
    const char *text = request_query(request, "after");
    char *end = NULL;
    unsigned long after = text != NULL ? strtoul(text, &end, 10) : 0;

    if (text != NULL && (end == text || *end != '\0' || after > UINT32_MAX))
        reply_field(web, request, "after");
    else
        waiter_ask(web, request, call->lane, (uint32_t)after);
}

/* POST {"insurer", "symbol", "number", "branch", "birth", "limit_consent", "visit"?, "lane"?} */
void api_lookup(struct web *web, struct request *request, struct call *call)
{
    struct msg_lookup m = {.surface = (uint8_t)call->who.surface};
    struct body body;

    if (body_open(&body, request) < 0) {
        reply_problem(web, request, PROBLEM_BAD_REQUEST);
        return;
    }
    body_id(&body, "visit", &m.visit);
    body_u16(&body, "lane", &m.lane);
    body_text(&body, "insurer", m.insurer, sizeof(m.insurer));
    body_text(&body, "symbol", m.symbol, sizeof(m.symbol));
    body_text(&body, "number", m.number, sizeof(m.number));
    body_text(&body, "branch", m.branch, sizeof(m.branch));
    body_text(&body, "birth", m.birth, sizeof(m.birth));
    body_flag(&body, "limit_consent", &m.limit_consent);
    if (body_check(&body) < 0) {
        reply_field(web, request, body.wrong);
    } else {
        memcpy(m.staff, call->who.name, sizeof(m.staff));
        asking_start(web, request, call, MSG_LOOKUP, &m, take_result);
    }
    body_close(&body);
    explicit_bzero(&m, sizeof(m));
}
