/*
 * landmarks: 68 points of a face (iBUG scheme) and the five that alignment needs.
 */
#ifndef UKETSUKE_LANDMARKS_H
#define UKETSUKE_LANDMARKS_H

#include "dnn.h"
#include "manifest.h"

#define LANDMARKS 68

/* Eyes as seen in the picture: left is the one at the smaller x of an upright face. */
enum face_point {
    POINT_EYE_LEFT,
    POINT_EYE_RIGHT,
    POINT_NOSE,
    POINT_MOUTH_LEFT,
    POINT_MOUTH_RIGHT,
    FACE_POINTS
};

/* The square that the net sees: side = height of the face box, same middle, clipped to the picture. */
struct box landmarks_crop(const struct box *face, const struct image *image);

/* Points 0..1 of the crop, as x, y pairs. -EINVAL when the output is not 136 finite numbers. */
int landmarks_read(const struct dnn_tensor *outputs, size_t noutputs, const struct box *crop,
                   struct point out[LANDMARKS]);

/* Eye centres (four lid points each), nose tip, corners of the mouth (outer and inner point each). */
void landmarks_five(const struct point points[LANDMARKS], struct point out[FACE_POINTS]);

#endif
