#include "tests/unit/matcher_nets.h"

#include "models/convert/onnx.c"

#include <math.h>
#include <string.h>

#define SHA "0000000000000000000000000000000000000000000000000000000000000000"

static const char text[] = "[set]\nname = tiny\n"
                           "[detector]\nfile = d\npackage = p\nsha256 = " SHA
                           "\nlicence = l\nprovenance = known\nwidth = 320\nheight = 240\n"
                           "colour = rgb\nmean = 127\ndivide = 128\ndecoding = "
                           "ultraface\nscore-threshold = 0.65\nnms-threshold = 0.4\n"
                           "[landmarks]\nfile = l\npackage = p\nsha256 = " SHA
                           "\nlicence = l\nprovenance = known\nwidth = 64\nheight = 64\n"
                           "colour = grey\nmean = 0\ndivide = 256\ndecoding = ibug68-unit\n"
                           "[recogniser]\nfile = r\npackage = p\nsha256 = " SHA
                           "\nlicence = l\nprovenance = known\nwidth = 112\nheight = 112\n"
                           "colour = bgr\nmean = 127\ndivide = 128\ndecoding = "
                           "embedding\ndimensions = 16\nthreshold-1e-2 = 0.24\n"
                           "threshold-1e-3 = 0.33\nthreshold-1e-4 = 0.41\nthreshold-1e-5 = 0.47\n"
                           "[liveness]\nfile = v\npackage = p\nsha256 = " SHA
                           "\nlicence = l\nprovenance = known\nwidth = 128\nheight = 128\n"
                           "colour = bgr\nmean = 0\ndivide = 1\ndecoding = softmax\nlive-class = "
                           "0\ncrop = 2.7\npass = 0.5\nfail = 0.2\ngate = no\n";

static uint32_t die = 1;
static float thrown(float spread)
{
    die = die * 1664525u + 1013904223u;
    return spread * ((float)(die >> 8) / 8388608.0f - 1);
}

/* One convolution over whole windows: bias and a little of what is seen. */
static void windows(struct onnx *net, const char *name, int from, int to, int kernel,
                    const float *bias, float spread, const char *out)
{
    const int64_t w[4] = {to, from, kernel, kernel}, b[1] = {to};
    const size_t count = (size_t)(to * from * kernel * kernel);
    float *weights = calloc(count, sizeof(float));
    char weights_name[ONNX_NAME], bias_name[ONNX_NAME];

    for (size_t i = 0; weights != NULL && i < count; i++)
        weights[i] = thrown(spread / (float)(kernel * kernel));
    (void)snprintf(weights_name, sizeof(weights_name), "%s.w", name);
    (void)snprintf(bias_name, sizeof(bias_name), "%s.b", name);
    onnx_tensor(net, weights_name, w, 4, weights);
    onnx_tensor(net, bias_name, b, 1, bias);
    onnx_conv(net, "in", weights_name, bias_name, kernel, kernel, 0, out);
    free(weights);
}

static void detector(struct onnx *net)
{
    static const float boxes[4] = {0.3f, 0.2f, 0.7f, 0.8f}, scores[2] = {0.2f, 0.75f};
    const int64_t in[4] = {1, 3, 240, 320}, out4[3] = {1, 48, 4}, out2[3] = {1, 48, 2};

    onnx_input(net, "in", in, 4);
    windows(net, "boxes", 3, 4, 40, boxes, 3, "boxes.c");
    onnx_cells(net, "boxes.c", 48, 4, "boxes");
    windows(net, "scores", 3, 2, 40, scores, 3, "scores.c");
    onnx_cells(net, "scores.c", 48, 2, "scores");
    onnx_output(net, "boxes", out4, 3);
    onnx_output(net, "scores", out2, 3);
}

/* Points about where a face has them; only the ones that are used matter. */
static void landmarks(struct onnx *net)
{
    const int64_t in[4] = {1, 1, 64, 64}, out[2] = {1, 136};
    float bias[136];

    for (int i = 0; i < 68; i++) {
        bias[2 * i] = 0.5f + 0.3f * cosf((float)i);
        bias[2 * i + 1] = 0.5f + 0.3f * sinf((float)i);
    }
    for (int i = 36; i < 48; i++) {
        bias[2 * i] = (i < 42 ? 0.35f : 0.65f) + 0.05f * cosf((float)i);
        bias[2 * i + 1] = 0.42f + 0.02f * sinf((float)i);
    }
    bias[60] = 0.5f;
    bias[61] = 0.58f;
    for (int i = 48; i < 68; i++) {
        bias[2 * i] = i == 48 || i == 60 ? 0.38f : 0.62f;
        bias[2 * i + 1] = 0.75f;
    }
    onnx_input(net, "in", in, 4);
    windows(net, "points", 1, 136, 64, bias, 0.3f, "points.c");
    onnx_flatten(net, "points.c", "points");
    onnx_output(net, "points", out, 2);
}

static void one_window(struct onnx *net, int side, int values)
{
    const int64_t in[4] = {1, 3, side, side}, out[2] = {1, values};
    float bias[16];

    for (int i = 0; i < values; i++)
        bias[i] = thrown(1);
    onnx_input(net, "in", in, 4);
    windows(net, "all", 3, values, side, bias, side == 128 ? 0.1f : 20, "all.c");
    onnx_flatten(net, "all.c", "out");
    onnx_output(net, "out", out, 2);
}

struct manifest *tiny_set(void)
{
    struct manifest *m = calloc(1, sizeof(*m));
    char why[MANIFEST_WHY];

    if (m == NULL || manifest_parse(m, text, why) < 0) {
        free(m);
        return NULL;
    }
    die = 1;
    for (int role = 0; role < MODEL_ROLES; role++) {
        struct onnx net;

        onnx_init(&net);
        if (role == MODEL_DETECTOR)
            detector(&net);
        else if (role == MODEL_LANDMARKS)
            landmarks(&net);
        else
            one_window(&net, role == MODEL_RECOGNISER ? 112 : 128,
                       role == MODEL_RECOGNISER ? 16 : 3);
        if (onnx_finish(&net, "tiny", &m->models[role].data, &m->models[role].len) < 0) {
            manifest_free(&m);
            return NULL;
        }
    }
    return m;
}
