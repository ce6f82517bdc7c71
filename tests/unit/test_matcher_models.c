/* The model set as data: what the manifest may say, and what is refused with which next step. */
#include "daemon/matcher/dnn.h"
#include "daemon/matcher/engine.h"
#include "daemon/matcher/manifest.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char *file_text(const char *directory, const char *name, size_t *len)
{
    char path[4200];
    FILE *file;
    char *text;
    long size;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "r");
    if (file == NULL)
        fail_msg("cannot open %s", path);
    fseek(file, 0, SEEK_END);
    size = ftell(file);
    rewind(file);
    text = malloc((size_t)size + 1);
    assert_int_equal(fread(text, 1, (size_t)size, file), size);
    text[size] = '\0';
    *len = (size_t)size;
    fclose(file);
    return text;
}

static const char *models(void)
{
    const char *directory = getenv("UKETSUKE_MODELS");

    if (directory == NULL)
        fail_msg("UKETSUKE_MODELS names no directory (models/fetch.sh fills one)");
    return directory;
}

/* `text` with the first `what` replaced; free() it. */
static char *with(const char *text, const char *what, const char *by)
{
    const char *at = strstr(text, what);
    char *out = NULL;

    assert_non_null(at);
    assert_true(asprintf(&out, "%.*s%s%s", (int)(at - text), text, by, at + strlen(what)) > 0);
    return out;
}

static void the_shipped_manifest_is_read(void **state)
{
    struct manifest m;
    char why[MANIFEST_WHY], *text;
    size_t len;

    (void)state;
    text = file_text("models", MANIFEST_FILE, &len);
    assert_int_equal(manifest_parse(&m, text, why), 0);
    /* Expected values are those of the measurement, not of the file. */
    assert_float_equal(m.models[MODEL_RECOGNISER].thresholds[FMR_1E2], 0.24, 1e-6);
    assert_float_equal(m.models[MODEL_RECOGNISER].thresholds[FMR_1E4], 0.41, 1e-6);
    assert_int_equal(m.models[MODEL_RECOGNISER].format.colour, WARP_BGR);
    assert_float_equal(m.models[MODEL_RECOGNISER].format.scale, 1.0 / 128, 1e-9);
    assert_int_equal(m.models[MODEL_DETECTOR].format.colour, WARP_RGB);
    assert_int_equal(m.models[MODEL_LANDMARKS].format.colour, WARP_GREY);
    assert_float_equal(m.models[MODEL_LIVENESS].format.scale, 1, 1e-9);
    assert_float_equal(m.models[MODEL_LIVENESS].crop, 2.7, 1e-6);
    assert_false(m.models[MODEL_LIVENESS].gate);
    assert_true(m.models[MODEL_DETECTOR].provenance_known);
    assert_false(m.models[MODEL_RECOGNISER].provenance_known);
    free(text);
}

static void the_set_with_the_dlib_network_is_read(void **state)
{
    struct manifest m;
    char why[MANIFEST_WHY], *text;
    size_t len;

    (void)state;
    text = file_text("models/sets", "dlib.ini", &len);
    if (manifest_parse(&m, text, why) < 0)
        fail_msg("%s", why);
    assert_int_equal(m.models[MODEL_RECOGNISER].width, 150);
    assert_int_equal(m.models[MODEL_RECOGNISER].dimensions, 128);
    assert_int_equal(m.models[MODEL_RECOGNISER].alignment, ALIGN_DLIB);
    assert_int_equal(m.models[MODEL_RECOGNISER].format.colour, WARP_RGB);
    assert_float_equal(m.models[MODEL_RECOGNISER].format.scale, 1.0 / 256, 1e-9);
    free(text);
}

static void a_wrong_manifest_is_refused_by_section_and_key(void **state)
{
    static const struct {
        const char *what, *by, *named;
    } rows[] = {
        {"nms-threshold = 0.4", "nms-treshold = 0.4", "[detector] nms-treshold"},
        {"threshold-1e-4 = 0.41", "threshold-1e-4 = 41", "[recogniser] threshold-1e-4"},
        {"threshold-1e-4 = 0.41", "threshold-1e-4 = 0.30", "[recogniser] threshold"},
        {"decoding = softmax", "decoding = embedding", "[liveness] decoding"},
        {"colour = grey", "colour = gray", "[landmarks] colour"},
        {"file = fr_detect.onnx", "file = ../fr_detect.onnx", "[detector] file"},
        {"width = 112", "", "[recogniser] width"},
        {"dimensions = 512", "dimensions = 512.5", "[recogniser] dimensions"},
        {"dimensions = 512", "dimensions = 512\nalignment = faces", "[recogniser] alignment"},
        {"frame-noise = 0.06", "frame-noise = 0", "[recogniser] frame-noise"},
        {"frame-noise = 0.06", "frame-noise = much", "[recogniser] frame-noise"},
        {"score-threshold = 0.65", "score-threshold = 0.65\nalignment = dlib",
         "[detector] alignment"},
        {"[landmarks]", "[landmark]", "[landmark]"},
        {"gate = no", "gate = perhaps", "[liveness] gate"},
        {"fail = 0.2", "fail = 0.9", "[liveness] fail"},
        {"crop = 2.7", "crop = 2.7\ncrop = 2.7", "[liveness] crop"},
        {"sha256 = 6c02", "sha256 = XY02", "[detector] sha256"},
    };
    char why[MANIFEST_WHY], *text;
    size_t len;

    (void)state;
    text = file_text("models", MANIFEST_FILE, &len);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *changed = with(text, rows[i].what, rows[i].by);
        struct manifest m;

        assert_int_equal(manifest_parse(&m, changed, why), -EINVAL);
        if (strstr(why, rows[i].named) == NULL)
            fail_msg("'%s' does not name %s", why, rows[i].named);
        free(changed);
    }
    free(text);
}

/* A copy of the model directory, with the manifest's text replaced. */
struct copy {
    char directory[64];
};

static void copy_make(struct copy *copy, const char *manifest)
{
    static const char *const files[] = {"fr_detect.onnx", "fr_landmark.onnx", "fr_feature.onnx",
                                        "fr_liveness.onnx"};
    char from[4400], to[200];
    FILE *out;

    snprintf(copy->directory, sizeof(copy->directory), "/tmp/uketsuke-models-XXXXXX");
    assert_non_null(mkdtemp(copy->directory));
    for (size_t i = 0; i < 4; i++) {
        char *whole = realpath(models(), NULL);

        assert_non_null(whole);
        snprintf(from, sizeof(from), "%s/%s", whole, files[i]);
        snprintf(to, sizeof(to), "%s/%s", copy->directory, files[i]);
        assert_int_equal(symlink(from, to), 0);
        free(whole);
    }
    snprintf(to, sizeof(to), "%s/%s", copy->directory, MANIFEST_FILE);
    out = fopen(to, "w");
    assert_non_null(out);
    fputs(manifest, out);
    fclose(out);
}

static void copy_remove(struct copy *copy)
{
    static const char *const files[] = {"fr_detect.onnx", "fr_landmark.onnx", "fr_feature.onnx",
                                        "fr_liveness.onnx", MANIFEST_FILE};
    char path[200];

    for (size_t i = 0; i < 5; i++) {
        snprintf(path, sizeof(path), "%s/%s", copy->directory, files[i]);
        unlink(path);
    }
    rmdir(copy->directory);
}

static void the_fetched_set_loads_and_every_net_has_its_shape(void **state)
{
    char why[MANIFEST_WHY];
    struct manifest *manifest;
    struct engine *engine;

    (void)state;
    if (manifest_load(&manifest, models(), why) < 0)
        fail_msg("%s", why);
    if (engine_new(&engine, manifest, why) < 0)
        fail_msg("%s", why);
    engine_free(&engine);
    manifest_free(&manifest);
}

static void a_missing_directory_or_file_names_the_next_step(void **state)
{
    char why[MANIFEST_WHY], *text, path[200];
    struct manifest *manifest = NULL;
    struct copy copy;
    size_t len;

    (void)state;
    assert_int_equal(manifest_load(&manifest, "/nowhere/at/all", why), -ENOENT);
    assert_non_null(strstr(why, "models/fetch.sh"));
    text = file_text("models", MANIFEST_FILE, &len);
    copy_make(&copy, text);
    snprintf(path, sizeof(path), "%s/fr_feature.onnx", copy.directory);
    unlink(path);
    assert_int_equal(manifest_load(&manifest, copy.directory, why), -ENOENT);
    assert_non_null(strstr(why, "fr_feature.onnx"));
    assert_non_null(strstr(why, "models/fetch.sh"));
    assert_null(manifest);
    copy_remove(&copy);
    free(text);
}

static void a_file_that_is_not_the_one_meant_is_refused(void **state)
{
    char why[MANIFEST_WHY], *text, path[200], *body;
    struct manifest *manifest = NULL;
    struct copy copy;
    size_t len, n;
    FILE *out;

    (void)state;
    text = file_text("models", MANIFEST_FILE, &len);
    copy_make(&copy, text);
    body = file_text(models(), "fr_liveness.onnx", &n);
    body[n / 2] ^= 1; /* one bit */
    snprintf(path, sizeof(path), "%s/fr_liveness.onnx", copy.directory);
    unlink(path);
    out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(body, 1, n, out), n);
    fclose(out);
    assert_int_equal(manifest_load(&manifest, copy.directory, why), -EBADMSG);
    assert_non_null(strstr(why, "fr_liveness.onnx"));
    assert_non_null(strstr(why, "fetch it again"));
    copy_remove(&copy);
    free(body);
    free(text);
}

/* The right file under a wrong description: sizes, numbers of values, roles. */
static void a_net_of_another_shape_is_refused(void **state)
{
    static const struct {
        const char *what, *by, *file;
    } rows[] = {
        {"width = 112\nheight = 112", "width = 96\nheight = 96", "fr_feature.onnx"},
        {"dimensions = 512", "dimensions = 128", "fr_feature.onnx"},
        {"live-class = 0", "live-class = 3", "fr_liveness.onnx"},
        {"decoding = ultraface", "decoding = yunet", "fr_detect.onnx"},
        {"colour = grey", "colour = bgr", "fr_landmark.onnx"},
    };
    char why[MANIFEST_WHY], *text;
    size_t len;

    (void)state;
    text = file_text("models", MANIFEST_FILE, &len);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *changed = with(text, rows[i].what, rows[i].by);
        struct manifest *manifest;
        struct engine *engine;
        struct copy copy;

        copy_make(&copy, changed);
        assert_int_equal(manifest_load(&manifest, copy.directory, why), 0);
        assert_true(engine_new(&engine, manifest, why) < 0);
        assert_null(engine);
        if (strstr(why, rows[i].file) == NULL)
            fail_msg("'%s' does not name %s", why, rows[i].file);
        manifest_free(&manifest);
        copy_remove(&copy);
        free(changed);
    }
    free(text);
}

static void what_is_no_onnx_is_refused_without_a_crash(void **state)
{
    static const int shape[DNN_DIMS_MAX] = {1, 3, 112, 112};
    uint8_t junk[4096];
    struct dnn_net *net;
    char why[DNN_WHY];

    (void)state;
    for (size_t i = 0; i < sizeof(junk); i++)
        junk[i] = (uint8_t)(i * 37);
    assert_int_equal(dnn_load(&net, junk, sizeof(junk), shape, why), -EINVAL);
    assert_null(net);
    assert_int_equal(dnn_load(&net, junk, 0, shape, why), -EINVAL);
}

static int setup(void **state)
{
    (void)state;
    dnn_setup();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shipped_manifest_is_read),
        cmocka_unit_test(the_set_with_the_dlib_network_is_read),
        cmocka_unit_test(a_wrong_manifest_is_refused_by_section_and_key),
        cmocka_unit_test(the_fetched_set_loads_and_every_net_has_its_shape),
        cmocka_unit_test(a_missing_directory_or_file_names_the_next_step),
        cmocka_unit_test(a_file_that_is_not_the_one_meant_is_refused),
        cmocka_unit_test(a_net_of_another_shape_is_refused),
        cmocka_unit_test(what_is_no_onnx_is_refused_without_a_crash),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
