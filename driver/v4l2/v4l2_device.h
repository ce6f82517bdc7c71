/*
 * v4l2_device: one camera of the kernel's, call by call: which mode, which memory, when it streams.
 *
 * Plain system calls on the descriptor that the broker passed; no library. Starting and stopping
 * may take the kernel seconds (a worker's business); taking and giving back never waits, for the
 * descriptor is non-blocking. Nothing that the driver says is believed without a look: sizes,
 * indices, lengths.
 */
#ifndef UKETSUKE_V4L2_DEVICE_H
#define UKETSUKE_V4L2_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "driver/uvc/camera.h"

/* The system calls; tests play a driver behind them. */
struct v4l2_calls {
    int (*control)(int fd, unsigned long request, void *arg); /* 0 or negative errno */
    void *(*map)(int fd, size_t length, size_t offset);       /* NULL: no */
    void (*unmap)(void *memory, size_t length);
    void (*close)(int fd);
};
extern const struct v4l2_calls v4l2_system_calls;

#define V4L2_BUFFERS 4u

struct v4l2_mapping {
    uint8_t *bytes;
    size_t length;
};

struct v4l2_device {
    const struct v4l2_calls *calls;
    int fd;
    struct camera_mode mode;
    size_t stride; /* bytes a row of YUY2 */
    unsigned count;
    struct v4l2_mapping buffers[V4L2_BUFFERS];
    bool requested, streams;
};

/* A picture in the kernel's memory, until it is given back. */
struct v4l2_picture {
    unsigned index;
    const uint8_t *bytes;
    size_t len;
    bool broken;           /* the driver says that a part was lost */
    uint32_t sequence;     /* the driver's own count */
    uint64_t monotonic_us; /* 0: it does not say */
};

/* Whether it captures video by streaming at all: 0, or -ENODEV, -ENOTSUP, negative errno. Does not
 * wait. */
int v4l2_device_look(const struct v4l2_device *device);
/* Choose, set, map, queue, start. CAMERA_OK or why not, and then nothing is left running. */
enum camera_trouble v4l2_device_start(struct v4l2_device *device, const struct camera_need *need);
/* Whatever it had begun is undone, and the pictures in its memory are wiped. */
void v4l2_device_stop(struct v4l2_device *device);
/* Stops, and closes the descriptor. */
void v4l2_device_close(struct v4l2_device *device);

/* 0; -EAGAIN none yet; -ENODEV unplugged; -EPROTO a picture that cannot be; other negative errno.
 */
int v4l2_device_take(struct v4l2_device *device, struct v4l2_picture *picture);
int v4l2_device_give_back(struct v4l2_device *device, unsigned index);

#endif
