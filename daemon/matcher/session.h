/*
 * session: one visit in the matcher: the photo's embedding, the frames that wait, the decision so
 * far.
 *
 * Of a visit one job runs at a time and at most two frames wait; when a third comes the oldest
 * waiting one is answered with DESK_BUSY, so that the newest is looked at and every frame has
 * exactly one answer. The embedding stands in secret memory and goes with the session, and so does
 * what frames left behind for presence.h. What presence.h asks of the person ("turn left") is told
 * as the failure of a frame: a hint like any other.
 */
#ifndef UKETSUKE_SESSION_H
#define UKETSUKE_SESSION_H

#include "daemon/common/message.h"
#include "decision.h"
#include "pool.h"

struct session;

/* What all sessions share; borrowed. */
struct session_shared {
    struct pool *pool;
    const struct manifest *manifest;
    struct decision_rule rule;
    uint64_t seed; /* what visits are asked for their liveness follows from it: not to be guessed by
                      a person */
};

/* How a session answers. Called on the loop, also from within session_frame(). preview: -1 or a
 * descriptor, lent. */
struct session_answers {
    void (*ready)(void *arg, const struct msg_match_ready *ready);
    void (*failed)(void *arg, const struct msg_match_failed *failed);
    void (*result)(void *arg, const struct msg_match_result *result, int preview);
};

/*
 * Begin with the photo in `fd` (taken, also on failure). 0 or -ENOMEM; a photo that cannot be used
 * is told by `failed`, soon.
 */
int session_new(struct session **out, const struct session_shared *shared, uint64_t visit,
                uint32_t photo_bytes, bool preview, int fd, const struct session_answers *answers,
                void *arg);
/*
 * End: no answers come any more, everything is wiped (at once, or when the job that runs is
 * through). Accepts and stores NULL.
 */
void session_free(struct session **session);

uint64_t session_visit(const struct session *session);

/* A frame with its picture in `fd` (taken). Answered once by `result`, if the session lives that
 * long. */
void session_frame(struct session *session, const struct msg_match_frame *frame, int fd);

/* The sealed picture of a frame to a report's fields; also what a frame gets that no session wants.
 */
void session_result_init(struct msg_match_result *result, const struct msg_match_frame *frame);

#endif
