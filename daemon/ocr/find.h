/*
 * find: where a card lies in a frame.
 *
 * Edges vote for straight lines (Hough, with the gradient's own direction, so that a pixel votes
 * for few); of the strongest lines every four that could be the outline of an ID-1 card in
 * perspective are weighed by how much of their length is edge. A finger or a glare on part of a
 * side costs that part of its weight and no more.
 */
#ifndef UKETSUKE_OCR_FIND_H
#define UKETSUKE_OCR_FIND_H

#include "plane.h"

/* Corners clockwise as seen; the side from 0 to 1 is a long one. Either long side may be the card's
 * top. */
struct outline {
    struct spot corners[4];
    double weight;
};

#define FIND_MOST 2

struct finder;

/* NULL: out of memory. Its working memory holds outlines of a picture and is wiped by
 * finder_wipe(). */
struct finder *finder_new(void);
void finder_free(struct finder **finder);
void finder_wipe(struct finder *finder);
/* Up to FIND_MOST outlines, best first. Returns how many. */
unsigned find_card(struct finder *finder, const struct plane *frame, struct outline out[FIND_MOST]);

#endif
