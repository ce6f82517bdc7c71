/*
 * bulk: one row's part (BulkConfirmUnit) of a bulk answer, as an answer of its own.
 */
#ifndef UKETSUKE_DESK_BULK_H
#define UKETSUKE_DESK_BULK_H

#include "../store/store.h"

struct xmlmsg;

/*
 * The unit that repeats this ArbitraryIdentifier and these numbers, with the header of the whole and in the shape of a
 * single answer. Where the whole request failed (SegmentOfResult), that is what each row's says. -ENOENT: there is no
 * such unit, or more than one; -ENOMEM.
 */
int bulk_row(const struct xmlmsg *answer, const char *identifier,
             const struct store_numbers *numbers, struct xmlmsg **out);

#endif
