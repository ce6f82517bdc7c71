/*
 * payload: puts video frames together from UVC payloads. Pure: bytes in, frames out.
 * Source: USB-IF UVC 1.5, 2.4.3.2 and 2.4.3.3 (stream header and payload rules); JPEG's markers.
 *
 * A frame ends with the EOF bit or when the frame id toggles. It is dropped when a payload of it
 * was lost, marked as an error, or has a header that cannot be; when it does not begin like a JPEG
 * (we came in the middle of it); or when it is bigger than the camera said. One that ends without
 * JPEG's end marker is delivered with a flag. Pictures that are not compressed have no markers:
 * there the number of bytes says whether one is whole.
 */
#ifndef UKETSUKE_UVC_PAYLOAD_H
#define UKETSUKE_UVC_PAYLOAD_H

#include "camera.h"

typedef void payload_frame_fn(const struct camera_frame *frame, void *arg);

struct payload {
    payload_frame_fn *deliver;
    void *arg;
    uint8_t *buffer;
    size_t size;  /* of the buffer */
    size_t whole; /* bytes of a picture that is not compressed; 0: JPEG */
    size_t used;
    size_t touched;   /* most that was ever used: what must be wiped */
    bool begun;       /* a frame is being put together */
    bool bad;         /* and will be dropped */
    bool known_id;    /* `frame_id` is that of the frame begun, or of the last one ended */
    bool gap;         /* a frame was dropped since the last delivered one */
    uint8_t frame_id; /* 0 or 1 */
    uint64_t began_us;
    uint32_t sequence;
    bool in_bulk;   /* a bulk payload goes on in the next transfer */
    bool skip_bulk; /* its header was no good: the rest is skipped */
    bool bulk_end;  /* it ends its frame */
    size_t bulk_used;
    struct camera_counters counters;
};

/* 0 or -ENOMEM. `size` is the biggest frame. */
int payload_init(struct payload *payload, size_t size, payload_frame_fn *deliver, void *arg);
/* Forgets the frame begun; counters and sequence stay. */
void payload_reset(struct payload *payload);
void payload_wipe(struct payload *payload);
/* Wipes and frees. */
void payload_clear(struct payload *payload);

/* One whole payload (an isochronous packet): header and data. Zero length is allowed. */
void payload_push(struct payload *payload, const uint8_t *bytes, size_t len, uint64_t now_us);
/* A payload that never arrived. */
void payload_lost(struct payload *payload);
/*
 * The bytes of one bulk transfer. A payload ends with a transfer that was not filled (`ended`) or
 * when `max` bytes of it are there.
 */
void payload_push_bulk(struct payload *payload, const uint8_t *bytes, size_t len, bool ended,
                       size_t max, uint64_t now_us);

#endif
