/*
 * disaster: 災害時等の取扱い. It is opened outside (by the ministry for an area and a time, or by the call centre while
 * the service is out of order); here staff write down by whose word and until when. It ends by itself at its time, and
 * survives a restart. Visits opened under it are marked; a slip of its kind and consents by word of mouth are possible
 * only while it is on.
 */
#ifndef UKETSUKE_DESK_DISASTER_H
#define UKETSUKE_DESK_DISASTER_H

#include "desk.h"

bool disaster_on(const struct desk *desk);
void disaster_set(struct desk *desk, const struct msg_disaster_set *entry,
                  struct msg_action_result *out);
void disaster_state(const struct desk *desk, struct msg_disaster_state *out);
/* What the store says, at the start. 0 or negative errno. */
int disaster_load(struct desk *desk);

void disaster_on_timer(struct timer *timer, void *desk);

#endif
