/*
 * One frame of a drawn card through decoding, outline, lines and both networks. The faces are ones without
 * any trouble of which a field was not read in any frame.
 */
#include "daemon/ocr/cells.h"
#include "daemon/ocr/decode.h"
#include "daemon/ocr/engine.h"
#include "tests/sim/cardface/cardface.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four of C above first */
#include <cmocka.h>

#define WIDTH 1280
#define HEIGHT 720
#define TODAY 20260601

static struct engine *engine;

static int set_up(void **state)
{
    (void)state;
    return engine_new(&engine);
}

static int tear_down(void **state)
{
    (void)state;
    engine_free(&engine);
    return 0;
}

/* What the second frame of that face gives must be the number that is printed. */
static void read_face(unsigned seed, unsigned font)
{
    struct cardface *face;
    struct frame frame = {DECODE_MJPEG, WIDTH, HEIGHT, NULL, 0};
    struct reading reading;
    uint8_t *jpeg;
    char number[15] = "";

    if (cardface_font_file(font) == NULL)
        skip();
    face = cardface_new(seed, font, 0, CARDFACE_RIGHT, WIDTH, HEIGHT, TODAY);
    assert_non_null(face);
    frame.len = cardface_frame(face, 1, &jpeg);
    frame.data = jpeg;
    assert_int_equal(engine_frame(engine, &frame, &reading), 0);
    free(jpeg);
    assert_true(reading.card);
    assert_true(reading.birth_there);
    assert_true(reading.expiry_there);
    assert_true(reading.code_there);
    fields_number_b(&reading.birth, &reading.expiry, reading.code, number);
    assert_string_equal(number, face->person.number_b);
    cardface_free(&face);
}

/* 2月 5日: the empty place before a single figure is wider than a gap between words. */
static void dates_of_single_figures_are_read(void **state)
{
    (void)state;
    read_face(901012, 0);
    read_face(901048, 1); /* 27 3 2 was 232 to one network */
    read_face(901108, 3); /* 28 1 1 was 281 */
}

/* Sharp print on a waved ground, close in its picture: one network saw 5 in 7757, 62 in 52. */
static void sharp_print_on_a_waved_ground_is_read(void **state)
{
    (void)state;
    read_face(901024, 0);
    read_face(901020, 2);
    read_face(901056, 3);
}

static void paper_becomes_white_and_ink_black(void **state)
{
    uint8_t line[100], even[100];

    (void)state;
    memset(line, 180, sizeof(line));
    memset(line, 60, 20);       /* print */
    memset(line + 20, 155, 10); /* a wave of the ground: four fifths of the way to the paper */
    line[30] = 120;             /* half way, an edge of print */
    cells_spread(line, sizeof(line));
    assert_int_equal(line[0], 0);
    assert_in_range(line[20], 240, 255);
    assert_in_range(line[30], 100, 180);
    assert_int_equal(line[99], 255);
    memset(even, 90, sizeof(even));
    cells_spread(even, sizeof(even)); /* nothing printed: nothing to spread */
    assert_int_equal(even[0], 90);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_of_single_figures_are_read),
        cmocka_unit_test(sharp_print_on_a_waved_ground_is_read),
        cmocka_unit_test(paper_becomes_white_and_ink_black),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
