/*
 * reference: makes a picture like a chip photo on the fly: an ID-style crop, WIDTHxHEIGHT, JPEG
 * 2000 of about BYTES.
 */
#ifndef UKETSUKE_REFERENCE_H
#define UKETSUKE_REFERENCE_H

#include "daemon/matcher/image.h"

struct card_like {
    int width, height;
    unsigned bytes;
};

/* "jp2:200x250:3000". 0 or -EINVAL. */
int card_like_parse(struct card_like *out, const char *text);

/*
 * A face box (pixels of `image`) becomes a crop in which the box is 0.62 of the height, the eyes
 * above the middle. *data is malloc()ed. 0 or negative errno.
 */
int card_like_make(const struct card_like *card, const struct image *image, const struct box *face,
                   uint8_t **data, size_t *len);

#endif
