/*
 * The hardware of a lane, event by event: which slot is the lane's, devices that come twice, too many or of the wrong
 * kind, a camera of the kernel's driver. Readers are played message by message (mock_usb.h, after USB-IF CCID 1.1), the
 * kernel's camera driver call by call (v4l2_driver.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <cmocka.h>

#include "ccid_rig.h"
#include "daemon/common/clock.h"
#include "daemon/common/failure.h"
#include "driver/card/card.h"
#include "driver/card/card_trust.h"
#include "driver/reader/frames.h"
#include "driver/reader/lane.h"
#include "driver/reader/outcome.h"
#include "lane_rig.h"
#include "lane_wrap.h"
#include "mock_usb.h"
#include "v4l2_driver.h"

#define USBFS 1
#define KERNEL 3
#define READER 1u
#define CAMERA 2u

/* A thing of another class, with the pipes of a reader. */
#define NO_READER "09 02 2000 01 01 00 80 32 09 04 00 00 02 03 00 00 00 " PIPES
#define ONE_SLOT EXTENDED

static sd_event *loop;
static struct clock *now;
static struct card_trust *trust;
static struct card_engine *engine;
static struct frames *frames;
static struct lane *lane;

static unsigned changes, devices, reports, sent[2]; /* frames, failures */
static enum lane_device_state device_state;
static uint16_t device_failure, camera_failure;
static char device_port[65];
static enum card_end end;

static void on_changed(void *arg)
{
    (void)arg;
    changes++;
}

static void on_device(enum lane_device_state state, uint16_t failure, const char *port, void *arg)
{
    (void)arg;
    devices++;
    device_state = state;
    device_failure = failure;
    strcpy(device_port, port);
}

static void on_send(uint16_t type, const void *body, int fd, void *arg)
{
    (void)fd;
    (void)arg;
    sent[type != MSG_CAMERA_FRAME]++;
    if (type == MSG_CAMERA_FAILED)
        camera_failure = ((const struct msg_camera_failed *)body)->failure;
}

static void on_state(uint16_t failure, void *arg)
{
    (void)arg;
    lane_camera_result(lane, failure);
}

static void on_done(struct card_engine *e, const struct card_report *report, void *arg)
{
    (void)e;
    (void)arg;
    reports++;
    end = report->end;
    lane_card_result(lane, (uint16_t)outcome_of_card(report->end));
}

static const struct lane_listener listener = {on_changed, on_device};

static int begin(void **state)
{
    char *culprit = NULL;

    (void)state;
    changes = devices = reports = sent[0] = sent[1] = 0;
    assert_true(sd_event_new(&loop) >= 0);
    now = clock_new_simulated(0, 0);
    assert_int_equal(card_trust_load(&trust, NULL, NULL, &culprit), 0);
    engine = card_engine_new(now, trust);
    frames = frames_new(now, on_send, on_state, NULL);
    lane = lane_new(loop, now, engine, frames, &listener, NULL);
    assert_true(engine != NULL && frames != NULL && lane != NULL);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    lane_free(&lane);
    lane_free(&lane);
    card_engine_free(&engine);
    frames_free(&frames);
    card_trust_free(&trust);
    clock_free(&now);
    loop = sd_event_unref(loop);
    return 0;
}

static void pass(unsigned ms)
{
    clock_advance(now, ms * CLOCK_MS);
    for (unsigned i = 0; i < 20; i++)
        assert_true(sd_event_run(loop, 0) >= 0);
    clock_advance(now, 0);
}

/* What a worker thread does takes as long as it takes. */
#define UNTIL(condition)                                                                           \
    for (unsigned turns_ = 0; !(condition); turns_++) {                                            \
        assert_true(turns_ < 15000);                                                               \
        assert_true(sd_event_run(loop, 2000) >= 0);                                                \
    }

static void attach_to(const char *port, unsigned kind, unsigned use, unsigned devnum, int fd)
{
    struct msg_device_attach m = {
        .kind = (uint8_t)kind, .use = (uint8_t)use, .busnum = 1, .devnum = devnum, .speed = 3};

    (void)MESSAGE_TEXT(m.port, port);
    (void)MESSAGE_TEXT(m.name, "Reader");
    lane_attach(lane, &m, fd);
}

static int some_fd(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static bool is_closed(int fd)
{
    return fcntl(fd, F_GETFD) < 0 && errno == EBADF;
}

/* A device of this configuration, opened by this script. */
static struct usb *plug(const char *config, const struct mock_exchange *script, unsigned use)
{
    struct usb *usb = mock_usb_new(now, DEVICE, config);

    mock_usb_script(usb, script);
    lane_rig_next_usb = usb;
    attach_to("1-1", USBFS, use, 4, some_fd());
    lane_rig_next_usb = NULL;
    pass(0);
    pass(0);
    return usb;
}

static struct msg_reader_state state_now(void)
{
    struct msg_reader_state s;

    lane_state(lane, &s);
    return s;
}

static void identify(void)
{
    assert_int_equal(
        card_engine_identify(engine, clock_monotonic_us(now) + 5 * CLOCK_SECOND, on_done, NULL), 0);
    pass(0);
}

/* -- slots ------------------------------------------------------------------------------------- */

static const struct mock_exchange both_empty[] = {
    {"65 00000000 00 01 000000", {"81 00000000 00 01 02 00 00"}},
    {"65 00000000 01 02 000000", {"81 00000000 01 02 02 00 00"}},
    {"62 00000000 01 03 000000", {"80 00000000 01 03 41 fe 00"}},
    {"62 00000000 00 04 000000", {"80 00000000 00 04 41 fe 00"}},
    {NULL, {NULL}},
};

static void the_slot_with_the_card_is_the_lanes(void **state)
{
    struct usb *usb = plug(TWO_SLOTS, both_empty, READER);

    (void)state;
    assert_int_equal(devices, 1);
    assert_int_equal(device_state, LANE_DEVICE_IN_USE);
    assert_int_equal(lane_cards(lane), 0);
    assert_int_equal(state_now().reader, FAILURE_NONE);
    assert_int_equal(state_now().card, 0);
    changes = 0;
    mock_usb_push(usb, 0x83, "50 0c"); /* slot 1: there, changed */
    pass(0);
    assert_int_equal(lane_cards(lane), 1);
    assert_int_equal(state_now().card, 1);
    assert_int_equal(changes, 1);
    identify(); /* its power on goes to slot 1, as the script wants; the card is mute */
    assert_int_equal(reports, 1);
    assert_int_equal(end, CARD_END_MUTE);
    /* Taken from one, laid on the other. */
    mock_usb_push(usb, 0x83, "50 08");
    mock_usb_push(usb, 0x83, "50 03");
    pass(0);
    assert_int_equal(lane_cards(lane), 1);
    identify();
    assert_int_equal(reports, 2);
    assert_int_equal(end, CARD_END_MUTE);
    assert_true(mock_usb_played(usb));
    /* Two at once are the desk's to see. */
    mock_usb_push(usb, 0x83, "50 0d");
    pass(0);
    assert_int_equal(lane_cards(lane), 2);
}

/* While a card is at work the lane stays with it; when it has left, the other one is the lane's. */
static void a_slot_is_left_when_its_card_has_gone(void **state)
{
    static const struct mock_exchange script[] = {
        {"65 00000000 00 01 000000", {"81 00000000 00 01 01 00 00"}},
        {"65 00000000 01 02 000000", {"81 00000000 01 02 02 00 00"}},
        {"62 00000000 00 03 000000", {"@50 80 00000000 00 03 42 fe 00"}},
        {"62 00000000 01 04 000000", {"80 00000000 01 04 41 fe 00"}},
        {NULL, {NULL}},
    };
    struct usb *usb = plug(TWO_SLOTS, script, READER);

    (void)state;
    assert_int_equal(state_now().card, 1);
    identify();
    assert_int_equal(reports, 0);
    mock_usb_push(usb, 0x83, "50 0e"); /* slot 0: gone; slot 1: there */
    pass(0);
    assert_int_equal(lane_cards(lane), 1);
    pass(50);
    assert_int_equal(reports, 1);
    assert_int_equal(end, CARD_END_REMOVED);
    identify();
    assert_int_equal(reports, 2);
    assert_int_equal(end, CARD_END_MUTE);
    assert_true(mock_usb_played(usb));
}

/* -- devices ----------------------------------------------------------------------------------- */

static const struct mock_exchange empty[] = {
    {"65 00000000 00 01 000000", {"81 00000000 00 01 02 00 00"}},
    {NULL, {NULL}},
};

static void a_broker_that_comes_again_hears_what_is_in_use(void **state)
{
    int fd = some_fd();

    (void)state;
    (void)plug(ONE_SLOT, empty, READER);
    assert_int_equal(devices, 1);
    attach_to("1-1", USBFS, READER, 4, fd);
    assert_true(is_closed(fd));
    assert_int_equal(devices, 2);
    assert_int_equal(device_state, LANE_DEVICE_IN_USE);
    assert_string_equal(device_port, "1-1");
    lane_tell_devices(lane);
    assert_int_equal(devices, 3);
    assert_int_equal(state_now().vendor, 0x054c);
    assert_int_equal(state_now().product, 0x0dc8);
    assert_string_equal(state_now().name, "Reader");
}

/* The same port, another device: it was plugged in anew before we heard that it had gone. */
static void another_device_at_the_port_takes_its_place(void **state)
{
    struct usb *usb;

    (void)state;
    (void)plug(ONE_SLOT, empty, READER);
    usb = mock_usb_new(now, DEVICE, ONE_SLOT);
    mock_usb_script(usb, empty);
    lane_rig_next_usb = usb;
    attach_to("1-1", USBFS, READER, 5, some_fd());
    lane_rig_next_usb = NULL;
    pass(0);
    assert_int_equal(device_state, LANE_DEVICE_IN_USE);
    assert_int_equal(devices, 2);
    assert_true(mock_usb_played(usb));
}

static void a_second_reader_is_refused(void **state)
{
    int fd = some_fd();

    (void)state;
    (void)plug(ONE_SLOT, empty, READER);
    attach_to("1-9", USBFS, READER, 9, fd);
    assert_true(is_closed(fd));
    assert_int_equal(device_state, LANE_DEVICE_REFUSED);
    assert_int_equal(device_failure, FAILURE_READER_BUSY);
    assert_string_equal(device_port, "1-9");
    assert_int_equal(state_now().reader, FAILURE_NONE);
}

static void what_is_taken_back_is_lost(void **state)
{
    (void)state;
    (void)plug(ONE_SLOT, empty, READER);
    lane_detach(lane, "9-9");
    assert_int_equal(state_now().reader, FAILURE_NONE);
    lane_detach(lane, "1-1");
    assert_int_equal(state_now().reader, FAILURE_READER_LOST);
    lane_detach(lane, "1-1");
    assert_int_equal(devices, 1); /* the broker knows */
}

static void a_device_of_no_use_is_refused(void **state)
{
    static const struct {
        const char *config;
        unsigned use;
        uint16_t failure;
    } rows[] = {
        {NO_READER, READER, FAILURE_READER_UNSUPPORTED},
        {NO_READER, CAMERA, FAILURE_CAMERA_ABSENT},
        {ONE_SLOT, CAMERA, FAILURE_CAMERA_ABSENT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        devices = 0;
        (void)plug(rows[i].config, NULL, rows[i].use);
        assert_int_equal(devices, 1);
        assert_int_equal(device_state, LANE_DEVICE_REFUSED);
        assert_int_equal(device_failure, rows[i].failure);
    }
    /* What stands behind the descriptor is no device at all, or nothing that we know. */
    attach_to("1-1", USBFS, READER, 4, some_fd());
    assert_int_equal(device_state, LANE_DEVICE_REFUSED);
    assert_int_equal(device_failure, FAILURE_READER_UNSUPPORTED);
    devices = 0;
    attach_to("1-1", 77, CAMERA, 4, some_fd());
    assert_int_equal(devices, 1);
    assert_int_equal(device_failure, FAILURE_CAMERA_ABSENT);
    /* A reader without a camera, wanted as both, is a reader. */
    (void)plug(ONE_SLOT, empty, READER | CAMERA);
    assert_int_equal(device_state, LANE_DEVICE_IN_USE);
    assert_int_equal(state_now().camera, FAILURE_CAMERA_ABSENT);
}

static void a_reader_that_another_program_holds_is_refused(void **state)
{
    struct usb *usb = mock_usb_new(now, DEVICE, ONE_SLOT);

    (void)state;
    mock_usb_claim_status(usb, USB_BUSY);
    lane_rig_next_usb = usb;
    attach_to("1-1", USBFS, READER, 4, some_fd());
    lane_rig_next_usb = NULL;
    pass(0);
    pass(0);
    assert_int_equal(device_state, LANE_DEVICE_REFUSED);
    assert_int_equal(device_failure, FAILURE_READER_BUSY);
    assert_int_equal(state_now().reader, FAILURE_READER_BUSY);
}

/* Words that make no sense, three times in a row: it is opened anew. One that made sense begins the count again. */
static void a_reader_that_breaks_its_protocol_is_closed_in_the_end(void **state)
{
    (void)state;
    (void)plug(ONE_SLOT, empty, READER);
    lane_card_result(lane, FAILURE_READER_PROTOCOL);
    lane_card_result(lane, FAILURE_READER_TIMEOUT);
    lane_card_result(lane, FAILURE_CARD_REMOVED);
    lane_card_result(lane, FAILURE_READER_TIMEOUT);
    lane_card_result(lane, FAILURE_READER_PROTOCOL);
    pass(0);
    assert_int_equal(devices, 1);
    lane_card_result(lane, FAILURE_READER_PROTOCOL);
    assert_int_equal(state_now().reader, FAILURE_READER_PROTOCOL);
    lane_card_result(lane, FAILURE_READER_PROTOCOL);
    pass(0);
    assert_int_equal(devices, 2);
    assert_int_equal(device_state, LANE_DEVICE_CLOSED);
    assert_int_equal(device_failure, FAILURE_READER_PROTOCOL);
}

static void break_three_times(void)
{
    for (unsigned i = 0; i < 3; i++)
        lane_card_result(lane, FAILURE_READER_TIMEOUT);
    pass(0);
    assert_int_equal(device_state, LANE_DEVICE_CLOSED);
}

/* What closing and opening has not mended is mended by the reset that pulling the cable would be; but not sooner, for
 * a reset costs the camera in the same device its picture. */
static void a_reader_that_opening_does_not_mend_is_reset(void **state)
{
    struct usb *usb = plug(ONE_SLOT, empty, READER);

    (void)state;
    assert_null(strstr(mock_usb_log(usb), "reset"));
    break_three_times();
    usb = plug(ONE_SLOT, empty, READER);
    assert_int_equal(device_state, LANE_DEVICE_IN_USE);
    assert_null(strstr(mock_usb_log(usb), "reset"));
    break_three_times();
    usb = plug(ONE_SLOT, empty, READER);
    assert_int_equal(device_state, LANE_DEVICE_IN_USE);
    assert_non_null(strstr(mock_usb_log(usb), "reset"));
    /* One word that makes sense, and all begins anew. */
    lane_card_result(lane, FAILURE_NONE);
    break_three_times();
    usb = plug(ONE_SLOT, empty, READER);
    assert_null(strstr(mock_usb_log(usb), "reset"));
    /* So it does when it was pulled out meanwhile. */
    mock_usb_unplug(usb);
    pass(0);
    usb = plug(ONE_SLOT, empty, READER);
    break_three_times();
    usb = plug(ONE_SLOT, empty, READER);
    assert_null(strstr(mock_usb_log(usb), "reset"));
}

static void a_cable_pulled_is_told_once(void **state)
{
    struct usb *usb = plug(ONE_SLOT, empty, READER);

    (void)state;
    mock_usb_unplug(usb);
    pass(0);
    assert_int_equal(devices, 2);
    assert_int_equal(device_state, LANE_DEVICE_CLOSED);
    assert_int_equal(device_failure, FAILURE_READER_LOST);
    assert_int_equal(state_now().reader, FAILURE_READER_LOST);
}

/* -- the kernel's camera ----------------------------------------------------------------------- */

static const struct driver_offer webcam[] = {{V4L2_PIX_FMT_MJPEG, 640, 480, {15, 0}},
                                             {0, 0, 0, {0}}};

static void attach_camera(void)
{
    lane_rig_v4l2_calls = &v4l2_driver_calls;
    attach_to("video0", KERNEL, READER | CAMERA, 4, v4l2_driver_new(webcam));
}

static void start_camera(void)
{
    const struct msg_camera_start m = {
        .visit = 1, .width = 640, .height = 480, .fps = 15, .credit = 10};

    assert_int_equal(frames_start(frames, &m), 0);
    UNTIL(v4l2_driver.streaming);
}

static void a_camera_of_the_kernels_is_a_lanes_camera(void **state)
{
    static const uint8_t jpeg[] = {0xff, 0xd8, 0xff, 0xe0, 0x01, 0xff, 0xd9};

    (void)state;
    attach_camera();
    assert_int_equal(device_state, LANE_DEVICE_IN_USE);
    assert_string_equal(device_port, "video0");
    assert_int_equal(state_now().camera, FAILURE_NONE);
    /* Only that: what a node calls itself makes no reader of it. */
    assert_int_equal(state_now().reader, FAILURE_READER_ABSENT);
    start_camera();
    assert_true(v4l2_driver_picture(jpeg, sizeof(jpeg), 0, 0));
    UNTIL(sent[0] == 1);
    frames_stop(frames);
    UNTIL(!v4l2_driver.streaming);
}

static void a_camera_of_the_kernels_that_is_pulled_out_is_told(void **state)
{
    (void)state;
    attach_camera();
    start_camera();
    v4l2_driver_unplug();
    UNTIL(sent[1] == 1);
    assert_int_equal(camera_failure, FAILURE_CAMERA_ABSENT);
    pass(0);
    pass(0);
    assert_int_equal(devices, 2);
    assert_int_equal(device_state, LANE_DEVICE_CLOSED);
    assert_int_equal(device_failure, FAILURE_CAMERA_ABSENT);
    assert_int_equal(state_now().camera, FAILURE_CAMERA_ABSENT);
    UNTIL(v4l2_driver.closed == 1);
}

static void a_node_that_is_no_camera_is_refused(void **state)
{
    (void)state;
    lane_rig_v4l2_calls = NULL; /* real system calls upon something else */
    attach_to("video0", KERNEL, CAMERA, 4, some_fd());
    assert_int_equal(device_state, LANE_DEVICE_REFUSED);
    assert_int_equal(device_failure, FAILURE_CAMERA_ABSENT);
    assert_int_equal(state_now().camera, FAILURE_CAMERA_ABSENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_slot_with_the_card_is_the_lanes),
        TEST(a_slot_is_left_when_its_card_has_gone),
        TEST(a_broker_that_comes_again_hears_what_is_in_use),
        TEST(another_device_at_the_port_takes_its_place),
        TEST(a_second_reader_is_refused),
        TEST(what_is_taken_back_is_lost),
        TEST(a_device_of_no_use_is_refused),
        TEST(a_reader_that_another_program_holds_is_refused),
        TEST(a_reader_that_breaks_its_protocol_is_closed_in_the_end),
        TEST(a_reader_that_opening_does_not_mend_is_reset),
        TEST(a_cable_pulled_is_told_once),
        TEST(a_camera_of_the_kernels_is_a_lanes_camera),
        TEST(a_camera_of_the_kernels_that_is_pulled_out_is_told),
        TEST(a_node_that_is_no_camera_is_refused),
    };

    lane_wrap_prepare();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
