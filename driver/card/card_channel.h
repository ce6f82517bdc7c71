/*
 * card channel: the wire to one card, as the card layer sees it. A CCID reader, a scripted test and a
 * fuzzer stand behind it alike.
 *
 * - One request at a time. Each ends in its callback exactly once, by its deadline (absolute,
 *   clock_monotonic_us), and never from inside the call that started it.
 * - The APDU is copied by the call; data in the callback are borrowed for its time.
 * - Status words 61xx and 6Cxx are passed on as they come.
 */
#ifndef UKETSUKE_CARD_CHANNEL_H
#define UKETSUKE_CARD_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct card_channel;

enum card_link {
    CARD_LINK_OK,
    CARD_LINK_NO_CARD,       /* nothing there */
    CARD_LINK_MUTE,          /* a card that does not answer: wrong way round, or broken */
    CARD_LINK_REMOVED,       /* it was there when the request began, or lost its power since */
    CARD_LINK_TROUBLE,       /* electrical or coding trouble: lay it on again */
    CARD_LINK_UNSUPPORTED,   /* a chip whose protocol the reader cannot speak */
    CARD_LINK_TIMEOUT,       /* the deadline passed */
    CARD_LINK_CANCELLED,     /* abort() was in time */
    CARD_LINK_READER_LOST,   /* unplugged */
    CARD_LINK_READER_HELD,   /* another program has it */
    CARD_LINK_PAD_CANCELLED, /* at the PIN pad; the card was sent nothing */
    CARD_LINK_PAD_TIMEOUT,   /* nobody keyed it in; the card was sent nothing */
    CARD_LINK_PAD_REFUSED, /* the reader has no use for what it was asked; the card was sent nothing */
    CARD_LINK_READER_PROTOCOL, /* the reader's answer cannot be right, or it reports a fault */
    CARD_LINK_COUNT
};

typedef void card_channel_fn(void *arg, enum card_link link, const uint8_t *data, size_t len);

struct card_channel_ops {
    /* Reset the card; all rights on the chip are gone. Data: the answer to reset. */
    void (*power_on)(struct card_channel *channel, uint64_t deadline_us, card_channel_fn *done,
                     void *arg);
    void (*power_off)(struct card_channel *channel, uint64_t deadline_us, card_channel_fn *done,
                      void *arg);
    void (*transmit)(struct card_channel *channel, const uint8_t *apdu, size_t len,
                     uint64_t deadline_us, card_channel_fn *done, void *arg);
    /* A VERIFY whose `digits` digits the reader takes from its own pad and appends to CLA INS P1 P2 and Lc. */
    void (*verify_at_pad)(struct card_channel *channel, const uint8_t header[4], unsigned digits,
                          uint64_t deadline_us, card_channel_fn *done, void *arg);
    /* Ask for an early end of the request under way; its callback still comes. */
    void (*abort)(struct card_channel *channel);
};

/* The head of every implementation. */
struct card_channel {
    const struct card_channel_ops *ops;
    /* Most bytes worth asking for by one READ BINARY: 256, or more where extended lengths pay. */
    size_t read_max;
    bool pin_pad; /* verify_at_pad() may be called; false again when the reader has refused it */
};

#endif
