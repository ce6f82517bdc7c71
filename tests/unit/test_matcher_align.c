/* Alignment against transforms that are known beforehand. */
#include "daemon/matcher/align.h"
#include "daemon/matcher/landmarks.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The published template for a side of 112 (facts of the ArcFace family). */
static const struct point places[FACE_POINTS] = {{38.2946f, 51.6963f},
                                                 {73.5318f, 51.5014f},
                                                 {56.0252f, 71.7366f},
                                                 {41.5493f, 92.3655f},
                                                 {70.7299f, 92.2041f}};

static struct point through(const struct warp_map *m, struct point p)
{
    return (struct point){m->a * p.x + m->b * p.y + m->c, m->d * p.x + m->e * p.y + m->f};
}

/* Turn by 30 degrees, double, shift by (100, 50). */
static struct warp_map known(void)
{
    const float c = 0.8660254f, s = 0.5f;

    return (struct warp_map){2 * c, -2 * s, 100, 2 * s, 2 * c, 50};
}

static void a_known_similarity_is_found(void **context)
{
    const struct warp_map want = known();
    struct point to[FACE_POINTS];
    struct warp_map got;

    (void)context;
    for (int i = 0; i < FACE_POINTS; i++)
        to[i] = through(&want, places[i]);
    assert_int_equal(align_similarity(places, to, FACE_POINTS, &got), 0);
    assert_float_equal(got.a, want.a, 1e-4);
    assert_float_equal(got.b, want.b, 1e-4);
    assert_float_equal(got.c, want.c, 1e-2);
    assert_float_equal(got.d, want.d, 1e-4);
    assert_float_equal(got.e, want.e, 1e-4);
    assert_float_equal(got.f, want.f, 1e-2);
}

static void the_face_comes_to_lie_on_the_template(void **context)
{
    const struct warp_map face = known();
    struct point five[FACE_POINTS];
    struct warp_map map;
    float residual;

    (void)context;
    for (int i = 0; i < FACE_POINTS; i++)
        five[i] = through(&face, places[i]);
    assert_int_equal(align_map(five, 112, &map, &residual), 0);
    assert_true(residual < 1e-4f);
    for (int i = 0; i < FACE_POINTS;
         i++) { /* where the template has a point, the picture is asked for that point */
        const struct point p = through(&map, places[i]);

        assert_float_equal(p.x, five[i].x, 0.05);
        assert_float_equal(p.y, five[i].y, 0.05);
    }
    /* A template of half the side asks with half the coordinates. */
    assert_int_equal(align_map(five, 56, &map, NULL), 0);
    assert_float_equal(through(&map, (struct point){places[2].x / 2, places[2].y / 2}).x, five[2].x,
                       0.05);
}

/* dlib's mean face, of the points that count, in parts of the face's own size: it fills the middle
 * of the chip with a quarter of itself around, 150 = 100 x (1 + 2 x 0.25). */
static void dlib_s_mean_face_lies_in_the_middle_of_its_chip(void **context)
{
    static const struct {
        int index;
        float x, y;
    } mean[] = {
        {37, 0.187122f, 0.178758f}, {38, 0.265825f, 0.179852f}, {40, 0.260918f, 0.245099f},
        {41, 0.182743f, 0.244077f}, {43, 0.714428f, 0.179852f}, {44, 0.793132f, 0.178758f},
        {46, 0.797510f, 0.244077f}, {47, 0.719335f, 0.245099f}, {30, 0.490127f, 0.515625f},
        {48, 0.254149f, 0.780233f}, {60, 0.290379f, 0.784792f}, {54, 0.726104f, 0.780233f},
        {64, 0.689874f, 0.784792f},
    };
    const struct warp_map face = known();
    struct point points[LANDMARKS] = {{0, 0}}, five[FACE_POINTS];
    struct warp_map map;
    float residual;

    (void)context;
    for (size_t i = 0; i < sizeof(mean) / sizeof(mean[0]); i++)
        points[mean[i].index] = through(&face, (struct point){100 * mean[i].x, 100 * mean[i].y});
    landmarks_five(points, five);
    assert_int_equal(align_map_to(five, ALIGN_DLIB, 150, &map, &residual), 0);
    assert_true(residual < 1e-4f);
    for (size_t i = 0; i < sizeof(mean) / sizeof(mean[0]); i++) {
        const struct point p =
            through(&map, (struct point){100 * (mean[i].x + 0.25f), 100 * (mean[i].y + 0.25f)});

        assert_float_equal(p.x, points[mean[i].index].x, 0.05);
        assert_float_equal(p.y, points[mean[i].index].y, 0.05);
    }
    /* The ArcFace template is nearly the same shape at another place: laid so, this net tells hardly
     * anybody from anybody (models/README.md). There the chip's place for an eye is far from it. */
    assert_int_equal(align_map(five, 150, &map, NULL), 0);
    for (int i = POINT_EYE_LEFT; i <= POINT_EYE_RIGHT; i++) {
        const struct point p =
            through(&map, (struct point){i == POINT_EYE_LEFT ? 47.4f : 100.6f, 46.2f});
        const float eyes = hypotf(five[POINT_EYE_RIGHT].x - five[POINT_EYE_LEFT].x,
                                  five[POINT_EYE_RIGHT].y - five[POINT_EYE_LEFT].y);

        assert_true(hypotf(p.x - five[i].x, p.y - five[i].y) > 0.3f * eyes);
    }
}

static double cost(const struct warp_map *m, const struct point *from, const struct point *to,
                   int n)
{
    double sum = 0;

    for (int i = 0; i < n; i++) {
        const struct point p = through(m, from[i]);

        sum += (double)((p.x - to[i].x) * (p.x - to[i].x) + (p.y - to[i].y) * (p.y - to[i].y));
    }
    return sum;
}

/* Least squares: with points that fit no similarity, every neighbour of the answer is worse. */
static void no_neighbour_is_better(void **context)
{
    const struct point to[FACE_POINTS] = {{40, 60}, {90, 52}, {61, 80}, {50, 110}, {77, 99}};
    struct warp_map best;

    (void)context;
    assert_int_equal(align_similarity(places, to, FACE_POINTS, &best), 0);
    for (int i = 0; i < 8; i++) {
        const float d = i % 2 == 0 ? 0.003f : -0.003f;
        struct warp_map m = best;

        switch (i / 2) {
        case 0: /* larger, smaller */
            m.a += d, m.e += d;
            break;
        case 1: /* turned */
            m.b -= d, m.d += d;
            break;
        case 2:
            m.c += d * 50;
            break;
        default:
            m.f += d * 50;
        }
        assert_true(cost(&m, places, to, FACE_POINTS) > cost(&best, places, to, FACE_POINTS));
    }
}

static void a_mirror_is_never_the_answer(void **context)
{
    struct point mirrored[FACE_POINTS];
    struct warp_map got;

    (void)context;
    for (int i = 0; i < FACE_POINTS; i++)
        mirrored[i] = (struct point){112 - places[i].x, places[i].y};
    assert_int_equal(align_similarity(places, mirrored, FACE_POINTS, &got), 0);
    assert_true(got.a * got.e - got.b * got.d > 0);
}

static void points_in_one_place_are_refused(void **context)
{
    const struct point same[FACE_POINTS] = {{5, 5}, {5, 5}, {5, 5}, {5, 5}, {5, 5}};
    struct warp_map map;

    (void)context;
    assert_int_equal(align_map(same, 112, &map, NULL), -EDOM);
}

static void five_points_come_from_the_right_ones_of_68(void **context)
{
    struct point all[LANDMARKS], five[FACE_POINTS];

    (void)context;
    for (int i = 0; i < LANDMARKS; i++)
        all[i] = (struct point){(float)i, (float)(100 + i)};
    landmarks_five(all, five);
    assert_float_equal(five[POINT_EYE_LEFT].x, (37 + 38 + 40 + 41) / 4.0, 1e-4);
    assert_float_equal(five[POINT_EYE_RIGHT].x, (43 + 44 + 46 + 47) / 4.0, 1e-4);
    assert_float_equal(five[POINT_NOSE].y, 130, 1e-4);
    assert_float_equal(five[POINT_MOUTH_LEFT].x, (48 + 60) / 2.0, 1e-4);
    assert_float_equal(five[POINT_MOUTH_RIGHT].y, 100 + (54 + 64) / 2.0, 1e-4);
}

static void landmarks_see_a_square_of_the_box_height_inside_the_picture(void **context)
{
    const struct image image = {.width = 640, .height = 480};
    const struct box middle = {300, 100, 360, 200}, edge = {0, 400, 60, 480};
    const struct box a = landmarks_crop(&middle, &image), b = landmarks_crop(&edge, &image);

    (void)context;
    assert_float_equal(a.x0, 280, 1e-3);
    assert_float_equal(a.x1, 380, 1e-3);
    assert_float_equal(a.y0, 100, 1e-3);
    assert_float_equal(b.x0, 0, 1e-3);
    assert_float_equal(b.x1, 70, 1e-3);
    assert_float_equal(b.y1, 480, 1e-3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_similarity_is_found),
        cmocka_unit_test(the_face_comes_to_lie_on_the_template),
        cmocka_unit_test(dlib_s_mean_face_lies_in_the_middle_of_its_chip),
        cmocka_unit_test(no_neighbour_is_better),
        cmocka_unit_test(a_mirror_is_never_the_answer),
        cmocka_unit_test(points_in_one_place_are_refused),
        cmocka_unit_test(five_points_come_from_the_right_ones_of_68),
        cmocka_unit_test(landmarks_see_a_square_of_the_box_height_inside_the_picture),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
