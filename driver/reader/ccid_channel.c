#include "ccid_channel.h"

#include <string.h>

#include "driver/ccid/ccid.h"

/* CCID header and status word: what an answer needs beside its data in one message. */
#define MESSAGE_OVERHEAD 12u
#define READ_SHORT 256u
#define READ_PAYS (READ_SHORT * 3 / 2)
#define READ_MOST 32767u

static const enum card_link links[CCID_RESULT_COUNT] = {
    [CCID_OK] = CARD_LINK_OK,
    [CCID_NO_CARD] = CARD_LINK_NO_CARD,
    [CCID_MUTE] = CARD_LINK_MUTE,
    [CCID_CARD_REMOVED] = CARD_LINK_REMOVED,
    [CCID_CARD_ERROR] = CARD_LINK_TROUBLE,
    [CCID_CARD_UNSUPPORTED] = CARD_LINK_UNSUPPORTED,
    /* It was powered when the operation began: its power went, as it does when it is lifted for a moment. */
    [CCID_NOT_POWERED] = CARD_LINK_REMOVED,
    [CCID_BUSY] = CARD_LINK_READER_PROTOCOL,
    [CCID_TIMEOUT] = CARD_LINK_TIMEOUT,
    [CCID_CANCELLED] = CARD_LINK_CANCELLED,
    [CCID_READER_GONE] = CARD_LINK_READER_LOST,
    [CCID_READER_HELD] = CARD_LINK_READER_HELD,
    [CCID_READER_ERROR] = CARD_LINK_READER_PROTOCOL,
    [CCID_PROTOCOL] = CARD_LINK_READER_PROTOCOL,
    [CCID_INVALID] = CARD_LINK_READER_PROTOCOL,
    [CCID_PIN_CANCELLED] = CARD_LINK_PAD_CANCELLED,
    [CCID_PIN_TIMEOUT] = CARD_LINK_PAD_TIMEOUT,
};

static void on_done(struct ccid *ccid, unsigned slot, enum ccid_result result, const uint8_t *data,
                    size_t len, void *arg)
{
    struct ccid_channel *c = arg;
    card_channel_fn *done = c->done;

    (void)ccid;
    (void)slot;
    c->done = NULL;
    done(c->arg, links[result], data, len);
}

/* A reader that announces a pad and refuses it is one without: the PIN is keyed in on the screen from now on. */
static void on_verified(struct ccid *ccid, unsigned slot, enum ccid_result result,
                        const uint8_t *data, size_t len, void *arg)
{
    struct ccid_channel *c = arg;
    card_channel_fn *done = c->done;

    if (result != CCID_READER_ERROR && result != CCID_INVALID) {
        on_done(ccid, slot, result, data, len, arg);
        return;
    }
    c->base.pin_pad = false;
    c->done = NULL;
    done(c->arg, CARD_LINK_PAD_REFUSED, NULL, 0);
}

static struct ccid_channel *begin(struct card_channel *channel, card_channel_fn *done, void *arg)
{
    struct ccid_channel *c = (struct ccid_channel *)channel;

    c->done = done;
    c->arg = arg;
    return c;
}

static void power_on(struct card_channel *channel, uint64_t deadline_us, card_channel_fn *done,
                     void *arg)
{
    struct ccid_channel *c = begin(channel, done, arg);

    ccid_power_on(c->ccid, c->slot, deadline_us, on_done, c);
}

static void power_off(struct card_channel *channel, uint64_t deadline_us, card_channel_fn *done,
                      void *arg)
{
    struct ccid_channel *c = begin(channel, done, arg);

    ccid_power_off(c->ccid, c->slot, deadline_us, on_done, c);
}

static void transmit(struct card_channel *channel, const uint8_t *apdu, size_t len,
                     uint64_t deadline_us, card_channel_fn *done, void *arg)
{
    struct ccid_channel *c = begin(channel, done, arg);

    ccid_transmit(c->ccid, c->slot, apdu, len, deadline_us, on_done, c);
}

static void verify_at_pad(struct card_channel *channel, const uint8_t header[4], unsigned digits,
                          uint64_t deadline_us, card_channel_fn *done, void *arg)
{
    struct ccid_channel *c = begin(channel, done, arg);

    ccid_verify_pin(c->ccid, c->slot, header, digits, deadline_us, on_verified, c);
}

static void abort_request(struct card_channel *channel)
{
    struct ccid_channel *c = (struct ccid_channel *)channel;

    ccid_abort(c->ccid, c->slot);
}

static const struct card_channel_ops ops = {.power_on = power_on,
                                            .power_off = power_off,
                                            .transmit = transmit,
                                            .verify_at_pad = verify_at_pad,
                                            .abort = abort_request};

void ccid_channel_init(struct ccid_channel *channel, struct ccid *ccid, unsigned slot)
{
    const struct ccid_info *info = ccid_info(ccid);

    memset(channel, 0, sizeof(*channel));
    channel->base.ops = &ops;
    channel->base.read_max = READ_SHORT;
    channel->base.pin_pad = (info->pin_support & CCID_PIN_SUPPORT_VERIFY) != 0;
    /* An extended read pays when much more than a short one fits in a single message (no block chaining then): the
     * four bytes that an AU9540 could carry more are not worth an APDU that some cards refuse. */
    if (info->level == CCID_LEVEL_EXTENDED_APDU &&
        info->max_message >= READ_PAYS + MESSAGE_OVERHEAD) {
        channel->base.read_max = info->max_message - MESSAGE_OVERHEAD;
        if (channel->base.read_max > READ_MOST)
            channel->base.read_max = READ_MOST;
    }
    channel->ccid = ccid;
    channel->slot = slot;
}
