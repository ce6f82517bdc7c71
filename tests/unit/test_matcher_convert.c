/*
 * The converter and the drop-ins, without anybody's weights: the dlib ResNet with weights thrown by
 * a die, as ONNX in OpenCV, against the network walked through here the way TensorFlow.js lays it
 * out (rows, columns, channels; nothing folded); and small nets of the shapes of YuNet 2023mar and
 * SFace, taken by manifest alone.
 */
#define main convert_main
#include "models/convert/main.c"
#undef main
#include "models/convert/weights.c"

#include "daemon/matcher/dnn.h"
#include "daemon/matcher/engine.h"

#include <math.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka wants the four of C above first */
#include <cmocka.h>

static char directory[64];

static const char *at(const char *name)
{
    static char paths[4][200];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, 200, "%s/%s", directory, name);
    return path;
}

static uint32_t die = 7;
static float thrown(void)
{
    die = die * 1664525u + 1013904223u;
    return (float)(die >> 8) / 8388608.0f - 1;
}

/* ---- weights as the package has them --------------------------------------------------------- */

struct part {
    char name[80];
    float *values;
    size_t count;
};
static struct part parts[200];
static size_t nparts;

static float *part(const char *layer, const char *name)
{
    char full[80];

    snprintf(full, sizeof(full), "%s/%s", layer, name);
    for (size_t i = 0; i < nparts; i++)
        if (strcmp(parts[i].name, full) == 0)
            return parts[i].values;
    fail_msg("no %s", full);
    return NULL;
}

/* Every third as bytes with scale and minimum, the others as floats. */
static void write_part(FILE *json, FILE *bin, const char *layer, const char *name,
                       const char *shape, size_t count, float around, float spread)
{
    struct part *p = &parts[nparts];

    snprintf(p->name, sizeof(p->name), layer[0] != '\0' ? "%s/%s" : "%s%s", layer, name);
    p->count = count;
    p->values = calloc(count, sizeof(float));
    assert_non_null(p->values);
    fprintf(json, "%s{\"name\":\"%s\",\"shape\":[%s],\"dtype\":\"float32\"", nparts > 0 ? "," : "",
            p->name, shape);
    if (nparts % 3 == 0) {
        const double scale = (double)spread * 2 / 255, min = (double)(around - spread);

        fprintf(json, ",\"quantization\":{\"dtype\":\"uint8\",\"scale\":%.17g,\"min\":%.17g}",
                scale, min);
        for (size_t i = 0; i < count; i++) {
            const uint8_t q = (uint8_t)((thrown() + 1) * 127.5f);

            p->values[i] = (float)(q * scale + min);
            fwrite(&q, 1, 1, bin);
        }
    } else {
        for (size_t i = 0; i < count; i++)
            p->values[i] = around + spread * thrown();
        fwrite(p->values, sizeof(float), count, bin);
    }
    fputs("}", json);
    nparts++;
}

static void write_conv(FILE *json, FILE *bin, const char *layer, int kernel, int from, int to)
{
    const float spread = 1.7f / sqrtf((float)(kernel * kernel * from));
    char shape[64], one[16];

    snprintf(shape, sizeof(shape), "%d,%d,%d,%d", kernel, kernel, from, to);
    snprintf(one, sizeof(one), "%d", to);
    write_part(json, bin, layer, "conv/filters", shape, (size_t)(kernel * kernel * from * to), 0,
               spread);
    write_part(json, bin, layer, "conv/bias", one, (size_t)to, 0, 0.1f);
    write_part(json, bin, layer, "scale/weights", one, (size_t)to, 0.8f, 0.3f);
    write_part(json, bin, layer, "scale/biases", one, (size_t)to, 0, 0.2f);
}

/* The network's plan, a second time: what the package's own program walks through. */
static const struct {
    const char *name;
    int from, to;
} plan[] = {{"conv32_1", 32, 32},    {"conv32_2", 32, 32},          {"conv32_3", 32, 32},
            {"conv64_down", 32, 64}, {"conv64_1", 64, 64},          {"conv64_2", 64, 64},
            {"conv64_3", 64, 64},    {"conv128_down", 64, 128},     {"conv128_1", 128, 128},
            {"conv128_2", 128, 128}, {"conv256_down", 128, 256},    {"conv256_1", 256, 256},
            {"conv256_2", 256, 256}, {"conv256_down_out", 256, 256}};

static void write_weights(void)
{
    FILE *json = fopen(at("w.json"), "we"), *bin = fopen(at("w.bin"), "we");

    assert_non_null(json);
    assert_non_null(bin);
    fputs("[{\"weights\":[", json);
    write_conv(json, bin, "conv32_down", 7, 3, 32);
    for (size_t i = 0; i < sizeof(plan) / sizeof(plan[0]); i++) {
        char layer[60];

        snprintf(layer, sizeof(layer), "%s/conv1", plan[i].name);
        write_conv(json, bin, layer, 3, plan[i].from, plan[i].to);
        snprintf(layer, sizeof(layer), "%s/conv2", plan[i].name);
        write_conv(json, bin, layer, 3, plan[i].to, plan[i].to);
    }
    write_part(json, bin, "", "fc", "256,128", 256 * 128, 0, 0.1f);
    fputs("],\"paths\":[\"w.bin\"]}]", json);
    fclose(json);
    fclose(bin);
}

/* ---- the network, rows x columns x channels -------------------------------------------------- */

struct cube {
    int side, channels;
    float *v;
};

static struct cube cube(int side, int channels)
{
    struct cube c = {side, channels, calloc((size_t)(side * side * channels), sizeof(float))};

    assert_non_null(c.v);
    return c;
}

static float *cell(const struct cube *c, int y, int x)
{
    return c->v + (size_t)(y * c->side + x) * (size_t)c->channels;
}

static struct cube walk_conv(const struct cube *in, const char *layer, int kernel, int to,
                             int stride, bool same, bool relu)
{
    const float *filters = part(layer, "conv/filters"), *bias = part(layer, "conv/bias");
    const float *scale = part(layer, "scale/weights"), *shift = part(layer, "scale/biases");
    const int pad = same ? kernel / 2 : 0;
    struct cube out = cube((in->side + 2 * pad - kernel) / stride + 1, to);

    for (int y = 0; y < out.side; y++) {
        for (int x = 0; x < out.side; x++) {
            float *o = cell(&out, y, x);

            for (int ky = 0; ky < kernel; ky++) {
                for (int kx = 0; kx < kernel; kx++) {
                    const int iy = y * stride + ky - pad, ix = x * stride + kx - pad;

                    if (iy < 0 || ix < 0 || iy >= in->side || ix >= in->side)
                        continue;
                    for (int c = 0; c < in->channels; c++) {
                        const float v = cell(in, iy, ix)[c];
                        const float *f =
                            filters + (size_t)((ky * kernel + kx) * in->channels + c) * (size_t)to;

                        for (int k = 0; k < to; k++)
                            o[k] += v * f[k];
                    }
                }
            }
            for (int k = 0; k < to; k++) {
                o[k] = (o[k] + bias[k]) * scale[k] + shift[k];
                if (relu && o[k] < 0)
                    o[k] = 0;
            }
        }
    }
    return out;
}

static struct cube walk_pool(const struct cube *in, int window, bool most)
{
    struct cube out = cube((in->side - window) / 2 + 1, in->channels);

    for (int y = 0; y < out.side; y++)
        for (int x = 0; x < out.side; x++)
            for (int c = 0; c < in->channels; c++) {
                float best = -INFINITY, sum = 0;

                for (int j = 0; j < window; j++)
                    for (int i = 0; i < window; i++) {
                        best = fmaxf(best, cell(in, 2 * y + j, 2 * x + i)[c]);
                        sum += cell(in, 2 * y + j, 2 * x + i)[c];
                    }
                cell(&out, y, x)[c] = most ? best : sum / (float)(window * window);
            }
    return out;
}

static void walk(const float *rgb, float out[128])
{
    static const float mean[3] = {122.782f, 117.001f, 104.298f};
    struct cube now = cube(150, 3), next;

    for (int i = 0; i < 150 * 150; i++)
        for (int c = 0; c < 3; c++)
            now.v[3 * i + c] = (rgb[3 * i + c] - mean[c]) / 256;
    next = walk_conv(&now, "conv32_down", 7, 32, 2, false, true);
    free(now.v);
    now = walk_pool(&next, 3, true);
    free(next.v);
    for (size_t i = 0; i < sizeof(plan) / sizeof(plan[0]); i++) {
        const bool down = strstr(plan[i].name, "down") != NULL;
        struct cube a, b, skip = now;
        char layer[60];

        snprintf(layer, sizeof(layer), "%s/conv1", plan[i].name);
        a = walk_conv(&now, layer, 3, plan[i].to, down ? 2 : 1, !down, true);
        snprintf(layer, sizeof(layer), "%s/conv2", plan[i].name);
        b = walk_conv(&a, layer, 3, plan[i].to, 1, true, false);
        free(a.v);
        if (down)
            skip = walk_pool(&now, 2, false);
        next = cube(skip.side, plan[i].to); /* what either lacks is zero */
        for (int y = 0; y < next.side; y++)
            for (int x = 0; x < next.side; x++)
                for (int c = 0; c < next.channels; c++) {
                    float v = y < b.side && x < b.side ? cell(&b, y, x)[c] : 0;

                    v += c < skip.channels ? cell(&skip, y, x)[c] : 0;
                    cell(&next, y, x)[c] = v > 0 ? v : 0;
                }
        free(b.v);
        if (down)
            free(skip.v);
        free(now.v);
        now = next;
    }
    for (int k = 0; k < 128; k++)
        out[k] = 0;
    for (int c = 0; c < 256; c++) {
        float sum = 0;

        for (int i = 0; i < now.side * now.side; i++)
            sum += now.v[(size_t)i * 256 + (size_t)c];
        for (int k = 0; k < 128; k++)
            out[k] += sum / (float)(now.side * now.side) * parts[nparts - 1].values[c * 128 + k];
    }
    free(now.v);
}

static void the_converted_net_computes_what_the_package_s_does(void **state)
{
    char tool[] = "uketsuke-convert", what[] = "dlib-resnet", json[200], bin[200], out[200],
         *argv[] = {tool, what, json, bin, out, NULL};
    static float rgb[150 * 150 * 3], planes[150 * 150 * 3];
    const int shape[DNN_DIMS_MAX] = {1, 3, 150, 150};
    struct dnn_tensor tensors[DNN_OUTPUTS_MAX];
    float expected[128], most = 0, worst = 0;
    struct dnn_net *net = NULL;
    char why[DNN_WHY];
    static uint8_t onnx[30 << 20];
    size_t n, len;
    FILE *file;

    (void)state;
    write_weights();
    snprintf(json, sizeof(json), "%s", at("w.json"));
    snprintf(bin, sizeof(bin), "%s", at("w.bin"));
    snprintf(out, sizeof(out), "%s", at("dlib.onnx"));
    assert_int_equal(convert_main(5, argv), 0);
    file = fopen(out, "re");
    assert_non_null(file);
    len = fread(onnx, 1, sizeof(onnx), file);
    fclose(file);
    assert_true(len > 20000000);
    if (dnn_load(&net, onnx, len, shape, why) < 0)
        fail_msg("%s", why);
    for (int i = 0; i < 150 * 150 * 3; i++)
        rgb[i] = 128 + 127 * sinf((float)i * 0.013f) * thrown();
    for (int c = 0; c < 3;
         c++) /* as the manifest says: red, green, blue / 256, nothing taken away */
        for (int i = 0; i < 150 * 150; i++)
            planes[c * 150 * 150 + i] = rgb[3 * i + c] / 256;
    assert_int_equal(dnn_run(net, planes, tensors, DNN_OUTPUTS_MAX, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(tensors[0].count, 128);
    walk(rgb, expected);
    for (int k = 0; k < 128; k++) {
        most = fmaxf(most, fabsf(expected[k]));
        worst = fmaxf(worst, fabsf(expected[k] - tensors[0].data[k]));
    }
    assert_true(most > 0.05f);
    assert_true(worst < 1e-3f * most);
    dnn_free(&net);
}

static void weights_of_another_shape_are_refused_by_name(void **state)
{
    struct weights w;
    const int64_t right[2] = {256, 128}, wrong[2] = {128, 256};
    float *values = NULL;

    (void)state;
    assert_int_equal(weights_open(&w, at("w.json"), at("w.bin")), 0);
    assert_int_equal(weights_take(&w, "fc", right, 2, &values), 0);
    free(values);
    assert_int_equal(weights_take(&w, "fc", wrong, 2, &values), -EINVAL);
    assert_int_equal(weights_take(&w, "nothing", right, 2, &values), -ENOENT);
    w.len -= 4; /* cut off: fc is the last */
    assert_int_equal(weights_take(&w, "fc", right, 2, &values), -EBADMSG);
    weights_close(&w);
}

/* ---- drop-ins by manifest alone -------------------------------------------------------------- */

static const char *models(void)
{
    const char *path = getenv("UKETSUKE_MODELS");

    if (path == NULL)
        fail_msg("UKETSUKE_MODELS names no directory (models/fetch.sh fills one)");
    return path;
}

static void sha_of(const uint8_t *data, size_t len, char hex[65])
{
    uint8_t digest[32];
    unsigned n;

    assert_int_equal(EVP_Digest(data, len, digest, &n, EVP_sha256(), NULL), 1);
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

static void write_model(struct onnx *net, const char *name, char hex[65])
{
    FILE *file = fopen(at(name), "we");
    uint8_t *data;
    size_t len;

    assert_int_equal(onnx_finish(net, "test", &data, &len), 0);
    sha_of(data, len, hex);
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    fclose(file);
    free(data);
}

/* The shapes of YuNet 2023mar: for strides 8, 16, 32 the maps cls, obj, bbox, kps as cells x 1, 1,
 * 4, 10. */
static void make_yunet(int kinds, char hex[65])
{
    static const int columns[4] = {1, 1, 4, 10}, strides[3] = {8, 16, 32};
    const int64_t input[4] = {1, 3, 320, 320};
    struct onnx net;

    onnx_init(&net);
    onnx_input(&net, "input", input, 4);
    for (int kind = 0; kind < kinds; kind++) {
        for (int s = 0; s < 3; s++) {
            const int k = strides[s], cells = (320 / k) * (320 / k);
            const int64_t wdims[4] = {columns[kind], 3, k, k}, bdims[1] = {columns[kind]},
                          odims[3] = {1, cells, columns[kind]};
            char w[ONNX_NAME], b[ONNX_NAME], a[ONNX_NAME], o[ONNX_NAME];
            float *weights = calloc((size_t)(columns[kind] * 3 * k * k), sizeof(float)),
                  bias[10] = {0};

            assert_non_null(weights);
            snprintf(w, sizeof(w), "w%d_%d", kind, k);
            snprintf(b, sizeof(b), "b%d_%d", kind, k);
            snprintf(a, sizeof(a), "a%d_%d", kind, k);
            snprintf(o, sizeof(o), "%d_%d", kind, k);
            /* Only stride 32 sees: class and object are the mean brightness, 0..1; the box is the
             * cell, three times. */
            for (int i = 0; i < 3 * k * k && kind < 2 && k == 32; i++)
                weights[i] = 1.0f / (float)(3 * k * k) / 255;
            if (kind == 2) {
                bias[0] = bias[1] = 0.5f;
                bias[2] = bias[3] = logf(3);
            }
            onnx_tensor(&net, w, wdims, 4, weights);
            onnx_tensor(&net, b, bdims, 1, bias);
            onnx_conv(&net, "input", w, b, k, k, 0, a);
            onnx_cells(&net, a, cells, columns[kind], o);
            onnx_output(&net, o, odims, 3);
            free(weights);
        }
    }
    write_model(&net, "yunet.onnx", hex);
}

/* The shapes of SFace: 112 x 112 red-green-blue bytes to 128 values. */
static void make_sface(char hex[65])
{
    const int64_t input[4] = {1, 3, 112, 112}, w[2] = {3, 128}, output[2] = {1, 128};
    static float matrix[3 * 128];
    struct onnx net;

    for (int i = 0; i < 3 * 128; i++)
        matrix[i] = thrown();
    onnx_init(&net);
    onnx_input(&net, "data", input, 4);
    onnx_global_average(&net, "data", "mean");
    onnx_flatten(&net, "mean", "flat");
    onnx_tensor(&net, "w", w, 2, matrix);
    onnx_matrix(&net, "flat", "w", "product");
    for (int i = 0; i < 128; i++)
        matrix[i] = thrown();
    onnx_tensor(&net, "b", output, 2,
                matrix); /* so that a black picture has a vector too, as in a real net */
    onnx_add(&net, "product", "b", "fc1");
    onnx_output(&net, "fc1", output, 2);
    write_model(&net, "sface.onnx", hex);
}

static void link_model(const char *name)
{
    char *whole = realpath(models(), NULL), from[4400];

    assert_non_null(whole);
    snprintf(from, sizeof(from), "%s/%s", whole, name);
    unlink(at(name));
    assert_int_equal(symlink(from, at(name)), 0);
    free(whole);
}

/* The shipped manifest with its sections [detector] and [recogniser] exchanged. */
static void write_manifest(const char *detector_sha, const char *recogniser_sha, int dimensions)
{
    char path[4300], line[1000];
    FILE *from, *to = fopen(at(MANIFEST_FILE), "we");
    bool skip = false;

    snprintf(path, sizeof(path), "%s/" MANIFEST_FILE, models());
    from = fopen(path, "re");
    assert_non_null(from);
    assert_non_null(to);
    while (fgets(line, sizeof(line), from) != NULL) {
        if (line[0] == '[')
            skip = strncmp(line, "[detector]", 10) == 0 || strncmp(line, "[recogniser]", 12) == 0;
        if (!skip)
            fputs(line, to);
    }
    fclose(from);
    fprintf(to,
            "\n[detector]\nfile = yunet.onnx\npackage =\nsha256 = %s\nlicence = MIT\nprovenance = "
            "known\nwidth = 320\nheight = 320\n"
            "colour = bgr\nmean = 0\ndivide = 1\ndecoding = yunet\nscore-threshold = "
            "0.6\nnms-threshold = 0.3\n"
            "[recogniser]\nfile = sface.onnx\npackage =\nsha256 = %s\nlicence = "
            "Apache-2.0\nprovenance = unknown\nwidth = 112\n"
            "height = 112\ncolour = rgb\nmean = 0\ndivide = 1\ndecoding = embedding\ndimensions = "
            "%d\nthreshold-1e-2 = 0.30\n"
            "threshold-1e-3 = 0.33\nthreshold-1e-4 = 0.363\nthreshold-1e-5 = 0.40\nthreshold-from "
            "= its authors\n",
            detector_sha, recogniser_sha, dimensions);
    fclose(to);
}

static void yunet_and_sface_drop_in_by_manifest_alone(void **state)
{
    char detector[65], recogniser[65], why[MANIFEST_WHY];
    struct manifest *manifest;
    struct engine *engine;

    (void)state;
    link_model("fr_landmark.onnx");
    link_model("fr_liveness.onnx");
    make_yunet(4, detector);
    make_sface(recogniser);
    write_manifest(detector, recogniser, 128);
    if (manifest_load(&manifest, directory, why) < 0)
        fail_msg("%s", why);
    if (engine_new(&engine, manifest, why) < 0)
        fail_msg("%s", why);
    assert_float_equal(manifest->models[MODEL_RECOGNISER].thresholds[FMR_1E4], 0.363, 1e-6);
    /* Nothing bright: no face. Frames of YUYV are made here: luminance 16 is black, 235 is white.
     */
    {
        static uint8_t yuyv[320 * 320 * 2];
        struct frame frame = {DECODE_YUY2, 320, 320, yuyv, sizeof(yuyv)};
        struct embedding reference = {0};
        struct frame_report report;

        assert_int_equal(embedding_new(&reference, manifest), 0);
        for (size_t i = 0; i < sizeof(yuyv); i += 2) {
            yuyv[i] = 16;
            yuyv[i + 1] = 128;
        }
        engine_frame(engine, &frame, &reference, 0, &report);
        assert_int_equal(report.failure, FAILURE_FACE_NONE);
        for (int y = 128; y < 160; y++) /* the cell in row 4, column 6 of stride 32 */
            for (int x = 192; x < 224; x++)
                yuyv[(y * 320 + x) * 2] = 235;
        engine_frame(engine, &frame, &reference, 0, &report);
        assert_int_equal(report.faces, 1);
        /* centre ((6 + 0.5) 32, (4 + 0.5) 32), three cells wide and high */
        assert_float_equal(report.box.x0, 208 - 48, 1.5);
        assert_float_equal(report.box.x1, 208 + 48, 1.5);
        assert_float_equal(report.box.y0, 144 - 48, 1.5);
        assert_float_equal(report.box.y1, 144 + 48, 1.5);
        embedding_free(&reference);
    }
    engine_free(&engine);
    manifest_free(&manifest);
}

static void drop_ins_of_another_shape_are_refused_with_the_file_s_name(void **state)
{
    char detector[65], recogniser[65], why[MANIFEST_WHY];
    struct manifest *manifest;
    struct engine *engine = NULL;

    (void)state;
    make_yunet(3, detector); /* nine maps: no key points */
    make_sface(recogniser);
    write_manifest(detector, recogniser, 128);
    assert_int_equal(manifest_load(&manifest, directory, why), 0);
    assert_true(engine_new(&engine, manifest, why) < 0);
    assert_non_null(strstr(why, "yunet.onnx"));
    assert_non_null(strstr(why, MANIFEST_FILE));
    manifest_free(&manifest);
    make_yunet(4, detector);
    write_manifest(detector, recogniser, 512);
    assert_int_equal(manifest_load(&manifest, directory, why), 0);
    assert_true(engine_new(&engine, manifest, why) < 0);
    assert_non_null(strstr(why, "sface.onnx"));
    manifest_free(&manifest);
    write_manifest(recogniser, recogniser, 128); /* another file's checksum */
    assert_int_equal(manifest_load(&manifest, directory, why), -EBADMSG);
    assert_non_null(strstr(why, "yunet.onnx"));
}

static int setup(void **state)
{
    (void)state;
    dnn_setup();
    snprintf(directory, sizeof(directory), "/tmp/uketsuke-convert-XXXXXX");
    return mkdtemp(directory) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    static const char *const files[] = {"w.json",           "w.bin",      "dlib.onnx",
                                        "yunet.onnx",       "sface.onnx", "fr_landmark.onnx",
                                        "fr_liveness.onnx", MANIFEST_FILE};

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        unlink(at(files[i]));
    for (size_t i = 0; i < nparts; i++)
        free(parts[i].values);
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_converted_net_computes_what_the_package_s_does),
        cmocka_unit_test(weights_of_another_shape_are_refused_by_name),
        cmocka_unit_test(yunet_and_sface_drop_in_by_manifest_alone),
        cmocka_unit_test(drop_ins_of_another_shape_are_refused_with_the_file_s_name),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
