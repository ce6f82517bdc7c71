#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ccid_internal.h"
#include "daemon/common/clock.h"

#define REFUSED_SPARE 4u

static void wipe_buffers(struct ccid_operation *op)
{
    if (op->command != NULL) {
        explicit_bzero(op->command, op->command_len);
        free(op->command);
    }
    if (op->response != NULL) {
        explicit_bzero(op->response, op->response_len);
        free(op->response);
    }
}

/* Back to where it came from. */
static void operation_free(struct ccid *ccid, struct ccid_operation *op)
{
    struct timer *timer = op->timer;

    wipe_buffers(op);
    timer_stop(timer);
    memset(op, 0, sizeof(*op));
    op->timer = timer;
    op->next = ccid->spare;
    ccid->spare = op;
}

void ccid_call_later(struct ccid *ccid)
{
    if (timer_deadline(ccid->later) == CLOCK_NEVER && timer_set_after(ccid->later, 0) < 0)
        abort();
}

static void queue_remove(struct ccid *ccid, struct ccid_operation *op)
{
    struct ccid_operation **at = &ccid->queue;

    while (*at != NULL && *at != op)
        at = &(*at)->next;
    if (*at == op)
        *at = op->next;
    op->next = NULL;
}

static void append(struct ccid_operation **at, struct ccid_operation *op)
{
    while (*at != NULL)
        at = &(*at)->next;
    op->next = NULL;
    *at = op;
}

static void on_deadline(struct timer *timer, void *arg)
{
    struct ccid_operation *op = arg;
    struct ccid *ccid = op->ccid;

    (void)timer;
    ccid_enter(ccid);
    if (ccid->running == op)
        ccid_interrupt_exchange(ccid);
    else if (!op->ended)
        ccid_end(ccid, op, CCID_TIMEOUT, NULL, 0);
    ccid_leave(ccid);
}

static struct ccid_operation *operation_make(struct ccid *ccid)
{
    struct ccid_operation *op = calloc(1, sizeof(*op));

    if (op == NULL)
        return NULL;
    op->timer = timer_new(ccid->clock, on_deadline, op);
    if (op->timer != NULL)
        return op;
    free(op);
    return NULL;
}

int ccid_operations_prepare(struct ccid *ccid)
{
    for (unsigned i = 0; i < ccid->place.info.slots + REFUSED_SPARE; i++) {
        struct ccid_operation *op = operation_make(ccid);

        if (op == NULL)
            return -ENOMEM;
        op->next = ccid->spare;
        ccid->spare = op;
    }
    return 0;
}

static struct ccid_operation *operation_take(struct ccid *ccid)
{
    struct ccid_operation *op = ccid->spare;

    if (op != NULL) {
        ccid->spare = op->next;
        op->next = NULL;
        return op;
    }
    op = operation_make(ccid);
    /* Without memory for the callback there is no way on: the process ends and is started anew. */
    if (op == NULL)
        abort();
    return op;
}

struct ccid_operation *ccid_operation_new(struct ccid *ccid, unsigned slot, uint64_t deadline_us,
                                          ccid_done_fn *done, void *arg,
                                          void (*begin)(struct ccid *, struct ccid_operation *))
{
    struct ccid_operation *op = operation_take(ccid);

    op->ccid = ccid;
    op->slot = op->asked = slot;
    op->deadline_us = deadline_us;
    op->done = done;
    op->arg = arg;
    op->begin = begin;
    if (slot >= ccid->place.info.slots)
        ccid_end_later(ccid, op, CCID_INVALID);
    else if (usb_is_gone(ccid->usb))
        ccid_end_later(ccid, op, CCID_READER_GONE);
    else if (ccid->slots[slot].op != NULL)
        ccid_end_later(ccid, op, CCID_BUSY);
    else
        return op;
    return NULL;
}

void ccid_operation_go(struct ccid *ccid, struct ccid_operation *op)
{
    ccid->slots[op->slot].op = op;
    append(&ccid->queue, op);
    if (timer_set_at(op->timer, op->deadline_us) < 0)
        abort();
    ccid_next(ccid);
}

/* Takes it out of wherever it is. */
static void detach(struct ccid *ccid, struct ccid_operation *op)
{
    /* One that was refused is in no slot, though it names one. */
    if (op->slot < CCID_SLOTS_MAX && ccid->slots[op->slot].op == op)
        ccid->slots[op->slot].op = NULL;
    if (ccid->running == op)
        ccid->running = NULL;
    queue_remove(ccid, op);
    timer_stop(op->timer);
}

void ccid_end_later(struct ccid *ccid, struct ccid_operation *op, enum ccid_result result)
{
    detach(ccid, op);
    op->ended = true;
    op->result = result;
    append(&ccid->ended, op);
    ccid_call_later(ccid);
}

void ccid_end(struct ccid *ccid, struct ccid_operation *op, enum ccid_result result,
              const uint8_t *data, size_t len)
{
    detach(ccid, op);
    op->ended = true;
    if (result == CCID_NO_CARD && op->had_card)
        result = CCID_CARD_REMOVED;
    if (op->done != NULL && !ccid->dead)
        op->done(ccid, op->slot, result, result == CCID_OK ? data : NULL,
                 result == CCID_OK ? len : 0, op->arg);
    operation_free(ccid, op);
    if (!ccid->dead)
        ccid_call_later(ccid);
}

void ccid_report_ended(struct ccid *ccid)
{
    struct ccid_operation *op = ccid->ended;

    /* What the callbacks add waits for the next turn. */
    ccid->ended = NULL;
    while (op != NULL) {
        struct ccid_operation *next = op->next;

        if (op->done != NULL && !ccid->dead)
            op->done(ccid, op->slot, op->result, NULL, 0, op->arg);
        operation_free(ccid, op);
        op = next;
    }
}

void ccid_next(struct ccid *ccid)
{
    struct ccid_operation *op = ccid->queue;

    if (ccid->dead || ccid->phase != PHASE_IDLE || ccid->running != NULL)
        return;
    if (ccid->out_of_step) {
        ccid_sync(ccid);
        return;
    }
    if (op == NULL)
        return;
    ccid->queue = op->next;
    op->next = NULL;
    ccid->running = op;
    op->had_card = ccid->slots[op->slot].present;
    op->begin(ccid, op);
}

void ccid_begin_again(struct ccid *ccid, struct ccid_operation *op)
{
    ccid->running = NULL;
    op->next = ccid->queue;
    ccid->queue = op;
    ccid_call_later(ccid);
}

static void drop_list(struct ccid_operation **list)
{
    struct ccid_operation *op;

    while ((op = *list) != NULL) {
        *list = op->next;
        wipe_buffers(op);
        timer_free(&op->timer);
        free(op);
    }
}

void ccid_operations_drop(struct ccid *ccid)
{
    drop_list(&ccid->running);
    drop_list(&ccid->queue);
    drop_list(&ccid->ended);
    drop_list(&ccid->spare);
}

bool ccid_response_add(struct ccid_operation *op, const uint8_t *data, size_t len)
{
    if (len > CCID_APDU_RESPONSE_MAX - op->response_len)
        return false;
    if (op->response == NULL)
        op->response = malloc(CCID_APDU_RESPONSE_MAX);
    if (op->response == NULL)
        return false;
    if (len > 0)
        memcpy(op->response + op->response_len, data, len);
    op->response_len += len;
    return true;
}
