#include "asking.h"

#include "server.h"

#include <errno.h>
#include <stdlib.h>

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

static void on_answer(struct message *message, bool last, int error, void *arg)
{
    struct asking *asking = arg;

    if (message != NULL)
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
