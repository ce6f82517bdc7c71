#include "fuzz_usb.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/common/clock.h"
#include "driver/usb/usb_transport.h"

struct fuzz_usb {
    struct usb usb; /* first */
    struct timer *tick;
    uint8_t device[18];
    uint8_t *config;
    size_t config_len;
    enum usb_status out, control, operation;
    uint8_t answer[64];
    size_t answer_len;
    uint8_t sent[64];
    size_t sent_len;
};

static struct fuzz_usb *fuzz_of(struct usb *usb)
{
    return (struct fuzz_usb *)usb;
}

/* Nothing on a bus takes no time: a driver that tries again and again until its deadline must come to it. */
#define BUS_US 125u

static void wake(struct fuzz_usb *self)
{
    if (timer_deadline(self->tick) == CLOCK_NEVER)
        FUZZ_CHECK(timer_set_after(self->tick, BUS_US) == 0);
}

static void complete_with(struct usb_request *request, const uint8_t *data, size_t len)
{
    size_t n = len < request->pub.length ? len : request->pub.length;

    if (n > 0)
        memcpy(request->pub.data, data, n);
    usb_transport_complete(request, USB_OK, n);
}

static void play_control(struct fuzz_usb *self, struct usb_request *request)
{
    const struct usb_setup *setup = &request->pub.setup;

    if (setup->request_type == 0x80 && setup->request == 6 && setup->value >> 8 == 1)
        complete_with(request, self->device, sizeof(self->device));
    else if (setup->request_type == 0x80 && setup->request == 6 && setup->value == 0x0200)
        complete_with(request, self->config, self->config_len);
    else if (setup->request_type == 0x80 && setup->request == 8)
        complete_with(request, self->config_len > 5 ? &self->config[5] : self->answer, 1);
    else if (self->control != USB_OK)
        usb_transport_complete(request, self->control, 0);
    else if ((setup->request_type & USB_DIR_IN) != 0)
        complete_with(request, self->answer, self->answer_len);
    else
        usb_transport_complete(request, USB_OK, request->pub.length);
}

/* True: it was completed, and the list has changed. */
static bool play(struct fuzz_usb *self, struct usb_request *request)
{
    if (!request->submitted)
        return false;
    if (request->cancelled || request->timed_out || request->orphan) {
        usb_transport_complete(request, USB_CANCELLED, 0);
        return true;
    }
    if (request->pub.kind == USB_CONTROL) {
        play_control(self, request);
        return true;
    }
    if ((request->pub.endpoint & USB_DIR_IN) != 0)
        return false;
    self->sent_len =
        request->pub.length < sizeof(self->sent) ? request->pub.length : sizeof(self->sent);
    memcpy(self->sent, request->pub.data, self->sent_len);
    usb_transport_complete(request, self->out, self->out == USB_OK ? request->pub.length : 0);
    return true;
}

static void on_tick(struct timer *timer, void *arg)
{
    struct fuzz_usb *self = arg;

    (void)timer;
    usb_transport_enter(&self->usb);
    for (struct usb_request *it = self->usb.flying; it != NULL; it = it->next) {
        if (play(self, it)) {
            wake(self);
            break;
        }
    }
    usb_transport_leave(&self->usb);
}

static enum usb_status fuzz_submit(struct usb *usb, struct usb_request *request)
{
    (void)request;
    wake(fuzz_of(usb));
    return USB_OK;
}

static void fuzz_cancel(struct usb *usb, struct usb_request *request)
{
    (void)request;
    wake(fuzz_of(usb));
}

static void fuzz_operate(struct usb *usb, struct usb_operation *operation)
{
    usb_transport_operated(usb, operation, fuzz_of(usb)->operation);
}

static void fuzz_release(struct usb *usb, uint8_t interface)
{
    (void)usb;
    (void)interface;
}

static void fuzz_drain(struct usb *usb)
{
    (void)usb;
}

static void fuzz_destroy(struct usb *usb)
{
    struct fuzz_usb *self = fuzz_of(usb);

    timer_free(&self->tick);
    free(self->config);
    free(self);
}

static const struct usb_transport_ops ops = {
    .submit = fuzz_submit,
    .cancel = fuzz_cancel,
    .operate = fuzz_operate,
    .release = fuzz_release,
    .drain = fuzz_drain,
    .destroy = fuzz_destroy,
};

struct usb *fuzz_usb_new(struct clock *clock, const uint8_t *device, const uint8_t *config,
                         size_t config_len)
{
    struct fuzz_usb *self = calloc(1, sizeof(*self));

    FUZZ_CHECK(self != NULL);
    FUZZ_CHECK(usb_transport_init(&self->usb, &ops, clock) == 0);
    self->tick = timer_new(clock, on_tick, self);
    self->config = malloc(config_len > 0 ? config_len : 1);
    FUZZ_CHECK(self->tick != NULL && self->config != NULL);
    memcpy(self->device, device, sizeof(self->device));
    if (config_len > 0)
        memcpy(self->config, config, config_len);
    self->config_len = config_len;
    self->usb.speed = USB_SPEED_HIGH;
    return &self->usb;
}

static struct usb_request *waiting(struct usb *usb, enum usb_kind kind)
{
    for (struct usb_request *it = usb->flying; it != NULL; it = it->next)
        if (it->submitted && !it->cancelled && !it->timed_out && !it->orphan &&
            it->pub.kind == kind && (it->pub.endpoint & USB_DIR_IN) != 0)
            return it;
    return NULL;
}

bool fuzz_usb_answer(struct usb *usb, enum usb_kind kind, enum usb_status status,
                     const uint8_t *data, size_t len)
{
    struct usb_request *request = waiting(usb, kind);

    if (request == NULL)
        return false;
    usb_transport_enter(usb);
    if (status == USB_OK)
        complete_with(request, data, len);
    else
        usb_transport_complete(request, status, 0);
    usb_transport_leave(usb);
    return true;
}

bool fuzz_usb_answer_packets(struct usb *usb, struct fuzz_input *in)
{
    struct usb_request *request = waiting(usb, USB_ISOCHRONOUS);

    if (request == NULL)
        return false;
    for (unsigned i = 0; i < request->pub.packet_count; i++) {
        struct usb_packet *packet = &request->pub.packets[i];
        unsigned status = in->left > 0 ? fuzz_u8(in) : 0;
        const uint8_t *bytes;
        size_t len;

        /* Mostly good; a packet that was lost holds nothing. */
        packet->status = status < 0xe0 ? USB_OK : (enum usb_status)(status % USB_STATUS_COUNT);
        bytes = fuzz_piece(in, packet->length, &len);
        if (len > 0)
            memcpy(request->pub.data + packet->offset, bytes, len);
        packet->actual = packet->status == USB_OK ? (uint32_t)len : 0;
    }
    usb_transport_enter(usb);
    usb_transport_complete(request, USB_OK, 0);
    usb_transport_leave(usb);
    return true;
}

void fuzz_usb_refuse(struct usb *usb, enum usb_status out, enum usb_status control,
                     enum usb_status operation)
{
    fuzz_of(usb)->out = out;
    fuzz_of(usb)->control = control;
    fuzz_of(usb)->operation = operation;
}

void fuzz_usb_control(struct usb *usb, const uint8_t *data, size_t len)
{
    struct fuzz_usb *self = fuzz_of(usb);

    self->answer_len = len < sizeof(self->answer) ? len : sizeof(self->answer);
    if (self->answer_len > 0)
        memcpy(self->answer, data, self->answer_len);
}

const uint8_t *fuzz_usb_sent(struct usb *usb, size_t *len)
{
    *len = fuzz_of(usb)->sent_len;
    return fuzz_of(usb)->sent;
}

void fuzz_usb_unplug(struct usb *usb)
{
    usb_transport_gone(usb);
}
