/*
 * detect: where are faces in a picture, and which is the nearest.
 *
 * The picture is brought to the net's size keeping its proportions, in the upper left corner; the rest is black.
 * What the net says is read by one of two decoders (models/manifest.ini: decoding), pure functions below.
 */
#ifndef UKETSUKE_DETECT_H
#define UKETSUKE_DETECT_H

#include "dnn.h"
#include "manifest.h"

#define DETECT_MOST 64 /* candidates kept; a counter never sees that many people */

struct detection {
    struct box box; /* in pixels of the picture, clipped to it */
    float score;
};

/* The map that feeds the net. margin: extra room around the picture, in parts of its size (0 for camera frames). */
struct warp_map detect_map(const struct model *model, const struct image *image, float margin);

/*
 * Read the outputs: at most `most` detections at or above the manifest's score, best first, overlaps removed by
 * its NMS threshold (intersection over union). Boxes are clipped to width x height; what has no area is left out.
 * -EINVAL when the outputs are not of the shape that the decoding needs.
 */
int detect_read(const struct model *model, const struct dnn_tensor *outputs, size_t noutputs,
                const struct warp_map *map, int width, int height, struct detection *out,
                size_t most, size_t *count);

/* Keep the best of each cluster; returns how many are left. Sorts by score, best first. */
size_t detect_suppress(struct detection *found, size_t count, float threshold);

/* The face of largest area: the person at the counter. `count` > 0. */
size_t detect_nearest(const struct detection *found, size_t count);

#endif
