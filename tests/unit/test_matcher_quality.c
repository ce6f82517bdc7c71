/* Guidance: each reason from a picture or a set of points that is made for it. */
#include "daemon/matcher/align.h"
#include "daemon/matcher/quality.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { W = 640, H = 480 };

static struct image image;
static const struct quality_bounds *const bounds = &quality_bounds_default;

/* A frontal face of a given distance between the eyes, its middle at (x, y). */
static void frontal(struct point five[FACE_POINTS], float x, float y, float eyes)
{
    five[POINT_EYE_LEFT] = (struct point){x - eyes / 2, y - eyes * 0.5f};
    five[POINT_EYE_RIGHT] = (struct point){x + eyes / 2, y - eyes * 0.5f};
    five[POINT_NOSE] = (struct point){x, y + eyes * 0.08f};
    five[POINT_MOUTH_LEFT] = (struct point){x - eyes * 0.4f, y + eyes * 0.65f};
    five[POINT_MOUTH_RIGHT] = (struct point){x + eyes * 0.4f, y + eyes * 0.65f};
}

static struct box box_of(float x, float y, float eyes)
{
    return (struct box){x - eyes, y - eyes * 1.25f, x + eyes, y + eyes * 1.25f};
}

static enum failure judge_shape(const struct point five[FACE_POINTS], float eyes)
{
    const struct box box = box_of(320, 240, eyes);
    struct quality q;

    quality_of_shape(&image, &box, five, &q);
    return quality_judge_shape(&q, bounds);
}

/* Stripes of a period and strength about a grey inside the face, another grey around it. */
static void paint(int face, int around, int strength, int period)
{
    assert_int_equal(image_resize(&image, W, H), 0);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            const bool inside = abs(x - 320) < 160 && abs(y - 240) < 190;
            const double wave = sin(2 * 3.14159265 * x / period) * sin(2 * 3.14159265 * y / period);
            const int v = inside ? face + (int)lrint(strength * wave) : around;

            memset(image_row(&image, y) + 3 * x, v < 0 ? 0 : v > 255 ? 255 : v, 3);
        }
}

static enum failure judge_light(float x, float y, struct quality *q)
{
    struct point five[FACE_POINTS];
    const struct box box = box_of(x, y, 90);
    struct warp_map map;

    frontal(five, x, y, 90);
    quality_of_shape(&image, &box, five, q);
    assert_int_equal(align_map(five, 112, &map, NULL), 0);
    quality_of_light(&image, &map, 112, q);
    return quality_judge_light(q, bounds);
}

static int setup(void **state)
{
    (void)state;
    paint(120, 120, 60, 24);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    image_free(&image);
    return 0;
}

static void an_ordinary_frontal_face_is_good(void **state)
{
    struct point five[FACE_POINTS];
    struct quality q;

    (void)state;
    frontal(five, 320, 240, 90);
    assert_int_equal(judge_shape(five, 90), FAILURE_NONE);
    assert_int_equal(judge_light(320, 240, &q), FAILURE_NONE);
    assert_float_equal(q.light, 120, 3);
    assert_float_equal(q.outside, 0, 1e-6);
}

static void far_away_is_too_small_and_near_too_large(void **state)
{
    struct point five[FACE_POINTS];

    (void)state;
    frontal(five, 320, 240, 15);
    assert_int_equal(judge_shape(five, 15), FAILURE_FACE_TOO_SMALL);
    frontal(five, 320, 240, 190);
    assert_int_equal(judge_shape(five, 190), FAILURE_FACE_TOO_LARGE);
}

static void turned_tilted_and_nodding_heads_are_told(void **state)
{
    struct point five[FACE_POINTS];

    (void)state;
    frontal(five, 320, 240, 90);
    five[POINT_NOSE].x += 40; /* nearly over one eye */
    assert_int_equal(judge_shape(five, 90), FAILURE_FACE_TURNED);
    frontal(five, 320, 240, 90);
    five[POINT_NOSE].y = five[POINT_MOUTH_LEFT].y - 4; /* looking down */
    assert_int_equal(judge_shape(five, 90), FAILURE_FACE_TURNED);
    frontal(five, 320, 240, 90);
    five[POINT_NOSE].y = five[POINT_EYE_LEFT].y + 4; /* looking up */
    assert_int_equal(judge_shape(five, 90), FAILURE_FACE_TURNED);
    /* The whole head tilted by 45 degrees; by 15 is fine. */
    for (int degrees = 15; degrees <= 45; degrees += 30) {
        const float c = cosf((float)degrees * 0.0174533f), s = sinf((float)degrees * 0.0174533f);

        frontal(five, 0, 0, 90);
        for (int i = 0; i < FACE_POINTS; i++)
            five[i] = (struct point){320 + c * five[i].x - s * five[i].y,
                                     240 + s * five[i].x + c * five[i].y};
        assert_int_equal(judge_shape(five, 90), degrees < 30 ? FAILURE_NONE : FAILURE_FACE_TURNED);
    }
}

static void dark_bright_and_against_the_light(void **state)
{
    struct quality q;

    (void)state;
    paint(20, 30, 15, 24);
    assert_int_equal(judge_light(320, 240, &q), FAILURE_FACE_TOO_DARK);
    paint(20, 220, 15, 24);
    assert_int_equal(judge_light(320, 240, &q), FAILURE_FACE_TOO_BRIGHT);
    paint(238, 200, 16, 24);
    assert_int_equal(judge_light(320, 240, &q), FAILURE_FACE_TOO_BRIGHT);
    paint(60, 60, 4, 24); /* hardly anything to see */
    assert_int_equal(judge_light(320, 240, &q), FAILURE_FACE_TOO_DARK);
}

static void a_soft_picture_is_blurred(void **state)
{
    struct quality sharp, soft;

    (void)state;
    paint(120, 120, 60, 24);
    assert_int_equal(judge_light(320, 240, &sharp), FAILURE_NONE);
    paint(120, 120, 60, 320);
    assert_int_equal(judge_light(320, 240, &soft), FAILURE_FACE_BLURRED);
    assert_true(soft.sharp < sharp.sharp / 10);
}

static void a_face_over_the_border_is_sent_back_into_the_oval(void **state)
{
    struct quality q;

    (void)state;
    assert_int_equal(judge_light(20, 240, &q), FAILURE_FACE_NONE);
    assert_true(q.outside > 0.3f);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(an_ordinary_frontal_face_is_good),
        T(far_away_is_too_small_and_near_too_large),
        T(turned_tilted_and_nodding_heads_are_told),
        T(dark_bright_and_against_the_light),
        T(a_soft_picture_is_blurred),
        T(a_face_over_the_border_is_sent_back_into_the_oval),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
