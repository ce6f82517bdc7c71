#include "landmarks.h"

#include <errno.h>
#include <math.h>

struct box landmarks_crop(const struct box *face, const struct image *image)
{
    const float half = box_height(face) / 2;
    const float x = (face->x0 + face->x1) / 2, y = (face->y0 + face->y1) / 2;

    return (struct box){
        fmaxf(x - half, 0),
        fmaxf(y - half, 0),
        fminf(x + half, (float)image->width),
        fminf(y + half, (float)image->height),
    };
}

int landmarks_read(const struct dnn_tensor *outputs, size_t noutputs, const struct box *crop,
                   struct point out[LANDMARKS])
{
    const float *v;

    if (noutputs != 1 || outputs[0].count != 2 * LANDMARKS)
        return -EINVAL;
    v = outputs[0].data;
    for (size_t i = 0; i < LANDMARKS; i++) {
        if (!isfinite(v[2 * i]) || !isfinite(v[2 * i + 1]))
            return -EINVAL;
        out[i].x = crop->x0 + v[2 * i] * box_width(crop);
        out[i].y = crop->y0 + v[2 * i + 1] * box_height(crop);
    }
    return 0;
}

void landmarks_five(const struct point points[LANDMARKS], struct point out[FACE_POINTS])
{
    /* Which points are averaged for each of the five; 0 ends a row (0 itself is a point of the jaw, never used). */
    static const uint8_t of[FACE_POINTS][4] = {
        [POINT_EYE_LEFT] = {37, 38, 40, 41},
        [POINT_EYE_RIGHT] = {43, 44, 46, 47},
        [POINT_NOSE] = {30},
        [POINT_MOUTH_LEFT] = {48, 60},
        [POINT_MOUTH_RIGHT] = {54, 64},
    };

    for (int p = 0; p < FACE_POINTS; p++) {
        struct point sum = {0, 0};
        int n = 0;

        while (n < 4 && of[p][n] != 0) {
            sum.x += points[of[p][n]].x;
            sum.y += points[of[p][n]].y;
            n++;
        }
        out[p] = (struct point){sum.x / (float)n, sum.y / (float)n};
    }
}
