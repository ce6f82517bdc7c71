/*
 * action: what kiosk, board and command ask for: checked against who may ask, lane, visit and step, then
 * handed to the table. Each answer says what is wrong in a failure, and for numbers in which field.
 */
#ifndef UKETSUKE_DESK_ACTION_H
#define UKETSUKE_DESK_ACTION_H

#include "desk.h"

void action_lane(struct desk *desk, const struct msg_lane_action *action,
                 struct msg_action_result *out);
void action_lookup(struct desk *desk, const struct msg_lookup *lookup,
                   struct msg_action_result *out);
/* Who came for the patient (pharmacies only); the visit may be over. */
void action_proxy(struct desk *desk, const struct msg_pick_up *proxy,
                  struct msg_action_result *out);

/* A visit without a card, opened by this event. -EAGAIN: too many are open; else as visit_event(). */
int action_open(struct desk *desk, const struct desk_event *event, uint64_t *id);
/* The result of what ended with `r`: 0, -ENOENT out of turn, -EAGAIN busy, else the store. */
void action_end(struct desk *desk, struct msg_action_result *out, int r);
void action_refuse(struct desk *desk, struct msg_action_result *out, uint16_t failure);

#endif
