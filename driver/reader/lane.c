#include "lane.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ccid_channel.h"
#include "daemon/common/clock.h"
#include "daemon/common/failure.h"
#include "daemon/common/log.h"
#include "driver/usb/usb.h"
#include "driver/uvc/uvc.h"
#include "driver/v4l2/v4l2.h"
#include "driver/v4l2/v4l2_worker.h"
#include "frames.h"
#include "outcome.h"

#define DEVICES 2u
#define OPEN_US (8 * CLOCK_SECOND)
#define TROUBLES_MOST 3u
/* As often in a row a reader may be closed for what it answers, or does not, before the next opening resets it. */
#define CLOSINGS_MOST 2u

#define KIND_USBFS 1
#define KIND_USBIP 2
#define KIND_V4L2 3
#define USE_READER 0x01u
#define USE_CAMERA 0x02u

enum device_step { DEVICE_FREE, DEVICE_STARTING, DEVICE_OPENING, DEVICE_READY, DEVICE_CLOSING };

struct device {
    struct lane *lane;
    enum device_step step;
    uint8_t use;
    uint32_t busnum;
    uint32_t devnum;
    char port[65];
    char name[97];
    uint64_t deadline_us;
    struct usb *usb;
    struct ccid *ccid;
    struct camera *camera;
    struct ccid_channel channel;
    uint32_t slots_with_card; /* bit a slot */
    struct timer
        *closing;     /* drivers are freed from the loop, never from inside their own callbacks */
    uint16_t failure; /* why it is being closed */
    bool refused;     /* opening it again at once would end the same way */
};

struct lane {
    struct sd_event *loop;
    struct clock *clock;
    struct card_engine *engine;
    struct frames *frames;
    const struct lane_listener *listener;
    void *arg;
    struct v4l2_worker *worker; /* for cameras of the kernel's driver */
    struct device devices[DEVICES];
    uint16_t reader;       /* READER_STATE.reader */
    uint16_t camera;       /* READER_STATE.camera */
    uint16_t camera_fault; /* what the last run found */
    unsigned troubles;     /* operations in a row that the reader failed */
    unsigned closings;     /* times in a row that it was closed for that */
    bool pin_pad;          /* READER_STATE.pin_pad, as it was told last */
};

static void on_closing(struct timer *timer, void *arg);

static struct device *device_with(struct lane *lane, uint8_t use)
{
    for (size_t i = 0; i < DEVICES; i++)
        if (lane->devices[i].step != DEVICE_FREE && (lane->devices[i].use & use) != 0)
            return &lane->devices[i];
    return NULL;
}

static struct device *device_at(struct lane *lane, const char *port)
{
    for (size_t i = 0; i < DEVICES; i++)
        if (lane->devices[i].step != DEVICE_FREE && strcmp(lane->devices[i].port, port) == 0)
            return &lane->devices[i];
    return NULL;
}

/* -- closing ----------------------------------------------------------------------------------- */

/* Take the drivers away from those who use them: nothing of this device is called any more. */
static void disconnect(struct device *d)
{
    struct lane *lane = d->lane;

    if (d->use & USE_READER) {
        if (d->ccid != NULL)
            card_engine_set_channel(lane->engine, NULL);
        lane->reader = d->failure != FAILURE_NONE ? d->failure : FAILURE_READER_ABSENT;
        lane->troubles = 0;
    }
    if (d->use & USE_CAMERA) {
        if (d->camera != NULL)
            frames_set_camera(lane->frames, NULL);
        lane->camera = FAILURE_CAMERA_ABSENT;
        lane->camera_fault = FAILURE_NONE;
    }
    d->slots_with_card = 0;
}

static void device_free(struct device *d)
{
    struct lane *lane = d->lane;

    ccid_free(&d->ccid);
    camera_free(&d->camera);
    usb_free(&d->usb);
    timer_free(&d->closing);
    memset(d, 0, sizeof(*d));
    d->lane = lane;
}

static bool is_trouble(uint16_t failure)
{
    return failure == FAILURE_READER_PROTOCOL || failure == FAILURE_READER_TIMEOUT;
}

static void count_closing(struct lane *lane, uint16_t failure)
{
    if (!is_trouble(failure))
        lane->closings = 0;
    else if (lane->closings < CLOSINGS_MOST)
        lane->closings++;
}

static void device_close(struct device *d, uint16_t failure, bool refused)
{
    if (d->step == DEVICE_CLOSING)
        return;
    d->step = DEVICE_CLOSING;
    d->failure = failure;
    d->refused = refused;
    if ((d->use & USE_READER) != 0)
        count_closing(d->lane, failure);
    log_event(LOG_LEVEL_NOTICE, "device closed", LOG_FAILURE(failure));
    disconnect(d);
    timer_set_after(d->closing, 0);
    d->lane->listener->changed(d->lane->arg);
}

static void on_closing(struct timer *timer, void *arg)
{
    struct device *d = arg;
    struct lane *lane = d->lane;
    enum lane_device_state state = d->refused ? LANE_DEVICE_REFUSED : LANE_DEVICE_CLOSED;
    uint16_t failure = d->failure;
    char port[sizeof(d->port)];

    (void)timer;
    memcpy(port, d->port, sizeof(port));
    device_free(d);
    lane->listener->device(state, failure, port, lane->arg);
}

static void on_gone(struct usb *usb, void *arg)
{
    (void)usb;
    device_close(arg, FAILURE_READER_LOST, false);
}

static void on_camera_gone(void *arg)
{
    device_close(arg, FAILURE_CAMERA_ABSENT, false);
}

/* -- opening ----------------------------------------------------------------------------------- */

static void device_ready(struct device *d)
{
    d->step = DEVICE_READY;
    log_event(LOG_LEVEL_INFO, "device ready", LOG_NUMBER("reader", d->ccid != NULL),
              LOG_NUMBER("camera", d->camera != NULL));
    d->lane->listener->device(LANE_DEVICE_IN_USE, FAILURE_NONE, d->port, d->lane->arg);
    d->lane->listener->changed(d->lane->arg);
}

/* The engine looks at the slot with the card; while it is at work the slot stays. */
static void choose_slot(struct device *d)
{
    if (card_engine_busy(d->lane->engine) || d->slots_with_card == 0 ||
        (d->slots_with_card & UINT32_C(1) << d->channel.slot) != 0)
        return;
    d->channel.slot = (unsigned)__builtin_ctz(d->slots_with_card);
    card_engine_card_gone(d->lane->engine);
}

static void on_card(struct ccid *ccid, unsigned slot, bool present, void *arg)
{
    struct device *d = arg;
    uint32_t before = d->slots_with_card;

    (void)ccid;
    if (slot >= 32 || d->step == DEVICE_CLOSING)
        return;
    if (present)
        d->slots_with_card |= UINT32_C(1) << slot;
    else
        d->slots_with_card &= ~(UINT32_C(1) << slot);
    if (!present && slot == d->channel.slot)
        card_engine_card_gone(d->lane->engine);
    choose_slot(d);
    if (before != d->slots_with_card && d->step == DEVICE_READY)
        d->lane->listener->changed(d->lane->arg);
}

static void on_opened(struct ccid *ccid, unsigned slot, enum ccid_result result,
                      const uint8_t *data, size_t len, void *arg)
{
    struct device *d = arg;

    (void)slot;
    (void)data;
    (void)len;
    if (d->step != DEVICE_OPENING)
        return;
    if (result != CCID_OK) {
        log_event(LOG_LEVEL_WARNING, "reader does not open",
                  LOG_NAME("result", ccid_result_name(result)));
        device_close(d, (uint16_t)outcome_of_reader(result), result == CCID_READER_HELD);
        return;
    }
    ccid_channel_init(&d->channel, ccid, 0);
    /* Opening asked every slot: a card that lies there is told with the first word, not after it. */
    for (unsigned i = 0; i < ccid_info(ccid)->slots && i < 32; i++)
        if (ccid_card_present(ccid, i))
            d->slots_with_card |= UINT32_C(1) << i;
    if (d->slots_with_card != 0)
        d->channel.slot = (unsigned)__builtin_ctz(d->slots_with_card);
    d->lane->reader = FAILURE_NONE;
    d->lane->pin_pad = d->channel.base.pin_pad;
    card_engine_set_channel(d->lane->engine, &d->channel.base);
    device_ready(d);
}

/* False: there was no memory for it, which another time may be there. A device without camera is none of those. */
static bool open_camera(struct device *d)
{
    if ((d->use & USE_CAMERA) == 0)
        return true;
    d->camera = uvc_new(d->usb, 0);
    if (d->camera == NULL) {
        if (errno != ENODEV)
            log_event(LOG_LEVEL_WARNING, "camera refused", LOG_ERRNO(errno));
        return errno != ENOMEM;
    }
    d->lane->camera = FAILURE_NONE;
    frames_set_camera(d->lane->frames, d->camera);
    return true;
}

static void open_parts(struct device *d)
{
    struct usb *usb = d->usb;

    if (!open_camera(d)) {
        device_close(d, FAILURE_DESK_BUSY, false);
        return;
    }
    if ((d->use & USE_READER) == 0) {
        if (d->camera != NULL)
            device_ready(d);
        else
            device_close(d, FAILURE_CAMERA_ABSENT, true);
        return;
    }
    d->ccid = ccid_new(usb, 0);
    if (d->ccid == NULL) {
        log_event(LOG_LEVEL_WARNING, "reader refused", LOG_ERRNO(errno));
        if (errno == ENOMEM)
            device_close(d, FAILURE_DESK_BUSY, false);
        else
            device_close(d, FAILURE_READER_UNSUPPORTED, true);
        return;
    }
    /* Two in one housing, each with an interface of its own: the first is the contactless one of those known. */
    if (ccid_count(usb) > 1)
        log_event(LOG_LEVEL_NOTICE, "the device has more readers, only the first is used",
                  LOG_NUMBER("readers", ccid_count(usb)));
    d->step = DEVICE_OPENING;
    ccid_on_card(d->ccid, on_card, d);
    ccid_open(d->ccid, d->deadline_us, on_opened, d);
}

static void on_reset(struct usb *usb, enum usb_status status, void *arg)
{
    struct device *d = arg;

    (void)usb;
    if (d->step != DEVICE_STARTING)
        return;
    log_event(LOG_LEVEL_NOTICE, "reader reset", LOG_NAME("status", usb_status_name(status)));
    if (status == USB_GONE)
        device_close(d, FAILURE_READER_LOST, false);
    else /* A host that cannot do it has done no harm. */
        open_parts(d);
}

static void on_started(struct usb *usb, enum usb_status status, void *arg)
{
    struct device *d = arg;

    if (d->step != DEVICE_STARTING)
        return;
    if (status != USB_OK) {
        log_event(LOG_LEVEL_WARNING, "device does not start",
                  LOG_NAME("status", usb_status_name(status)));
        device_close(d, status == USB_GONE ? FAILURE_READER_LOST : FAILURE_READER_PROTOCOL, false);
        return;
    }
    usb_on_gone(usb, on_gone, d);
    if ((d->use & USE_READER) != 0 && d->lane->closings == CLOSINGS_MOST) {
        d->lane->closings = 0;
        usb_reset(usb, d->deadline_us, on_reset, d);
    } else {
        open_parts(d);
    }
}

/* A camera of the kernel's driver is usable as it comes. */
static bool open_node(struct device *d, int fd)
{
    struct lane *lane = d->lane;

    d->camera = v4l2_new(lane->loop, lane->clock, lane->worker, NULL, fd);
    if (d->camera == NULL) {
        log_event(LOG_LEVEL_WARNING, "camera refused", LOG_ERRNO(errno));
        return false;
    }
    v4l2_on_gone(d->camera, on_camera_gone, d);
    lane->camera = FAILURE_NONE;
    frames_set_camera(lane->frames, d->camera);
    return true;
}

static struct usb *make_usb(struct lane *lane, const struct msg_device_attach *m, int fd)
{
    switch (m->kind) {
    case KIND_USBFS:
        return usb_libusb_new(lane->loop, lane->clock, fd);
    case KIND_USBIP: {
        /* USB/IP numbers speeds as the kernel does: 1 low, 2 full, 3 high, 5 super. */
        static const enum usb_speed speeds[] = {USB_SPEED_UNKNOWN, USB_SPEED_LOW,  USB_SPEED_FULL,
                                                USB_SPEED_HIGH,    USB_SPEED_HIGH, USB_SPEED_SUPER};
        enum usb_speed speed =
            m->speed < sizeof(speeds) / sizeof(speeds[0]) ? speeds[m->speed] : USB_SPEED_UNKNOWN;

        return usb_usbip_new(lane->loop, lane->clock, fd, m->devid, speed);
    }
    default:
        close(fd);
        errno = ENOTSUP;
        return NULL;
    }
}

/* One that was never begun: opening it again would end the same way. */
static void refuse(struct device *d)
{
    uint16_t failure = d->use & USE_READER ? FAILURE_READER_UNSUPPORTED : FAILURE_CAMERA_ABSENT;
    struct lane *lane = d->lane;
    char port[sizeof(d->port)];

    memcpy(port, d->port, sizeof(port));
    device_free(d);
    lane->listener->device(LANE_DEVICE_REFUSED, failure, port, lane->arg);
}

/* -- from outside ------------------------------------------------------------------------------ */

struct lane *lane_new(struct sd_event *loop, struct clock *clock, struct card_engine *engine,
                      struct frames *frames, const struct lane_listener *listener, void *arg)
{
    struct lane *lane = calloc(1, sizeof(*lane));

    if (lane == NULL)
        return NULL;
    lane->loop = loop;
    lane->clock = clock;
    lane->engine = engine;
    lane->frames = frames;
    lane->listener = listener;
    lane->arg = arg;
    if (v4l2_worker_new(&lane->worker, loop) < 0) {
        free(lane);
        return NULL;
    }
    lane->reader = FAILURE_READER_ABSENT;
    lane->camera = FAILURE_CAMERA_ABSENT;
    for (size_t i = 0; i < DEVICES; i++)
        lane->devices[i].lane = lane;
    return lane;
}

void lane_free(struct lane **lane)
{
    if (*lane == NULL)
        return;
    for (size_t i = 0; i < DEVICES; i++)
        if ((*lane)->devices[i].step != DEVICE_FREE) {
            disconnect(&(*lane)->devices[i]);
            device_free(&(*lane)->devices[i]);
        }
    v4l2_worker_free(&(*lane)->worker);
    free(*lane);
    *lane = NULL;
}

void lane_attach(struct lane *lane, const struct msg_device_attach *m, int fd)
{
    struct device *d = device_at(lane, m->port);

    if (d != NULL && d->step != DEVICE_CLOSING && d->busnum == m->busnum &&
        d->devnum == m->devnum) {
        /* The broker was restarted and does not know that we have it. */
        close(fd);
        if (d->step == DEVICE_READY)
            lane->listener->device(LANE_DEVICE_IN_USE, FAILURE_NONE, m->port, lane->arg);
        return;
    }
    if (d != NULL)
        lane_detach(lane, m->port);
    for (d = lane->devices; d < lane->devices + DEVICES && d->step != DEVICE_FREE; d++)
        ;
    if (d == lane->devices + DEVICES ||
        device_with(lane, m->use & (USE_READER | USE_CAMERA)) != NULL) {
        close(fd);
        lane->listener->device(LANE_DEVICE_REFUSED, FAILURE_READER_BUSY, m->port, lane->arg);
        return;
    }
    d->use = m->kind == KIND_V4L2 ? m->use & USE_CAMERA : m->use;
    d->busnum = m->busnum;
    d->devnum = m->devnum;
    memcpy(d->port, m->port, sizeof(d->port));
    memcpy(d->name, m->name, sizeof(d->name));
    d->deadline_us = clock_monotonic_us(lane->clock) + OPEN_US;
    d->closing = timer_new(lane->clock, on_closing, d);
    if (d->closing == NULL) {
        close(fd);
        refuse(d);
        return;
    }
    if (m->kind == KIND_V4L2) {
        if (open_node(d, fd))
            device_ready(d);
        else
            refuse(d);
        return;
    }
    d->usb = make_usb(lane, m, fd);
    if (d->usb == NULL) {
        log_event(LOG_LEVEL_WARNING, "device cannot be used", LOG_ERRNO(errno));
        refuse(d);
        return;
    }
    d->step = DEVICE_STARTING;
    usb_start(d->usb, d->deadline_us, on_started, d);
}

void lane_detach(struct lane *lane, const char *port)
{
    struct device *d = device_at(lane, port);

    if (d == NULL)
        return;
    if (d->step != DEVICE_CLOSING) {
        d->failure = FAILURE_READER_LOST;
        disconnect(d);
    }
    device_free(d);
    lane->listener->changed(lane->arg);
}

void lane_tell_devices(const struct lane *lane)
{
    for (size_t i = 0; i < DEVICES; i++)
        if (lane->devices[i].step == DEVICE_READY)
            lane->listener->device(LANE_DEVICE_IN_USE, FAILURE_NONE, lane->devices[i].port,
                                   lane->arg);
}

unsigned lane_cards(const struct lane *lane)
{
    unsigned cards = 0;

    for (size_t i = 0; i < DEVICES; i++)
        cards += (unsigned)__builtin_popcount(lane->devices[i].slots_with_card);
    return cards;
}

void lane_state(const struct lane *lane, struct msg_reader_state *out)
{
    const struct device *d;

    memset(out, 0, sizeof(*out));
    out->reader = lane->reader;
    out->camera = lane->camera != FAILURE_NONE ? lane->camera : lane->camera_fault;
    out->card = (uint8_t)lane_cards(lane);
    for (size_t i = 0; i < DEVICES; i++) {
        d = &lane->devices[i];
        if (d->step != DEVICE_READY || d->ccid == NULL)
            continue;
        out->vendor = ccid_info(d->ccid)->vendor;
        out->product = ccid_info(d->ccid)->product;
        out->pin_pad = d->channel.base.pin_pad;
        (void)MESSAGE_TEXT(out->name, d->name[0] != 0 ? d->name : ccid_info(d->ccid)->name);
    }
}

void lane_card_result(struct lane *lane, uint16_t failure)
{
    struct device *d = device_with(lane, USE_READER);

    /* The card may have left its slot while it was at work, and lie on another one. */
    if (d != NULL && d->step == DEVICE_READY)
        choose_slot(d);
    /* A reader may turn out to have no PIN pad after all: whoever shows screens must know. */
    if (d != NULL && d->step == DEVICE_READY && d->channel.base.pin_pad != lane->pin_pad) {
        lane->pin_pad = d->channel.base.pin_pad;
        lane->listener->changed(lane->arg);
    }
    if (!is_trouble(failure)) {
        lane->troubles = lane->closings = 0;
        return;
    }
    if (++lane->troubles >= TROUBLES_MOST && d != NULL && d->step == DEVICE_READY)
        device_close(d, failure, false);
}

void lane_camera_result(struct lane *lane, uint16_t failure)
{
    uint16_t before = lane->camera_fault;

    lane->camera_fault = failure;
    if (before != failure && lane->camera == FAILURE_NONE)
        lane->listener->changed(lane->arg);
}
