/*
 * v4l2_rig: a camera of the kernel's driver (v4l2_driver.h) on a simulated clock and a real worker, and what the
 * listener hears.
 */
#ifndef V4L2_RIG_H
#define V4L2_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <systemd/sd-event.h>

#include "daemon/common/clock.h"
#include "driver/v4l2/v4l2.h"
#include "driver/v4l2/v4l2_worker.h"
#include "v4l2_driver.h"

#define MJPEG V4L2_PIX_FMT_MJPEG
#define YUYV V4L2_PIX_FMT_YUYV
#define GREY V4L2_PIX_FMT_GREY

enum wish { NOTHING, STOP, FREE, START };

struct fixture {
    sd_event *loop;
    struct clock *clock;
    struct v4l2_worker *worker;
    struct camera *camera;
    unsigned started, frames, troubles, gone;
    struct camera_mode mode;
    enum camera_trouble trouble;
    struct camera_frame frame; /* the newest; its bytes in `bytes` */
    uint8_t bytes[4096];
    enum wish on_started, on_frame, on_trouble;
};

extern const struct camera_need need; /* 640x480, 15 a second */
/* A camera with both formats, and one with YUY2 only; pictures. */
extern const struct driver_offer webcam[], raw[];
extern const uint8_t jpeg[7], padded[8], cut[6], noise[6];

struct fixture *v4l2_rig_begin(const struct driver_offer *offers);
/* Nothing is left: no stream, no mapping, no buffer, no descriptor, no picture in the driver's memory. */
void v4l2_rig_finish(struct fixture *f);
int v4l2_rig_start(struct fixture *f, const struct camera_need *wish);
/* Started, and it streams. */
void v4l2_rig_stream(struct fixture *f);
/* The sensor has a picture, 20 ms ago. */
void v4l2_rig_picture(struct fixture *f, const void *bytes, size_t len, uint32_t flags);
/* One turn of the loop and of the clock's timers that are due. */
void v4l2_rig_turn(struct fixture *f);
/* Everything that the worker was given has been done. */
void v4l2_rig_settle(struct fixture *f);

#define UNTIL(f, condition)                                                                        \
    for (unsigned turns_ = 0; !(condition); turns_++) {                                            \
        assert_true(turns_ < 5000);                                                                \
        v4l2_rig_turn(f);                                                                          \
    }

#endif
