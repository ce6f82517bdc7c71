/*
 * How a handle learns what it holds: control requests, one after the other. USB 2.0, 9.4.
 * The device descriptor comes first, then which configuration is active (and the first one is set
 * when none is and nobody else would), then that configuration's descriptors, header first.
 * A request that fails, or whose answer cannot be one, is made again: many a device stumbles over
 * its first ones. A configuration that comes out shorter than it says is taken as it is in the end.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/common/bytes.h"
#include "daemon/common/clock.h"
#include "usb_descriptor.h"
#include "usb_transport.h"

#define GET_DESCRIPTOR 6
#define GET_CONFIGURATION 8
#define SET_CONFIGURATION 9

#define TRIES 3u
#define TRY_US (2 * CLOCK_SECOND)

enum step { DEVICE, ACTIVE, HEADER, WHOLE, CONFIGURE, STEP_COUNT };

struct request_row {
    uint8_t request_type;
    uint8_t request;
    uint16_t value;
    uint16_t length;
};

static const struct request_row rows[STEP_COUNT] = {
    [DEVICE] = {USB_DIR_IN, GET_DESCRIPTOR, USB_DT_DEVICE << 8, USB_DEVICE_BYTES},
    [ACTIVE] = {USB_DIR_IN, GET_CONFIGURATION, 0, 1},
    [HEADER] = {USB_DIR_IN, GET_DESCRIPTOR, USB_DT_CONFIG << 8, USB_CONFIG_HEADER_BYTES},
    [WHOLE] = {USB_DIR_IN, GET_DESCRIPTOR, USB_DT_CONFIG << 8, 0},
    [CONFIGURE] = {0, SET_CONFIGURATION, 0, 0},
};

static void submit(struct usb *usb, struct usb_operation *operation)
{
    uint64_t soon = clock_monotonic_us(usb->clock) + TRY_US;

    operation->transfer->deadline_us =
        soon < operation->deadline_us ? soon : operation->deadline_us;
    usb_submit(operation->transfer);
}

static void ask(struct usb *usb, struct usb_operation *operation, enum step step, uint16_t length)
{
    const struct request_row *row = &rows[step];
    struct usb_transfer *transfer = operation->transfer;
    uint16_t value = row->value;

    if (step == HEADER || step == WHOLE)
        value = (uint16_t)(value | operation->index);
    else if (step == CONFIGURE)
        value = operation->wanted;
    operation->step = (unsigned)step;
    operation->tries = 1;
    transfer->kind = USB_CONTROL;
    transfer->endpoint = 0;
    transfer->setup = (struct usb_setup){row->request_type, row->request, value, 0};
    transfer->length = length != 0 ? length : row->length;
    submit(usb, operation);
}

/* True when it goes on; else `*status` is the end. */
static bool on_device(struct usb *usb, struct usb_operation *operation, enum usb_status *status)
{
    const struct usb_transfer *transfer = operation->transfer;

    if (transfer->actual != USB_DEVICE_BYTES || transfer->data[0] != USB_DEVICE_BYTES ||
        transfer->data[1] != USB_DT_DEVICE || transfer->data[17] == 0) {
        *status = USB_IO;
        return false;
    }
    memcpy(usb->device, transfer->data, USB_DEVICE_BYTES);
    ask(usb, operation, ACTIVE, 0);
    return true;
}

static bool on_active(struct usb *usb, struct usb_operation *operation, enum usb_status *status)
{
    const struct usb_transfer *transfer = operation->transfer;

    if (transfer->actual != 1 || (transfer->data[0] == 0 && !usb->ops->configures)) {
        *status = USB_IO;
        return false;
    }
    operation->wanted = transfer->data[0]; /* 0: take the first and set it */
    ask(usb, operation, HEADER, 0);
    return true;
}

static bool on_header(struct usb *usb, struct usb_operation *operation, enum usb_status *status)
{
    struct bytes_reader r;
    uint16_t total;
    uint8_t value;

    bytes_reader_init(&r, operation->transfer->data, operation->transfer->actual);
    *status = USB_IO;
    if (bytes_u8(&r) < USB_CONFIG_HEADER_BYTES || bytes_u8(&r) != USB_DT_CONFIG)
        return false;
    total = bytes_u16le(&r);
    bytes_u8(&r); /* bNumInterfaces: counted by ourselves */
    value = bytes_u8(&r);
    if (r.failed || total < USB_CONFIG_HEADER_BYTES || value == 0)
        return false;
    /* Where there is but one, that one is active, whatever number was heard. */
    if (operation->wanted != 0 && value != operation->wanted && usb->device[17] > 1) {
        if (++operation->index >= usb->device[17]) /* bNumConfigurations */
            return false;
        ask(usb, operation, HEADER, 0);
        return true;
    }
    ask(usb, operation, WHOLE, total);
    return true;
}

static bool on_whole(struct usb *usb, struct usb_operation *operation, enum usb_status *status)
{
    const struct usb_transfer *transfer = operation->transfer;
    bool unset = operation->wanted == 0;

    *status = USB_IO;
    if (transfer->actual < USB_CONFIG_HEADER_BYTES || transfer->data[1] != USB_DT_CONFIG ||
        (transfer->actual < transfer->length && operation->tries < TRIES))
        return false;
    free(usb->config);
    usb->config_len = 0;
    usb->config = malloc(transfer->actual);
    if (usb->config == NULL)
        return false;
    memcpy(usb->config, transfer->data, transfer->actual);
    usb->config_len = transfer->actual;
    operation->wanted = usb->config[5];
    if (unset) {
        ask(usb, operation, CONFIGURE, 0);
        return true;
    }
    *status = USB_OK;
    return false;
}

static bool on_configure(struct usb *usb, struct usb_operation *operation, enum usb_status *status)
{
    (void)usb;
    (void)operation;
    *status = USB_OK;
    return false;
}

static bool (*const answers[STEP_COUNT])(struct usb *, struct usb_operation *,
                                         enum usb_status *) = {
    [DEVICE] = on_device, [ACTIVE] = on_active,       [HEADER] = on_header,
    [WHOLE] = on_whole,   [CONFIGURE] = on_configure,
};

static void on_answer(struct usb_transfer *transfer, void *arg)
{
    struct usb_operation *operation = arg;
    struct usb *usb = ((struct usb_request *)transfer)->usb;
    enum usb_status status = transfer->status;

    if (status == USB_OK && answers[operation->step](usb, operation, &status))
        return;
    if (status != USB_OK && status != USB_GONE && operation->tries < TRIES &&
        clock_left_us(usb->clock, operation->deadline_us) > 0) {
        operation->tries++;
        submit(usb, operation);
        return;
    }
    usb->started = status == USB_OK;
    usb_transport_operated(usb, operation, status);
}

void usb_start_run(struct usb *usb, struct usb_operation *operation)
{
    operation->transfer = usb_transfer_new(usb, USB_CONFIG_MAX, 0, on_answer, operation);
    if (operation->transfer == NULL) {
        usb_transport_operated(usb, operation, USB_IO);
        return;
    }
    ask(usb, operation, DEVICE, 0);
}
