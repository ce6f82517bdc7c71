/*
 * uvc_descriptor: what a camera offers, read from its descriptors, and the choice among it. Pure.
 * Source: USB-IF UVC 1.5, chapter 3, and the payload specifications of MJPEG and of uncompressed
 * video.
 */
#ifndef UKETSUKE_UVC_DESCRIPTOR_H
#define UKETSUKE_UVC_DESCRIPTOR_H

#include "camera.h"
#include "driver/usb/usb_descriptor.h"

#define UVC_FRAMES_MAX 64u

struct uvc_frame {
    enum camera_format format;
    uint8_t format_index; /* bFormatIndex of the format it belongs to */
    uint8_t frame_index;
    uint16_t width, height;
    uint32_t buffer_bytes;    /* dwMaxVideoFrameBufferSize; may be 0 */
    uint8_t interval_count;   /* 0: continuous, then three values: least, most, step */
    const uint8_t *intervals; /* little-endian 32-bit values, 100 ns, borrowed */
};

struct uvc_function {
    uint16_t version; /* bcdUVC */
    uint8_t control_interface;
    bool has_control_interface;
    uint8_t streaming_interface;
    uint8_t bulk_in; /* endpoint of a camera that streams in bulk; 0: isochronous */
    uint16_t bulk_packet;
    uint8_t terminal, unit;            /* the lens and the processing unit; 0: none */
    uint32_t terminal_bits, unit_bits; /* bmControls of them */
    unsigned frame_count;
    struct uvc_frame frames[UVC_FRAMES_MAX]; /* all of one format: MJPEG, else YUY2 */
};

/* The `nth` video function with MJPEG or YUY2. 0; -ENODEV no such; -EPROTO it is there, but cannot
 * be. */
int uvc_function_find(const struct usb_config *config, unsigned nth, struct uvc_function *function);

/* The frame nearest to the need and its interval. NULL when there is none. */
const struct uvc_frame *uvc_choose(const struct uvc_function *function,
                                   const struct camera_need *need, uint32_t *interval);
/* By the indices of a probe answer. */
const struct uvc_frame *uvc_frame_by_index(const struct uvc_function *function,
                                           uint8_t format_index, uint8_t frame_index);

/*
 * The smallest alternate setting that carries `payload_bytes` per (micro)frame; the biggest one
 * when none does, or when the camera does not say (0). NULL when there is no isochronous one at
 * all.
 */
const struct usb_alt *uvc_choose_alt(const struct usb_config *config,
                                     const struct uvc_function *function, uint32_t payload_bytes);

#endif
