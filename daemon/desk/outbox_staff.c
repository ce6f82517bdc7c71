/* What staff ask of the outbox: to see it, to decide about what is doubtful, to link a patient's
 * number. */
#include "outbox_internal.h"

#include "action.h"
#include "visit.h"

#include "../common/ipc.h"
#include "../common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- a list ---------------------------------------------------------------------------------- */

struct listing {
    struct desk *desk;
    struct ipc *ipc;
    uint32_t request, count;
};

static int tell_one(const struct store_outbox *entry, void *arg)
{
    struct listing *listing = arg;
    struct store_visit record;
    struct msg_outbox_item item;
    int r;

    if (store_visit_load(listing->desk->store, entry->visit, &record) < 0)
        memset(&record, 0, sizeof(record));
    outbox_item(entry, record.person.name, listing->request, &item);
    r = ipc_send(listing->ipc, MSG_OUTBOX_ITEM, &item);
    explicit_bzero(&record, sizeof(record));
    explicit_bzero(&item, sizeof(item));
    listing->count += r >= 0;
    return r < 0;
}

static int add_one(const struct store_outbox *entry, void *arg)
{
    view_add(arg, entry->visit);
    return 0;
}

static int walk(struct desk *desk, const struct msg_outbox_query *query, store_outbox_fn *each,
                void *arg)
{
    uint32_t limit = query->limit == 0 || query->limit > LIST_PAGE ? LIST_PAGE : query->limit;
    int r = query->visit != 0
                ? store_outbox_of_visit(desk->store, query->visit, each, arg)
                : store_outboxes(desk->store,
                                 query->open_only != 0 ? STORE_OUTBOX_OPEN : STORE_OUTBOX_ALL,
                                 query->before, limit, each, arg);

    if (r < 0)
        log_event(LOG_LEVEL_ERROR, "the outbox cannot be read");
    return r;
}

static void list(struct desk *desk, struct ipc *ipc, const struct msg_outbox_query *query)
{
    struct listing listing = {desk, ipc, query->request, 0};
    struct msg_outbox_end end = {.request = query->request};
    struct view view = {.kind = VIEW_OUTBOX, .staff = query->staff, .visit = query->visit};

    if (view.staff[0] != '\0')
        (void)walk(desk, query, add_one, &view);
    end.failure = view_to(desk, ipc, &view);
    if (end.failure == FAILURE_NONE)
        end.more = walk(desk, query, tell_one, &listing) > 0;
    end.count = listing.count;
    (void)ipc_send(ipc, MSG_OUTBOX_END, &end);
}

bool outbox_message(struct desk *desk, struct ipc *ipc, const struct message *message)
{
    struct msg_action_result result;

    switch (message->type) {
    case MSG_OUTBOX_QUERY:
        list(desk, ipc, &message->body.outbox_query);
        return true;
    case MSG_OUTBOX_DECIDE:
        outbox_decide(desk, &message->body.outbox_decide, &result);
        (void)ipc_send(ipc, MSG_ACTION_RESULT, &result);
        return true;
    default:
        return false;
    }
}

static bool staff_speak(uint8_t surface, const char *staff)
{
    return (surface == 'B' || surface == 'C') && staff[0] != '\0';
}

/* ---- what is doubtful or refused ------------------------------------------------------------- */

static int decide_entry(struct desk *desk, struct store_outbox *e,
                        const struct msg_outbox_decide *asked)
{
    bool resend = asked->what == OUTBOX_RESEND;
    int r = 0;

    if (e->state != OUTBOX_DOUBTFUL && e->state != OUTBOX_REFUSED)
        return -ENOENT;
    if (resend && e->kind != OUTBOX_FACE_FILE && e->tree_len == 0)
        return -ENODATA; /* it did not open */
    (void)MESSAGE_TEXT(e->staff, asked->staff);
    e->failure = FAILURE_NONE;
    e->detail[0] = '\0';
    if (resend) {
        e->state = OUTBOX_WAITING;
        e->due_us = e->ended_us = 0;
        e->mark[0] = '\0';
        /* The old name may be there already, or have been. */
        if (outbox_delivery(e->kind) == OUTBOX_EXACTLY)
            r = outbox_new_name(desk, e);
    } else {
        e->state = OUTBOX_DONE;
        e->ended_us = (int64_t)desk_wall_us(desk);
    }
    if (r == 0)
        r = store_outbox_save(desk->store, e);
    if (r == 0)
        r = outbox_flag_visit(desk, e);
    if (r == 0)
        r = store_audit(desk->store, resend ? "handover_resend" : "handover_arrived", e->visit, 0,
                        asked->staff, e->target);
    return r;
}

static void show_visit(struct desk *desk, uint64_t id)
{
    struct visit *open = desk_visit(desk, id);
    struct store_visit record;
    struct msg_visit_item item;

    if (open != NULL) {
        visit_publish(open);
    } else if (store_visit_load(desk->store, id, &record) == 0) {
        visit_item(&record, 0, &item);
        desk->ports.visit_changed(desk->ports.arg, &item);
        explicit_bzero(&record, sizeof(record));
        explicit_bzero(&item, sizeof(item));
    }
}

void outbox_decide(struct desk *desk, const struct msg_outbox_decide *asked,
                   struct msg_action_result *out)
{
    struct store_outbox entry = {0};
    int r;

    memset(out, 0, sizeof(*out));
    out->request = asked->request;
    if (!staff_speak(asked->surface, asked->staff)) {
        action_refuse(desk, out, FAILURE_DESK_OUT_OF_TURN);
        return;
    }
    if (asked->what != OUTBOX_RESEND && asked->what != OUTBOX_ARRIVED) {
        action_refuse(desk, out, FAILURE_DESK_OUT_OF_TURN);
        (void)MESSAGE_TEXT(out->field, "what");
        return;
    }
    r = store_begin(desk->store);
    if (r == 0)
        r = store_outbox_load(desk->store, asked->entry, &entry);
    if (r == 0)
        r = decide_entry(desk, &entry, asked);
    if (r == 0)
        r = store_commit(desk->store);
    out->visit = entry.visit;
    if (r < 0) {
        store_rollback(desk->store);
    } else {
        outbox_publish(desk, &entry);
        show_visit(desk, entry.visit);
        outbox_wake_soon(desk);
    }
    if (r == -ENODATA)
        action_refuse(desk, out, FAILURE_HANDOVER_GONE);
    else
        action_end(desk, out, r);
    store_outbox_free(&entry);
}
