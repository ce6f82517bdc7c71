/*
 * align: the similarity (turn, scale, shift; never a mirror) that lays five points of a face best, in the sense
 * of least squares, onto the template of the ArcFace family (S. Umeyama, 1991).
 */
#ifndef UKETSUKE_ALIGN_H
#define UKETSUKE_ALIGN_H

#include "landmarks.h"
#include "manifest.h"

/*
 * The map from a result of side x side to the picture. `residual`, unless NULL: root mean square distance of the
 * points from the template, in parts of the side. -EDOM when the points coincide.
 */
int align_map_to(const struct point points[FACE_POINTS], enum model_alignment to, int side,
                 struct warp_map *out, float *residual);
/* The same with the ArcFace template. */
int align_map(const struct point points[FACE_POINTS], int side, struct warp_map *out,
              float *residual);

/* Least squares similarity from n points to n points: to = s R from + t, as a map. -EDOM. */
int align_similarity(const struct point *from, const struct point *to, int n, struct warp_map *out);

#endif
