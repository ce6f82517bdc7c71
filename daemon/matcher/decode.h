/*
 * decode: pictures from outside, into bounded memory. Both decoders read memory only, never a file, and look at
 * the header's own words about size before they reserve anything.
 */
#ifndef UKETSUKE_DECODE_H
#define UKETSUKE_DECODE_H

#include "daemon/common/failure.h"
#include "image.h"

/* The chip's file is below 32768 bytes (15-bit offsets of its record); twice that is the cap. */
#define DECODE_PHOTO_MOST 65536
#define DECODE_FRAME_MOST (8u << 20)

/* As in CAMERA_FRAME. */
enum decode_format { DECODE_MJPEG = 1, DECODE_YUY2 = 2 };

struct decoder;

/* For one thread. NULL when out of memory. */
struct decoder *decoder_new(void);
void decoder_free(struct decoder **decoder);

/*
 * One camera frame. width and height are what the camera promised: YUY2 has no other header, a JPEG brings its
 * own and may differ. FAILURE_NONE or FACE_FRAME_UNREADABLE: damaged, cut short, not baseline, too large.
 * Huffman tables that a camera leaves out of its JPEGs are the standard's.
 */
enum failure decode_frame(struct decoder *decoder, unsigned format, int width, int height,
                          const uint8_t *data, size_t len, struct image *out);

/*
 * The chip photo: JPEG 2000, grey or colour, 8 bits, 16 to 2000 pixels each way. FAILURE_NONE, CARD_NO_PHOTO
 * when there is nothing in it (zero length, or all zero bytes), or FACE_PHOTO_UNREADABLE.
 */
enum failure decode_photo(const uint8_t *data, size_t len, struct image *out);

#endif
