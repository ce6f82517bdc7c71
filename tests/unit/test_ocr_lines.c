/*
 * Where lines of print stand: drawn bars in the place of digits. A line that the zone's edge cuts is
 * none: a 3 without its left side was read as a 5 by both networks, in every frame.
 */
#include "daemon/ocr/flatten.h"
#include "daemon/ocr/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the four of C above first */
#include <cmocka.h>

static const struct zone zone = {24, 39, 46, 53, 1.4, 4.4, 4, 14};

static int px(double mm)
{
    return (int)(mm * FLAT_PX_PER_MM);
}

/* A white card with four strokes, 1 mm wide, 2.4 mm high, 1.9 mm apart, from (x, y) on. */
static unsigned found(double x_mm, double y_mm, struct line_box *first)
{
    struct line_box boxes[LINES_FOUND_MOST];
    struct plane flat = {0};
    unsigned n;

    assert_int_equal(plane_resize(&flat, FLAT_WIDTH, FLAT_HEIGHT), 0);
    for (int y = 0; y < flat.height; y++)
        memset(plane_row(&flat, y), 230, (size_t)flat.width);
    for (int i = 0; i < 4; i++)
        for (int y = px(y_mm); y < px(y_mm + 2.4); y++)
            memset(plane_row(&flat, y) + px(x_mm + 1.9 * i), 30, (size_t)px(1));
    n = lines_find(&flat, &zone, boxes);
    if (n > 0)
        *first = boxes[0];
    plane_free(&flat);
    return n;
}

static void a_line_within_the_zone_is_found_with_room_around(void **state)
{
    struct line_box box;

    (void)state;
    assert_int_equal(found(30, 45, &box), 1);
    assert_in_range(box.x0, px(29.2), px(30));
    assert_in_range(box.x1, px(36.7), px(37.5));
    assert_in_range(box.y0, px(44.2), px(45));
    assert_in_range(box.y1, px(47.4), px(48.2));
}

static void a_line_that_the_edge_cuts_is_none(void **state)
{
    struct line_box box;

    (void)state;
    assert_int_equal(found(23.5, 45, &box), 0); /* half of the first stroke is outside */
    assert_int_equal(found(24.0, 45, &box), 0); /* at the edge: who knows */
    assert_int_equal(found(39.8, 45, &box), 0); /* the last one */
    assert_int_equal(found(30, 38, &box), 0);   /* above */
    assert_int_equal(found(30, 51.5, &box), 0); /* below */
    assert_int_equal(found(24.4, 45, &box), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_within_the_zone_is_found_with_room_around),
        cmocka_unit_test(a_line_that_the_edge_cuts_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
