/*
 * A camera that somebody left in manual exposure, on the simulated device behind USB/IP; time is the
 * host's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <systemd/sd-event.h>

#include "daemon/common/clock.h"
#include "driver/usb/usb.h"
#include "driver/uvc/uvc.h"
#include "sim_rig.h"

#define LONG_US (10 * CLOCK_SECOND) /* generous: the machine may be busy */
#define SET_CUR 0x01
#define GET_CUR 0x81
/* as in the device's descriptors: lens 1, processing unit 2, of interface 1 */
#define LENS 0x0101
#define UNIT 0x0201
#define EXPOSURE_MODE 0x0200
#define WHITE_BALANCE_AUTO 0x0b00

struct fixture {
    sd_event *loop;
    struct clock *clock;
    struct sim_rig *rig;
    struct usb *usb;
    struct camera *camera;
    unsigned ended, frames;
    enum usb_status status;
    enum camera_trouble trouble;
};

static void on_usb(struct usb *usb, enum usb_status status, void *arg)
{
    struct fixture *f = arg;

    (void)usb;
    f->ended++;
    f->status = status;
}

static void on_transfer(struct usb_transfer *transfer, void *arg)
{
    on_usb(NULL, transfer->status, arg);
}

static void on_frame(struct camera *camera, const struct camera_frame *frame, void *arg)
{
    (void)camera;
    (void)frame;
    ((struct fixture *)arg)->frames++;
}

static void on_trouble(struct camera *camera, enum camera_trouble trouble, void *arg)
{
    (void)camera;
    ((struct fixture *)arg)->trouble = trouble;
}

static const struct camera_listener listener = {NULL, on_frame, on_trouble};

static void wait_for(struct fixture *f, const unsigned *count, unsigned least)
{
    uint64_t limit = clock_monotonic_us(f->clock) + LONG_US;

    while (*count < least) {
        assert_true(clock_monotonic_us(f->clock) < limit);
        assert_true(sd_event_run(f->loop, 20000) >= 0);
    }
}

/* One byte of a control. */
static uint8_t control(struct fixture *f, uint8_t request, uint16_t selector, uint16_t entity,
                       uint8_t value)
{
    struct usb_transfer *transfer = usb_transfer_new(f->usb, 1, 0, on_transfer, f);
    uint8_t byte;

    assert_non_null(transfer);
    transfer->kind = USB_CONTROL;
    transfer->setup =
        (struct usb_setup){request == SET_CUR ? 0x21 : 0xa1, request, selector, entity};
    transfer->length = 1;
    transfer->data[0] = value;
    transfer->deadline_us = clock_monotonic_us(f->clock) + LONG_US;
    f->ended = 0;
    usb_submit(transfer);
    wait_for(f, &f->ended, 1);
    assert_int_equal(f->status, USB_OK);
    byte = transfer->data[0];
    usb_transfer_free(&transfer);
    return byte;
}

static void a_camera_left_in_manual_exposure_is_made_automatic_again(void **state)
{
    struct camera_need need = {640, 480, 30, 2 * CLOCK_SECOND};
    struct fixture f = {.trouble = CAMERA_OK};

    (void)state;
    assert_true(sd_event_new(&f.loop) >= 0);
    f.clock = clock_new_system(f.loop);
    f.rig = sim_rig_new(SIM_USBIP, "extended");
    f.usb = sim_rig_usb(f.rig, f.loop, f.clock);
    usb_start(f.usb, clock_monotonic_us(f.clock) + LONG_US, on_usb, &f);
    wait_for(&f, &f.ended, 1);
    assert_int_equal(f.status, USB_OK);
    sim_rig_do(f.rig, "camera dark");

    control(&f, SET_CUR, EXPOSURE_MODE, LENS, 1); /* by hand */
    control(&f, SET_CUR, WHITE_BALANCE_AUTO, UNIT, 0);
    assert_int_equal(control(&f, GET_CUR, EXPOSURE_MODE, LENS, 0), 1);
    assert_int_equal(control(&f, GET_CUR, WHITE_BALANCE_AUTO, UNIT, 0xff), 0);
    f.camera = uvc_new(f.usb, 0);
    assert_non_null(f.camera);
    camera_listen(f.camera, &listener, &f);
    assert_int_equal(camera_start(f.camera, &need, clock_monotonic_us(f.clock) + LONG_US), 0);
    wait_for(&f, &f.frames, 2);
    assert_int_equal(control(&f, GET_CUR, EXPOSURE_MODE, LENS, 0), 8); /* this camera has 1 and 8 */
    assert_int_equal(control(&f, GET_CUR, WHITE_BALANCE_AUTO, UNIT, 0), 1);
    assert_int_equal(f.trouble, CAMERA_OK);

    camera_free(&f.camera);
    usb_free(&f.usb);
    sim_rig_free(&f.rig);
    clock_free(&f.clock);
    sd_event_unref(f.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_camera_left_in_manual_exposure_is_made_automatic_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
