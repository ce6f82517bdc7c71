#include "sim_usb.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/common/clock.h"
#include "driver/usb/usb_transport.h"
#include "umock_device.h"

#define PACKET_US 125u

struct sim_usb {
    struct usb usb;
    const struct umock_model *model;
    void *arg;
    uint64_t iso_next_us;
};

struct sim_usb_counts sim_usb_counts;
volatile unsigned sim_usb_inside;

static const struct umock_hooks *hooks;
static void *hooks_arg;
static unsigned counts[UMOCK_PLACES];

void sim_usb_hook(const struct umock_hooks *wish, void *arg)
{
    hooks = wish;
    hooks_arg = arg;
    for (unsigned i = 0; i < UMOCK_PLACES; i++)
        counts[i] = 0;
}

static int hook_submit(unsigned place, const uint8_t *data, size_t len)
{
    unsigned n = ++counts[place];

    return hooks != NULL && hooks->submit != NULL ? hooks->submit(hooks_arg, place, n, data, len)
                                                  : 0;
}

static struct sim_usb *self_of(struct usb *usb)
{
    return (struct sim_usb *)usb;
}

static enum usb_status status_of(int n)
{
    switch (n) {
    case -EPIPE:
        return USB_STALL;
    case -EOVERFLOW:
        return USB_OVERFLOW;
    case -ENODEV:
    case -ESHUTDOWN:
        return USB_GONE;
    case -ENOENT:
        return USB_CANCELLED;
    case -EBUSY:
        return USB_BUSY;
    default:
        return n < 0 ? USB_IO : USB_OK;
    }
}

/* Kept in the request, as `backend`. */
struct place {
    unsigned n;      /* of its endpoint, from 1 */
    uint64_t end_us; /* isochronous: when its last packet has passed */
};

static struct place *place_of(const struct usb_request *request)
{
    return request->backend;
}

static uint64_t end_of(const struct usb_request *request)
{
    return place_of(request)->end_us;
}

static int sim_prepare(struct usb *usb, struct usb_request *request)
{
    (void)usb;
    sim_usb_inside++;
    request->backend = calloc(1, sizeof(struct place));
    sim_usb_inside--;
    return request->backend != NULL ? 0 : -ENOMEM;
}

static void sim_unprepare(struct usb *usb, struct usb_request *request)
{
    (void)usb;
    sim_usb_inside++;
    free(request->backend);
    sim_usb_inside--;
}

static enum usb_status sim_submit(struct usb *usb, struct usb_request *request)
{
    struct sim_usb *self = self_of(usb);
    uint64_t now = clock_monotonic_us(usb->clock);

    const uint8_t *data = request->pub.data;
    size_t len = request->pub.length;
    int refused;

    sim_usb_counts.submitted++;
    if (request->pub.kind == USB_CONTROL) {
        data = usb_request_setup(request);
        len += USB_SETUP_BYTES;
    }
    refused = hook_submit(request->pub.endpoint, data, len);
    if (refused < 0)
        return refused == -EBUSY ? USB_IO : status_of(refused);
    place_of(request)->n = counts[request->pub.endpoint];
    if (request->pub.kind != USB_ISOCHRONOUS)
        return USB_OK;
    if (self->iso_next_us < now)
        self->iso_next_us = now;
    self->iso_next_us += (uint64_t)request->pub.packet_count * PACKET_US;
    place_of(request)->end_us = self->iso_next_us;
    return USB_OK;
}

static void sim_cancel(struct usb *usb, struct usb_request *request)
{
    (void)usb;
    request->cancelled = true; /* ends with the next turn */
}

static int hook_before(struct usb_request *request, uint64_t now, uint8_t *data, size_t size)
{
    if (hooks == NULL || hooks->before == NULL)
        return UMOCK_GO_ON;
    return hooks->before(hooks_arg, now, request->pub.endpoint, place_of(request)->n, data, size);
}

static int hook_after(struct usb_request *request, uint8_t *data, size_t size, int outcome)
{
    if (outcome == -EAGAIN || hooks == NULL || hooks->after == NULL)
        return outcome;
    return hooks->after(hooks_arg, request->pub.endpoint, place_of(request)->n, data, size,
                        outcome);
}

static int run_packets(struct sim_usb *self, struct usb_request *request, uint64_t now)
{
    struct usb_transfer *pub = &request->pub;
    uint64_t at = end_of(request) - (uint64_t)pub->packet_count * PACKET_US;

    int early;

    if (now < end_of(request))
        return -EAGAIN;
    early = hook_before(request, now, NULL, 0);
    if (early != UMOCK_GO_ON)
        return early;
    for (unsigned i = 0; i < pub->packet_count; i++, at += PACKET_US) {
        struct usb_packet *packet = &pub->packets[i];
        int n = self->model->packet(self->arg, at, pub->endpoint, pub->data + packet->offset,
                                    packet->length);

        n = hook_after(request, pub->data + packet->offset, packet->length, n);
        packet->status = status_of(n);
        packet->actual = n < 0 ? 0 : (uint32_t)n;
        sim_usb_counts.moved += packet->actual;
    }
    return 0;
}

static int run(struct sim_usb *self, struct usb_request *request)
{
    struct usb_transfer *pub = &request->pub;
    uint64_t now = clock_monotonic_us(self->usb.clock);

    int n;

    if (pub->kind == USB_ISOCHRONOUS)
        return run_packets(self, request, now);
    n = hook_before(request, now, pub->data, pub->length);
    if (n != UMOCK_GO_ON)
        return n;
    if (pub->kind == USB_CONTROL)
        n = self->model->control(self->arg, now, usb_request_setup(request), pub->data,
                                 pub->length);
    else if ((pub->endpoint & USB_DIR_IN) == 0)
        n = self->model->out(self->arg, now, pub->endpoint, pub->data, pub->length);
    else
        n = self->model->in(self->arg, now, pub->endpoint, pub->data, pub->length);
    return hook_after(request, pub->data, pub->length, n);
}

static bool is_first(const struct usb_request *request)
{
    for (const struct usb_request *it = request->prev; it != NULL; it = it->prev)
        if (it->submitted && it->pub.endpoint == request->pub.endpoint &&
            it->pub.kind == request->pub.kind)
            return false;
    return true;
}

static bool finish_one(struct sim_usb *self)
{
    for (struct usb_request *request = self->usb.flying; request != NULL; request = request->next) {
        int n = -ENOENT;

        if (!request->submitted)
            continue;
        if (!request->cancelled && !request->timed_out && !request->orphan) {
            if (!is_first(request))
                continue;
            sim_usb_inside++;
            n = run(self, request);
            sim_usb_inside--;
        }
        if (n == -EAGAIN)
            continue;
        if (n > 0)
            sim_usb_counts.moved += (uint64_t)n;
        usb_transport_complete(request, status_of(n), n < 0 ? 0 : (size_t)n);
        return true;
    }
    return false;
}

bool sim_usb_step(struct usb *usb)
{
    struct sim_usb *self = self_of(usb);
    bool ended;

    usb_transport_enter(usb);
    if (!self->model->plugged(self->arg))
        usb_transport_gone(usb);
    ended = !usb->gone && finish_one(self);
    usb_transport_leave(usb);
    return ended;
}

uint64_t sim_usb_next_us(struct usb *usb)
{
    uint64_t next = UINT64_MAX,
             hooked = hooks != NULL && hooks->next != NULL ? hooks->next(hooks_arg) : UINT64_MAX;
    uint64_t now = clock_monotonic_us(usb->clock);

    /* What is past has had its turn. */
    if (hooked > now)
        next = hooked;
    for (const struct usb_request *request = usb->flying; request != NULL; request = request->next)
        if (request->submitted && request->pub.kind == USB_ISOCHRONOUS && end_of(request) > now &&
            end_of(request) < next)
            next = end_of(request);
    return next;
}

static void sim_operate(struct usb *usb, struct usb_operation *operation)
{
    struct sim_usb *self = self_of(usb);
    uint64_t now = clock_monotonic_us(usb->clock);
    int n = 0;

    sim_usb_counts.submitted++;
    sim_usb_inside++;
    if (operation->kind == USB_OP_CLAIM)
        n = hook_submit(UMOCK_CLAIM, NULL, operation->interface);
    else if (operation->kind == USB_OP_SET_ALT)
        n = hook_submit(UMOCK_SET_INTERFACE, NULL, operation->alt);
    else if (operation->kind == USB_OP_CLEAR_HALT)
        n = hook_submit(UMOCK_CLEAR_HALT, NULL, operation->endpoint);
    if (n < 0)
        ;
    else if (operation->kind == USB_OP_SET_ALT)
        n = self->model->set_interface(self->arg, now, operation->interface, operation->alt);
    else if (operation->kind == USB_OP_CLEAR_HALT)
        n = self->model->clear_halt(self->arg, operation->endpoint);
    else if (operation->kind == USB_OP_RESET)
        self->model->reset(self->arg, now);
    sim_usb_inside--;
    usb_transport_operated(usb, operation, status_of(n));
}

static void sim_release(struct usb *usb, uint8_t interface)
{
    (void)usb;
    (void)interface;
}

static void sim_drain(struct usb *usb)
{
    struct usb_request *request = usb->flying;

    while (request != NULL) {
        if (!request->submitted) {
            request = request->next;
            continue;
        }
        usb_transport_complete(request, USB_CANCELLED, 0);
        request = usb->flying;
    }
}

static void sim_destroy(struct usb *usb)
{
    free(self_of(usb));
}

static const struct usb_transport_ops ops = {
    .prepare = sim_prepare,
    .unprepare = sim_unprepare,
    .submit = sim_submit,
    .cancel = sim_cancel,
    .operate = sim_operate,
    .release = sim_release,
    .drain = sim_drain,
    .destroy = sim_destroy,
};

struct usb *sim_usb_new(struct clock *clock, const struct umock_model *model, void *arg)
{
    struct sim_usb *self = calloc(1, sizeof(*self));

    if (self == NULL)
        return NULL;
    if (usb_transport_init(&self->usb, &ops, clock) < 0) {
        free(self);
        errno = ENOMEM;
        return NULL;
    }
    self->usb.speed = USB_SPEED_HIGH;
    self->model = model;
    self->arg = arg;
    return &self->usb;
}
