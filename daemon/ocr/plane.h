/*
 * plane: one picture as brightness bytes, rows packed. It shows a card with a person's data on it,
 * so it stands in secret memory that grows to the largest picture seen and is kept.
 */
#ifndef UKETSUKE_OCR_PLANE_H
#define UKETSUKE_OCR_PLANE_H

#include "daemon/common/secret.h"

#include <stddef.h>
#include <stdint.h>

#define PLANE_SIDE_LEAST 64
#define PLANE_SIDE_MOST 2000

struct plane {
    struct secret room;
    int width; /* 0: no picture */
    int height;
};

struct spot {
    double x, y;
};

/* Make room for a picture of that size (old pixels are lost). -EINVAL outside the bounds, -ENOMEM.
 */
int plane_resize(struct plane *plane, int width, int height);
/* Wipe the pixels, keep the room. */
void plane_wipe(struct plane *plane);
void plane_free(struct plane *plane);

static inline uint8_t *plane_row(const struct plane *plane, int y)
{
    return plane->room.data + (size_t)y * (size_t)plane->width;
}

#endif
