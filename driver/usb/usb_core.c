#include "usb_transport.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/bytes.h"
#include "daemon/common/clock.h"

const char *usb_status_name(enum usb_status status)
{
    static const char *const names[USB_STATUS_COUNT] = {
        [USB_OK] = "ok",
        [USB_TIMEOUT] = "timeout",
        [USB_CANCELLED] = "cancelled",
        [USB_STALL] = "stall",
        [USB_OVERFLOW] = "overflow",
        [USB_GONE] = "gone",
        [USB_BUSY] = "busy",
        [USB_IO] = "io",
    };

    return (unsigned)status < USB_STATUS_COUNT ? names[status] : "unknown";
}

static struct usb_request *request_of(const struct usb_transfer *transfer)
{
    /* The public part is the first member. */
    return (struct usb_request *)(uintptr_t)transfer;
}

static void call_later(struct usb *usb)
{
    /* Cannot fail once the timer exists, but for a lack of memory at its very first use. */
    if (timer_deadline(usb->later) == CLOCK_NEVER && timer_set_after(usb->later, 0) < 0)
        abort();
}

/* -- in flight --------------------------------------------------------------------------------- */

static void flying_add(struct usb *usb, struct usb_request *request)
{
    request->next = NULL;
    request->prev = usb->flying_last;
    if (usb->flying_last != NULL)
        usb->flying_last->next = request;
    else
        usb->flying = request;
    usb->flying_last = request;
    request->in_flight = true;
}

static void flying_remove(struct usb *usb, struct usb_request *request)
{
    assert((request->prev == NULL) == (usb->flying == request));
    if (request->prev != NULL)
        request->prev->next = request->next;
    else
        usb->flying = request->next;
    if (request->next != NULL)
        request->next->prev = request->prev;
    else
        usb->flying_last = request->prev;
    request->prev = request->next = NULL;
    request->in_flight = false;
}

static void request_free(struct usb_request *request)
{
    struct usb *usb = request->usb;

    timer_free(&request->timer);
    if (usb->ops->unprepare != NULL)
        usb->ops->unprepare(usb, request);
    if (request->memory != NULL) {
        explicit_bzero(request->memory, USB_SETUP_BYTES + request->pub.capacity);
        free(request->memory);
    }
    free(request->pub.packets);
    free(request);
}

static enum usb_status settled_status(const struct usb_request *request, enum usb_status status)
{
    if (status != USB_CANCELLED)
        return status;
    if (request->usb->gone)
        return USB_GONE;
    if (request->timed_out)
        return USB_TIMEOUT;
    /* Cancelled by nobody here: the host's doing. */
    return request->cancelled || request->orphan ? USB_CANCELLED : USB_IO;
}

/* What is in the packets of a transfer that failed is nobody's word. */
static size_t sum_packets(struct usb_transfer *transfer)
{
    size_t sum = 0;

    for (unsigned i = 0; i < transfer->packet_count; i++) {
        struct usb_packet *packet = &transfer->packets[i];

        if (transfer->status != USB_OK) {
            packet->status = transfer->status;
            packet->actual = 0;
        }
        sum += packet->actual;
    }
    return sum;
}

void usb_transport_complete(struct usb_request *request, enum usb_status status, size_t actual)
{
    struct usb *usb = request->usb;

    if (!request->in_flight)
        return;
    timer_stop(request->timer);
    flying_remove(usb, request);
    request->submitted = false;
    if (request->orphan) {
        request_free(request);
        return;
    }
    if (usb->dead)
        return;
    request->pub.status = settled_status(request, status);
    if (request->pub.kind == USB_ISOCHRONOUS)
        actual = sum_packets(&request->pub);
    request->pub.actual = actual < request->pub.length ? actual : request->pub.length;
    if (request->pub.status == USB_GONE)
        usb_transport_gone(usb);
    usb_transport_enter(usb);
    request->done(&request->pub, request->arg);
    usb_transport_leave(usb);
}

static void on_deadline(struct timer *timer, void *arg)
{
    struct usb_request *request = arg;
    struct usb *usb = request->usb;

    (void)timer;
    usb_transport_enter(usb);
    request->timed_out = true;
    if (request->submitted)
        usb->ops->cancel(usb, request);
    usb_transport_leave(usb);
}

struct usb_transfer *usb_transfer_new(struct usb *usb, size_t capacity, unsigned packets,
                                      usb_transfer_fn *done, void *arg)
{
    struct usb_request *request;

    if (capacity > USB_TRANSFER_MAX || packets > USB_PACKETS_MAX)
        return NULL;
    request = calloc(1, sizeof(*request));
    if (request == NULL)
        return NULL;
    request->usb = usb;
    request->done = done;
    request->arg = arg;
    request->pub.capacity = capacity;
    request->pub.packet_capacity = packets;
    request->pub.deadline_us = CLOCK_NEVER;
    request->memory = calloc(1, USB_SETUP_BYTES + capacity);
    request->timer = timer_new(usb->clock, on_deadline, request);
    if (packets > 0)
        request->pub.packets = calloc(packets, sizeof(*request->pub.packets));
    if (request->memory == NULL || request->timer == NULL ||
        (packets > 0 && request->pub.packets == NULL))
        goto fail;
    request->pub.data = request->memory + USB_SETUP_BYTES;
    if (usb->ops->prepare != NULL && usb->ops->prepare(usb, request) < 0)
        goto fail;
    usb->owned++;
    return &request->pub;

fail:
    timer_free(&request->timer);
    free(request->pub.packets);
    free(request->memory);
    free(request);
    return NULL;
}

void usb_transfer_free(struct usb_transfer **transfer)
{
    struct usb_request *request;

    if (*transfer == NULL)
        return;
    request = request_of(*transfer);
    *transfer = NULL;
    request->usb->owned--;
    if (!request->in_flight) {
        request_free(request);
        return;
    }
    request->orphan = true;
    timer_stop(request->timer);
    if (request->submitted && !request->timed_out && !request->cancelled)
        request->usb->ops->cancel(request->usb, request);
}

/* The wish must be possible; offsets follow from the lengths. */
static bool request_lay_out(struct usb_request *request)
{
    struct usb_transfer *pub = &request->pub;
    uint32_t offset = 0;

    if (pub->length > pub->capacity)
        return false;
    if (pub->kind == USB_CONTROL && pub->length > UINT16_MAX)
        return false;
    if (pub->kind != USB_ISOCHRONOUS)
        return true;
    if (pub->packet_count == 0 || pub->packet_count > pub->packet_capacity)
        return false;
    for (unsigned i = 0; i < pub->packet_count; i++) {
        struct usb_packet *packet = &pub->packets[i];

        if (packet->length > pub->capacity - offset)
            return false;
        packet->offset = offset;
        packet->actual = 0;
        packet->status = USB_IO;
        offset += packet->length;
    }
    pub->length = offset;
    return true;
}

static void refuse(struct usb_request *request, enum usb_status status)
{
    request->refused = status;
    request->turn = request->usb->turn;
    call_later(request->usb);
}

void usb_submit(struct usb_transfer *transfer)
{
    struct usb_request *request = request_of(transfer);
    struct usb *usb = request->usb;
    enum usb_status status;

    assert(!request->in_flight);
    request->timed_out = request->cancelled = request->submitted = false;
    transfer->actual = 0;
    flying_add(usb, request);
    if (usb->gone || usb->dead) {
        refuse(request, USB_GONE);
        return;
    }
    if (!request_lay_out(request)) {
        refuse(request, USB_IO);
        return;
    }
    if (transfer->deadline_us != CLOCK_NEVER &&
        clock_left_us(usb->clock, transfer->deadline_us) == 0) {
        refuse(request, USB_TIMEOUT);
        return;
    }
    if (timer_set_at(request->timer, transfer->deadline_us) < 0) {
        refuse(request, USB_IO);
        return;
    }
    status = usb->ops->submit(usb, request);
    if (status != USB_OK)
        refuse(request, status);
    else
        request->submitted = true;
}

void usb_cancel(struct usb_transfer *transfer)
{
    struct usb_request *request = request_of(transfer);

    if (!request->in_flight || request->cancelled || request->timed_out)
        return;
    request->cancelled = true;
    if (request->submitted)
        request->usb->ops->cancel(request->usb, request);
}

bool usb_in_flight(const struct usb_transfer *transfer)
{
    return request_of(transfer)->in_flight;
}

const uint8_t *usb_request_setup(struct usb_request *request)
{
    struct bytes_writer w;

    bytes_writer_init(&w, request->memory, USB_SETUP_BYTES);
    bytes_put_u8(&w, request->pub.setup.request_type);
    bytes_put_u8(&w, request->pub.setup.request);
    bytes_put_u16le(&w, request->pub.setup.value);
    bytes_put_u16le(&w, request->pub.setup.index);
    bytes_put_u16le(&w, (uint16_t)request->pub.length);
    return request->memory;
}

/* -- operations -------------------------------------------------------------------------------- */

void usb_transport_operated(struct usb *usb, struct usb_operation *operation,
                            enum usb_status status)
{
    if (operation->finished)
        return;
    operation->finished = true;
    operation->status = status;
    operation->turn = usb->turn;
    if (status == USB_GONE)
        usb_transport_gone(usb);
    call_later(usb);
}

static struct usb_operation *operation_take(struct usb *usb)
{
    struct usb_operation *operation;

    for (unsigned i = 0; i < USB_SPARES; i++) {
        if ((usb->spares_used & 1u << i) != 0)
            continue;
        usb->spares_used |= 1u << i;
        return &usb->spares[i];
    }
    operation = malloc(sizeof(*operation));
    /* There is nowhere to keep the callback: the process ends and is started anew. */
    if (operation == NULL)
        abort();
    return operation;
}

static void operate(struct usb *usb, const struct usb_operation *wish)
{
    struct usb_operation *operation = operation_take(usb);
    struct usb_operation **at = &usb->operations;

    *operation = *wish;
    while (*at != NULL)
        at = &(*at)->next;
    *at = operation;
    if (usb->gone || usb->dead)
        usb_transport_operated(usb, operation, USB_GONE);
    else if (clock_left_us(usb->clock, operation->deadline_us) == 0)
        usb_transport_operated(usb, operation, USB_TIMEOUT);
    else if (operation->kind == USB_OP_START)
        usb_start_run(usb, operation);
    else
        usb->ops->operate(usb, operation);
}

void usb_start(struct usb *usb, uint64_t deadline_us, usb_done_fn *done, void *arg)
{
    operate(usb, &(struct usb_operation){
                     .kind = USB_OP_START, .deadline_us = deadline_us, .done = done, .arg = arg});
}

void usb_claim(struct usb *usb, uint8_t interface, uint64_t deadline_us, usb_done_fn *done,
               void *arg)
{
    operate(usb, &(struct usb_operation){.kind = USB_OP_CLAIM,
                                         .interface = interface,
                                         .deadline_us = deadline_us,
                                         .done = done,
                                         .arg = arg});
}

void usb_set_alt(struct usb *usb, uint8_t interface, uint8_t alt, uint64_t deadline_us,
                 usb_done_fn *done, void *arg)
{
    operate(usb, &(struct usb_operation){.kind = USB_OP_SET_ALT,
                                         .interface = interface,
                                         .alt = alt,
                                         .deadline_us = deadline_us,
                                         .done = done,
                                         .arg = arg});
}

void usb_clear_halt(struct usb *usb, uint8_t endpoint, uint64_t deadline_us, usb_done_fn *done,
                    void *arg)
{
    operate(usb, &(struct usb_operation){.kind = USB_OP_CLEAR_HALT,
                                         .endpoint = endpoint,
                                         .deadline_us = deadline_us,
                                         .done = done,
                                         .arg = arg});
}

void usb_reset(struct usb *usb, uint64_t deadline_us, usb_done_fn *done, void *arg)
{
    operate(usb, &(struct usb_operation){
                     .kind = USB_OP_RESET, .deadline_us = deadline_us, .done = done, .arg = arg});
}

void usb_release(struct usb *usb, uint8_t interface)
{
    if (!usb->gone && !usb->dead)
        usb->ops->release(usb, interface);
}

static void forgotten(struct usb *usb, enum usb_status status, void *arg)
{
    (void)usb;
    (void)status;
    (void)arg;
}

void usb_forget(struct usb *usb, const void *arg)
{
    for (struct usb_operation *it = usb->operations; it != NULL; it = it->next)
        if (it->arg == arg)
            it->done = forgotten;
}

/* -- gone, later, life ------------------------------------------------------------------------- */

void usb_transport_gone(struct usb *usb)
{
    if (usb->gone)
        return;
    usb->gone = true;
    call_later(usb);
}

/*
 * Callbacks may submit, cancel and free anything, so each walk starts over after each callback;
 * what they add belongs to the next turn, so a caller who always tries again spins through the
 * loop, not in here.
 */
static void complete_refused(struct usb *usb, unsigned turn)
{
    struct usb_request *request = usb->flying;

    while (request != NULL) {
        /* The analyzer misses that a completed request has left the list. */
        if (request->submitted || request->turn == turn) { /* NOLINT(clang-analyzer-unix.Malloc) */
            request = request->next;
            continue;
        }
        usb_transport_complete(request, request->refused, 0);
        request = usb->flying;
    }
}

static void complete_submitted(struct usb *usb, enum usb_status status)
{
    struct usb_request *request = usb->flying;

    while (request != NULL) {
        if (!request->submitted) { /* NOLINT(clang-analyzer-unix.Malloc): as above */
            request = request->next;
            continue;
        }
        usb_transport_complete(request, status, 0);
        request = usb->flying;
    }
}

static void operation_free(struct usb *usb, struct usb_operation *operation)
{
    usb_transfer_free(&operation->transfer);
    if (operation >= usb->spares && operation < usb->spares + USB_SPARES)
        usb->spares_used &= ~(1u << (operation - usb->spares));
    else
        free(operation);
}

static void report_operations(struct usb *usb, unsigned turn)
{
    struct usb_operation **at = &usb->operations;

    while (*at != NULL) {
        struct usb_operation *operation = *at;

        if (!operation->finished || operation->turn == turn) {
            at = &operation->next;
            continue;
        }
        *at = operation->next;
        if (!usb->dead)
            operation->done(usb, operation->status, operation->arg);
        operation_free(usb, operation);
        at = &usb->operations;
    }
}

static void on_later(struct timer *timer, void *arg)
{
    struct usb *usb = arg;
    unsigned turn = ++usb->turn;

    (void)timer;
    usb_transport_enter(usb);
    if (usb->gone && !usb->gone_told) {
        usb->ops->drain(usb);
        complete_submitted(usb, USB_GONE);
    }
    complete_refused(usb, turn);
    report_operations(usb, turn);
    if (usb->gone && !usb->gone_told && !usb->dead) {
        if (usb->operations != NULL || usb->flying != NULL) {
            call_later(usb);
        } else {
            usb->gone_told = true;
            if (usb->gone_fn != NULL)
                usb->gone_fn(usb, usb->gone_arg);
        }
    }
    usb_transport_leave(usb);
}

int usb_transport_init(struct usb *usb, const struct usb_transport_ops *ops, struct clock *clock)
{
    usb->ops = ops;
    usb->clock = clock;
    usb->later = timer_new(clock, on_later, usb);
    return usb->later != NULL ? 0 : -ENOMEM;
}

/* With no transfer owned by anybody, what still flies was freed in flight. */
static void free_orphans(struct usb *usb)
{
    struct usb_request *request = usb->flying;

    usb->flying = usb->flying_last = NULL;
    while (request != NULL) {
        struct usb_request *next = request->next;

        request_free(request);
        request = next;
    }
}

static void destroy(struct usb *usb)
{
    struct usb_operation *operation;

    usb->depth = 1; /* nothing below may come back here */
    while ((operation = usb->operations) != NULL) {
        usb->operations = operation->next;
        operation_free(usb, operation);
    }
    usb->ops->drain(usb);
    assert(usb->owned == 0);
    free_orphans(usb);
    timer_free(&usb->later);
    free(usb->config);
    usb->ops->destroy(usb);
}

void usb_transport_enter(struct usb *usb)
{
    usb->depth++;
}

void usb_transport_leave(struct usb *usb)
{
    if (--usb->depth == 0 && usb->dead)
        destroy(usb);
}

void usb_free(struct usb **usb)
{
    struct usb *it = *usb;

    if (it == NULL)
        return;
    *usb = NULL;
    it->dead = true;
    if (it->depth == 0)
        destroy(it);
}

void usb_on_gone(struct usb *usb, usb_gone_fn *gone, void *arg)
{
    usb->gone_fn = gone;
    usb->gone_arg = arg;
}

bool usb_is_gone(const struct usb *usb)
{
    return usb->gone;
}

struct clock *usb_clock(const struct usb *usb)
{
    return usb->clock;
}

/* -- descriptors ------------------------------------------------------------------------------- */

static uint16_t device_u16(const struct usb *usb, unsigned at)
{
    return (uint16_t)(usb->device[at] | usb->device[at + 1] << 8);
}

uint16_t usb_vendor(const struct usb *usb)
{
    return device_u16(usb, 8);
}

uint16_t usb_product(const struct usb *usb)
{
    return device_u16(usb, 10);
}

uint16_t usb_release_bcd(const struct usb *usb)
{
    return device_u16(usb, 12);
}

enum usb_speed usb_speed(const struct usb *usb)
{
    return usb->speed;
}

const uint8_t *usb_device_bytes(const struct usb *usb, size_t *len)
{
    *len = sizeof(usb->device);
    return usb->device;
}

const uint8_t *usb_config_bytes(const struct usb *usb, size_t *len)
{
    *len = usb->config_len;
    return usb->config;
}
