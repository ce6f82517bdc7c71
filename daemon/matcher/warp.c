#include "warp.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define SAMPLES_MOST 4 /* each way, for one value of the result */
#define ONE 65536      /* coordinates are counted in 1/65536 of a pixel */
#define FAR 1e6f       /* a map that leads further than this leads nowhere */

struct warp_map warp_of_box(const struct box *box, int width, int height)
{
    return (struct warp_map){.a = box_width(box) / (float)width,
                             .c = box->x0,
                             .e = box_height(box) / (float)height,
                             .f = box->y0};
}

/* A run of samples along a row of the result: `count` of them, `each` for one pixel, added up in `sum`. */
struct run {
    const struct image *image;
    int64_t x, y;   /* the first, in the picture */
    int64_t dx, dy; /* from one to the next */
    size_t count;
    unsigned each;
    bool smooth; /* bilinear, weights of 65536 in all; else the pixel that it falls in, weight 1 */
    uint32_t fill;
    uint32_t *sum; /* 3 a pixel of the result */
};

/*
 * All samples of the run are inside and none is smoothed: most of what is made of a frame. level: along a row of the
 * picture; then `each` too is known where it is called, and the compiler lays a pixel's samples out one after the other.
 */
static inline void add_nearest(const struct run *run, unsigned each, bool level)
{
    const size_t stride = 3 * (size_t)run->image->width;
    const uint8_t *const first = image_row(run->image, 0);
    const uint8_t *const row = image_row(run->image, (int)(run->y / ONE));
    uint64_t x = (uint64_t)run->x, y = (uint64_t)run->y;
    uint32_t *sum = run->sum;

    for (size_t i = 0; i < run->count; i += each, sum += 3) {
        uint32_t blue = sum[0], green = sum[1], red = sum[2];

        for (unsigned k = 0; k < each; k++) {
            const uint8_t *p = (level ? row : first + y / ONE * stride) + 3 * (x / ONE);

            blue += p[0];
            green += p[1];
            red += p[2];
            x += (uint64_t)run->dx; /* modulo 2^64: backwards too */
            y += (uint64_t)run->dy;
        }
        sum[0] = blue;
        sum[1] = green;
        sum[2] = red;
    }
}

static void add_along_row(const struct run *run)
{
    if (run->each == 2)
        add_nearest(run, 2, true);
    else if (run->each == 3)
        add_nearest(run, 3, true);
    else
        add_nearest(run, SAMPLES_MOST, true);
}

/* Bilinear at what is (x, y) with the half pixel taken off; `right` and `below`: to its neighbours. */
static inline void add_between(const uint8_t *p, uint64_t x, uint64_t y, size_t right, size_t below,
                               uint32_t sum[3])
{
    const uint32_t fx = (uint32_t)(x % ONE) >> 8, fy = (uint32_t)(y % ONE) >> 8;
    const uint32_t w00 = (256 - fx) * (256 - fy), w01 = fx * (256 - fy), w10 = (256 - fx) * fy,
                   w11 = fx * fy;
    const uint8_t *q = p + below;

    for (size_t c = 0; c < 3; c++)
        sum[c] += w00 * p[c] + w01 * p[right + c] + w10 * q[c] + w11 * q[right + c];
}

/* (x, y) is inside the picture; its outermost half pixel repeats the border. */
static void add_smooth(const struct image *image, int64_t x, int64_t y, uint32_t sum[3])
{
    const int64_t right = (int64_t)(image->width - 1) * ONE,
                  bottom = (int64_t)(image->height - 1) * ONE;

    x -= ONE / 2;
    y -= ONE / 2;
    x = x < 0 ? 0 : x > right ? right : x;
    y = y < 0 ? 0 : y > bottom ? bottom : y;
    add_between(image_row(image, (int)(y / ONE)) + 3 * (size_t)(x / ONE), (uint64_t)x, (uint64_t)y,
                x < right ? 3 : 0, y < bottom ? 3 * (size_t)image->width : 0, sum);
}

/* All samples of the run are at least a pixel inside, one for a pixel of the result. */
static void add_all_smooth(const struct run *run)
{
    const size_t stride = 3 * (size_t)run->image->width;
    const uint8_t *const first = image_row(run->image, 0);
    uint64_t x = (uint64_t)run->x - ONE / 2, y = (uint64_t)run->y - ONE / 2;
    uint32_t *sum = run->sum;

    for (size_t i = 0; i < run->count; i++, sum += 3) {
        add_between(first + y / ONE * stride + 3 * (x / ONE), x, y, 3, stride, sum);
        x += (uint64_t)run->dx; /* modulo 2^64: backwards too */
        y += (uint64_t)run->dy;
    }
}

/* So far from the border, or further. */
static bool inside(const struct image *image, int64_t x, int64_t y, int64_t by)
{
    return x >= by && y >= by && x < (int64_t)image->width * ONE - by &&
           y < (int64_t)image->height * ONE - by;
}

/* Some samples are outside, or all are smoothed. */
static void add_each(const struct run *run, bool all_inside)
{
    int64_t x = run->x, y = run->y;
    uint32_t *sum = run->sum;
    unsigned left = run->each;

    for (size_t i = 0; i < run->count; i++, x += run->dx, y += run->dy) {
        if (!all_inside && !inside(run->image, x, y, 0)) {
            for (int c = 0; c < 3; c++)
                sum[c] += run->fill;
        } else if (run->smooth) {
            add_smooth(run->image, x, y, sum);
        } else {
            const uint8_t *p = image_row(run->image, (int)(y / ONE)) + 3 * (size_t)(x / ONE);

            for (int c = 0; c < 3; c++)
                sum[c] += p[c];
        }
        if (--left == 0) {
            left = run->each;
            sum += 3;
        }
    }
}

/* A line that begins and ends inside is inside all along. */
static bool line_inside(const struct run *run, int64_t by)
{
    const int64_t last = (int64_t)run->count - 1;

    return inside(run->image, run->x, run->y, by) &&
           inside(run->image, run->x + last * run->dx, run->y + last * run->dy, by);
}

static void run_add(const struct run *run)
{
    const bool all_inside = line_inside(run, 0);

    if (run->smooth && line_inside(run, ONE))
        add_all_smooth(run);
    else if (!all_inside || run->smooth)
        add_each(run, all_inside);
    else if (run->dy == 0)
        add_along_row(run);
    else
        add_nearest(run, run->each, false);
}

/* Samples each way: about one for every pixel that a pixel of the result covers. */
static unsigned samples_for(const struct warp_map *map)
{
    const float scale = sqrtf(fabsf(map->a * map->e - map->b * map->d));
    const int n = (int)(fminf(scale, SAMPLES_MOST) + 0.25f);

    return n < 1 ? 1 : (unsigned)n;
}

static bool leads_somewhere(const struct warp_map *map)
{
    const float all[6] = {map->a, map->b, map->c, map->d, map->e, map->f};

    for (int i = 0; i < 6; i++)
        if (!(fabsf(all[i]) < FAR))
            return false;
    return true;
}

float warp_outside(const struct image *image, const struct warp_map *map, int width, int height)
{
    enum { GRID = 16 };
    int outside = 0;

    for (int i = 0; i < GRID * GRID; i++) {
        const int row = i / GRID, column = i % GRID;
        const float px = ((float)column + 0.5f) * (float)width / GRID;
        const float py = ((float)row + 0.5f) * (float)height / GRID;
        const float x = map->a * px + map->b * py + map->c, y = map->d * px + map->e * py + map->f;

        outside += !(x >= 0 && y >= 0 && x < (float)image->width && y < (float)image->height);
    }
    return (float)outside / (GRID * GRID);
}

/* One row of the result as sums; returns what a sum must be multiplied with to be a mean. */
static float row_sums(const struct image *image, const struct warp_map *map, int y, int width,
                      float fill, uint32_t *sum)
{
    const unsigned n = samples_for(map);
    const float step = 1.0f / (float)n;
    const bool smooth = n == 1;
    struct run run = {
        .image = image,
        .dx = (int64_t)lrintf(map->a * step * ONE),
        .dy = (int64_t)lrintf(map->d * step * ONE),
        .count = (size_t)width * n,
        .each = n,
        .smooth = smooth,
        .fill = (uint32_t)lrintf(fill * (smooth ? ONE : 1)),
        .sum = sum,
    };

    memset(sum, 0, (size_t)width * 3 * sizeof(*sum));
    for (unsigned j = 0; j < n; j++) {
        const float px = 0.5f * step, py = (float)y + ((float)j + 0.5f) * step;

        run.x = (int64_t)llrintf((map->a * px + map->b * py + map->c) * ONE);
        run.y = (int64_t)llrintf((map->d * px + map->e * py + map->f) * ONE);
        run_add(&run);
    }
    return smooth ? 1.0f / ONE : step * step;
}

void warp_to_floats(const struct image *image, const struct warp_map *map, int width, int height,
                    const struct warp_format *format, float *out)
{
    const size_t plane = (size_t)width * (size_t)height;
    uint32_t sum[3 * WARP_WIDTH_MOST];

    if (!leads_somewhere(map) || width > WARP_WIDTH_MOST) {
        for (size_t i = 0; i < plane * (format->colour == WARP_GREY ? 1 : 3); i++)
            out[i] = (format->fill - format->mean) * format->scale;
        return;
    }
    for (int y = 0; y < height; y++, out += width) {
        const float unit = row_sums(image, map, y, width, format->fill, sum);
        const float factor = unit * format->scale, less = format->mean * format->scale;
        const uint32_t *s = sum;

        if (format->colour == WARP_GREY) {
            for (int x = 0; x < width; x++, s += 3)
                out[x] =
                    (0.114f * (float)s[0] + 0.587f * (float)s[1] + 0.299f * (float)s[2]) * factor -
                    less;
        } else {
            float *first = out + (format->colour == WARP_RGB ? 2 * plane : 0);
            float *third = out + (format->colour == WARP_RGB ? 0 : 2 * plane);

            for (int x = 0; x < width; x++, s += 3) {
                first[x] = (float)s[0] * factor - less;
                out[plane + (size_t)x] = (float)s[1] * factor - less;
                third[x] = (float)s[2] * factor - less;
            }
        }
    }
}

void warp_to_bytes(const struct image *image, const struct warp_map *map, int width, int height,
                   uint8_t *out)
{
    uint32_t sum[3 * WARP_WIDTH_MOST];

    if (!leads_somewhere(map) || width > WARP_WIDTH_MOST) {
        memset(out, 0, 3 * (size_t)width * (size_t)height);
        return;
    }
    for (int y = 0; y < height; y++) {
        const float unit = row_sums(image, map, y, width, 0, sum);

        for (size_t i = 0; i < 3 * (size_t)width; i++)
            *out++ = (uint8_t)((float)sum[i] * unit + 0.5f);
    }
}
