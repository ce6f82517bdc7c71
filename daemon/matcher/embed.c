#include "embed.h"

#include <errno.h>
#include <math.h>

int embed_read(const struct dnn_tensor *outputs, size_t noutputs, int dimensions, float *out)
{
    double sum = 0;

    if (noutputs != 1 || dimensions <= 0 || outputs[0].count != (size_t)dimensions)
        return -EINVAL;
    for (int i = 0; i < dimensions; i++)
        sum += (double)outputs[0].data[i] * (double)outputs[0].data[i];
    if (!isfinite(sum) || sum < 1e-12)
        return -EINVAL;
    for (int i = 0; i < dimensions; i++)
        out[i] = (float)((double)outputs[0].data[i] / sqrt(sum));
    return 0;
}

float embed_cosine(const float *a, const float *b, int dimensions)
{
    float sum = 0;

    for (int i = 0; i < dimensions; i++)
        sum += a[i] * b[i];
    return sum;
}
