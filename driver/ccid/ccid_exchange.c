/*
 * One message out, its answer in. Answers that are not for it (another sequence number or slot:
 * left over, late or twice) are dropped; a time extension only means "go on reading"; "slot busy"
 * means "the command was not carried out", so it is sent again a moment later. All within the
 * deadline.
 *
 * When an exchange ends without its answer the reader is out of step: ABORT by control pipe and by
 * message, then everything read away up to the abort's own answer (CCID 1.1, 5.3.1 and 6.1.13).
 */
#include <string.h>

#include "ccid_internal.h"
#include "daemon/common/clock.h"

#define REQUEST_ABORT 1u
#define BUSY_PAUSE_US (20 * CLOCK_MS)
/* A reader that noticed the card's leaving answers at once; one that did not is not waited for. */
#define LAST_WORD_US (300 * CLOCK_MS)
#define SYNC_BUDGET_US (1 * CLOCK_SECOND)

enum sync_step { SYNC_CONTROL, SYNC_SEND, SYNC_READ, SYNC_CLEAR_OUT, SYNC_CLEAR_IN };

size_t ccid_block_bytes(const struct ccid *ccid)
{
    return ccid->place.info.max_message - CCID_HEADER_BYTES;
}

static void wipe(struct usb_transfer *transfer, size_t len)
{
    explicit_bzero(transfer->data, len < transfer->capacity ? len : transfer->capacity);
}

static enum ccid_result result_of_usb(enum usb_status status)
{
    switch (status) {
    case USB_TIMEOUT:
        return CCID_TIMEOUT;
    case USB_CANCELLED:
        return CCID_CANCELLED;
    case USB_GONE:
        return CCID_READER_GONE;
    case USB_OVERFLOW:
        return CCID_PROTOCOL;
    default:
        return CCID_READER_ERROR;
    }
}

/* -- the exchange ------------------------------------------------------------------------------ */

static uint64_t exchange_deadline(const struct ccid *ccid)
{
    const struct ccid_operation *op = ccid->running;
    uint64_t step = clock_monotonic_us(ccid->clock) + op->step_us;

    return op->step_us != 0 && step < op->deadline_us ? step : op->deadline_us;
}

/* The message stands in out->data already. */
static void send_message(struct ccid *ccid, uint64_t deadline_us)
{
    ccid->out->kind = USB_BULK;
    ccid->out->endpoint = ccid->place.bulk_out;
    ccid->out->length = ccid->sent_len;
    ccid->out->deadline_us = deadline_us;
    usb_submit(ccid->out);
}

static void read_answer(struct ccid *ccid, uint64_t deadline_us)
{
    /* What was there before (a late answer may hold pieces of a photo) may be longer than what
     * comes. */
    wipe(ccid->in, ccid->in->actual);
    ccid->in->kind = USB_BULK;
    ccid->in->endpoint = ccid->place.bulk_in;
    ccid->in->length = ccid->in->capacity;
    ccid->in->deadline_us = deadline_us;
    usb_submit(ccid->in);
}

static bool put_message(struct ccid *ccid, const struct ccid_message *message)
{
    ccid->sent_type = message->type;
    ccid->sent_slot = message->slot;
    ccid->sent_len = ccid_message_put(message, ccid->out->data, ccid->out->capacity);
    return ccid->sent_len > 0;
}

void ccid_exchange(struct ccid *ccid, struct ccid_operation *op, enum ccid_command type,
                   const uint8_t specific[3], const uint8_t *data, size_t len, ccid_step_fn *step,
                   ccid_failed_fn *failed)
{
    struct ccid_message message = {
        .type = type, .slot = (uint8_t)op->asked, .seq = ++ccid->seq, .data = data, .len = len};

    op->step = step;
    op->failed = failed;
    op->notices = ccid->slots[op->asked].notices;
    if (specific != NULL)
        memcpy(message.specific, specific, sizeof(message.specific));
    if (!put_message(ccid, &message)) {
        ccid_end_later(ccid, op, CCID_INVALID);
        return;
    }
    ccid->phase = PHASE_SENDING;
    ccid->counters.commands++;
    send_message(ccid, exchange_deadline(ccid));
}

static void end_without_answer(struct ccid *ccid, enum ccid_result result)
{
    struct ccid_operation *op = ccid->running;

    if (result == CCID_CANCELLED && op->removed)
        result = CCID_CARD_REMOVED;
    else if (result == CCID_CANCELLED && !op->cancelled)
        result = CCID_TIMEOUT;
    wipe(ccid->out, ccid->sent_len);
    ccid->phase = PHASE_IDLE;
    ccid->out_of_step = result != CCID_READER_GONE;
    timer_stop(ccid->pause);
    if (op->again && result != CCID_READER_GONE && clock_left_us(ccid->clock, op->deadline_us) > 0)
        ccid_begin_again(ccid, op);
    else
        ccid_end(ccid, op, result, NULL, 0);
}

static void sync_out_done(struct ccid *ccid, enum usb_status status);
static void sync_in_done(struct ccid *ccid, enum usb_status status);

void ccid_on_out(struct usb_transfer *transfer, void *arg)
{
    struct ccid *ccid = arg;

    ccid_enter(ccid);
    if (ccid->phase == PHASE_SYNC) {
        sync_out_done(ccid, transfer->status);
    } else if (transfer->status == USB_OK && transfer->actual == transfer->length) {
        ccid->phase = PHASE_READING;
        read_answer(ccid, exchange_deadline(ccid));
    } else {
        if (transfer->status == USB_STALL)
            ccid->counters.stalls++;
        end_without_answer(ccid, transfer->status == USB_OK ? CCID_READER_ERROR
                                                            : result_of_usb(transfer->status));
    }
    ccid_leave(ccid);
}

/* Some readers (QEMU's, for one) refuse what they do not know with the plainest of all answers. */
static bool is_refusal(const struct ccid_answer *answer)
{
    return answer->type == CCID_SLOT_STATUS && answer->outcome == CCID_FAILED;
}

/* The whole answer of the message that was sent. */
static void take_answer(struct ccid *ccid, const struct ccid_answer *answer)
{
    struct ccid_operation *op = ccid->running;
    enum ccid_result result;

    if (answer->outcome == CCID_OUTCOME_RESERVED ||
        (answer->type != ccid_answer_type_for(ccid->sent_type) && !is_refusal(answer))) {
        end_without_answer(ccid, CCID_PROTOCOL);
        return;
    }
    result = ccid_answer_result(answer);
    if (result == CCID_BUSY && !op->cancelled) {
        ccid->phase = PHASE_PAUSE;
        (void)timer_set_after(ccid->pause, BUSY_PAUSE_US);
        return;
    }
    wipe(ccid->out, ccid->sent_len);
    timer_stop(ccid->pause);
    ccid->phase = PHASE_IDLE;
    /* An answer that set out before a card left or came does not know of it: the word of the
     * interrupt pipe, which came in between, is the later one. */
    if (answer->icc != CCID_ICC_RESERVED && ccid->slots[op->asked].notices == op->notices)
        ccid_slot_seen(ccid, op->asked, answer->icc != CCID_ICC_ABSENT, false);
    if (answer->icc == CCID_ICC_INACTIVE)
        ccid->slots[op->asked].powered = false;
    if (result == CCID_OK)
        op->step(ccid, op, answer);
    else if (op->failed != NULL)
        op->failed(ccid, op, result);
    else
        ccid_end(ccid, op, result, NULL, 0);
}

static bool is_for(const struct ccid *ccid, const struct ccid_answer *answer)
{
    return answer->seq == ccid->seq && answer->slot == ccid->sent_slot;
}

void ccid_on_in(struct usb_transfer *transfer, void *arg)
{
    struct ccid *ccid = arg;
    struct ccid_answer answer;
    bool complete;

    ccid_enter(ccid);
    complete = ccid_answer_parse(&answer, transfer->data, transfer->actual) == 0;
    if (ccid->phase == PHASE_SYNC) {
        sync_in_done(ccid, complete && is_for(ccid, &answer) ? USB_OK
                           : transfer->status == USB_OK      ? USB_BUSY
                                                             : transfer->status);
    } else if (transfer->status == USB_OK && transfer->actual == 0) {
        /* The end of an answer that filled its packets. */
        read_answer(ccid, exchange_deadline(ccid));
    } else if (transfer->status != USB_OK && !(transfer->status == USB_TIMEOUT && complete)) {
        if (transfer->status == USB_STALL)
            ccid->counters.stalls++;
        end_without_answer(ccid, result_of_usb(transfer->status));
    } else if (!complete) {
        end_without_answer(ccid, CCID_PROTOCOL);
    } else if (!is_for(ccid, &answer)) {
        ccid->counters.stale_answers++;
        read_answer(ccid, exchange_deadline(ccid));
    } else if (answer.outcome == CCID_TIME_EXTENSION) {
        ccid->counters.time_extensions++;
        read_answer(ccid, exchange_deadline(ccid));
    } else {
        ccid->counters.responses++;
        take_answer(ccid, &answer);
    }
    if (!usb_in_flight(transfer))
        wipe(transfer, transfer->actual);
    ccid_leave(ccid);
}

void ccid_on_pause(struct timer *timer, void *arg)
{
    struct ccid *ccid = arg;

    (void)timer;
    ccid_enter(ccid);
    if (ccid->phase == PHASE_PAUSE) {
        /* The same command, under a number of its own. */
        ccid->out->data[6] = ++ccid->seq;
        ccid->phase = PHASE_SENDING;
        ccid->counters.commands++;
        send_message(ccid, exchange_deadline(ccid));
    } else if (ccid->running != NULL) {
        ccid_interrupt_exchange(ccid);
    }
    ccid_leave(ccid);
}

void ccid_interrupt_exchange(struct ccid *ccid)
{
    if (ccid->phase == PHASE_SENDING) {
        usb_cancel(ccid->out);
    } else if (ccid->phase == PHASE_READING) {
        usb_cancel(ccid->in);
    } else if (ccid->phase == PHASE_PAUSE) {
        timer_stop(ccid->pause);
        wipe(ccid->out, ccid->sent_len);
        ccid->phase = PHASE_IDLE;
        ccid_end(ccid, ccid->running, ccid->running->cancelled ? CCID_CANCELLED : CCID_TIMEOUT,
                 NULL, 0);
    }
}

void ccid_exchange_card_gone(struct ccid *ccid)
{
    struct ccid_operation *op = ccid->running;

    if (op->removed || !op->had_card)
        return;
    op->removed = true;
    if (ccid->phase == PHASE_SENDING || ccid->phase == PHASE_READING)
        (void)timer_set_after(ccid->pause, LAST_WORD_US);
}

/* -- back in step ------------------------------------------------------------------------------ */

static uint64_t sync_deadline(struct ccid *ccid)
{
    return clock_monotonic_us(ccid->clock) + SYNC_BUDGET_US;
}

static void sync_end(struct ccid *ccid)
{
    ccid->sync_stalled = ccid->sync_again = false;
    ccid->phase = PHASE_IDLE;
    ccid->out_of_step = false;
    ccid_next(ccid);
}

void ccid_sync(struct ccid *ccid)
{
    struct usb_transfer *control = ccid->control;

    ccid->phase = PHASE_SYNC;
    ccid->sync_step = SYNC_CONTROL;
    ccid->counters.aborts++;
    ccid->seq++;
    control->kind = USB_CONTROL;
    control->length = 0;
    control->setup = (struct usb_setup){.request_type = 0x21, /* class, interface, out */
                                        .request = REQUEST_ABORT,
                                        .value = (uint16_t)(ccid->seq << 8 | ccid->sent_slot),
                                        .index = ccid->place.info.interface};
    control->deadline_us = sync_deadline(ccid);
    usb_submit(control);
}

/* Whether the reader knows the request (many do not, and stall it) or not: the message comes next.
 */
void ccid_on_control(struct usb_transfer *transfer, void *arg)
{
    struct ccid *ccid = arg;
    struct ccid_message message = {.type = CCID_ABORT, .slot = ccid->sent_slot, .seq = ccid->seq};

    (void)transfer;
    ccid_enter(ccid);
    if (ccid->phase == PHASE_SYNC && put_message(ccid, &message)) {
        ccid->sync_step = SYNC_SEND;
        send_message(ccid, sync_deadline(ccid));
    }
    ccid_leave(ccid);
}

/* Neither abort helped: both pipes are cleared, and sequence numbers must do the rest. */
static void on_cleared(struct usb *usb, enum usb_status status, void *arg)
{
    struct ccid *ccid = arg;

    (void)status;
    ccid_enter(ccid);
    if (ccid->sync_step == SYNC_CLEAR_OUT) {
        ccid->sync_step = SYNC_CLEAR_IN;
        usb_clear_halt(usb, ccid->place.bulk_in, sync_deadline(ccid), on_cleared, ccid);
    } else if (ccid->sync_stalled && !ccid->sync_again) {
        /* A halted pipe kept the abort's message back, while the reader has its request already. */
        ccid->sync_again = true;
        ccid_sync(ccid);
    } else {
        sync_end(ccid);
    }
    ccid_leave(ccid);
}

static void sync_clear(struct ccid *ccid, enum usb_status status)
{
    ccid->sync_stalled = status == USB_STALL;
    ccid->sync_step = SYNC_CLEAR_OUT;
    usb_clear_halt(ccid->usb, ccid->place.bulk_out, sync_deadline(ccid), on_cleared, ccid);
}

static void sync_out_done(struct ccid *ccid, enum usb_status status)
{
    if (status == USB_OK) {
        ccid->sync_step = SYNC_READ;
        read_answer(ccid, sync_deadline(ccid));
    } else {
        sync_clear(ccid, status);
    }
}

/* USB_BUSY: an answer, but not the abort's. */
static void sync_in_done(struct ccid *ccid, enum usb_status status)
{
    if (status == USB_OK) {
        sync_end(ccid);
    } else if (status == USB_BUSY) {
        ccid->counters.stale_answers++;
        read_answer(ccid, ccid->in->deadline_us);
    } else {
        sync_clear(ccid, status);
    }
}
