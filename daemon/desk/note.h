/* note: what the notes of the table share with what is noted after a visit is over. */
#ifndef UKETSUKE_DESK_NOTE_H
#define UKETSUKE_DESK_NOTE_H

#include "decide.h"

/* What an answer says of the entitlement and the person, into the record; its outcome is the caller's. */
void note_decision(struct store_visit *record, const struct decision *decision);

#endif
