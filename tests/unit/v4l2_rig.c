#include "v4l2_rig.h"

#include <stdlib.h>
#include <string.h>

const struct driver_offer webcam[] = {
    {YUYV, 640, 480, {30, 15}},      {YUYV, 1280, 720, {10}},  {MJPEG, 320, 240, {30}},
    {MJPEG, 640, 480, {30, 15, 10}}, {MJPEG, 1280, 720, {30}}, {0},
};
const struct driver_offer raw[] = {{YUYV, 64, 16, {30}}, {YUYV, 32, 16, {30}}, {0}};

const uint8_t jpeg[7] = {0xff, 0xd8, 1, 2, 3, 0xff, 0xd9};
const uint8_t padded[8] = {0xff, 0xd8, 9, 0xff, 0xd9, 0, 0, 0};
const uint8_t cut[6] = {0xff, 0xd8, 1, 2, 3, 4};
const uint8_t noise[6] = {1, 2, 3, 4, 5, 6};

const struct camera_need need = {640, 480, 15, CLOCK_SECOND};

static void do_wish(struct fixture *f, enum wish wish)
{
    if (wish == STOP)
        camera_stop(f->camera);
    if (wish == FREE)
        camera_free(&f->camera);
    if (wish == START)
        assert_int_equal(
            camera_start(f->camera, &need, clock_monotonic_us(f->clock) + CLOCK_SECOND), 0);
}

static void on_started(struct camera *camera, const struct camera_mode *mode, void *arg)
{
    struct fixture *f = arg;

    (void)camera;
    f->started++;
    f->mode = *mode;
    do_wish(f, f->on_started);
}

static void on_frame(struct camera *camera, const struct camera_frame *frame, void *arg)
{
    struct fixture *f = arg;
    size_t len = frame->len < sizeof(f->bytes) ? frame->len : sizeof(f->bytes);
    enum wish wish = f->on_frame;

    (void)camera;
    f->frames++;
    f->frame = *frame;
    do_wish(f, wish);
    /* Whatever was done: the picture stays where it is until this returns. */
    memcpy(f->bytes, frame->data, len);
}

static void on_trouble(struct camera *camera, enum camera_trouble trouble, void *arg)
{
    struct fixture *f = arg;
    enum wish wish = f->on_trouble;

    (void)camera;
    f->troubles++;
    f->trouble = trouble;
    f->on_trouble = NOTHING;
    do_wish(f, wish);
}

static const struct camera_listener listener = {on_started, on_frame, on_trouble};

static void on_gone(void *arg)
{
    ((struct fixture *)arg)->gone++;
}

/* One turn of the loop and of the clock's timers that are due. */
void v4l2_rig_turn(struct fixture *f)
{
    assert_true(sd_event_run(f->loop, 1000) >= 0);
    (void)clock_advance(f->clock, 0);
}

static bool marked;

static void mark(struct v4l2_job *job)
{
    (void)job;
}

static void on_marked(struct v4l2_job *job)
{
    (void)job;
    marked = true;
}

/* What is ready on the loop, and timers that are due; a descriptor that stays ready has had its turns. */
static void run_out(struct fixture *f)
{
    for (unsigned i = 0; i < 100 && sd_event_run(f->loop, 0) > 0; i++)
        (void)clock_advance(f->clock, 0);
    (void)clock_advance(f->clock, 0);
}

void v4l2_rig_settle(struct fixture *f)
{
    static struct v4l2_job marker = {.run = mark, .done = on_marked};

    /* One job may lead to another: stopping, then closing. The worker keeps their order. */
    for (unsigned i = 0; i < 4 && !v4l2_driver_holds(); i++) {
        run_out(f);
        marked = false;
        v4l2_worker_submit(f->worker, &marker);
        while (!marked)
            assert_true(sd_event_run(f->loop, UINT64_MAX) >= 0);
        (void)clock_advance(f->clock, 0);
    }
    run_out(f);
}

struct fixture *v4l2_rig_begin(const struct driver_offer *offers)
{
    static struct fixture f;
    int fd = v4l2_driver_new(offers);

    memset(&f, 0, sizeof(f));
    assert_true(sd_event_new(&f.loop) >= 0);
    f.clock = clock_new_simulated(1000 * CLOCK_SECOND, 0);
    assert_non_null(f.clock);
    assert_int_equal(v4l2_worker_new(&f.worker, f.loop), 0);
    f.camera = v4l2_new(f.loop, f.clock, f.worker, &v4l2_driver_calls, fd);
    assert_non_null(f.camera);
    camera_listen(f.camera, &listener, &f);
    v4l2_on_gone(f.camera, on_gone, &f);
    return &f;
}

/* Nothing is left: no stream, no mapping, no buffer, no descriptor, no picture in the driver's memory. */
void v4l2_rig_finish(struct fixture *f)
{
    camera_free(&f->camera);
    v4l2_worker_free(&f->worker);
    assert_int_equal(v4l2_driver.closed, 1);
    assert_int_equal(v4l2_driver.maps, 0);
    assert_int_equal(v4l2_driver.buffers, 0);
    assert_false(v4l2_driver.streaming);
    assert_false(v4l2_driver.dirty);
    clock_free(&f->clock);
    sd_event_unref(f->loop);
}

int v4l2_rig_start(struct fixture *f, const struct camera_need *wish)
{
    return camera_start(f->camera, wish, clock_monotonic_us(f->clock) + CLOCK_SECOND);
}

void v4l2_rig_stream(struct fixture *f)
{
    unsigned before = f->started;

    assert_int_equal(v4l2_rig_start(f, &need), 0);
    UNTIL(f, f->started > before || f->troubles > 0);
    assert_int_equal(f->troubles, 0);
}

void v4l2_rig_picture(struct fixture *f, const void *bytes, size_t len, uint32_t flags)
{
    assert_true(
        v4l2_driver_picture(bytes, len, flags, clock_monotonic_us(f->clock) - 20 * CLOCK_MS));
    v4l2_rig_settle(f);
}
