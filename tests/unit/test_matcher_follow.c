/*
 * A face is followed from frame to frame instead of being searched in each: the same decisions for
 * less work, and nothing that comes or goes is overlooked for longer than two frames. On the real
 * models and films: UKETSUKE_MODELS, UKETSUKE_FRAMES.
 */
#include "daemon/matcher/dnn.h"
#include "daemon/matcher/engine.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>
/* cmocka wants the four of C above first */
#include <cmocka.h>

#define THRESHOLD 0.41f
#define STEP_US 66667

static struct manifest *manifest;
static struct engine *engine;
static struct embedding man; /* of the film franck */
static uint8_t bytes[1 << 20];

static struct frame film_frame(const char *film, unsigned n)
{
    struct frame frame = {.format = DECODE_MJPEG, .width = 640, .height = 480, .data = bytes};
    char path[4300];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s/frame_%05u.jpg", getenv("UKETSUKE_FRAMES"), film, n);
    file = fopen(path, "re");
    if (file == NULL)
        fail_msg("cannot open %s", path);
    frame.len = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    return frame;
}

/* The next frame of a film, followed. */
static struct frame_report next(struct track *track, const char *film, unsigned n, uint64_t step_us)
{
    const struct frame frame = film_frame(film, n);
    struct frame_report r;

    track->least = THRESHOLD;
    track->now_us += step_us;
    engine_follow(engine, &frame, &man, 0, track, &r);
    return r;
}

/* The same JPEG with its blocks in the opposite order, without loss: what stands left stands right. */
static struct frame seen_in_a_mirror(const struct frame *frame)
{
    static uint8_t turned[1 << 20];
    unsigned char *out = NULL;
    unsigned long len = 0;
    tjtransform transform = {.op = TJXOP_HFLIP, .options = TJXOPT_TRIM};
    tjhandle jpeg = tjInitTransform();
    struct frame other = *frame;

    assert_non_null(jpeg);
    assert_int_equal(tjTransform(jpeg, frame->data, frame->len, 1, &out, &len, &transform, 0), 0);
    assert_in_range(len, 1, sizeof(turned));
    memcpy(turned, out, len);
    tjFree(out);
    tjDestroy(jpeg);
    other.data = turned;
    other.len = len;
    return other;
}

static void a_mirrored_score_is_that_of_the_picture_in_a_mirror(void **state)
{
    float asked = 0, unasked = 0;

    (void)state;
    for (unsigned n = 1; n <= 100; n += 5) {
        const struct frame frame = film_frame("franck", n), mirror = seen_in_a_mirror(&frame);
        struct frame_report plain, wanted, turned;

        engine_frame(engine, &frame, &man, 0, &plain);
        engine_frame(engine, &frame, &man, WANT_MIRRORED, &wanted);
        engine_frame(engine, &mirror, &man, 0, &turned);
        assert_true(plain.score_known && wanted.score_known && turned.score_known);
        asked += fabsf(wanted.score - turned.score);
        unasked += fabsf(plain.score - turned.score);
    }
    print_message("mirrored: %.4f from the turned picture's score, as it is: %.4f\n",
                  (double)asked / 20, (double)unasked / 20);
    assert_true(asked < 0.7f * unasked);
}

static void a_photo_and_its_mirror_are_nearly_one_reference(void **state)
{
    const struct frame frame = film_frame("franck", 300), mirror = seen_in_a_mirror(&frame);
    struct embedding both[2], single[2];
    struct frame_report r;
    float together, apart;

    (void)state;
    for (int i = 0; i < 2; i++) {
        const struct frame *one = i == 0 ? &frame : &mirror;

        assert_int_equal(embedding_new(&both[i], manifest), 0);
        assert_int_equal(embedding_new(&single[i], manifest), 0);
        assert_int_equal(engine_reference(engine, one->data, one->len, &both[i], &single[i], &r),
                         FAILURE_NONE);
    }
    together =
        embed_cosine(embedding_floats(&both[0]), embedding_floats(&both[1]), both[0].dimensions);
    apart = embed_cosine(embedding_floats(&single[0]), embedding_floats(&single[1]),
                         single[0].dimensions);
    print_message("cosine of a photo and its mirror: %.4f as both, %.4f as they are\n",
                  (double)together, (double)apart);
    assert_true(1 - together < 0.6f * (1 - apart));
    assert_true(embed_cosine(embedding_floats(&both[0]), embedding_floats(&both[0]),
                             both[0].dimensions) > 0.9999f);
    for (int i = 0; i < 2; i++) {
        embedding_free(&both[i]);
        embedding_free(&single[i]);
    }
}

static void two_of_three_frames_are_not_searched_and_score_the_same(void **state)
{
    struct track track = {0};
    unsigned followed = 0;

    (void)state;
    for (unsigned n = 1; n <= 30; n++) {
        const struct frame_report r = next(&track, "franck", n, STEP_US);
        const struct frame frame = film_frame("franck", n);
        struct frame_report whole;

        engine_frame(engine, &frame, &man, 0, &whole);
        assert_int_equal(r.failure, whole.failure);
        assert_true(fabsf(r.score - whole.score) < 0.06f); /* the noise of frames is 0.03 to 0.05 */
        assert_true(fabsf(r.box.x0 - whole.box.x0) < 0.15f * box_width(&whole.box));
        assert_true(fabsf(r.box.y1 - whole.box.y1) < 0.15f * box_width(&whole.box));
        assert_false(whole.followed);
        assert_int_equal(r.followed, n % 3 != 1);
        followed += r.followed;
    }
    assert_int_equal(followed, 20);
}

static void somebody_else_in_his_place_is_searched_for_at_once(void **state)
{
    struct track track = {0};
    struct frame_report r;

    (void)state;
    assert_false(next(&track, "franck", 1, STEP_US).followed);
    assert_true(next(&track, "franck", 2, STEP_US).followed);
    for (unsigned n = 1; n <= 4; n++) {
        r = next(&track, "cap12", n, STEP_US);
        assert_false(r.followed);
        assert_true(r.score < 0.24f);
    }
}

static void a_face_that_has_gone_is_none_in_the_next_frame(void **state)
{
    static uint8_t black[640 * 480 * 2];
    const struct frame frame = {DECODE_YUY2, 640, 480, black, sizeof(black)};
    struct track track = {0};
    struct frame_report r;

    (void)state;
    for (size_t i = 1; i < sizeof(black); i += 2)
        black[i] = 128;
    (void)next(&track, "franck", 1, STEP_US);
    track.now_us += STEP_US;
    engine_follow(engine, &frame, &man, 0, &track, &r);
    assert_int_equal(r.failure, FAILURE_FACE_NONE);
    assert_false(r.followed);
    assert_int_equal(track.left, 0);
}

static void a_second_face_is_noticed_two_frames_later_at_most(void **state)
{
    struct track track = {0};
    unsigned most = 0;

    (void)state;
    (void)next(&track, "franck", 1, STEP_US);
    for (unsigned n = 1; n <= 3; n++) {
        const struct frame_report r = next(&track, "companion", n, STEP_US);

        most = r.faces > most ? r.faces : most;
    }
    assert_in_range(most, 2, 10);
}

static void a_gap_or_another_size_ends_the_following(void **state)
{
    struct track track = {0};

    (void)state;
    (void)next(&track, "franck", 1, STEP_US);
    assert_false(next(&track, "franck", 2, 300000).followed);
    assert_true(next(&track, "franck", 3, STEP_US).followed);
    assert_false(next(&track, "franck/half", 4, STEP_US).followed);
    track.now_us -= 2 * STEP_US; /* a clock that goes back */
    assert_false(next(&track, "franck", 5, 0).followed);
}

static int setup(void **state)
{
    char why[MANIFEST_WHY];
    struct frame_report r;
    struct frame frame;

    (void)state;
    dnn_setup();
    if (getenv("UKETSUKE_MODELS") == NULL || getenv("UKETSUKE_FRAMES") == NULL) {
        fprintf(stderr, "UKETSUKE_MODELS and UKETSUKE_FRAMES must name directories\n");
        return -1;
    }
    if (manifest_load(&manifest, getenv("UKETSUKE_MODELS"), why) < 0 ||
        engine_new(&engine, manifest, why) < 0 || embedding_new(&man, manifest) < 0)
        return -1;
    frame = film_frame("franck", 300);
    return engine_still(engine, frame.data, frame.len, &man, NULL, &r) == FAILURE_NONE ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    embedding_free(&man);
    engine_free(&engine);
    manifest_free(&manifest);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mirrored_score_is_that_of_the_picture_in_a_mirror),
        cmocka_unit_test(a_photo_and_its_mirror_are_nearly_one_reference),
        cmocka_unit_test(two_of_three_frames_are_not_searched_and_score_the_same),
        cmocka_unit_test(somebody_else_in_his_place_is_searched_for_at_once),
        cmocka_unit_test(a_face_that_has_gone_is_none_in_the_next_frame),
        cmocka_unit_test(a_second_face_is_noticed_two_frames_later_at_most),
        cmocka_unit_test(a_gap_or_another_size_ends_the_following),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
