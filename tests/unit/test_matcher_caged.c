/*
 * The frame path inside the matcher's own cage: hundreds of frames, whole, cut and with bytes
 * changed, of changing sizes, and the chip's photos among them treated the same way, in a process
 * that has entered the cage after its start. A system call
 * that the cage refuses, a crash or an allocation that the cage cannot serve ends the child with
 * another status than the one expected.
 */
#include "daemon/common/cage.h"
#include "daemon/matcher/decode.h"
#include "daemon/matcher/dnn.h"
#include "daemon/matcher/engine.h"
#include "tests/unit/caged_child.h"
#include "tests/unit/matcher_nets.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

#define FRAMES 600
#define PHOTO_MOST 16384

static uint32_t die = 99;
static uint32_t thrown(void)
{
    die = die * 1664525u + 1013904223u;
    return die >> 8;
}

/* A JPEG of something, width x height. */
static unsigned char *jpeg_of(int width, int height, unsigned long *len)
{
    unsigned char *rgb = malloc((size_t)(width * height * 3)), *jpeg = NULL;
    tjhandle tj = tjInitCompress();

    if (rgb == NULL || tj == NULL)
        abort();
    for (int i = 0; i < width * height * 3; i++)
        rgb[i] = (unsigned char)(120 + 60 * sin(i * 0.01) + thrown() % 50);
    *len = 0;
    if (tjCompress2(tj, rgb, width, 0, height, TJPF_RGB, &jpeg, len, TJSAMP_420, 80, 0) < 0)
        abort();
    tjDestroy(tj);
    free(rgb);
    return jpeg;
}

struct photo {
    uint8_t bytes[PHOTO_MOST];
    size_t len;
};

/* One of the simulated chips' photos (UKETSUKE_STILLS). */
static bool photo_read(struct photo *photo, const char *name)
{
    const char *folder = getenv("UKETSUKE_STILLS");
    char path[512];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%.300s/%s", folder != NULL ? folder : "build/sim/stills",
                   name);
    file = fopen(path, "re");
    photo->len = file != NULL ? fread(photo->bytes, 1, sizeof(photo->bytes), file) : 0;
    if (file != NULL)
        (void)fclose(file);
    return photo->len > 1000 && photo->len < sizeof(photo->bytes);
}

/* A photo, one time in three as it is, else cut or changed: true when there was an answer; `read` counts those decoded. */
static bool photo_answers(struct engine *engine, const struct photo *photo, struct embedding *out,
                          unsigned *read)
{
    struct photo changed = *photo;
    const unsigned kind = thrown() % 3;
    struct image image = {0};
    enum failure failure;

    if (kind == 1)
        changed.len = thrown() % photo->len;
    for (unsigned k = 0; kind == 2 && k < 12; k++)
        changed.bytes[thrown() % photo->len] = (uint8_t)thrown();
    *read += decode_photo(changed.bytes, changed.len, &image) == FAILURE_NONE;
    image_free(&image);
    failure = engine_photo(engine, changed.bytes, changed.len, out);
    return failure == FAILURE_NONE || failure == FAILURE_FACE_PHOTO_UNREADABLE ||
           failure == FAILURE_CARD_NO_PHOTO;
}

/* In the child. 0: all frames had an answer. */
static int run_caged(void)
{
    static const struct cage_spec cage = {.calls = CAGE_THREADS | CAGE_ACCEPT | CAGE_FD_PASS};
    static const int sizes[4][2] = {{640, 480}, {320, 240}, {97, 61}, {16, 16}};
    unsigned char *jpegs[4], *copy = malloc(1 << 20);
    unsigned long lens[4];
    static struct photo photos[2];
    struct embedding reference = {0}, of_photo = {0};
    struct manifest *manifest;
    struct engine *engine;
    char why[MANIFEST_WHY];
    unsigned decoded = 0, faces = 0, read = 0;

    dnn_setup();
    manifest = tiny_set();
    if (copy == NULL || manifest == NULL || engine_new(&engine, manifest, why) < 0 ||
        embedding_new(&reference, manifest) < 0 || embedding_new(&of_photo, manifest) < 0 ||
        !photo_read(&photos[0], "franck_190.0_219x274+84+14_200x250_3000.jp2") ||
        !photo_read(&photos[1], "cap12_edit_2.0_172x215+121+58_200x250_3000.jp2"))
        return 2;
    embedding_floats(&reference)[0] = 1;
    for (int i = 0; i < 4; i++)
        jpegs[i] = jpeg_of(sizes[i][0], sizes[i][1], &lens[i]);
    if (cage_enter(&cage) < 0)
        return 3;
    if (fopen("/etc/hostname", "re") != NULL)
        return 4; /* no cage at all */
    for (unsigned n = 0; n < FRAMES; n++) {
        const unsigned which = thrown() % 4, kind = thrown() % 4;
        struct frame frame = {DECODE_MJPEG, sizes[which][0], sizes[which][1], copy, lens[which]};
        struct frame_report r;

        memcpy(copy, jpegs[which], lens[which]);
        if (kind == 1)
            frame.len = thrown() % lens[which];
        for (unsigned k = 0; kind >= 2 && k < kind * kind; k++)
            copy[thrown() % lens[which]] = (unsigned char)thrown();
        if (n % 16 == 15)
            frame.format = DECODE_YUY2;
        engine_frame(engine, &frame, &reference,
                     WANT_LIVENESS | WANT_PREVIEW | WANT_TRACE | WANT_GRID | WANT_ANYWAY, &r);
        if ((unsigned)r.failure >= FAILURE_COUNT || (r.score_known && !isfinite(r.score)))
            return 5;
        if (n % 4 == 0 && !photo_answers(engine, &photos[n / 4 % 2], &of_photo, &read))
            return 7;
        decoded += r.width > 0;
        faces += r.faces > 0;
        if (n % 500 == 499)
            engine_wipe(engine);
    }
    return decoded > FRAMES / 4 && faces > FRAMES / 8 && read > FRAMES / 4 / 4 ? 0 : 6;
}

static void every_frame_has_an_answer_in_the_cage(void **state)
{
    (void)state;
    caged_child_is_well(run_caged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_frame_has_an_answer_in_the_cage)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
