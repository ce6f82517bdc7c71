/*
 * ccid: smart-card readers of the USB class CCID (and old vendor-class ones known by quirk).
 *
 * Over a started `struct usb` (usb.h). It hides messages, sequence numbers, time extensions,
 * chaining of long APDUs and recovery from stalls; it does not look into APDUs. Source of all
 * numbers: the USB-IF CCID specification, revision 1.1.
 *
 * - One operation at a time per slot; a second one ends with CCID_BUSY. Slots share the bulk pipes,
 * so operations of different slots queue behind each other, each against its own deadline.
 * - Every operation ends in its callback exactly once, never from inside the call that started it.
 * - Deadlines are absolute, on usb_clock(); a reader that asks for more time gets it, but never
 * past the deadline.
 * - After CCID_TIMEOUT and CCID_CANCELLED the reader is brought back in step by the abort sequence
 *   before the next operation; after CCID_CARD_REMOVED power on again when a card is announced.
 */
#ifndef UKETSUKE_CCID_H
#define UKETSUKE_CCID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ccid;
struct usb;

enum ccid_result {
    CCID_OK,
    CCID_NO_CARD, /* nothing in the slot, or on it */
    CCID_MUTE, /* a card that does not answer to power or a command: wrong way round, or broken */
    CCID_CARD_REMOVED, /* it was there when the operation began */
    CCID_CARD_ERROR,   /* electrical or coding trouble between reader and card: try again, clean,
                          re-seat */
    CCID_CARD_UNSUPPORTED, /* a card whose protocol this reader or driver cannot speak */
    CCID_NOT_POWERED,      /* transmit before power on, or the reader lost the card's power */
    CCID_BUSY,             /* the slot has an operation already, or the reader says so */
    CCID_TIMEOUT,          /* the deadline passed */
    CCID_CANCELLED,        /* ccid_abort() */
    CCID_READER_GONE,      /* unplugged */
    CCID_READER_HELD,      /* ccid_open(): another program holds the interface (pcscd) */
    CCID_READER_ERROR,     /* the reader reports a fault of its own, or refuses the command */
    CCID_PROTOCOL,         /* the reader's answer cannot be right */
    CCID_INVALID,          /* the caller's APDU or slot is not possible with this reader */
    CCID_PIN_CANCELLED,    /* at the reader's PIN pad; nothing was sent to the card */
    CCID_PIN_TIMEOUT,      /* nobody keyed it in in time; nothing was sent to the card */
    CCID_RESULT_COUNT
};

/* A short lower-case word for logs. */
const char *ccid_result_name(enum ccid_result result);

/* How the host and the reader exchange APDUs (dwFeatures bits 16..18). */
enum ccid_level {
    CCID_LEVEL_CHARACTER,
    CCID_LEVEL_TPDU,
    CCID_LEVEL_SHORT_APDU,
    CCID_LEVEL_EXTENDED_APDU
};

/* Longest command (header, extended Lc, 65535 bytes, extended Le) and longest answer (65536 + SW).
 */
#define CCID_APDU_COMMAND_MAX 65544u
#define CCID_APDU_RESPONSE_MAX 65538u

#define CCID_PIN_SUPPORT_VERIFY 1u

/* What the reader says about itself. */
struct ccid_info {
    uint16_t vendor, product, release;
    const char *name; /* from the table of known readers, or "CCID reader" */
    uint8_t interface;
    unsigned slots;
    enum ccid_level level;
    uint32_t features;  /* dwFeatures */
    uint32_t protocols; /* bit 0 T=0, bit 1 T=1 */
    uint8_t voltages;   /* 1: 5 V, 2: 3 V, 4: 1.8 V */
    uint32_t max_message;
    uint32_t max_ifsd;
    uint8_t pin_support; /* bPINSupport: CCID_PIN_SUPPORT_VERIFY, 2 modify */
    bool has_interrupt;  /* else slots are polled */
    bool vendor_class;   /* class 0xFF, known by quirk */
};

/* How many CCID interfaces the started device has. */
unsigned ccid_count(struct usb *usb);

/*
 * A driver for the `nth` CCID interface (0 = first). `usb` is borrowed and must outlive it.
 * NULL and errno: ENODEV no such interface, EPROTO a descriptor that cannot be, ENOTSUP an exchange
 * level this driver has no row for, ENOMEM.
 */
struct ccid *ccid_new(struct usb *usb, unsigned nth);

/* Drops what is running without callbacks, releases the interface. Accepts and stores NULL. */
void ccid_free(struct ccid **ccid);

const struct ccid_info *ccid_info(const struct ccid *ccid);

/*
 * The outcome of an operation. `data` (ATR, or response with SW1 SW2 at its end) is borrowed for
 * the time of the callback and wiped after it; NULL and 0 where there is none or the result is not
 * CCID_OK.
 */
typedef void ccid_done_fn(struct ccid *ccid, unsigned slot, enum ccid_result result,
                          const uint8_t *data, size_t len, void *arg);

/*
 * Claims the interface, brings the reader in step (abort, stale answers thrown away), asks each
 * slot's state and starts the slot-change notification. CCID_READER_HELD, _GONE, _TIMEOUT,
 * _PROTOCOL. `slot` in the callback is 0. May be called again after a failure.
 */
void ccid_open(struct ccid *ccid, uint64_t deadline_us, ccid_done_fn *done, void *arg);

/*
 * Card laid on or taken off, per slot. Called after ccid_open() succeeded for every slot once, then
 * at each change. A card exchanged so quickly that it is present again is told as absent, then
 * present.
 */
typedef void ccid_card_fn(struct ccid *ccid, unsigned slot, bool present, void *arg);
void ccid_on_card(struct ccid *ccid, ccid_card_fn *changed, void *arg);
bool ccid_card_present(const struct ccid *ccid, unsigned slot);

/* Voltages are tried from the lowest that the reader has, unless it chooses by itself. Data: the
 * ATR. */
void ccid_power_on(struct ccid *ccid, unsigned slot, uint64_t deadline_us, ccid_done_fn *done,
                   void *arg);
void ccid_power_off(struct ccid *ccid, unsigned slot, uint64_t deadline_us, ccid_done_fn *done,
                    void *arg);

/*
 * One command APDU (at least 4 bytes; copied, wiped afterwards), one response APDU (at least SW1
 * SW2). 61xx and 6Cxx are the caller's business, but for cards that speak T=0 with a reader of the
 * TPDU level: there they belong to the protocol and are settled here.
 *
 * After CCID_CARD_ERROR the command may have been carried out; it is never repeated from here once
 * it was sent whole. The card may have lost its power by then.
 */
void ccid_transmit(struct ccid *ccid, unsigned slot, const uint8_t *apdu, size_t len,
                   uint64_t deadline_us, ccid_done_fn *done, void *arg);

#define CCID_PIN_DIGITS_MAX 8u

/*
 * The same for a VERIFY whose data the reader takes from its own PIN pad: exactly `digits` digits
 * (1 to CCID_PIN_DIGITS_MAX), sent to the card as ASCII behind `header` (CLA INS P1 P2) and Lc. For
 * readers whose bPINSupport has bit 0; else CCID_INVALID. CCID_READER_ERROR: the reader refused and
 * showed nothing. The reader is told to wait until shortly before the deadline.
 */
void ccid_verify_pin(struct ccid *ccid, unsigned slot, const uint8_t header[4], unsigned digits,
                     uint64_t deadline_us, ccid_done_fn *done, void *arg);

/* Asks the reader: CCID_OK a card is there, CCID_NO_CARD none. */
void ccid_slot_status(struct ccid *ccid, unsigned slot, uint64_t deadline_us, ccid_done_fn *done,
                      void *arg);

/*
 * Ends the slot's operation early: its callback comes with CCID_CANCELLED (or with the real outcome
 * if that was quicker). No-op when the slot is idle.
 */
void ccid_abort(struct ccid *ccid, unsigned slot);

struct ccid_counters {
    uint64_t commands, responses, time_extensions, stale_answers, aborts, stalls, slot_changes;
};
struct ccid_counters ccid_counters(const struct ccid *ccid);

#endif
