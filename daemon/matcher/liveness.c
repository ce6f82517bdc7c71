#include "liveness.h"

#include <errno.h>
#include <math.h>

struct box liveness_crop(const struct box *face, float crop, const struct image *image)
{
    const float most = fminf((float)image->width, (float)image->height);
    const float side = fminf(crop * fmaxf(box_width(face), box_height(face)), most);
    float x = (face->x0 + face->x1 - side) / 2, y = (face->y0 + face->y1 - side) / 2;

    x = fmaxf(0, fminf(x, (float)image->width - side));
    y = fmaxf(0, fminf(y, (float)image->height - side));
    return (struct box){x, y, x + side, y + side};
}

int liveness_read(const struct dnn_tensor *outputs, size_t noutputs, int live_class, float *out)
{
    double sum = 0, top = -INFINITY;
    const float *v;

    if (noutputs != 1 || live_class < 0 || (size_t)live_class >= outputs[0].count ||
        outputs[0].count > 16)
        return -EINVAL;
    v = outputs[0].data;
    for (size_t i = 0; i < outputs[0].count; i++)
        top = fmax(top, (double)v[i]);
    for (size_t i = 0; i < outputs[0].count; i++)
        sum += exp((double)v[i] - top);
    if (!isfinite(sum) || !(sum > 0))
        return -EINVAL;
    *out = (float)(exp((double)v[live_class] - top) / sum);
    return 0;
}
