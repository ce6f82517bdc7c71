/* What was handed over, and what waits for a decision. For the
 * board only. */
#include "asking.h"
#include "body.h"
#include "json_view.h"
#include "outbox.h"
#include "pages.h"
#include "server.h"

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

static void take_entries(struct asking *asking, struct message *message, bool last)
{
    if (!last)
        (void)json_array_append_new(asking->items, json_outbox(&message->body.outbox_item));
    else
        reply_json(asking->request, 200,
                   json_pack("{s:O, s:b}", "entries", asking->items, "more",
                             message->body.outbox_end.more != 0));
}

/* GET: what is not done; ?all=1: everything that is kept; ?before=: as in api_visits(). */
void api_outbox(struct web *web, struct request *request, struct call *call)
{
    const char *all = request_query(request, "all");
    int64_t before = 0;
    struct msg_outbox_query query = {.open_only = all == NULL};

    if (all != NULL && strcmp(all, "1") != 0)
        reply_field(web, request, "all");
    else if (query_number(request, "before", INT64_MAX, &before) < 0)
        reply_field(web, request, "before");
    else {
        query.before = (uint64_t)before;
        asking_staff(query.staff, call);
        asking_start(web, request, call, MSG_OUTBOX_QUERY, &query, take_entries);
    }
}

void api_visit_outbox(struct web *web, struct request *request, struct call *call)
{
    struct msg_outbox_query query = {.visit = call->visit};

    asking_staff(query.staff, call);
    asking_start(web, request, call, MSG_OUTBOX_QUERY, &query, take_entries);
}

/* POST {"what": "resend" | "arrived"} */
void api_outbox_decide(struct web *web, struct request *request, struct call *call)
{
    struct msg_outbox_decide m = {.entry = call->visit, .surface = (uint8_t)call->who.surface};
    char what[16] = "";
    struct body body;

    if (body_open(&body, request) < 0) {
        reply_problem(web, request, PROBLEM_BAD_REQUEST);
        return;
    }
    body_text(&body, "what", what, sizeof(what));
    if (strcmp(what, "resend") == 0)
        m.what = OUTBOX_RESEND;
    else if (strcmp(what, "arrived") == 0)
        m.what = OUTBOX_ARRIVED;
    else if (body.wrong == NULL)
        body.wrong = "what";
    if (body_check(&body) < 0) {
        reply_field(web, request, body.wrong);
    } else {
        memcpy(m.staff, call->who.name, sizeof(m.staff));
        asking_start(web, request, call, MSG_OUTBOX_DECIDE, &m, take_result);
    }
    body_close(&body);
}

/* What this API is, for programs (OpenAPI 3.1). */
void api_openapi(struct web *web, struct request *request, struct call *call)
{
    const struct page *page = pages_find(web->pages, "/openapi.json");

    (void)call;
    if (page == NULL)
        reply_problem(web, request, PROBLEM_NOT_FOUND);
    else
        server_reply_shared(request, 200, page->type, page->data, page->len, NULL, NULL);
}
