#include "cells.h"

#include <math.h>

#define RUNS_MOST 96
#define RUNS_A_SYMBOL 4

uint8_t cells_paper(const uint8_t *pixels, size_t n)
{
    size_t histogram[256] = {0}, sum = 0;
    unsigned v = 0;

    for (size_t i = 0; i < n; i++)
        histogram[pixels[i]]++;
    while (v < 255 && (sum += histogram[v]) < n * 7 / 10)
        v++;
    return (uint8_t)v;
}

/* Brightness below which a pixel is ink: between the paper and the darkest fiftieth. */
static int ink_level(const uint8_t *pixels, size_t n)
{
    size_t histogram[256] = {0}, sum = 0;
    int dark = 0;
    const int paper = cells_paper(pixels, n);

    for (size_t i = 0; i < n; i++)
        histogram[pixels[i]]++;
    while (dark < 255 && (sum += histogram[dark]) < n / 50)
        dark++;
    return paper - (paper - dark) * 45 / 100;
}

static unsigned find_runs(const uint8_t *pixels, int width, int height, struct cell runs[RUNS_MOST])
{
    const int level = ink_level(pixels, (size_t)width * (size_t)height);
    unsigned n = 0;
    bool inside = false;

    for (int x = 0; x < width; x++) {
        bool ink = false;

        for (int y = 1; y < height - 1 && !ink; y++)
            ink = pixels[y * width + x] < level;
        if (ink && !inside) {
            if (n == RUNS_MOST)
                return 0;
            runs[n++] = (struct cell){x, x + 1};
        } else if (ink) {
            runs[n - 1].x1 = x + 1;
        }
        inside = ink;
    }
    return n;
}

/* How badly a span of columns suits a character. */
static float cost_of(const struct symbol *symbol, int width, float em)
{
    const float w = (float)width / em;

    if (symbol->code >= '0' && symbol->code <= '9') {
        if (w > 0.68f)
            return 8;
        return w > 0.58f                         ? (w - 0.58f) * 8
               : w < 0.08f                       ? 1
               : w < 0.3f && symbol->code != '1' ? 0.6f
                                                 : 0;
    }
    if (w > 1.12f)
        return 8;
    return fabsf(w - 0.9f) * 2 + (w < 0.55f ? 2 : 0);
}

bool cells_align(const uint8_t *pixels, int width, int height, const struct symbols *line,
                 struct cell out[SYMBOLS_MOST])
{
    struct cell runs[RUNS_MOST];
    float cost[SYMBOLS_MOST + 1][RUNS_MOST + 1];
    uint8_t took[SYMBOLS_MOST + 1][RUNS_MOST + 1];
    const unsigned n = find_runs(pixels, width, height, runs);
    float em = 0;

    if (n == 0 || line->n == 0 || line->n > n)
        return false;
    /* The em from the line's length, by what is in it: a wide character one, a digit a half;
     * checked by the height. */
    for (unsigned i = 0; i < line->n; i++)
        em += line->at[i].code >= '0' && line->at[i].code <= '9' ? 0.5f : 1.0f;
    em = fminf((float)(runs[n - 1].x1 - runs[0].x0) / em, (float)height * 0.85f);
    for (unsigned s = 0; s <= line->n; s++) {
        for (unsigned r = 0; r <= n; r++) {
            cost[s][r] = s == 0 && r == 0 ? 0 : INFINITY;
            took[s][r] = 0;
            for (unsigned k = 1; s > 0 && k <= RUNS_A_SYMBOL && k <= r; k++) {
                const float c = cost[s - 1][r - k] +
                                cost_of(&line->at[s - 1], runs[r - 1].x1 - runs[r - k].x0, em);

                if (c < cost[s][r]) {
                    cost[s][r] = c;
                    took[s][r] = (uint8_t)k;
                }
            }
        }
    }
    if (!(cost[line->n][n] < (float)line->n * 0.6f))
        return false;
    for (unsigned s = line->n, r = n; s > 0; s--) {
        const unsigned k = took[s][r];

        out[s - 1] = (struct cell){runs[r - k].x0, runs[r - 1].x1};
        r -= k;
    }
    return true;
}
