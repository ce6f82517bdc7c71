/*
 * ask: the question to the eligibility service: today's answer first, then the upstream, then the last known.
 */
#ifndef UKETSUKE_DESK_ASK_H
#define UKETSUKE_DESK_ASK_H

#include "desk.h"

/*
 * Inside a step: serve today's answer, or begin a question in the store; what cannot be asked raises
 * LINK_NEEDED or CANNOT_ASK after the step. An open question that only reads is taken up again with its
 * correlation. 0 or negative errno.
 */
int ask_begin(struct visit *visit);
int ask_begin_registration(struct visit *visit);
/* After the step: send what was begun, once the relay is there. */
void ask_send(struct visit *visit);
void ask_cancel(struct visit *visit);
/* Inside a step: the question is over with this outcome (as eligibility_answer.outcome). */
int ask_end(struct visit *visit, uint8_t outcome);

/*
 * What any answer is held against here: the institution, the kind of 医療扶助 ticket (CD018) that it needs (02 調剤券 at a
 * pharmacy, else 01 医療券), and what tells about 医療費助成.
 */
struct decide_expect ask_expect(const struct desk *desk);

/* Which consents this visit should be asked for: those of the configuration that the upstream can carry. */
uint32_t ask_consents(const struct visit *visit);
bool ask_can_register(const struct visit *visit);
/* The question can be made without the card lying there (its numbers are known). */
bool ask_without_card(const struct visit *visit);
/* Identity is checked, and what the question needs is at hand. */
bool ask_possible(const struct visit *visit);
/* A look-up has no card: its numbers are kept under a name made from the visit, so that a restart loses none. */
void ask_lookup_subject(uint64_t visit, uint8_t out[32]);
/* Is there a usable answer of an earlier day about this person? And: make it the visit's answer. */
bool ask_last_known(const struct visit *visit);
int ask_load_last(struct visit *visit);
/* Whom the answers of this visit are about. `buffer` must outlive the result. */
#define ASK_SUBJECT_MAX 512
struct store_subject ask_subject(const struct visit *visit, char buffer[ASK_SUBJECT_MAX]);

/* From the relay of an upstream. Descriptors stay with the message. */
void ask_relay_up(struct desk *desk, unsigned upstream);
void ask_relay_down(struct desk *desk, unsigned upstream);
/* False: the relay broke the rules. */
bool ask_relay_message(struct desk *desk, unsigned upstream, const struct message *message);

/*
 * An answer with its two descriptors that the visit waits for, told late. 0, or what visit_event() says; -EBADMSG and the
 * like when it cannot be read.
 */
int ask_answered(struct visit *visit, const struct message *message);
void ask_drop_answer(struct visit *visit);
/* The bytes of an ELIGIBILITY_ANSWER with two descriptors, as tree and raw of `out`. */
int ask_read_answer(const struct message *message, struct store_answer *out);

#endif
