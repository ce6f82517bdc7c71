/*
 * preview: what the kiosk shows of a frame: made anew from the decoded pixels, never the camera's own bytes, so
 * that nothing a camera sends reaches a browser. At most 480 wide; not mirrored (the page does that).
 */
#ifndef UKETSUKE_PREVIEW_H
#define UKETSUKE_PREVIEW_H

#include "image.h"

#define PREVIEW_WIDTH_MOST 480

struct preview;

/* For one thread. NULL when out of memory. */
struct preview *preview_new(void);
void preview_free(struct preview **preview);

/* A JPEG of the picture: *out is borrowed until the next call. 0 or -ENOMEM, -EIO. */
int preview_make(struct preview *preview, const struct image *image, const uint8_t **out,
                 size_t *len);
/* Wipe what the last call left. */
void preview_wipe(struct preview *preview);

#endif
