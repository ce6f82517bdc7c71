/*
 * decode: a camera's frame (MJPEG or YUY2) into brightness. Colour carries nothing that is read
 * here, so it is not even decoded.
 */
#ifndef UKETSUKE_OCR_DECODE_H
#define UKETSUKE_OCR_DECODE_H

#include "plane.h"

#define DECODE_FRAME_MOST (8u << 20)

/* As in CAMERA_FRAME of message.def. */
enum decode_format { DECODE_MJPEG = 1, DECODE_YUY2 = 2 };

struct decoder;

/* NULL: out of memory. */
struct decoder *decoder_new(void);
/* Accepts and stores NULL. */
void decoder_free(struct decoder **decoder);
/* width, height: of a YUY2 frame; a JPEG says its own. 0; -EBADMSG when it is damaged or out of
 * bounds; -ENOMEM. */
int decode_frame(struct decoder *decoder, unsigned format, int width, int height,
                 const uint8_t *data, size_t len, struct plane *out);

#endif
