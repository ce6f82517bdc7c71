/* Where the card lies, in pictures drawn here: which of the outlines that edges allow is taken. */
#include "daemon/ocr/find.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four of C above first */
#include <cmocka.h>

static void fill(struct plane *p, int x0, int y0, int x1, int y1, int brightness)
{
    for (int y = y0; y < y1; y++)
        memset(plane_row(p, y) + x0, brightness, (size_t)(x1 - x0));
}

/* A light card of 856 x 540 pixels, ten to the millimetre, on a darker table; its photo stands 45
 * pixels from the left side. */
static void draw(struct plane *frame)
{
    assert_int_equal(plane_resize(frame, 1280, 720), 0);
    fill(frame, 0, 0, 1280, 720, 120);
    fill(frame, 240, 90, 1096, 630, 200);
    fill(frame, 285, 200, 485, 570, 60);
}

static void assert_card_at_240_90(struct finder *finder, const struct plane *frame)
{
    struct outline out[FIND_MOST];

    assert_in_range(find_card(finder, frame, out), 1, FIND_MOST);
    for (unsigned i = 0; i < 4; i++) {
        const double x = out[0].corners[i].x, y = out[0].corners[i].y;

        assert_true((x > 236 && x < 244) || (x > 1092 && x < 1100));
        assert_true((y > 86 && y < 94) || (y > 626 && y < 634));
    }
}

static void a_card_on_a_table_is_found(void **state)
{
    struct plane frame = {0};

    draw(&frame);
    assert_card_at_240_90(*state, &frame);
    plane_free(&frame);
}

/* A sheet as light as the card beside it: of its left side little more than half can be seen, less
 * than of the photo's. What would be left is no card's shape. */
static void a_side_half_unseen_is_not_taken_from_the_photo(void **state)
{
    struct plane frame = {0};

    draw(&frame);
    fill(&frame, 100, 390, 240, 630, 200);
    assert_card_at_240_90(*state, &frame);
    plane_free(&frame);
}

static int set_up(void **state)
{
    *state = finder_new();
    return *state == NULL;
}

static int tear_down(void **state)
{
    struct finder *finder = *state;

    finder_free(&finder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_card_on_a_table_is_found),
        cmocka_unit_test(a_side_half_unseen_is_not_taken_from_the_photo),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
