/*
 * action: what kiosk, board and command ask for: checked against who may ask, lane, visit and step, then
 * handed to the table. Each answer says what is wrong in a failure, and for numbers in which field.
 */
#ifndef UKETSUKE_DESK_ACTION_H
#define UKETSUKE_DESK_ACTION_H

#include "desk.h"

void action_lane(struct desk *desk, const struct msg_lane_action *action, struct msg_action_result *out);
void action_lookup(struct desk *desk, const struct msg_lookup *lookup, struct msg_action_result *out);

#endif
