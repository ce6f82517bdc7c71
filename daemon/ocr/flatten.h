/* flatten: the card as if it lay flat before the camera, FLAT_PX_PER_MM to the millimetre. */
#ifndef UKETSUKE_OCR_FLATTEN_H
#define UKETSUKE_OCR_FLATTEN_H

#include "find.h"

/* ISO/IEC 7810 ID-1: 85.60 x 53.98 mm */
#define FLAT_PX_PER_MM 12
#define FLAT_WIDTH 1027
#define FLAT_HEIGHT 648

/* corners[first] becomes the top left one (0 or 2: the card may be upside down). 0, -EINVAL,
 * -ENOMEM. */
int flatten_card(const struct plane *frame, const struct outline *outline, unsigned first,
                 struct plane *out);

#endif
