/*
 * The way from a frame to what is read, inside the cage of uketsuke-ocr: frames of drawn cards, whole, cut and with bytes
 * changed, in a process that has entered the cage after its start. A system call that the cage refuses, or a crash, ends
 * the child with another status than the one expected.
 */
#include "daemon/common/cage.h"
#include "daemon/ocr/engine.h"
#include "tests/sim/cardface/cardface.h"
#include "tests/unit/caged_child.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILMS = 3, FRAMES = 48, WIDTH = 1280, HEIGHT = 720, TODAY = 20260601, GOTHIC = 0 };

static uint32_t die = 7;
static uint32_t thrown(void)
{
    die = die * 1664525u + 1013904223u;
    return die >> 8;
}

/* In the child. 0: every frame had an answer, and a card was seen on the whole ones. */
static int run_caged(void)
{
    static const struct cage_spec cage = {.calls = CAGE_THREADS | CAGE_ACCEPT};
    uint8_t *films[FILMS];
    size_t lens[FILMS];
    struct engine *engine;
    unsigned whole = 0, cards = 0;

    if (engine_new(&engine) < 0)
        return 2;
    for (unsigned i = 0; i < FILMS; i++) {
        struct cardface *face =
            cardface_new(320000 + 4 * i, GOTHIC, 0, CARDFACE_RIGHT, WIDTH, HEIGHT, TODAY);

        if (face == NULL)
            return 2;
        lens[i] = cardface_frame(face, 0, &films[i]);
        cardface_free(&face);
    }
    if (cage_enter(&cage) < 0)
        return 3;
    if (fopen("/etc/hostname", "re") != NULL)
        return 4; /* no cage at all */
    for (unsigned n = 0; n < FRAMES; n++) {
        const unsigned which = n % FILMS, kind = n / FILMS % 4;
        uint8_t *copy = malloc(lens[which]);
        struct frame frame = {DECODE_MJPEG, WIDTH, HEIGHT, copy, lens[which]};
        struct reading reading;
        int r;

        if (copy == NULL)
            return 2;
        memcpy(copy, films[which], lens[which]);
        if (kind == 1)
            frame.len = thrown() % lens[which];
        for (unsigned k = 0; kind == 2 && k < 4; k++)
            copy[thrown() % lens[which]] = (uint8_t)thrown();
        if (kind == 3)
            frame.format = DECODE_YUY2;
        r = engine_frame(engine, &frame, &reading);
        if (r != 0 && r != -EBADMSG)
            return 5;
        whole += kind == 0;
        cards += kind == 0 && r == 0 && reading.card;
        free(copy);
    }
    engine_free(&engine);
    return cards == whole ? 0 : 6;
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
