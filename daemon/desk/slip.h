/*
 * slip: somebody is accepted without an answer of the day. What staff noted is kept with the visit; the service is
 * asked later by itself (reconcile.h), and the visit then shows what it said: the same, or something else.
 *
 * A slip is filed by staff: for a visit that waits with them, for one that ended without an answer, or for somebody
 * without a card. A visit that ends without an answer of its day files one by itself when its numbers are known.
 */
#ifndef UKETSUKE_DESK_SLIP_H
#define UKETSUKE_DESK_SLIP_H

#include "desk.h"

void slip_file(struct desk *desk, const struct msg_slip_file *entry, struct msg_action_result *out);
/* Numbers that were missing or wrong; or the end by other means. */
void slip_amend(struct desk *desk, const struct msg_slip_amend *entry,
                struct msg_action_result *out);

/* May a slip still be filed for a visit of this outcome? */
bool slip_may_follow(const struct store_visit *record);

/* Inside a step: the slip is written and the record names it; the outcome is the caller's. 0 or negative errno. */
int slip_keep(struct desk *desk, struct store_visit *record, const struct store_slip *slip);
/* Inside the closing step: when the visit ended for want of an answer, and can be asked later, it is noted. */
int slip_queue(struct visit *visit);

/* The numbers that name the patient of this record: keyed in, linked to the card, or of the last answer about it. */
bool slip_find_numbers(struct desk *desk, const struct store_visit *record,
                       struct store_numbers *out);

void slip_item(const struct store_slip *slip, uint32_t request, struct msg_slip_item *out);
/* Tell the boards, and let the next question be thought about. */
void slip_publish(struct desk *desk, uint64_t visit);

#endif
