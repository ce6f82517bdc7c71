/*
 * consented: what a patient consented to for a time is taken out of a kept answer when that time is
 * over.
 *
 * In an answer each such part is a group of elements with one stem: PharmacistsInfoConsFlg,
 * PharmacistsInfoConsTime, PharmacistsInfoAvailableTime, and whatever else begins with
 * PharmacistsInfo. The group goes as a whole; so do the bytes as received, which hold it too. The
 * entitlement itself stays: it is needed for the bill.
 */
#ifndef UKETSUKE_DESK_CONSENTED_H
#define UKETSUKE_DESK_CONSENTED_H

#include <stdint.h>

struct store;
struct xmlmsg;

/* Takes out every group that is over; how many. *next_us: when the next one will be, 0 none is
 * left. */
unsigned consented_prune(struct xmlmsg *tree, int64_t now_us, int64_t *next_us);
/* Every answer that is due, one durable step each. How many, or a negative errno. */
int consented_purge(struct store *store, int64_t now_us);

#endif
