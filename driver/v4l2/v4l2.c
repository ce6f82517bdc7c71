#include "v4l2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

#include "daemon/common/clock.h"
#include "v4l2_device.h"
#include "v4l2_worker.h"

/* Damaged pictures in a row before streaming counts as broken off. */
#define FAILURES_MAX 32u
/* A driver's time that lies further back is not one of this clock. */
#define STAMP_AGE_MOST_US (5 * CLOCK_SECOND)

enum state {
    STATE_IDLE,
    STATE_STARTING, /* the device is the worker's */
    STATE_STREAMING,
    STATE_SPENT, /* streams still, but for nobody: to be stopped as soon as no callback looks on */
    STATE_STOPPING, /* the device is the worker's */
    STATE_CLOSING,  /* the same, for good: nobody holds the camera any more */
};

struct v4l2 {
    struct camera camera;
    struct sd_event *loop;
    struct clock *clock;
    struct v4l2_worker *worker;
    struct v4l2_device device;
    v4l2_gone_fn *gone;
    void *gone_arg;
    enum state state;
    bool wanted;    /* started, as the listener sees it */
    bool freed;     /* as soon as nothing is under way */
    bool lost;      /* unplugged */
    unsigned depth; /* inside callbacks of the listener */

    struct v4l2_job job;
    struct camera_need need; /* what the listener wants */
    struct camera_need
        starting; /* what the worker was told: the listener may want another by then */
    enum camera_trouble outcome; /* the worker's */
    enum camera_trouble to_tell; /* CAMERA_OK: nothing */
    bool tell_gone;

    sd_event_source *io;
    struct timer *deadline; /* of starting */
    struct timer *silence;
    struct timer *later; /* what was found inside a call is told from the loop */

    struct camera_counters counters;
    uint32_t sequence, driver_sequence;
    bool counted, gap;
    unsigned failures;
    uint8_t *rows; /* YUY2 of a driver with gaps between rows */
    size_t rows_size;
};

static struct v4l2 *v4l2_of(struct camera *camera)
{
    return (struct v4l2 *)camera;
}

static void begin(struct v4l2 *self);
static void submit(struct v4l2 *self, enum state state);

/* -- what the listener is told ----------------------------------------------------------------- */

/* Not the worker's. */
static bool is_ours(const struct v4l2 *self)
{
    return self->state == STATE_IDLE || self->state == STATE_STREAMING ||
           self->state == STATE_SPENT;
}

static void enter(struct v4l2 *self)
{
    self->depth++;
}

/* The listener may have stopped or freed the camera meanwhile. */
static void leave(struct v4l2 *self)
{
    if (--self->depth > 0)
        return;
    if (self->freed && is_ours(self))
        submit(self, STATE_CLOSING);
    else if (self->state == STATE_SPENT)
        submit(self, STATE_STOPPING);
}

/* The run is over, for the listener at once. */
static void end_run(struct v4l2 *self)
{
    self->wanted = false;
    self->io = sd_event_source_disable_unref(self->io);
    timer_stop(self->deadline);
    timer_stop(self->silence);
    if (self->state == STATE_STREAMING)
        self->state = STATE_SPENT;
}

static void fail(struct v4l2 *self, enum camera_trouble trouble)
{
    const struct camera_listener *listener = self->camera.listener;

    end_run(self);
    enter(self);
    if (trouble == CAMERA_GONE && !self->lost) {
        self->lost = true;
        self->tell_gone = true;
        (void)timer_set_after(self->later, 0);
    }
    if (!self->freed && listener != NULL && listener->trouble != NULL)
        listener->trouble(&self->camera, trouble, self->camera.arg);
    leave(self);
}

static void on_later(struct timer *timer, void *arg)
{
    struct v4l2 *self = arg;
    enum camera_trouble trouble = self->to_tell;
    bool gone = self->tell_gone;

    (void)timer;
    self->to_tell = CAMERA_OK;
    self->tell_gone = false;
    enter(self);
    if (trouble != CAMERA_OK && self->wanted)
        fail(self, trouble);
    if (gone && !self->freed && self->gone != NULL)
        self->gone(self->gone_arg);
    leave(self);
}

/* The kernel may keep the worker longer; the listener does not wait for it. */
static void on_deadline(struct timer *timer, void *arg)
{
    struct v4l2 *self = arg;

    (void)timer;
    if (self->wanted && self->state != STATE_STREAMING)
        fail(self, CAMERA_TIMEOUT);
}

/* Set again by the next picture only, so that one silence is told once. */
static void on_silence(struct timer *timer, void *arg)
{
    struct v4l2 *self = arg;

    (void)timer;
    if (self->state != STATE_STREAMING || !self->wanted)
        return;
    enter(self);
    if (self->camera.listener != NULL && self->camera.listener->trouble != NULL)
        self->camera.listener->trouble(&self->camera, CAMERA_SILENT, self->camera.arg);
    leave(self);
}

/* -- pictures ---------------------------------------------------------------------------------- */

/* Cameras fill up behind the end marker with zeros. */
static bool has_jpeg_end(const uint8_t *bytes, size_t len)
{
    while (len > 2 && bytes[len - 1] == 0)
        len--;
    return len >= 4 && bytes[len - 2] == 0xff && bytes[len - 1] == 0xd9;
}

/* False: nothing of it can be shown. */
static bool look_at_jpeg(const struct v4l2_picture *picture, struct camera_frame *frame)
{
    if (picture->len < 4 || picture->bytes[0] != 0xff || picture->bytes[1] != 0xd8)
        return false;
    frame->data = picture->bytes;
    frame->len = picture->len;
    if (!has_jpeg_end(picture->bytes, picture->len))
        frame->flags |= CAMERA_FRAME_TRUNCATED;
    return true;
}

/* Rows without a gap between them, as many as came. */
static bool look_at_rows(struct v4l2 *self, const struct v4l2_picture *picture,
                         struct camera_frame *frame)
{
    size_t row = (size_t)self->device.mode.width * 2;
    size_t stride = self->device.stride;
    size_t rows = picture->len < row ? 0 : (picture->len - row) / stride + 1;

    if (rows > self->device.mode.height)
        rows = self->device.mode.height;
    if (rows == 0)
        return false;
    frame->data = picture->bytes;
    frame->len = rows * row;
    if (rows < self->device.mode.height)
        frame->flags |= CAMERA_FRAME_TRUNCATED;
    if (stride == row)
        return true;
    if (self->rows_size < row * self->device.mode.height)
        return false;
    for (size_t i = 0; i < rows; i++)
        memcpy(self->rows + i * row, picture->bytes + i * stride, row);
    frame->data = self->rows;
    return true;
}

/* What the driver's own count leaves out was lost. */
static void count(struct v4l2 *self, const struct v4l2_picture *picture)
{
    uint32_t missing = picture->sequence - self->driver_sequence - 1;

    if (self->counted && missing != 0 && missing < UINT32_MAX / 2) {
        self->counters.lost += missing;
        self->sequence += missing;
        self->gap = true;
    }
    self->counted = true;
    self->driver_sequence = picture->sequence;
    self->counters.packets++;
}

static void take_picture(struct v4l2 *self, const struct v4l2_picture *picture)
{
    uint64_t now = clock_monotonic_us(self->clock);
    struct camera_frame frame = {.monotonic_us = now};
    bool usable;

    count(self, picture);
    frame.sequence = self->sequence++;
    if (picture->monotonic_us != 0 && picture->monotonic_us <= now &&
        now - picture->monotonic_us <= STAMP_AGE_MOST_US)
        frame.monotonic_us = picture->monotonic_us;
    usable = !picture->broken &&
             (self->device.mode.format == CAMERA_YUY2 ? look_at_rows(self, picture, &frame)
                                                      : look_at_jpeg(picture, &frame));
    if (!usable) {
        self->counters.errors++;
        self->counters.dropped++;
        self->gap = true;
        if (++self->failures >= FAILURES_MAX)
            fail(self, CAMERA_FAILED);
        return;
    }
    self->failures = 0;
    if (self->gap)
        frame.flags |= CAMERA_FRAME_GAP;
    self->gap = false;
    if ((frame.flags & CAMERA_FRAME_TRUNCATED) != 0)
        self->counters.truncated++;
    else
        (void)timer_set_after(self->silence, self->need.silence_us);
    self->counters.frames++;
    if (self->camera.listener != NULL && self->camera.listener->frame != NULL)
        self->camera.listener->frame(&self->camera, &frame, self->camera.arg);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *arg)
{
    struct v4l2 *self = arg;
    struct v4l2_picture picture;
    int r;

    (void)source;
    (void)fd;
    if (self->state != STATE_STREAMING || !self->wanted)
        return 0;
    enter(self);
    r = v4l2_device_take(&self->device, &picture);
    if (r == 0) {
        take_picture(self, &picture);
        /* Nobody looks at it any more, and it goes back also when it was the last one. */
        r = v4l2_device_give_back(&self->device, picture.index);
    } else if (r == -EAGAIN && (events & (EPOLLERR | EPOLLHUP)) == 0) {
        r = 0;
    }
    if (r < 0 && self->wanted)
        fail(self, r == -ENODEV || (events & EPOLLHUP) != 0 ? CAMERA_GONE : CAMERA_FAILED);
    leave(self);
    return 0;
}

/* -- starting and stopping --------------------------------------------------------------------- */

static void run_job(struct v4l2_job *job)
{
    struct v4l2 *self = (struct v4l2 *)((char *)job - offsetof(struct v4l2, job));

    switch (self->state) {
    case STATE_STARTING:
        self->outcome = v4l2_device_start(&self->device, &self->starting);
        break;
    case STATE_STOPPING:
        v4l2_device_stop(&self->device);
        break;
    default:
        v4l2_device_close(&self->device);
    }
}

static void destroy(struct v4l2 *self)
{
    if (self->rows != NULL)
        explicit_bzero(self->rows, self->rows_size);
    free(self->rows);
    free(self);
}

/* Room for rows that have to be put together. */
static int make_rows(struct v4l2 *self)
{
    size_t row = (size_t)self->device.mode.width * 2;
    size_t size = row * self->device.mode.height;

    if (self->device.mode.format != CAMERA_YUY2 || self->device.stride == row ||
        self->rows_size >= size)
        return 0;
    if (self->rows != NULL)
        explicit_bzero(self->rows, self->rows_size);
    free(self->rows);
    self->rows = malloc(size);
    self->rows_size = self->rows != NULL ? size : 0;
    return self->rows != NULL ? 0 : -ENOMEM;
}

static void stream(struct v4l2 *self)
{
    int r = make_rows(self);

    self->state = STATE_STREAMING;
    timer_stop(self->deadline);
    self->counted = self->gap = false;
    self->sequence = 0;
    self->failures = 0;
    if (r == 0)
        r = sd_event_add_io(self->loop, &self->io, self->device.fd, EPOLLIN, on_io, self);
    enter(self);
    if (r < 0) {
        fail(self, CAMERA_FAILED);
    } else {
        (void)timer_set_after(self->silence, self->need.silence_us);
        if (self->camera.listener != NULL && self->camera.listener->started != NULL)
            self->camera.listener->started(&self->camera, &self->device.mode, self->camera.arg);
    }
    leave(self);
}

/* The listener has changed its mind while the camera started: it wants none, or another mode. */
static bool still_wanted(const struct v4l2 *self)
{
    const struct camera_need *a = &self->need, *b = &self->starting;

    return self->wanted && a->width == b->width && a->height == b->height && a->fps == b->fps;
}

static void job_done(struct v4l2_job *job)
{
    struct v4l2 *self = (struct v4l2 *)((char *)job - offsetof(struct v4l2, job));
    enum state was = self->state;

    if (was == STATE_CLOSING) {
        destroy(self);
        return;
    }
    self->state = STATE_IDLE;
    if (self->freed) {
        submit(self, STATE_CLOSING);
    } else if (was == STATE_STARTING && self->outcome == CAMERA_OK) {
        if (still_wanted(self))
            stream(self);
        else
            submit(self, STATE_STOPPING);
    } else if (was == STATE_STARTING && still_wanted(self)) {
        fail(self, self->outcome);
    } else if (self->wanted) {
        begin(self);
    }
}

static void submit(struct v4l2 *self, enum state state)
{
    self->state = state;
    self->job.run = run_job;
    self->job.done = job_done;
    v4l2_worker_submit(self->worker, &self->job);
}

static void begin(struct v4l2 *self)
{
    self->starting = self->need;
    submit(self, STATE_STARTING);
}

/* -- the contract ------------------------------------------------------------------------------ */

static int start(struct camera *camera, const struct camera_need *need, uint64_t deadline_us)
{
    struct v4l2 *self = v4l2_of(camera);

    if (self->wanted)
        return -EALREADY;
    if (need->width == 0 || need->height == 0 || need->width > UINT16_MAX ||
        need->height > UINT16_MAX || need->silence_us == 0)
        return -EINVAL;
    self->need = *need;
    self->wanted = true;
    if (self->lost) {
        self->to_tell = CAMERA_GONE;
        return timer_set_after(self->later, 0);
    }
    (void)timer_set_at(self->deadline, deadline_us);
    /* Else: when what is under way has ended. */
    if (self->state == STATE_IDLE)
        begin(self);
    return 0;
}

static void stop(struct camera *camera)
{
    struct v4l2 *self = v4l2_of(camera);

    end_run(self);
    /* Inside a callback the listener still looks at the picture: then leave() does it. */
    if (self->state == STATE_SPENT && self->depth == 0)
        submit(self, STATE_STOPPING);
}

static struct camera_counters counters(const struct camera *camera)
{
    return ((const struct v4l2 *)camera)->counters;
}

static void free_camera(struct camera *camera)
{
    struct v4l2 *self = v4l2_of(camera);

    end_run(self);
    self->freed = true;
    timer_free(&self->deadline);
    timer_free(&self->silence);
    timer_free(&self->later);
    /* Never from inside its own callbacks, and never while the worker has the device. */
    if (self->depth == 0 && is_ours(self))
        submit(self, STATE_CLOSING);
}

struct camera *v4l2_new(struct sd_event *loop, struct clock *clock, struct v4l2_worker *worker,
                        const struct v4l2_calls *calls, int fd)
{
    static const struct camera_ops ops = {start, stop, counters, free_camera};
    struct v4l2 *self = calloc(1, sizeof(*self));
    int r = -ENOMEM;

    if (calls == NULL)
        calls = &v4l2_system_calls;
    if (self == NULL)
        goto fail;
    self->camera.ops = &ops;
    self->loop = loop;
    self->clock = clock;
    self->worker = worker;
    self->device = (struct v4l2_device){.calls = calls, .fd = fd};
    r = v4l2_device_look(&self->device);
    if (r < 0)
        goto fail;
    r = -ENOMEM;
    self->deadline = timer_new(clock, on_deadline, self);
    self->silence = timer_new(clock, on_silence, self);
    self->later = timer_new(clock, on_later, self);
    if (self->deadline == NULL || self->silence == NULL || self->later == NULL)
        goto fail;
    return &self->camera;
fail:
    calls->close(fd);
    if (self != NULL) {
        timer_free(&self->deadline);
        timer_free(&self->silence);
        timer_free(&self->later);
    }
    free(self);
    errno = -r;
    return NULL;
}

void v4l2_on_gone(struct camera *camera, v4l2_gone_fn *gone, void *arg)
{
    struct v4l2 *self = v4l2_of(camera);

    self->gone = gone;
    self->gone_arg = arg;
}
