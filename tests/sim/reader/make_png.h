/*
 * make_png.h - one-line pictures of text as the card face carries them: 1-bit PNG. Only digits,
 * capital letters, blank and hyphen are drawn; the chip's own pictures hold handwriting-quality
 * kanji, which nothing in the product reads.
 */
#ifndef SIM_MAKE_PNG_H
#define SIM_MAKE_PNG_H

#include "util.h"

/* Appends a PNG of `text`, glyphs 6 by 7 points times scale, centred in width by height. */
void sim_make_png_text(struct buf *out, const char *text, unsigned scale, unsigned width,
                       unsigned height);

#endif
