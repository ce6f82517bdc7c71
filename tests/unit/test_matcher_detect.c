/* Reading a detector's tensors, made by hand, and what is left of them. */
#include "daemon/matcher/detect.h"
#include "daemon/matcher/embed.h"
#include "daemon/matcher/liveness.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct model ultraface = {.width = 320,
                                       .height = 240,
                                       .decoding = DECODING_ULTRAFACE,
                                       .score_threshold = 0.65f,
                                       .nms_threshold = 0.4f};

static struct dnn_tensor tensor(const float *data, int rows, int columns)
{
    return (struct dnn_tensor){data, (size_t)rows * (size_t)columns, 3, {1, rows, columns}};
}

static void boxes_come_back_in_pixels_of_the_frame(void **context)
{
    /* Two faces, a duplicate of the first that overlaps by far more than 0.4, and one below the score. */
    static const float boxes[] = {0.25f, 0.25f, 0.50f, 0.75f, 0.26f, 0.25f, 0.51f, 0.75f,
                                  0.75f, 0.50f, 0.85f, 0.70f, 0.10f, 0.10f, 0.20f, 0.20f};
    static const float scores[] = {0.1f, 0.9f, 0.01f, 0.99f, 0.2f, 0.8f, 0.4f, 0.6f};
    const struct dnn_tensor out[] = {tensor(scores, 4, 2), tensor(boxes, 4, 4)}; /* in any order */
    const struct image frame = {.width = 640, .height = 480};
    const struct warp_map map = detect_map(&ultraface, &frame, 0);
    struct detection found[8];
    size_t n;

    (void)context;
    assert_int_equal(detect_read(&ultraface, out, 2, &map, 640, 480, found, 8, &n), 0);
    assert_int_equal(n, 2);
    assert_float_equal(found[0].score, 0.99,
                       1e-6); /* best first: the duplicate with the better score stays */
    assert_float_equal(found[0].box.x0, 0.26 * 640, 0.01);
    assert_float_equal(found[0].box.y0, 0.25 * 480, 0.01);
    assert_float_equal(found[0].box.x1, 0.51 * 640, 0.01);
    assert_float_equal(found[0].box.y1, 0.75 * 480, 0.01);
    assert_float_equal(found[1].score, 0.8, 1e-6);
    assert_int_equal(detect_nearest(found, n), 0);
}

static void a_picture_of_another_shape_stands_in_the_upper_left_corner(void **context)
{
    /* 250 x 250 into 320 x 240: scaled by 240/250; the right part of the input is empty. */
    static const float boxes[] = {0.375f, 0.5f, 0.9f, 1.2f};
    static const float scores[] = {0, 1};
    const struct dnn_tensor out[] = {tensor(boxes, 1, 4), tensor(scores, 1, 2)};
    const struct image picture = {.width = 250, .height = 250};
    const struct warp_map map = detect_map(&ultraface, &picture, 0);
    struct detection found[1];
    size_t n;

    (void)context;
    assert_float_equal(map.a, 250.0 / 240, 1e-5);
    assert_float_equal(map.e, 250.0 / 240, 1e-5);
    assert_int_equal(detect_read(&ultraface, out, 2, &map, 250, 250, found, 1, &n), 0);
    assert_int_equal(n, 1);
    assert_float_equal(found[0].box.x0, 125, 0.01);
    assert_float_equal(found[0].box.y0, 125, 0.01);
    assert_float_equal(found[0].box.x1, 250, 0.01); /* clipped */
    assert_float_equal(found[0].box.y1, 250, 0.01);
}

static void the_nearest_is_the_largest_not_the_surest(void **context)
{
    const struct detection found[] = {
        {{10, 10, 50, 60}, 0.99f}, {{200, 50, 320, 200}, 0.70f}, {{400, 10, 480, 120}, 0.95f}};

    (void)context;
    assert_int_equal(detect_nearest(found, 3), 1);
}

static void suppression_keeps_the_best_of_each_cluster(void **context)
{
    /* Overlaps with the first: 0.6 / 1.4 = 0.43 (goes at 0.4, stays at 0.5), and 0.333 (stays). */
    const struct detection all[] = {
        {{0, 0, 10, 10}, 0.9f}, {{4, 0, 14, 10}, 0.8f}, {{0, 5, 10, 15}, 0.7f}};
    struct detection found[3];

    (void)context;
    memcpy(found, all, sizeof(all));
    assert_int_equal(detect_suppress(found, 3, 0.4f), 2);
    assert_float_equal(found[1].score, 0.7, 1e-6);
    memcpy(found, all, sizeof(all));
    assert_int_equal(detect_suppress(found, 3, 0.5f), 3);
}

static void outputs_of_another_shape_are_refused(void **context)
{
    static const float data[16] = {0};
    const struct dnn_tensor both[] = {tensor(data, 4, 4), tensor(data, 3, 2)};
    const struct dnn_tensor odd[] = {tensor(data, 2, 5), tensor(data, 2, 2)};
    const struct warp_map map = {.a = 1, .e = 1};
    struct detection found[4];
    size_t n;

    (void)context;
    assert_int_equal(detect_read(&ultraface, both, 2, &map, 320, 240, found, 4, &n), -EINVAL);
    assert_int_equal(detect_read(&ultraface, odd, 2, &map, 320, 240, found, 4, &n), -EINVAL);
    assert_int_equal(detect_read(&ultraface, both, 1, &map, 320, 240, found, 4, &n), -EINVAL);
}

static void numbers_that_are_none_find_nothing(void **context)
{
    const float boxes[] = {NAN, NAN, NAN, NAN, -INFINITY, 0, INFINITY, 1, 0.5f, 0.5f, 0.4f, 0.4f};
    const float scores[] = {0, 0.9f, 0, NAN, 0, 0.9f};
    const struct dnn_tensor out[] = {tensor(boxes, 3, 4), tensor(scores, 3, 2)};
    const struct warp_map map = {.a = 1, .e = 1};
    struct detection found[4];
    size_t n;

    (void)context;
    assert_int_equal(detect_read(&ultraface, out, 2, &map, 320, 240, found, 4, &n), 0);
    assert_int_equal(n, 0);
}

static void yunet_cells_become_boxes(void **context)
{
    static const struct model yunet = {.width = 64,
                                       .height = 32,
                                       .decoding = DECODING_YUNET,
                                       .score_threshold = 0.6f,
                                       .nms_threshold = 0.3f};
    static float cls[3][32], obj[3][32], box[3][128], kps[3][320];
    static const int cells[3] = {32, 8, 2};
    struct dnn_tensor out[12];
    const struct warp_map map = {.a = 2, .e = 2};
    struct detection found[4];
    size_t n;

    (void)context;
    for (int k = 0; k < 3; k++) {
        out[k] = tensor(cls[k], cells[k], 1);
        out[3 + k] = tensor(obj[k], cells[k], 1);
        out[6 + k] = tensor(box[k], cells[k], 4);
        out[9 + k] = tensor(kps[k], cells[k], 10);
    }
    /* Stride 16 has 4 x 2 cells: cell (2, 1), centre (2.5, 0.5 + 1) * 16, size (16, 16 e^0.5). score sqrt(0.81 * 0.64) */
    cls[1][6] = 0.81f;
    obj[1][6] = 0.64f;
    box[1][24] = 0.5f;
    box[1][25] = 0.5f;
    box[1][27] = 0.5f;
    assert_int_equal(detect_read(&yunet, out, 12, &map, 128, 64, found, 4, &n), 0);
    assert_int_equal(n, 1);
    assert_float_equal(found[0].score, 0.72, 1e-5);
    assert_float_equal(found[0].box.x0, (40 - 8) * 2, 1e-3);
    assert_float_equal(found[0].box.x1, (40 + 8) * 2, 1e-3);
    assert_float_equal(found[0].box.y0, (24 - 8 * 1.6487213) * 2, 1e-3);
    assert_int_equal(detect_read(&yunet, out, 11, &map, 128, 64, found, 4, &n), -EINVAL);
}

static void an_embedding_has_length_one_and_its_cosine_is_the_textbook_one(void **context)
{
    const float a[4] = {3, 0, 4, 0}, b[4] = {0, 0, 2, 0}, none[4] = {0}, bad[4] = {1, NAN, 0, 0};
    struct dnn_tensor t = {a, 4, 2, {1, 4}};
    float x[4], y[4];

    (void)context;
    assert_int_equal(embed_read(&t, 1, 4, x), 0);
    assert_float_equal(x[0], 0.6, 1e-6);
    t.data = b;
    assert_int_equal(embed_read(&t, 1, 4, y), 0);
    assert_float_equal(embed_cosine(x, y, 4), 0.8, 1e-6);
    t.data = none;
    assert_int_equal(embed_read(&t, 1, 4, y), -EINVAL);
    t.data = bad;
    assert_int_equal(embed_read(&t, 1, 4, y), -EINVAL);
    assert_int_equal(embed_read(&t, 1, 5, y), -EINVAL);
}

static void liveness_is_a_softmax_over_a_square_inside_the_frame(void **context)
{
    const float logits[3] = {1, 0, 0};
    const struct dnn_tensor t = {logits, 3, 2, {1, 3}};
    const struct image image = {.width = 640, .height = 480};
    const struct box middle = {300, 200, 340, 250}, corner = {0, 0, 40, 50},
                     huge = {100, 20, 500, 470};
    struct box c;
    float live;

    (void)context;
    assert_int_equal(liveness_read(&t, 1, 0, &live), 0);
    assert_float_equal(live, 2.7182818 / (2.7182818 + 2), 1e-6);
    assert_int_equal(liveness_read(&t, 1, 3, &live), -EINVAL);
    c = liveness_crop(&middle, 2.7f, &image);
    assert_float_equal(box_width(&c), 135, 1e-3);
    assert_float_equal(box_height(&c), 135, 1e-3);
    assert_float_equal(c.x0, 320 - 67.5, 1e-3);
    c = liveness_crop(&corner, 2.7f, &image);
    assert_float_equal(c.x0, 0, 1e-3);
    assert_float_equal(c.y1, 135, 1e-3);
    c = liveness_crop(&huge, 2.7f, &image);
    assert_float_equal(box_height(&c), 480, 1e-3);
    assert_true(c.x0 >= 0 && c.x1 <= 640);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boxes_come_back_in_pixels_of_the_frame),
        cmocka_unit_test(a_picture_of_another_shape_stands_in_the_upper_left_corner),
        cmocka_unit_test(the_nearest_is_the_largest_not_the_surest),
        cmocka_unit_test(suppression_keeps_the_best_of_each_cluster),
        cmocka_unit_test(outputs_of_another_shape_are_refused),
        cmocka_unit_test(numbers_that_are_none_find_nothing),
        cmocka_unit_test(yunet_cells_become_boxes),
        cmocka_unit_test(an_embedding_has_length_one_and_its_cosine_is_the_textbook_one),
        cmocka_unit_test(liveness_is_a_softmax_over_a_square_inside_the_frame),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
