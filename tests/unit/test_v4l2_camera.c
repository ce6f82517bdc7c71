/*
 * Cameras of the kernel's driver, played call by call (v4l2_driver.h): what is chosen, what comes, and every way in
 * which it does not. Expected values come from the kernel's userspace API for video4linux and from the contract of
 * driver/uvc/camera.h.
 */
#include "v4l2_rig.h"

#include <errno.h>
#include <string.h>

static const struct driver_offer raw_range[] = {
    {YUYV, 48, 32, {2, 60}}, {YUYV, 1920, 1200, {1}}, {0}};
static const struct driver_offer odd[] = {{GREY, 640, 480, {30}}, {0}};

/* -- choosing ---------------------------------------------------------------------------------- */

static void the_nearest_mode_is_chosen(void **state)
{
    static const struct {
        const struct driver_offer *offers;
        unsigned width, height, fps;
        enum camera_format format;
        unsigned chosen_width, chosen_height;
        uint32_t interval;
    } rows[] = {
        {webcam, 640, 480, 30, CAMERA_MJPEG, 640, 480, 333333},
        {webcam, 640, 480, 11, CAMERA_MJPEG, 640, 480,
         1000000}, /* 90.9 ms is nearer to 100 than to 66.7 */
        {webcam, 640, 480, 1, CAMERA_MJPEG, 640, 480, 1000000},
        {webcam, 640, 480, 120, CAMERA_MJPEG, 640, 480, 333333},
        {webcam, 100, 100, 30, CAMERA_MJPEG, 320, 240, 333333},
        {webcam, 600, 400, 15, CAMERA_MJPEG, 640, 480, 666666},
        {webcam, 1920, 1080, 30, CAMERA_MJPEG, 1280, 720, 333333},
        {raw, 640, 480, 15, CAMERA_YUY2, 64, 16, 333333},
        {raw, 30, 16, 15, CAMERA_YUY2, 32, 16, 333333},
    };
    struct fixture *f;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct camera_need wish = {rows[i].width, rows[i].height, rows[i].fps, CLOCK_SECOND};

        f = v4l2_rig_begin(rows[i].offers);
        assert_int_equal(v4l2_rig_start(f, &wish), 0);
        UNTIL(f, f->started + f->troubles > 0);
        assert_int_equal(f->started, 1);
        assert_int_equal(f->mode.format, rows[i].format);
        assert_int_equal(f->mode.width, rows[i].chosen_width);
        assert_int_equal(f->mode.height, rows[i].chosen_height);
        assert_int_equal(f->mode.interval_100ns, rows[i].interval);
        assert_int_equal(v4l2_driver.format.width, rows[i].chosen_width);
        v4l2_rig_finish(f);
    }
}

static void sizes_and_rates_may_be_ranges(void **state)
{
    struct camera_need wish = {650, 481, 15, CLOCK_SECOND};
    struct fixture *f = v4l2_rig_begin(raw_range);

    (void)state;
    v4l2_driver.ranges = true;
    assert_int_equal(v4l2_rig_start(f, &wish), 0);
    UNTIL(f, f->started + f->troubles > 0);
    /* steps of 16 from 48 and of 8 from 32, rather larger than smaller */
    assert_int_equal(f->mode.width, 656);
    assert_int_equal(f->mode.height, 488);
    assert_int_equal(f->mode.interval_100ns, 666666);
    camera_stop(f->camera);
    v4l2_rig_settle(f);
    wish = (struct camera_need){9000, 9000, 100, CLOCK_SECOND};
    assert_int_equal(v4l2_rig_start(f, &wish), 0);
    UNTIL(f, f->started + f->troubles > 1);
    assert_int_equal(f->mode.width, 1920);
    assert_int_equal(f->mode.height, 1200);
    assert_int_equal(f->mode.interval_100ns, 166666); /* 60 a second is the most */
    v4l2_rig_finish(f);
}

static void a_driver_without_lists_is_asked_for_the_wish(void **state)
{
    struct fixture *f = v4l2_rig_begin(webcam);

    (void)state;
    v4l2_driver.no_size_list = true;
    v4l2_rig_stream(f);
    assert_int_equal(v4l2_driver.format.width, 640);
    assert_int_equal(v4l2_driver.format.height, 480);
    assert_int_equal(v4l2_driver.format.pixelformat, MJPEG);
    v4l2_rig_finish(f);
}

static void what_nobody_decodes_is_unsupported(void **state)
{
    struct fixture *f = v4l2_rig_begin(odd);

    (void)state;
    assert_int_equal(v4l2_rig_start(f, &need), 0);
    UNTIL(f, f->troubles > 0);
    assert_int_equal(f->trouble, CAMERA_UNSUPPORTED);
    v4l2_rig_finish(f);
}

static void a_node_that_is_no_camera_is_refused(void **state)
{
    static const uint32_t rows[] = {V4L2_CAP_META_CAPTURE | V4L2_CAP_STREAMING,
                                    V4L2_CAP_VIDEO_CAPTURE,
                                    V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_STREAMING, 0};
    sd_event *loop = NULL;
    struct clock *clock = clock_new_simulated(0, 0);
    struct v4l2_worker *worker = NULL;

    (void)state;
    assert_true(sd_event_new(&loop) >= 0);
    assert_int_equal(v4l2_worker_new(&worker, loop), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int fd = v4l2_driver_new(webcam);

        v4l2_driver.capabilities = rows[i];
        assert_null(v4l2_new(loop, clock, worker, &v4l2_driver_calls, fd));
        assert_int_equal(errno, ENOTSUP);
        assert_int_equal(v4l2_driver.closed, 1);
    }
    v4l2_worker_free(&worker);
    clock_free(&clock);
    sd_event_unref(loop);
}

static void exposure_and_white_balance_look_after_themselves(void **state)
{
    struct fixture *f = v4l2_rig_begin(webcam);

    (void)state;
    v4l2_rig_stream(f);
    assert_int_equal(v4l2_driver.controls[DRIVER_EXPOSURE], V4L2_EXPOSURE_APERTURE_PRIORITY);
    assert_int_equal(v4l2_driver.controls[DRIVER_WHITE_BALANCE], 1);
    assert_int_equal(v4l2_driver.controls[DRIVER_FOCUS], -1);      /* may not be set */
    assert_int_equal(v4l2_driver.controls[DRIVER_POWER_LINE], -1); /* has no "automatic" */
    v4l2_rig_finish(f);
}

/* -- pictures ---------------------------------------------------------------------------------- */

static void pictures_come_as_they_were_made(void **state)
{
    struct fixture *f = v4l2_rig_begin(webcam);

    (void)state;
    v4l2_rig_stream(f);
    for (unsigned i = 0; i < 20; i++) {
        v4l2_rig_picture(f, i % 2 ? padded : jpeg, i % 2 ? sizeof(padded) : sizeof(jpeg), 0);
        assert_int_equal(f->frames, i + 1);
        assert_int_equal(f->frame.len, i % 2 ? sizeof(padded) : sizeof(jpeg));
        assert_memory_equal(f->bytes, i % 2 ? padded : jpeg, f->frame.len);
        assert_int_equal(f->frame.flags, 0);
        assert_int_equal(f->frame.sequence, i);
        /* the driver's own time */
        assert_int_equal(f->frame.monotonic_us, clock_monotonic_us(f->clock) - 20 * CLOCK_MS);
        assert_int_equal(v4l2_driver.queued, V4L2_BUFFERS);
    }
    assert_int_equal(camera_counters(f->camera).frames, 20);
    assert_int_equal(f->troubles, 0);
    camera_stop(f->camera);
    v4l2_rig_settle(f);
    assert_false(v4l2_driver.streaming);
    assert_int_equal(v4l2_driver.maps, 0);
    v4l2_rig_finish(f);
}

static void a_time_of_another_clock_is_not_taken(void **state)
{
    struct fixture *f = v4l2_rig_begin(webcam);
    uint64_t now = clock_monotonic_us(f->clock);

    (void)state;
    v4l2_rig_stream(f);
    assert_true(v4l2_driver_picture(jpeg, sizeof(jpeg), 0, now + CLOCK_MINUTE));
    v4l2_rig_settle(f);
    assert_int_equal(f->frame.monotonic_us, now);
    assert_true(v4l2_driver_picture(jpeg, sizeof(jpeg), 0, now - CLOCK_MINUTE));
    v4l2_rig_settle(f);
    assert_int_equal(f->frame.monotonic_us, now);
    v4l2_rig_finish(f);
}

static void rows_are_put_together(void **state)
{
    uint8_t lines[16 * 80];
    struct fixture *f = v4l2_rig_begin(raw);
    struct camera_need wish = {32, 16, 30, CLOCK_SECOND};

    (void)state;
    v4l2_driver.gap = 16;
    for (size_t i = 0; i < sizeof(lines); i++)
        lines[i] = i % 80 < 64 ? (uint8_t)(i / 80 + 1) : 0xee;
    assert_int_equal(v4l2_rig_start(f, &wish), 0);
    UNTIL(f, f->started + f->troubles > 0);
    assert_int_equal(f->mode.format, CAMERA_YUY2);
    /* the last row needs no gap behind it */
    v4l2_rig_picture(f, lines, sizeof(lines) - 16, 0);
    assert_int_equal(f->frames, 1);
    assert_int_equal(f->frame.len, 16 * 64);
    assert_int_equal(f->frame.flags, 0);
    for (size_t i = 0; i < f->frame.len; i++)
        assert_int_equal(f->bytes[i], i / 64 + 1);
    /* a row and a half: one row, and it says so */
    v4l2_rig_picture(f, lines, 80 + 32, 0);
    assert_int_equal(f->frame.len, 64);
    assert_int_equal(f->frame.flags, CAMERA_FRAME_TRUNCATED);
    /* less than a row is nothing */
    v4l2_rig_picture(f, lines, 63, 0);
    assert_int_equal(f->frames, 2);
    v4l2_rig_finish(f);
}

static void damaged_pictures_are_marked_or_left_out(void **state)
{
    struct fixture *f = v4l2_rig_begin(webcam);

    (void)state;
    v4l2_rig_stream(f);
    v4l2_rig_picture(f, cut, sizeof(cut), 0);
    assert_int_equal(f->frames, 1);
    assert_int_equal(f->frame.flags, CAMERA_FRAME_TRUNCATED);
    v4l2_rig_picture(f, jpeg, sizeof(jpeg), V4L2_BUF_FLAG_ERROR);
    v4l2_rig_picture(f, noise, sizeof(noise), 0);
    v4l2_rig_picture(f, jpeg, 0, 0);
    assert_int_equal(f->frames, 1);
    v4l2_rig_picture(f, jpeg, sizeof(jpeg), 0);
    assert_int_equal(f->frames, 2);
    assert_int_equal(f->frame.flags, CAMERA_FRAME_GAP);
    assert_int_equal(f->frame.sequence, 4);
    v4l2_rig_picture(f, jpeg, sizeof(jpeg), 0);
    assert_int_equal(f->frame.flags, 0);
    assert_int_equal(camera_counters(f->camera).dropped, 3);
    assert_int_equal(camera_counters(f->camera).truncated, 1);
    v4l2_rig_finish(f);
}

static void lost_pictures_are_counted(void **state)
{
    struct fixture *f = v4l2_rig_begin(webcam);

    (void)state;
    v4l2_rig_stream(f);
    v4l2_rig_picture(f, jpeg, sizeof(jpeg), 0);
    /* nobody takes them: after four the driver has no memory left */
    for (unsigned i = 0; i < 7; i++)
        (void)v4l2_driver_picture(jpeg, sizeof(jpeg), 0, 0);
    v4l2_rig_settle(f);
    assert_int_equal(f->frames, 5);
    v4l2_rig_picture(f, jpeg, sizeof(jpeg), 0);
    assert_int_equal(f->frames, 6);
    assert_int_equal(f->frame.flags, CAMERA_FRAME_GAP);
    assert_int_equal(f->frame.sequence, 8);
    assert_int_equal(camera_counters(f->camera).lost, 3);
    v4l2_rig_finish(f);
}

static void nothing_but_damage_is_a_broken_stream(void **state)
{
    struct fixture *f = v4l2_rig_begin(webcam);

    (void)state;
    v4l2_rig_stream(f);
    for (unsigned i = 0; i < 31; i++)
        v4l2_rig_picture(f, noise, sizeof(noise), 0);
    assert_int_equal(f->troubles, 0);
    v4l2_rig_picture(f, noise, sizeof(noise), 0);
    assert_int_equal(f->troubles, 1);
    assert_int_equal(f->trouble, CAMERA_FAILED);
    v4l2_rig_settle(f);
    assert_false(v4l2_driver.streaming);
    v4l2_rig_finish(f);
}

/* -- trouble ----------------------------------------------------------------------------------- */

/* Whatever call fails in whatever way: one word, told once, and nothing left behind. */
static void every_call_that_fails_has_its_word(void **state)
{
    /* Those without which a camera works on as it is. */
    static const unsigned long needless[] = {VIDIOC_QUERYCTRL, VIDIOC_S_CTRL,
                                             VIDIOC_ENUM_FRAMESIZES, VIDIOC_ENUM_FRAMEINTERVALS};
    static const unsigned long needed[] = {VIDIOC_QUERYCAP, VIDIOC_ENUM_FMT, VIDIOC_S_FMT,
                                           VIDIOC_S_PARM,   VIDIOC_REQBUFS,  VIDIOC_QUERYBUF,
                                           VIDIOC_QBUF,     VIDIOC_STREAMON};
    static const struct {
        int error;
        enum camera_trouble trouble;
    } rows[] = {
        {-ENODEV, CAMERA_GONE},   {-EBUSY, CAMERA_HELD},        {-EIO, CAMERA_REFUSED},
        {-EPIPE, CAMERA_REFUSED}, {-EPERM, CAMERA_REFUSED},     {-ENOSPC, CAMERA_UNSUPPORTED},
        {-ENOMEM, CAMERA_FAILED}, {-ETIMEDOUT, CAMERA_TIMEOUT},
    };
    struct fixture *f;

    (void)state;
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
            f = v4l2_rig_begin(webcam);
            v4l2_driver.fail_request = needed[i];
            v4l2_driver.fail_error = rows[k].error;
            assert_int_equal(v4l2_rig_start(f, &need), 0);
            UNTIL(f, f->started + f->troubles > 0);
            v4l2_rig_settle(f);
            assert_int_equal(f->started, 0);
            assert_int_equal(f->troubles, 1);
            assert_int_equal(f->trouble, rows[k].trouble);
            assert_int_equal(f->gone, rows[k].trouble == CAMERA_GONE);
            v4l2_driver.fail_request = 0;
            v4l2_rig_finish(f);
        }
    for (size_t i = 0; i < sizeof(needless) / sizeof(needless[0]); i++) {
        f = v4l2_rig_begin(webcam);
        v4l2_driver.fail_request = needless[i];
        v4l2_driver.fail_error = -EIO;
        v4l2_rig_stream(f);
        v4l2_rig_finish(f);
    }
    f = v4l2_rig_begin(webcam);
    v4l2_driver.fail_request = VIDIOC_S_PARM; /* a camera with one rate */
    v4l2_driver.fail_error = -ENOTTY;
    v4l2_rig_stream(f);
    v4l2_rig_finish(f);
}

static void another_program_holds_it(void **state)
{
    struct fixture *f = v4l2_rig_begin(webcam);

    (void)state;
    v4l2_driver.fail_request = VIDIOC_S_FMT;
    v4l2_driver.fail_error = -EBUSY;
    assert_int_equal(v4l2_rig_start(f, &need), 0);
    UNTIL(f, f->troubles > 0);
    assert_int_equal(f->trouble, CAMERA_HELD);
    v4l2_driver.fail_request = 0;
    f->troubles = 0;
    v4l2_rig_stream(f);
    v4l2_rig_finish(f);
}

static void a_start_that_the_kernel_keeps_is_given_up(void **state)
{
    static const unsigned long rows[] = {VIDIOC_S_FMT, VIDIOC_STREAMON, VIDIOC_S_CTRL};
    struct fixture *f;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        f = v4l2_rig_begin(webcam);
        v4l2_driver.hold_request = rows[i];
        assert_int_equal(v4l2_rig_start(f, &need), 0);
        v4l2_rig_settle(f);
        assert_int_equal(f->started + f->troubles, 0);
        (void)clock_advance(f->clock, CLOCK_SECOND);
        assert_int_equal(f->troubles, 1);
        assert_int_equal(f->trouble, CAMERA_TIMEOUT);
        /* it comes back at last: what it began is undone */
        v4l2_driver_release();
        v4l2_rig_settle(f);
        assert_int_equal(f->started, 0);
        assert_false(v4l2_driver.streaming);
        f->troubles = 0;
        v4l2_rig_stream(f);
        assert_int_equal(v4l2_rig_start(f, &need), -EALREADY);
        v4l2_rig_finish(f);
    }
}

static void a_mind_may_change_while_it_starts(void **state)
{
    struct camera_need other = {320, 240, 30, CLOCK_SECOND};
    struct fixture *f = v4l2_rig_begin(webcam);

    (void)state;
    v4l2_driver.hold_request = VIDIOC_STREAMON;
    assert_int_equal(v4l2_rig_start(f, &need), 0);
    camera_stop(f->camera);
    assert_int_equal(v4l2_rig_start(f, &other), 0);
    v4l2_driver_release();
    UNTIL(f, f->started + f->troubles > 0);
    v4l2_rig_settle(f);
    assert_int_equal(f->started, 1);
    assert_int_equal(f->mode.width, 320);
    assert_int_equal(v4l2_driver.starts, 2);
    assert_int_equal(f->troubles, 0);
    v4l2_rig_picture(f, jpeg, sizeof(jpeg), 0);
    assert_int_equal(f->frames, 1);
    v4l2_rig_finish(f);
}

static void a_cable_pulled_is_told(void **state)
{
    struct fixture *f = v4l2_rig_begin(webcam);

    (void)state;
    v4l2_rig_stream(f);
    v4l2_rig_picture(f, jpeg, sizeof(jpeg), 0);
    v4l2_driver_unplug();
    v4l2_rig_settle(f);
    assert_int_equal(f->troubles, 1);
    assert_int_equal(f->trouble, CAMERA_GONE);
    assert_int_equal(f->gone, 1);
    assert_int_equal(v4l2_rig_start(f, &need), 0);
    assert_int_equal(f->troubles, 1); /* not from inside the call */
    v4l2_rig_settle(f);
    assert_int_equal(f->troubles, 2);
    assert_int_equal(f->trouble, CAMERA_GONE);
    assert_int_equal(f->gone, 1);
    v4l2_driver.buffers =
        0; /* a device that is gone takes nothing back; the kernel frees them with the descriptor */
    v4l2_rig_finish(f);
}

static void a_stream_that_breaks_off_can_be_started_again(void **state)
{
    struct fixture *f = v4l2_rig_begin(webcam);

    (void)state;
    v4l2_rig_stream(f);
    f->on_trouble = START;
    v4l2_driver_break(-EIO);
    UNTIL(f, f->troubles > 0);
    assert_int_equal(f->trouble, CAMERA_FAILED);
    v4l2_driver_break(0);
    UNTIL(f, f->started == 2 || f->troubles > 1);
    assert_int_equal(f->troubles, 1);
    assert_int_equal(v4l2_driver.starts, 2);
    v4l2_rig_picture(f, jpeg, sizeof(jpeg), 0);
    assert_int_equal(f->frames, 1);
    v4l2_rig_finish(f);
}

static void a_silence_is_told_once(void **state)
{
    struct fixture *f = v4l2_rig_begin(webcam);

    (void)state;
    v4l2_rig_stream(f);
    (void)clock_advance(f->clock, CLOCK_SECOND);
    assert_int_equal(f->troubles, 1);
    assert_int_equal(f->trouble, CAMERA_SILENT);
    (void)clock_advance(f->clock, 10 * CLOCK_SECOND);
    assert_int_equal(f->troubles, 1);
    v4l2_rig_picture(f, cut, sizeof(cut), 0); /* no whole picture */
    (void)clock_advance(f->clock, 10 * CLOCK_SECOND);
    assert_int_equal(f->troubles, 1);
    v4l2_rig_picture(f, jpeg, sizeof(jpeg), 0);
    (void)clock_advance(f->clock, CLOCK_SECOND);
    assert_int_equal(f->troubles, 2);
    v4l2_rig_finish(f);
}

static void it_may_be_stopped_and_freed_in_any_callback(void **state)
{
    struct fixture *f;

    (void)state;
    for (enum wish wish = STOP; wish <= FREE; wish++) {
        f = v4l2_rig_begin(webcam);
        f->on_started = wish;
        v4l2_rig_stream(f);
        v4l2_rig_settle(f);
        assert_false(v4l2_driver.streaming);
        v4l2_rig_finish(f);

        f = v4l2_rig_begin(webcam);
        v4l2_rig_stream(f);
        f->on_frame = wish;
        for (unsigned i = 0; i < 3; i++)
            (void)v4l2_driver_picture(jpeg, sizeof(jpeg), 0, 0);
        v4l2_rig_settle(f);
        assert_int_equal(f->frames, 1);
        assert_memory_equal(f->bytes, jpeg, sizeof(jpeg));
        assert_false(v4l2_driver.streaming);
        v4l2_rig_finish(f);

        f = v4l2_rig_begin(webcam);
        v4l2_rig_stream(f);
        f->on_trouble = wish;
        v4l2_driver_break(-EIO);
        v4l2_rig_settle(f);
        assert_int_equal(f->troubles, 1);
        assert_false(v4l2_driver.streaming);
        v4l2_rig_finish(f);

        f = v4l2_rig_begin(webcam);
        f->on_trouble = wish;
        v4l2_driver.hold_request = VIDIOC_STREAMON;
        assert_int_equal(v4l2_rig_start(f, &need), 0);
        (void)clock_advance(f->clock, CLOCK_SECOND);
        assert_int_equal(f->trouble, CAMERA_TIMEOUT);
        v4l2_driver_release();
        v4l2_rig_settle(f);
        assert_false(v4l2_driver.streaming);
        v4l2_rig_finish(f);
    }
}

/* The program ends while the kernel still keeps the start. */
static void it_may_be_freed_while_it_starts(void **state)
{
    struct fixture *f = v4l2_rig_begin(webcam);

    (void)state;
    v4l2_driver.hold_request = VIDIOC_STREAMON;
    assert_int_equal(v4l2_rig_start(f, &need), 0);
    v4l2_rig_settle(f);
    camera_free(&f->camera);
    assert_null(f->camera);
    assert_int_equal(v4l2_driver.closed, 0);
    v4l2_driver_release();
    v4l2_rig_finish(f);
    assert_int_equal(f->started + f->troubles, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_mode_is_chosen),
        cmocka_unit_test(sizes_and_rates_may_be_ranges),
        cmocka_unit_test(a_driver_without_lists_is_asked_for_the_wish),
        cmocka_unit_test(what_nobody_decodes_is_unsupported),
        cmocka_unit_test(a_node_that_is_no_camera_is_refused),
        cmocka_unit_test(exposure_and_white_balance_look_after_themselves),
        cmocka_unit_test(pictures_come_as_they_were_made),
        cmocka_unit_test(a_time_of_another_clock_is_not_taken),
        cmocka_unit_test(rows_are_put_together),
        cmocka_unit_test(damaged_pictures_are_marked_or_left_out),
        cmocka_unit_test(lost_pictures_are_counted),
        cmocka_unit_test(nothing_but_damage_is_a_broken_stream),
        cmocka_unit_test(every_call_that_fails_has_its_word),
        cmocka_unit_test(another_program_holds_it),
        cmocka_unit_test(a_start_that_the_kernel_keeps_is_given_up),
        cmocka_unit_test(a_mind_may_change_while_it_starts),
        cmocka_unit_test(a_cable_pulled_is_told),
        cmocka_unit_test(a_stream_that_breaks_off_can_be_started_again),
        cmocka_unit_test(a_silence_is_told_once),
        cmocka_unit_test(it_may_be_stopped_and_freed_in_any_callback),
        cmocka_unit_test(it_may_be_freed_while_it_starts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
