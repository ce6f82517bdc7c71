#include "audit.h"

#include "desk.h"

#include "../common/ipc.h"
#include "../common/log.h"

#include <string.h>

#define ROWS_MOST 256 /* in one answer; a peer's queue holds 512 packets */

struct listing {
    struct ipc *ipc;
    uint32_t request, count;
};

static int tell_one(const struct store_audit_row *row, void *arg)
{
    struct listing *listing = arg;
    struct msg_audit_item item = {.request = listing->request,
                                  .row = row->id,
                                  .at = row->at_us,
                                  .visit = row->visit,
                                  .lane = row->lane};
    int r;

    (void)MESSAGE_TEXT(item.event, row->event);
    (void)MESSAGE_TEXT(item.who, row->who);
    (void)MESSAGE_TEXT(item.detail, row->detail);
    r = ipc_send(listing->ipc, MSG_AUDIT_ITEM, &item);
    explicit_bzero(&item, sizeof(item));
    listing->count += r >= 0;
    return r < 0;
}

bool audit_message(struct desk *desk, struct ipc *ipc, const struct message *message)
{
    const struct msg_audit_query *query = &message->body.audit_query;
    struct view view = {.kind = VIEW_AUDIT};
    struct msg_audit_end end = {0};
    struct listing listing = {ipc, 0, 0};
    uint32_t limit;

    if (message->type != MSG_AUDIT_QUERY)
        return false;
    limit = query->limit == 0 || query->limit > ROWS_MOST ? ROWS_MOST : query->limit;
    listing.request = end.request = query->request;
    view.staff = query->staff;
    end.failure = view_to(desk, ipc, &view);
    if (end.failure == FAILURE_NONE &&
        store_audit_rows(desk->store, query->before, limit, tell_one, &listing) < 0) {
        log_event(LOG_LEVEL_ERROR, "the audit log cannot be read");
        end.failure = FAILURE_DESK_STORE;
    }
    end.count = listing.count;
    (void)ipc_send(ipc, MSG_AUDIT_END, &end);
    return true;
}
