#include "session.h"

#include "daemon/common/memfd.h"
#include "daemon/common/secret.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PENDING_MOST 2
#define REMEMBERED 64 /* frames whose bytes are recognised when they come again */
#define FROZEN 10     /* the same frame so often: the camera stands still, and that is told */
#define GRID_EVERY 3  /* frames: the spectrum is looked at in one of so many */

struct pending {
    struct msg_match_frame frame;
    const uint8_t *map;
};

enum stage { STAGE_PHOTO, STAGE_READY, STAGE_FAILED };

struct session {
    struct job job; /* first: the job is the session */
    const struct session_shared *shared;
    const struct session_answers *answers;
    void *arg;
    uint64_t visit;
    bool preview;
    bool running; /* the job is with the pool */
    bool ended;   /* free it when the job comes back */
    enum stage stage;
    struct embedding reference;
    struct decision_state decision;
    struct pending pending[PENDING_MOST];
    unsigned npending;
    uint64_t seen[REMEMBERED]; /* digests of frames, a ring */
    unsigned nseen;
    unsigned frozen; /* how often the last frame came again */
    unsigned looked; /* frames handed to the pool */
    struct presence presence;

    /* what runs now; the worker's while `running` */
    const uint8_t *photo;
    uint32_t photo_bytes;
    uint64_t begun_us;
    enum failure photo_failure;
    struct pending current;
    unsigned want;
    struct track track;
    struct frame_report report;
    struct secret small; /* TRACE_BYTES: of the frame that runs */
    uint64_t digest;
    int preview_fd;
};

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void frame_drop(struct pending *pending)
{
    if (pending->map != NULL)
        memfd_unmap(pending->map, pending->frame.bytes);
    memset(pending, 0, sizeof(*pending));
}

static void session_destroy(struct session *session)
{
    for (unsigned i = 0; i < session->npending; i++)
        frame_drop(&session->pending[i]);
    frame_drop(&session->current);
    if (session->photo != NULL)
        memfd_unmap(session->photo, session->photo_bytes);
    if (session->preview_fd >= 0)
        close(session->preview_fd);
    embedding_free(&session->reference);
    presence_free(&session->presence);
    secret_free(&session->small);
    pool_wipe_when_idle(session->shared->pool);
    explicit_bzero(session, sizeof(*session));
    free(session);
}

/* ---- answers --------------------------------------------------------------------------------- */

void session_result_init(struct msg_match_result *result, const struct msg_match_frame *frame)
{
    memset(result, 0, sizeof(*result));
    result->visit = frame->visit;
    result->frame = frame->frame;
    result->liveness_milli = -1;
}

static int32_t milli(double v)
{
    return (int32_t)lrint(v * 1000);
}

/* A length in 1/10000 of the whole. */
static uint16_t part(float v, int whole)
{
    const long p = lrintf(v * 10000 / (float)whole);

    return (uint16_t)(p < 0 ? 0 : p > 10000 ? 10000 : p);
}

static void answer(struct session *session, const struct msg_match_frame *frame,
                   const struct frame_report *report, int preview)
{
    const struct decision_state *d = &session->decision;
    struct msg_match_result result;

    session_result_init(&result, frame);
    result.failure = (uint16_t)report->failure;
    result.score_milli = report->failure == FAILURE_NONE ? milli((double)report->score) : 0;
    result.decision = (uint8_t)d->decision;
    result.liveness = (uint8_t)d->liveness;
    if (d->live_evidence > 0)
        result.liveness_milli = milli(decision_live_mean(d));
    if (report->width > 0 && box_width(&report->box) > 0) {
        result.box_x = part(report->box.x0, report->width);
        result.box_y = part(report->box.y0, report->height);
        result.box_w = part(box_width(&report->box), report->width);
        result.box_h = part(box_height(&report->box), report->height);
    }
    result.faces = (uint16_t)report->faces;
    result.decode_us = report->decode_us;
    result.detect_us = report->detect_us;
    result.embed_us = report->landmarks_us + report->embed_us + report->live_us;
    result.good_frames = d->good_frames;
    result.preview_bytes = preview >= 0 ? (uint32_t)report->preview_len : 0;
    session->answers->result(session->arg, &result, preview);
}

static void answer_failure(struct session *session, const struct msg_match_frame *frame,
                           enum failure failure)
{
    const struct frame_report report = {.failure = failure};

    answer(session, frame, &report, -1);
}

/* ---- on a worker ----------------------------------------------------------------------------- */

/* FNV-1a, 64 bits: to recognise the same bytes, not to withstand somebody who seeks a collision. */
static uint64_t digest_of(const uint8_t *data, size_t len)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < len; i++)
        h = (h ^ data[i]) * UINT64_C(0x100000001b3);
    return h;
}

static void run_photo(struct job *job, struct engine *engine)
{
    struct session *session = (struct session *)job;

    session->photo_failure = FAILURE_FACE_PHOTO_UNREADABLE;
    if (session->photo != NULL || session->photo_bytes == 0)
        session->photo_failure =
            engine_photo(engine, session->photo, session->photo_bytes, &session->reference);
}

static void run_frame(struct job *job, struct engine *engine)
{
    struct session *session = (struct session *)job;
    const struct msg_match_frame *f = &session->current.frame;
    const struct frame frame = {f->format, f->width, f->height, session->current.map, f->bytes};

    session->digest = digest_of(frame.data, frame.len);
    session->track.least = session->shared->rule.threshold;
    session->track.now_us = f->captured_us;
    engine_follow(engine, &frame, &session->reference, session->want, &session->track,
                  &session->report);
    if (session->report.small != NULL) {
        /* Borrowed from the engine, which goes on to others' frames. */
        memcpy(session->small.data, session->report.small, TRACE_BYTES);
        session->report.small = session->small.data;
    }
    session->preview_fd = -1;
    if (session->report.preview != NULL) {
        session->preview_fd =
            memfd_seal("preview", session->report.preview, session->report.preview_len);
        session->report.preview = NULL;
    }
}

/* ---- on the loop ----------------------------------------------------------------------------- */

static void run_next(struct session *session);

/* How many different frames ago the same bytes came, 1 being the last one; 0: never. Remembers
 * them. */
static unsigned seen_before(struct session *session, uint64_t digest)
{
    const unsigned n = session->nseen < REMEMBERED ? session->nseen : REMEMBERED;

    for (unsigned ago = 1; ago <= n; ago++)
        if (session->seen[(session->nseen - ago) % REMEMBERED] == digest)
            return ago;
    session->seen[session->nseen++ % REMEMBERED] = digest;
    return 0;
}

/* What time shows of this frame, and what should be asked; a hint takes the place of the frame's
 * own failure. */
static void watch(struct session *session, const struct msg_match_frame *frame,
                  struct frame_report *report, unsigned ago)
{
    const struct decision_rule *rule = &session->shared->rule;
    const struct presence_rule bounds = {rule->live_pass, rule->threshold, rule->different,
                                         rule->policy == PRESENCE_CHALLENGE};
    struct presence *presence = &session->presence;
    /* Under a mask the points of mouth and chin are guesses, which move like a plane's. */
    const bool covered = report->failure == FAILURE_FACE_COVERED;
    const struct presence_frame seen = {
        .captured_us = frame->captured_us,
        .width = report->width,
        .height = report->height,
        .box = report->box,
        .points = report->points_known && !covered ? report->points : NULL,
        .small = report->small,
        .grid = report->grid,
        .yaw = report->quality.yaw,
        .eyes = report->quality.eyes,
        .live_known = report->live_known,
        .live = report->live,
        .score_known = report->score_known,
        .score = report->score,
    };
    enum failure hint;

    if (rule->policy == PRESENCE_OFF)
        return;
    if (ago > 0 && report->points_known) /* black pictures may be alike */
        presence_repeated(presence, ago);
    else if (ago == 0)
        presence_add(presence, &bounds, &seen);
    decision_presence(&session->decision, rule, presence->state, presence_watched(presence));
    if (session->decision.decision != DECISION_NOT_YET)
        return;
    if (rule->policy == PRESENCE_CHALLENGE && session->decision.matches && presence_open(presence))
        presence_ask(presence, frame->captured_us);
    hint = presence_hint(presence);
    if (hint != FAILURE_NONE &&
        (report->failure == FAILURE_NONE || report->failure == FAILURE_FACE_TURNED ||
         report->failure == FAILURE_FACE_TOO_LARGE))
        report->failure = hint;
}

/* A decoded frame with its report: evidence, decision, and what the person is told. */
static void weigh(struct session *session, const struct msg_match_frame *frame,
                  struct frame_report *report)
{
    const unsigned ago = seen_before(session, session->digest);

    session->frozen = ago == 1 ? session->frozen + 1 : 0;
    if (report->failure == FAILURE_NONE)
        decision_add(&session->decision, &session->shared->rule, frame->captured_us, ago > 0,
                     report->score, report->live_known ? &report->live : NULL);
    watch(session, frame, report, ago);
    if (session->frozen >= FROZEN && report->failure == FAILURE_NONE)
        report->failure = FAILURE_FACE_FRAME_UNREADABLE;
    if (report->failure == FAILURE_NONE &&
        decision_doubtful(&session->decision, &session->shared->rule))
        report->failure = FAILURE_FACE_COVERED;
}

static void photo_done(struct job *job)
{
    struct session *session = (struct session *)job;

    session->running = false;
    if (session->photo != NULL)
        memfd_unmap(session->photo, session->photo_bytes);
    session->photo = NULL;
    if (session->ended) {
        session_destroy(session);
        return;
    }
    session->stage = session->photo_failure == FAILURE_NONE ? STAGE_READY : STAGE_FAILED;
    run_next(session);
    if (session->stage == STAGE_READY) {
        struct msg_match_ready ready = {.visit = session->visit};

        ready.elapsed_ms = (uint32_t)((now_us() - session->begun_us) / 1000);
        ready.threshold_milli = milli((double)session->shared->rule.threshold);
        (void)MESSAGE_TEXT(ready.models, session->shared->manifest->name);
        session->answers->ready(session->arg, &ready);
    } else {
        const struct msg_match_failed failed = {.visit = session->visit,
                                                .failure = (uint16_t)session->photo_failure};

        session->answers->failed(session->arg, &failed);
    }
}

static void frame_done(struct job *job)
{
    struct session *session = (struct session *)job;
    const struct msg_match_frame frame = session->current.frame;
    struct frame_report report = session->report;
    const int preview = session->preview_fd;

    session->running = false;
    session->preview_fd = -1;
    frame_drop(&session->current);
    if (session->ended) {
        if (preview >= 0)
            close(preview);
        session_destroy(session);
        return;
    }
    weigh(session, &frame, &report);
    explicit_bzero(&session->report, sizeof(session->report));
    run_next(session);
    answer(session, &frame, &report, preview); /* may end the session: nothing after it */
    if (preview >= 0)
        close(preview);
}

/* Hand the oldest waiting frame to the pool, if it is free and there is one. */
static void run_next(struct session *session)
{
    if (session->running || session->stage != STAGE_READY || session->npending == 0)
        return;
    session->current = session->pending[0];
    session->npending--;
    memmove(session->pending, session->pending + 1,
            session->npending * sizeof(session->pending[0]));
    session->job.run = run_frame;
    session->job.done = frame_done;
    /* Every second score is of the mirrored face: what the net makes of a side of the light or of the
     * hair goes out of the mean, at no cost. */
    session->want = WANT_LIVENESS | (session->preview ? WANT_PREVIEW : 0) |
                    (session->decision.good_frames % 2 == 1 ? WANT_MIRRORED : 0);
    if (session->shared->rule.policy != PRESENCE_OFF)
        session->want |= WANT_TRACE | (session->looked++ % GRID_EVERY == 0 ? WANT_GRID : 0) |
                         (presence_hint(&session->presence) != FAILURE_NONE ? WANT_ANYWAY : 0);
    session->running = true;
    pool_submit(session->shared->pool, &session->job);
}

void session_frame(struct session *session, const struct msg_match_frame *frame, int fd)
{
    struct pending arrived = {.frame = *frame};
    struct msg_match_frame skipped;
    int r;

    if (session->stage == STAGE_FAILED) {
        close(fd);
        answer_failure(session, frame, FAILURE_FACE_UNAVAILABLE);
        return;
    }
    r = memfd_map(fd, frame->bytes, DECODE_FRAME_MOST, &arrived.map);
    close(fd);
    if (r < 0) {
        answer_failure(session, frame, FAILURE_FACE_FRAME_UNREADABLE);
        return;
    }
    if (session->npending < PENDING_MOST) {
        session->pending[session->npending++] = arrived;
        run_next(session);
        return;
    }
    skipped = session->pending[0].frame;
    frame_drop(&session->pending[0]);
    memmove(session->pending, session->pending + 1,
            (PENDING_MOST - 1) * sizeof(session->pending[0]));
    session->pending[PENDING_MOST - 1] = arrived;
    answer_failure(session, &skipped, FAILURE_DESK_BUSY);
}

/* ---- life ------------------------------------------------------------------------------------ */

int session_new(struct session **out, const struct session_shared *shared, uint64_t visit,
                uint32_t photo_bytes, bool preview, int fd, const struct session_answers *answers,
                void *arg)
{
    struct session *session = calloc(1, sizeof(*session));
    int r = -ENOMEM;

    *out = NULL;
    if (session == NULL)
        goto out;
    session->shared = shared;
    session->answers = answers;
    session->arg = arg;
    session->visit = visit;
    session->preview = preview;
    session->photo_bytes = photo_bytes;
    session->begun_us = now_us();
    session->preview_fd = -1;
    decision_init(&session->decision);
    r = embedding_new(&session->reference, shared->manifest);
    if (r == 0)
        r = presence_init(&session->presence,
                          shared->seed ^ (visit * UINT64_C(0x9e3779b97f4a7c15)));
    if (r == 0)
        r = secret_new(&session->small, TRACE_BYTES);
    if (r < 0)
        goto out;
    session->job.run = run_photo;
    session->job.done = photo_done;
    /* One that cannot be mapped (not sealed, too large) goes the same way and comes back as
     * unreadable. */
    if (memfd_map(fd, photo_bytes, DECODE_PHOTO_MOST, &session->photo) < 0)
        session->photo = NULL;
    session->running = true;
    pool_submit(shared->pool, &session->job);
    *out = session;
    session = NULL;
out:
    if (session != NULL) {
        embedding_free(&session->reference);
        presence_free(&session->presence);
        secret_free(&session->small);
    }
    free(session);
    close(fd);
    return r;
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
        session_destroy(session);
}

uint64_t session_visit(const struct session *session)
{
    return session->visit;
}
