/*
 * precheck: tomorrow's appointments, asked about today, some rows at a time for whoever sends the list (`uketsuke
 * precheck`). Visits at the lanes come first: one question is under way at most, and none is kept waiting by it.
 *
 * The answer is one about the day that was asked for (QualificationConfirmationDate: today, or up to PRECHECK_AHEAD days
 * ahead). On that day it serves whoever would be asked about by the same numbers and consents, if it says "usable", was
 * told in the same month, and not more than `precheck-days` before; on every other day it is "last known" at most, and
 * before its day not even that. It is compared with what the clinic's book says of the patient but does not take its
 * place: what changed is shown again when the patient comes. A number of a patient that the book does not know yet is taken over from the list when the names agree.
 */
#ifndef UKETSUKE_DESK_PRECHECK_H
#define UKETSUKE_DESK_PRECHECK_H

#include "desk.h"

/*
 * So many rows can be asked about at once: where the service offers `bulk`, they go in one question and each is judged by
 * its own unit of the answer. A row that is lacking there is of unknown result, and says so; an error of one is its own.
 */
unsigned precheck_room(const struct desk *desk);

/*
 * One row of `asker`; answered later through desk_ports.prechecked, or at once when it cannot be asked. `more`: rows about
 * the same day follow, at most precheck_room() in all, and are asked about together.
 */
void precheck_ask(struct desk *desk, void *asker, const struct msg_precheck *entry);
/* It has gone: nobody is told. */
void precheck_forget(struct desk *desk, const void *asker);

/* An ELIGIBILITY_ANSWER; false when it is none of ours. */
bool precheck_answer(struct desk *desk, unsigned upstream, const struct message *message);
void precheck_relay_lost(struct desk *desk, unsigned upstream);
void precheck_free(struct desk *desk);
void precheck_on_timer(struct timer *timer, void *desk);

#endif
