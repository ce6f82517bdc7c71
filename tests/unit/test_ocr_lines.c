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

static const struct zone zone = {24, 39, 46, 53, 1.4, 4.4, 4, 14, 0};

static int px(double mm)
{
    return (int)(mm * FLAT_PX_PER_MM);
}

static void white_card(struct plane *flat)
{
    assert_int_equal(plane_resize(flat, FLAT_WIDTH, FLAT_HEIGHT), 0);
    for (int y = 0; y < flat->height; y++)
        memset(plane_row(flat, y), 230, (size_t)flat->width);
}

/* Strokes 1 mm wide, 1.9 mm from one to the next, from (x, y) on. */
static void strokes(struct plane *flat, double x_mm, double y_mm, double height_mm, int n)
{
    for (int i = 0; i < n; i++)
        for (int y = px(y_mm); y < px(y_mm + height_mm); y++)
            memset(plane_row(flat, y) + px(x_mm + 1.9 * i), 30, (size_t)px(1));
}

/* Four strokes as high as a code's figures. */
static unsigned found(double x_mm, double y_mm, struct line_box *first)
{
    struct line_box boxes[LINES_FOUND_MOST];
    struct plane flat = {0};
    unsigned n;

    white_card(&flat);
    strokes(&flat, x_mm, y_mm, 2.4, 4);
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

/* Six strokes, and `gap` mm further, `lower` mm lower, three of another height: how many lines. */
static unsigned lines_of(const struct zone *where, double gap, double lower, double height,
                         struct line_box *first)
{
    struct line_box boxes[LINES_FOUND_MOST];
    struct plane flat = {0};
    unsigned n;

    white_card(&flat);
    strokes(&flat, 28, 24, 3, 6);
    strokes(&flat, 28 + 5 * 1.9 + 1 + gap, 24 + lower, height, 3);
    n = lines_find(&flat, where, boxes);
    if (n > 0)
        *first = boxes[0];
    plane_free(&flat);
    return n;
}

/* Before a month or day of one figure stands an empty place: of a sharp 2月 5日 half was no line. */
static void parts_that_line_up_are_one_line(void **state)
{
    const struct zone dates = {25, 16, 84, 43, 1.5, 4.6, 4, 60, 1};
    struct zone apart = dates;
    struct line_box box;

    (void)state;
    assert_int_equal(lines_of(&dates, 2.7, 0, 3, &box), 1);
    assert_in_range(box.x0, px(27), px(28));
    assert_in_range(box.x1, px(46), px(47)); /* 28 + 10.5 + 2.7 + 4.8, and the margin */
    assert_int_equal(lines_of(&dates, 4, 0, 3, &box), 2);       /* another field beside it */
    assert_int_equal(lines_of(&dates, 2.7, 0.8, 1.9, &box), 2); /* a label's small print */
    assert_int_equal(lines_of(&dates, 2.7, 2, 3, &box), 2);     /* the next line */
    apart.gap = 0;
    assert_int_equal(lines_of(&apart, 2.7, 0, 3, &box), 2);
}

/* What the zone's edge cuts is no line by what it is joined to. */
static void a_line_whose_last_part_is_cut_is_none(void **state)
{
    const struct zone dates = {25, 16, 46, 43, 1.5, 4.6, 4, 60, 1};
    struct line_box box;

    (void)state;
    assert_int_equal(lines_of(&dates, 2.7, 0, 3, &box), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_within_the_zone_is_found_with_room_around),
        cmocka_unit_test(a_line_that_the_edge_cuts_is_none),
        cmocka_unit_test(parts_that_line_up_are_one_line),
        cmocka_unit_test(a_line_whose_last_part_is_cut_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
