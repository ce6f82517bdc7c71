/* face: the card lying flat, as printed. */
#ifndef CARDFACE_FACE_H
#define CARDFACE_FACE_H

#include "canvas.h"
#include "cardface.h"

/* ISO/IEC 7810 ID-1 */
#define FACE_WIDTH_MM 85.6
#define FACE_HEIGHT_MM 54.0
#define FACE_CORNER_MM 3.18
#define FACE_PX_PER_MM 20.0

void face_print(struct picture *p, struct type *type, const struct cardface *face, struct lot *lot);

#endif
