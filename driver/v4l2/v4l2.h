/*
 * v4l2: a camera that the kernel's own driver owns (uvcvideo, and whatever else captures video),
 * behind the contract of camera.h.
 *
 * The robust choice in production: the kernel's driver knows the quirks of hundreds of cameras and
 * keeps isochronous transfers alive whatever this process is busy with. Streams only while the
 * camera is started; memory is the driver's, mapped, looked at in place and wiped when it stops.
 */
#ifndef UKETSUKE_V4L2_H
#define UKETSUKE_V4L2_H

#include "driver/uvc/camera.h"

struct clock;
struct sd_event;
struct v4l2_calls;
struct v4l2_worker;

/* Told once, from the loop, when the device turned out to be unplugged; not from inside start(). */
typedef void v4l2_gone_fn(void *arg);

/*
 * Takes the descriptor (opened for reading and writing, non-blocking), whatever comes of it.
 * `calls`: NULL for the system's. NULL and errno: ENOTSUP no camera that streams, ENODEV gone,
 * others.
 */
struct camera *v4l2_new(struct sd_event *loop, struct clock *clock, struct v4l2_worker *worker,
                        const struct v4l2_calls *calls, int fd);
void v4l2_on_gone(struct camera *camera, v4l2_gone_fn *gone, void *arg);

#endif
