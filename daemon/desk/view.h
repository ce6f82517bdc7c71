/*
 * view: whoever sees patients' data stands in the audit log before they leave the desk.
 *
 * A row says who, by which door (board or command), which view, how many rows and which visits: never a word of a patient.
 * So that neither a page that is opened again and again nor a program that asks each second floods the log, what the
 * same person has seen of the same view is not written again within an hour, unless other visits came to it. An
 * answer (the whole of what the service said about somebody) is written each time.
 */
#ifndef UKETSUKE_DESK_VIEW_H
#define UKETSUKE_DESK_VIEW_H

#include "../common/visit.h"

#include <stdint.h>

struct desk;
struct ipc;
struct msg_action_result;
struct msg_view;

#define VIEWS_REMEMBERED 128
#define VIEW_AGAIN_US (INT64_C(3600) * 1000000)

/* What is about to be shown. */
struct view {
    enum view_kind kind;
    const char *staff;
    uint64_t visit; /* that it is about, 0: a list */
    uint16_t lane;
    uint32_t rows;
    uint64_t first, last; /* of the visits in it */
};

/* What was written lately. Kept by the desk; all 0 at the beginning. */
struct views {
    struct view_row {
        uint8_t kind; /* enum view_kind, 0: free */
        char door;
        char staff[65];
        uint64_t visit, first, last;
        int64_t at_us; /* monotonic */
    } rows[VIEWS_REMEMBERED];
    unsigned next; /* to be forgotten */
};

/* One row more of the list. */
void view_add(struct view *view, uint64_t visit);
/*
 * May this peer be sent it? FAILURE_NONE once the log says so; else why nothing is sent. A command says whose eyes it
 * has; web does too, but for boards whose opening it told by VIEW.
 */
uint16_t view_to(struct desk *desk, struct ipc *ipc, const struct view *view);
/* The message of that name. */
void view_told(struct desk *desk, const struct msg_view *told, struct msg_action_result *out);
/* Somebody opens the answer of a visit: 0, or negative and it must not be shown. */
int view_answer(struct desk *desk, uint64_t visit, uint16_t lane, const char *staff);

#endif
