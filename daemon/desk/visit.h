/*
 * visit: the engine: one event, one row of the table, one durable step, then its effects.
 *
 * Order, always: find the row; note what changes; store visit, ask, answer and audit row in one transaction;
 * only when that is on the disk arm the timer, send, publish. If the store refuses, nothing is sent, what was
 * noted is undone, and the visit waits with staff (failure DESK_STORE) until the store takes it again.
 */
#ifndef UKETSUKE_DESK_VISIT_H
#define UKETSUKE_DESK_VISIT_H

#include "desk.h"

/* A visit in state IDLE, of a lane or (NULL) a look-up. NULL when out of memory. */
struct visit *visit_new(struct desk *desk, struct lane *lane);
void visit_free(struct visit **visit);

/*
 * 0 taken; -ENOENT no row takes it now (out of turn: nothing changed); -EIO the store refused.
 * The visit of a look-up may be freed on return once it is closed: look it up again by id.
 */
int visit_event(struct visit *visit, const struct desk_event *event);
/* An event without anything to it. */
int visit_raise(struct visit *visit, enum desk_event_kind kind, uint16_t failure);

/* A visit read back from the store after a restart. Takes the record's place; raises RESUMED. */
int visit_resume(struct visit *visit, const struct store_visit *record);

/* VISIT_OFFER bits: the actions that a row would take now. */
uint32_t visit_offers(const struct visit *visit);
/* Why an action is not on offer. */
uint16_t visit_refusal(const struct visit *visit, unsigned action);

/* Milliseconds left in this state, 0 when it has no limit. */
uint32_t visit_left_ms(const struct visit *visit);

/* The record as boards see it. */
void visit_item(const struct store_visit *record, uint32_t request, struct msg_visit_item *out);
void visit_publish(struct visit *visit);

/* For the table's columns; see guard.c, note.c, send.c. */
bool guard_holds(enum desk_guard guard, const struct visit *visit, const struct desk_event *event);
int note_take(struct visit *visit, const struct desk_event *event, uint64_t notes);
void send_out(struct visit *visit, const struct desk_event *event, uint32_t sends);

/* Rows that tests have seen taken: called for each step that was stored. NULL: nobody. */
void visit_trace(void (*seen)(const struct table_row *row, unsigned from, void *arg), void *arg);

#endif
