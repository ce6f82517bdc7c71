/*
 * sim-cardface: films card faces into a folder.
 *     sim-cardface DIRECTORY FACES [FRAMES [SEED [WIDTHxHEIGHT [YYYYMMDD]]]]
 *     sim-cardface --card FILE.card FILM [FRAMES]
 * The first writes face-NNN-F.jpg and truth.txt: number, digits, font, troubles. Troubles and fonts rotate
 * with the number. The second films the card of a description for the simulated camera: FILM/frame_00001.jpg of 640x480 and
 * on, the same at half size in FILM/half, and FILM/fps.
 */
#include "cardface.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILM_FONT 2 /* one that 640 pixels suffice for */

static bool write_frame(const struct cardface *face, unsigned n, const char *path)
{
    uint8_t *jpeg;
    const size_t len = cardface_frame(face, n, &jpeg);
    FILE *out = fopen(path, "wb");
    bool good = len > 0 && out != NULL && fwrite(jpeg, 1, len, out) == len;

    if (out != NULL && fclose(out) != 0)
        good = false;
    free(jpeg);
    if (!good)
        perror(path);
    return good;
}

static int film(const char *card, const char *directory, unsigned frames)
{
    struct cardface *faces[2] = {cardface_of_card(card, 1, FILM_FONT, 640, 480),
                                 cardface_of_card(card, 1, FILM_FONT, 320, 240)};
    char path[512];
    bool good = faces[0] != NULL && faces[1] != NULL;
    FILE *fps;

    if (!good)
        (void)fprintf(stderr,
                      "sim-cardface: %s: no such description, or font %s is not installed\n", card,
                      cardface_font_name(FILM_FONT));
    (void)snprintf(path, sizeof(path), "%s/half", directory);
    (void)mkdir(directory, 0777);
    (void)mkdir(path, 0777);
    for (unsigned n = 0; good && n < 2 * frames; n++) {
        (void)snprintf(path, sizeof(path), "%s/%sframe_%05u.jpg", directory,
                       n % 2 == 0 ? "" : "half/", n / 2 + 1);
        good = write_frame(faces[n % 2], n / 2, path);
    }
    (void)snprintf(path, sizeof(path), "%s/fps", directory);
    fps = good ? fopen(path, "w") : NULL;
    good = fps != NULL && fputs("5\n", fps) >= 0;
    if (fps != NULL && fclose(fps) != 0)
        good = false;
    cardface_free(&faces[0]);
    cardface_free(&faces[1]);
    return good ? 0 : 1;
}

int main(int argc, char **argv)
{
    const unsigned faces = argc > 2 ? (unsigned)atoi(argv[2]) : 0,
                   frames = argc > 3 ? (unsigned)atoi(argv[3]) : 1;
    const uint64_t seed = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
    int width = 1280, height = 720, today = argc > 6 ? atoi(argv[6]) : 20260601;
    char path[512];
    FILE *truth;

    if (argc >= 4 && strcmp(argv[1], "--card") == 0)
        return film(argv[2], argv[3], argc > 4 ? (unsigned)atoi(argv[4]) : 20);
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
            (void)snprintf(path, sizeof(path), "%s/face-%03u-%u.jpg", argv[1], i, n);
            if (!write_frame(face, n, path))
                return 1;
        }
        cardface_free(&face);
    }
    return fclose(truth) == 0 ? 0 : 1;
}
