#include "canvas.h"

#include <ft2build.h>
#include FT_FREETYPE_H
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- by lot: splitmix64 (Steele, Lea, Flood 2014) -------------------------------------------- */

uint64_t lot_next(struct lot *lot)
{
    uint64_t z = lot->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void lot_seed(struct lot *lot, uint64_t seed, uint64_t stream)
{
    /* Mixed, so that neighbouring seeds do not walk along one stream. */
    lot->state = seed;
    lot->state = lot_next(lot) ^ stream * UINT64_C(0xd1342543de82ef95);
    (void)lot_next(lot);
}

unsigned lot_below(struct lot *lot, unsigned n)
{
    return (unsigned)(lot_next(lot) % n);
}

double lot_range(struct lot *lot, double low, double high)
{
    return low + (high - low) * (double)(lot_next(lot) >> 11) / 9007199254740992.0;
}

double lot_normal(struct lot *lot)
{
    double sum = 0;

    for (int i = 0; i < 12; i++)
        sum += lot_range(lot, 0, 1);
    return sum - 6;
}

/* ---- pictures -------------------------------------------------------------------------------- */

struct picture *picture_new(int width, int height, uint32_t rgb)
{
    struct picture *p = malloc(sizeof(*p));

    if (p == NULL)
        return NULL;
    p->width = width;
    p->height = height;
    p->rgb = malloc((size_t)width * (size_t)height * 3);
    if (p->rgb == NULL) {
        free(p);
        return NULL;
    }
    for (size_t i = 0; i < (size_t)width * (size_t)height; i++) {
        p->rgb[3 * i] = (uint8_t)(rgb >> 16);
        p->rgb[3 * i + 1] = (uint8_t)(rgb >> 8);
        p->rgb[3 * i + 2] = (uint8_t)rgb;
    }
    return p;
}

void picture_free(struct picture **p)
{
    if (*p == NULL)
        return;
    free((*p)->rgb);
    free(*p);
    *p = NULL;
}

void picture_blend(struct picture *p, int x, int y, uint32_t rgb, double alpha)
{
    uint8_t *at;
    const int a = (int)lrint(alpha * 256);

    if (x < 0 || y < 0 || x >= p->width || y >= p->height || a <= 0)
        return;
    at = picture_at(p, x, y);
    for (int c = 0; c < 3; c++)
        at[c] = (uint8_t)(at[c] + (((int)(rgb >> (16 - 8 * c) & 0xff) - at[c]) * a) / 256);
}

void picture_rectangle(struct picture *p, double x0, double y0, double x1, double y1, uint32_t rgb,
                       double alpha)
{
    for (int y = (int)lrint(y0); y < (int)lrint(y1); y++)
        for (int x = (int)lrint(x0); x < (int)lrint(x1); x++)
            picture_blend(p, x, y, rgb, alpha);
}

void picture_ellipse(struct picture *p, double cx, double cy, double rx, double ry, uint32_t rgb,
                     double alpha)
{
    for (int y = (int)floor(cy - ry - 1); y <= (int)ceil(cy + ry + 1); y++) {
        for (int x = (int)floor(cx - rx - 1); x <= (int)ceil(cx + rx + 1); x++) {
            const double d = hypot((x - cx) / rx, (y - cy) / ry);
            const double edge = (1 - d) * fmin(rx, ry);

            if (edge > -0.5)
                picture_blend(p, x, y, rgb, alpha * fmin(1, edge + 0.5));
        }
    }
}

void picture_line(struct picture *p, double x0, double y0, double x1, double y1, double width,
                  uint32_t rgb, double alpha)
{
    const double length = hypot(x1 - x0, y1 - y0) + 1e-9, dx = (x1 - x0) / length,
                 dy = (y1 - y0) / length;
    const int left = (int)floor(fmin(x0, x1) - width), right = (int)ceil(fmax(x0, x1) + width);

    for (int y = (int)floor(fmin(y0, y1) - width); y <= (int)ceil(fmax(y0, y1) + width); y++) {
        for (int x = left; x <= right; x++) {
            const double along = (x - x0) * dx + (y - y0) * dy,
                         off = fabs((x - x0) * dy - (y - y0) * dx);

            if (along >= 0 && along <= length && off < width / 2 + 0.5)
                picture_blend(p, x, y, rgb, alpha * fmin(1, width / 2 + 0.5 - off));
        }
    }
}

struct picture *picture_halve(const struct picture *p)
{
    struct picture *half = picture_new(p->width / 2, p->height / 2, 0);

    if (half == NULL)
        return NULL;
    for (int y = 0; y < half->height; y++)
        for (int x = 0; x < half->width; x++)
            for (int c = 0; c < 3; c++)
                picture_at(half, x, y)[c] =
                    (uint8_t)((picture_at(p, 2 * x, 2 * y)[c] + picture_at(p, 2 * x + 1, 2 * y)[c] +
                               picture_at(p, 2 * x, 2 * y + 1)[c] +
                               picture_at(p, 2 * x + 1, 2 * y + 1)[c] + 2) /
                              4);
    return half;
}

/* One pass of a kernel whose taps lie at (dx, dy) * i. */
static void convolve(struct picture *p, const float *kernel, const int *ox, const int *oy, int taps)
{
    struct picture *from = picture_new(p->width, p->height, 0);

    if (from == NULL)
        return;
    memcpy(from->rgb, p->rgb, (size_t)p->width * (size_t)p->height * 3);
    for (int y = 0; y < p->height; y++) {
        for (int x = 0; x < p->width; x++) {
            float sum[3] = {0.5f, 0.5f, 0.5f};

            for (int i = 0; i < taps; i++) {
                int sx = x + ox[i], sy = y + oy[i];
                const uint8_t *at;

                sx = sx < 0 ? 0 : sx >= p->width ? p->width - 1 : sx;
                sy = sy < 0 ? 0 : sy >= p->height ? p->height - 1 : sy;
                at = picture_at(from, sx, sy);
                for (int c = 0; c < 3; c++)
                    sum[c] += kernel[i] * (float)at[c];
            }
            for (int c = 0; c < 3; c++)
                picture_at(p, x, y)[c] = (uint8_t)fminf(255, sum[c]);
        }
    }
    picture_free(&from);
}

#define TAPS_MOST 33

void picture_blur(struct picture *p, double sigma)
{
    float kernel[TAPS_MOST];
    int steps[TAPS_MOST], zero[TAPS_MOST] = {0};
    const int reach = (int)fmin(TAPS_MOST / 2, ceil(2.5 * sigma));
    float sum = 0;

    if (sigma < 0.2)
        return;
    for (int i = -reach; i <= reach; i++) {
        steps[i + reach] = i;
        sum += kernel[i + reach] = (float)exp(-i * i / (2 * sigma * sigma));
    }
    for (int i = 0; i <= 2 * reach; i++)
        kernel[i] /= sum;
    convolve(p, kernel, steps, zero, 2 * reach + 1);
    convolve(p, kernel, zero, steps, 2 * reach + 1);
}

void picture_smear(struct picture *p, double length, double angle)
{
    float kernel[TAPS_MOST];
    int ox[TAPS_MOST], oy[TAPS_MOST];
    const int taps = (int)fmin(TAPS_MOST, ceil(length));

    if (taps < 2)
        return;
    for (int i = 0; i < taps; i++) {
        const double t = (i / (double)(taps - 1) - 0.5) * length;

        kernel[i] = 1.0f / (float)taps;
        ox[i] = (int)lrint(t * cos(angle));
        oy[i] = (int)lrint(t * sin(angle));
    }
    convolve(p, kernel, ox, oy, taps);
}

/* ---- text ------------------------------------------------------------------------------------ */

struct type {
    FT_Library library;
    FT_Face face;
};

struct type *type_open(const char *file)
{
    struct type *type = calloc(1, sizeof(*type));

    if (type == NULL)
        return NULL;
    if (FT_Init_FreeType(&type->library) != 0 ||
        FT_New_Face(type->library, file, 0, &type->face) != 0)
        type_close(&type);
    return type;
}

void type_close(struct type **type)
{
    if (*type == NULL)
        return;
    if ((*type)->face != NULL)
        FT_Done_Face((*type)->face);
    if ((*type)->library != NULL)
        FT_Done_FreeType((*type)->library);
    free(*type);
    *type = NULL;
}

static uint32_t utf8_next(const char **text)
{
    const uint8_t *at = (const uint8_t *)*text;
    uint32_t c = *at++;
    int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;

    if (more > 0)
        c &= 0x3fu >> more;
    while (more-- > 0 && *at != 0)
        c = c << 6 | (*at++ & 0x3f);
    *text = (const char *)at;
    return c;
}

double type_draw(struct type *type, struct picture *p, double x, double y, double size,
                 uint32_t rgb, double alpha, double spacing, const char *text)
{
    FT_Set_Pixel_Sizes(type->face, 0, (unsigned)lrint(size));
    while (*text != '\0') {
        const uint32_t c = utf8_next(&text);
        const FT_GlyphSlot slot = type->face->glyph;

        if (FT_Load_Char(type->face, c, FT_LOAD_RENDER | FT_LOAD_NO_HINTING) != 0)
            continue;
        for (unsigned row = 0; row < slot->bitmap.rows; row++)
            for (unsigned column = 0; column < slot->bitmap.width; column++)
                picture_blend(p, (int)lrint(x) + slot->bitmap_left + (int)column,
                              (int)lrint(y) - slot->bitmap_top + (int)row, rgb,
                              alpha *
                                  slot->bitmap.buffer[(int)row * slot->bitmap.pitch + (int)column] /
                                  255.0);
        x += (double)slot->advance.x / 64 + spacing;
    }
    return x;
}
