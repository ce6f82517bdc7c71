/*
 * trace: what a frame leaves behind for the question whether a living person stands there: the
 * frame in small and grey, and how much of a screen's grid is in it. Compared over time by
 * presence.h.
 */
#ifndef UKETSUKE_TRACE_H
#define UKETSUKE_TRACE_H

#include "image.h"

#define TRACE_WIDTH 160
#define TRACE_HEIGHT 120
#define TRACE_BYTES (TRACE_WIDTH * TRACE_HEIGHT)

/* The whole frame in grey, stretched to TRACE_WIDTH x TRACE_HEIGHT bytes. */
void trace_small(const struct image *image, uint8_t *out);

/* Room for the spectrum: floats. */
#define TRACE_SIDE 128
#define TRACE_WORK (2 * TRACE_SIDE * TRACE_SIDE)
/*
 * A grid of pixels seen by another grid of pixels beats (moire): single sharp peaks in the
 * spectrum, far above what stands around them. The logarithm (base 10) of the strongest such peak's
 * power over the median of its ring, of a square of TRACE_SIDE pixels in the middle of the face;
 * axes and the harmonics of JPEG's blocks are left out. 0 when the face is smaller than the square.
 */
float trace_grid(const struct image *image, const struct box *face, float *work);

#endif
