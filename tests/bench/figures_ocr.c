/*
 * ocr-figures: films generated card faces and reads them as uketsuke-ocr does, until the votes are
 * in or the film ends. ocr-figures FACES FRAMES SEED PART PARTS WIDTHxHEIGHT [troubles a face,
 * default 1] Of FACES faces those with number % PARTS == PART. A line a face: face NUMBER font FONT
 * TROUBLES FAULT right|wrong|none|kept FRAMES FOUND CPU_MS WORST_MS "kept": a face that must not be
 * read and was not. tests/ocr-figures.sh adds the lines up.
 */
#include "daemon/ocr/vote.h"
#include "tests/sim/cardface/cardface.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TODAY 20260601

static double cpu_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Spread over the kinds: every fourth face is plain, every tenth must be refused. */
static unsigned troubles_of(unsigned number, unsigned how_many)
{
    unsigned troubles = 0, x = number * 2654435761u;

    if (number % 4 == 0)
        return 0;
    for (unsigned i = 0; i < how_many; i++) {
        x = x * 1664525u + 1013904223u;
        troubles |=
            1u << ((i == 0 ? number / 4 * 3 + number % 4 - 1 : x >> 16) % CARDFACE_TROUBLES);
    }
    return troubles;
}

int main(int argc, char **argv)
{
    unsigned faces, frames, part, parts, many;
    int width, height;
    uint64_t seed;
    struct engine *engine;

    if (argc < 7 || sscanf(argv[6], "%dx%d", &width, &height) != 2 || atoi(argv[5]) < 1) {
        (void)fprintf(stderr,
                      "usage: ocr-figures FACES FRAMES SEED PART PARTS WIDTHxHEIGHT [TROUBLES]\n");
        return 2;
    }
    faces = (unsigned)atoi(argv[1]);
    frames = (unsigned)atoi(argv[2]);
    seed = strtoull(argv[3], NULL, 10);
    part = (unsigned)atoi(argv[4]);
    parts = (unsigned)atoi(argv[5]);
    many = argc > 7 ? (unsigned)atoi(argv[7]) : 1;
    if (engine_new(&engine) < 0) {
        (void)fprintf(stderr, "ocr-figures: Tesseract's jpn or eng is missing\n");
        return 1;
    }
    for (unsigned i = part; i < faces; i += parts) {
        const enum cardface_fault fault =
            i % 10 == 9 ? (enum cardface_fault)(1 + i / 10 % 4) : CARDFACE_RIGHT;
        const unsigned troubles = fault == CARDFACE_RIGHT ? troubles_of(i, many) : 0;
        const unsigned font = (i + i / 36) % CARDFACE_FONTS;
        struct cardface *face = cardface_new(seed + i, font, troubles, fault, width, height, TODAY);
        struct votes votes;
        char number[15] = "";
        unsigned n = 0, found = 0;
        double spent = 0, worst = 0;
        bool settled = false;

        if (face == NULL) {
            (void)fprintf(stderr, "ocr-figures: font %s is not installed\n",
                          cardface_font_name(font));
            return 1;
        }
        memset(&votes, 0, sizeof(votes));
        for (; n < frames && !settled; n++) {
            struct reading reading;
            uint8_t *jpeg;
            const size_t len = cardface_frame(face, n, &jpeg);
            const struct frame frame = {DECODE_MJPEG, width, height, jpeg, len};
            const double begun = cpu_ms();
            double took;

            (void)engine_frame(engine, &frame, &reading);
            took = cpu_ms() - begun;
            spent += took;
            worst = took > worst ? took : worst;
            found += reading.card;
            settled = vote_add(&votes, &reading, TODAY);
            free(jpeg);
        }
        if (settled)
            vote_number(&votes, number);
        (void)printf("face %u font %u %x %d %s %u %u %.1f %.1f\n", i, font, troubles, (int)fault,
                     !settled ? fault == CARDFACE_RIGHT ? "none" : "kept"
                     : fault == CARDFACE_RIGHT && strcmp(number, face->person.number_b) == 0
                         ? "right"
                         : "wrong",
                     n, found, spent, worst);
        (void)fflush(stdout);
        cardface_free(&face);
    }
    engine_free(&engine);
    return 0;
}
