/*
 * v4l2_driver: a camera driver of the kernel's, played behind the seam of v4l2_device.h, after the kernel's userspace
 * API for video4linux (buffers that are queued, filled, taken, in turn) and with the faults that real ones have.
 */
#ifndef V4L2_DRIVER_H
#define V4L2_DRIVER_H

#include <linux/videodev2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "driver/v4l2/v4l2_device.h"

#define DRIVER_BUFFERS 8u
#define DRIVER_BYTES 65536u

struct driver_offer {
    uint32_t pixel_format; /* 0 ends the table */
    uint32_t width, height;
    uint32_t fps[4]; /* 0 ends */
};

struct v4l2_driver {
    /* what it is: set before the camera is made */
    const struct driver_offer *offers;
    uint32_t capabilities; /* of the node */
    uint32_t gap;          /* bytes between two rows */
    bool no_size_list;
    bool ranges; /* sizes and rates as ranges: from the first offer to the second */
    uint32_t buffers_most;

    /* faults */
    unsigned long fail_request; /* answers fail_error */
    int fail_error;
    unsigned long hold_request;                    /* is kept until v4l2_driver_release() */
    void (*lie)(unsigned long request, void *arg); /* over what was answered rightly */

    /* what became of it */
    struct v4l2_pix_format format;
    struct v4l2_fract interval;
    int32_t controls[8];
    unsigned buffers, maps, queued, closed, starts, stops;
    bool streaming;
    bool dirty; /* memory was given back with something in it */
    unsigned calls;
};

extern struct v4l2_driver v4l2_driver;
extern const struct v4l2_calls v4l2_driver_calls;

/* A fresh one; the descriptor of its node. */
int v4l2_driver_new(const struct driver_offer *offers);
/* The sensor has a picture: false when no buffer is queued for it (it is lost, and counted). */
bool v4l2_driver_picture(const void *bytes, size_t len, uint32_t flags, uint64_t stamp_us);
/* The cable is pulled. */
void v4l2_driver_unplug(void);
/* Taking and queueing end in `error` from now on, and the node says so to who waits. */
void v4l2_driver_break(int error);
void v4l2_driver_release(void);
/* Set to hold a call that has not been released; waits until one is held, if there is to be any. */
bool v4l2_driver_holds(void);

/* Rows of the table of controls below. */
enum { DRIVER_EXPOSURE, DRIVER_WHITE_BALANCE, DRIVER_FOCUS, DRIVER_POWER_LINE, DRIVER_CONTROLS };

#endif
