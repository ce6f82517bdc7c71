/*
 * uvc_probe: the block of the probe and commit controls. Pure.
 * Source: UVC 1.0 (26 bytes), 1.1 (34 bytes) and 1.5 (48 bytes), 4.3.1.1.
 */
#ifndef UKETSUKE_UVC_PROBE_H
#define UKETSUKE_UVC_PROBE_H

#include <stddef.h>
#include <stdint.h>

#define UVC_PROBE_MAX 48u
#define UVC_PROBE_MIN 26u

struct uvc_probe {
    uint8_t format_index;
    uint8_t frame_index;
    uint32_t interval; /* 100 ns */
    uint32_t max_frame_bytes;
    uint32_t max_payload_bytes;
};

/* The block's length for a version of the class. */
size_t uvc_probe_bytes(uint16_t version);
/* The next shorter length that older firmware may want, 0 when there is none. */
size_t uvc_probe_shorter(size_t len);

/* A first wish, all else left to the camera. `len` is one of the three lengths. */
void uvc_probe_put(uint8_t *block, size_t len, const struct uvc_probe *wish);
/* 0, or -EPROTO when it is too short to be one. */
int uvc_probe_get(struct uvc_probe *probe, const uint8_t *block, size_t len);

#endif
