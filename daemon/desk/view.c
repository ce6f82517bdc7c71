#include "view.h"

#include "desk.h"

#include "../common/failure.h"
#include "../common/ipc.h"
#include "../common/log.h"

#include <stdio.h>
#include <string.h>

#define BOARD 'B'
#define COMMAND 'C'

static const char *const events[VIEW_KIND_COUNT] = {
    [VIEW_BOARD] = "board_viewed",   [VIEW_LANES] = "lanes_viewed", [VIEW_VISITS] = "visits_viewed",
    [VIEW_VISIT] = "visit_viewed",   [VIEW_SLIPS] = "slips_viewed", [VIEW_SLIP] = "slip_viewed",
    [VIEW_OUTBOX] = "outbox_viewed", [VIEW_AUDIT] = "audit_viewed",
};

static int write_row(struct desk *desk, const char *event, uint64_t visit, uint16_t lane,
                     const char *staff, const char *detail)
{
    int r = store_begin(desk->store);

    if (r == 0)
        r = store_audit(desk->store, event, visit, lane, staff, detail);
    if (r == 0)
        r = store_commit(desk->store);
    if (r < 0) {
        store_rollback(desk->store);
        log_event(LOG_LEVEL_ERROR, "a view cannot be written down", LOG_ERRNO(r));
    }
    return r;
}

int view_answer(struct desk *desk, uint64_t visit, uint16_t lane, const char *staff)
{
    return write_row(desk, "answer_viewed", visit, lane, staff, "");
}

void view_add(struct view *view, uint64_t visit)
{
    if (view->rows++ == 0)
        view->first = view->last = visit;
    if (visit < view->first)
        view->first = visit;
    if (visit > view->last)
        view->last = visit;
}

/* Is that said by a row which is not old? */
static bool said(const struct view_row *row, const struct view *view, char door, int64_t now_us)
{
    return row->kind == view->kind && row->door == door && row->visit == view->visit &&
           now_us - row->at_us < VIEW_AGAIN_US && strcmp(row->staff, view->staff) == 0 &&
           (view->rows == 0 || (view->first >= row->first && view->last <= row->last));
}

static void remember(struct views *views, const struct view *view, char door, int64_t now_us)
{
    struct view_row *row = &views->rows[views->next];

    views->next = (views->next + 1) % VIEWS_REMEMBERED;
    *row = (struct view_row){.kind = (uint8_t)view->kind,
                             .door = door,
                             .visit = view->visit,
                             .first = view->first,
                             .last = view->last,
                             .at_us = now_us};
    (void)MESSAGE_TEXT(row->staff, view->staff);
}

/* 0 when the log says it, now or already. */
static int note(struct desk *desk, const struct view *view, char door)
{
    int64_t now_us = (int64_t)clock_monotonic_us(desk->clock);
    const char *by = door == BOARD ? "board" : "command";
    char detail[120];
    int r;

    for (size_t i = 0; i < VIEWS_REMEMBERED; i++)
        if (said(&desk->views.rows[i], view, door, now_us))
            return 0;
    if (view->visit != 0 || view->kind < VIEW_VISITS || view->kind == VIEW_AUDIT)
        (void)snprintf(detail, sizeof(detail), "%s", by);
    else if (view->rows == 0)
        (void)snprintf(detail, sizeof(detail), "%s rows=0", by);
    else
        (void)snprintf(detail, sizeof(detail), "%s rows=%u visits=%llu-%llu", by, view->rows,
                       (unsigned long long)view->first, (unsigned long long)view->last);
    r = write_row(desk, events[view->kind], view->visit, view->lane, view->staff, detail);
    if (r == 0)
        remember(&desk->views, view, door, now_us);
    return r;
}

uint16_t view_to(struct desk *desk, struct ipc *ipc, const struct view *view)
{
    bool web = ipc_peer_role(ipc) == IPC_WEB;

    if (view->staff[0] == '\0')
        return web ? FAILURE_NONE : FAILURE_DESK_OUT_OF_TURN;
    return note(desk, view, web ? BOARD : COMMAND) < 0 ? FAILURE_DESK_STORE : FAILURE_NONE;
}

void view_told(struct desk *desk, const struct msg_view *told, struct msg_action_result *out)
{
    struct view view = {.kind = (enum view_kind)told->view, .staff = told->staff};

    *out = (struct msg_action_result){.request = told->request};
    if ((told->view != VIEW_BOARD && told->view != VIEW_LANES) || told->staff[0] == '\0')
        out->failure = FAILURE_DESK_OUT_OF_TURN;
    else if (note(desk, &view, BOARD) < 0)
        out->failure = FAILURE_DESK_STORE;
    else
        out->accepted = 1;
}
