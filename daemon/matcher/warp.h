/*
 * warp: from a picture straight to the floats that a net wants: every crop, resize and alignment of the
 * matcher is one affine map, sampled once.
 *
 * Coordinates are continuous: the middle of the first pixel is (0.5, 0.5). Bilinear; where the map shrinks to
 * about half or less, each result is the mean of as many pixels as it covers, up to 4 x 4, so that large faces do
 * not alias. Outside the picture stands `fill`.
 */
#ifndef UKETSUKE_WARP_H
#define UKETSUKE_WARP_H

#include "image.h"

#define WARP_WIDTH_MOST 1024 /* of a result; the manifest allows no more */

/* Where a point of the result lies in the picture: x = a X + b Y + c, y = d X + e Y + f. */
struct warp_map {
    float a, b, c;
    float d, e, f;
};

enum warp_colour { WARP_BGR, WARP_RGB, WARP_GREY };

/* What a net wants of each value 0..255: (value - mean) * scale. */
struct warp_format {
    enum warp_colour colour;
    float mean;
    float scale;
    float fill; /* whole number 0..255, before mean and scale */
};

/* The map that brings `box` to a result of width x height. */
struct warp_map warp_of_box(const struct box *box, int width, int height);

/* Planes of floats (1 for grey, else 3): `out` has room for planes * width * height. */
void warp_to_floats(const struct image *image, const struct warp_map *map, int width, int height,
                    const struct warp_format *format, float *out);

/* Which part of a result of width x height would come from outside the picture, 0..1. */
float warp_outside(const struct image *image, const struct warp_map *map, int width, int height);

/* Packed BGR bytes, for the preview: `out` has room for 3 * width * height. */
void warp_to_bytes(const struct image *image, const struct warp_map *map, int width, int height,
                   uint8_t *out);

#endif
