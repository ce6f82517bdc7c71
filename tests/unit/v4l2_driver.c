#include "v4l2_driver.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct v4l2_driver v4l2_driver;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t released;
    bool release, holding, gone;
    int error;
    int node; /* the test's end */
    uint8_t memory[DRIVER_BUFFERS][DRIVER_BYTES];
    bool is_queued[DRIVER_BUFFERS];
    struct v4l2_buffer ready[DRIVER_BUFFERS];
    unsigned nready;
    uint32_t sequence;
} d = {.lock = PTHREAD_MUTEX_INITIALIZER, .released = PTHREAD_COND_INITIALIZER, .node = -1};

/* A camera of 2010: exposure is automatic by "aperture priority", focus is fixed. */
static const struct {
    uint32_t id;
    int32_t least, most;
} controls[DRIVER_CONTROLS] = {
    [DRIVER_EXPOSURE] = {V4L2_CID_EXPOSURE_AUTO, 0, 3},
    [DRIVER_WHITE_BALANCE] = {V4L2_CID_AUTO_WHITE_BALANCE, 0, 1},
    [DRIVER_FOCUS] = {V4L2_CID_FOCUS_AUTO, 0, 1},
    [DRIVER_POWER_LINE] = {V4L2_CID_POWER_LINE_FREQUENCY, 0, 2}, /* no "automatic" */
};

/* The node is an eventfd: readable as long as there is something to take (or to be told). */
static void signal_node(void)
{
    uint64_t n;

    if (d.nready == 0 && !d.gone && d.error == 0)
        (void)!read(d.node, &n, sizeof(n));
    n = 1;
    if (d.nready > 0 || d.gone || d.error != 0)
        (void)!write(d.node, &n, sizeof(n));
}

static const struct driver_offer *offer_at(uint32_t pixel_format, unsigned index)
{
    for (const struct driver_offer *o = v4l2_driver.offers; o->pixel_format != 0; o++)
        if (o->pixel_format == pixel_format && index-- == 0)
            return o;
    return NULL;
}

static int enum_format(struct v4l2_fmtdesc *a)
{
    unsigned distinct = 0;

    for (const struct driver_offer *o = v4l2_driver.offers; o->pixel_format != 0; o++) {
        if (o != offer_at(o->pixel_format, 0) || distinct++ != a->index)
            continue;
        a->pixelformat = o->pixel_format;
        return 0;
    }
    return -EINVAL;
}

static int enum_size(struct v4l2_frmsizeenum *a)
{
    const struct driver_offer *o = offer_at(a->pixel_format, a->index);

    if (v4l2_driver.no_size_list)
        return -ENOTTY;
    if (o == NULL)
        return -EINVAL;
    if (v4l2_driver.ranges) {
        if (a->index > 0)
            return -EINVAL;
        a->type = V4L2_FRMSIZE_TYPE_STEPWISE;
        a->stepwise =
            (struct v4l2_frmsize_stepwise){o->width, o[1].width, 16, o->height, o[1].height, 8};
        return 0;
    }
    a->type = V4L2_FRMSIZE_TYPE_DISCRETE;
    a->discrete.width = o->width;
    a->discrete.height = o->height;
    return 0;
}

static int enum_interval(struct v4l2_frmivalenum *a)
{
    for (const struct driver_offer *o = v4l2_driver.offers; o->pixel_format != 0; o++) {
        if (o->pixel_format != a->pixel_format)
            continue;
        if (v4l2_driver.ranges) {
            a->type = V4L2_FRMIVAL_TYPE_CONTINUOUS;
            a->stepwise = (struct v4l2_frmival_stepwise){{1, o->fps[1]}, {1, o->fps[0]}, {1, 1000}};
            return a->index > 0 ? -EINVAL : 0;
        }
        if (o->width != a->width || o->height != a->height || a->index >= 4 ||
            o->fps[a->index] == 0)
            continue;
        a->type = V4L2_FRMIVAL_TYPE_DISCRETE;
        a->discrete = (struct v4l2_fract){1, o->fps[a->index]};
        return 0;
    }
    return -EINVAL;
}

static int set_format(struct v4l2_format *a)
{
    struct v4l2_pix_format *p = &a->fmt.pix;

    if (v4l2_driver.streaming || v4l2_driver.buffers > 0)
        return -EBUSY;
    p->bytesperline = p->pixelformat == V4L2_PIX_FMT_YUYV ? p->width * 2 + v4l2_driver.gap : 0;
    p->sizeimage = DRIVER_BYTES;
    v4l2_driver.format = *p;
    return 0;
}

static int request_buffers(struct v4l2_requestbuffers *a)
{
    if (a->count > v4l2_driver.buffers_most)
        a->count = v4l2_driver.buffers_most;
    /* vb2: those that are still mapped are orphaned, the test wants none */
    v4l2_driver.buffers = a->count;
    memset(d.is_queued, 0, sizeof(d.is_queued));
    v4l2_driver.queued = 0;
    return 0;
}

static int queue(const struct v4l2_buffer *a)
{
    if (a->index >= v4l2_driver.buffers || d.is_queued[a->index])
        return -EINVAL;
    d.is_queued[a->index] = true;
    v4l2_driver.queued++;
    return 0;
}

static int take(struct v4l2_buffer *a)
{
    if (!v4l2_driver.streaming)
        return -EINVAL;
    if (d.nready == 0)
        return -EAGAIN;
    *a = d.ready[0];
    d.nready--;
    for (unsigned i = 0; i < d.nready; i++)
        d.ready[i] = d.ready[i + 1];
    signal_node();
    return 0;
}

static int control_at(uint32_t id)
{
    for (int i = 0; i < DRIVER_CONTROLS; i++)
        if (controls[i].id == id)
            return i;
    return -1;
}

static int answer(unsigned long request, void *arg)
{
    struct v4l2_capability *capability = arg;
    struct v4l2_queryctrl *query = arg;
    const struct v4l2_control *set = arg;
    int i;

    switch (request) {
    case VIDIOC_QUERYCAP:
        capability->capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING |
                                   V4L2_CAP_META_CAPTURE | V4L2_CAP_DEVICE_CAPS;
        capability->device_caps = v4l2_driver.capabilities;
        return 0;
    case VIDIOC_ENUM_FMT:
        return enum_format(arg);
    case VIDIOC_ENUM_FRAMESIZES:
        return enum_size(arg);
    case VIDIOC_ENUM_FRAMEINTERVALS:
        return enum_interval(arg);
    case VIDIOC_S_FMT:
        return set_format(arg);
    case VIDIOC_S_PARM:
        v4l2_driver.interval = ((struct v4l2_streamparm *)arg)->parm.capture.timeperframe;
        return 0;
    case VIDIOC_REQBUFS:
        return request_buffers(arg);
    case VIDIOC_QUERYBUF:
        ((struct v4l2_buffer *)arg)->length = DRIVER_BYTES;
        ((struct v4l2_buffer *)arg)->m.offset = ((struct v4l2_buffer *)arg)->index * DRIVER_BYTES;
        return 0;
    case VIDIOC_QBUF:
        return queue(arg);
    case VIDIOC_DQBUF:
        return take(arg);
    case VIDIOC_STREAMON:
        v4l2_driver.streaming = true;
        v4l2_driver.starts++;
        d.sequence = 0;
        return 0;
    case VIDIOC_STREAMOFF:
        v4l2_driver.streaming = false;
        v4l2_driver.stops++;
        d.nready = 0;
        signal_node();
        return 0;
    case VIDIOC_QUERYCTRL:
        i = control_at(query->id);
        if (i < 0)
            return -EINVAL;
        query->minimum = controls[i].least;
        query->maximum = controls[i].most;
        query->flags = i == DRIVER_FOCUS ? V4L2_CTRL_FLAG_READ_ONLY : 0;
        return 0;
    case VIDIOC_S_CTRL:
        i = control_at(set->id);
        if (i < 0)
            return -EINVAL;
        v4l2_driver.controls[i] = set->value;
        return 0;
    default:
        return -ENOTTY;
    }
}

static int control(int fd, unsigned long request, void *arg)
{
    int r;

    (void)fd;
    pthread_mutex_lock(&d.lock);
    v4l2_driver.calls++;
    while (request == v4l2_driver.hold_request && !d.release) {
        d.holding = true;
        pthread_cond_broadcast(&d.released);
        pthread_cond_wait(&d.released, &d.lock);
    }
    if (request == v4l2_driver.fail_request) {
        r = v4l2_driver.fail_error;
    } else if (d.gone) {
        r = -ENODEV;
    } else if (d.error != 0 && (request == VIDIOC_DQBUF || request == VIDIOC_QBUF)) {
        r = d.error;
    } else {
        r = answer(request, arg);
    }
    if (r == 0 && v4l2_driver.lie != NULL)
        v4l2_driver.lie(request, arg);
    pthread_mutex_unlock(&d.lock);
    return r;
}

static void *map(int fd, size_t length, size_t offset)
{
    (void)fd;
    if (length > DRIVER_BYTES || offset / DRIVER_BYTES >= DRIVER_BUFFERS)
        return NULL;
    v4l2_driver.maps++;
    return d.memory[offset / DRIVER_BYTES];
}

static void unmap(void *memory, size_t length)
{
    const uint8_t *bytes = memory;

    v4l2_driver.maps--;
    for (size_t i = 0; i < length; i++)
        v4l2_driver.dirty |= bytes[i] != 0;
}

static void close_node(int fd)
{
    v4l2_driver.closed++;
    close(fd);
}

const struct v4l2_calls v4l2_driver_calls = {control, map, unmap, close_node};

int v4l2_driver_new(const struct driver_offer *offers)
{
    if (d.node >= 0)
        close(d.node);
    memset(&v4l2_driver, 0, sizeof(v4l2_driver));
    v4l2_driver.offers = offers;
    v4l2_driver.capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
    v4l2_driver.buffers_most = DRIVER_BUFFERS;
    for (size_t i = 0; i < DRIVER_CONTROLS; i++)
        v4l2_driver.controls[i] = -1;
    d.release = d.holding = d.gone = false;
    d.error = 0;
    d.nready = 0;
    memset(d.memory, 0, sizeof(d.memory));
    memset(d.is_queued, 0, sizeof(d.is_queued));
    d.node = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return dup(d.node);
}

bool v4l2_driver_picture(const void *bytes, size_t len, uint32_t flags, uint64_t stamp_us)
{
    struct v4l2_buffer b = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
    bool found = false;

    pthread_mutex_lock(&d.lock);
    b.sequence = d.sequence++;
    for (unsigned i = 0; v4l2_driver.streaming && !found && i < v4l2_driver.buffers; i++) {
        if (!d.is_queued[i])
            continue;
        d.is_queued[i] = false;
        v4l2_driver.queued--;
        memcpy(d.memory[i], bytes, len);
        b.index = i;
        b.bytesused = (uint32_t)len;
        b.flags = flags | V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
        b.timestamp.tv_sec = (time_t)(stamp_us / 1000000);
        b.timestamp.tv_usec = (suseconds_t)(stamp_us % 1000000);
        d.ready[d.nready++] = b;
        found = true;
    }
    signal_node();
    pthread_mutex_unlock(&d.lock);
    return found;
}

void v4l2_driver_unplug(void)
{
    pthread_mutex_lock(&d.lock);
    d.gone = true;
    v4l2_driver.streaming = false;
    d.nready = 0;
    signal_node();
    pthread_mutex_unlock(&d.lock);
}

void v4l2_driver_break(int error)
{
    pthread_mutex_lock(&d.lock);
    d.error = error;
    signal_node();
    pthread_mutex_unlock(&d.lock);
}

bool v4l2_driver_holds(void)
{
    bool holds;

    pthread_mutex_lock(&d.lock);
    holds = v4l2_driver.hold_request != 0 && !d.release;
    while (holds && !d.holding)
        pthread_cond_wait(&d.released, &d.lock);
    pthread_mutex_unlock(&d.lock);
    return holds;
}

void v4l2_driver_release(void)
{
    pthread_mutex_lock(&d.lock);
    d.release = true;
    pthread_cond_broadcast(&d.released);
    pthread_mutex_unlock(&d.lock);
}
