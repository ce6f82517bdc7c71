/* canvas: pictures (RGB bytes), text on them, and numbers by lot. */
#ifndef CARDFACE_CANVAS_H
#define CARDFACE_CANVAS_H

#include <stddef.h>
#include <stdint.h>

struct picture {
    int width, height;
    uint8_t *rgb;
};

struct lot {
    uint64_t state;
};

void lot_seed(struct lot *lot, uint64_t seed, uint64_t stream);
uint64_t lot_next(struct lot *lot);
/* 0 .. n - 1 */
unsigned lot_below(struct lot *lot, unsigned n);
double lot_range(struct lot *lot, double low, double high);
/* Mean 0, deviation 1. */
double lot_normal(struct lot *lot);

struct picture *picture_new(int width, int height, uint32_t rgb);
void picture_free(struct picture **p);
static inline uint8_t *picture_at(const struct picture *p, int x, int y)
{
    return p->rgb + ((size_t)y * (size_t)p->width + (size_t)x) * 3;
}
void picture_blend(struct picture *p, int x, int y, uint32_t rgb, double alpha);
void picture_rectangle(struct picture *p, double x0, double y0, double x1, double y1, uint32_t rgb,
                       double alpha);
void picture_ellipse(struct picture *p, double cx, double cy, double rx, double ry, uint32_t rgb,
                     double alpha);
void picture_line(struct picture *p, double x0, double y0, double x1, double y1, double width,
                  uint32_t rgb, double alpha);
/* Half the size, averaged. */
struct picture *picture_halve(const struct picture *p);
/* Gaussian, deviation in pixels. */
void picture_blur(struct picture *p, double sigma);
/* Along a line of `length` pixels at `angle` radians. */
void picture_smear(struct picture *p, double length, double angle);

struct type; /* a font, opened */
struct type *type_open(const char *file);
void type_close(struct type **type);
/* Draw UTF-8 text with its baseline at (x, y), `size` pixels an em. Returns the x after it. */
double type_draw(struct type *type, struct picture *p, double x, double y, double size,
                 uint32_t rgb, double alpha, double spacing, const char *text);

#endif
