/*
 * ccid_internal: what the files of driver/ccid/ share. Nobody else includes it.
 *
 *   ccid.c           the public functions, opening, slots and their notification
 *   ccid_exchange.c  one message out and its answer in; bringing the reader back in step
 *   ccid_operation.c the queue of operations, and their ends
 *   ccid_power.c     power on, power off, slot status
 *   ccid_apdu.c      the level table; the APDU levels
 *   ccid_tpdu.c      the TPDU level: protocol, speed and parameters after power on; T=1 and T=0
 *   ccid_secure.c    the reader's PIN pad
 */
#ifndef UKETSUKE_CCID_INTERNAL_H
#define UKETSUKE_CCID_INTERNAL_H

#include "atr.h"
#include "ccid.h"
#include "ccid_descriptor.h"
#include "ccid_message.h"
#include "driver/usb/usb.h"
#include "t0.h"
#include "t1.h"

struct timer;
struct ccid_operation;

/* The next step of an operation, with an answer that did not fail. */
typedef void ccid_step_fn(struct ccid *ccid, struct ccid_operation *op,
                          const struct ccid_answer *answer);
/* A step that wants to see failures too; NULL: a failure ends the operation. */
typedef void ccid_failed_fn(struct ccid *ccid, struct ccid_operation *op, enum ccid_result result);

/* How APDUs are exchanged at one level. */
struct ccid_level_row {
    enum ccid_level level;
    const char *name;
    /* Begins op's transmit: op->command holds the APDU. Ends it by ccid_end(). */
    void (*transmit)(struct ccid *ccid, struct ccid_operation *op);
    /* Settles what is to be settled after the answer to reset (in slot->atr), then says so by
     * ccid_power_ready() or ccid_power_unusable(). NULL: nothing. */
    void (*powered)(struct ccid *ccid, struct ccid_operation *op);
};

/* NULL for a level without a row. */
const struct ccid_level_row *ccid_level_find(enum ccid_level level);

struct ccid_operation {
    struct ccid *ccid;
    unsigned slot;
    unsigned asked; /* the slot its messages are for: the same, but while opening */
    uint64_t deadline_us;
    ccid_done_fn *done; /* NULL: our own doing (polling) */
    void *arg;
    void (*begin)(struct ccid *ccid, struct ccid_operation *op);
    struct timer *timer;
    struct ccid_operation *next;

    uint64_t step_us; /* 0, or the most that one exchange may take */
    bool again;       /* nothing is lost by beginning anew after an exchange without answer */
    bool had_card;    /* the slot held one when it began */
    bool cancelled;   /* ccid_abort() */
    bool removed;     /* the slot said so while it ran */
    unsigned notices; /* of the slot, when the present message was sent */
    bool ended;       /* only its callback is missing */
    enum ccid_result result;

    uint8_t *command; /* the APDU; NULL for the others */
    size_t command_len;
    size_t command_sent;
    uint8_t *response; /* put together from several blocks; NULL until the first */
    size_t response_len;
    unsigned voltage;          /* power on: which row is tried */
    enum ccid_result worst;    /* power on: what the voltages before have said */
    bool no_pps;               /* power on: the card did not take one */
    enum ccid_result unusable; /* power on: why the card is being powered off again */

    ccid_step_fn *step;
    ccid_failed_fn *failed;
};

/* The card in the slot, as it was powered on: for levels at which the host speaks with it. */
struct ccid_card {
    struct atr atr;
    uint8_t protocol; /* 0 or 1 */
    uint8_t speed;    /* as TA1 */
    bool pps_made;
    struct t1 t1;
    struct t0 t0;
};

struct ccid_slot {
    bool present;
    bool told_present; /* what the listener knows */
    bool told;         /* it knows anything */
    bool swapped;      /* gone and back between two looks */
    bool powered;
    bool notified;             /* the reader has said something about it by itself */
    unsigned notices;          /* how often */
    struct ccid_operation *op; /* queued or running */
    uint8_t atr[ATR_MAX];
    size_t atr_len;
    struct ccid_card card;
};

enum ccid_phase {
    PHASE_CLOSED,
    PHASE_IDLE,    /* open, nothing on the bulk pipes */
    PHASE_SENDING, /* a message goes out */
    PHASE_READING, /* waiting for its answer */
    PHASE_PAUSE,   /* the slot was busy: the message is sent again in a moment */
    PHASE_SYNC,    /* being brought back in step */
};

struct ccid {
    struct usb *usb;
    struct clock *clock;
    struct ccid_place place;
    const struct ccid_level_row *level;
    struct usb_transfer *out, *in, *interrupt, *control;
    struct timer *pause; /* slot busy; a removed card's last word */
    struct timer *poll;  /* readers without an interrupt pipe */
    struct timer *later; /* callbacks from the loop */
    ccid_card_fn *card_fn;
    void *card_arg;
    struct ccid_slot slots[CCID_SLOTS_MAX];
    struct ccid_operation *queue; /* waiting, oldest first */
    struct ccid_operation *running;
    struct ccid_operation *ended; /* callbacks to be made from the loop */
    struct ccid_operation *spare; /* made beforehand, so that no memory is asked for in a visit */

    enum ccid_phase phase;
    bool claiming;
    bool open;
    bool claimed;
    bool out_of_step;
    bool polled; /* the interrupt pipe is missing, or has failed for good */
    unsigned interrupt_failures;
    unsigned sync_step;
    bool sync_stalled;  /* a pipe was halted, which may have been the only trouble */
    bool sync_again;    /* the second try */
    unsigned open_slot; /* which slot ccid_open() asks now */

    /* what was sent last */
    enum ccid_command sent_type;
    uint8_t sent_slot;
    uint8_t seq;
    size_t sent_len;

    unsigned depth;
    bool dead;
    struct ccid_counters counters;
};

/* Every entry from outside stands between these two; leave may free. */
void ccid_enter(struct ccid *ccid);
void ccid_leave(struct ccid *ccid);

/* -- ccid_operation.c -------------------------------------------------------------------------- */
/* Makes what is needed for each slot's operation and a few that are refused. 0 or -ENOMEM. */
int ccid_operations_prepare(struct ccid *ccid);
/* NULL when the slot is not there or has one already; the callback with the reason is then on its
 * way. */
struct ccid_operation *ccid_operation_new(struct ccid *ccid, unsigned slot, uint64_t deadline_us,
                                          ccid_done_fn *done, void *arg,
                                          void (*begin)(struct ccid *, struct ccid_operation *));
/* Queue it; it begins from here when the reader is free. */
void ccid_operation_go(struct ccid *ccid, struct ccid_operation *op);
/* End the running operation with a result; `data` is borrowed and wiped by the caller of the
 * callback. */
void ccid_end(struct ccid *ccid, struct ccid_operation *op, enum ccid_result result,
              const uint8_t *data, size_t len);
/* The same from the loop, for what is found wrong before anything was sent. */
void ccid_end_later(struct ccid *ccid, struct ccid_operation *op, enum ccid_result result);
/* Begin what is next, when nothing runs. */
void ccid_next(struct ccid *ccid);
void ccid_call_later(struct ccid *ccid);
void ccid_report_ended(struct ccid *ccid);
void ccid_operations_drop(struct ccid *ccid);
/* Put the running operation back to the head of the queue. */
void ccid_begin_again(struct ccid *ccid, struct ccid_operation *op);
/* Append a block to op->response. False: too long, or no memory. */
bool ccid_response_add(struct ccid_operation *op, const uint8_t *data, size_t len);

/* -- ccid_exchange.c --------------------------------------------------------------------------- */
/* Send one message for the running operation; the answer arrives at `step`. */
void ccid_exchange(struct ccid *ccid, struct ccid_operation *op, enum ccid_command type,
                   const uint8_t specific[3], const uint8_t *data, size_t len, ccid_step_fn *step,
                   ccid_failed_fn *failed);
/* Room for data in one message. */
size_t ccid_block_bytes(const struct ccid *ccid);
void ccid_on_out(struct usb_transfer *transfer, void *arg);
void ccid_on_in(struct usb_transfer *transfer, void *arg);
void ccid_on_control(struct usb_transfer *transfer, void *arg);
void ccid_on_pause(struct timer *timer, void *arg);
/* Stop waiting: the operation ends as cancelled, removed or timed out. */
void ccid_interrupt_exchange(struct ccid *ccid);
/* The card has gone while an exchange with it runs: the reader gets a moment to say so itself. */
void ccid_exchange_card_gone(struct ccid *ccid);
void ccid_sync(struct ccid *ccid);

/* -- ccid.c ------------------------------------------------------------------------------------ */
void ccid_slot_seen(struct ccid *ccid, unsigned slot, bool present, bool changed);
void ccid_tell_slots(struct ccid *ccid);

/* -- ccid_power.c ------------------------------------------------------------------------------ */
void ccid_power_on_begin(struct ccid *ccid, struct ccid_operation *op);
void ccid_power_off_begin(struct ccid *ccid, struct ccid_operation *op);
void ccid_status_begin(struct ccid *ccid, struct ccid_operation *op);
/* From a level's `powered`: the card may be used; it may not; off and on again, at the same
 * voltage. */
void ccid_power_ready(struct ccid *ccid, struct ccid_operation *op);
void ccid_power_unusable(struct ccid *ccid, struct ccid_operation *op, enum ccid_result result);
void ccid_power_again(struct ccid *ccid, struct ccid_operation *op);

/* -- ccid_apdu.c ------------------------------------------------------------------------------- */
void ccid_transmit_begin(struct ccid *ccid, struct ccid_operation *op);
void ccid_short_apdu_transmit(struct ccid *ccid, struct ccid_operation *op);
void ccid_extended_apdu_transmit(struct ccid *ccid, struct ccid_operation *op);
/* SW1 SW2 at least, or CCID_PROTOCOL. */
void ccid_end_with_response(struct ccid *ccid, struct ccid_operation *op, const uint8_t *data,
                            size_t len);

/* -- ccid_tpdu.c ------------------------------------------------------------------------------- */
void ccid_tpdu_transmit(struct ccid *ccid, struct ccid_operation *op);
void ccid_tpdu_powered(struct ccid *ccid, struct ccid_operation *op);
/* Does what the T=1 machine of op's slot says. */
void ccid_t1_go_on(struct ccid *ccid, struct ccid_operation *op, enum t1_next next);

/* -- ccid_secure.c ----------------------------------------------------------------------------- */
/* op->command: header, Lc, and as many bytes as digits. */
void ccid_verify_pin_begin(struct ccid *ccid, struct ccid_operation *op);

#endif
