/* ccid channel: a card channel (driver/card/card_channel.h) over one slot of a CCID reader. */
#ifndef UKETSUKE_CCID_CHANNEL_H
#define UKETSUKE_CCID_CHANNEL_H

#include "driver/card/card_channel.h"

struct ccid;

struct ccid_channel {
    struct card_channel base; /* first: what the card engine gets */
    struct ccid *ccid;
    unsigned slot; /* may be changed while no request is under way */
    card_channel_fn *done;
    void *arg;
};

/* `ccid` is borrowed and open. */
void ccid_channel_init(struct ccid_channel *channel, struct ccid *ccid, unsigned slot);

#endif
