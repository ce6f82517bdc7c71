/*
 * A card reader whose every answer comes from the input, over the whole driver: descriptors, opening, power,
 * commands, notifications, stalls, unplugging, with operations begun in between. Each operation must end exactly
 * once, whatever the reader says, when its time is over.
 */
#include "fuzz_shortage.h"
#include "fuzz_usb.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/common/clock.h"
#include "driver/ccid/ccid.h"
#include "driver/ccid/ccid_descriptor.h"

#define SLOTS CCID_SLOTS_MAX

struct world {
    struct clock *clock;
    struct usb *usb;
    struct ccid *ccid;
    unsigned begun, ended;
    char told[SLOTS];
    bool open;
};

static void on_usb(struct usb *usb, enum usb_status status, void *arg)
{
    (void)usb;
    *(enum usb_status *)arg = status;
}

static void on_done(struct ccid *ccid, unsigned slot, enum ccid_result result, const uint8_t *data,
                    size_t len, void *arg)
{
    struct world *w = arg;
    uint8_t sum = 0;

    FUZZ_CHECK(ccid == w->ccid && slot < SLOTS);
    FUZZ_CHECK((unsigned)result < CCID_RESULT_COUNT);
    FUZZ_CHECK(result == CCID_OK || len == 0);
    for (size_t i = 0; i < len; i++)
        sum ^= data[i];
    w->ended += 1u + (sum & 0u);
    FUZZ_CHECK(w->ended <= w->begun);
}

static void on_open(struct ccid *ccid, unsigned slot, enum ccid_result result, const uint8_t *data,
                    size_t len, void *arg)
{
    struct world *w = arg;

    w->open = result == CCID_OK;
    on_done(ccid, slot, result, data, len, arg);
}

static void on_card(struct ccid *ccid, unsigned slot, bool present, void *arg)
{
    struct world *w = arg;

    FUZZ_CHECK(slot < SLOTS && w->ccid == ccid);
    /* Absent may also be told of a card that was exchanged; twice the same is never told. */
    FUZZ_CHECK(!present || ccid_card_present(ccid, slot));
    FUZZ_CHECK(w->told[slot] != (present ? 'y' : 'n'));
    w->told[slot] = present ? 'y' : 'n';
}

static void settle(struct world *w, uint64_t us)
{
    /* Some turns of the bus. */
    clock_advance(w->clock, us + 2 * CLOCK_MS);
}

/* An answer like a real one: its slot, number and length are those of the last message, the rest is the input's. */
static void answer_in_turn(struct world *w, struct fuzz_input *in)
{
    uint8_t bytes[4096];
    size_t len, sent_len;
    const uint8_t *sent = fuzz_usb_sent(w->usb, &sent_len), *data;
    unsigned what = fuzz_u8(in), status = fuzz_u8(in), error = fuzz_u8(in), chain = fuzz_u8(in);

    data = fuzz_piece(in, sizeof(bytes) - 10, &len);
    if (sent_len < 7)
        return;
    bytes[0] = sent[0] == 0x62 || sent[0] == 0x6f   ? 0x80
               : sent[0] == 0x61 || sent[0] == 0x6c ? 0x82
                                                    : 0x81;
    if (what >= 0xf0)
        bytes[0] = (uint8_t)what;
    bytes[1] = (uint8_t)len;
    bytes[2] = (uint8_t)(len >> 8);
    bytes[3] = bytes[4] = 0;
    bytes[5] = sent[5];
    bytes[6] = sent[6];
    bytes[7] = (uint8_t)status;
    bytes[8] = (uint8_t)error;
    bytes[9] = (uint8_t)chain;
    if (len > 0)
        memcpy(bytes + 10, data, len);
    fuzz_usb_answer(w->usb, USB_BULK, USB_OK, bytes, 10 + len);
}

static void operate(struct world *w, struct fuzz_input *in, unsigned what, unsigned slot)
{
    uint64_t deadline = clock_monotonic_us(w->clock) + (1 + fuzz_u8(in)) * 20 * CLOCK_MS;
    uint8_t *apdu;
    size_t len;

    w->begun++;
    switch (what) {
    case 0:
        ccid_power_on(w->ccid, slot, deadline, on_done, w);
        break;
    case 1:
        ccid_power_off(w->ccid, slot, deadline, on_done, w);
        break;
    case 2:
        ccid_slot_status(w->ccid, slot, deadline, on_done, w);
        break;
    default:
        fuzz_shortage_pause();
        apdu = fuzz_piece_copy(in, 2048, &len);
        fuzz_shortage_resume();
        ccid_transmit(w->ccid, slot, apdu, len, deadline, on_done, w);
        free(apdu);
        break;
    }
}

static void step(struct world *w, struct fuzz_input *in)
{
    unsigned what = fuzz_u8(in), slot = (what >> 4) % ccid_info(w->ccid)->slots;
    const uint8_t *data;
    size_t len;

    switch (what & 15) {
    case 0:
    case 1:
    case 2:
    case 3:
        if (w->open)
            operate(w, in, what & 15, slot);
        break;
    case 4:
        ccid_abort(w->ccid, slot);
        break;
    case 5:
        data = fuzz_piece(in, 4096, &len);
        fuzz_usb_answer(w->usb, USB_BULK, USB_OK, data, len);
        break;
    case 6:
        data = fuzz_piece(in, 64, &len);
        fuzz_usb_answer(w->usb, USB_INTERRUPT, USB_OK, data, len);
        break;
    case 7:
        fuzz_usb_answer(w->usb, (what & 16) != 0 ? USB_BULK : USB_INTERRUPT,
                        (enum usb_status)(fuzz_u8(in) % USB_STATUS_COUNT), NULL, 0);
        break;
    case 8:
        settle(w, fuzz_u8(in) * 10 * CLOCK_MS);
        break;
    case 9:
        fuzz_usb_refuse(w->usb, (enum usb_status)(fuzz_u8(in) % USB_STATUS_COUNT),
                        (enum usb_status)(fuzz_u8(in) % USB_STATUS_COUNT), USB_OK);
        break;
    case 10:
        fuzz_usb_unplug(w->usb);
        break;
    case 11:
        if (!w->open && w->begun == w->ended) {
            w->begun++;
            ccid_open(w->ccid, clock_monotonic_us(w->clock) + CLOCK_SECOND, on_open, w);
        }
        break;
    default:
        answer_in_turn(w, in);
        break;
    }
    settle(w, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, (fuzz_shortage_take(data, &size), size)};
    struct world w = {.clock = clock_new_simulated(0, 0)};
    enum usb_status started = USB_STATUS_COUNT;
    uint8_t device[18] = {18, 1, 0, 2, 0, 0, 0, 64, 0x4c, 0x05, 0xc8, 0x0d, 0, 1, 1, 2, 3, 1};
    const uint8_t *config;
    size_t len;

    device[8] = fuzz_u8(&in);
    device[9] = fuzz_u8(&in);
    device[10] = fuzz_u8(&in);
    device[11] = fuzz_u8(&in);
    config = fuzz_piece(&in, 512, &len);
    w.usb = fuzz_usb_new(w.clock, device, config, len);
    usb_start(w.usb, CLOCK_SECOND, on_usb, &started);
    for (unsigned i = 0; i < 20 && started == USB_STATUS_COUNT; i++)
        settle(&w, 100 * CLOCK_MS);
    FUZZ_CHECK(started != USB_STATUS_COUNT);
    fuzz_shortage_arm();
    if (started == USB_OK && ccid_count(w.usb) > 0)
        w.ccid = ccid_new(w.usb, 0);
    if (w.ccid != NULL) {
        ccid_on_card(w.ccid, on_card, &w);
        w.begun = 1;
        ccid_open(w.ccid, clock_monotonic_us(w.clock) + CLOCK_SECOND, on_open, &w);
        settle(&w, 0);
        while (in.left > 0)
            step(&w, &in);
        if (size > 0 && (data[size - 1] & 1) != 0) {
            /* No operation outlives its deadline, nor the abort that follows it. */
            for (unsigned i = 0; i < 200; i++)
                settle(&w, 100 * CLOCK_MS);
            FUZZ_CHECK(w.begun == w.ended);
        }
    }
    (void)fuzz_shortage_disarm();
    ccid_free(&w.ccid);
    usb_free(&w.usb);
    clock_free(&w.clock);
    return 0;
}

/* Power on, SELECT, an answer in two blocks, a time extension, a card lifted. */
static void visit(struct fuzz_seed *seed)
{
    /* opening: the slot's state */
    for (unsigned i = 0; i < 3; i++)
        seed_hex(seed, "0c 00 01 00 00 0000");
    seed_hex(seed, "06 0200 50 03");
    seed_hex(seed, "00 20 0c 00 00 00 00");
    seed_piece_hex(seed, "3b e0 00 ff 81 31 fe 45 14");
    seed_hex(seed, "0c 00 00 00 00 0000");
    seed_hex(seed, "03 20");
    seed_piece_hex(seed, "00 a4 04 0c 0a d3 92 f0 00 26 01 00 00 00 01");
    seed_hex(seed, "0c 00 80 02 00 0000 0c 00 00 00 01");
    seed_piece_hex(seed, "01 02 03");
    seed_hex(seed, "0c 00 00 00 02");
    seed_piece_hex(seed, "90 00");
    seed_hex(seed, "03 20");
    seed_piece_hex(seed, "00 b0 00 00 00");
    seed_hex(seed, "08 ff 17 03 0c 00 40 fe 00 0000 06 0200 50 02 01 10 0c 00 02 00 00 0000 01");
}

void fuzz_seeds(void)
{
    static struct fuzz_seed seed;
    /* dwFeatures: extended APDU, short APDU, TPDU, short APDU with everything by hand */
    static const char *const features[][2] = {{"extended", "7e000400"},
                                              {"short", "7e000200"},
                                              {"tpdu", "7e000100"},
                                              {"by_hand", "72000200"},
                                              {"character", "02000000"}};

    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
        seed_hex(&seed, "4c05 c80d");
        seed_hex(&seed, "5d00 09 02 5d00 01 01 00 80 32 09 04 00 00 03 0b 00 00 00 36 21 1001 00 "
                        "07 03000000 a00f0000"
                        "a00f0000 00 c2a50000 c2a50000 00 fe000000 00000000 00000000");
        seed_hex(&seed, features[i][1]);
        seed_hex(&seed, "0f010000 ff ff 0000 00 01 07 05 02 02 0002 00 07 05 81 02 0002 00 07 05 "
                        "83 03 0800 10");
        visit(&seed);
        seed_write(&seed, features[i][0]);
    }
}
