/*
 * The whole frame path: a visit of frames, each decoded, searched for a face or followed, aligned,
 * judged, embedded, compared over time; sizes, formats and bytes are the input's. The nets are tiny and
 * made here (tests/unit/matcher_nets.h). What must hold: a report whose numbers are numbers, a
 * decision that stands, and no acceptance without frames that were good.
 */
#include "fuzz.h"

#include "daemon/matcher/decision.h"
#include "daemon/matcher/dnn.h"
#include "daemon/matcher/engine.h"
#include "daemon/matcher/presence.h"
#include "tests/unit/matcher_nets.h"

#include <math.h>
#include <stdlib.h>

static struct engine *engine;
static struct manifest *manifest;
static struct embedding reference;

static void open_once(void)
{
    char why[MANIFEST_WHY];

    if (engine != NULL)
        return;
    dnn_setup();
    manifest = tiny_set();
    FUZZ_CHECK(manifest != NULL);
    FUZZ_CHECK(engine_new(&engine, manifest, why) == 0);
    FUZZ_CHECK(embedding_new(&reference, manifest) == 0);
    for (int i = 0; i < reference.dimensions; i++)
        embedding_floats(&reference)[i] = 0.25f;
}

/* What quality.h measured is a number, whatever the picture was. */
static void check_quality(const struct quality *q)
{
    FUZZ_CHECK(isfinite(q->eyes) && isfinite(q->height) && isfinite(q->outside));
    FUZZ_CHECK(isfinite(q->light) && isfinite(q->contrast) && isfinite(q->around));
    FUZZ_CHECK(isfinite(q->sharp) && isfinite(q->yaw) && isfinite(q->pitch) && isfinite(q->roll));
    FUZZ_CHECK(isfinite(q->skin_red) && isfinite(q->mouth_red) && isfinite(q->mouth_rough));
    FUZZ_CHECK(isfinite(q->eyes_light) && isfinite(q->eyes_rough));
}

static void one_frame(struct fuzz_input *in, struct decision_state *decision,
                      struct presence *presence, struct track *track, uint64_t *now)
{
    static const struct decision_rule rule = {.threshold = 0.41f,
                                              .different = 0.24f,
                                              .noise = DECISION_NOISE,
                                              .live_pass = 0.5f,
                                              .live_fail = 0.2f,
                                              .policy = PRESENCE_CHALLENGE};
    static const struct presence_rule bounds = {0.5f, 0.41f, 0.24f, true};
    const unsigned want = WANT_LIVENESS | WANT_TRACE |
                          (fuzz_u8(in) & (WANT_PREVIEW | WANT_GRID | WANT_ANYWAY | WANT_MIRRORED));
    struct frame frame = {.format = fuzz_u8(in), .width = fuzz_u16(in), .height = fuzz_u16(in)};
    const uint32_t step = fuzz_u32(in);
    struct frame_report r;
    uint8_t *data;
    const enum decision before = decision->decision;

    data = fuzz_piece_copy(in, 16384, &frame.len);
    frame.data = data;
    *now += step % 2000000;
    track->now_us = *now;
    engine_follow(engine, &frame, &reference, want, track, &r);
    free(data);
    FUZZ_CHECK((unsigned)r.failure < FAILURE_COUNT);
    FUZZ_CHECK(track->left <= 2 && (!r.followed || r.score_known));
    check_quality(&r.quality);
    if (r.failure == FAILURE_NONE)
        FUZZ_CHECK(r.score_known && isfinite(r.score) && r.score <= 1.001f && r.score >= -1.001f);
    if (r.live_known)
        FUZZ_CHECK(r.live >= 0 && r.live <= 1);
    FUZZ_CHECK(isfinite(r.grid));
    if (r.failure == FAILURE_NONE)
        decision_add(decision, &rule, *now, false, r.score, r.live_known ? &r.live : NULL);
    presence_add(presence, &bounds,
                 &(struct presence_frame){.captured_us = *now,
                                          .width = r.width,
                                          .height = r.height,
                                          .box = r.box,
                                          .points = r.points_known ? r.points : NULL,
                                          .small = r.small,
                                          .grid = r.grid,
                                          .yaw = r.quality.yaw,
                                          .eyes = r.quality.eyes,
                                          .live_known = r.live_known,
                                          .score_known = r.score_known,
                                          .live = r.live,
                                          .score = r.score});
    if (presence_open(presence))
        presence_ask(presence, *now);
    decision_presence(decision, &rule, presence->state, presence_watched(presence));
    FUZZ_CHECK(before == DECISION_NOT_YET || decision->decision == before);
    FUZZ_CHECK(decision->decision != DECISION_SAME ||
               (decision->above_frames >= 2 && presence->state == LIVENESS_PASSED));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct decision_state decision;
    struct presence presence;
    struct track track = {0};
    uint64_t now = 1000000;
    uint8_t first;

    open_once();
    decision_init(&decision);
    first = fuzz_u8(&in);
    track.least = first % 2 == 1 ? -2 : 0.41f; /* whatever it scores, or as a visit does */
    FUZZ_CHECK(presence_init(&presence, first) == 0);
    for (unsigned i = 0; i < 12 && in.left > 0; i++)
        one_frame(&in, &decision, &presence, &track, &now);
    presence_free(&presence);
    return 0;
}

void fuzz_seeds(void)
{
    static struct fuzz_seed seed;
    static uint8_t yuy2[96 * 64 * 2];

    seed_u8(&seed, 1);
    for (unsigned n = 0; n < 4; n++) {
        for (unsigned i = 0; i < sizeof(yuy2); i++)
            yuy2[i] = (uint8_t)(i % 2 == 0 ? 90 + (i * (n + 3)) % 97 : 128);
        seed_u8(&seed, 0xff);
        seed_u8(&seed, DECODE_YUY2);
        seed_u16(&seed, 96);
        seed_u16(&seed, 64);
        seed_u32(&seed, 150000);
        seed_piece(&seed, yuy2, sizeof(yuy2));
    }
    seed_write(&seed, "visit");
    seed_u8(&seed, 2);
    seed_u8(&seed, 0);
    seed_u8(&seed, DECODE_MJPEG);
    seed_u16(&seed, 640);
    seed_u16(&seed, 480);
    seed_u32(&seed, 66667);
    seed_piece_hex(
        &seed,
        "ffd8 ffdb 0043 00 ffc0 000b 08 0010 0010 01 01 11 00 ffda 0008 01 01 00 00 3f 00 00 ffd9");
    seed_write(&seed, "jpeg");
}
