/*
 * secrets-known MODELS PHOTO: what the matcher makes of a chip photo, as lines for search-secrets:
 *   embedding hex ...     runs of the vector that stands for the face
 *   photo-pixels hex ...  runs of the decoded picture: blue, green and red as the matcher keeps them, and
 *                         whole numbers, one colour after the other, as OpenJPEG hands them out
 * It uses the matcher's own code: whether the lines are right is seen by finding them in a matcher at work.
 */
#include "daemon/matcher/engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUN 24
#define LIVELY 24

static void say(const char *name, const void *bytes, size_t len)
{
    (void)printf("%s hex ", name);
    for (size_t i = 0; i < len; i++)
        (void)printf("%02x", ((const uint8_t *)bytes)[i]);
    (void)printf("\n");
}

/* Three places of a row, where it differs enough from anything flat. */
static unsigned say_row(const struct image *image, int y)
{
    unsigned said = 0;

    for (int quarter = 1; quarter < 4; quarter++) {
        const uint8_t *run = image_row(image, y) + (size_t)(image->width * quarter / 4) * 3;
        int32_t greens[RUN / sizeof(int32_t)];
        int low = 255, high = 0;

        for (int i = 0; i < RUN; i++) {
            low = run[i] < low ? run[i] : low;
            high = run[i] > high ? run[i] : high;
        }
        if (high - low < LIVELY)
            continue;
        say("photo-pixels", run, RUN);
        for (size_t i = 0; i < sizeof(greens) / sizeof(greens[0]); i++)
            greens[i] = run[i * 3 + 1];
        say("photo-pixels", greens, sizeof(greens));
        said++;
    }
    return said;
}

int main(int argc, char **argv)
{
    static uint8_t photo[DECODE_PHOTO_MOST];
    char why[MANIFEST_WHY] = "";
    struct manifest *manifest = NULL;
    struct engine *engine = NULL;
    struct embedding embedding = {0};
    struct image image = {0};
    unsigned rows = 0;
    int status = 1;
    size_t len = 0;
    FILE *file;

    if (argc != 3) {
        (void)fprintf(stderr, "secrets-known MODELS PHOTO\n");
        return 2;
    }
    file = fopen(argv[2], "re");
    if (file != NULL) {
        len = fread(photo, 1, sizeof(photo), file);
        (void)fclose(file);
    }
    if (decode_photo(photo, len, &image) != FAILURE_NONE) {
        (void)fprintf(stderr, "secrets-known: %s: no photo\n", argv[2]);
        goto out;
    }
    for (int part = 1; part < 8; part++)
        rows += say_row(&image, image.height * part / 8);
    rows += say_row(&image, image.height - 1);
    if (manifest_load(&manifest, argv[1], why) < 0 || engine_new(&engine, manifest, why) < 0 ||
        embedding_new(&embedding, manifest) < 0 ||
        engine_photo(engine, photo, len, &embedding) != FAILURE_NONE) {
        (void)fprintf(stderr, "secrets-known: no face, or no models: %s\n", why);
        goto out;
    }
    for (int quarter = 0; quarter < 4; quarter++)
        say("embedding", embedding_floats(&embedding) + embedding.dimensions * quarter / 4,
            8 * sizeof(float));
    status = rows > 0 ? 0 : 1;
out:
    embedding_free(&embedding);
    engine_free(&engine);
    manifest_free(&manifest);
    image_free(&image);
    return status;
}
