/*
 * plain-vectors: the pictures of a list, each as plain calls of the same nets would embed it
 * (plain_dnn.cpp), for uketsuke-evaluate --against.
 *
 *   plain-vectors MODELS PAIRS PART PARTS [stretched]
 *
 * Of the pictures with number % PARTS == PART. A line a picture: its path as in the list and 512
 * numbers, separated by commas. stretched: in the detector's shape without room at the side.
 * Pictures in which no face is found are left out. Only decoding is the matcher's: JPEG 2000 is not
 * the question here.
 */
#include "daemon/matcher/decode.h"
#include "daemon/matcher/dnn.h"
#include "models/evaluate/pairs.h"
#include "plain_dnn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct decoder *decoder;
static struct image image;

static bool decode(const char *path)
{
    static uint8_t data[1 << 20];
    FILE *file = fopen(path, "re");
    size_t n;

    if (file == NULL)
        return false;
    n = fread(data, 1, sizeof(data), file);
    fclose(file);
    return (n > 2 && data[0] == 0xff && data[1] == 0xd8
                ? decode_frame(decoder, DECODE_MJPEG, 0, 0, data, n, &image)
                : decode_photo(data, n, &image)) == FAILURE_NONE;
}

int main(int argc, char **argv)
{
    struct pairs pairs;
    size_t line, part, parts, unreadable = 0;
    const char *slash;

    if (argc < 5 || argc > 6 || (argc == 6 && strcmp(argv[5], "stretched") != 0) ||
        (parts = strtoul(argv[4], NULL, 10)) == 0) {
        fprintf(stderr, "usage: plain-vectors MODELS PAIRS PART PARTS [stretched]\n");
        return 2;
    }
    part = strtoul(argv[3], NULL, 10);
    slash = strrchr(argv[2], '/');
    dnn_setup();
    decoder = decoder_new();
    if (decoder == NULL || plain_open(argv[1]) < 0 || pairs_read(&pairs, argv[2], &line) < 0) {
        fprintf(stderr, "plain-vectors: %s or %s cannot be read\n", argv[1], argv[2]);
        return 1;
    }
    if (argc == 6)
        plain_stretch();
    for (size_t i = part; i < pairs.npictures; i += parts) {
        char path[4300];
        float vector[512];

        snprintf(path, sizeof(path), "%.*s/%s", slash == NULL ? 1 : (int)(slash - argv[2]),
                 slash == NULL ? "." : argv[2], pairs.pictures[i].path);
        if (!decode(path)) {
            unreadable++;
            continue;
        }
        if (plain_portrait(image.pixels.data, image.width, image.height, vector) < 0)
            continue;
        fputs(pairs.pictures[i].path, stdout);
        for (int k = 0; k < 512; k++)
            printf(",%.8g", (double)vector[k]);
        putchar('\n');
    }
    if (unreadable > 0)
        fprintf(stderr, "plain-vectors: %zu pictures cannot be read\n", unreadable);
    pairs_free(&pairs);
    image_free(&image);
    decoder_free(&decoder);
    plain_close();
    return unreadable > 0;
}
