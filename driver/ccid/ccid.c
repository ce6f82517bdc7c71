#include "ccid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ccid_internal.h"
#include "daemon/common/clock.h"
#include "quirks.h"

/* A reader answers a question about its slots at once; one that does not is brought in step and
 * asked again, within the deadline of ccid_open(). */
#define OPEN_STEP_US (1 * CLOCK_SECOND)
#define POLL_US (500 * CLOCK_MS)
#define INTERRUPT_FAILURES_MAX 5u
/* Room for answers of readers that send more than they say they do. */
#define ANSWER_BYTES_MIN 1024u

/* -- finding ----------------------------------------------------------------------------------- */

static int find_place(struct usb *usb, unsigned nth, struct ccid_place *place)
{
    const struct ccid_quirk *quirk = ccid_quirk_find(usb_vendor(usb), usb_product(usb));
    struct usb_config *config = malloc(sizeof(*config));
    const uint8_t *bytes;
    size_t len;
    int r = -ENOMEM;

    if (config == NULL)
        return r;
    bytes = usb_config_bytes(usb, &len);
    /* A configuration that cannot be read has no reader in it, not one bad reader after the other.
     */
    r = bytes != NULL && usb_config_parse(config, bytes, len) == 0 ? 0 : -ENODEV;
    if (r == 0)
        r = ccid_place_find(config, quirk != NULL ? quirk->flags : 0, nth, place);
    free(config);
    if (r < 0)
        return r;
    place->info.vendor = usb_vendor(usb);
    place->info.product = usb_product(usb);
    place->info.release = usb_release_bcd(usb);
    place->info.name = quirk != NULL ? quirk->name : "CCID reader";
    return 0;
}

unsigned ccid_count(struct usb *usb)
{
    struct ccid_place place;
    unsigned count = 0;
    int r;

    while ((r = find_place(usb, count, &place)) == 0 || r == -EPROTO)
        count++;
    return count;
}

/* -- life -------------------------------------------------------------------------------------- */

static void destroy(struct ccid *ccid)
{
    usb_forget(ccid->usb, ccid);
    usb_transfer_free(&ccid->out);
    usb_transfer_free(&ccid->in);
    usb_transfer_free(&ccid->interrupt);
    usb_transfer_free(&ccid->control);
    ccid_operations_drop(ccid);
    timer_free(&ccid->pause);
    timer_free(&ccid->poll);
    timer_free(&ccid->later);
    if (ccid->claimed)
        usb_release(ccid->usb, ccid->place.info.interface);
    free(ccid);
}

void ccid_enter(struct ccid *ccid)
{
    ccid->depth++;
}

void ccid_leave(struct ccid *ccid)
{
    if (--ccid->depth == 0 && ccid->dead)
        destroy(ccid);
}

void ccid_free(struct ccid **ccid)
{
    struct ccid *it = *ccid;

    if (it == NULL)
        return;
    *ccid = NULL;
    it->dead = true;
    if (it->depth == 0)
        destroy(it);
}

static void on_later(struct timer *timer, void *arg)
{
    struct ccid *ccid = arg;

    (void)timer;
    ccid_enter(ccid);
    ccid_report_ended(ccid);
    ccid_tell_slots(ccid);
    ccid_next(ccid);
    ccid_leave(ccid);
}

static void on_interrupt(struct usb_transfer *transfer, void *arg);
static void on_poll(struct timer *timer, void *arg);

/* Whole packets, so that a device which fills its last one does not overflow. */
static size_t answer_capacity(const struct ccid_place *place)
{
    size_t packet = place->bulk_in_packet;
    size_t bytes = place->info.max_message;

    if (bytes < ANSWER_BYTES_MIN)
        bytes = ANSWER_BYTES_MIN;
    return (bytes + packet - 1) / packet * packet;
}

struct ccid *ccid_new(struct usb *usb, unsigned nth)
{
    struct ccid *ccid = calloc(1, sizeof(*ccid));
    int r = -ENOMEM;

    if (ccid == NULL)
        goto fail;
    ccid->usb = usb;
    ccid->clock = usb_clock(usb);
    r = find_place(usb, nth, &ccid->place);
    if (r < 0)
        goto fail;
    ccid->level = ccid_level_find(ccid->place.info.level);
    r = -ENOTSUP;
    if (ccid->level == NULL)
        goto fail;
    ccid->polled = !ccid->place.info.has_interrupt;
    /* Answers to an earlier owner of the reader may still lie in its pipe: begin where they are
     * not. */
    ccid->seq = (uint8_t)(clock_monotonic_us(ccid->clock) / CLOCK_MS);
    r = -ENOMEM;
    ccid->out = usb_transfer_new(usb, ccid->place.info.max_message, 0, ccid_on_out, ccid);
    ccid->in = usb_transfer_new(usb, answer_capacity(&ccid->place), 0, ccid_on_in, ccid);
    ccid->control = usb_transfer_new(usb, 0, 0, ccid_on_control, ccid);
    ccid->interrupt = usb_transfer_new(usb, ccid->place.interrupt_bytes, 0, on_interrupt, ccid);
    ccid->pause = timer_new(ccid->clock, ccid_on_pause, ccid);
    ccid->poll = timer_new(ccid->clock, on_poll, ccid);
    ccid->later = timer_new(ccid->clock, on_later, ccid);
    if (ccid->out == NULL || ccid->in == NULL || ccid->control == NULL || ccid->interrupt == NULL ||
        ccid->pause == NULL || ccid->poll == NULL || ccid->later == NULL ||
        ccid_operations_prepare(ccid) < 0)
        goto fail;
    return ccid;

fail:
    if (ccid != NULL)
        destroy(ccid);
    errno = -r;
    return NULL;
}

const struct ccid_info *ccid_info(const struct ccid *ccid)
{
    return &ccid->place.info;
}

struct ccid_counters ccid_counters(const struct ccid *ccid)
{
    return ccid->counters;
}

/* -- slots ------------------------------------------------------------------------------------- */

void ccid_on_card(struct ccid *ccid, ccid_card_fn *changed, void *arg)
{
    ccid->card_fn = changed;
    ccid->card_arg = arg;
}

bool ccid_card_present(const struct ccid *ccid, unsigned slot)
{
    return slot < ccid->place.info.slots && ccid->slots[slot].present;
}

void ccid_slot_seen(struct ccid *ccid, unsigned index, bool present, bool changed)
{
    struct ccid_slot *slot = &ccid->slots[index];

    if (present == slot->present && !changed)
        return;
    /* Also one that left a moment ago, when nobody was told yet. */
    if (present && (slot->present || (slot->told && slot->told_present)))
        slot->swapped = true;
    slot->present = present;
    slot->powered = false;
    ccid->counters.slot_changes++;
    ccid_call_later(ccid);
}

static void tell(struct ccid *ccid, unsigned index, bool present)
{
    struct ccid_slot *slot = &ccid->slots[index];

    if (ccid->dead || (slot->told && slot->told_present == present))
        return;
    slot->told = true;
    slot->told_present = present;
    if (ccid->card_fn != NULL)
        ccid->card_fn(ccid, index, present, ccid->card_arg);
}

void ccid_tell_slots(struct ccid *ccid)
{
    for (unsigned i = 0; ccid->open && !ccid->dead && i < ccid->place.info.slots; i++) {
        if (ccid->slots[i].swapped) {
            ccid->slots[i].swapped = false;
            tell(ccid, i, false);
        }
        tell(ccid, i, ccid->slots[i].present);
    }
}

static void listen(struct ccid *ccid)
{
    ccid->interrupt->kind = USB_INTERRUPT;
    ccid->interrupt->endpoint = ccid->place.interrupt_in;
    ccid->interrupt->length = ccid->interrupt->capacity;
    ccid->interrupt->deadline_us = CLOCK_NEVER;
    usb_submit(ccid->interrupt);
}

static void watch_slots(struct ccid *ccid)
{
    if (ccid->polled)
        (void)timer_set_after(ccid->poll, POLL_US);
    else if (!usb_in_flight(ccid->interrupt))
        listen(ccid);
}

/* Ask each slot that nobody speaks with; one with an operation is told of by its answers. */
static void ask_slots(struct ccid *ccid)
{
    for (unsigned i = 0; i < ccid->place.info.slots && !usb_is_gone(ccid->usb); i++) {
        struct ccid_operation *op;

        if (ccid->slots[i].op != NULL)
            continue;
        op = ccid_operation_new(ccid, i, clock_monotonic_us(ccid->clock) + OPEN_STEP_US, NULL, NULL,
                                ccid_status_begin);
        if (op != NULL)
            ccid_operation_go(ccid, op);
    }
}

/*
 * What the pipe should have said is not known: whether a card came or went meanwhile is asked. A
 * pipe that brings nothing of use again and again is as good as none.
 */
static void notice_lost(struct ccid *ccid)
{
    if (++ccid->interrupt_failures >= INTERRUPT_FAILURES_MAX)
        ccid->polled = true;
    ask_slots(ccid);
}

static void on_notified(struct ccid *ccid)
{
    bool present, changed;

    if (!ccid_notify_covers(ccid->interrupt->data, ccid->interrupt->actual,
                            ccid->place.info.slots)) {
        /* A hardware notice (over-current, for one) says nothing about presence, and is no failure.
         */
        if (ccid_notify_is_hardware(ccid->interrupt->data, ccid->interrupt->actual))
            ask_slots(ccid);
        else
            notice_lost(ccid);
        return;
    }
    ccid->interrupt_failures = 0;
    for (unsigned i = 0; i < ccid->place.info.slots; i++) {
        struct ccid_slot *slot = &ccid->slots[i];

        if (!ccid_notify_slot(ccid->interrupt->data, ccid->interrupt->actual, i, &present,
                              &changed))
            continue;
        /* The first word of most readers is what we have just asked them. */
        if (!slot->notified && present == slot->present)
            changed = false;
        slot->notified = true;
        slot->notices++;
        ccid_slot_seen(ccid, i, present, changed && present);
        if ((!present || changed) && ccid->running != NULL && ccid->running->slot == i)
            ccid_exchange_card_gone(ccid);
    }
}

static void on_interrupt_cleared(struct usb *usb, enum usb_status status, void *arg)
{
    struct ccid *ccid = arg;

    (void)usb;
    ccid_enter(ccid);
    if (status != USB_GONE) {
        notice_lost(ccid);
        watch_slots(ccid);
    }
    ccid_leave(ccid);
}

static void on_interrupt(struct usb_transfer *transfer, void *arg)
{
    struct ccid *ccid = arg;

    ccid_enter(ccid);
    if (transfer->status == USB_OK) {
        on_notified(ccid);
        watch_slots(ccid);
    } else if (transfer->status != USB_GONE) {
        if (transfer->status == USB_STALL)
            ccid->counters.stalls++;
        usb_clear_halt(ccid->usb, ccid->place.interrupt_in,
                       clock_monotonic_us(ccid->clock) + OPEN_STEP_US, on_interrupt_cleared, ccid);
    }
    ccid_leave(ccid);
}

static void on_poll(struct timer *timer, void *arg)
{
    struct ccid *ccid = arg;

    (void)timer;
    ccid_enter(ccid);
    ask_slots(ccid);
    if (!usb_is_gone(ccid->usb))
        watch_slots(ccid);
    ccid_leave(ccid);
}

/* -- opening ----------------------------------------------------------------------------------- */

static void ask_slot(struct ccid *ccid, struct ccid_operation *op);

static void next_slot(struct ccid *ccid, struct ccid_operation *op)
{
    if (++ccid->open_slot < ccid->place.info.slots) {
        ask_slot(ccid, op);
        return;
    }
    ccid->open = true;
    watch_slots(ccid);
    ccid_call_later(ccid);
    ccid_end(ccid, op, CCID_OK, NULL, 0);
}

static void on_slot(struct ccid *ccid, struct ccid_operation *op, const struct ccid_answer *answer)
{
    (void)answer; /* its state of the slot has been noted already */
    next_slot(ccid, op);
}

static void on_slot_failed(struct ccid *ccid, struct ccid_operation *op, enum ccid_result result)
{
    if (result == CCID_NO_CARD || result == CCID_MUTE)
        next_slot(ccid, op);
    else
        ccid_end(ccid, op, result, NULL, 0);
}

static void ask_slot(struct ccid *ccid, struct ccid_operation *op)
{
    op->had_card = false;
    op->asked = ccid->open_slot;
    ccid_exchange(ccid, op, CCID_GET_SLOT_STATUS, NULL, NULL, 0, on_slot, on_slot_failed);
}

static void open_begin(struct ccid *ccid, struct ccid_operation *op)
{
    ccid->open_slot = 0;
    ask_slot(ccid, op);
}

static void open_failed(struct ccid *ccid, enum usb_status status)
{
    static const enum ccid_result results[USB_STATUS_COUNT] = {
        [USB_TIMEOUT] = CCID_TIMEOUT,
        [USB_GONE] = CCID_READER_GONE,
        [USB_BUSY] = CCID_READER_HELD,
    };
    struct ccid_operation *op = ccid->slots[0].op;

    if (op != NULL)
        ccid_end(ccid, op, results[status] != CCID_OK ? results[status] : CCID_READER_ERROR, NULL,
                 0);
}

static void on_claimed(struct usb *usb, enum usb_status status, void *arg)
{
    struct ccid *ccid = arg;

    (void)usb;
    ccid_enter(ccid);
    ccid->claiming = false;
    ccid->claimed = status == USB_OK;
    if (status != USB_OK) {
        open_failed(ccid, status);
    } else {
        ccid->phase = PHASE_IDLE;
        ccid_next(ccid);
    }
    ccid_leave(ccid);
}

void ccid_open(struct ccid *ccid, uint64_t deadline_us, ccid_done_fn *done, void *arg)
{
    struct ccid_operation *op = ccid_operation_new(ccid, 0, deadline_us, done, arg, open_begin);

    if (op == NULL)
        return;
    op->again = true;
    op->step_us = OPEN_STEP_US;
    ccid_operation_go(ccid, op);
    if (ccid->claimed || ccid->claiming)
        return;
    ccid->claiming = true;
    usb_claim(ccid->usb, ccid->place.info.interface, deadline_us, on_claimed, ccid);
}

/* -- operations -------------------------------------------------------------------------------- */

/* For callers from outside: the reader must be open. */
static struct ccid_operation *new_operation(struct ccid *ccid, unsigned slot, uint64_t deadline_us,
                                            ccid_done_fn *done, void *arg,
                                            void (*begin)(struct ccid *, struct ccid_operation *))
{
    struct ccid_operation *op = ccid_operation_new(ccid, slot, deadline_us, done, arg, begin);

    if (op == NULL || ccid->open)
        return op;
    ccid_end_later(ccid, op, CCID_BUSY);
    return NULL;
}

static void start(struct ccid *ccid, unsigned slot, uint64_t deadline_us, ccid_done_fn *done,
                  void *arg, void (*begin)(struct ccid *, struct ccid_operation *))
{
    struct ccid_operation *op = new_operation(ccid, slot, deadline_us, done, arg, begin);

    if (op != NULL)
        ccid_operation_go(ccid, op);
}

void ccid_power_on(struct ccid *ccid, unsigned slot, uint64_t deadline_us, ccid_done_fn *done,
                   void *arg)
{
    start(ccid, slot, deadline_us, done, arg, ccid_power_on_begin);
}

void ccid_power_off(struct ccid *ccid, unsigned slot, uint64_t deadline_us, ccid_done_fn *done,
                    void *arg)
{
    start(ccid, slot, deadline_us, done, arg, ccid_power_off_begin);
}

void ccid_slot_status(struct ccid *ccid, unsigned slot, uint64_t deadline_us, ccid_done_fn *done,
                      void *arg)
{
    start(ccid, slot, deadline_us, done, arg, ccid_status_begin);
}

void ccid_transmit(struct ccid *ccid, unsigned slot, const uint8_t *apdu, size_t len,
                   uint64_t deadline_us, ccid_done_fn *done, void *arg)
{
    struct ccid_operation *op =
        new_operation(ccid, slot, deadline_us, done, arg, ccid_transmit_begin);

    if (op == NULL)
        return;
    if (len < 4 || len > CCID_APDU_COMMAND_MAX) {
        ccid_end_later(ccid, op, CCID_INVALID);
        return;
    }
    op->command = malloc(len);
    if (op->command == NULL) {
        ccid_end_later(ccid, op, CCID_READER_ERROR);
        return;
    }
    memcpy(op->command, apdu, len);
    op->command_len = len;
    ccid_operation_go(ccid, op);
}

void ccid_verify_pin(struct ccid *ccid, unsigned slot, const uint8_t header[4], unsigned digits,
                     uint64_t deadline_us, ccid_done_fn *done, void *arg)
{
    struct ccid_operation *op =
        new_operation(ccid, slot, deadline_us, done, arg, ccid_verify_pin_begin);

    if (op == NULL)
        return;
    if ((ccid->place.info.pin_support & CCID_PIN_SUPPORT_VERIFY) == 0 || digits == 0 ||
        digits > CCID_PIN_DIGITS_MAX) {
        ccid_end_later(ccid, op, CCID_INVALID);
        return;
    }
    op->command_len = 5 + digits;
    op->command = malloc(op->command_len);
    if (op->command == NULL) {
        /* Not "the reader refused": it has a pad all the same. */
        ccid_end_later(ccid, op, CCID_BUSY);
        return;
    }
    memcpy(op->command, header, 4);
    op->command[4] = (uint8_t)digits;
    /* Where the reader puts the digits: nothing that a card could take for a PIN. */
    memset(op->command + 5, 0xff, digits);
    ccid_operation_go(ccid, op);
}

void ccid_abort(struct ccid *ccid, unsigned slot)
{
    struct ccid_operation *op = slot < ccid->place.info.slots ? ccid->slots[slot].op : NULL;

    if (op == NULL)
        return;
    op->cancelled = true;
    if (ccid->running == op)
        ccid_interrupt_exchange(ccid);
    else
        ccid_end_later(ccid, op, CCID_CANCELLED);
}
