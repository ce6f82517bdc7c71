/*
 * A camera that lies, over the whole driver: descriptors, probe and commit, isochronous or bulk streaming, stops and
 * starts, silence, unplugging. The listener hears started() or trouble() for each start, and nothing after a stop.
 */
#include "fuzz_shortage.h"
#include "fuzz_usb.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/common/clock.h"
#include "driver/uvc/uvc.h"

struct world {
    struct clock *clock;
    struct usb *usb;
    struct camera *camera;
    bool wanted;  /* between start and stop or an ending trouble */
    bool running; /* started() came */
    unsigned stop_in_frame;
};

static void on_usb(struct usb *usb, enum usb_status status, void *arg)
{
    (void)usb;
    *(enum usb_status *)arg = status;
}

static void on_started(struct camera *camera, const struct camera_mode *mode, void *arg)
{
    struct world *w = arg;

    FUZZ_CHECK(camera == w->camera && mode != NULL);
    FUZZ_CHECK(w->wanted && !w->running);
    w->running = true;
}

static void on_frame(struct camera *camera, const struct camera_frame *frame, void *arg)
{
    struct world *w = arg;
    volatile uint8_t last;

    FUZZ_CHECK(w->wanted && w->running);
    FUZZ_CHECK(frame->len >= 2 && frame->data[0] == 0xff && frame->data[1] == 0xd8);
    last = frame->data[frame->len - 1];
    (void)last;
    if (w->stop_in_frame > 0 && --w->stop_in_frame == 0) {
        camera_stop(camera);
        w->wanted = w->running = false;
    }
}

static void on_trouble(struct camera *camera, enum camera_trouble trouble, void *arg)
{
    struct world *w = arg;

    FUZZ_CHECK(camera == w->camera && (unsigned)trouble < CAMERA_TROUBLE_COUNT &&
               trouble != CAMERA_OK);
    if (trouble == CAMERA_SILENT) {
        FUZZ_CHECK(w->running);
        return;
    }
    FUZZ_CHECK(w->wanted);
    w->wanted = w->running = false;
}

static const struct camera_listener listener = {
    .started = on_started, .frame = on_frame, .trouble = on_trouble};

static void settle(struct world *w, uint64_t us)
{
    /* Some turns of the bus. */
    clock_advance(w->clock, us + 2 * CLOCK_MS);
}

static void step(struct world *w, struct fuzz_input *in)
{
    unsigned what = fuzz_u8(in);
    struct camera_need need = {.silence_us = CLOCK_SECOND};
    const uint8_t *data;
    size_t len;

    switch (what % 10) {
    case 0:
        need.width = fuzz_u16(in);
        need.height = fuzz_u16(in);
        need.fps = fuzz_u8(in);
        if (camera_start(w->camera, &need, clock_monotonic_us(w->clock) + CLOCK_SECOND) == 0) {
            FUZZ_CHECK(!w->wanted);
            w->wanted = true;
        }
        break;
    case 1:
        camera_stop(w->camera);
        w->wanted = w->running = false;
        break;
    case 2:
        data = fuzz_piece(in, 64, &len);
        fuzz_usb_control(w->usb, data, len);
        break;
    case 3:
        fuzz_usb_refuse(w->usb, USB_OK, (enum usb_status)(fuzz_u8(in) % USB_STATUS_COUNT),
                        (enum usb_status)(fuzz_u8(in) % USB_STATUS_COUNT));
        break;
    case 4:
        settle(w, fuzz_u8(in) * 20 * CLOCK_MS);
        break;
    case 5:
        data = fuzz_piece(in, 8192, &len);
        fuzz_usb_answer(w->usb, USB_BULK, USB_OK, data, len);
        break;
    case 6:
        fuzz_usb_answer(w->usb, (what & 16) != 0 ? USB_BULK : USB_ISOCHRONOUS,
                        (enum usb_status)(fuzz_u8(in) % USB_STATUS_COUNT), NULL, 0);
        break;
    case 7:
        w->stop_in_frame = fuzz_u8(in) % 4;
        break;
    case 8:
        if (fuzz_u8(in) == 0xff)
            fuzz_usb_unplug(w->usb);
        break;
    default:
        fuzz_usb_answer_packets(w->usb, in);
        break;
    }
    settle(w, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t device[18] = {18,   1,    0, 2, 0xef, 2, 1, 64, 0x09,
                                       0x12, 0x02, 0, 0, 1,    1, 2, 3,  1};
    struct fuzz_input in = {data, (fuzz_shortage_take(data, &size), size)};
    struct world w = {.clock = clock_new_simulated(0, 0)};
    enum usb_status started = USB_STATUS_COUNT;
    const uint8_t *config;
    size_t len;

    config = fuzz_piece(&in, 1024, &len);
    w.usb = fuzz_usb_new(w.clock, device, config, len);
    usb_start(w.usb, CLOCK_SECOND, on_usb, &started);
    for (unsigned i = 0; i < 20 && started == USB_STATUS_COUNT; i++)
        settle(&w, 100 * CLOCK_MS);
    FUZZ_CHECK(started != USB_STATUS_COUNT);
    fuzz_shortage_arm();
    if (started == USB_OK && uvc_count(w.usb) > 0)
        w.camera = uvc_new(w.usb, 0);
    if (w.camera != NULL) {
        camera_listen(w.camera, &listener, &w);
        while (in.left > 0)
            step(&w, &in);
        /* A start is answered by its deadline. */
        settle(&w, 5 * CLOCK_SECOND);
        FUZZ_CHECK(!w.wanted || w.running);
        camera_free(&w.camera);
    }
    (void)fuzz_shortage_disarm();
    usb_free(&w.usb);
    clock_free(&w.clock);
    return 0;
}

void fuzz_seeds(void)
{
    static struct fuzz_seed seed;
    static const char probe[] =
        "00 01 01 15160500 0000 0000 0000 0000 00 00 00000800 000c0000 006cdc02 03 00 00 00";

    for (unsigned bulk = 0; bulk < 2; bulk++) {
        seed_piece_hex(
            &seed, bulk ? "09 02 6600 02 01 00 80 32 09 04 00 00 00 0e 01 00 00 0d 24 01 1001 0d00 "
                          "006cdc02 01 01"
                          "09 04 01 00 01 0e 02 00 00 0e 24 01 01 0000 81 00 02 00 00 01 00 00"
                          "0b 24 06 01 01 01 01 00 00 00 00"
                          "1e 24 07 01 00 8002 e001 00000000 00000000 00600900 15160500 01 15160500"
                          "07 05 81 02 4000 00"
                        : "09 02 6f00 02 01 00 80 32 09 04 00 00 00 0e 01 00 00 0d 24 01 1001 0d00 "
                          "006cdc02 01 01"
                          "09 04 01 00 00 0e 02 00 00 0e 24 01 01 0000 82 00 02 00 00 01 00 00"
                          "0b 24 06 01 01 01 01 00 00 00 00"
                          "1e 24 07 01 00 8002 e001 00000000 00000000 00600900 15160500 01 15160500"
                          "09 04 01 01 01 0e 02 00 00 07 05 82 05 0014 01");
        seed_u8(&seed, 2);
        seed_piece_hex(&seed, probe);
        seed_hex(&seed, "00 8002 e001 0f 04 01 07 00");
        for (unsigned i = 0; i < 3; i++) {
            seed_u8(&seed, bulk ? 5 : 9);
            if (bulk) {
                seed_piece_hex(&seed, i % 2 ? "02 82 11 ff d9" : "02 80 ff d8 ff e0");
            } else {
                seed_u8(&seed, 0);
                seed_piece_hex(&seed, "02 80 ff d8 ff e0");
                seed_u8(&seed, 0);
                seed_piece_hex(&seed, "02 82 11 ff d9");
                seed_u8(&seed, 0xe1);
                seed_piece_hex(&seed, "");
            }
        }
        seed_hex(&seed, "04 ff 01 00 4001 f000 0f 08 ff");
        seed_write(&seed, bulk ? "bulk" : "isochronous");
    }
}
