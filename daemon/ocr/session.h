/*
 * session: one visit's look at the card's face, from OCR_BEGIN to OCR_END. Every frame is answered
 * once, in the order in which they came except those that were skipped because newer ones waited.
 */
#ifndef UKETSUKE_OCR_SESSION_H
#define UKETSUKE_OCR_SESSION_H

#include "pool.h"
#include "seal.h"

#include "daemon/common/message.h"

struct clock;
struct session;

/* Called on the loop; the session may be freed in it. */
typedef void session_answer_fn(void *arg, const struct msg_ocr_result *result);

/* -EINVAL: the key is no point of the curve; -ENOMEM. */
int session_new(struct session **out, struct pool *pool, struct clock *clock, uint64_t visit,
                const uint8_t key[SEAL_POINT], session_answer_fn *answer, void *arg);
/* What runs is waited for in the background, its result dropped. Accepts and stores NULL. */
void session_free(struct session **session);
uint64_t session_visit(const struct session *session);
/* Takes the descriptor. */
void session_frame(struct session *session, const struct msg_ocr_frame *frame, int fd);

#endif
