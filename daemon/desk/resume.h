/*
 * resume: after a restart: every visit that is open in the store goes on where a step can be taken.
 * Nothing is replayed to a card: the reader is asked anew, a PIN is entered anew. A question that only reads
 * is asked again under its old correlation; one that writes is doubtful and is not.
 */
#ifndef UKETSUKE_DESK_RESUME_H
#define UKETSUKE_DESK_RESUME_H

#include "desk.h"

/* Before the first peer connects. 0, or negative errno of the store. */
int desk_resume(struct desk *desk);

#endif
