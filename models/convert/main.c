/*
 * uketsuke-convert: makes the dlib face ResNet, as the package @vladmandic/face-api carries it for
 * TensorFlow.js, into ONNX.
 *
 *   uketsuke-convert dlib-resnet WEIGHTS.json WEIGHTS.bin OUT.onnx
 *
 * The network (D. King's dlib_face_recognition_resnet_model_v1): a convolution 7 x 7 and a pooling,
 * then fourteen residual blocks of two convolutions 3 x 3 of 32, 64, 128, 256 channels, some
 * halving the picture, then the mean of each channel times a matrix: 128 values. Each convolution
 * is followed by a scale and a shift a channel, which go into its weights; the mean colour that is
 * taken away before goes into the first one's shift, so that the input is red-green-blue / 256.
 */
#include "onnx.h"
#include "weights.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDE 150

static const struct block {
    const char *name;
    int channels;
    bool halves;
} blocks[] = {
    {"conv32_1", 32, false},   {"conv32_2", 32, false},         {"conv32_3", 32, false},
    {"conv64_down", 64, true}, {"conv64_1", 64, false},         {"conv64_2", 64, false},
    {"conv64_3", 64, false},   {"conv128_down", 128, true},     {"conv128_1", 128, false},
    {"conv128_2", 128, false}, {"conv256_down", 256, true},     {"conv256_1", 256, false},
    {"conv256_2", 256, false}, {"conv256_down_out", 256, true},
};

struct convert {
    struct onnx net;
    struct weights weights;
    int side, channels; /* of what was made last */
    int error;
};

static void fail(struct convert *c, const char *name, int error)
{
    if (c->error < 0)
        return;
    c->error = error;
    fprintf(stderr, "%s: %s\n", name,
            error == -ENOENT   ? "not among the weights"
            : error == -EINVAL ? "another shape than this network has"
                               : strerror(-error));
}

static float *take(struct convert *c, const char *layer, const char *part, const int64_t *dims,
                   size_t ndims)
{
    float *values = NULL;
    char name[80];
    int r;

    (void)snprintf(name, sizeof(name), "%s/%s", layer, part);
    r = c->error < 0 ? c->error : weights_take(&c->weights, name, dims, ndims, &values);
    if (r < 0)
        fail(c, name, r);
    return values;
}

/* Convolution, scale and shift as one convolution. mean: of the input's channels, NULL for none. */
static void convolution(struct convert *c, const char *layer, const char *in, int from, int to,
                        int kernel, int stride, int pad, const float *mean, const char *out)
{
    const int64_t filter_dims[4] = {kernel, kernel, from, to}, dims[4] = {to, from, kernel, kernel},
                  one[1] = {to};
    float *filters = take(c, layer, "conv/filters", filter_dims, 4),
          *bias = take(c, layer, "conv/bias", one, 1);
    float *scale = take(c, layer, "scale/weights", one, 1),
          *shift = take(c, layer, "scale/biases", one, 1);
    const size_t taps = (size_t)kernel * (size_t)kernel;
    float *w = calloc(taps * (size_t)from * (size_t)to, sizeof(float));
    char weights_name[ONNX_NAME], bias_name[ONNX_NAME];

    if (c->error < 0 || w == NULL) {
        fail(c, layer, -ENOMEM);
        goto out;
    }
    for (size_t o = 0; o < (size_t)to; o++) {
        double sum = bias[o];

        for (size_t i = 0; i < (size_t)from; i++) {
            for (size_t t = 0; t < taps;
                 t++) { /* rows, columns, in, out become out, in, rows, columns */
                const float v = filters[(t * (size_t)from + i) * (size_t)to + o];

                w[(o * (size_t)from + i) * taps + t] = v * scale[o];
                if (mean != NULL)
                    sum -= (double)v * (double)mean[i];
            }
        }
        shift[o] = (float)(sum * (double)scale[o] + (double)shift[o]);
    }
    (void)snprintf(weights_name, sizeof(weights_name), "w%u", c->net.count);
    (void)snprintf(bias_name, sizeof(bias_name), "b%u", c->net.count);
    onnx_tensor(&c->net, weights_name, dims, 4, w);
    onnx_tensor(&c->net, bias_name, one, 1, shift);
    onnx_conv(&c->net, in, weights_name, bias_name, kernel, stride, pad, out);
out:
    free(filters);
    free(bias);
    free(scale);
    free(shift);
    free(w);
}

/* relu(convolutions(in) + in), or of a halved in with zeros for the channels it lacks. */
static void residual(struct convert *c, const struct block *block, const char *in, const char *out)
{
    const int halved = (c->side - 3) / 2 + 1, pooled = (c->side - 2) / 2 + 1;
    char layer[60], a[ONNX_NAME], b[ONNX_NAME], d[ONNX_NAME], skip[ONNX_NAME];
    const char *left, *right = in;

    (void)snprintf(a, sizeof(a), "%s.a", block->name);
    (void)snprintf(b, sizeof(b), "%s.b", block->name);
    (void)snprintf(d, sizeof(d), "%s.d", block->name);
    (void)snprintf(skip, sizeof(skip), "%s.skip", block->name);
    (void)snprintf(layer, sizeof(layer), "%s/conv1", block->name);
    convolution(c, layer, in, c->channels, block->channels, 3, block->halves ? 2 : 1,
                block->halves ? 0 : 1, NULL, a);
    onnx_relu(&c->net, a, b);
    (void)snprintf(layer, sizeof(layer), "%s/conv2", block->name);
    convolution(c, layer, b, block->channels, block->channels, 3, 1, 1, NULL, d);
    left = d;
    if (block->halves) {
        char smaller[ONNX_NAME + 8], wider[ONNX_NAME + 8], longer[ONNX_NAME + 8];

        (void)snprintf(smaller, sizeof(smaller), "%s.p", block->name);
        (void)snprintf(wider, sizeof(wider), "%s.q", block->name);
        (void)snprintf(longer, sizeof(longer), "%s.l", block->name);
        onnx_average_pool(&c->net, in, 2, 2, smaller);
        right = smaller;
        if (c->channels != block->channels) {
            onnx_pad(&c->net, smaller, block->channels - c->channels, 0, 0, wider);
            right = wider;
        }
        if (halved != pooled) {
            onnx_pad(&c->net, d, 0, pooled - halved, pooled - halved, longer);
            left = longer;
        }
        onnx_add(&c->net, left, right, skip);
        c->side = pooled;
        c->channels = block->channels;
    } else {
        onnx_add(&c->net, left, right, skip);
    }
    onnx_relu(&c->net, skip, out);
}

static void dlib_resnet(struct convert *c)
{
    static const float mean[3] = {122.782f / 256, 117.001f / 256, 104.298f / 256};
    const int64_t input[4] = {1, 3, SIDE, SIDE}, fc[2] = {256, 128}, output[2] = {1, 128};
    char in[ONNX_NAME] = "pool", out[ONNX_NAME];
    float *matrix = NULL;

    onnx_init(&c->net);
    onnx_input(&c->net, "input", input, 4);
    convolution(c, "conv32_down", "input", 3, 32, 7, 2, 0, mean, "first");
    onnx_relu(&c->net, "first", "first.r");
    onnx_max_pool(&c->net, "first.r", 3, 2, "pool");
    c->side = ((SIDE - 7) / 2 + 1 - 3) / 2 + 1;
    c->channels = 32;
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        (void)snprintf(out, sizeof(out), "%s.out", blocks[i].name);
        residual(c, &blocks[i], in, out);
        memcpy(in, out, sizeof(in));
    }
    onnx_global_average(&c->net, in, "mean");
    onnx_flatten(&c->net, "mean", "flat");
    if (c->error == 0)
        c->error = weights_take(&c->weights, "fc", fc, 2, &matrix);
    if (c->error == 0)
        onnx_tensor(&c->net, "fc", fc, 2, matrix);
    onnx_matrix(&c->net, "flat", "fc", "embedding");
    onnx_output(&c->net, "embedding", output, 2);
    free(matrix);
}

static int write_file(const char *path, const uint8_t *data, size_t len)
{
    FILE *file = fopen(path, "we");
    int r = 0;

    if (file == NULL)
        return -errno;
    if (fwrite(data, 1, len, file) != len)
        r = -EIO;
    if (fclose(file) != 0 && r == 0)
        r = -errno;
    return r;
}

int main(int argc, char **argv)
{
    struct convert c = {0};
    uint8_t *data = NULL;
    size_t len = 0;
    int r;

    if (argc != 5 || strcmp(argv[1], "dlib-resnet") != 0) {
        fputs("uketsuke-convert dlib-resnet WEIGHTS.json WEIGHTS.bin OUT.onnx\n", stderr);
        return 2;
    }
    if (weights_open(&c.weights, argv[2], argv[3]) < 0)
        return 1;
    dlib_resnet(&c);
    r = onnx_finish(&c.net, "dlib-resnet", &data, &len);
    if (c.error < 0)
        r = c.error;
    if (r == 0)
        r = write_file(argv[4], data, len);
    if (r < 0)
        fprintf(stderr, "%s: %s\n", argv[4], strerror(-r));
    free(data);
    weights_close(&c.weights);
    return r < 0;
}
