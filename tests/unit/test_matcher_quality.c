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

/* ---- covered ------------------------------------------------------------------------------- */

/* Red, green, blue; light: of the lamp, each channel. */
struct worn {
    double skin[3], mouth[3], lamp[3];
    double mouth_wave; /* 1: as rough as the rest, 0: smooth */
    double eyes;       /* their brightness, 1: as the skin */
    double eyes_wave;
};
static const struct worn bare = {{200, 140, 110}, {190, 120, 100}, {1, 1, 1}, 1, 0.7, 1};

/* A face in the template's coordinates, as judge_light() lays it. */
static enum failure judge_worn(const struct worn *worn, struct quality *q)
{
    struct point five[FACE_POINTS];
    struct warp_map map;

    frontal(five, 320, 240, 90);
    assert_int_equal(align_map(five, 112, &map, NULL), 0);
    assert_int_equal(image_resize(&image, W, H), 0);
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++) {
            const double X = ((double)x - (double)map.c) / (double)map.a,
                         Y = ((double)y - (double)map.f) / (double)map.e;
            const bool mouth = Y > 78 && Y < 112 && X > 30 && X < 82;
            const bool eyes = Y > 42 && Y < 61 && ((X > 26 && X < 49) || (X > 63 && X < 86));
            const double *colour = mouth ? worn->mouth : worn->skin;
            const double wave = 0.35 * sin(2 * 3.14159265 * X / 9) * sin(2 * 3.14159265 * Y / 9);
            const double v = (1 + wave * (mouth  ? worn->mouth_wave
                                          : eyes ? worn->eyes_wave
                                                 : 1)) *
                             (eyes ? worn->eyes : 1);

            for (int c = 0; c < 3; c++)
                image_row(&image, y)[3 * x + 2 - c] =
                    (uint8_t)fmin(colour[c] * worn->lamp[c] * v, 255);
        }
    }
    return judge_light(320, 240, q);
}

static void a_mask_of_any_cloth_but_skin_s_is_told_under_any_lamp(void **state)
{
    static const double cloths[][3] = {{220, 222, 225}, {150, 190, 220}, {60, 62, 65}},
                        lamps[][3] = {{1, 1, 1}, {1, 0.8, 0.55}, {0.75, 0.9, 1}};
    struct worn worn = bare;
    struct quality q;

    (void)state;
    assert_int_equal(judge_worn(&bare, &q), FAILURE_NONE);
    for (size_t lamp = 0; lamp < 3; lamp++) {
        worn = bare;
        memcpy(worn.lamp, lamps[lamp], sizeof(worn.lamp));
        assert_int_equal(judge_worn(&worn, &q), FAILURE_NONE);
        assert_float_equal(q.mouth_red, (190.0 / 120) / (200.0 / 140), 0.03);
        for (size_t cloth = 0; cloth < 3; cloth++) {
            memcpy(worn.mouth, cloths[cloth], sizeof(worn.mouth));
            worn.mouth_wave = 0.1;
            assert_int_equal(judge_worn(&worn, &q), FAILURE_FACE_COVERED);
            assert_true(q.mouth_rough < 0.05f);
        }
    }
}

static void a_beard_is_no_mask(void **state)
{
    struct worn worn = bare;
    struct quality q;

    (void)state;
    /* Black hair over skin: hardly redder than cloth, and as rough as hair is. */
    memcpy(worn.mouth, (const double[3]){60, 50, 44}, sizeof(worn.mouth));
    worn.mouth_wave = 1.3;
    assert_int_equal(judge_worn(&worn, &q), FAILURE_NONE);
    assert_true(q.mouth_red < bounds->mouth_red_smooth);
    /* The same colour without a hair in it is a cloth. */
    worn.mouth_wave = 0;
    memcpy(worn.mouth, (const double[3]){55, 46, 44}, sizeof(worn.mouth));
    assert_int_equal(judge_worn(&worn, &q), FAILURE_FACE_COVERED);
}

static void dark_glasses_are_told_and_deep_eyes_are_not(void **state)
{
    struct worn worn = bare;
    struct quality q;

    (void)state;
    worn.eyes = 0.15;
    worn.eyes_wave = 0.2;
    assert_int_equal(judge_worn(&worn, &q), FAILURE_FACE_COVERED);
    assert_true(q.eyes_light < 0.3f);
    worn.eyes = 0.38; /* in shadow, but there is something to see */
    worn.eyes_wave = 2;
    assert_int_equal(judge_worn(&worn, &q), FAILURE_NONE);
    worn = bare;
    worn.eyes = 0.6; /* glasses that one sees through */
    worn.eyes_wave = 0.2;
    assert_int_equal(judge_worn(&worn, &q), FAILURE_NONE);
}

static void without_colours_no_mask_is_claimed(void **state)
{
    struct worn worn = bare;
    struct quality q;

    (void)state;
    for (int c = 0; c < 3; c++)
        worn.skin[c] = 150, worn.mouth[c] = 220;
    worn.mouth_wave = 0.1;
    assert_int_equal(judge_worn(&worn, &q), FAILURE_NONE);
    assert_float_equal(q.skin_red, 1, 0.02);
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
        T(a_mask_of_any_cloth_but_skin_s_is_told_under_any_lamp),
        T(a_beard_is_no_mask),
        T(dark_glasses_are_told_and_deep_eyes_are_not),
        T(without_colours_no_mask_is_claimed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
