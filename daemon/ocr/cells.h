/*
 * cells: which columns of a line's picture belong to which of its characters. The network's own
 * boxes are loose; here the ink's gaps decide: runs of columns with ink are dealt out to the
 * characters so that wide characters get about a square and digits about half of one (the least
 * cost of all ways, found by dynamic programming).
 */
#ifndef UKETSUKE_OCR_CELLS_H
#define UKETSUKE_OCR_CELLS_H

#include "recognise.h"

#include <stdbool.h>

struct cell {
    int x0, x1; /* columns, x1 outside */
};

/* `ink`: what is that much darker than the paper. False: the ink cannot be dealt out (letters
 * touch, a scratch). */
bool cells_align(const uint8_t *pixels, int width, int height, const struct symbols *line,
                 struct cell out[SYMBOLS_MOST]);

/* The brightness that most of the line's paper has. */
uint8_t cells_paper(const uint8_t *pixels, size_t n);

#endif
