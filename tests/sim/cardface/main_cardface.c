/*
 * sim-cardface: films card faces into a folder.
 *     sim-cardface DIRECTORY FACES [FRAMES [SEED [WIDTHxHEIGHT [YYYYMMDD]]]]
 * writes face-NNN-F.jpg and truth.txt: number, digits, font, troubles. Troubles and fonts rotate
 * with the number.
 */
#include "cardface.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int main(int argc, char **argv)
{
    const unsigned faces = argc > 2 ? (unsigned)atoi(argv[2]) : 0,
                   frames = argc > 3 ? (unsigned)atoi(argv[3]) : 1;
    const uint64_t seed = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
    int width = 1280, height = 720, today = argc > 6 ? atoi(argv[6]) : 20260601;
    char path[512];
    FILE *truth;

    if (argc < 3 || (argc > 5 && sscanf(argv[5], "%dx%d", &width, &height) != 2) || width < 160 ||
        height < 120 || width > 4096 || height > 4096) {
        (void)fprintf(
            stderr,
            "usage: sim-cardface DIRECTORY FACES [FRAMES [SEED [WIDTHxHEIGHT [YYYYMMDD]]]]\n");
        return 2;
    }
    (void)mkdir(argv[1], 0777);
    (void)snprintf(path, sizeof(path), "%s/truth.txt", argv[1]);
    truth = fopen(path, "w");
    if (truth == NULL) {
        perror(path);
        return 1;
    }
    for (unsigned i = 0; i < faces; i++) {
        const unsigned troubles = i % 2 == 0 ? 0 : 1u << (i / 2 % CARDFACE_TROUBLES);
        struct cardface *face = cardface_new(seed + i, i % CARDFACE_FONTS, troubles, CARDFACE_RIGHT,
                                             width, height, today);

        if (face == NULL) {
            (void)fprintf(stderr, "sim-cardface: font %s is not installed\n",
                          cardface_font_name(i % CARDFACE_FONTS));
            return 1;
        }
        (void)fprintf(truth, "%03u %s %u %x %s %s\n", i, face->person.number_b, face->font,
                      troubles, face->person.birth, face->person.expiry);
        for (unsigned n = 0; n < frames; n++) {
            uint8_t *jpeg;
            const size_t len = cardface_frame(face, n, &jpeg);
            FILE *out;

            (void)snprintf(path, sizeof(path), "%s/face-%03u-%u.jpg", argv[1], i, n);
            out = fopen(path, "wb");
            if (out == NULL || fwrite(jpeg, 1, len, out) != len || fclose(out) != 0) {
                perror(path);
                return 1;
            }
            free(jpeg);
        }
        cardface_free(&face);
    }
    return fclose(truth) == 0 ? 0 : 1;
}
