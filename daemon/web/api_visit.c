/* Visits: for the board only. */
#include "account.h"
#include "asking.h"
#include "body.h"
#include "events.h"
#include "failure.h"
#include "ipc.h"
#include "json_view.h"
#include "server.h"
#include "visit.h"
#include "xmlmsg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void take_visits(struct asking *asking, struct message *message, bool last)
{
    if (!last)
        (void)json_array_append_new(asking->items, json_visit(&message->body.visit_item));
    else
        reply_json(asking->request, 200,
                   json_pack("{s:O, s:b}", "visits", asking->items, "more",
                             message->body.visits_end.more != 0));
}

/*
 * GET ?since=&until=&limit=&before=: seconds since 1970; today without. Newest first; "more" says that older ones are to
 * be asked for by `before`, the number of the last.
 */
void api_visits(struct web *web, struct request *request, struct call *call)
{
    struct msg_visits_query query = {0};
    int64_t since = live_midnight(web), until = 0, limit = LIST_PAGE, before = 0;

    if (query_number(request, "since", INT64_MAX, &since) < 0)
        reply_field(web, request, "since");
    else if (query_number(request, "until", INT64_MAX, &until) < 0)
        reply_field(web, request, "until");
    else if (query_number(request, "limit", LIST_PAGE, &limit) < 0 || limit == 0)
        reply_field(web, request, "limit");
    else if (query_number(request, "before", INT64_MAX, &before) < 0)
        reply_field(web, request, "before");
    else {
        query.since = since;
        query.until = until;
        query.limit = (uint32_t)limit;
        query.before = (uint64_t)before;
        asking_staff(query.staff, call);
        asking_start(web, request, call, MSG_VISITS_QUERY, &query, take_visits);
    }
}

static void take_visit(struct asking *asking, struct message *message, bool last)
{
    if (!last) {
        if (message->body.visit_item.visit == asking->visit)
            (void)json_array_append_new(asking->items, json_visit(&message->body.visit_item));
        return;
    }
    if (json_array_size(asking->items) == 0)
        reply_problem(asking->web, asking->request, PROBLEM_NOT_FOUND);
    else
        reply_json(asking->request, 200, json_incref(json_array_get(asking->items, 0)));
}

void api_visit(struct web *web, struct request *request, struct call *call)
{
    struct msg_visits_query query = {.limit = 1, .visit = call->visit};

    asking_staff(query.staff, call);
    asking_start(web, request, call, MSG_VISITS_QUERY, &query, take_visit);
}

static void take_answer(struct asking *asking, struct message *message, bool last)
{
    const struct msg_answer *m = &message->body.answer;
    struct xmlmsg *root = NULL;
    json_t *answer;
    char visit[24];
    int r;

    (void)last;
    if (m->failure != FAILURE_NONE) {
        reply_failure(asking->request, 409, m->failure, true, "");
        return;
    }
    if (message->nfds == 0) {
        reply_problem(asking->web, asking->request, PROBLEM_NOT_FOUND);
        return;
    }
    r = xmlmsg_from_memfd(&root, message->fds[0], m->bytes);
    if (r < 0) {
        reply_problem(asking->web, asking->request, PROBLEM_DESK_DOWN);
        return;
    }
    (void)snprintf(visit, sizeof(visit), "%llu", (unsigned long long)m->visit);
    answer = json_xmlmsg(root);
    if (asking->role != ROLE_NONE && asking->role != ROLE_CLINICIAN)
        json_without_clinical(answer);
    reply_json(asking->request, 200,
               json_pack("{s:s, s:{s:o}}", "visit", visit, "answer", xmlmsg_name(root), answer));
    xmlmsg_free(&root);
}

/* The desk writes down who looked. */
void api_visit_answer(struct web *web, struct request *request, struct call *call)
{
    struct msg_answer_query query = {.visit = call->visit};

    memcpy(query.staff, call->who.name, sizeof(query.staff));
    asking_start(web, request, call, MSG_ANSWER_QUERY, &query, take_answer);
}

/* The lanes, today's visits, "ready", and then what happens; but first it is written down who looks. */
void api_board_events(struct web *web, struct request *request, struct call *call)
{
    char staff[SESSION_NAME_MAX + 1];
    struct listener *listener;

    asking_staff(staff, call);
    listener = events_listen(web->events, request, 0, staff);
    if (listener == NULL)
        reply_problem(web, request, PROBLEM_BUSY);
    else
        live_open_board(listener, web);
}
