/*
 * fake_store: store.h in memory, with transactions that roll back and calls that can be made to fail.
 * Faults are what it is kept for: the real store takes its place wherever none is wanted.
 */
#ifndef TEST_FAKE_STORE_H
#define TEST_FAKE_STORE_H

#include "../../daemon/store/store.h"

struct store *fake_store_new(struct clock *clock);
void fake_store_free(struct store **store);

/* The n-th call from now that writes or commits fails with -EIO (1: the next); 0: none. */
void fake_store_fail_at(struct store *store, unsigned n);
/* Every such call fails until told otherwise. */
void fake_store_break(struct store *store, bool broken);
/* From now on a link of a card cannot be read, though it may be there: an error of the disk. */
void fake_store_hide_links(struct store *store, bool hidden);
/* How many such calls there were. */
unsigned fake_store_calls(const struct store *store);

bool fake_store_in_transaction(const struct store *store);
/* What a restart would find: the committed row, NULL when there is none. */
const struct store_visit *fake_store_visit(const struct store *store, uint64_t id);
size_t fake_store_visits(const struct store *store);
size_t fake_store_open_visits(const struct store *store);
/* Slips in this state (enum slip_state); -1: all. */
size_t fake_store_slips(const struct store *store, int state);
size_t fake_store_audits(const struct store *store);
/* The i-th audit row: event, visit, staff, and what it says besides ("method>pin"). */
const char *fake_store_audit(const struct store *store, size_t i, uint64_t *visit, const char **who,
                             const char **detail);
/* Rows about this visit that were written together with the visit itself: one for each time it was saved. */
size_t fake_store_audits_of_saves(const struct store *store, uint64_t visit);
const struct store_slip *fake_store_slip(const struct store *store, size_t i);
size_t fake_store_asks(const struct store *store, bool open_only);
/* Questions that ended with this outcome (as eligibility_answer.outcome). */
size_t fake_store_asks_ended(const struct store *store, uint8_t outcome);
/* Answers of today become answers of another day. */
void fake_store_age_answers(struct store *store, const char *date);

#endif
