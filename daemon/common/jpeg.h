/*
 * jpeg: may a decoder be given this picture of a camera? Judged by the markers alone (ITU-T T.81, B.2), before any
 * library has seen a byte.
 */
#ifndef UKETSUKE_JPEG_H
#define UKETSUKE_JPEG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Only the baseline and extended sequential processes pass, of 8 bits and 1 or 3 components, both sides between
 * `least` and `most` pixels, all components in the first scan. A progressive file can make a decoder work for hours
 * on a few bytes, as can one that brings its components in scans of their own (there may be any number of scans
 * then, each a walk over the whole picture), and no camera sends either.
 */
bool jpeg_is_tame(const uint8_t *data, size_t len, int least, int most);

#endif
