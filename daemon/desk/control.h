/*
 * control: the desk's door for web and command: subscriptions, actions, look-ups, queries.
 */
#ifndef UKETSUKE_DESK_CONTROL_H
#define UKETSUKE_DESK_CONTROL_H

#include "desk.h"

struct control;
struct ipc;
struct links;
struct service;

/* `listen_fd` is taken. */
int control_new(struct control **out, struct service *service, struct links *links, int listen_fd);
void control_open(struct control *control, struct desk *desk);
/* Who does the long work on the database (maintain.h); the end is told by control_maintain_end().
 */
struct control_worker {
    void *arg;
    void (*start)(void *arg, const struct msg_maintain *wanted, void *asker);
    void (*forget)(void *arg, const void *asker);
};
void control_worker(struct control *control, const struct control_worker *worker);
/* Whom to hand a client's message to that is none of this door's own; false: it is nobody's, the
 * client goes. */
typedef bool control_other_fn(void *arg, struct ipc *ipc, const struct message *message);
void control_other(struct control *control, control_other_fn *other, void *arg);
void control_free(struct control **control);

/* For desk_ports. */
void control_lane_changed(struct control *control, const struct msg_lane_state *state);
void control_visit_changed(struct control *control, const struct msg_visit_item *item);
void control_preview(struct control *control, const struct msg_lane_preview *preview, int fd);
void control_slip_changed(struct control *control, const struct msg_slip_item *item);
void control_disaster_changed(struct control *control, const struct msg_disaster_state *state);
void control_outbox_changed(struct control *control, const struct msg_outbox_item *item);
void control_prechecked(struct control *control, void *asker,
                        const struct msg_prechecked *prechecked);
/* For maintain_ports; arg is the control. */
void control_maintain_progress(void *arg, void *asker,
                               const struct msg_maintain_progress *progress);
void control_maintain_end(void *arg, void *asker, const struct msg_maintained *end);
/* For links: what a program answered to a query that was passed on. */
void control_answer(struct control *control, const struct message *message);

#endif
