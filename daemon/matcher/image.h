/*
 * image: one decoded picture, blue-green-red bytes, rows packed. The pixels are a patient's: they stand in
 * secret memory that grows to the largest picture seen and is kept, so that a steady stream allocates nothing.
 */
#ifndef UKETSUKE_IMAGE_H
#define UKETSUKE_IMAGE_H

#include "daemon/common/secret.h"

#include <stddef.h>
#include <stdint.h>

/* What a picture may measure, either way, before anything is decoded. */
#define IMAGE_SIDE_LEAST 16
#define IMAGE_SIDE_MOST 2000

struct image {
    struct secret pixels;
    int width; /* 0: no picture */
    int height;
};

/* A box in pixels of a picture, corners as real numbers: pixel (0, 0) covers 0..1. */
struct box {
    float x0, y0, x1, y1;
};

struct point {
    float x, y;
};

static inline float box_width(const struct box *b)
{
    return b->x1 - b->x0;
}
static inline float box_height(const struct box *b)
{
    return b->y1 - b->y0;
}

/* Make room for a picture of that size (old pixels are lost). -EINVAL outside the bounds, -ENOMEM. */
int image_resize(struct image *image, int width, int height);
/* Wipe the pixels, keep the room. */
void image_wipe(struct image *image);
void image_free(struct image *image);

static inline uint8_t *image_row(const struct image *image, int y)
{
    return image->pixels.data + (size_t)y * (size_t)image->width * 3;
}

#endif
