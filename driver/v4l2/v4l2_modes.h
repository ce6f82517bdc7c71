/*
 * v4l2_modes: what a camera of the kernel's offers, and the choice among it.
 * Source: the kernel's userspace API for video4linux ("Video I/O", VIDIOC_ENUM_FMT and its kin).
 */
#ifndef UKETSUKE_V4L2_MODES_H
#define UKETSUKE_V4L2_MODES_H

#include <linux/videodev2.h>
#include <stdbool.h>
#include <stdint.h>

#include "driver/uvc/camera.h"

struct v4l2_calls;

#define V4L2_SIDE_LEAST 16u
#define V4L2_SIDE_MOST 8192u

struct v4l2_choice {
    enum camera_format format;
    uint32_t pixel_format;
    unsigned width, height;
    struct v4l2_fract interval; /* seconds a frame; 0/0: the driver does not say */
};

/*
 * The mode nearest to the need by the rule of uvc_choose(): MJPEG before YUY2, then the nearest
 * size (missing pixels weigh double), then the nearest rate. A driver without lists of sizes is
 * offered the size that is wished for. 0; -ENOTSUP nothing that we take; other negative errno of
 * the device.
 */
int v4l2_choose(const struct v4l2_calls *calls, int fd, const struct camera_need *need,
                struct v4l2_choice *choice);

/* 0 when it cannot be said. */
uint32_t v4l2_interval_100ns(const struct v4l2_fract *interval);

#endif
