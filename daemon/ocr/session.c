#include "session.h"

#include "daemon/common/clock.h"
#include "daemon/common/failure.h"
#include "daemon/common/memfd.h"
#include "vote.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WAITING_MOST 2
#define REMEMBERED                                                                                 \
    32 /* frames whose bytes are known again: a frozen picture must not vote twice  \
                       */
#define JAPAN_AHEAD (9 * 3600)

struct waiting {
    struct msg_ocr_frame frame;
    const uint8_t *map;
};

/* In secret memory. */
struct private
{
    struct votes votes;
    struct reading reading;
    char number[SEAL_NUMBER + 1];
};

struct session {
    struct job job; /* first: the job is the session */
    struct pool *pool;
    struct clock *clock;
    session_answer_fn *answer;
    void *arg;
    uint64_t visit;
    uint8_t key[SEAL_POINT];
    struct secret room;
    struct waiting waiting[WAITING_MOST];
    unsigned nwaiting;
    uint64_t seen[REMEMBERED];
    unsigned nseen;
    bool running, ended, settled;
    /* of the thread while `running` */
    struct waiting current;
    uint64_t digest, begun_us;
    int result;
};

static struct private *private_of(const struct session *session)
{
    return (struct private *)(void *)session->room.data;
}

static void drop(struct waiting *waiting)
{
    if (waiting->map != NULL)
        memfd_unmap(waiting->map, waiting->frame.bytes);
    memset(waiting, 0, sizeof(*waiting));
}

static void destroy(struct session *session)
{
    for (unsigned i = 0; i < session->nwaiting; i++)
        drop(&session->waiting[i]);
    drop(&session->current);
    secret_free(&session->room);
    pool_wipe(session->pool);
    free(session);
}

static void say(struct session *session, uint32_t frame, enum failure failure, uint32_t elapsed_us,
                const uint8_t *sealed)
{
    struct msg_ocr_result result;

    memset(&result, 0, sizeof(result));
    result.visit = session->visit;
    result.frame = frame;
    result.failure = (uint16_t)failure;
    result.elapsed_us = elapsed_us;
    if (sealed != NULL) {
        result.sealed.len = SEAL_BYTES;
        memcpy(result.sealed.data, sealed, SEAL_BYTES);
    }
    session->answer(session->arg, &result);
}

/* FNV-1a, 64 bits: knows equal bytes again, withstands nobody. */
static uint64_t digest_of(const uint8_t *data, size_t len)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    while (len-- > 0)
        h = (h ^ *data++) * UINT64_C(0x100000001b3);
    return h;
}

static void run(struct job *job, struct engine *engine)
{
    struct session *session = (struct session *)job;
    const struct msg_ocr_frame *f = &session->current.frame;
    const struct frame frame = {f->format, f->width, f->height, session->current.map, f->bytes};

    session->digest = digest_of(frame.data, frame.len);
    session->result = engine_frame(engine, &frame, &private_of(session)->reading);
}

static bool seen_before(struct session *session, uint64_t digest)
{
    const unsigned n = session->nseen < REMEMBERED ? session->nseen : REMEMBERED;

    for (unsigned i = 0; i < n; i++)
        if (session->seen[i] == digest)
            return true;
    session->seen[session->nseen++ % REMEMBERED] = digest;
    return false;
}

static int today_in_japan(const struct clock *clock)
{
    const time_t now = (time_t)(clock_realtime_us(clock) / CLOCK_SECOND) + JAPAN_AHEAD;
    struct tm tm;

    return gmtime_r(&now, &tm) == NULL
               ? 0
               : (tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 + tm.tm_mday;
}

/* True with the sealed number when the votes are in. */
static bool count(struct session *session, uint8_t sealed[SEAL_BYTES])
{
    struct private *private = private_of(session);
    int r;

    if (session->settled || session->result < 0 || seen_before(session, session->digest) ||
        !vote_add(&private->votes, &private->reading, today_in_japan(session->clock)))
        return false;
    vote_number(&private->votes, private->number);
    r = seal_number_b(session->key, session->visit, private->number, sealed);
    explicit_bzero(private->number, sizeof(private->number));
    explicit_bzero(&private->votes, sizeof(private->votes));
    session->settled = r == 0;
    return session->settled;
}

static void run_next(struct session *session);

static void done(struct job *job)
{
    struct session *session = (struct session *)job;
    const uint32_t frame = session->current.frame.frame;
    uint8_t sealed[SEAL_BYTES];
    bool settled;

    session->running = false;
    drop(&session->current);
    if (session->ended) {
        destroy(session);
        return;
    }
    settled = count(session, sealed);
    explicit_bzero(&private_of(session)->reading, sizeof(struct reading));
    run_next(session);
    /* May free the session: nothing after it. */
    say(session, frame,
        session->settled      ? FAILURE_NONE
        : session->result < 0 ? FAILURE_FACE_FRAME_UNREADABLE
                              : FAILURE_CARD_FACE_UNREADABLE,
        (uint32_t)(clock_monotonic_us(session->clock) - session->begun_us),
        settled ? sealed : NULL);
}

static void run_next(struct session *session)
{
    if (session->running || session->nwaiting == 0)
        return;
    session->current = session->waiting[0];
    session->nwaiting--;
    memmove(session->waiting, session->waiting + 1,
            session->nwaiting * sizeof(session->waiting[0]));
    session->job.run = run;
    session->job.done = done;
    session->begun_us = clock_monotonic_us(session->clock);
    session->running = true;
    pool_submit(session->pool, &session->job);
}

void session_frame(struct session *session, const struct msg_ocr_frame *frame, int fd)
{
    struct waiting arrived = {.frame = *frame};
    const int r = memfd_map(fd, frame->bytes, DECODE_FRAME_MOST, &arrived.map);
    uint32_t skipped;

    close(fd);
    if (r < 0) {
        say(session, frame->frame, FAILURE_FACE_FRAME_UNREADABLE, 0, NULL);
        return;
    }
    if (session->nwaiting < WAITING_MOST) {
        session->waiting[session->nwaiting++] = arrived;
        run_next(session);
        return;
    }
    /* The newest picture is worth most. */
    skipped = session->waiting[0].frame.frame;
    drop(&session->waiting[0]);
    memmove(session->waiting, session->waiting + 1,
            (WAITING_MOST - 1) * sizeof(session->waiting[0]));
    session->waiting[WAITING_MOST - 1] = arrived;
    say(session, skipped, FAILURE_DESK_BUSY, 0, NULL);
}

int session_new(struct session **out, struct pool *pool, struct clock *clock, uint64_t visit,
                const uint8_t key[SEAL_POINT], session_answer_fn *answer, void *arg)
{
    static const char trial[SEAL_NUMBER + 1] = "00000000000000";
    struct session *session = calloc(1, sizeof(*session));
    uint8_t sealed[SEAL_BYTES];
    int r = -ENOMEM;

    *out = NULL;
    if (session == NULL)
        return r;
    r = secret_new(&session->room, sizeof(struct private));
    /* A key that nothing can be sealed to is found out now, not after the patient has held the card
     * up. */
    if (r == 0)
        r = seal_number_b(key, visit, trial, sealed);
    if (r < 0) {
        secret_free(&session->room);
        free(session);
        return r;
    }
    session->room.len = sizeof(struct private);
    session->pool = pool;
    session->clock = clock;
    session->visit = visit;
    session->answer = answer;
    session->arg = arg;
    memcpy(session->key, key, SEAL_POINT);
    *out = session;
    return 0;
}

void session_free(struct session **session_ref)
{
    struct session *session = *session_ref;

    *session_ref = NULL;
    if (session == NULL)
        return;
    if (session->running)
        session->ended = true;
    else
        destroy(session);
}

uint64_t session_visit(const struct session *session)
{
    return session->visit;
}
