/* A driver of the kernel's that lies (v4l2_driver.h): nothing that it says is believed without a look. */
#include "v4l2_rig.h"

#include "driver/v4l2/v4l2_modes.h"

static void other_format(unsigned long request, void *arg)
{
    if (request == VIDIOC_S_FMT)
        ((struct v4l2_format *)arg)->fmt.pix.pixelformat = GREY;
}

static void no_size(unsigned long request, void *arg)
{
    if (request == VIDIOC_S_FMT)
        ((struct v4l2_format *)arg)->fmt.pix.width = 0;
}

static void huge_size(unsigned long request, void *arg)
{
    if (request == VIDIOC_S_FMT)
        ((struct v4l2_format *)arg)->fmt.pix.height = 0x80000000u;
}

static void short_rows(unsigned long request, void *arg)
{
    if (request == VIDIOC_S_FMT)
        ((struct v4l2_format *)arg)->fmt.pix.bytesperline = 3;
}

static void huge_rows(unsigned long request, void *arg)
{
    if (request == VIDIOC_S_FMT)
        ((struct v4l2_format *)arg)->fmt.pix.bytesperline = 0xfffffff0u;
}

static void one_buffer(unsigned long request, void *arg)
{
    struct v4l2_requestbuffers *a = arg;

    if (request == VIDIOC_REQBUFS && a->count > 1)
        a->count = v4l2_driver.buffers = 1;
}

static void empty_buffers(unsigned long request, void *arg)
{
    if (request == VIDIOC_QUERYBUF)
        ((struct v4l2_buffer *)arg)->length = 0;
}

static void endless_buffers(unsigned long request, void *arg)
{
    if (request == VIDIOC_QUERYBUF)
        ((struct v4l2_buffer *)arg)->length = 0xffffffffu;
}

static void a_lying_driver_is_refused(void **state)
{
    static const struct {
        const struct driver_offer *offers;
        void (*lie)(unsigned long request, void *arg);
        enum camera_trouble trouble;
    } rows[] = {
        {webcam, other_format, CAMERA_UNSUPPORTED}, {webcam, no_size, CAMERA_UNSUPPORTED},
        {webcam, huge_size, CAMERA_UNSUPPORTED},    {raw, short_rows, CAMERA_UNSUPPORTED},
        {raw, huge_rows, CAMERA_UNSUPPORTED},       {webcam, one_buffer, CAMERA_FAILED},
        {webcam, empty_buffers, CAMERA_REFUSED},    {webcam, endless_buffers, CAMERA_REFUSED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture *f = v4l2_rig_begin(rows[i].offers);

        v4l2_driver.lie = rows[i].lie;
        assert_int_equal(v4l2_rig_start(f, &need), 0);
        UNTIL(f, f->started + f->troubles > 0);
        assert_int_equal(f->started, 0);
        assert_int_equal(f->trouble, rows[i].trouble);
        v4l2_rig_finish(f);
    }
}

static void more_than_asked_for(unsigned long request, void *arg)
{
    if (request == VIDIOC_REQBUFS && ((struct v4l2_requestbuffers *)arg)->count > 0)
        ((struct v4l2_requestbuffers *)arg)->count = v4l2_driver.buffers = DRIVER_BUFFERS;
}

static void strange_interval(unsigned long request, void *arg)
{
    if (request == VIDIOC_S_PARM)
        ((struct v4l2_streamparm *)arg)->parm.capture.timeperframe = (struct v4l2_fract){1, 0};
}

static void odd_answers_that_can_be_lived_with(void **state)
{
    struct fixture *f = v4l2_rig_begin(webcam);

    (void)state;
    v4l2_driver.lie = more_than_asked_for;
    v4l2_rig_stream(f);
    assert_int_equal(v4l2_driver.queued, V4L2_BUFFERS);
    v4l2_rig_finish(f);
    f = v4l2_rig_begin(webcam);
    v4l2_driver.lie = strange_interval;
    v4l2_rig_stream(f);
    assert_int_equal(f->mode.interval_100ns, 0);
    v4l2_rig_finish(f);
}

static void far_index(unsigned long request, void *arg)
{
    if (request == VIDIOC_DQBUF)
        ((struct v4l2_buffer *)arg)->index = 0x7fffffffu;
}

static void same_index(unsigned long request, void *arg)
{
    if (request == VIDIOC_DQBUF)
        ((struct v4l2_buffer *)arg)->index = 3;
}

static void too_long(unsigned long request, void *arg)
{
    if (request == VIDIOC_DQBUF)
        ((struct v4l2_buffer *)arg)->bytesused = 0xffffffffu;
}

static void a_picture_that_cannot_be_is_never_looked_at(void **state)
{
    struct fixture *f = v4l2_rig_begin(webcam);

    (void)state;
    v4l2_rig_stream(f);
    v4l2_driver.lie = far_index;
    v4l2_rig_picture(f, jpeg, sizeof(jpeg), 0);
    assert_int_equal(f->trouble, CAMERA_FAILED);
    v4l2_rig_finish(f);
    f = v4l2_rig_begin(webcam);
    v4l2_rig_stream(f);
    v4l2_driver.lie = same_index; /* which is still queued: it cannot be given back twice */
    v4l2_rig_picture(f, jpeg, sizeof(jpeg), 0);
    assert_int_equal(f->trouble, CAMERA_FAILED);
    v4l2_rig_finish(f);
    f = v4l2_rig_begin(webcam);
    v4l2_rig_stream(f);
    v4l2_driver.lie = too_long;
    v4l2_rig_picture(f, jpeg, sizeof(jpeg), 0);
    assert_int_equal(f->frames, 0);
    assert_int_equal(camera_counters(f->camera).dropped, 1);
    v4l2_driver.lie = NULL;
    v4l2_rig_picture(f, jpeg, sizeof(jpeg), 0);
    assert_int_equal(f->frames, 1);
    v4l2_rig_finish(f);
}

/* Every entry again and again, never an end. */
static int endless(int fd, unsigned long request, void *arg)
{
    struct v4l2_fmtdesc *format = arg;
    struct v4l2_frmsizeenum *size = arg;
    struct v4l2_frmivalenum *interval = arg;

    (void)fd;
    v4l2_driver.calls++;
    if (request == VIDIOC_ENUM_FMT)
        format->pixelformat = MJPEG;
    if (request == VIDIOC_ENUM_FRAMESIZES) {
        size->type = V4L2_FRMSIZE_TYPE_DISCRETE;
        size->discrete.width = size->discrete.height = 0xfffffff0u + size->index % 16;
        if (size->index == 9)
            size->discrete.width = size->discrete.height = 64;
    }
    if (request == VIDIOC_ENUM_FRAMEINTERVALS) {
        interval->type = V4L2_FRMIVAL_TYPE_DISCRETE;
        interval->discrete = (struct v4l2_fract){interval->index, interval->index % 3};
    }
    return 0;
}

static void endless_lists_are_cut_off(void **state)
{
    static const struct v4l2_calls calls = {.control = endless};
    struct v4l2_choice choice;

    (void)state;
    (void)v4l2_driver_new(webcam);
    assert_int_equal(v4l2_choose(&calls, -1, &need, &choice), 0);
    assert_int_equal(choice.width, 64);
    assert_int_equal(choice.format, CAMERA_MJPEG);
    assert_true(v4l2_driver.calls < 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lying_driver_is_refused),
        cmocka_unit_test(odd_answers_that_can_be_lived_with),
        cmocka_unit_test(a_picture_that_cannot_be_is_never_looked_at),
        cmocka_unit_test(endless_lists_are_cut_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
