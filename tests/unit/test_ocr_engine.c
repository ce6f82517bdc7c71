/*
 * Whole frames of drawn cards: what stood in the way of reading clear print, and what must never be read wrongly again.
 * Each face is one that a run of ocr-figures found.
 */
#include "daemon/ocr/vote.h"
#include "tests/sim/cardface/cardface.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four of C above first */
#include <cmocka.h>

#define TODAY 20260601
#define GOTHIC 0
#define VL_GOTHIC 4

/* True with a number when the film gave one within so many frames. */
static bool reads(uint64_t seed, unsigned font, unsigned troubles, unsigned frames, char wanted[15],
                  char number[15])
{
    struct cardface *face = cardface_new(seed, font, troubles, CARDFACE_RIGHT, 1280, 720, TODAY);
    struct engine *engine;
    struct votes votes = {0};
    bool settled = false;

    assert_non_null(face);
    assert_int_equal(engine_new(&engine), 0);
    memcpy(wanted, face->person.number_b, 15);
    for (unsigned n = 0; n < frames && !settled; n++) {
        struct reading reading;
        uint8_t *jpeg;
        const size_t len = cardface_frame(face, n, &jpeg);
        const struct frame frame = {DECODE_MJPEG, 1280, 720, jpeg, len};

        assert_int_equal(engine_frame(engine, &frame, &reading), 0);
        settled = vote_add(&votes, &reading, TODAY);
        free(jpeg);
    }
    if (settled)
        vote_number(&votes, number);
    engine_free(&engine);
    cardface_free(&face);
    return settled;
}

/* Print that touched the edge of what the networks are shown was misread: 0 as 9, and a gap before it as a 2. */
static void clear_print_is_read(void **state)
{
    static const struct {
        uint64_t seed;
        unsigned font;
    } rows[] = {{320000, GOTHIC}, {320004, VL_GOTHIC}, {320016, VL_GOTHIC}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char wanted[15], number[15];

        assert_true(reads(rows[i].seed, rows[i].font, 0, 6, wanted, number));
        assert_string_equal(number, wanted);
    }
}

/* With its contrast spread, a glare took one stroke of a 4 away, and both networks read a 1. */
static void a_stroke_under_a_glare_is_not_made_another_digit(void **state)
{
    char wanted[15], number[15];

    (void)state;
    if (reads(902074, VL_GOTHIC, CARDFACE_GLARE, 8, wanted, number))
        assert_string_equal(number, wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clear_print_is_read),
        cmocka_unit_test(a_stroke_under_a_glare_is_not_made_another_digit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
