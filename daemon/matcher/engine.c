#include "engine.h"

#include "align.h"
#include "dnn.h"
#include "landmarks.h"
#include "liveness.h"
#include "preview.h"
#include "trace.h"
#include "warp.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A second face this near in size leaves open whose turn it is. */
#define RIVAL_AREA 0.6f
/* Room put around a chip photo in which no face was found: detectors dislike a face that fills the
 * picture. */
#define PHOTO_MARGIN 0.35f
#define QUALITY_SIDE 112

struct engine {
    struct model models[MODEL_ROLES]; /* without the files */
    struct dnn_net *nets[MODEL_ROLES];
    struct decoder *decoder;
    struct preview *preview;
    struct image image;
    struct secret blob;  /* the floats that go into a net */
    struct secret small; /* TRACE_BYTES */
    struct embedding probe;
    size_t largest; /* floats that the largest net wants */
};

int embedding_new(struct embedding *embedding, const struct manifest *manifest)
{
    const int dimensions = manifest->models[MODEL_RECOGNISER].dimensions;
    const size_t size = (size_t)dimensions * sizeof(float);
    int r = secret_new(&embedding->value, size);

    if (r < 0)
        return r;
    embedding->value.len = size;
    embedding->dimensions = dimensions;
    return 0;
}

void embedding_free(struct embedding *embedding)
{
    secret_free(&embedding->value);
    embedding->dimensions = 0;
}

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Microseconds since *from, and *from moved to now. */
static uint32_t lap(uint64_t *from)
{
    const uint64_t now = now_us();
    const uint32_t us = (uint32_t)(now - *from);

    *from = now;
    return us;
}

static float *blob(const struct engine *engine)
{
    return (float *)(void *)engine->blob.data;
}

static size_t input_floats(const struct model *model)
{
    return (size_t)model_channels(model) * (size_t)model->width * (size_t)model->height;
}

static int run(struct engine *engine, enum model_role role, struct dnn_tensor *out, size_t *count)
{
    return dnn_run(engine->nets[role], blob(engine), out, DNN_OUTPUTS_MAX, count);
}

static void feed(struct engine *engine, enum model_role role, const struct warp_map *map)
{
    const struct model *m = &engine->models[role];

    warp_to_floats(&engine->image, map, m->width, m->height, &m->format, blob(engine));
}

/* ---- the steps ------------------------------------------------------------------------------- */

static int find_faces(struct engine *engine, float margin, struct detection *found, size_t *count)
{
    const struct model *m = &engine->models[MODEL_DETECTOR];
    const struct warp_map map = detect_map(m, &engine->image, margin);
    struct dnn_tensor out[DNN_OUTPUTS_MAX];
    size_t n;
    int r;

    feed(engine, MODEL_DETECTOR, &map);
    r = run(engine, MODEL_DETECTOR, out, &n);
    if (r < 0)
        return r;
    return detect_read(m, out, n, &map, engine->image.width, engine->image.height, found,
                       DETECT_MOST, count);
}

static int find_points(struct engine *engine, const struct box *face,
                       struct point points[LANDMARKS], struct point five[FACE_POINTS])
{
    const struct model *m = &engine->models[MODEL_LANDMARKS];
    const struct box crop = landmarks_crop(face, &engine->image);
    const struct warp_map map = warp_of_box(&crop, m->width, m->height);
    struct dnn_tensor out[DNN_OUTPUTS_MAX];
    size_t n;
    int r;

    feed(engine, MODEL_LANDMARKS, &map);
    r = run(engine, MODEL_LANDMARKS, out, &n);
    if (r < 0)
        return r;
    r = landmarks_read(out, n, &crop, points);
    if (r < 0)
        return r;
    landmarks_five(points, five);
    return 0;
}

/* The same face seen in a mirror: column X of the net's input is column side - X of what it was. */
static struct warp_map mirrored(const struct warp_map *m, int side)
{
    return (struct warp_map){.a = -m->a,
                             .b = m->b,
                             .c = m->a * (float)side + m->c,
                             .d = -m->d,
                             .e = m->e,
                             .f = m->d * (float)side + m->f};
}

static int embed_face(struct engine *engine, const struct warp_map *map, bool mirror,
                      struct embedding *out)
{
    const struct warp_map seen =
        mirror ? mirrored(map, engine->models[MODEL_RECOGNISER].width) : *map;
    struct dnn_tensor tensors[DNN_OUTPUTS_MAX];
    size_t n;
    int r;

    feed(engine, MODEL_RECOGNISER, &seen);
    r = run(engine, MODEL_RECOGNISER, tensors, &n);
    if (r < 0)
        return r;
    return embed_read(tensors, n, out->dimensions, embedding_floats(out));
}

static int score_liveness(struct engine *engine, const struct box *face, float *out)
{
    const struct model *m = &engine->models[MODEL_LIVENESS];
    const struct box crop = liveness_crop(face, m->crop, &engine->image);
    const struct warp_map map = warp_of_box(&crop, m->width, m->height);
    struct dnn_tensor tensors[DNN_OUTPUTS_MAX];
    size_t n;
    int r;

    feed(engine, MODEL_LIVENESS, &map);
    r = run(engine, MODEL_LIVENESS, tensors, &n);
    if (r < 0)
        return r;
    return liveness_read(tensors, n, m->live_class, out);
}

static float box_area(const struct box *b)
{
    return box_width(b) * box_height(b);
}

/* The nearest face, or why it cannot be told. `report` gets box and count. */
static enum failure choose_face(const struct detection *found, size_t count,
                                struct frame_report *report)
{
    size_t nearest;

    report->faces = (unsigned)count;
    if (count == 0)
        return FAILURE_FACE_NONE;
    nearest = detect_nearest(found, count);
    report->box = found[nearest].box;
    for (size_t i = 0; i < count; i++)
        if (i != nearest && box_area(&found[i].box) > RIVAL_AREA * box_area(&report->box))
            return FAILURE_FACE_SEVERAL;
    return FAILURE_NONE;
}

/* ---- whole pictures -------------------------------------------------------------------------- */

/* What presence.h compares over time. */
static void leave_trace(struct engine *engine, unsigned want, struct frame_report *report,
                        uint64_t *clock)
{
    if ((want & WANT_TRACE) == 0)
        return;
    trace_small(&engine->image, engine->small.data);
    report->small = engine->small.data;
    if ((want & WANT_GRID) != 0)
        report->grid = trace_grid(&engine->image, &report->box, blob(engine));
    report->trace_us = lap(clock);
}

/* The face as the recogniser wants it laid. */
static int align_for_net(const struct engine *engine, const struct point five[FACE_POINTS],
                         struct warp_map *map)
{
    const struct model *m = &engine->models[MODEL_RECOGNISER];

    return align_map_to(five, m->alignment, m->width, map, NULL);
}

/* Light, contrast, cover: on the ArcFace template, whatever the recogniser's is. */
static void measure_light(struct engine *engine, const struct point five[FACE_POINTS],
                          struct frame_report *report)
{
    struct warp_map map;

    if (align_map(five, QUALITY_SIDE, &map, NULL) == 0)
        quality_of_light(&engine->image, &map, QUALITY_SIDE, &report->quality);
}

/* Quality of a face whose points are known. */
static enum failure judge_face(struct engine *engine, const struct point five[FACE_POINTS],
                               struct frame_report *report)
{
    enum failure failure;

    quality_of_shape(&engine->image, &report->box, five, &report->quality);
    failure = quality_judge_shape(&report->quality, &quality_bounds_default);
    if (failure == FAILURE_NONE) {
        measure_light(engine, five, report);
        failure = quality_judge_light(&report->quality, &quality_bounds_default);
    }
    return failure;
}

/* The face is at report->box: points, quality, score. */
static enum failure compare_face(struct engine *engine, const struct embedding *reference,
                                 unsigned want, struct frame_report *report, uint64_t *clock)
{
    struct point five[FACE_POINTS];
    struct warp_map map;
    enum failure failure;
    int r;

    r = find_points(engine, &report->box, report->points, five);
    report->points_known = r == 0;
    if (r == 0)
        r = align_for_net(engine, five, &map);
    if (r < 0) {
        report->landmarks_us = lap(clock);
        return FAILURE_FACE_COVERED;
    }
    failure = judge_face(engine, five, report);
    report->landmarks_us = lap(clock);
    if (failure != FAILURE_NONE &&
        !((want & WANT_ANYWAY) != 0 &&
          (failure == FAILURE_FACE_TURNED || failure == FAILURE_FACE_TOO_LARGE)))
        return failure;
    r = embed_face(engine, &map, (want & WANT_MIRRORED) != 0, &engine->probe);
    report->embed_us = lap(clock);
    if (r < 0)
        return FAILURE_FACE_UNAVAILABLE;
    report->score = embed_cosine(embedding_floats(&engine->probe), embedding_floats(reference),
                                 reference->dimensions);
    report->score_known = true;
    return failure;
}

/* What only a face that is there gets: its trace and the liveness score. */
static void look_closer(struct engine *engine, unsigned want, enum failure failure,
                        struct frame_report *report, uint64_t *clock)
{
    if (!report->points_known)
        return;
    leave_trace(engine, want, report, clock);
    if (failure == FAILURE_NONE && (want & WANT_LIVENESS) != 0) {
        report->live_known = score_liveness(engine, &report->box, &report->live) == 0;
        report->live_us = lap(clock);
    }
}

#define FOLLOW_FRAMES 2
#define FOLLOW_GAP_US 200000

/* The box goes where the points go. False: they went nowhere sensible. */
static bool track_move(struct track *track, const struct frame_report *report)
{
    const struct box *b = &track->box;
    const float x = (b->x0 + b->x1) / 2, y = (b->y0 + b->y1) / 2;
    struct warp_map map;
    float scale, w, h, nx, ny;

    if (align_similarity(track->points, report->points, LANDMARKS, &map) < 0)
        return false;
    scale = sqrtf(map.a * map.a + map.d * map.d);
    w = box_width(b) * scale / 2;
    h = box_height(b) * scale / 2;
    nx = map.a * x + map.b * y + map.c;
    ny = map.d * x + map.e * y + map.f;
    if (!(scale > 0.8f && scale < 1.25f) || nx < 0 || ny < 0 || nx > (float)report->width ||
        ny > (float)report->height)
        return false;
    track->box = (struct box){nx - w, ny - h, nx + w, ny + h};
    return true;
}

/* The frame by the last one's face. False: it has to be searched. */
static bool follow(struct engine *engine, const struct embedding *reference, unsigned want,
                   struct track *track, enum failure *failure, struct frame_report *report,
                   uint64_t *clock)
{
    const struct frame_report fresh = *report;

    if (track->left == 0 || track->width != report->width || track->height != report->height ||
        track->now_us < track->last_us || track->now_us - track->last_us > FOLLOW_GAP_US)
        return false;
    report->box = track->box;
    *failure = compare_face(engine, reference, want, report, clock);
    if (!report->score_known || report->score < track->least || !track_move(track, report)) {
        *report = fresh;
        return false;
    }
    report->faces = 1;
    report->followed = true;
    track->left--;
    return true;
}

/* The frame is decoded; everything up to the score. */
static enum failure compare(struct engine *engine, const struct embedding *reference, unsigned want,
                            struct track *track, struct frame_report *report, uint64_t *clock)
{
    struct detection found[DETECT_MOST];
    enum failure failure;
    size_t count;
    int r;

    if (track == NULL || !follow(engine, reference, want, track, &failure, report, clock)) {
        if (track != NULL)
            track->left = 0;
        r = find_faces(engine, 0, found, &count);
        report->detect_us = lap(clock);
        if (r < 0)
            return FAILURE_FACE_UNAVAILABLE;
        failure = choose_face(found, count, report);
        if (failure != FAILURE_NONE)
            return failure;
        failure = compare_face(engine, reference, want, report, clock);
        if (track != NULL && count == 1 && report->score_known && report->score >= track->least) {
            track->left = FOLLOW_FRAMES;
            track->box = report->box;
        }
    }
    if (track != NULL) {
        track->last_us = track->now_us;
        track->width = report->width;
        track->height = report->height;
        memcpy(track->points, report->points, sizeof(track->points));
    }
    look_closer(engine, want, failure, report, clock);
    return failure;
}

void engine_follow(struct engine *engine, const struct frame *frame,
                   const struct embedding *reference, unsigned want, struct track *track,
                   struct frame_report *out)
{
    uint64_t clock = now_us();

    memset(out, 0, sizeof(*out));
    out->failure = decode_frame(engine->decoder, frame->format, frame->width, frame->height,
                                frame->data, frame->len, &engine->image);
    out->decode_us = lap(&clock);
    if (out->failure != FAILURE_NONE)
        return;
    out->width = engine->image.width;
    out->height = engine->image.height;
    out->failure = compare(engine, reference, want, track, out, &clock);
    if ((want & WANT_PREVIEW) != 0) {
        lap(&clock);
        if (preview_make(engine->preview, &engine->image, &out->preview, &out->preview_len) < 0)
            out->preview = NULL;
        out->preview_us = lap(&clock);
    }
}

void engine_frame(struct engine *engine, const struct frame *frame,
                  const struct embedding *reference, unsigned want, struct frame_report *out)
{
    engine_follow(engine, frame, reference, want, NULL, out);
}

/* Of a portrait: the face nearest to the middle of the picture, however large somebody behind may
 * be. */
static size_t middle_face(const struct image *image, const struct detection *found, size_t count)
{
    float least = INFINITY;
    size_t best = 0;

    for (size_t i = 0; i < count; i++) {
        const float x = (found[i].box.x0 + found[i].box.x1 - (float)image->width) / 2;
        const float y = (found[i].box.y0 + found[i].box.y1 - (float)image->height) / 2;

        if (x * x + y * y < least) {
            least = x * x + y * y;
            best = i;
        }
    }
    return best;
}

/* The picture is in engine->image: the face of a portrait and its alignment. `report` gets box,
 * points and quality. */
static enum failure locate(struct engine *engine, bool again_with_margin, struct warp_map *map,
                           struct frame_report *report)
{
    struct detection found[DETECT_MOST];
    struct point five[FACE_POINTS];
    uint64_t clock = now_us();
    size_t count = 0;
    int r;

    r = find_faces(engine, 0, found, &count);
    if (r == 0 && count == 0 && again_with_margin)
        r = find_faces(engine, PHOTO_MARGIN, found, &count);
    report->detect_us = lap(&clock);
    if (r < 0)
        return FAILURE_FACE_UNAVAILABLE;
    report->faces = (unsigned)count;
    if (count == 0)
        return FAILURE_FACE_NONE;
    report->box = found[middle_face(&engine->image, found, count)].box;
    r = find_points(engine, &report->box, report->points, five);
    report->points_known = r == 0;
    if (r == 0)
        r = align_for_net(engine, five, map);
    report->landmarks_us = lap(&clock);
    if (r < 0)
        return FAILURE_FACE_NONE;
    quality_of_shape(&engine->image, &report->box, five, &report->quality);
    measure_light(engine, five, report);
    return FAILURE_NONE;
}

static enum failure decode_still(struct engine *engine, const uint8_t *data, size_t len, bool *jpeg)
{
    *jpeg = len > 2 && data[0] == 0xff && data[1] == 0xd8;
    return *jpeg ? decode_frame(engine->decoder, DECODE_MJPEG, 0, 0, data, len, &engine->image)
                 : decode_photo(data, len, &engine->image);
}

/* `out` = the mean of a vector and its mirror's, of length 1 again. */
static int embed_both(struct engine *engine, const struct warp_map *map, struct embedding *out)
{
    float *sum = embedding_floats(out);
    const float *mirror = embedding_floats(&engine->probe);
    const struct dnn_tensor mean = {.data = sum, .count = (size_t)out->dimensions};
    int r = embed_face(engine, map, true, &engine->probe);

    if (r < 0)
        return r;
    for (int k = 0; k < out->dimensions; k++)
        sum[k] += mirror[k];
    return embed_read(&mean, 1, out->dimensions, sum);
}

/* The picture is in engine->image. */
static enum failure embed_reference(struct engine *engine, struct embedding *out,
                                    struct embedding *single, struct frame_report *report)
{
    struct warp_map map;
    enum failure failure;
    uint64_t clock;

    failure = locate(engine, true, &map, report);
    if (failure != FAILURE_NONE)
        return failure;
    clock = now_us();
    if (embed_face(engine, &map, false, out) < 0)
        return FAILURE_FACE_UNAVAILABLE;
    report->embed_us = lap(&clock);
    if (single != NULL)
        memcpy(single->value.data, out->value.data, out->value.len);
    return embed_both(engine, &map, out) < 0 ? FAILURE_FACE_UNAVAILABLE : FAILURE_NONE;
}

enum failure engine_photo(struct engine *engine, const uint8_t *data, size_t len,
                          struct embedding *out)
{
    struct frame_report report;
    enum failure failure;

    memset(&report, 0, sizeof(report));
    failure = decode_photo(data, len, &engine->image);
    if (failure == FAILURE_NONE) {
        failure = embed_reference(engine, out, NULL, &report);
        if (failure == FAILURE_FACE_NONE)
            failure = FAILURE_FACE_PHOTO_UNREADABLE;
    }
    image_wipe(&engine->image);
    return failure;
}

enum failure engine_reference(struct engine *engine, const uint8_t *data, size_t len,
                              struct embedding *out, struct embedding *single,
                              struct frame_report *report)
{
    enum failure failure;
    bool jpeg;

    memset(report, 0, sizeof(*report));
    failure = decode_still(engine, data, len, &jpeg);
    return failure != FAILURE_NONE ? failure : embed_reference(engine, out, single, report);
}

enum failure engine_still(struct engine *engine, const uint8_t *data, size_t len,
                          struct embedding *out, struct embedding *mirror,
                          struct frame_report *report)
{
    uint64_t clock = now_us();
    enum failure failure;
    struct warp_map map;
    bool jpeg;

    memset(report, 0, sizeof(*report));
    failure = decode_still(engine, data, len, &jpeg);
    report->decode_us = lap(&clock);
    if (failure != FAILURE_NONE)
        return failure;
    report->width = engine->image.width;
    report->height = engine->image.height;
    failure = locate(engine, !jpeg, &map, report);
    if (failure != FAILURE_NONE)
        return failure;
    clock = now_us();
    if (embed_face(engine, &map, false, out) < 0)
        return FAILURE_FACE_UNAVAILABLE;
    report->embed_us = lap(&clock);
    if (mirror != NULL && embed_face(engine, &map, true, mirror) < 0)
        return FAILURE_FACE_UNAVAILABLE;
    lap(&clock);
    report->live_known = score_liveness(engine, &report->box, &report->live) == 0;
    report->live_us = lap(&clock);
    return FAILURE_NONE;
}

enum failure engine_locate(struct engine *engine, const uint8_t *data, size_t len,
                           const struct image **image, struct frame_report *report)
{
    enum failure failure;
    struct warp_map map;
    bool jpeg;

    memset(report, 0, sizeof(*report));
    failure = decode_still(engine, data, len, &jpeg);
    if (failure == FAILURE_NONE)
        failure = locate(engine, !jpeg, &map, report);
    *image = &engine->image;
    return failure;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* Read a run on nothing as the decoding would: a net of the wrong shape cannot pass. */
static int check_outputs(struct engine *engine, enum model_role role, const struct dnn_tensor *out,
                         size_t n)
{
    const struct model *m = &engine->models[role];
    const struct warp_map map = {.a = 1, .e = 1};
    const struct box crop = {0, 0, 1, 1};
    struct detection found[1];
    struct point points[LANDMARKS];
    size_t count;
    float live;
    int r;

    switch (role) {
    case MODEL_DETECTOR:
        return detect_read(m, out, n, &map, m->width, m->height, found, 1, &count);
    case MODEL_LANDMARKS:
        return landmarks_read(out, n, &crop, points);
    case MODEL_RECOGNISER:
        r = embed_read(out, n, m->dimensions, embedding_floats(&engine->probe));
        return r;
    case MODEL_LIVENESS:
        return liveness_read(out, n, m->live_class, &live);
    case MODEL_ROLES:
        break;
    }
    return -EINVAL;
}

static int load_net(struct engine *engine, enum model_role role, const struct model *model,
                    char *why)
{
    const int shape[DNN_DIMS_MAX] = {1, model_channels(model), model->height, model->width};
    struct dnn_tensor out[DNN_OUTPUTS_MAX];
    char reason[DNN_WHY];
    size_t n;
    int r;

    if (model->data == NULL)
        return -EINVAL;
    r = dnn_load(&engine->nets[role], model->data, model->len, shape, reason);
    if (r == 0) {
        snprintf(reason, sizeof(reason),
                 "its shape is not what the manifest says (input %d x %d x %d, decoding)", shape[1],
                 shape[2], shape[3]);
        memset(engine->blob.data, 0, engine->blob.size);
        r = run(engine, role, out, &n);
        if (r == 0)
            r = check_outputs(engine, role, out, n);
    }
    if (r < 0)
        snprintf(why, MANIFEST_WHY,
                 "モデル %s (%s) を使えません: 目録の記述とモデルの形を確かめてください / this "
                 "model cannot be used: %.200s. "
                 "Correct its section of " MANIFEST_FILE " or take the file it was written for",
                 model->file, manifest_role_name(role), reason);
    return r;
}

int engine_new(struct engine **out, const struct manifest *manifest, char *why)
{
    struct engine *engine = calloc(1, sizeof(*engine));
    int r = -ENOMEM;

    *out = NULL;
    why[0] = '\0';
    if (engine == NULL)
        goto out;
    for (int role = 0; role < MODEL_ROLES; role++) {
        const size_t floats = input_floats(&manifest->models[role]);

        engine->models[role] = manifest->models[role];
        engine->models[role].data = NULL;
        engine->models[role].len = 0;
        if (floats > engine->largest)
            engine->largest = floats;
    }
    if (engine->largest < TRACE_WORK)
        engine->largest = TRACE_WORK;
    engine->decoder = decoder_new();
    engine->preview = preview_new();
    if (engine->decoder == NULL || engine->preview == NULL)
        goto out;
    r = secret_new(&engine->blob, engine->largest * sizeof(float));
    if (r == 0)
        r = embedding_new(&engine->probe, manifest);
    if (r == 0)
        r = secret_new(&engine->small, TRACE_BYTES);
    for (int role = 0; role < MODEL_ROLES && r == 0; role++)
        r = load_net(engine, (enum model_role)role, &manifest->models[role], why);
    if (r < 0)
        goto out;
    *out = engine;
    engine = NULL;
out:
    if (r < 0 && why[0] == '\0')
        snprintf(why, MANIFEST_WHY,
                 "照合の準備に必要なメモリーを確保できません(%s)。ulimit -l (LimitMEMLOCK) "
                 "を確かめてください / "
                 "no memory for the matcher: see ulimit -l (LimitMEMLOCK)",
                 strerror(-r));
    engine_free(&engine);
    return r;
}

void engine_wipe(struct engine *engine)
{
    struct dnn_tensor out[DNN_OUTPUTS_MAX];
    size_t n;

    image_wipe(&engine->image);
    preview_wipe(engine->preview);
    explicit_bzero(engine->blob.data, engine->blob.size);
    explicit_bzero(engine->probe.value.data, engine->probe.value.size);
    explicit_bzero(engine->small.data, engine->small.size);
    for (int role = 0; role < MODEL_ROLES; role++)
        (void)run(engine, (enum model_role)role, out, &n);
}

void engine_free(struct engine **engine)
{
    if (*engine == NULL)
        return;
    for (int role = 0; role < MODEL_ROLES; role++)
        dnn_free(&(*engine)->nets[role]);
    decoder_free(&(*engine)->decoder);
    preview_free(&(*engine)->preview);
    image_free(&(*engine)->image);
    secret_free(&(*engine)->blob);
    secret_free(&(*engine)->small);
    embedding_free(&(*engine)->probe);
    free(*engine);
    *engine = NULL;
}
