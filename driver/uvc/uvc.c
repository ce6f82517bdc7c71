#include "uvc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/clock.h"
#include "driver/usb/usb.h"
#include "payload.h"
#include "uvc_controls.h"
#include "uvc_descriptor.h"
#include "uvc_probe.h"

#define SET_CUR 0x01u
#define GET_CUR 0x81u
#define GET_RES 0x84u
#define SELECT_PROBE 0x0100u
#define SELECT_COMMIT 0x0200u

/* A transfer brings a few milliseconds, so that the loop is not woken by each packet; together they
 * bridge the time that a busy host may leave us waiting. */
#define TRANSFER_US (4 * CLOCK_MS)
#define IN_FLIGHT_US (64 * CLOCK_MS)
#define TRANSFERS_MIN 4u
#define TRANSFERS_MAX 16u
#define ISO_PACKETS_MAX 32u
#define BULK_TRANSFERS 4u
/* Whole transfers that fail one after the other before streaming counts as broken off. */
#define FAILURES_MAX 32u
#define FRAME_BYTES_MAX (16u * 1024u * 1024u)
#define STOP_BUDGET_US (1 * CLOCK_SECOND)
#define CONTROL_BUDGET_US (500 * CLOCK_MS)

enum state {
    STATE_IDLE,
    STATE_CLAIM_CONTROL,
    STATE_CLAIM_STREAMING,
    STATE_REST, /* alternate setting 0 before the negotiation */
    STATE_CONTROLS,
    STATE_SET_PROBE,
    STATE_GET_PROBE,
    STATE_COMMIT,
    STATE_SELECT, /* the alternate setting that streams */
    STATE_STREAMING,
    STATE_STOPPING,
};

struct uvc {
    struct camera camera;
    struct usb *usb;
    struct clock *clock;
    struct usb_config *config;
    struct uvc_function function;
    enum state state;
    bool claimed_control, claimed_streaming;
    bool wanted_again; /* started while the last stop is still under way */
    bool wipe;
    unsigned depth;
    bool dead;

    struct camera_need need;
    uint64_t deadline_us;
    struct camera_mode mode;
    struct uvc_probe probe;
    size_t probe_len;
    const struct uvc_frame *frame;
    unsigned adjusted; /* rows of the table of controls that are done */
    bool asking;       /* what can be chosen from */
    enum camera_trouble later_trouble;

    struct usb_transfer *control;
    struct usb_transfer *transfers[TRANSFERS_MAX];
    unsigned transfer_count;
    struct usb_transfer *reading; /* whose data are being taken */
    struct usb_transfer *spent;   /* the same, when it was given up meanwhile: freed afterwards */
    unsigned failures;
    size_t payload_max; /* bulk */
    struct payload payload;
    struct timer *silence;
    struct timer *later;
};

static struct uvc *uvc_of(struct camera *camera)
{
    return (struct uvc *)camera;
}

static void destroy(struct uvc *self);

static void enter(struct uvc *self)
{
    self->depth++;
}

static void leave(struct uvc *self)
{
    if (--self->depth > 0)
        return;
    if (self->dead) {
        destroy(self);
        return;
    }
    /* Not earlier: the listener may still look at the frame in whose callback it stopped. */
    if (self->wipe) {
        self->wipe = false;
        payload_wipe(&self->payload);
    }
}

static bool is_bulk(const struct uvc *self)
{
    return self->function.bulk_in != 0;
}

/* -- stopping ---------------------------------------------------------------------------------- */

static void begin(struct uvc *self);

static void stopped(struct uvc *self)
{
    self->state = STATE_IDLE;
    if (self->wanted_again) {
        self->wanted_again = false;
        begin(self);
    }
}

static void on_stopped(struct usb *usb, enum usb_status status, void *arg)
{
    struct uvc *self = arg;

    (void)usb;
    (void)status; /* nothing is to be done about a camera that does not stop, but not to listen to
                     it */
    enter(self);
    stopped(self);
    leave(self);
}

static void free_transfers(struct uvc *self)
{
    for (unsigned i = 0; i < self->transfer_count; i++) {
        /* The listener stops the camera in a frame that ends with the header of the next one: the
         * rest of that payload is still to be walked over. */
        if (self->transfers[i] == self->reading)
            self->spent = self->reading;
        else
            usb_transfer_free(&self->transfers[i]);
        self->transfers[i] = NULL;
    }
    self->transfer_count = 0;
}

static void halt(struct uvc *self)
{
    enum state was = self->state;
    uint64_t deadline = clock_monotonic_us(self->clock) + STOP_BUDGET_US;

    self->wanted_again = false;
    if (was == STATE_IDLE || was == STATE_STOPPING)
        return;
    timer_stop(self->silence);
    usb_forget(self->usb, self);
    usb_transfer_free(&self->control);
    free_transfers(self);
    payload_reset(&self->payload);
    self->wipe = true;
    self->state = STATE_IDLE;
    /* Before the negotiation there is nothing to take back. */
    if (was < STATE_SET_PROBE || usb_is_gone(self->usb))
        return;
    self->state = STATE_STOPPING;
    if (is_bulk(self))
        usb_clear_halt(self->usb, self->function.bulk_in, deadline, on_stopped, self);
    else
        usb_set_alt(self->usb, self->function.streaming_interface, 0, deadline, on_stopped, self);
}

static void fail(struct uvc *self, enum camera_trouble trouble)
{
    halt(self);
    if (self->camera.listener != NULL && self->camera.listener->trouble != NULL && !self->dead)
        self->camera.listener->trouble(&self->camera, trouble, self->camera.arg);
}

static enum camera_trouble trouble_of(enum usb_status status)
{
    switch (status) {
    case USB_GONE:
        return CAMERA_GONE;
    case USB_BUSY:
        return CAMERA_HELD;
    case USB_TIMEOUT:
        return CAMERA_TIMEOUT;
    default:
        return CAMERA_REFUSED;
    }
}

/* -- streaming --------------------------------------------------------------------------------- */

static void on_frame(const struct camera_frame *frame, void *arg)
{
    struct uvc *self = arg;

    if (self->state != STATE_STREAMING || self->dead)
        return;
    (void)timer_set_after(self->silence, self->need.silence_us);
    if (self->camera.listener != NULL && self->camera.listener->frame != NULL)
        self->camera.listener->frame(&self->camera, frame, self->camera.arg);
}

/* Set again by the next frame only, so that one silence is told once. */
static void on_silence(struct timer *timer, void *arg)
{
    struct uvc *self = arg;

    (void)timer;
    if (self->state != STATE_STREAMING)
        return;
    enter(self);
    if (self->camera.listener != NULL && self->camera.listener->trouble != NULL)
        self->camera.listener->trouble(&self->camera, CAMERA_SILENT, self->camera.arg);
    leave(self);
}

static bool streams(const struct uvc *self)
{
    return self->state == STATE_STREAMING && !self->dead;
}

static void take_packets(struct uvc *self, const struct usb_transfer *transfer)
{
    uint64_t now = clock_monotonic_us(self->clock);

    /* The listener may stop the camera in the middle. */
    for (unsigned i = 0; streams(self) && i < transfer->packet_count; i++) {
        const struct usb_packet *packet = &transfer->packets[i];

        if (packet->status == USB_OK)
            payload_push(&self->payload, transfer->data + packet->offset, packet->actual, now);
        else
            payload_lost(&self->payload);
    }
}

static void take_bulk(struct uvc *self, const struct usb_transfer *transfer)
{
    payload_push_bulk(&self->payload, transfer->data, transfer->actual,
                      transfer->actual < transfer->length, self->payload_max,
                      clock_monotonic_us(self->clock));
}

static void on_bulk_cleared(struct usb *usb, enum usb_status status, void *arg);

static void on_data(struct usb_transfer *transfer, void *arg)
{
    struct uvc *self = arg;
    enum usb_status status = transfer->status;

    if (!streams(self))
        return;
    enter(self);
    if (status == USB_GONE) {
        fail(self, CAMERA_GONE);
    } else if (status == USB_OK) {
        self->failures = 0;
        self->reading = transfer;
        if (is_bulk(self))
            take_bulk(self, transfer);
        else
            take_packets(self, transfer);
        self->reading = NULL;
        if (self->spent != NULL)
            usb_transfer_free(&self->spent);
        else
            usb_submit(transfer);
    } else if (++self->failures >= FAILURES_MAX) {
        fail(self, CAMERA_FAILED);
    } else if (status == USB_STALL && is_bulk(self)) {
        payload_lost(&self->payload);
        usb_clear_halt(self->usb, self->function.bulk_in,
                       clock_monotonic_us(self->clock) + STOP_BUDGET_US, on_bulk_cleared, self);
    } else {
        payload_lost(&self->payload);
        usb_submit(transfer);
    }
    leave(self);
}

static void on_bulk_cleared(struct usb *usb, enum usb_status status, void *arg)
{
    struct uvc *self = arg;

    (void)usb;
    if (!streams(self))
        return;
    enter(self);
    if (status == USB_OK) {
        for (unsigned i = 0; i < self->transfer_count; i++)
            if (!usb_in_flight(self->transfers[i]))
                usb_submit(self->transfers[i]);
    } else {
        fail(self, status == USB_GONE ? CAMERA_GONE : CAMERA_FAILED);
    }
    leave(self);
}

/* How long one isochronous packet of the endpoint takes. USB 2.0, 9.6.6: bInterval. */
static uint64_t packet_us(enum usb_speed speed, uint8_t interval)
{
    uint64_t unit = speed == USB_SPEED_HIGH || speed == USB_SPEED_SUPER ? 125 : 1000;
    unsigned exponent = interval < 1 ? 0 : interval > 16 ? 15 : interval - 1u;

    return unit << exponent;
}

static unsigned within(uint64_t value, unsigned least, unsigned most)
{
    return value < least ? least : value > most ? most : (unsigned)value;
}

static bool add_transfer(struct uvc *self, size_t bytes, unsigned packets)
{
    struct usb_transfer *transfer = usb_transfer_new(self->usb, bytes, packets, on_data, self);

    if (transfer == NULL)
        return false;
    transfer->deadline_us = CLOCK_NEVER;
    transfer->length = bytes;
    self->transfers[self->transfer_count++] = transfer;
    return true;
}

static bool make_iso_transfers(struct uvc *self, const struct usb_endpoint *endpoint)
{
    uint64_t each = packet_us(usb_speed(self->usb), endpoint->interval);
    unsigned packets = within(TRANSFER_US / each, 1, ISO_PACKETS_MAX);
    unsigned count;

    while (packets > 1 && packets * endpoint->bytes_per_event > USB_TRANSFER_MAX)
        packets--;
    count = within(IN_FLIGHT_US / (each * packets), TRANSFERS_MIN, TRANSFERS_MAX);
    for (unsigned i = 0; i < count; i++) {
        struct usb_transfer *transfer;

        if (!add_transfer(self, packets * endpoint->bytes_per_event, packets))
            return false;
        transfer = self->transfers[i];
        transfer->kind = USB_ISOCHRONOUS;
        transfer->endpoint = endpoint->address;
        transfer->packet_count = packets;
        for (unsigned k = 0; k < packets; k++)
            transfer->packets[k].length = endpoint->bytes_per_event;
    }
    return true;
}

static bool make_bulk_transfers(struct uvc *self)
{
    size_t packet = self->function.bulk_packet;
    size_t bytes = self->probe.max_payload_bytes;

    /* A camera that does not say: a payload is then whatever ends with a short transfer. */
    self->payload_max = bytes > 0 ? bytes : SIZE_MAX;
    if (bytes == 0 || bytes > USB_TRANSFER_MAX / 4)
        bytes = USB_TRANSFER_MAX / 4;
    bytes = (bytes + packet - 1) / packet * packet;
    for (unsigned i = 0; i < BULK_TRANSFERS; i++) {
        if (!add_transfer(self, bytes, 0))
            return false;
        self->transfers[i]->kind = USB_BULK;
        self->transfers[i]->endpoint = self->function.bulk_in;
    }
    return true;
}

static size_t frame_bytes(const struct uvc *self)
{
    size_t bytes = (size_t)self->frame->width * self->frame->height * 2;

    /* Some cameras say 0, some too little: never less than what JPEG at its worst may need. */
    if (self->frame->format == CAMERA_YUY2)
        return bytes < FRAME_BYTES_MAX ? bytes : FRAME_BYTES_MAX;
    if (bytes < self->probe.max_frame_bytes)
        bytes = self->probe.max_frame_bytes;
    if (bytes < self->frame->buffer_bytes)
        bytes = self->frame->buffer_bytes;
    return bytes < FRAME_BYTES_MAX ? bytes : FRAME_BYTES_MAX;
}

static bool make_frame_buffer(struct uvc *self)
{
    size_t bytes = frame_bytes(self);
    struct camera_counters counters = self->payload.counters;

    if (self->payload.size < bytes) {
        payload_clear(&self->payload);
        if (payload_init(&self->payload, bytes, on_frame, self) < 0)
            return false;
        self->payload.counters = counters;
    }
    self->payload.whole = self->frame->format == CAMERA_YUY2 ? bytes : 0;
    return true;
}

/* `ready`: there is memory for all of it. */
static void stream(struct uvc *self, bool ready)
{
    if (!ready) {
        fail(self, CAMERA_FAILED);
        return;
    }
    payload_reset(&self->payload);
    self->payload.sequence = 0;
    self->failures = 0;
    self->state = STATE_STREAMING;
    (void)timer_set_after(self->silence, self->need.silence_us);
    for (unsigned i = 0; i < self->transfer_count; i++)
        usb_submit(self->transfers[i]);
    if (self->camera.listener != NULL && self->camera.listener->started != NULL)
        self->camera.listener->started(&self->camera, &self->mode, self->camera.arg);
}

/* -- starting ---------------------------------------------------------------------------------- */

static void ask_entity(struct uvc *self, uint8_t request, uint16_t select, unsigned entity,
                       size_t len, uint64_t deadline_us)
{
    self->control->kind = USB_CONTROL;
    self->control->setup = (struct usb_setup){
        .request_type = request == SET_CUR ? 0x21 : 0xa1, /* class, interface */
        .request = request,
        .value = select,
        .index = (uint16_t)entity,
    };
    self->control->length = len;
    self->control->deadline_us = deadline_us;
    usb_submit(self->control);
}

static void ask(struct uvc *self, enum state state, uint8_t request, uint16_t select, size_t len)
{
    self->state = state;
    ask_entity(self, request, select, self->function.streaming_interface, len, self->deadline_us);
}

static void set_probe(struct uvc *self)
{
    uvc_probe_put(self->control->data, self->probe_len, &self->probe);
    ask(self, STATE_SET_PROBE, SET_CUR, SELECT_PROBE, self->probe_len);
}

/* The camera's own words, in its own length, are what is committed. */
static void on_probe_answer(struct uvc *self)
{
    struct usb_transfer *control = self->control;
    struct uvc_probe answer;

    if (uvc_probe_get(&answer, control->data, control->actual) < 0) {
        fail(self, CAMERA_REFUSED);
        return;
    }
    self->frame = uvc_frame_by_index(&self->function, answer.format_index, answer.frame_index);
    if (self->frame == NULL) {
        fail(self, CAMERA_UNSUPPORTED);
        return;
    }
    self->probe = answer;
    if (self->probe.max_frame_bytes == 0)
        self->probe.max_frame_bytes = self->frame->buffer_bytes;
    self->mode = (struct camera_mode){self->frame->width, self->frame->height, answer.interval,
                                      self->frame->format};
    ask(self, STATE_COMMIT, SET_CUR, SELECT_COMMIT, control->actual);
}

static void on_selected(struct usb *usb, enum usb_status status, void *arg);

static const struct usb_alt *streaming_alt(const struct uvc *self)
{
    return uvc_choose_alt(self->config, &self->function, self->probe.max_payload_bytes);
}

static void on_committed(struct uvc *self)
{
    const struct usb_alt *alt;

    if (is_bulk(self)) {
        stream(self, make_frame_buffer(self) && make_bulk_transfers(self));
        return;
    }
    alt = streaming_alt(self);
    if (alt == NULL) {
        fail(self, CAMERA_UNSUPPORTED);
        return;
    }
    self->state = STATE_SELECT;
    usb_set_alt(self->usb, alt->interface, alt->alt, self->deadline_us, on_selected, self);
}

static void on_adjusted(struct uvc *self);

static void on_control(struct usb_transfer *transfer, void *arg)
{
    struct uvc *self = arg;

    enter(self);
    if (self->state == STATE_CONTROLS && transfer->status != USB_GONE) {
        on_adjusted(self);
    } else if (self->state == STATE_SET_PROBE && transfer->status == USB_STALL &&
               uvc_probe_shorter(self->probe_len) != 0) {
        /* Firmware that claims a newer version than it speaks. */
        self->probe_len = uvc_probe_shorter(self->probe_len);
        set_probe(self);
    } else if (transfer->status != USB_OK) {
        fail(self, trouble_of(transfer->status));
    } else if (self->state == STATE_SET_PROBE) {
        ask(self, STATE_GET_PROBE, GET_CUR, SELECT_PROBE, self->probe_len);
    } else if (self->state == STATE_GET_PROBE) {
        on_probe_answer(self);
    } else {
        on_committed(self);
    }
    leave(self);
}

static void on_selected(struct usb *usb, enum usb_status status, void *arg)
{
    struct uvc *self = arg;
    const struct usb_alt *alt = streaming_alt(self);
    const struct usb_endpoint *endpoint =
        alt != NULL ? usb_alt_endpoint(alt, USB_EP_ISOCHRONOUS, true) : NULL;

    (void)usb;
    enter(self);
    if (status != USB_OK)
        fail(self, trouble_of(status));
    else if (endpoint == NULL)
        fail(self, CAMERA_UNSUPPORTED);
    else
        stream(self, make_frame_buffer(self) && make_iso_transfers(self, endpoint));
    leave(self);
}

static void negotiate(struct uvc *self)
{
    uint32_t interval = 0;

    self->frame = uvc_choose(&self->function, &self->need, &interval);
    self->probe = (struct uvc_probe){.format_index = self->frame->format_index,
                                     .frame_index = self->frame->frame_index,
                                     .interval = interval};
    self->probe_len = uvc_probe_bytes(self->function.version);
    set_probe(self);
}

/* The next control that the camera has; the negotiation when all are done. */
static void adjust(struct uvc *self)
{
    uint64_t soon = clock_monotonic_us(self->clock) + CONTROL_BUDGET_US;
    const struct uvc_control *control;
    unsigned entity;

    control = uvc_control_next(&self->function, &self->adjusted, &entity);
    if (control == NULL) {
        negotiate(self);
        return;
    }
    self->state = STATE_CONTROLS;
    entity = entity << 8 | self->function.control_interface;
    if (soon > self->deadline_us)
        soon = self->deadline_us;
    self->asking = control->choices != NULL;
    self->control->data[0] = control->value;
    ask_entity(self, self->asking ? GET_RES : SET_CUR, (uint16_t)(control->selector << 8), entity,
               1, soon);
}

/*
 * A control that cannot be set is as good as one that is not there. What can be chosen from is the
 * answer to a question: then the choice is set, and only after it the next control.
 */
static void on_adjusted(struct uvc *self)
{
    const struct uvc_control *control = uvc_control_at(self->adjusted);
    struct usb_transfer *transfer = self->control;
    uint8_t choice = 0;

    if (self->asking && transfer->status == USB_OK && transfer->actual == 1)
        choice = uvc_control_choose(control, transfer->data[0]);
    if (choice != 0) {
        self->asking = false;
        transfer->data[0] = choice;
        ask_entity(self, SET_CUR, transfer->setup.value, transfer->setup.index, 1,
                   transfer->deadline_us);
        return;
    }
    self->adjusted++;
    adjust(self);
}

static void on_prepared(struct usb *usb, enum usb_status status, void *arg);

/* Claim what is not claimed yet, then bring the interface to rest, then negotiate. */
static void prepare(struct uvc *self)
{
    if (self->function.has_control_interface && !self->claimed_control) {
        self->state = STATE_CLAIM_CONTROL;
        usb_claim(self->usb, self->function.control_interface, self->deadline_us, on_prepared,
                  self);
    } else if (!self->claimed_streaming) {
        self->state = STATE_CLAIM_STREAMING;
        usb_claim(self->usb, self->function.streaming_interface, self->deadline_us, on_prepared,
                  self);
    } else if (!is_bulk(self) && self->state != STATE_REST) {
        self->state = STATE_REST;
        usb_set_alt(self->usb, self->function.streaming_interface, 0, self->deadline_us,
                    on_prepared, self);
    } else {
        self->adjusted = 0;
        adjust(self);
    }
}

static void on_prepared(struct usb *usb, enum usb_status status, void *arg)
{
    struct uvc *self = arg;

    (void)usb;
    enter(self);
    if (status != USB_OK) {
        fail(self, trouble_of(status));
    } else {
        if (self->state == STATE_CLAIM_CONTROL)
            self->claimed_control = true;
        else if (self->state == STATE_CLAIM_STREAMING)
            self->claimed_streaming = true;
        prepare(self);
    }
    leave(self);
}

static void on_later(struct timer *timer, void *arg)
{
    struct uvc *self = arg;

    (void)timer;
    enter(self);
    fail(self, self->later_trouble);
    leave(self);
}

static void begin(struct uvc *self)
{
    self->state = STATE_CLAIM_CONTROL;
    self->control = usb_transfer_new(self->usb, UVC_PROBE_MAX, 0, on_control, self);
    if (self->control == NULL) {
        self->later_trouble = CAMERA_FAILED;
        (void)timer_set_after(self->later, 0);
        return;
    }
    prepare(self);
}

/* -- the camera contract ----------------------------------------------------------------------- */

static int uvc_start(struct camera *camera, const struct camera_need *need, uint64_t deadline_us)
{
    struct uvc *self = uvc_of(camera);

    if (need->width == 0 || need->height == 0 || need->fps == 0 || need->silence_us == 0)
        return -EINVAL;
    if (self->wanted_again || (self->state != STATE_IDLE && self->state != STATE_STOPPING))
        return -EALREADY;
    self->need = *need;
    self->deadline_us = deadline_us;
    if (self->state == STATE_STOPPING)
        self->wanted_again = true;
    else
        begin(self);
    return 0;
}

static void uvc_stop(struct camera *camera)
{
    struct uvc *self = uvc_of(camera);

    enter(self);
    timer_stop(self->later);
    halt(self);
    leave(self);
}

static struct camera_counters uvc_counters(const struct camera *camera)
{
    return ((const struct uvc *)camera)->payload.counters;
}

static void uvc_free(struct camera *camera)
{
    struct uvc *self = uvc_of(camera);

    enter(self);
    self->dead = true;
    halt(self);
    leave(self);
}

static void destroy(struct uvc *self)
{
    usb_forget(self->usb, self);
    usb_transfer_free(&self->control);
    free_transfers(self);
    payload_clear(&self->payload);
    timer_free(&self->silence);
    timer_free(&self->later);
    if (self->claimed_streaming)
        usb_release(self->usb, self->function.streaming_interface);
    if (self->claimed_control)
        usb_release(self->usb, self->function.control_interface);
    free(self->config);
    free(self);
}

static const struct camera_ops uvc_ops = {
    .start = uvc_start,
    .stop = uvc_stop,
    .counters = uvc_counters,
    .free = uvc_free,
};

static int parse(struct usb *usb, struct usb_config *config)
{
    size_t len;
    const uint8_t *bytes = usb_config_bytes(usb, &len);

    return bytes != NULL ? usb_config_parse(config, bytes, len) : -ENODEV;
}

unsigned uvc_count(struct usb *usb)
{
    struct usb_config *config = malloc(sizeof(*config));
    struct uvc_function *function = malloc(sizeof(*function));
    unsigned count = 0;
    int r = -ENOMEM;

    if (config != NULL && function != NULL && parse(usb, config) == 0)
        while ((r = uvc_function_find(config, count, function)) == 0 || r == -EPROTO)
            count++;
    free(config);
    free(function);
    return count;
}

struct camera *uvc_new(struct usb *usb, unsigned nth)
{
    struct uvc *self = calloc(1, sizeof(*self));
    int r = -ENOMEM;

    if (self == NULL)
        goto fail;
    self->camera.ops = &uvc_ops;
    self->usb = usb;
    self->clock = usb_clock(usb);
    self->config = malloc(sizeof(*self->config));
    self->silence = timer_new(self->clock, on_silence, self);
    self->later = timer_new(self->clock, on_later, self);
    if (self->config == NULL || self->silence == NULL || self->later == NULL)
        goto fail;
    r = parse(usb, self->config);
    if (r == 0)
        r = uvc_function_find(self->config, nth, &self->function);
    if (r < 0)
        goto fail;
    return &self->camera;

fail:
    if (self != NULL)
        destroy(self);
    errno = -r;
    return NULL;
}
