/*
 * Pictures against credit, from a camera played here: what goes to the desk, what waits, what is left out, and when a run
 * ends by itself.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/common/clock.h"
#include "daemon/common/failure.h"
#include "daemon/common/memfd.h"
#include "driver/reader/frames.h"
#include "driver/uvc/camera.h"

static struct clock *now;
static struct frames *frames;

static struct {
    struct camera base; /* first */
    unsigned starts, stops;
    int refusal;
    struct camera_need need;
} camera;

static unsigned nframes, nfailed, nstates;
static struct msg_camera_frame newest;
static uint8_t first_byte;
static uint16_t failed, state_told;

static int start(struct camera *c, const struct camera_need *need, uint64_t deadline_us)
{
    (void)c;
    assert_true(deadline_us > clock_monotonic_us(now));
    camera.starts++;
    camera.need = *need;
    return camera.refusal;
}

static void stop(struct camera *c)
{
    (void)c;
    camera.stops++;
}

static const struct camera_ops ops = {.start = start, .stop = stop};

static void on_send(uint16_t type, const void *body, int fd, void *arg)
{
    const uint8_t *bytes = NULL;

    (void)arg;
    if (type == MSG_CAMERA_FAILED) {
        nfailed++;
        failed = ((const struct msg_camera_failed *)body)->failure;
        assert_int_equal(fd, -1);
        return;
    }
    assert_int_equal(type, MSG_CAMERA_FRAME);
    nframes++;
    newest = *(const struct msg_camera_frame *)body;
    assert_int_equal(memfd_map(fd, newest.bytes, 16u << 20, &bytes), 0);
    first_byte = bytes[0];
    memfd_unmap(bytes, newest.bytes);
}

static void on_state(uint16_t failure, void *arg)
{
    (void)arg;
    nstates++;
    state_told = failure;
}

static void picture(uint8_t content, size_t len, unsigned flags)
{
    static uint8_t bytes[9u * 1024 * 1024];
    const struct camera_frame frame = {
        .data = bytes, .len = len, .flags = (uint8_t)flags, .monotonic_us = 77};

    bytes[0] = content;
    camera.base.listener->frame(&camera.base, &frame, camera.base.arg);
}

static void trouble(enum camera_trouble what)
{
    camera.base.listener->trouble(&camera.base, what, camera.base.arg);
}

static void run(unsigned credit)
{
    const struct msg_camera_start m = {
        .visit = 9, .width = 640, .height = 480, .fps = 15, .credit = (uint8_t)credit};
    const struct camera_mode mode = {.width = 800, .height = 600, .format = CAMERA_YUY2};

    assert_int_equal(frames_start(frames, &m), 0);
    camera.base.listener->started(&camera.base, &mode, camera.base.arg);
}

static int begin(void **state)
{
    (void)state;
    nframes = nfailed = nstates = 0;
    memset(&camera, 0, sizeof(camera));
    camera.base.ops = &ops;
    now = clock_new_simulated(0, 0);
    frames = frames_new(now, on_send, on_state, NULL);
    assert_non_null(frames);
    frames_set_camera(frames, &camera.base);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    frames_free(&frames);
    frames_free(&frames);
    clock_free(&now);
    return 0;
}

/* -- tests ------------------------------------------------------------------------------------- */

static void each_picture_costs_a_credit_and_the_newest_waits(void **state)
{
    (void)state;
    run(2);
    assert_int_equal(camera.need.width, 640);
    for (uint8_t i = 1; i <= 5; i++)
        picture(i, 100, 0);
    assert_int_equal(nframes, 2);
    assert_int_equal(first_byte, 2);
    assert_int_equal(newest.visit, 9);
    assert_int_equal(newest.frame, 2);
    assert_int_equal(newest.width, 800);
    assert_int_equal(newest.height, 600);
    assert_int_equal(newest.format, CAMERA_YUY2);
    assert_int_equal(newest.captured_us, 77);
    frames_credit(frames, 0);
    assert_int_equal(nframes, 2);
    /* The fifth waits; the third and the fourth are told as left out. */
    frames_credit(frames, 1);
    assert_int_equal(nframes, 3);
    assert_int_equal(first_byte, 5);
    assert_int_equal(newest.frame, 5);
    assert_int_equal(newest.skipped, 2);
    picture(6, 100, 0);
    assert_int_equal(nframes, 3);
    /* No desk can pile up more than a byte of it. */
    frames_credit(frames, 1u << 30);
    for (unsigned i = 0; i < 300; i++)
        picture((uint8_t)(i + 7), 100, 0);
    assert_int_equal(nframes, 3 + 255);
}

static void what_cannot_be_judged_is_left_out(void **state)
{
    (void)state;
    run(200);
    picture(1, 100, CAMERA_FRAME_TRUNCATED);
    picture(2, 0, 0);
    picture(3, 8u * 1024 * 1024 + 1, 0);
    assert_int_equal(nframes, 0);
    picture(4, 8u * 1024 * 1024, 0);
    assert_int_equal(nframes, 1);
    assert_int_equal(newest.skipped, 3);
    assert_int_equal(newest.frame, 4);
}

static void a_picture_that_stands_still_is_frozen(void **state)
{
    (void)state;
    run(200);
    for (unsigned i = 0; i < 30; i++, clock_advance(now, 100 * CLOCK_MS))
        picture(1, 100, 0);
    assert_int_equal(nfailed, 0);
    assert_int_equal(nstates, 0); /* nobody has seen it move */
    picture(1, 100, 0);
    assert_int_equal(nfailed, 1);
    assert_int_equal(failed, FAILURE_CAMERA_FROZEN);
    assert_int_equal(state_told, FAILURE_CAMERA_FROZEN);
    assert_int_equal(camera.stops, 1);
    /* What still comes belongs to nobody. */
    picture(2, 100, 0);
    trouble(CAMERA_GONE);
    frames_credit(frames, 3);
    assert_int_equal(nfailed, 1);
    /* The next run says when it moves. */
    run(200);
    picture(1, 100, 0);
    picture(2, 100, 0);
    picture(3, 100, 0);
    assert_int_equal(nstates, 2);
    assert_int_equal(state_told, FAILURE_NONE);
}

/* It moves, but a part of each picture is missing. */
static void pictures_that_are_never_whole_are_silence(void **state)
{
    (void)state;
    run(200);
    for (unsigned i = 0; i < 30; i++, clock_advance(now, 100 * CLOCK_MS))
        picture((uint8_t)i, 100, CAMERA_FRAME_TRUNCATED);
    assert_int_equal(nfailed, 0);
    picture(99, 100, CAMERA_FRAME_TRUNCATED);
    assert_int_equal(failed, FAILURE_CAMERA_SILENT);
    assert_int_equal(nframes, 0);
}

static void a_stream_that_breaks_is_begun_twice_again(void **state)
{
    (void)state;
    run(1);
    trouble(CAMERA_FAILED);
    trouble(CAMERA_REFUSED);
    assert_int_equal(camera.starts, 3);
    assert_int_equal(nfailed, 0);
    trouble(CAMERA_FAILED);
    assert_int_equal(camera.starts, 3);
    assert_int_equal(failed, FAILURE_CAMERA_SILENT);
    /* Whatever else it says is the end at once. */
    run(1);
    trouble(CAMERA_HELD);
    assert_int_equal(camera.starts, 4);
    assert_int_equal(failed, FAILURE_CAMERA_BUSY);
    assert_int_equal(nfailed, 2);
}

static void a_run_that_cannot_begin_is_told_from_the_loop(void **state)
{
    const struct msg_camera_start m = {
        .visit = 9, .width = 640, .height = 480, .fps = 15, .credit = 1};

    (void)state;
    camera.refusal = -EINVAL;
    assert_int_equal(frames_start(frames, &m), 0);
    assert_int_equal(frames_start(frames, &m), -EALREADY);
    assert_int_equal(nfailed, 0);
    clock_advance(now, 0);
    assert_int_equal(nfailed, 1);
    assert_int_equal(failed, FAILURE_CAMERA_SILENT);
    frames_set_camera(frames, NULL);
    assert_int_equal(frames_start(frames, &m), 0);
    clock_advance(now, 0);
    assert_int_equal(nfailed, 2);
    assert_int_equal(failed, FAILURE_CAMERA_ABSENT);
    /* Stopped before it is told: it is not told. */
    assert_int_equal(frames_start(frames, &m), 0);
    frames_stop(frames);
    frames_stop(frames);
    clock_advance(now, 0);
    assert_int_equal(nfailed, 2);
}

static void a_camera_that_goes_ends_the_run(void **state)
{
    (void)state;
    run(1);
    frames_set_camera(frames, NULL);
    assert_int_equal(nfailed, 1);
    assert_int_equal(failed, FAILURE_CAMERA_ABSENT);
    assert_int_equal(camera.stops, 0); /* it is not there to be stopped */
    frames_set_camera(frames, &camera.base);
    assert_int_equal(nfailed, 1);
}

/* Else the camera just plugged in would be called absent until the next visit. */
static void a_run_that_began_without_a_camera_says_nothing_of_the_one_that_comes(void **state)
{
    const struct msg_camera_start m = {
        .visit = 9, .width = 640, .height = 480, .fps = 15, .credit = 1};

    (void)state;
    frames_set_camera(frames, NULL);
    assert_int_equal(frames_start(frames, &m), 0);
    frames_set_camera(frames, &camera.base);
    clock_advance(now, 0);
    assert_int_equal(nfailed, 1);
    assert_int_equal(failed, FAILURE_CAMERA_ABSENT);
    assert_int_equal(nstates, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_picture_costs_a_credit_and_the_newest_waits),
        TEST(what_cannot_be_judged_is_left_out),
        TEST(a_picture_that_stands_still_is_frozen),
        TEST(pictures_that_are_never_whole_are_silence),
        TEST(a_stream_that_breaks_is_begun_twice_again),
        TEST(a_run_that_cannot_begin_is_told_from_the_loop),
        TEST(a_camera_that_goes_ends_the_run),
        TEST(a_run_that_began_without_a_camera_says_nothing_of_the_one_that_comes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
