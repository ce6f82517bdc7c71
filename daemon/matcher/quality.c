#include "quality.h"

#include <math.h>
#include <string.h>

#define SIDE 64   /* the grey face that is looked at */
#define AROUND 16 /* samples of the frame each way */

const struct quality_bounds quality_bounds_default = {
    .eyes_least = 24,
    .height_most = 0.92f,
    .outside_most = 0.08f,
    .light_least = 35,
    .light_most = 220,
    .contrast_least = 10,
    .backlight = 90,
    .sharp_least = 0.035f,
    .yaw_most = 0.32f,
    .pitch_least = 0.22f,
    .pitch_most = 0.80f,
    .roll_most = 30,
    .skin_red_least = 1.1f,
    .mouth_red_least = 0.74f,
    .mouth_red_smooth = 0.86f,
    .mouth_rough_least = 0.115f,
    .eyes_light_least = 0.42f,
    .eyes_rough_least = 0.09f,
};

/* ---- covered? -------------------------------------------------------------------------------- */

/* The aligned face at half the template's size, from the eyes to the chin. */
#define COVER_SIDE 56
#define COVER_TOP 22
#define COVER_ROWS 32
#define COVER_PLANE (COVER_SIDE * COVER_ROWS)

/* Mean colours of some places, and the mean step from each pixel to the one below. */
struct patch {
    float green, red, grey, step;
    int n;
};

static float grey_of(const float *planes, int at)
{
    return 0.114f * planes[at] + 0.587f * planes[COVER_PLANE + at] +
           0.299f * planes[2 * COVER_PLANE + at];
}

/* Corners in the template's coordinates. */
static void patch_add(struct patch *p, const float *planes, int x0, int y0, int x1, int y1)
{
    for (int y = y0 / 2 - COVER_TOP; y < y1 / 2 - COVER_TOP; y++) {
        for (int x = x0 / 2; x < x1 / 2; x++) {
            const int at = y * COVER_SIDE + x;
            const float grey = grey_of(planes, at);

            p->green += planes[COVER_PLANE + at];
            p->red += planes[2 * COVER_PLANE + at];
            p->grey += grey;
            p->step += fabsf(grey_of(planes, at + COVER_SIDE) - grey);
            p->n++;
        }
    }
}

/* What is quite black has no colour and no light to compare: `otherwise`. */
static float over(float a, float b, float otherwise)
{
    return b > 0 ? a / b : otherwise;
}

static void look_for_cover(const struct image *image, const struct warp_map *map, int side,
                           struct quality *out)
{
    static const struct warp_format bgr = {WARP_BGR, 0, 1, 128};
    const float k = (float)side / COVER_SIDE;
    const struct warp_map part = {map->a * k, map->b * k, map->c + COVER_TOP * k * map->b,
                                  map->d * k, map->e * k, map->f + COVER_TOP * k * map->e};
    struct patch skin = {0}, mouth = {0}, eyes = {0}, below = {0};
    float planes[3 * COVER_PLANE], cheeks;

    warp_to_floats(image, &part, COVER_SIDE, COVER_ROWS, &bgr, planes);
    patch_add(&skin, planes, 48, 52, 64, 60); /* between the eyes */
    patch_add(&skin, planes, 28, 60, 42, 66);
    patch_add(&skin, planes, 70, 60, 84, 66);
    patch_add(&mouth, planes, 38, 82, 74, 104);
    patch_add(&eyes, planes, 30, 46, 48, 58);
    patch_add(&eyes, planes, 64, 46, 82, 58);
    patch_add(&below, planes, 30, 66, 46, 80);
    patch_add(&below, planes, 66, 66, 82, 80);
    explicit_bzero(planes, sizeof(planes));
    out->skin_red = over(skin.red, skin.green, 1);
    out->mouth_red = over(over(mouth.red, mouth.green, 1), out->skin_red, 1);
    out->mouth_rough = over(mouth.step, mouth.grey, 1);
    cheeks = below.grey / (float)below.n * (float)eyes.n;
    out->eyes_light = over(eyes.grey, cheeks, 1);
    out->eyes_rough = over(eyes.step, cheeks, 1);
}

static bool is_covered(const struct quality *q, const struct quality_bounds *b)
{
    const bool cloth = q->mouth_red < b->mouth_red_least || (q->mouth_red < b->mouth_red_smooth &&
                                                             q->mouth_rough < b->mouth_rough_least);

    return (q->skin_red >= b->skin_red_least && cloth) ||
           (q->eyes_light < b->eyes_light_least && q->eyes_rough < b->eyes_rough_least);
}

/* ---- the rest -------------------------------------------------------------------------------- */

void quality_of_shape(const struct image *image, const struct box *face,
                      const struct point five[FACE_POINTS], struct quality *out)
{
    const struct point l = five[POINT_EYE_LEFT], r = five[POINT_EYE_RIGHT], nose = five[POINT_NOSE];
    const struct point eyes = {(l.x + r.x) / 2, (l.y + r.y) / 2};
    const struct point mouth = {(five[POINT_MOUTH_LEFT].x + five[POINT_MOUTH_RIGHT].x) / 2,
                                (five[POINT_MOUTH_LEFT].y + five[POINT_MOUTH_RIGHT].y) / 2};
    const float dx = r.x - l.x, dy = r.y - l.y, across = sqrtf(dx * dx + dy * dy);
    const float mx = mouth.x - eyes.x, my = mouth.y - eyes.y, down = mx * mx + my * my;

    memset(out, 0, sizeof(*out));
    out->eyes = across;
    out->height = box_height(face) / (float)image->height;
    if (across > 0) {
        /* The nose against the middle line from eyes to mouth, so that a tilted head alone is not "turned". */
        const float t = down > 0 ? ((nose.x - eyes.x) * mx + (nose.y - eyes.y) * my) / down : 0;

        out->yaw =
            ((nose.x - eyes.x - t * mx) * dx + (nose.y - eyes.y - t * my) * dy) / (across * across);
        out->pitch = t;
        out->roll = atan2f(dy, dx) * 57.29578f;
    }
}

void quality_of_light(const struct image *image, const struct warp_map *map, int side,
                      struct quality *out)
{
    static const struct warp_format grey = {WARP_GREY, 0, 1, 128};
    const struct box whole = {0, 0, (float)image->width, (float)image->height};
    const float k = (float)side / SIDE;
    const struct warp_map face = {map->a * k, map->b * k, map->c, map->d * k, map->e * k, map->f};
    const struct warp_map coarse = warp_of_box(&whole, AROUND, AROUND);
    float g[SIDE * SIDE], frame[AROUND * AROUND], sum = 0, squares = 0, edges = 0, variance;

    warp_to_floats(image, &face, SIDE, SIDE, &grey, g);
    for (int i = 0; i < SIDE * SIDE; i++) {
        sum += g[i];
        squares += g[i] * g[i];
    }
    out->light = sum / (SIDE * SIDE);
    variance = fmaxf(squares / (SIDE * SIDE) - out->light * out->light, 0);
    out->contrast = sqrtf(variance);
    for (int y = 1; y + 1 < SIDE; y++) {
        for (int x = 1; x + 1 < SIDE; x++) {
            const float *p = g + y * SIDE + x;
            const float laplace = p[-1] + p[1] + p[-SIDE] + p[SIDE] - 4 * p[0];

            edges += laplace * laplace;
        }
    }
    out->sharp = variance > 0 ? edges / ((SIDE - 2) * (SIDE - 2)) / variance : 0;
    out->outside = warp_outside(image, &face, SIDE, SIDE);
    warp_to_floats(image, &coarse, AROUND, AROUND, &grey, frame);
    sum = 0;
    for (int i = 0; i < AROUND * AROUND; i++)
        sum += frame[i];
    out->around = sum / (AROUND * AROUND);
    look_for_cover(image, map, side, out);
    explicit_bzero(g, sizeof(g));
    explicit_bzero(frame, sizeof(frame));
}

enum failure quality_judge_shape(const struct quality *q, const struct quality_bounds *b)
{
    if (q->eyes < b->eyes_least)
        return FAILURE_FACE_TOO_SMALL;
    if (q->height > b->height_most)
        return FAILURE_FACE_TOO_LARGE;
    if (fabsf(q->roll) > b->roll_most || fabsf(q->yaw) > b->yaw_most || q->pitch < b->pitch_least ||
        q->pitch > b->pitch_most)
        return FAILURE_FACE_TURNED;
    return FAILURE_NONE;
}

enum failure quality_judge_light(const struct quality *q, const struct quality_bounds *b)
{
    /* Cut off by the border: too near, or not in the oval. */
    if (q->outside > b->outside_most)
        return q->height > 0.6f ? FAILURE_FACE_TOO_LARGE : FAILURE_FACE_NONE;
    if (q->light < b->light_least)
        return q->around - q->light > b->backlight ? FAILURE_FACE_TOO_BRIGHT
                                                   : FAILURE_FACE_TOO_DARK;
    if (q->light > b->light_most)
        return FAILURE_FACE_TOO_BRIGHT;
    if (q->contrast < b->contrast_least)
        return q->light < 128 ? FAILURE_FACE_TOO_DARK : FAILURE_FACE_TOO_BRIGHT;
    if (q->sharp < b->sharp_least)
        return FAILURE_FACE_BLURRED;
    return is_covered(q, b) ? FAILURE_FACE_COVERED : FAILURE_NONE;
}
