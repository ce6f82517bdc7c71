/* From a picture to the values a net wants: what is asked for is written out here, sample by sample, in real numbers. */
#include "daemon/matcher/warp.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { W = 61, H = 47, OUT = 24, FILL = 90 };

static uint8_t pixels[3 * W * H];
static struct image picture = {.width = W, .height = H};

static int picture_is_drawn(void **state)
{
    uint32_t x = 20261128;

    (void)state;
    for (size_t i = 0; i < sizeof(pixels); i++) {
        x = x * 1664525 + 1013904223;
        pixels[i] = (uint8_t)(x >> 24);
    }
    picture.pixels.data = pixels;
    return 0;
}

static double pixel(int x, int y, int c)
{
    x = x < 0 ? 0 : x >= W ? W - 1 : x;
    y = y < 0 ? 0 : y >= H ? H - 1 : y;
    return pixels[3 * (y * W + x) + c];
}

static double bilinear(double x, double y, int c)
{
    const int x0 = (int)floor(x - 0.5), y0 = (int)floor(y - 0.5);
    const double fx = x - 0.5 - x0, fy = y - 0.5 - y0;

    return (pixel(x0, y0, c) * (1 - fx) + pixel(x0 + 1, y0, c) * fx) * (1 - fy) +
           (pixel(x0, y0 + 1, c) * (1 - fx) + pixel(x0 + 1, y0 + 1, c) * fx) * fy;
}

/* The mean of n x n samples within the pixel (u, v) of the result; one alone is smoothed. */
static double wanted(const struct warp_map *m, int n, int u, int v, int c)
{
    double sum = 0;

    for (int j = 0; j < n; j++)
        for (int i = 0; i < n; i++) {
            const double px = u + (i + 0.5) / n, py = v + (j + 0.5) / n;
            const double x = (double)m->a * px + (double)m->b * py + (double)m->c;
            const double y = (double)m->d * px + (double)m->e * py + (double)m->f;

            if (!(x >= 0 && y >= 0 && x < W && y < H))
                sum += FILL;
            else
                sum += n == 1 ? bilinear(x, y, c) : pixel((int)x, (int)y, c);
        }
    return sum / (n * n);
}

static void each_value_is_the_mean_of_its_samples(void **state)
{
    static const struct {
        struct warp_map map;
        int samples; /* each way: about the size of what a pixel of the result covers, 4 at most */
        const char *what;
    } rows[] = {
        {{1, 0, 20, 0, 1, 10}, 1, "as large, all inside"},
        {{0.9f, 0.3f, 12.25f, -0.3f, 0.9f, 14.5f}, 1, "turned, all inside"},
        {{-0.8f, 0.2f, 40.125f, -0.2f, -0.8f, 36.75f}, 1, "upside down, all inside"},
        {{1, 0, -4.25f, 0, 1, -3.5f}, 1, "as large, over the upper left corner"},
        {{1.2f, 0.1f, 34.5f, -0.1f, 1.2f, 25.25f}, 1, "over the lower right corner"},
        {{1, 0, 0.25f, 0, 1, 0.25f}, 1, "within half a pixel of the border"},
        {{2, 0, 3.1875f, 0, 1.875f, 0.6875f}, 2, "half, along the rows"},
        {{2.75f, 0, -6.1875f, 0, 2.75f, -9.3125f}, 3, "over the border, along the rows"},
        {{-2.4375f, 0, 60.1875f, 0, 1.875f, 0.1875f}, 2, "mirrored"},
        {{1.7f, 0.5f, 1.1875f, -0.5f, 1.7f, 13.3125f}, 2, "half, turned, some outside"},
        {{0.4f, 1.8f, 1.1875f, 1.8f, 0.1f, 0.3125f}, 2, "half, on its side"},
        {{0.1f, 2.1f, 1.1875f, 1.7f, 0.1f, 0.3125f}, 2, "half, on its side, all inside"},
        {{5, 0, -30.1875f, 0, 5, -30.3125f}, 4, "far smaller"},
    };
    static const struct warp_format format = {WARP_RGB, 100, 0.5f, FILL};
    float out[3 * OUT * OUT];
    uint8_t bytes[3 * OUT * OUT];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const int n = rows[i].samples;
        unsigned near = 0;

        warp_to_floats(&picture, &rows[i].map, OUT, OUT, &format, out);
        warp_to_bytes(&picture, &rows[i].map, OUT, OUT, bytes);
        for (int v = 0; v < OUT; v++)
            for (int u = 0; u < OUT; u++)
                for (int c = 0; c < 3; c++) {
                    const double want = wanted(&rows[i].map, n, u, v, c);
                    const double got = (double)out[(2 - c) * OUT * OUT + v * OUT + u] / 0.5 + 100;

                    /* Weights have eight bits; a sample on the edge of a pixel may fall on either side. */
                    near += fabs(got - want) < 1.5;
                    if (warp_outside(&picture, &rows[i].map, OUT, OUT) == 0 &&
                        fabs(bytes[3 * (v * OUT + u) + c] - got) > 0.51)
                        fail_msg("%s: byte %d %d", rows[i].what, u, v);
                }
        if (near < 3 * OUT * OUT * 995 / 1000)
            fail_msg("%s: %u of %d as wanted", rows[i].what, near, 3 * OUT * OUT);
    }
}

static void a_map_that_leads_nowhere_gives_the_fill(void **state)
{
    static const struct warp_format format = {WARP_GREY, 0, 1, FILL};
    const struct warp_map nowhere = {NAN, 0, 0, 0, 1, 0}, far = {1, 0, 9e6f, 0, 1, 0},
                          beside = {1, 0, 500, 0, 1, 500};
    const struct warp_map *const maps[] = {&nowhere, &far, &beside};
    float out[OUT * OUT];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        warp_to_floats(&picture, maps[i], OUT, OUT, &format, out);
        for (int k = 0; k < OUT * OUT; k++)
            assert_float_equal(out[k], FILL, 0.01);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_value_is_the_mean_of_its_samples),
        cmocka_unit_test(a_map_that_leads_nowhere_gives_the_fill),
    };

    return cmocka_run_group_tests(tests, picture_is_drawn, NULL);
}
