#include "trace.h"

#include "warp.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#define LEAST_RADIUS 12 /* periods longer than about ten pixels are faces, not grids */
#define AXIS 2          /* edges along the picture, and blocks, stand on the axes */
#define BLOCK (TRACE_SIDE / 8)

void trace_small(const struct image *image, uint8_t *out)
{
    static const struct warp_format grey = {WARP_GREY, 0, 1, 128};
    const struct box whole = {0, 0, (float)image->width, (float)image->height};
    const struct warp_map map = warp_of_box(&whole, TRACE_WIDTH, TRACE_HEIGHT);
    float row[TRACE_WIDTH];

    for (int y = 0; y < TRACE_HEIGHT; y++) {
        const struct warp_map one = {map.a, map.b, map.c + map.b * (float)y,
                                     map.d, map.e, map.f + map.e * (float)y};

        warp_to_floats(image, &one, TRACE_WIDTH, 1, &grey, row);
        for (int x = 0; x < TRACE_WIDTH; x++)
            out[y * TRACE_WIDTH + x] = (uint8_t)(row[x] + 0.5f);
    }
}

/* In place, `n` a power of two, values `step` complex numbers apart: re, im interleaved. */
static void transform(float *v, int n, int step, const float *roots)
{
    for (int i = 1, j = 0; i < n; i++) {
        int bit = n >> 1;

        for (; (j & bit) != 0; bit >>= 1)
            j ^= bit;
        j ^= bit;
        if (i < j) {
            for (int c = 0; c < 2; c++) {
                const float t = v[2 * i * step + c];

                v[2 * i * step + c] = v[2 * j * step + c];
                v[2 * j * step + c] = t;
            }
        }
    }
    for (int len = 2; len <= n; len <<= 1) {
        for (int i = 0; i < n; i += len) {
            for (int k = 0; k < len / 2; k++) {
                const float wr = roots[2 * k * (n / len)], wi = roots[2 * k * (n / len) + 1];
                float *a = v + 2 * (i + k) * step, *b = v + 2 * (i + k + len / 2) * step;
                const float re = b[0] * wr - b[1] * wi, im = b[0] * wi + b[1] * wr;

                b[0] = a[0] - re;
                b[1] = a[1] - im;
                a[0] += re;
                a[1] += im;
            }
        }
    }
}

static int ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* Frequencies that belong to the picture's own axes or to JPEG's 8 x 8 blocks. */
static bool of_the_camera(int kx, int ky)
{
    return abs(kx) <= AXIS || abs(ky) <= AXIS || (abs(kx) % BLOCK <= 1 && abs(ky) % BLOCK <= 1);
}

/* Strongest value of the ring of this radius over its median; `ring` is room. */
static float ring_peak(const float *power, int radius, float *ring)
{
    float most = 0;
    int n = 0;

    for (int ky = -radius - 1; ky <= radius + 1; ky++) {
        for (int kx = 0; kx <= radius + 1; kx++) { /* the other half mirrors this one */
            const float p = power[((ky + TRACE_SIDE) % TRACE_SIDE) * TRACE_SIDE + kx];

            if ((int)lrintf(sqrtf((float)(kx * kx + ky * ky))) != radius || of_the_camera(kx, ky))
                continue;
            ring[n++] = p;
            most = fmaxf(most, p);
        }
    }
    if (n < 8)
        return 0;
    qsort(ring, (size_t)n, sizeof(*ring), ascending);
    return most / fmaxf(ring[n / 2], 1e-3f);
}

float trace_grid(const struct image *image, const struct box *face, float *work)
{
    const float x = (face->x0 + face->x1 - TRACE_SIDE) / 2,
                y = (face->y0 + face->y1 - TRACE_SIDE) / 2;
    static const struct warp_format grey = {WARP_GREY, 0, 1, 128};
    const struct warp_map map = {.a = 1, .c = floorf(x), .e = 1, .f = floorf(y)};
    float roots[TRACE_SIDE], ring[4 * TRACE_SIDE], window[TRACE_SIDE], sum = 0, most = 0;
    float *power = work;

    if (box_width(face) < TRACE_SIDE * 0.8f || box_height(face) < TRACE_SIDE)
        return 0;
    for (int k = 0; k < TRACE_SIDE / 2; k++) {
        roots[2 * k] = cosf(6.2831853f * (float)k / TRACE_SIDE);
        roots[2 * k + 1] = -sinf(6.2831853f * (float)k / TRACE_SIDE);
    }
    for (int i = 0; i < TRACE_SIDE; i++)
        window[i] = 0.5f - 0.5f * cosf(6.2831853f * ((float)i + 0.5f) / TRACE_SIDE);
    /* The grey square goes into the upper half of the room and is spread to complex numbers from
     * below. */
    warp_to_floats(image, &map, TRACE_SIDE, TRACE_SIDE, &grey, work + TRACE_SIDE * TRACE_SIDE);
    for (int i = 0; i < TRACE_SIDE * TRACE_SIDE; i++)
        sum += work[TRACE_SIDE * TRACE_SIDE + i];
    sum /= TRACE_SIDE * TRACE_SIDE;
    for (int i = 0; i < TRACE_SIDE * TRACE_SIDE; i++) {
        const float v = work[TRACE_SIDE * TRACE_SIDE + i];

        work[2 * i] = (v - sum) * window[i % TRACE_SIDE] * window[i / TRACE_SIDE];
        work[2 * i + 1] = 0;
    }
    for (int i = 0; i < TRACE_SIDE; i++)
        transform(work + 2 * i * TRACE_SIDE, TRACE_SIDE, 1, roots);
    for (int i = 0; i < TRACE_SIDE; i++)
        transform(work + 2 * i, TRACE_SIDE, TRACE_SIDE, roots);
    for (int i = 0; i < TRACE_SIDE * TRACE_SIDE; i++)
        power[i] = work[2 * i] * work[2 * i] + work[2 * i + 1] * work[2 * i + 1];
    for (int radius = LEAST_RADIUS; radius < TRACE_SIDE / 2 - 1; radius++)
        most = fmaxf(most, ring_peak(power, radius, ring));
    return most > 1 ? log10f(most) : 0;
}
