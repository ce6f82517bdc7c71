#include "frames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/common/failure.h"
#include "daemon/common/memfd.h"
#include "driver/uvc/camera.h"
#include "outcome.h"

#define PATIENCE_US (3 * CLOCK_SECOND)
#define START_US (5 * CLOCK_SECOND)
#define CREDIT_MOST 255u
#define RESTARTS_MOST 2u
/* The matcher takes no larger ones; a JPEG of 1920x1080 is well below. */
#define FRAME_BYTES_MOST (8u * 1024 * 1024)

struct frames {
    struct clock *clock;
    struct camera *camera;
    struct timer *later; /* trouble found inside start() is told from the loop */
    frames_send_fn *send;
    frames_state_fn *state;
    void *arg;

    bool running;
    uint64_t visit;
    struct camera_need need;
    unsigned restarts;
    unsigned credit;
    uint32_t count;
    uint32_t skipped;
    uint16_t width;
    uint16_t height;
    uint8_t format;   /* enum camera_format */
    uint16_t failure; /* to be told by `later` */

    /* watchdog */
    uint64_t last_print;
    bool printed;
    uint64_t changed_us; /* when the picture last differed from the one before */
    uint64_t whole_us;   /* when the last whole frame came */
    bool moving;         /* told so since the start */

    /* the newest frame that waits for credit */
    int held;
    struct msg_camera_frame held_body;
};

static void drop_held(struct frames *f)
{
    if (f->held >= 0)
        close(f->held);
    f->held = -1;
}

static void end_run(struct frames *f)
{
    f->running = false;
    timer_stop(f->later);
    drop_held(f);
    if (f->camera != NULL)
        camera_stop(f->camera);
}

static void fail_run(struct frames *f, uint16_t failure)
{
    struct msg_camera_failed body = {.visit = f->visit, .failure = failure};

    end_run(f);
    if (failure != FAILURE_CAMERA_ABSENT)
        f->state(failure, f->arg);
    f->send(MSG_CAMERA_FAILED, &body, -1, f->arg);
}

static void on_later(struct timer *timer, void *arg)
{
    struct frames *f = arg;

    (void)timer;
    if (f->running)
        fail_run(f, f->failure);
}

static void fail_later(struct frames *f, uint16_t failure)
{
    f->failure = failure;
    timer_set_after(f->later, 0);
}

static void start_camera(struct frames *f)
{
    uint64_t now = clock_monotonic_us(f->clock);

    f->printed = false;
    f->changed_us = now;
    f->whole_us = now;
    if (f->camera == NULL)
        fail_later(f, FAILURE_CAMERA_ABSENT);
    else if (camera_start(f->camera, &f->need, now + START_US) < 0)
        fail_later(f, FAILURE_CAMERA_SILENT);
}

/* FNV-1a: enough to see that two pictures of a sensor are not the same bytes. */
static uint64_t print_of(const uint8_t *data, size_t len)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ data[i]) * UINT64_C(1099511628211);
    return hash ^ len;
}

/* True when the picture is still alive. */
static bool watch(struct frames *f, const struct camera_frame *frame)
{
    uint64_t now = clock_monotonic_us(f->clock);
    uint64_t print = print_of(frame->data, frame->len);
    bool changed = f->printed && print != f->last_print;

    if (changed || !f->printed)
        f->changed_us = now;
    f->last_print = print;
    f->printed = true;
    if (changed && !f->moving) {
        f->moving = true;
        f->state(FAILURE_NONE, f->arg);
    }
    if ((frame->flags & CAMERA_FRAME_TRUNCATED) == 0)
        f->whole_us = now;
    if (now - f->changed_us >= PATIENCE_US)
        fail_run(f, FAILURE_CAMERA_FROZEN);
    else if (now - f->whole_us >= PATIENCE_US)
        fail_run(f, FAILURE_CAMERA_SILENT);
    return f->running;
}

static void send_frame(struct frames *f, const struct msg_camera_frame *body, int fd)
{
    struct msg_camera_frame out = *body;

    out.skipped = f->skipped;
    f->skipped = 0;
    f->credit--;
    f->send(MSG_CAMERA_FRAME, &out, fd, f->arg);
}

static void on_frame(struct camera *camera, const struct camera_frame *frame, void *arg)
{
    struct frames *f = arg;
    struct msg_camera_frame body;
    int fd;

    (void)camera;
    if (!f->running || !watch(f, frame))
        return;
    f->count++;
    /* A cut picture decodes with a grey rest, which is no face to be judged by. */
    if ((frame->flags & CAMERA_FRAME_TRUNCATED) != 0 || frame->len == 0 ||
        frame->len > FRAME_BYTES_MOST) {
        f->skipped++;
        return;
    }
    fd = memfd_seal("frame", frame->data, frame->len);
    if (fd < 0) {
        f->skipped++;
        return;
    }
    body = (struct msg_camera_frame){.visit = f->visit,
                                     .frame = f->count,
                                     .captured_us = frame->monotonic_us,
                                     .format = f->format,
                                     .width = f->width,
                                     .height = f->height,
                                     .bytes = (uint32_t)frame->len};
    if (f->credit > 0) {
        send_frame(f, &body, fd);
        close(fd);
        return;
    }
    if (f->held >= 0)
        f->skipped++;
    drop_held(f);
    f->held = fd;
    f->held_body = body;
}

static void on_started(struct camera *camera, const struct camera_mode *mode, void *arg)
{
    struct frames *f = arg;

    (void)camera;
    f->width = (uint16_t)mode->width;
    f->height = (uint16_t)mode->height;
    f->format = (uint8_t)mode->format;
}

static void on_trouble(struct camera *camera, enum camera_trouble trouble, void *arg)
{
    struct frames *f = arg;

    (void)camera;
    if (!f->running)
        return;
    /* A stream that broke, or a request that was refused, is worth a new start; whatever else is said is final
     * for this run. */
    if ((trouble == CAMERA_FAILED || trouble == CAMERA_REFUSED) && f->restarts < RESTARTS_MOST) {
        f->restarts++;
        start_camera(f);
        return;
    }
    fail_run(f, (uint16_t)outcome_of_camera(trouble));
}

static const struct camera_listener listener = {
    .started = on_started, .frame = on_frame, .trouble = on_trouble};

struct frames *frames_new(struct clock *clock, frames_send_fn *send, frames_state_fn *state,
                          void *arg)
{
    struct frames *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return NULL;
    f->clock = clock;
    f->send = send;
    f->state = state;
    f->arg = arg;
    f->held = -1;
    f->later = timer_new(clock, on_later, f);
    if (f->later == NULL) {
        free(f);
        return NULL;
    }
    return f;
}

void frames_free(struct frames **frames)
{
    struct frames *f = *frames;

    *frames = NULL;
    if (f == NULL)
        return;
    if (f->running)
        end_run(f);
    timer_free(&f->later);
    free(f);
}

void frames_set_camera(struct frames *f, struct camera *camera)
{
    f->camera = camera;
    if (camera != NULL)
        camera_listen(camera, &listener, f);
    if (f->running)
        fail_run(f, FAILURE_CAMERA_ABSENT);
}

int frames_start(struct frames *f, const struct msg_camera_start *request)
{
    if (f->running)
        return -EALREADY;
    f->running = true;
    f->visit = request->visit;
    f->need = (struct camera_need){.width = request->width,
                                   .height = request->height,
                                   .fps = request->fps,
                                   .silence_us = PATIENCE_US};
    f->restarts = 0;
    f->credit = request->credit;
    f->count = 0;
    f->skipped = 0;
    f->width = 0;
    f->height = 0;
    f->moving = false;
    start_camera(f);
    return 0;
}

void frames_credit(struct frames *f, unsigned credit)
{
    if (!f->running)
        return;
    f->credit = credit > CREDIT_MOST - f->credit ? CREDIT_MOST : f->credit + credit;
    if (f->held < 0 || f->credit == 0)
        return;
    send_frame(f, &f->held_body, f->held);
    drop_held(f);
}

void frames_stop(struct frames *f)
{
    if (f->running)
        end_run(f);
}
