/*
 * ccid_rig: a CCID reader played message by message on a simulated clock (mock_usb), and what the
 * caller hears. Messages are composed by hand after USB-IF CCID 1.1, chapter 6. The first sequence
 * number is 1, because the clock begins at 0; ccid_rig_begin_open() uses 1, and
 * ccid_rig_begin_powered() 1 and 2.
 */
#ifndef CCID_RIG_H
#define CCID_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/common/clock.h"
#include "driver/ccid/ccid.h"
#include "mock_usb.h"

#define DEVICE "12 01 0002 00 00 00 40 4c05 c80d 0001 01 02 03 01"
#define PIPES "07 05 02 02 0002 00 07 05 81 02 0002 00 "
#define INTERRUPT "07 05 83 03 0800 10 "
/* slots-1, features, max message */
#define CLASS(slots, features, max)                                                                \
    "36 21 1001 " slots                                                                            \
    " 07 02000000 a00f0000 a00f0000 00 c2a50000 c2a50000 00 fe000000 00000000 "                    \
    "00000000 " features " " max " ff ff 0000 00 01 "
#define CONFIG(endpoints, class)                                                                   \
    "09 02 5d00 01 01 00 80 32 09 04 00 00 " endpoints " 0b 00 00 00 " class PIPES

/* an extended-APDU reader with blocks of 64 bytes */
#define EXTENDED CONFIG("03", CLASS("00", "7e000400", "4a000000")) INTERRUPT
#define SHORT_LEVEL CONFIG("03", CLASS("00", "7e000200", "4a000000")) INTERRUPT
#define HAND_VOLTAGE CONFIG("03", CLASS("00", "72000400", "4a000000")) INTERRUPT
#define TWO_SLOTS CONFIG("03", CLASS("01", "7e000400", "4a000000")) INTERRUPT
/* its total is 7 bytes shorter */
#define NO_INTERRUPT                                                                               \
    "09 02 5600 01 01 00 80 32 09 04 00 00 02 0b 00 00 00 " CLASS("00", "7e000400", "4a000000")    \
        PIPES

#define ATR "3b e0 00 ff 81 31 fe 45 14"

struct call {
    enum ccid_result result;
    unsigned count;
    uint8_t data[256];
    size_t len;
    uint64_t at_us;
};

struct ccid_rig {
    struct clock *clock;
    struct usb *usb;
    struct ccid *reader;
    struct call call;
    char cards[64]; /* "+0" laid on slot 0, "-0" taken off */
};

/* The question for the PIN's tries, and its answer: 3 left. */
#define QUERY "00 20 00 80"

void ccid_rig_on_done(struct ccid *ccid, unsigned slot, enum ccid_result result,
                      const uint8_t *data, size_t len, void *arg);
/* For usb_start(): the status into *arg. */
void ccid_rig_on_usb(struct usb *usb, enum usb_status status, void *arg);
uint64_t ccid_rig_in_ms(const struct ccid_rig *f, unsigned ms);
void ccid_rig_pass(struct ccid_rig *f, unsigned ms);
struct ccid_rig *ccid_rig_begin(const char *config);
void ccid_rig_finish(struct ccid_rig *f);
void ccid_rig_script(struct ccid_rig *f, const struct mock_exchange *lines);
void ccid_rig_expect(struct ccid_rig *f, enum ccid_result result, const char *data);
void ccid_rig_expect_played(struct ccid_rig *f);
struct ccid_rig *ccid_rig_begin_open(const char *config);
struct ccid_rig *ccid_rig_begin_powered(const char *config);
void ccid_rig_transmit(struct ccid_rig *f, const char *hex, unsigned ms);

#endif
