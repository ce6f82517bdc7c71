/*
 * Cameras played request by request on a simulated clock: what is chosen, what is negotiated, what
 * comes. Descriptors and probe blocks are composed by hand after UVC 1.5, chapters 3 and 4.3.1.1.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "daemon/common/clock.h"
#include "driver/usb/usb.h"
#include "driver/uvc/uvc.h"
#include "driver/uvc/uvc_controls.h"
#include "driver/uvc/uvc_descriptor.h"
#include "driver/uvc/uvc_probe.h"
#include "mock_usb.h"

#define DEVICE "12 01 0002 ef 02 01 40 0912 0200 0001 01 02 03 01"
#define CONTROL(version) "09 04 00 00 00 0e 01 00 00 0d 24 01 " version " 0d00 006cdc02 01 01 "
/* 640x480 at 30, 15, 10; 1280x720 from 30 down to 5 in steps; 320x240 at 30 */
#define FORMATS                                                                                    \
    "0e 24 01 02 0000 82 00 02 00 00 01 00 00 "                                                    \
    "1b 24 04 01 01 5955593200001000800000aa00389b71 10 01 00 00 00 00 "                           \
    "1e 24 05 01 00 8002 e001 00000000 00000000 00600900 15160500 01 15160500 "                    \
    "0b 24 06 02 03 01 01 00 00 00 00 "                                                            \
    "26 24 07 01 00 8002 e001 00000000 00000000 00600900 15160500 03 15160500 2a2c0a00 40420f00 "  \
    "26 24 07 02 00 0005 d002 00000000 00000000 00201c00 15160500 00 15160500 80841e00 15160500 "  \
    "1e 24 07 03 00 4001 f000 00000000 00000000 00000000 15160500 01 15160500 "
/* the same without its MJPEG: YUY2 in two sizes */
#define RAW_FORMATS                                                                                \
    "0e 24 01 02 0000 82 00 02 00 00 01 00 00 "                                                    \
    "1b 24 04 01 02 4e56313200001000800000aa00389b71 0c 01 00 00 00 00 "                           \
    "1e 24 05 01 00 0005 d002 00000000 00000000 00600900 15160500 01 15160500 "                    \
    "1b 24 04 02 02 5955593200001000800000aa00389b71 10 01 00 00 00 00 "                           \
    "1e 24 05 01 00 0400 0200 00000000 00000000 10000000 15160500 01 15160500 "                    \
    "1e 24 05 02 00 8002 e001 00000000 00000000 00600900 15160500 01 15160500 "
#define RAW_BULK "09 04 01 00 01 0e 02 00 00 " RAW_FORMATS "07 05 81 02 4000 00 "
/* lens 1 with exposure mode and priority, unit 2 with automatic white balance and more */
#define CONTROL_UNITS                                                                              \
    "09 04 00 00 00 0e 01 00 00 0d 24 01 1001 3100 006cdc02 01 01 "                                \
    "12 24 02 01 0102 00 00 0000 0000 0000 03 0e0000 "                                             \
    "0d 24 05 02 01 0000 03 4a1500 00 00 "
#define HEAD "09 02 ffff 02 01 00 80 32 "
#define ISO                                                                                        \
    "09 04 01 00 00 0e 02 00 00 " FORMATS "09 04 01 01 01 0e 02 00 00 07 05 82 05 8000 01 "        \
    "09 04 01 02 01 0e 02 00 00 07 05 82 05 0014 01 "                                              \
    "09 04 01 03 01 0e 02 00 00 07 05 82 05 0002 01 "
#define BULK "09 04 01 00 01 0e 02 00 00 " FORMATS "07 05 81 02 4000 00 "

static struct usb_config config;
static struct uvc_function function;
static uint8_t config_bytes[1024];

static void find(const char *hex)
{
    size_t len = mock_hex(hex, config_bytes, sizeof(config_bytes));

    assert_int_equal(usb_config_parse(&config, config_bytes, len), 0);
    assert_int_equal(uvc_function_find(&config, 0, &function), 0);
    assert_int_equal(uvc_function_find(&config, 1, &function), -ENODEV);
    assert_int_equal(uvc_function_find(&config, 0, &function), 0);
}

static void only_the_mjpeg_sizes_are_offered(void **state)
{
    (void)state;
    find(HEAD CONTROL("1001") ISO);
    assert_int_equal(function.version, 0x0110);
    assert_int_equal(function.control_interface, 0);
    assert_int_equal(function.streaming_interface, 1);
    assert_int_equal(function.frame_count, 3);
    assert_int_equal(function.frames[1].format_index, 2);
    assert_int_equal(function.frames[1].width, 1280);
    assert_int_equal(function.frames[1].height, 720);
    assert_int_equal(function.bulk_in, 0);
    find(HEAD CONTROL("1001") BULK);
    assert_int_equal(function.bulk_in, 0x81);
}

static void the_nearest_size_and_rate_are_chosen(void **state)
{
    static const struct {
        unsigned width, height, fps;
        uint8_t index;
        uint32_t interval;
    } rows[] = {
        {640, 480, 30, 1, 333333},  {640, 480, 12, 1, 666666},  {640, 480, 1, 1, 1000000},
        {640, 480, 120, 1, 333333}, {600, 400, 30, 1, 333333},  {320, 240, 30, 3, 333333},
        {1280, 720, 30, 2, 333333}, {1280, 720, 10, 2, 999999}, {1920, 1080, 1, 2, 2000000},
        {1280, 720, 12, 2, 666666}, {100, 100, 30, 3, 333333},
    };

    (void)state;
    find(HEAD CONTROL("1001") ISO);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct camera_need need = {rows[i].width, rows[i].height, rows[i].fps, CLOCK_SECOND};
        uint32_t interval = 0;
        const struct uvc_frame *frame = uvc_choose(&function, &need, &interval);

        assert_non_null(frame);
        assert_int_equal(frame->frame_index, rows[i].index);
        assert_int_equal(interval, rows[i].interval);
    }
}

static void the_smallest_setting_that_carries_a_payload_is_chosen(void **state)
{
    static const struct {
        uint32_t payload;
        uint8_t alt;
    } rows[] = {{1, 1}, {128, 1}, {129, 3}, {512, 3}, {513, 2}, {3072, 2}, {9999, 2}, {0, 2}};

    (void)state;
    find(HEAD CONTROL("1001") ISO);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(uvc_choose_alt(&config, &function, rows[i].payload)->alt, rows[i].alt);
}

static void every_version_has_its_probe_length(void **state)
{
    (void)state;
    assert_int_equal(uvc_probe_bytes(0x0100), 26);
    assert_int_equal(uvc_probe_bytes(0x010a), 26);
    assert_int_equal(uvc_probe_bytes(0x0110), 34);
    assert_int_equal(uvc_probe_bytes(0x0150), 48);
    assert_int_equal(uvc_probe_shorter(48), 34);
    assert_int_equal(uvc_probe_shorter(34), 26);
    assert_int_equal(uvc_probe_shorter(26), 0);
}

/* NV12 comes first, has the same descriptor types, and is none of ours. */
static void a_camera_without_mjpeg_is_taken_in_yuy2(void **state)
{
    struct camera_need size = {640, 480, 30, CLOCK_SECOND};
    const struct uvc_frame *frame;
    uint32_t interval;

    (void)state;
    find(HEAD CONTROL("1001") RAW_BULK);
    assert_int_equal(function.frame_count, 2);
    frame = uvc_choose(&function, &size, &interval);
    assert_int_equal(frame->format, CAMERA_YUY2);
    assert_int_equal(frame->format_index, 2);
    assert_int_equal(frame->frame_index, 2);
}

static void lens_and_processing_unit_are_found(void **state)
{
    (void)state;
    find(HEAD CONTROL_UNITS BULK);
    assert_int_equal(function.terminal, 1);
    assert_int_equal(function.terminal_bits, 0x0e);
    assert_int_equal(function.unit, 2);
    assert_int_equal(function.unit_bits, 0x154a);
    find(HEAD CONTROL("1001") BULK);
    assert_int_equal(function.terminal, 0);
    assert_int_equal(function.unit, 0);
}

static void broken_frame_descriptors_are_skipped(void **state)
{
    (void)state;
    /* says 200 intervals, has one; then an honest one */
    find(HEAD CONTROL(
        "0001") "09 04 01 00 01 0e 02 00 00 0b 24 06 01 02 01 01 00 00 00 00 "
                "1e 24 07 01 00 8002 e001 00000000 00000000 00600900 15160500 c8 15160500 "
                "1e 24 07 02 00 4001 f000 00000000 00000000 00600900 15160500 01 15160500 "
                "07 05 81 02 4000 00");
    assert_int_equal(function.frame_count, 1);
    assert_int_equal(function.frames[0].frame_index, 2);
}

/* -- negotiation ------------------------------------------------------------------------------- */

struct fixture {
    struct clock *clock;
    struct usb *usb;
    struct camera *camera;
    unsigned started, frames, troubles;
    struct camera_mode mode;
    enum camera_trouble trouble;
    uint8_t first[16];
    uint32_t flags; /* of the last frame */
    bool stops;     /* in the callback of a frame */
};

static void on_started(struct camera *camera, const struct camera_mode *mode, void *arg)
{
    struct fixture *f = arg;

    (void)camera;
    f->started++;
    f->mode = *mode;
}

static void on_frame(struct camera *camera, const struct camera_frame *frame, void *arg)
{
    struct fixture *f = arg;

    (void)camera;
    f->frames++;
    f->flags = frame->flags;
    memcpy(f->first, frame->data, frame->len < 16 ? frame->len : 16);
    if (f->stops)
        camera_stop(f->camera);
}

static void on_trouble(struct camera *camera, enum camera_trouble trouble, void *arg)
{
    struct fixture *f = arg;

    (void)camera;
    f->troubles++;
    f->trouble = trouble;
}

static const struct camera_listener listener = {on_started, on_frame, on_trouble};
static const struct camera_need need = {640, 480, 30, CLOCK_SECOND};

static void on_usb(struct usb *usb, enum usb_status status, void *arg)
{
    (void)usb;
    *(enum usb_status *)arg = status;
}

static struct fixture *begin(const char *hex)
{
    struct fixture *f = calloc(1, sizeof(*f));
    enum usb_status status = USB_STATUS_COUNT;

    assert_non_null(f);
    f->clock = clock_new_simulated(0, 0);
    f->usb = mock_usb_new(f->clock, DEVICE, hex);
    usb_start(f->usb, CLOCK_SECOND, on_usb, &status);
    clock_advance(f->clock, 0);
    assert_int_equal(status, USB_OK);
    f->camera = uvc_new(f->usb, 0);
    assert_non_null(f->camera);
    camera_listen(f->camera, &listener, f);
    return f;
}

static void finish(struct fixture *f)
{
    camera_free(&f->camera);
    usb_free(&f->usb);
    clock_free(&f->clock);
    free(f);
}

static void start(struct fixture *f)
{
    assert_int_equal(camera_start(f->camera, &need, clock_monotonic_us(f->clock) + CLOCK_SECOND),
                     0);
    assert_int_equal(f->started + f->troubles, 0);
    clock_advance(f->clock, 0);
}

/* hint, format 2, frame 1, 333333 x 100 ns, no compression words, 614400 bytes, payloads of 512 */
#define ANSWER_26 "0100 02 01 15160500 0000 0000 0000 0000 0000 00600900 00020000"
#define ANSWER_34 ANSWER_26 "006cdc02 00 00 00 00"
#define ANSWER_48 ANSWER_34 "0000000000000000000000000000"

static void the_negotiation_has_the_length_of_the_version(void **state)
{
    static const struct {
        const char *config, *answer, *log;
    } rows[] = {
        {HEAD CONTROL("0001") ISO, ANSWER_26,
         "claim 0\nclaim 1\nalt 1 0\ncontrol 21 01 0100 0001 26\ncontrol a1 81 0100 0001 26\n"
         "control 21 01 0200 0001 26\nalt 1 3\n"},
        {HEAD CONTROL("1001") ISO, ANSWER_34,
         "claim 0\nclaim 1\nalt 1 0\ncontrol 21 01 0100 0001 34\ncontrol a1 81 0100 0001 34\n"
         "control 21 01 0200 0001 34\nalt 1 3\n"},
        {HEAD CONTROL("5001") ISO, ANSWER_48,
         "claim 0\nclaim 1\nalt 1 0\ncontrol 21 01 0100 0001 48\ncontrol a1 81 0100 0001 48\n"
         "control 21 01 0200 0001 48\nalt 1 3\n"},
        /* says 1.5, speaks 1.1 */
        {HEAD CONTROL("5001") ISO, ANSWER_34,
         "claim 0\nclaim 1\nalt 1 0\ncontrol 21 01 0100 0001 48\ncontrol 21 01 0100 0001 34\n"
         "control a1 81 0100 0001 34\ncontrol 21 01 0200 0001 34\nalt 1 3\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture *f = begin(rows[i].config);

        mock_usb_probe(f->usb, rows[i].answer);
        start(f);
        assert_int_equal(f->started, 1);
        assert_int_equal(f->mode.width, 640);
        assert_int_equal(f->mode.interval_100ns, 333333);
        assert_string_equal(mock_usb_log(f->usb), rows[i].log);
        finish(f);
    }
}

/* hint, format 2, frame 1: 4 x 2 pixels; 16 bytes a picture, payloads of 512 */
#define ANSWER_RAW                                                                                 \
    "0100 02 01 15160500 0000 0000 0000 0000 0000 10000000 00020000 006cdc02 00 00 00 00"

static void a_yuy2_picture_is_whole_when_all_its_bytes_are_there(void **state)
{
    struct fixture *f = begin(HEAD CONTROL("1001") RAW_BULK);

    (void)state;
    mock_usb_probe(f->usb, ANSWER_RAW);
    start(f);
    assert_int_equal(f->started, 1);
    assert_int_equal(f->mode.format, CAMERA_YUY2);
    mock_usb_push(f->usb, 0x81, "0280 0102030405060708");
    mock_usb_push(f->usb, 0x81, "0282 1112131415161718");
    clock_advance(f->clock, 0);
    assert_int_equal(f->frames, 1);
    assert_int_equal(f->flags, 0);
    assert_memory_equal(f->first,
                        "\x01\x02\x03\x04\x05\x06\x07\x08\x11\x12\x13\x14\x15\x16\x17\x18", 16);
    /* a row is missing: told so */
    mock_usb_push(f->usb, 0x81, "0283 0102030405060708");
    clock_advance(f->clock, 0);
    assert_int_equal(f->frames, 2);
    assert_int_equal(f->flags, CAMERA_FRAME_TRUNCATED);
    /* more bytes than pixels: nobody knows which are whose */
    mock_usb_push(f->usb, 0x81, "0280 0102030405060708 1112131415161718");
    mock_usb_push(f->usb, 0x81, "0282 19");
    clock_advance(f->clock, 0);
    assert_int_equal(f->frames, 2);
    finish(f);
}

/* Each stalls here: a camera without them is a camera none the less. */
static void exposure_and_white_balance_are_asked_for_before_the_negotiation(void **state)
{
    struct fixture *f = begin(HEAD CONTROL_UNITS BULK);

    (void)state;
    mock_usb_probe(f->usb, ANSWER_34);
    start(f);
    assert_int_equal(f->started, 1);
    assert_string_equal(mock_usb_log(f->usb),
                        "claim 0\nclaim 1\ncontrol a1 84 0200 0100 1\ncontrol 21 01 0300 0100 1\n"
                        "control 21 01 0b00 0200 1\ncontrol 21 01 0100 0001 34\n"
                        "control a1 81 0100 0001 34\ncontrol 21 01 0200 0001 34\n");
    finish(f);
}

static void the_most_automatic_exposure_is_chosen(void **state)
{
    struct uvc_function camera = {.terminal = 1, .terminal_bits = 1u << 1};
    unsigned entity, i = 0;
    const struct uvc_control *mode = uvc_control_next(&camera, &i, &entity);

    (void)state;
    assert_non_null(mode);
    assert_int_equal(mode->selector, 0x02);
    assert_int_equal(entity, 1);
    assert_int_equal(uvc_control_choose(mode, 0x0f), 2);
    assert_int_equal(uvc_control_choose(mode, 0x09), 8);
    assert_int_equal(uvc_control_choose(mode, 0x05), 4);
    assert_int_equal(uvc_control_choose(mode, 0x01), 0);
    i++;
    assert_null(uvc_control_next(&camera, &i, &entity));
    assert_null(uvc_control_at(99));
}

static void a_bulk_camera_delivers_frames(void **state)
{
    struct fixture *f = begin(HEAD CONTROL("1001") BULK);

    (void)state;
    mock_usb_probe(f->usb, ANSWER_34);
    start(f);
    assert_int_equal(f->started, 1);
    mock_usb_push(f->usb, 0x81, "0280 ffd8 01 02");
    mock_usb_push(f->usb, 0x81, "0282 03 ffd9");
    clock_advance(f->clock, 0);
    assert_int_equal(f->frames, 1);
    assert_memory_equal(f->first, "\xff\xd8\x01\x02\x03\xff\xd9", 7);
    mock_usb_push(f->usb, 0x81, "!stall");
    mock_usb_push(f->usb, 0x81, "0283 ffd8 04 ffd9");
    clock_advance(f->clock, 0);
    assert_int_equal(f->frames, 2);
    assert_non_null(strstr(mock_usb_log(f->usb), "clear 81\n"));
    camera_stop(f->camera);
    mock_usb_push(f->usb, 0x81, "0282 ffd8 05 ffd9");
    clock_advance(f->clock, CLOCK_SECOND);
    assert_int_equal(f->frames, 2);
    finish(f);
}

/* A frame that ends with the first payload of the next: what is stopped there is still being read.
 */
static void a_frame_that_ends_in_the_next_payload_may_stop_the_camera(void **state)
{
    struct fixture *f = begin(HEAD CONTROL("1001") BULK);

    (void)state;
    f->stops = true;
    mock_usb_probe(f->usb, ANSWER_34);
    start(f);
    assert_int_equal(f->started, 1);
    mock_usb_push(f->usb, 0x81, "0280 ffd8 01 ffd9");
    mock_usb_push(f->usb, 0x81, "0281 ffd8 02 ffd9");
    clock_advance(f->clock, CLOCK_SECOND);
    assert_int_equal(f->frames, 1);
    assert_int_equal(f->troubles, 0);
    assert_memory_equal(f->first, "\xff\xd8\x01\xff\xd9", 5);
    /* and it starts again, with nothing of before */
    f->started = f->frames = 0;
    f->stops = false;
    start(f);
    assert_int_equal(f->started, 1);
    mock_usb_push(f->usb, 0x81, "0280 ffd8 04 ffd9");
    mock_usb_push(f->usb, 0x81, "0281 ffd8 05 ffd9");
    clock_advance(f->clock, 0);
    assert_int_equal(f->frames, 1);
    assert_memory_equal(f->first, "\xff\xd8\x04\xff\xd9", 5);
    finish(f);
}

static void an_answer_that_names_nothing_we_know_is_refused(void **state)
{
    struct fixture *f = begin(HEAD CONTROL("0001") ISO);

    (void)state;
    mock_usb_probe(f->usb, "0100 07 01 15160500 0000 0000 0000 0000 0000 00600900 00020000");
    start(f);
    assert_int_equal(f->troubles, 1);
    assert_string_equal(camera_trouble_name(f->trouble), "unsupported");
    finish(f);
}

static void a_held_or_lost_camera_is_told_so(void **state)
{
    struct fixture *f = begin(HEAD CONTROL("0001") ISO);

    (void)state;
    mock_usb_claim_status(f->usb, USB_BUSY);
    start(f);
    assert_string_equal(camera_trouble_name(f->trouble), "held");
    f->troubles = 0;
    mock_usb_claim_status(f->usb, USB_OK);
    mock_usb_unplug(f->usb);
    start(f);
    assert_int_equal(f->troubles, 1);
    assert_string_equal(camera_trouble_name(f->trouble), "gone");
    finish(f);
}

static void silence_is_told_once_until_a_frame_comes(void **state)
{
    struct fixture *f = begin(HEAD CONTROL("1001") BULK);

    (void)state;
    mock_usb_probe(f->usb, ANSWER_34);
    start(f);
    clock_advance(f->clock, CLOCK_SECOND - 1);
    assert_int_equal(f->troubles, 0);
    clock_advance(f->clock, 1);
    assert_int_equal(f->troubles, 1);
    assert_string_equal(camera_trouble_name(f->trouble), "silent");
    clock_advance(f->clock, 5 * CLOCK_SECOND);
    assert_int_equal(f->troubles, 1);
    mock_usb_push(f->usb, 0x81, "0282 ffd8 03 ffd9");
    clock_advance(f->clock, CLOCK_SECOND);
    assert_int_equal(f->frames, 1);
    assert_int_equal(f->troubles, 2);
    finish(f);
}

static void streaming_that_only_fails_is_given_up(void **state)
{
    struct fixture *f = begin(HEAD CONTROL("1001") BULK);

    (void)state;
    mock_usb_probe(f->usb, ANSWER_34);
    start(f);
    for (unsigned i = 0; i < 40; i++)
        mock_usb_push(f->usb, 0x81, "!io");
    clock_advance(f->clock, 0);
    assert_int_equal(f->troubles, 1);
    assert_string_equal(camera_trouble_name(f->trouble), "failed");
    finish(f);
}

static void a_need_that_means_nothing_is_refused_at_once(void **state)
{
    struct fixture *f = begin(HEAD CONTROL("1001") BULK);
    struct camera_need nothing = {0, 480, 30, CLOCK_SECOND};

    (void)state;
    assert_int_equal(camera_start(f->camera, &nothing, CLOCK_SECOND), -EINVAL);
    finish(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_mjpeg_sizes_are_offered),
        cmocka_unit_test(the_nearest_size_and_rate_are_chosen),
        cmocka_unit_test(the_smallest_setting_that_carries_a_payload_is_chosen),
        cmocka_unit_test(every_version_has_its_probe_length),
        cmocka_unit_test(a_camera_without_mjpeg_is_taken_in_yuy2),
        cmocka_unit_test(lens_and_processing_unit_are_found),
        cmocka_unit_test(broken_frame_descriptors_are_skipped),
        cmocka_unit_test(the_negotiation_has_the_length_of_the_version),
        cmocka_unit_test(a_yuy2_picture_is_whole_when_all_its_bytes_are_there),
        cmocka_unit_test(exposure_and_white_balance_are_asked_for_before_the_negotiation),
        cmocka_unit_test(the_most_automatic_exposure_is_chosen),
        cmocka_unit_test(a_bulk_camera_delivers_frames),
        cmocka_unit_test(a_frame_that_ends_in_the_next_payload_may_stop_the_camera),
        cmocka_unit_test(an_answer_that_names_nothing_we_know_is_refused),
        cmocka_unit_test(a_held_or_lost_camera_is_told_so),
        cmocka_unit_test(silence_is_told_once_until_a_frame_comes),
        cmocka_unit_test(streaming_that_only_fails_is_given_up),
        cmocka_unit_test(a_need_that_means_nothing_is_refused_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
