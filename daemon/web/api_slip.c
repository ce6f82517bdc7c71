/* Slips, who picks up, disaster mode: what staff note now and the desk settles later. For the board
 * only. */
#include "asking.h"
#include "body.h"
#include "json_view.h"
#include "server.h"
#include "visit.h"

#include <stdio.h>
#include <string.h>

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

static void body_fail(struct body *body, const char *field)
{
    if (body->wrong == NULL)
        body->wrong = field;
}

static void take_numbers(struct body *body, char insurer[9], char symbol[81], char number[81],
                         char branch[3])
{
    body_text(body, "insurer", insurer, 9);
    body_text(body, "symbol", symbol, 81);
    body_text(body, "number", number, 81);
    body_text(body, "branch", branch, 3);
}

/*
 * POST {"kind", "visit"?, "lane"?, "name", "kana", "birth", "sex", "address", "phone", "insured",
 * "numbers_unknown", "insurer", "symbol", "number", "branch", "ratio", "valid_from", "valid_until",
 * "consent", "note"}: what the kind needs; the desk names the field that is missing.
 */
void api_slip_file(struct web *web, struct request *request, struct call *call)
{
    struct msg_slip_file m = {.surface = (uint8_t)call->who.surface};
    char kind[32] = "", consent[16] = "not_asked";
    struct body body;
    int given;

    if (body_open(&body, request) < 0) {
        reply_problem(web, request, PROBLEM_BAD_REQUEST);
        return;
    }
    body_text(&body, "kind", kind, sizeof(kind));
    body_id(&body, "visit", &m.visit);
    body_u16(&body, "lane", &m.lane);
    body_text(&body, "name", m.name, sizeof(m.name));
    body_text(&body, "kana", m.kana, sizeof(m.kana));
    body_text(&body, "birth", m.birth, sizeof(m.birth));
    body_text(&body, "sex", m.sex, sizeof(m.sex));
    body_text(&body, "address", m.address, sizeof(m.address));
    body_text(&body, "phone", m.phone, sizeof(m.phone));
    body_text(&body, "insured", m.insured, sizeof(m.insured));
    body_flag(&body, "numbers_unknown", &m.numbers_unknown);
    take_numbers(&body, m.insurer, m.symbol, m.number, m.branch);
    body_text(&body, "ratio", m.ratio, sizeof(m.ratio));
    body_text(&body, "valid_from", m.valid_from, sizeof(m.valid_from));
    body_text(&body, "valid_until", m.valid_until, sizeof(m.valid_until));
    body_text(&body, "consent", consent, sizeof(consent));
    body_text(&body, "note", m.note, sizeof(m.note));
    m.kind = (uint8_t)visit_slip_kind_of(kind);
    given = json_slip_consent(consent);
    if (m.kind == SLIP_NONE)
        body_fail(&body, "kind");
    if (given < 0)
        body_fail(&body, "consent");
    if (body_check(&body) < 0) {
        reply_field(web, request, body.wrong);
    } else {
        m.consent = (uint8_t)given;
        memcpy(m.staff, call->who.name, sizeof(m.staff));
        asking_start(web, request, call, MSG_SLIP_FILE, &m, take_result);
    }
    body_close(&body);
    explicit_bzero(&m, sizeof(m));
}

/* POST {"what": "numbers", "insurer", "symbol", "number", "branch", "birth"?} or {"what": "settle",
 * "note"} */
void api_slip_amend(struct web *web, struct request *request, struct call *call)
{
    struct msg_slip_amend m = {.visit = call->visit, .surface = (uint8_t)call->who.surface};
    char what[16] = "";
    struct body body;

    if (body_open(&body, request) < 0) {
        reply_problem(web, request, PROBLEM_BAD_REQUEST);
        return;
    }
    body_text(&body, "what", what, sizeof(what));
    take_numbers(&body, m.insurer, m.symbol, m.number, m.branch);
    body_text(&body, "birth", m.birth, sizeof(m.birth));
    body_text(&body, "note", m.note, sizeof(m.note));
    if (strcmp(what, "numbers") == 0)
        m.what = SLIP_AMEND_NUMBERS;
    else if (strcmp(what, "settle") == 0)
        m.what = SLIP_AMEND_SETTLE;
    else
        body_fail(&body, "what");
    if (body_check(&body) < 0) {
        reply_field(web, request, body.wrong);
    } else {
        memcpy(m.staff, call->who.name, sizeof(m.staff));
        asking_start(web, request, call, MSG_SLIP_AMEND, &m, take_result);
    }
    body_close(&body);
    explicit_bzero(&m, sizeof(m));
}

static void take_slips(struct asking *asking, struct message *message, bool last)
{
    if (!last)
        (void)json_array_append_new(asking->items, json_slip(&message->body.slip_item));
    else
        reply_json(asking->request, 200,
                   json_pack("{s:O, s:b}", "slips", asking->items, "more",
                             message->body.slips_end.more != 0));
}

/* GET: those that still wait for somebody; ?all=1: every one; ?before=: as in api_visits(). */
void api_slips(struct web *web, struct request *request, struct call *call)
{
    const char *all = request_query(request, "all");
    int64_t before = 0;
    struct msg_slips_query query = {.open_only = all == NULL};

    if (all != NULL && strcmp(all, "1") != 0)
        reply_field(web, request, "all");
    else if (query_number(request, "before", INT64_MAX, &before) < 0)
        reply_field(web, request, "before");
    else {
        query.before = (uint64_t)before;
        asking_staff(query.staff, call);
        asking_start(web, request, call, MSG_SLIPS_QUERY, &query, take_slips);
    }
}

static void take_slip(struct asking *asking, struct message *message, bool last)
{
    if (!last)
        (void)json_array_append_new(asking->items, json_slip(&message->body.slip_item));
    else if (json_array_size(asking->items) == 0)
        reply_problem(asking->web, asking->request, PROBLEM_NOT_FOUND);
    else
        reply_json(asking->request, 200, json_incref(json_array_get(asking->items, 0)));
}

void api_visit_slip(struct web *web, struct request *request, struct call *call)
{
    struct msg_slips_query query = {.visit = call->visit};

    asking_staff(query.staff, call);
    asking_start(web, request, call, MSG_SLIPS_QUERY, &query, take_slip);
}

/* POST {"name", "relation"}: a pharmacy notes who picks up. */
void api_pick_up(struct web *web, struct request *request, struct call *call)
{
    struct msg_pick_up m = {.visit = call->visit, .surface = (uint8_t)call->who.surface};
    struct body body;

    if (body_open(&body, request) < 0) {
        reply_problem(web, request, PROBLEM_BAD_REQUEST);
        return;
    }
    body_text(&body, "name", m.name, sizeof(m.name));
    body_text(&body, "relation", m.relation, sizeof(m.relation));
    if (body_check(&body) < 0) {
        reply_field(web, request, body.wrong);
    } else {
        memcpy(m.staff, call->who.name, sizeof(m.staff));
        asking_start(web, request, call, MSG_PICK_UP, &m, take_result);
    }
    body_close(&body);
    explicit_bzero(&m, sizeof(m));
}

/* POST {"number", "same"?}: the visit's patient is the clinic's patient of that number (same false: is not). */
void api_patient(struct web *web, struct request *request, struct call *call)
{
    struct msg_patient_link m = {.visit = call->visit, .surface = (uint8_t)call->who.surface};
    uint8_t same = 1;
    struct body body;

    if (body_open(&body, request) < 0) {
        reply_problem(web, request, PROBLEM_BAD_REQUEST);
        return;
    }
    body_text(&body, "number", m.number, sizeof(m.number));
    body_flag(&body, "same", &same);
    if (body_check(&body) < 0) {
        reply_field(web, request, body.wrong);
    } else {
        m.what = same != 0 ? PATIENT_IS : PATIENT_IS_NOT;
        memcpy(m.staff, call->who.name, sizeof(m.staff));
        asking_start(web, request, call, MSG_PATIENT_LINK, &m, take_result);
    }
    body_close(&body);
    explicit_bzero(&m, sizeof(m));
}

void api_disaster(struct web *web, struct request *request, struct call *call)
{
    (void)call;
    if (desk_link_up(web->desk))
        reply_json(request, 200, json_disaster(desk_link_disaster(web->desk)));
    else
        reply_problem(web, request, PROBLEM_DESK_DOWN);
}

/* POST {"cause": "ministry" | "outage", "word", "until": seconds since 1970} or {"cause": "off"} */
void api_disaster_set(struct web *web, struct request *request, struct call *call)
{
    struct msg_disaster_set m = {.surface = (uint8_t)call->who.surface};
    char cause[16] = "";
    uint32_t until = 0;
    struct body body;
    int found;

    if (body_open(&body, request) < 0) {
        reply_problem(web, request, PROBLEM_BAD_REQUEST);
        return;
    }
    body_text(&body, "cause", cause, sizeof(cause));
    body_text(&body, "word", m.word, sizeof(m.word));
    body_u32(&body, "until", &until);
    found = json_disaster_cause(cause);
    if (found < 0)
        body_fail(&body, "cause");
    if (body_check(&body) < 0) {
        reply_field(web, request, body.wrong);
    } else {
        m.cause = (uint8_t)found;
        m.until = until;
        memcpy(m.staff, call->who.name, sizeof(m.staff));
        asking_start(web, request, call, MSG_DISASTER_SET, &m, take_result);
    }
    body_close(&body);
    explicit_bzero(&m, sizeof(m));
}
