#include "detect.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

struct warp_map detect_map(const struct model *model, const struct image *image, float margin)
{
    const float w = (float)image->width * (1 + 2 * margin),
                h = (float)image->height * (1 + 2 * margin);
    const float across = w / (float)model->width, down = h / (float)model->height;
    const float scale = across > down ? across : down;

    return (struct warp_map){.a = scale,
                             .c = -(float)image->width * margin,
                             .e = scale,
                             .f = -(float)image->height * margin};
}

static float area(const struct box *b)
{
    return box_width(b) * box_height(b);
}

static float overlap(const struct box *a, const struct box *b)
{
    const float w = fminf(a->x1, b->x1) - fmaxf(a->x0, b->x0);
    const float h = fminf(a->y1, b->y1) - fmaxf(a->y0, b->y0);
    float both;

    if (w <= 0 || h <= 0)
        return 0;
    both = w * h;
    return both / (area(a) + area(b) - both);
}

static int better_first(const void *a, const void *b)
{
    const struct detection *x = a, *y = b;

    return (x->score < y->score) - (x->score > y->score);
}

size_t detect_suppress(struct detection *found, size_t count, float threshold)
{
    size_t kept = 0;

    qsort(found, count, sizeof(*found), better_first);
    for (size_t i = 0; i < count; i++) {
        bool covered = false;

        for (size_t k = 0; k < kept && !covered; k++)
            covered = overlap(&found[i].box, &found[k].box) > threshold;
        if (!covered)
            found[kept++] = found[i];
    }
    return kept;
}

size_t detect_nearest(const struct detection *found, size_t count)
{
    size_t best = 0;

    for (size_t i = 1; i < count; i++)
        if (area(&found[i].box) > area(&found[best].box))
            best = i;
    return best;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Candidates before suppression: when there are more than fit, the weakest goes. */
struct gather {
    struct detection found[4 * DETECT_MOST];
    size_t count;
    const struct warp_map *map;
    float width, height;
};

static float within(float v, float high)
{
    return v < 0 ? 0 : v > high ? high : v;
}

/* A box in pixels of the net's input. */
static void gather_add(struct gather *g, struct box b, float score)
{
    const size_t room = sizeof(g->found) / sizeof(g->found[0]);
    size_t at = g->count;

    b.x0 = within(g->map->a * b.x0 + g->map->c, g->width);
    b.x1 = within(g->map->a * b.x1 + g->map->c, g->width);
    b.y0 = within(g->map->e * b.y0 + g->map->f, g->height);
    b.y1 = within(g->map->e * b.y1 + g->map->f, g->height);
    if (!(box_width(&b) >= 1 && box_height(&b) >= 1))
        return;
    if (at == room) {
        at = 0;
        for (size_t i = 1; i < room; i++)
            if (g->found[i].score < g->found[at].score)
                at = i;
        if (g->found[at].score >= score)
            return;
    } else {
        g->count++;
    }
    g->found[at] = (struct detection){b, score};
}

/* The output with `columns` values a row, whatever its name; NULL if there is none. */
static const struct dnn_tensor *with_columns(const struct dnn_tensor *outputs, size_t n,
                                             int columns)
{
    for (size_t i = 0; i < n; i++)
        if (outputs[i].ndims >= 2 && outputs[i].dims[outputs[i].ndims - 1] == columns)
            return &outputs[i];
    return NULL;
}

/* Boxes are corners in 0..1 of the input; scores are background, face. */
static int read_ultraface(const struct model *model, const struct dnn_tensor *outputs, size_t n,
                          struct gather *g)
{
    const struct dnn_tensor *boxes = with_columns(outputs, n, 4),
                            *scores = with_columns(outputs, n, 2);
    const float w = (float)model->width, h = (float)model->height;

    if (n != 2 || boxes == NULL || scores == NULL || boxes->count != 2 * scores->count)
        return -EINVAL;
    for (size_t i = 0; i < scores->count / 2; i++) {
        const float score = scores->data[2 * i + 1], *b = boxes->data + 4 * i;

        if (score >= model->score_threshold && score <= 1.001f)
            gather_add(g, (struct box){b[0] * w, b[1] * h, b[2] * w, b[3] * h}, score);
    }
    return 0;
}

/*
 * For each stride s a grid of cells (c, r) with class, object and box maps:
 * score = sqrt(class * object), centre = ((c + b0) s, (r + b1) s), size = (exp(b2) s, exp(b3) s).
 * The outputs come as cls x 3, obj x 3, bbox x 3, kps x 3; only the number of cells tells the strides apart,
 * so the maps of one kind are found by their columns and order.
 */
static int read_yunet(const struct model *model, const struct dnn_tensor *outputs, size_t n,
                      struct gather *g)
{
    static const int strides[3] = {8, 16, 32};

    if (n != 12 || model->width % 32 != 0 || model->height % 32 != 0)
        return -EINVAL;
    for (size_t k = 0; k < 3; k++) {
        const int s = strides[k], across = model->width / s;
        const size_t cells = (size_t)across * (size_t)(model->height / s);
        const struct dnn_tensor *one[2] = {NULL, NULL}, *boxes = NULL;
        size_t nones = 0;

        for (size_t i = 0; i < n; i++) {
            if (outputs[i].count == cells && outputs[i].dims[outputs[i].ndims - 1] == 1 &&
                nones < 2)
                one[nones++] = &outputs[i];
            else if (outputs[i].count == 4 * cells && outputs[i].dims[outputs[i].ndims - 1] == 4)
                boxes = &outputs[i];
        }
        if (nones != 2 || boxes == NULL)
            return -EINVAL;
        for (size_t i = 0; i < cells; i++) {
            const float p = one[0]->data[i] * one[1]->data[i], score = p > 0 ? sqrtf(p) : 0;
            const size_t row = i / (size_t)across, column = i % (size_t)across;
            const float *b = boxes->data + 4 * i;
            float x, y, w, h;

            if (!(score >= model->score_threshold && score <= 1.001f))
                continue;
            x = ((float)column + b[0]) * (float)s;
            y = ((float)row + b[1]) * (float)s;
            w = expf(b[2]) * (float)s;
            h = expf(b[3]) * (float)s;
            gather_add(g, (struct box){x - w / 2, y - h / 2, x + w / 2, y + h / 2}, score);
        }
    }
    return 0;
}

int detect_read(const struct model *model, const struct dnn_tensor *outputs, size_t noutputs,
                const struct warp_map *map, int width, int height, struct detection *out,
                size_t most, size_t *count)
{
    struct gather g = {.map = map, .width = (float)width, .height = (float)height};
    int r;

    *count = 0;
    r = model->decoding == DECODING_YUNET ? read_yunet(model, outputs, noutputs, &g)
                                          : read_ultraface(model, outputs, noutputs, &g);
    if (r < 0)
        return r;
    g.count = detect_suppress(g.found, g.count, model->nms_threshold);
    for (size_t i = 0; i < g.count && i < most; i++)
        out[(*count)++] = g.found[i];
    return 0;
}
