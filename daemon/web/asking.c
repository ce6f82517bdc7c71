#include "asking.h"

#include "failure.h"
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void asking_free(struct asking *asking)
{
    json_decref(asking->items);
    free(asking);
}

static void on_gone(struct request *request, void *arg)
{
    struct asking *asking = arg;

    (void)request;
    desk_link_forget(asking->web->desk, asking->ticket);
    asking_free(asking);
}

static const struct request_hooks hooks = {.gone = on_gone};

static enum problem problem_of(int error)
{
    switch (error) {
    case -ETIMEDOUT:
        return PROBLEM_DESK_SLOW;
    case -EBUSY:
    case -ENOBUFS:
    case -ENOMEM:
        return PROBLEM_BUSY;
    case -EINVAL:
        return PROBLEM_BAD_REQUEST;
    default:
        return PROBLEM_DESK_DOWN;
    }
}

/* Why the desk gives nothing: who looks could not be written down. */
static uint16_t refused(const struct message *message)
{
    switch (message->type) {
    case MSG_VISITS_END:
        return message->body.visits_end.failure;
    case MSG_SLIPS_END:
        return message->body.slips_end.failure;
    case MSG_OUTBOX_END:
        return message->body.outbox_end.failure;
    default:
        return FAILURE_NONE;
    }
}

static void on_answer(struct message *message, bool last, int error, void *arg)
{
    struct asking *asking = arg;

    if (message != NULL && refused(message) != FAILURE_NONE)
        reply_failure(asking->request, 503, refused(message), asking->staff, "");
    else if (message != NULL)
        asking->take(asking, message, last);
    else
        reply_problem(asking->web, asking->request, problem_of(error));
    if (last)
        asking_free(asking);
}

void asking_start(struct web *web, struct request *request, const struct call *call, uint16_t type,
                  void *body,
                  void (*take)(struct asking *asking, struct message *message, bool last))
{
    struct asking *asking = calloc(1, sizeof(*asking));
    int r = -ENOMEM;

    if (asking == NULL)
        goto fail;
    asking->web = web;
    asking->request = request;
    asking->staff = call->who.surface == SURFACE_BOARD;
    asking->role = call->who.role;
    asking->visit = call->visit;
    asking->lane = call->lane;
    asking->take = take;
    asking->items = json_array();
    r = desk_link_ask(web->desk, type, body, on_answer, asking, &asking->ticket);
    if (r < 0)
        goto fail;
    server_keep(request, &hooks, asking);
    return;
fail:
    if (asking != NULL)
        asking_free(asking);
    reply_problem(web, request, problem_of(r));
}

void asking_staff(char staff[SESSION_NAME_MAX + 1], const struct call *call)
{
    if (call->who.name[0] != '\0')
        memcpy(staff, call->who.name, SESSION_NAME_MAX + 1);
    else
        (void)message_text(staff, SESSION_NAME_MAX + 1, ASKING_NOBODY);
}
