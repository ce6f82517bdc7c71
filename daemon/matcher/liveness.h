/*
 * liveness: one frame's passive score. It separates weakly (models/README.md), so it is advice: what a visit makes
 * of it is decided by decision.h.
 */
#ifndef UKETSUKE_LIVENESS_H
#define UKETSUKE_LIVENESS_H

#include "dnn.h"
#include "manifest.h"

/*
 * What the net sees: a square of `crop` times the longer side of the face box, about its middle; smaller where
 * the picture is too small for it, moved so that it stays inside.
 */
struct box liveness_crop(const struct box *face, float crop, const struct image *image);

/* Softmax of the classes; *out is the share of the living one. -EINVAL when there is no such class. */
int liveness_read(const struct dnn_tensor *outputs, size_t noutputs, int live_class, float *out);

#endif
