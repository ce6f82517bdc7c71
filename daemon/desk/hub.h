/*
 * hub: what reaches the desk without having been asked for by a visit that still waits.
 *
 * A clinic that keeps its certified reader uses the desk as hub: each face file of an official terminal becomes a visit
 * of its own on the board (method "terminal"; how identity was checked is not transmitted), with the same matching,
 * differences, cache and audit as any other. An answer that comes after its question ended settles the visit that it
 * belongs to, if that ended without one; where no question is known it is shown by itself, with the flag "late".
 *
 * Each is stored in one step with the hash of its bytes, and only then the relay is told (RELAY_TAKEN): told again after
 * a kill, it is known. What the store refuses is tried again for a while, then left to the relay's telling it again.
 */
#ifndef UKETSUKE_DESK_HUB_H
#define UKETSUKE_DESK_HUB_H

#include "desk.h"

/* TERMINAL_VISIT or ELIGIBILITY_LATE; the descriptors stay with the message. False: the relay broke the rules. */
bool hub_take(struct desk *desk, unsigned upstream, const struct message *message);

void hub_on_timer(struct timer *timer, void *desk);
/* What still waits for the store is let go: the relay tells it again. */
void hub_free(struct desk *desk);

#endif
