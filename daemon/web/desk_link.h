/*
 * desk_link: the one connection to the desk, and the mirror of what it tells.
 *
 * Held here: the present state of each lane, and while a face is being compared the newest preview of it (wiped
 * when the next comes or the step is over). Visits are passed on, never kept. Each question has a deadline; when
 * the desk goes away every question that is open is answered with -ENOTCONN.
 */
#ifndef UKETSUKE_WEB_DESK_LINK_H
#define UKETSUKE_WEB_DESK_LINK_H

#include "message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sd_event;
struct clock;
struct ipc;
struct desk_link;

#define DESK_LANES_MAX 64
#define DESK_ASK_MS 5000

struct lane_mirror {
    struct msg_lane_state state;
    uint64_t received_us; /* monotonic; ends_ms counts from here */
};

/* A preview, shared by count. */
struct preview {
    unsigned uses;
    uint64_t visit;
    uint32_t frame;
    size_t len;
    uint8_t data[];
};
void preview_release(void *preview);

struct desk_link_events {
    void (*lane)(const struct lane_mirror *lane, void *arg);
    void (*visit)(const struct msg_visit_item *visit, void *arg);
    void (*preview)(uint16_t lane, void *arg);
    void (*slip)(const struct msg_slip_item *slip, void *arg);
    void (*disaster)(const struct msg_disaster_state *state, void *arg);
    /* The desk is there, and the present state of the lanes has come; or it has gone. */
    void (*link)(bool up, void *arg);
    /* The desk asks how we are: answer with HEALTH_ITEM..., HEALTH_END on `ipc`. */
    void (*health)(struct ipc *ipc, uint32_t request, void *arg);
    void (*outbox)(const struct msg_outbox_item *item, void *arg);
};

int desk_link_new(struct desk_link **out, struct sd_event *loop, struct clock *clock,
                  const char *path, const struct desk_link_events *events, void *arg);
void desk_link_free(struct desk_link **link);
bool desk_link_up(const struct desk_link *link);

/*
 * An answer, or one item of it (`last` false). message NULL: there is none (`error`: -ENOTCONN, -ETIMEDOUT).
 * A descriptor is taken with ipc_take_fd().
 */
typedef void desk_answer_fn(struct message *message, bool last, int error, void *arg);

/*
 * Ask. The number of the request is written into `body`, whose first field it is. *ticket (may be NULL) is for
 * desk_link_forget(). -ENOTCONN, -EBUSY (too many open questions).
 */
int desk_link_ask(struct desk_link *link, uint16_t type, void *body, desk_answer_fn *answer,
                  void *arg, uint32_t *ticket);
/* Who asked has gone: `answer` will not be called. */
void desk_link_forget(struct desk_link *link, uint32_t ticket);

/* Disaster mode as the desk told it last. */
const struct msg_disaster_state *desk_link_disaster(const struct desk_link *link);
/* NULL when the desk has not told of it. */
const struct lane_mirror *desk_link_lane(const struct desk_link *link, uint16_t lane);
/* The i-th lane in order of number, NULL past the end. */
const struct lane_mirror *desk_link_lane_at(const struct desk_link *link, size_t i);
/* Time left in the lane's state, 0 when it has no end. */
uint32_t desk_link_left_ms(const struct desk_link *link, const struct lane_mirror *lane);
/* The newest preview (a use is added; preview_release() it), or NULL. */
struct preview *desk_link_preview(const struct desk_link *link, uint16_t lane);

#endif
