/*
 * vote: from readings of single frames to the number.
 *
 * A field counts as read in a frame only when two networks read the same (engine.h). It is taken
 * when so many frames agree and none since the first disagrees; any contradiction, within the card
 * (expiry not on the birthday) or between frames, throws away all that was gathered: another card,
 * or an error. The code has no check of its own, so it needs one frame more than the dates, whose
 * months and days check each other.
 */
#ifndef UKETSUKE_OCR_VOTE_H
#define UKETSUKE_OCR_VOTE_H

#include "engine.h"

#define VOTES_DATE 2u
#define VOTES_CODE 3u

/* In secret memory only. Zeroed: nothing gathered. */
struct votes {
    struct reading held;
    unsigned birth, expiry, code; /* frames that agree */
};

/* `today`: YYYYMMDD in Japan. True when the number is settled. */
bool vote_add(struct votes *votes, const struct reading *reading, int today);
/* After vote_add() said true: 15 bytes. */
void vote_number(const struct votes *votes, char *out);

#endif
