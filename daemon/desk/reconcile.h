/*
 * reconcile: asks the service about slips once it answers again: one question at a time for the whole desk, the one
 * that waited longest first, for the day of its visit. A question only reads, so it may be asked again; each attempt
 * stands in the store before it leaves. What comes of it is shown with the slip and the visit.
 */
#ifndef UKETSUKE_DESK_RECONCILE_H
#define UKETSUKE_DESK_RECONCILE_H

#include "desk.h"

/* Something changed: look again soon; `fresh`: also when the last attempt came to nothing a moment ago. */
void reconcile_wake(struct desk *desk, bool fresh);
/* An ELIGIBILITY_ANSWER; false when it is none of ours. */
bool reconcile_answer(struct desk *desk, unsigned upstream, const struct message *message);
void reconcile_relay_lost(struct desk *desk, unsigned upstream);
/* Is it being asked about right now? */
bool reconcile_asks(const struct desk *desk, uint64_t visit);

/* What an answer makes of a slip and of its visit. */
void reconcile_settle(const struct decision *decision, struct store_slip *slip,
                      struct store_visit *record);

void reconcile_on_timer(struct timer *timer, void *desk);

#endif
