/*
 * ccid.h - the card reader function: CCID 1.1 messages on bulk pipes, one slot (or two), slot-change
 * notices on the interrupt pipe. Time comes from the caller, in monotonic microseconds.
 */
#ifndef SIM_CCID_H
#define SIM_CCID_H

#include "card.h"
#include "faults.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { CCID_DESCRIPTOR = 54, CCID_MESSAGE_MAX = 1024, CCID_NOTICE_MAX = 2 };

/* What a level of exchange means for descriptor and message handling. */
struct ccid_level;

/*
 * "extended", "short", "tpdu-t1" (the host speaks T=1), "tpdu-t0" (T=0), or "tpdu-bare" (T=1, and
 * the host negotiates speed and protocol by itself); NULL when there is no such level.
 */
const struct ccid_level *sim_ccid_level_find(const char *name);
/* The class descriptor (54 bytes) of a reader at this level. */
void sim_ccid_descriptor(const struct ccid_level *level, bool pin_pad,
                         uint8_t out[CCID_DESCRIPTOR]);

struct ccid;

/* faults is shared with the device and outlives the reader. */
struct ccid *sim_ccid_new(const struct ccid_level *level, bool pin_pad, struct faults *faults);
void sim_ccid_free(struct ccid **c);
/* USB reset or configuration: queues emptied, card powered off, presence announced anew. */
void sim_ccid_reset(struct ccid *c);

/* The card stays the caller's; NULL takes it out. */
void sim_ccid_set_card(struct ccid *c, struct card *card);
struct card *sim_ccid_card(const struct ccid *c);
bool sim_ccid_powered(const struct ccid *c);
/* A second slot, in which a card may lie that stays mute. False: there is no such slot. */
void sim_ccid_add_slot(struct ccid *c);
bool sim_ccid_set_second(struct ccid *c, bool card);
/* True once after a fault took the card out; the caller then removes it. */
bool sim_ccid_take_torn(struct ccid *c);

/*
 * What somebody does at the reader's keys when asked: digits and OK, "cancel", "timeout", "refuse"
 * (the reader knows no such command) or "wait" (nothing, until its own time is over).
 */
void sim_ccid_set_keys(struct ccid *c, const char *keys);
uint64_t sim_ccid_blocks(const struct ccid *c); /* T=1 blocks that were sent to the card */

/* One line per APDU, secrets left out; NULL stops. The stream stays the caller's. */
void sim_ccid_set_trace(struct ccid *c, FILE *trace);
uint64_t sim_ccid_apdus_since_insertion(const struct ccid *c);
uint64_t sim_ccid_apdus(const struct ccid *c);

/* Class control requests (abort, clock and data rates). Length of the answer, or -EPIPE. */
int sim_ccid_control(struct ccid *c, uint64_t now_us, const uint8_t setup[8], uint8_t *data,
                     size_t cap);
/* Bytes from the host; a message may come in several transfers. 0, or -EPIPE. */
int sim_ccid_bulk_out(struct ccid *c, uint64_t now_us, const uint8_t *data, size_t len);
/* Whether an answer is ready, and when the next one will be (UINT64_MAX: none queued). */
bool sim_ccid_ready(const struct ccid *c, uint64_t now_us);
uint64_t sim_ccid_next_us(const struct ccid *c);
/* The oldest ready answer, or the rest of it; -EAGAIN, -EOVERFLOW when cap breaks a packet. */
int sim_ccid_bulk_in(struct ccid *c, uint64_t now_us, uint8_t *out, size_t cap);
/* A pending slot-change notice; -EAGAIN when nothing changed. */
bool sim_ccid_notice_pending(const struct ccid *c);
int sim_ccid_interrupt_in(struct ccid *c, uint8_t *out, size_t cap);

#endif
