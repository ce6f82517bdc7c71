/*
 * The kernel's camera driver, or whoever sits behind its node, answers each call with whatever the input says: errors,
 * structures overwritten anywhere, lists without end, memory of any size. Frames that come out lie in memory that was
 * mapped and have the form that was announced; whatever was mapped is unmapped; trouble is told once a run.
 */
#include "fuzz.h"
#include "fuzz_shortage.h"

#include <errno.h>
#include <linux/videodev2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "driver/v4l2/v4l2.h"
#include "driver/v4l2/v4l2_device.h"
#include "driver/v4l2/v4l2_worker.h"

#define MAP_MOST (256u * 1024)
#define CALLS_MOST 6000u

static struct fuzz_input in;
static unsigned calls_made, maps;
static uint32_t serial; /* lists move on by themselves */

/* -- the driver -------------------------------------------------------------------------------- */

static int control(int fd, unsigned long request, void *arg)
{
    static const int errors[] = {-EINVAL, -EAGAIN, -ENODEV, -EBUSY,
                                 -EIO,    -ENOTTY, -ENOSPC, -ETIMEDOUT};
    size_t size = _IOC_SIZE(request), len, at;
    unsigned how = fuzz_u8(&in);
    const uint8_t *piece;
    struct v4l2_buffer *buffer = arg;

    (void)fd;
    FUZZ_CHECK(calls_made++ < CALLS_MOST + (1u << 16));
    if (in.left == 0)
        return request == VIDIOC_STREAMOFF || request == VIDIOC_REQBUFS ? 0 : -ENODEV;
    if (how < 32)
        return errors[how % 8];
    /* What an honest driver would say, so that the input gets somewhere. */
    switch (request) {
    case VIDIOC_QUERYCAP:
        ((struct v4l2_capability *)arg)->capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
        break;
    case VIDIOC_ENUM_FMT:
        ((struct v4l2_fmtdesc *)arg)->pixelformat =
            how & 1 ? V4L2_PIX_FMT_YUYV : V4L2_PIX_FMT_MJPEG;
        break;
    case VIDIOC_ENUM_FRAMESIZES:
        ((struct v4l2_frmsizeenum *)arg)->type = 1 + how % 3;
        ((struct v4l2_frmsizeenum *)arg)->stepwise =
            (struct v4l2_frmsize_stepwise){32, 64, how, 24, 48, how};
        break;
    case VIDIOC_ENUM_FRAMEINTERVALS:
        ((struct v4l2_frmivalenum *)arg)->type = 1 + how % 3;
        ((struct v4l2_frmivalenum *)arg)->discrete = (struct v4l2_fract){1, how};
        break;
    case VIDIOC_S_FMT:
        ((struct v4l2_format *)arg)->fmt.pix.bytesperline =
            how & 1 ? 0 : ((struct v4l2_format *)arg)->fmt.pix.width * 2 + how % 9;
        break;
    case VIDIOC_QUERYBUF:
        buffer->length = 64u << how % 12;
        break;
    case VIDIOC_DQBUF:
        buffer->index = serial++ % V4L2_BUFFERS;
        buffer->bytesused = fuzz_u16(&in);
        buffer->sequence = serial;
        break;
    default:
        break;
    }
    if (how >= 224) { /* and a lie over it */
        at = fuzz_u8(&in);
        piece = fuzz_piece(&in, size, &len);
        if (at < size)
            memcpy((uint8_t *)arg + at, piece, len < size - at ? len : size - at);
    }
    return 0;
}

static void *map(int fd, size_t length, size_t offset)
{
    uint8_t *memory;
    size_t len;
    const uint8_t *piece;

    (void)fd;
    (void)offset;
    fuzz_shortage_pause();
    memory = length <= MAP_MOST ? malloc(length) : NULL;
    fuzz_shortage_resume();
    if (memory == NULL)
        return NULL;
    memset(memory, 0, length);
    piece = fuzz_piece(&in, length, &len);
    memcpy(memory, piece, len);
    maps++;
    return memory;
}

static void unmap(void *memory, size_t length)
{
    for (size_t i = 0; i < length; i++)
        FUZZ_CHECK(((uint8_t *)memory)[i] == 0);
    free(memory);
    maps--;
}

static void close_node(int fd)
{
    close(fd);
}

static const struct v4l2_calls calls = {control, map, unmap, close_node};

/* -- a worker without a thread: in place of the driver's own, which the linker then leaves out ---- */

static struct v4l2_job *pending;

int v4l2_worker_new(struct v4l2_worker **out, struct sd_event *loop)
{
    (void)loop;
    *out = NULL;
    return 0;
}

void v4l2_worker_free(struct v4l2_worker **worker)
{
    (void)worker;
}

void v4l2_worker_submit(struct v4l2_worker *worker, struct v4l2_job *job)
{
    (void)worker;
    FUZZ_CHECK(pending == NULL); /* the device is the worker's until done() */
    pending = job;
}

static void work(void)
{
    struct v4l2_job *job = pending;

    if (job == NULL)
        return;
    job->run(job);
    pending = NULL;
    job->done(job);
}

/* -- the listener ------------------------------------------------------------------------------ */

static struct camera *camera;
static struct camera_mode mode;
static bool running;

static void on_started(struct camera *c, const struct camera_mode *m, void *arg)
{
    (void)c;
    (void)arg;
    FUZZ_CHECK(running);
    FUZZ_CHECK(m->format == CAMERA_MJPEG || m->format == CAMERA_YUY2);
    FUZZ_CHECK(m->width >= 16 && m->height >= 16 && m->width <= 8192 && m->height <= 8192);
    mode = *m;
}

static void on_frame(struct camera *c, const struct camera_frame *frame, void *arg)
{
    uint8_t sum = 0;

    (void)arg;
    FUZZ_CHECK(running);
    for (size_t i = 0; i < frame->len; i++)
        sum ^= frame->data[i];
    if (mode.format == CAMERA_YUY2) {
        FUZZ_CHECK(frame->len % (mode.width * 2u) == 0 &&
                   frame->len <= (size_t)mode.width * 2 * mode.height);
        FUZZ_CHECK((frame->len < (size_t)mode.width * 2 * mode.height) ==
                   ((frame->flags & CAMERA_FRAME_TRUNCATED) != 0));
    } else {
        FUZZ_CHECK(frame->len >= 4 && frame->data[0] == 0xff && frame->data[1] == 0xd8);
    }
    if (sum == 0x77) {
        running = false;
        camera_stop(c);
    } else if (sum == 0x78) {
        running = false;
        camera_free(&camera);
    }
}

static void on_trouble(struct camera *c, enum camera_trouble trouble, void *arg)
{
    (void)c;
    (void)arg;
    FUZZ_CHECK(running);
    if (trouble != CAMERA_SILENT)
        running = false;
}

static const struct camera_listener listener = {on_started, on_frame, on_trouble};

static void on_gone(void *arg)
{
    unsigned *gone = arg;

    FUZZ_CHECK((*gone)++ == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct camera_need need = {64, 48, 15, CLOCK_SECOND};
    sd_event *loop = NULL;
    struct clock *clock = clock_new_simulated(100 * CLOCK_SECOND, 0);
    unsigned gone = 0;

    fuzz_shortage_take(data, &size);
    in = (struct fuzz_input){data, size};
    calls_made = maps = 0;
    serial = 0;
    running = false;
    FUZZ_CHECK(clock != NULL && sd_event_new(&loop) >= 0);
    fuzz_shortage_arm();
    camera = v4l2_new(loop, clock, NULL, &calls, eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
    if (camera != NULL) {
        camera_listen(camera, &listener, NULL);
        v4l2_on_gone(camera, on_gone, &gone);
    }
    while (in.left > 0 && camera != NULL && calls_made < CALLS_MOST) {
        unsigned what = fuzz_u8(&in);

        switch (what % 8) {
        case 0:
            need.width = fuzz_u16(&in);
            need.fps = what;
            if (camera_start(camera, &need, clock_monotonic_us(clock) + CLOCK_SECOND) == 0)
                running = true;
            break;
        case 1:
            running = false;
            camera_stop(camera);
            break;
        case 2:
            (void)clock_advance(clock, what * 10 * CLOCK_MS);
            break;
        case 3:
        case 4:
            work();
            break;
        default:
            FUZZ_CHECK(sd_event_run(loop, 0) >= 0);
            break;
        }
    }
    running = false;
    camera_free(&camera);
    for (unsigned i = 0; i < 4; i++)
        work();
    (void)fuzz_shortage_disarm();
    FUZZ_CHECK(pending == NULL && maps == 0);
    clock_free(&clock);
    sd_event_unref(loop);
    return 0;
}

void fuzz_seeds(void)
{
    static struct fuzz_seed seed;

    for (unsigned yuy2 = 0; yuy2 < 2; yuy2++) {
        seed_u8(&seed, 64); /* QUERYCAP of the making */
        seed_u8(&seed, 0);  /* start */
        seed_u16(&seed, 64);
        seed_u8(&seed, 3);         /* work */
        seed_u8(&seed, 64);        /* QUERYCAP */
        seed_u8(&seed, 64 + yuy2); /* ENUM_FMT, and its end */
        seed_u8(&seed, 0);
        seed_u8(&seed, 66); /* ENUM_FRAMESIZES, and its end */
        seed_u8(&seed, 0);
        seed_u8(&seed, 66); /* ENUM_FRAMEINTERVALS, and its end */
        seed_u8(&seed, 0);
        seed_u8(&seed, 65); /* S_FMT */
        seed_u8(&seed, 64); /* S_PARM */
        for (unsigned i = 0; i < 5; i++)
            seed_u8(&seed, 0); /* no controls */
        seed_u8(&seed, 64);    /* REQBUFS */
        for (unsigned i = 0; i < 4; i++) {
            seed_u8(&seed, 71); /* QUERYBUF */
            seed_piece_hex(&seed, "ff d8 ff e0 00 10 4a 46 ff d9");
            seed_u8(&seed, 64); /* QBUF */
        }
        seed_u8(&seed, 64); /* STREAMON */
        for (unsigned i = 0; i < 6; i++) {
            seed_u8(&seed, 5);  /* the loop */
            seed_u8(&seed, 64); /* DQBUF */
            seed_u16(&seed, yuy2 ? 3072 : 10);
            seed_u8(&seed, 64); /* QBUF */
        }
        seed_u8(&seed, 1);
        seed_u8(&seed, 3);
        seed_u8(&seed, 64);
        seed_u8(&seed, 64);
        seed_write(&seed, yuy2 ? "yuy2" : "mjpeg");
    }
}
