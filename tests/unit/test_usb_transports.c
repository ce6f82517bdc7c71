/*
 * The same cases over both transports: real libusb on a mocked usbfs node, and USB/IP on a socket.
 * Behind them stands the simulated composite device; time is the host's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <systemd/sd-event.h>

#include "daemon/common/clock.h"
#include "driver/ccid/ccid.h"
#include "driver/usb/usb.h"
#include "driver/uvc/uvc.h"
#include "sim_rig.h"
#include "umock_device.h"

#define ATR "\x3b\xe0\x00\xff\x81\x31\xfe\x45\x14"
#define LONG_MS 30000 /* generous: the machine may be busy */

struct fixture {
    enum sim_transport transport;
    sd_event *loop;
    struct clock *clock;
    struct sim_rig *rig;
    struct usb *usb;
    struct ccid *reader;
    struct camera *camera;

    unsigned done;
    enum ccid_result result;
    uint8_t data[4096];
    size_t len;
    unsigned gone;
    int present; /* -1: not told yet */
    unsigned started, frames, flagged;
    enum camera_trouble trouble;
    unsigned troubles, troubles_before; /* the first frame: the next one may be late */
    struct camera_mode mode;
    unsigned stop_after; /* frames */
    uint32_t sequence;
};

static uint64_t in_ms(const struct fixture *f, unsigned ms)
{
    return clock_monotonic_us(f->clock) + ms * CLOCK_MS;
}

/* Turns the loop until `*flag` differs from `from`, or fails. */
#define WAIT_WHILE(f, condition)                                                                   \
    do {                                                                                           \
        uint64_t limit = in_ms(f, LONG_MS);                                                        \
        while (condition) {                                                                        \
            assert_true(clock_monotonic_us((f)->clock) < limit);                                   \
            assert_true(sd_event_run((f)->loop, 20000) >= 0);                                      \
        }                                                                                          \
    } while (0)

static void turn_for(struct fixture *f, unsigned ms)
{
    uint64_t end = in_ms(f, ms);

    while (clock_monotonic_us(f->clock) < end)
        assert_true(sd_event_run(f->loop, 5000) >= 0);
}

struct outcome {
    unsigned count;
    enum usb_status status;
};

static void on_usb(struct usb *usb, enum usb_status status, void *arg)
{
    struct outcome *outcome = arg;

    (void)usb;
    outcome->count++;
    outcome->status = status;
}

static void on_gone(struct usb *usb, void *arg)
{
    (void)usb;
    ((struct fixture *)arg)->gone++;
}

static void on_done(struct ccid *ccid, unsigned slot, enum ccid_result result, const uint8_t *data,
                    size_t len, void *arg)
{
    struct fixture *f = arg;

    (void)ccid;
    (void)slot;
    f->done++;
    f->result = result;
    f->len = len;
    assert_true(len <= sizeof(f->data));
    if (len > 0)
        memcpy(f->data, data, len);
}

static void on_card(struct ccid *ccid, unsigned slot, bool present, void *arg)
{
    (void)ccid;
    (void)slot;
    ((struct fixture *)arg)->present = present;
}

static struct fixture *begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct outcome outcome = {0};

    assert_non_null(f);
    f->transport = *(enum sim_transport *)*state;
    f->present = -1;
    assert_true(sd_event_new(&f->loop) >= 0);
    f->clock = clock_new_system(f->loop);
    f->rig = sim_rig_new(f->transport, "extended");
    f->usb = sim_rig_usb(f->rig, f->loop, f->clock);
    usb_on_gone(f->usb, on_gone, f);
    usb_start(f->usb, in_ms(f, LONG_MS), on_usb, &outcome);
    assert_int_equal(outcome.count, 0);
    WAIT_WHILE(f, outcome.count == 0);
    assert_string_equal(usb_status_name(outcome.status), "ok");
    return f;
}

static void finish(struct fixture *f)
{
    camera_free(&f->camera);
    ccid_free(&f->reader);
    usb_free(&f->usb);
    sim_rig_free(&f->rig);
    clock_free(&f->clock);
    sd_event_unref(f->loop);
    free(f);
}

static void wait_done(struct fixture *f, enum ccid_result result)
{
    WAIT_WHILE(f, f->done == 0);
    assert_int_equal(f->done, 1);
    assert_string_equal(ccid_result_name(f->result), ccid_result_name(result));
    f->done = 0;
}

static struct fixture *begin_open(void **state)
{
    struct fixture *f = begin(state);

    f->reader = ccid_new(f->usb, 0);
    assert_non_null(f->reader);
    ccid_on_card(f->reader, on_card, f);
    ccid_open(f->reader, in_ms(f, LONG_MS), on_done, f);
    wait_done(f, CCID_OK);
    WAIT_WHILE(f, f->present < 0);
    return f;
}

static struct fixture *begin_powered(void **state)
{
    struct fixture *f = begin_open(state);

    sim_rig_do(f->rig, "insert plain");
    WAIT_WHILE(f, f->present != 1);
    ccid_power_on(f->reader, 0, in_ms(f, LONG_MS), on_done, f);
    wait_done(f, CCID_OK);
    assert_int_equal(f->len, sizeof(ATR) - 1);
    assert_memory_equal(f->data, ATR, sizeof(ATR) - 1);
    return f;
}

static void transmit(struct fixture *f, const void *apdu, size_t len, unsigned ms)
{
    ccid_transmit(f->reader, 0, apdu, len, in_ms(f, ms), on_done, f);
}

static const uint8_t select_jpki[] = {0x00, 0xa4, 0x04, 0x0c, 0x0a, 0xd3, 0x92, 0xf0,
                                      0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01};
static const uint8_t select_file[] = {0x00, 0xa4, 0x02, 0x0c, 0x02, 0x00, 0x02};

static void select_application(struct fixture *f)
{
    transmit(f, select_jpki, sizeof(select_jpki), LONG_MS);
    wait_done(f, CCID_OK);
    assert_int_equal(f->len, 2);
    assert_memory_equal(f->data, "\x90\x00", 2);
}

/* The reader still works, whatever has just happened to it. */
static void expect_works(struct fixture *f)
{
    select_application(f);
}

/* -- transport --------------------------------------------------------------------------------- */

static void the_device_says_who_it_is(void **state)
{
    struct fixture *f = begin(state);

    assert_int_equal(usb_vendor(f->usb), 0x1209);
    assert_int_equal(usb_product(f->usb), 0x0001);
    assert_int_equal(usb_speed(f->usb), USB_SPEED_HIGH);
    assert_int_equal(ccid_count(f->usb), 1);
    assert_int_equal(uvc_count(f->usb), 1);
    finish(f);
}

struct heard {
    unsigned count;
    enum usb_status status;
    size_t actual;
};

static void on_transfer(struct usb_transfer *transfer, void *arg)
{
    struct heard *heard = arg;

    heard->count++;
    heard->status = transfer->status;
    heard->actual = transfer->actual;
}

static struct usb_transfer *string_request(struct fixture *f, struct heard *heard, uint8_t index)
{
    struct usb_transfer *transfer = usb_transfer_new(f->usb, 255, 0, on_transfer, heard);

    assert_non_null(transfer);
    transfer->kind = USB_CONTROL;
    transfer->setup = (struct usb_setup){0x80, 6, (uint16_t)(0x0300 | index), 0x0409};
    transfer->length = 255;
    transfer->deadline_us = in_ms(f, LONG_MS);
    return transfer;
}

static void a_control_request_is_answered_or_stalled(void **state)
{
    struct fixture *f = begin(state);
    struct heard heard = {0};
    struct usb_transfer *transfer = string_request(f, &heard, 3);

    usb_submit(transfer);
    assert_int_equal(heard.count, 0);
    WAIT_WHILE(f, heard.count == 0);
    assert_string_equal(usb_status_name(heard.status), "ok");
    assert_int_equal(heard.actual, 10); /* "0001" */
    assert_memory_equal(transfer->data,
                        "\x0a\x03"
                        "0\0"
                        "0\0"
                        "0\0"
                        "1\0",
                        10);
    transfer->setup.value = 0x03c8; /* there is no such string */
    usb_submit(transfer);
    WAIT_WHILE(f, heard.count == 1);
    assert_string_equal(usb_status_name(heard.status), "stall");
    usb_transfer_free(&transfer);
    finish(f);
}

static struct usb_transfer *bulk_in(struct fixture *f, struct heard *heard)
{
    struct usb_transfer *transfer = usb_transfer_new(f->usb, 1024, 0, on_transfer, heard);

    assert_non_null(transfer);
    transfer->kind = USB_BULK;
    transfer->endpoint = 0x81;
    transfer->length = 1024;
    return transfer;
}

static void a_silent_endpoint_times_out_at_its_deadline(void **state)
{
    struct fixture *f = begin(state);
    struct heard heard = {0};
    struct usb_transfer *transfer = bulk_in(f, &heard);
    uint64_t deadline = in_ms(f, 50);

    transfer->deadline_us = deadline;
    usb_submit(transfer);
    WAIT_WHILE(f, heard.count == 0);
    assert_true(clock_monotonic_us(f->clock) >= deadline);
    assert_string_equal(usb_status_name(heard.status), "timeout");
    /* and at once when it is past already */
    usb_submit(transfer);
    assert_int_equal(heard.count, 1);
    WAIT_WHILE(f, heard.count == 1);
    assert_string_equal(usb_status_name(heard.status), "timeout");
    usb_transfer_free(&transfer);
    finish(f);
}

static void a_transfer_can_be_cancelled_or_freed_in_flight(void **state)
{
    struct fixture *f = begin(state);
    struct heard heard = {0};
    struct usb_transfer *transfer = bulk_in(f, &heard);

    usb_submit(transfer);
    turn_for(f, 10);
    usb_cancel(transfer);
    usb_cancel(transfer);
    assert_int_equal(heard.count, 0);
    WAIT_WHILE(f, heard.count == 0);
    assert_string_equal(usb_status_name(heard.status), "cancelled");
    usb_submit(transfer);
    turn_for(f, 10);
    usb_transfer_free(&transfer);
    turn_for(f, 20);
    assert_int_equal(heard.count, 1);
    finish(f);
}

/*
 * The device begins anew, the handle lives on: what was claimed is, and a card answers once it has power again. A
 * simulator's socket has no hub behind it that could do it, and says so.
 */
static void a_reset_is_carried_out_and_the_reader_works_on(void **state)
{
    struct fixture *f = begin_powered(state);
    struct outcome outcome = {0};

    usb_reset(f->usb, in_ms(f, LONG_MS), on_usb, &outcome);
    WAIT_WHILE(f, outcome.count == 0);
    assert_string_equal(usb_status_name(outcome.status),
                        f->transport == SIM_LIBUSB ? "ok" : "stall");
    assert_int_equal(f->gone, 0);
    ccid_power_on(f->reader, 0, in_ms(f, LONG_MS), on_done, f);
    wait_done(f, CCID_OK);
    expect_works(f);
    finish(f);
}

static void unplugging_ends_every_transfer_and_is_told_once(void **state)
{
    struct fixture *f = begin(state);
    struct heard heard = {0};
    struct outcome late = {0};
    struct usb_transfer *first = bulk_in(f, &heard), *second = bulk_in(f, &heard);

    usb_submit(first);
    usb_submit(second);
    turn_for(f, 10);
    sim_rig_do(f->rig, "unplug");
    WAIT_WHILE(f, f->gone == 0);
    assert_int_equal(heard.count, 2);
    assert_string_equal(usb_status_name(heard.status), "gone");
    assert_true(usb_is_gone(f->usb));
    usb_submit(first);
    usb_claim(f->usb, 0, in_ms(f, LONG_MS), on_usb, &late);
    WAIT_WHILE(f, heard.count == 2 || late.count == 0);
    assert_string_equal(usb_status_name(heard.status), "gone");
    assert_string_equal(usb_status_name(late.status), "gone");
    turn_for(f, 20);
    assert_int_equal(f->gone, 1);
    usb_transfer_free(&first);
    usb_transfer_free(&second);
    finish(f);
}

static void unplugging_is_noticed_though_nothing_is_in_flight(void **state)
{
    struct fixture *f = begin(state);

    sim_rig_do(f->rig, "unplug");
    WAIT_WHILE(f, f->gone == 0);
    finish(f);
}

static void closing_with_transfers_in_flight_calls_nobody_back(void **state)
{
    struct fixture *f = begin(state);
    struct heard heard = {0};
    struct usb_transfer *transfer = bulk_in(f, &heard);

    usb_submit(transfer);
    turn_for(f, 5);
    usb_transfer_free(&transfer);
    usb_free(&f->usb);
    turn_for(f, 5);
    assert_int_equal(heard.count, 0);
    finish(f);
}

/* -- reader ------------------------------------------------------------------------------------ */

static void a_card_is_noticed_powered_and_asked(void **state)
{
    struct fixture *f = begin_powered(state);

    select_application(f);
    sim_rig_do(f->rig, "remove");
    WAIT_WHILE(f, f->present != 0);
    transmit(f, select_jpki, sizeof(select_jpki), LONG_MS);
    wait_done(f, CCID_NO_CARD);
    finish(f);
}

static void a_long_answer_comes_in_blocks(void **state)
{
    static const uint8_t read_all[] = {0x00, 0xb0, 0x00, 0x00, 0x00, 0x00, 0x00};
    struct fixture *f = begin_powered(state);

    select_application(f);
    transmit(f, select_file, sizeof(select_file), LONG_MS);
    wait_done(f, CCID_OK);
    transmit(f, read_all, sizeof(read_all), LONG_MS);
    wait_done(f, CCID_OK);
    assert_int_equal(f->len, SIM_RIG_FILE_BYTES + 2);
    for (size_t i = 0; i < SIM_RIG_FILE_BYTES; i++)
        assert_int_equal(f->data[i], (uint8_t)(i * 7 + i / 256));
    assert_true(ccid_counters(f->reader).commands >= 3 + SIM_RIG_FILE_BYTES / 512);
    finish(f);
}

static void a_long_command_goes_in_blocks(void **state)
{
    /* UPDATE BINARY, which no My Number Card has: the card must have seen it whole to refuse it. */
    uint8_t apdu[7 + 1500] = {0x00, 0xd6, 0x00, 0x00, 0x00, 1500 >> 8, 1500 & 0xff};
    struct fixture *f = begin_powered(state);
    uint64_t before = ccid_counters(f->reader).commands;

    transmit(f, apdu, sizeof(apdu), LONG_MS);
    wait_done(f, CCID_OK);
    assert_int_equal(f->len, 2);
    assert_memory_equal(f->data, "\x6d\x00", 2);
    assert_int_equal(ccid_counters(f->reader).commands - before, 3); /* 512, 512, 483 */
    finish(f);
}

static void a_mute_card_is_told_as_mute(void **state)
{
    struct fixture *f = begin_open(state);

    sim_rig_do(f->rig, "insert mute");
    WAIT_WHILE(f, f->present != 1);
    ccid_power_on(f->reader, 0, in_ms(f, LONG_MS), on_done, f);
    wait_done(f, CCID_MUTE);
    finish(f);
}

static void a_fault_has_its_outcome_and_the_reader_goes_on(void **state)
{
    static const struct {
        const char *fault;
        enum ccid_result result;
    } rows[] = {
        {"fault extend 1 3 20", CCID_OK},
        {"fault stale 1", CCID_OK},
        {"fault twice 1", CCID_OK},
        {"fault slow bulk-in 1 30", CCID_OK},
        {"fault silent 1", CCID_TIMEOUT},
        {"fault wrong-seq 1", CCID_TIMEOUT},
        {"fault wrong-slot 1", CCID_TIMEOUT},
        {"fault wrong-length 1", CCID_PROTOCOL},
        {"fault short bulk-in 1 5", CCID_PROTOCOL},
        {"fault stall bulk-in 1", CCID_READER_ERROR},
        {"fault stall bulk-out 1", CCID_READER_ERROR},
        {"fault babble bulk-in 1", CCID_PROTOCOL},
        {"fault berror 1 FB", CCID_READER_ERROR},
        {"fault berror 1 FD", CCID_CARD_ERROR},
        {"fault berror 1 F6", CCID_CARD_UNSUPPORTED},
        {"fault berror 1 E0", CCID_OK},
        {"fault sw 1 6F00", CCID_OK},
    };
    struct fixture *f = begin_powered(state);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sim_rig_do(f->rig, rows[i].fault);
        transmit(f, select_jpki, sizeof(select_jpki),
                 rows[i].result == CCID_TIMEOUT ? 300 : LONG_MS);
        WAIT_WHILE(f, f->done == 0);
        if (f->result != rows[i].result)
            fail_msg("%s: %s", rows[i].fault, ccid_result_name(f->result));
        f->done = 0;
        expect_works(f);
    }
    finish(f);
}

static void a_card_torn_out_in_a_command_is_told_as_removed(void **state)
{
    struct fixture *f = begin_powered(state);

    sim_rig_do(f->rig, "fault torn-in 1");
    transmit(f, select_jpki, sizeof(select_jpki), LONG_MS);
    wait_done(f, CCID_CARD_REMOVED);
    WAIT_WHILE(f, f->present != 0);
    sim_rig_do(f->rig, "insert plain");
    WAIT_WHILE(f, f->present != 1);
    ccid_power_on(f->reader, 0, in_ms(f, LONG_MS), on_done, f);
    wait_done(f, CCID_OK);
    expect_works(f);
    finish(f);
}

static void a_reader_unplugged_in_a_command_is_told_as_gone(void **state)
{
    struct fixture *f = begin_powered(state);

    sim_rig_do(f->rig, "fault unplug bulk-in 1");
    transmit(f, select_jpki, sizeof(select_jpki), LONG_MS);
    wait_done(f, CCID_READER_GONE);
    WAIT_WHILE(f, f->gone == 0);
    finish(f);
}

static void a_command_can_be_aborted(void **state)
{
    struct fixture *f = begin_powered(state);

    sim_rig_do(f->rig, "fault silent 1");
    transmit(f, select_jpki, sizeof(select_jpki), LONG_MS);
    turn_for(f, 20);
    ccid_abort(f->reader, 0);
    wait_done(f, CCID_CANCELLED);
    expect_works(f);
    finish(f);
}

static void a_reader_held_by_another_program_is_told_as_held(void **state)
{
    struct fixture *f = begin(state);

    if (f->transport == SIM_USBIP) {
        /* An import is exclusive: nobody else can hold it. */
        finish(f);
        return;
    }
    sim_rig_hold(f->rig, 0);
    f->reader = ccid_new(f->usb, 0);
    assert_non_null(f->reader);
    ccid_open(f->reader, in_ms(f, LONG_MS), on_done, f);
    wait_done(f, CCID_READER_HELD);
    finish(f);
}

/* -- camera ------------------------------------------------------------------------------------ */

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

    assert_true(frame->len > 4);
    assert_memory_equal(frame->data, "\xff\xd8", 2);
    if (f->frames++ == 0)
        f->troubles_before = f->troubles;
    f->sequence = frame->sequence;
    if (frame->flags != 0)
        f->flagged++;
    if (f->stop_after != 0 && f->frames >= f->stop_after)
        camera_stop(camera);
}

static void on_trouble(struct camera *camera, enum camera_trouble trouble, void *arg)
{
    struct fixture *f = arg;

    (void)camera;
    f->trouble = trouble;
    f->troubles++;
}

static const struct camera_listener listener = {on_started, on_frame, on_trouble};
static const struct camera_need need = {640, 480, 30, 2 * CLOCK_SECOND};

static struct fixture *begin_camera(void **state)
{
    struct fixture *f = begin(state);

    sim_rig_do(f->rig, "camera dark");
    f->camera = uvc_new(f->usb, 0);
    assert_non_null(f->camera);
    camera_listen(f->camera, &listener, f);
    return f;
}

static void start(struct fixture *f)
{
    assert_int_equal(camera_start(f->camera, &need, in_ms(f, LONG_MS)), 0);
    assert_true(camera_start(f->camera, &need, in_ms(f, LONG_MS)) < 0);
    WAIT_WHILE(f, f->started == 0 && f->troubles == 0);
    assert_int_equal(f->troubles, 0);
}

static void frames_come_while_wanted_and_only_then(void **state)
{
    struct fixture *f = begin_camera(state);
    unsigned frames;

    start(f);
    assert_int_equal(f->mode.width, 640);
    assert_int_equal(f->mode.height, 480);
    WAIT_WHILE(f, f->frames < 5);
    camera_stop(f->camera);
    frames = f->frames;
    turn_for(f, 150);
    assert_int_equal(f->frames, frames);
    assert_non_null(strstr(sim_rig_ask(f->rig, "status"), "alternate=0"));
    f->started = 0;
    start(f);
    WAIT_WHILE(f, f->frames < frames + 3);
    assert_int_equal(f->flagged, 0);
    assert_true(camera_counters(f->camera).frames >= 8);
    finish(f);
}

static void the_camera_may_be_stopped_inside_a_frame_and_started_again_at_once(void **state)
{
    struct fixture *f = begin_camera(state);

    f->stop_after = 2;
    start(f);
    WAIT_WHILE(f, f->frames < 2);
    f->started = 0;
    f->stop_after = 4;
    start(f);
    WAIT_WHILE(f, f->frames < 4);
    turn_for(f, 100);
    assert_int_equal(f->frames, 4);
    finish(f);
}

static void a_camera_without_pictures_is_told_as_silent(void **state)
{
    struct camera_need impatient = {640, 480, 30, 200 * CLOCK_MS};
    struct fixture *f = begin_camera(state);

    sim_rig_do(f->rig, "camera off");
    assert_int_equal(camera_start(f->camera, &impatient, in_ms(f, LONG_MS)), 0);
    WAIT_WHILE(f, f->troubles == 0);
    assert_string_equal(camera_trouble_name(f->trouble), "silent");
    turn_for(f, 600); /* told once, however long it lasts */
    sim_rig_do(f->rig, "camera dark");
    WAIT_WHILE(f, f->frames < 2);
    assert_int_equal(f->troubles_before, 1);
    finish(f);
}

static void broken_frames_are_dropped_and_the_next_ones_come(void **state)
{
    static const struct {
        const char *fault;
        uint64_t truncated; /* a part is missing; else it does not even begin like a picture */
    } rows[] = {{"fault camera-error 2", 1}, {"fault camera-header 2", 0}};
    struct fixture *f = begin_camera(state);

    start(f);
    WAIT_WHILE(f, f->frames < 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct camera_counters before = camera_counters(f->camera), after;
        unsigned frames;

        sim_rig_do(f->rig, rows[i].fault);
        /* Some that were on their way already come first. */
        WAIT_WHILE(f, camera_counters(f->camera).dropped == before.dropped);
        frames = f->frames;
        WAIT_WHILE(f, f->frames < frames + 2);
        after = camera_counters(f->camera);
        assert_int_equal(after.truncated - before.truncated, rows[i].truncated);
        assert_int_equal(after.dropped - before.dropped, 1);
    }
    finish(f);
}

static void a_frame_without_its_end_bit_ends_with_the_next_ones_beginning(void **state)
{
    struct fixture *f = begin_camera(state);

    start(f);
    WAIT_WHILE(f, f->frames < 1);
    sim_rig_do(f->rig, "fault camera-no-eof 1");
    WAIT_WHILE(f, f->frames < 5);
    assert_int_equal(camera_counters(f->camera).dropped, 0);
    assert_int_equal(f->sequence, f->frames - 1);
    finish(f);
}

static void a_truncated_frame_is_flagged(void **state)
{
    struct fixture *f = begin_camera(state);

    start(f);
    WAIT_WHILE(f, f->frames < 1);
    sim_rig_do(f->rig, "fault camera-truncate 1 200");
    WAIT_WHILE(f, f->flagged == 0); /* some that were on their way already come first */
    WAIT_WHILE(f, f->frames < 5);
    assert_int_equal(f->flagged, 1);
    assert_int_equal(camera_counters(f->camera).truncated, 1);
    finish(f);
}

static void an_unplugged_camera_is_told_as_gone(void **state)
{
    struct fixture *f = begin_camera(state);

    start(f);
    WAIT_WHILE(f, f->frames < 2);
    sim_rig_do(f->rig, "unplug");
    WAIT_WHILE(f, f->gone == 0 || f->troubles == 0);
    assert_int_equal(f->troubles, 1);
    assert_string_equal(camera_trouble_name(f->trouble), "gone");
    finish(f);
}

static void a_camera_that_refuses_is_told_so(void **state)
{
    struct fixture *f = begin_camera(state);

    sim_rig_do(f->rig, "fault stall control 1");
    sim_rig_do(f->rig, "fault stall control 2");
    sim_rig_do(f->rig, "fault stall control 3");
    assert_int_equal(camera_start(f->camera, &need, in_ms(f, LONG_MS)), 0);
    WAIT_WHILE(f, f->troubles == 0 && f->started == 0);
    assert_int_equal(f->started, 0);
    assert_string_equal(camera_trouble_name(f->trouble), "refused");
    /* and starts when asked again */
    sim_rig_do(f->rig, "faults off");
    f->troubles = 0;
    start(f);
    WAIT_WHILE(f, f->frames < 2);
    finish(f);
}

static void reader_and_camera_work_side_by_side(void **state)
{
    struct fixture *f = begin_powered(state);

    sim_rig_do(f->rig, "camera dark");
    f->camera = uvc_new(f->usb, 0);
    assert_non_null(f->camera);
    camera_listen(f->camera, &listener, f);
    start(f);
    for (unsigned i = 0; i < 20; i++)
        expect_works(f);
    WAIT_WHILE(f, f->frames < 5);
    assert_int_equal(f->flagged, 0);
    finish(f);
}

int main(void)
{
    static enum sim_transport libusb = SIM_LIBUSB, usbip = SIM_USBIP;
#define BOTH(test)                                                                                 \
    {#test " (libusb)", test, NULL, NULL, &libusb},                                                \
    {                                                                                              \
#test " (usbip)", test, NULL, NULL, &usbip                                                 \
    }
    const struct CMUnitTest tests[] = {
        BOTH(the_device_says_who_it_is),
        BOTH(a_control_request_is_answered_or_stalled),
        BOTH(a_silent_endpoint_times_out_at_its_deadline),
        BOTH(a_transfer_can_be_cancelled_or_freed_in_flight),
        BOTH(a_reset_is_carried_out_and_the_reader_works_on),
        BOTH(unplugging_ends_every_transfer_and_is_told_once),
        BOTH(unplugging_is_noticed_though_nothing_is_in_flight),
        BOTH(closing_with_transfers_in_flight_calls_nobody_back),
        BOTH(a_card_is_noticed_powered_and_asked),
        BOTH(a_long_answer_comes_in_blocks),
        BOTH(a_long_command_goes_in_blocks),
        BOTH(a_mute_card_is_told_as_mute),
        BOTH(a_fault_has_its_outcome_and_the_reader_goes_on),
        BOTH(a_card_torn_out_in_a_command_is_told_as_removed),
        BOTH(a_reader_unplugged_in_a_command_is_told_as_gone),
        BOTH(a_command_can_be_aborted),
        BOTH(a_reader_held_by_another_program_is_told_as_held),
        BOTH(frames_come_while_wanted_and_only_then),
        BOTH(the_camera_may_be_stopped_inside_a_frame_and_started_again_at_once),
        BOTH(a_camera_without_pictures_is_told_as_silent),
        BOTH(broken_frames_are_dropped_and_the_next_ones_come),
        BOTH(a_frame_without_its_end_bit_ends_with_the_next_ones_beginning),
        BOTH(a_truncated_frame_is_flagged),
        BOTH(an_unplugged_camera_is_told_as_gone),
        BOTH(a_camera_that_refuses_is_told_so),
        BOTH(reader_and_camera_work_side_by_side),
    };

    if (!umock_device_preloaded()) {
        fprintf(stderr, "run this with LD_PRELOAD=libumockdev-preload.so.0\n");
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
