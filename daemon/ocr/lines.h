/* lines: where lines of print stand in a part of the flattened card. */
#ifndef UKETSUKE_OCR_LINES_H
#define UKETSUKE_OCR_LINES_H

#include "plane.h"

/* All in millimetres of the card, from its top left corner. */
struct zone {
    double x0, y0, x1, y1;
    double least_height, most_height, least_width, most_width;
    double gap; /* in heights of a line: parts no further apart that line up are one; 0: none are */
};

struct line_box {
    int x0, y0, x1, y1; /* pixels of the flattened card, x1 and y1 outside */
};

#define LINES_FOUND_MOST 8

/* From top to bottom; those that stand wholly within the zone. Returns how many, 0 also when memory
 * runs out. */
unsigned lines_find(const struct plane *flat, const struct zone *zone,
                    struct line_box out[LINES_FOUND_MOST]);

#endif
