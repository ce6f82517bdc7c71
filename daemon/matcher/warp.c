#include "warp.h"

#include <math.h>
#include <stdbool.h>

#define SAMPLES_MOST 4 /* each way, for one value of the result */

struct warp_map warp_of_box(const struct box *box, int width, int height)
{
    return (struct warp_map){
        .a = box_width(box) / (float)width, .c = box->x0, .e = box_height(box) / (float)height, .f = box->y0};
}

static float clampf(float v, float low, float high)
{
    return v < low ? low : v > high ? high : v;
}

/* Add the colour at a continuous place to `sum`; false outside the picture. */
static bool sample_add(const struct image *image, float x, float y, float sum[3])
{
    const float w = (float)image->width, h = (float)image->height;
    float fx, fy, w00, w01, w10, w11;
    const uint8_t *p, *q;
    int ix, iy;
    size_t right;

    if (!(x >= 0 && y >= 0 && x < w && y < h))
        return false;
    fx = clampf(x - 0.5f, 0, w - 1);
    fy = clampf(y - 0.5f, 0, h - 1);
    ix = (int)fx;
    iy = (int)fy;
    fx -= (float)ix;
    fy -= (float)iy;
    p = image_row(image, iy) + 3 * (size_t)ix;
    q = iy + 1 < image->height ? p + 3 * (size_t)image->width : p;
    right = ix + 1 < image->width ? 3 : 0;
    w00 = (1 - fx) * (1 - fy);
    w01 = fx * (1 - fy);
    w10 = (1 - fx) * fy;
    w11 = fx * fy;
    for (size_t c = 0; c < 3; c++)
        sum[c] += w00 * (float)p[c] + w01 * (float)p[right + c] + w10 * (float)q[c] + w11 * (float)q[right + c];
    return true;
}

/* The mean colour of one pixel of the result; `n` samples each way. */
static void pixel_mean(const struct image *image, const struct warp_map *map, int x, int y, int n, float fill,
                       float out[3])
{
    const float step = 1.0f / (float)n;
    float sum[3] = {0, 0, 0};

    for (int j = 0; j < n; j++) {
        const float py = (float)y + ((float)j + 0.5f) * step;

        for (int i = 0; i < n; i++) {
            const float px = (float)x + ((float)i + 0.5f) * step;

            if (!sample_add(image, map->a * px + map->b * py + map->c, map->d * px + map->e * py + map->f, sum))
                for (int c = 0; c < 3; c++)
                    sum[c] += fill;
        }
    }
    for (int c = 0; c < 3; c++)
        out[c] = sum[c] * step * step;
}

/* Samples each way: about one for every pixel that a pixel of the result covers. */
static int samples_for(const struct warp_map *map)
{
    const float scale = sqrtf(fabsf(map->a * map->e - map->b * map->d));
    const int n = (int)lrintf(scale);

    return n < 1 ? 1 : n > SAMPLES_MOST ? SAMPLES_MOST : n;
}

/* The camera's usual case: whole picture, an exact half; the mean of four pixels without any weights. */
static bool is_half(const struct image *image, const struct warp_map *map, int width, int height)
{
    return map->a == 2.0f && map->e == 2.0f && map->b == 0 && map->d == 0 && map->c == 0 && map->f == 0 &&
           image->width >= 2 * width && image->height >= 2 * height;
}

static void half_mean(const struct image *image, int x, int y, float out[3])
{
    const uint8_t *p = image_row(image, 2 * y) + 6 * (size_t)x;
    const uint8_t *q = p + 3 * (size_t)image->width;

    for (size_t c = 0; c < 3; c++)
        out[c] = (float)(p[c] + p[c + 3] + q[c] + q[c + 3]) * 0.25f;
}

void warp_to_floats(const struct image *image, const struct warp_map *map, int width, int height,
                    const struct warp_format *format, float *out)
{
    const size_t plane = (size_t)width * (size_t)height;
    const bool half = is_half(image, map, width, height);
    const int n = samples_for(map);
    size_t at = 0;

    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++, at++) {
            float bgr[3];

            if (half)
                half_mean(image, x, y, bgr);
            else
                pixel_mean(image, map, x, y, n, format->fill, bgr);
            if (format->colour == WARP_GREY) {
                const float grey = 0.114f * bgr[0] + 0.587f * bgr[1] + 0.299f * bgr[2];

                out[at] = (grey - format->mean) * format->scale;
                continue;
            }
            for (size_t c = 0; c < 3; c++)
                out[at + plane * (format->colour == WARP_RGB ? 2 - c : c)] = (bgr[c] - format->mean) * format->scale;
        }
    }
}

void warp_to_bytes(const struct image *image, const struct warp_map *map, int width, int height, uint8_t *out)
{
    const bool half = is_half(image, map, width, height);
    const int n = samples_for(map);

    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            float bgr[3];

            if (half)
                half_mean(image, x, y, bgr);
            else
                pixel_mean(image, map, x, y, n, 0, bgr);
            for (int c = 0; c < 3; c++)
                *out++ = (uint8_t)clampf(bgr[c] + 0.5f, 0, 255);
        }
    }
}
