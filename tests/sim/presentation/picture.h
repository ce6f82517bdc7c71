/*
 * picture: red-green-blue pictures of the simulated camera: read, sample, write. No code of the
 * product.
 */
#ifndef UKETSUKE_SIM_PICTURE_H
#define UKETSUKE_SIM_PICTURE_H

#include <stddef.h>
#include <stdint.h>

struct picture {
    int width, height;
    uint8_t *rgb;
};

/* 0 or -1 (said on stderr). */
int picture_new(struct picture *p, int width, int height);
int picture_read_jpeg(struct picture *p, const char *path);
int picture_read_pnm(struct picture *p, const char *path); /* P5 or P6 */
/* *jpeg is malloc()ed. */
int picture_jpeg(const struct picture *p, int quality, uint8_t **jpeg, size_t *len);
void picture_free(struct picture *p);

/* Bilinear, borders repeated; (0.5, 0.5) is the middle of the first pixel. */
void picture_sample(const struct picture *p, double x, double y, double rgb[3]);

/* Numbers that are the same on every machine. */
struct dice {
    uint64_t state;
};
uint64_t dice_next(struct dice *d);
double dice_between(struct dice *d, double low, double high);
double dice_gauss(struct dice *d);

#endif
