#include "v4l2_device.h"

#include <errno.h>
#include <linux/videodev2.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "v4l2_modes.h"

#define BUFFERS_LEAST 2u
#define BUFFER_BYTES_MOST (64u * 1024 * 1024)

static int system_control(int fd, unsigned long request, void *arg)
{
    int r;

    do
        r = ioctl(fd, request, arg);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : 0;
}

/* Written to as well: it is wiped before it is given back. */
static void *system_map(int fd, size_t length, size_t offset)
{
    void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);

    return memory == MAP_FAILED ? NULL : memory;
}

static void system_unmap(void *memory, size_t length)
{
    (void)munmap(memory, length);
}

static void system_close(int fd)
{
    (void)close(fd);
}

const struct v4l2_calls v4l2_system_calls = {system_control, system_map, system_unmap,
                                             system_close};

static int control(const struct v4l2_device *device, unsigned long request, void *arg)
{
    return device->calls->control(device->fd, request, arg);
}

int v4l2_device_look(const struct v4l2_device *device)
{
    struct v4l2_capability capability = {0};
    uint32_t wanted = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
    uint32_t has;
    int r = control(device, VIDIOC_QUERYCAP, &capability);

    if (r < 0)
        return r == -ENOTTY ? -ENOTSUP : r;
    /* Of this node: a camera's other nodes (metadata) are told apart by it. */
    has = capability.capabilities & V4L2_CAP_DEVICE_CAPS ? capability.device_caps
                                                         : capability.capabilities;
    return (has & wanted) == wanted ? 0 : -ENOTSUP;
}

/* -- starting ---------------------------------------------------------------------------------- */

static enum camera_trouble trouble_of(int error)
{
    switch (error) {
    case 0:
        return CAMERA_OK;
    case -ENODEV:
    case -ENXIO:
        return CAMERA_GONE;
    case -EBUSY:
        return CAMERA_HELD;
    case -ENOTSUP:
    case -ENOTTY:
    case -EINVAL:
    case -ENOSPC: /* the bus is full */
        return CAMERA_UNSUPPORTED;
    case -ETIMEDOUT:
        return CAMERA_TIMEOUT;
    case -ENOMEM:
        return CAMERA_FAILED;
    default:
        return CAMERA_REFUSED;
    }
}

/*
 * Somebody may have left the camera in another state: back to what looks after itself. A camera
 * without the control, or that refuses it, works on as it is.
 */
static void set_controls(const struct v4l2_device *device)
{
    static const struct {
        uint32_t id;
        int32_t values[2]; /* the first that lies in the control's range */
    } rows[] = {
        {V4L2_CID_EXPOSURE_AUTO, {V4L2_EXPOSURE_APERTURE_PRIORITY, V4L2_EXPOSURE_AUTO}},
        {V4L2_CID_AUTO_WHITE_BALANCE, {1, 1}},
        {V4L2_CID_FOCUS_AUTO, {1, 1}},
        {V4L2_CID_AUTOGAIN, {1, 1}},
        /* Japan's mains have 50 Hz in the east and 60 Hz in the west. */
        {V4L2_CID_POWER_LINE_FREQUENCY,
         {V4L2_CID_POWER_LINE_FREQUENCY_AUTO, V4L2_CID_POWER_LINE_FREQUENCY_AUTO}},
    };
    const uint32_t unusable = V4L2_CTRL_FLAG_DISABLED | V4L2_CTRL_FLAG_READ_ONLY;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct v4l2_queryctrl query = {.id = rows[i].id};
        struct v4l2_control value = {.id = rows[i].id};
        bool set = false;

        if (control(device, VIDIOC_QUERYCTRL, &query) < 0 || (query.flags & unusable) != 0)
            continue;
        for (size_t k = 0; k < 2 && !set; k++) {
            value.value = rows[i].values[k];
            if (value.value >= query.minimum && value.value <= query.maximum)
                set = control(device, VIDIOC_S_CTRL, &value) == 0;
        }
    }
}

static int set_format(struct v4l2_device *device, const struct v4l2_choice *choice)
{
    struct v4l2_format format = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    struct v4l2_pix_format *pix = &format.fmt.pix;
    int r;

    pix->width = choice->width;
    pix->height = choice->height;
    pix->pixelformat = choice->pixel_format;
    pix->field = V4L2_FIELD_ANY;
    r = control(device, VIDIOC_S_FMT, &format);
    if (r < 0)
        return r;
    /* The driver may have taken another one: sizes are its to round, the format is not. */
    if (pix->pixelformat != choice->pixel_format || pix->width < V4L2_SIDE_LEAST ||
        pix->height < V4L2_SIDE_LEAST || pix->width > V4L2_SIDE_MOST ||
        pix->height > V4L2_SIDE_MOST)
        return -ENOTSUP;
    device->mode =
        (struct camera_mode){.width = pix->width, .height = pix->height, .format = choice->format};
    if (choice->format == CAMERA_YUY2) {
        device->stride = pix->bytesperline != 0 ? pix->bytesperline : (size_t)pix->width * 2;
        if ((pix->width & 1) != 0 || device->stride < (size_t)pix->width * 2 ||
            device->stride * pix->height > BUFFER_BYTES_MOST)
            return -ENOTSUP;
    }
    return 0;
}

/* A driver that cannot change its rate keeps it. */
static int set_interval(struct v4l2_device *device, const struct v4l2_choice *choice)
{
    struct v4l2_streamparm parameters = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    int r;

    parameters.parm.capture.timeperframe = choice->interval;
    device->mode.interval_100ns = v4l2_interval_100ns(&choice->interval);
    if (choice->interval.denominator == 0)
        return 0;
    r = control(device, VIDIOC_S_PARM, &parameters);
    if (r == -ENOTTY || r == -EINVAL)
        return 0;
    if (r == 0)
        device->mode.interval_100ns = v4l2_interval_100ns(&parameters.parm.capture.timeperframe);
    return r;
}

static int map_buffer(struct v4l2_device *device, unsigned index)
{
    struct v4l2_buffer buffer = {
        .index = index, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
    struct v4l2_mapping *memory = &device->buffers[index];
    int r = control(device, VIDIOC_QUERYBUF, &buffer);

    if (r < 0)
        return r;
    if (buffer.length == 0 || buffer.length > BUFFER_BYTES_MOST)
        return -EPROTO;
    memory->bytes = device->calls->map(device->fd, buffer.length, buffer.m.offset);
    if (memory->bytes == NULL)
        return -ENOMEM;
    memory->length = buffer.length;
    return v4l2_device_give_back(device, index);
}

static int map_buffers(struct v4l2_device *device)
{
    struct v4l2_requestbuffers request = {
        .count = V4L2_BUFFERS, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
    int r = control(device, VIDIOC_REQBUFS, &request);

    if (r < 0)
        return r;
    device->requested = true;
    /* More than we asked for are left lying. */
    device->count = request.count < V4L2_BUFFERS ? request.count : V4L2_BUFFERS;
    if (device->count < BUFFERS_LEAST)
        return -ENOMEM;
    for (unsigned i = 0; i < device->count && r == 0; i++)
        r = map_buffer(device, i);
    return r;
}

enum camera_trouble v4l2_device_start(struct v4l2_device *device, const struct camera_need *need)
{
    int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    struct v4l2_choice choice = {0};
    int r = v4l2_device_look(device);

    if (r == 0)
        r = v4l2_choose(device->calls, device->fd, need, &choice);
    if (r == 0)
        r = set_format(device, &choice);
    if (r == 0)
        r = set_interval(device, &choice);
    if (r == 0) {
        set_controls(device);
        r = map_buffers(device);
    }
    if (r == 0) {
        r = control(device, VIDIOC_STREAMON, &type);
        device->streams = r == 0;
    }
    if (r < 0)
        v4l2_device_stop(device);
    return trouble_of(r);
}

/* -- stopping ---------------------------------------------------------------------------------- */

void v4l2_device_stop(struct v4l2_device *device)
{
    struct v4l2_requestbuffers none = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
                                       .memory = V4L2_MEMORY_MMAP};
    int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;

    if (device
            ->requested) /* also when it did not come to streaming: buffers are taken back by it */
        (void)control(device, VIDIOC_STREAMOFF, &type);
    for (unsigned i = 0; i < V4L2_BUFFERS; i++) {
        if (device->buffers[i].bytes == NULL)
            continue;
        explicit_bzero(device->buffers[i].bytes, device->buffers[i].length);
        device->calls->unmap(device->buffers[i].bytes, device->buffers[i].length);
        device->buffers[i] = (struct v4l2_mapping){NULL, 0};
    }
    if (device->requested)
        (void)control(device, VIDIOC_REQBUFS, &none);
    device->requested = device->streams = false;
    device->count = 0;
}

void v4l2_device_close(struct v4l2_device *device)
{
    v4l2_device_stop(device);
    if (device->fd >= 0)
        device->calls->close(device->fd);
    device->fd = -1;
}

/* -- pictures ---------------------------------------------------------------------------------- */

int v4l2_device_take(struct v4l2_device *device, struct v4l2_picture *picture)
{
    struct v4l2_buffer buffer = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
    int r = control(device, VIDIOC_DQBUF, &buffer);

    if (r < 0)
        return r;
    if (buffer.index >= device->count)
        return -EPROTO;
    *picture = (struct v4l2_picture){.index = buffer.index,
                                     .bytes = device->buffers[buffer.index].bytes,
                                     .len = buffer.bytesused,
                                     .broken = (buffer.flags & V4L2_BUF_FLAG_ERROR) != 0,
                                     .sequence = buffer.sequence};
    /* What does not fit into its memory was never written there. */
    if (picture->len > device->buffers[buffer.index].length) {
        picture->len = 0;
        picture->broken = true;
    }
    if ((buffer.flags & V4L2_BUF_FLAG_TIMESTAMP_MASK) == V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC &&
        buffer.timestamp.tv_sec >= 0 && buffer.timestamp.tv_usec >= 0)
        picture->monotonic_us = (uint64_t)buffer.timestamp.tv_sec * UINT64_C(1000000) +
                                (uint64_t)buffer.timestamp.tv_usec;
    return 0;
}

int v4l2_device_give_back(struct v4l2_device *device, unsigned index)
{
    struct v4l2_buffer buffer = {
        .index = index, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};

    return control(device, VIDIOC_QBUF, &buffer);
}
