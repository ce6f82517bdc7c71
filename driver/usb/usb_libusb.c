/*
 * usbfs by libusb-1.0, asynchronous and without threads.
 *
 * libusb's descriptors are watched by our loop; when one is ready libusb is given a turn with no
 * time to wait. Deadlines are ours (libusb's own time-outs stay off), so its timer is never in use.
 * Every handle has its own libusb context: one device's trouble is no other's.
 */
#include <errno.h>
#include <libusb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "usb_transport.h"

#define WATCHES_MAX 8 /* libusb 1.0.26 has at most three: the device, its wake-up, its timer */
/* usbfs gives a discarded transfer back at once; more is a host in trouble. */
#define DRAIN_TURNS 64

struct watch {
    int fd;
    sd_event_source *source;
};

struct usb_libusb {
    struct usb usb;
    struct sd_event *loop;
    libusb_context *context;
    libusb_device_handle *handle;
    int fd;
    struct watch watches[WATCHES_MAX];
    uint64_t claimed[4]; /* by interface number */
    unsigned submitted;  /* transfers libusb has */
};

static struct usb_libusb *libusb_of(struct usb *usb)
{
    return (struct usb_libusb *)usb;
}

static enum usb_status status_of_error(int error)
{
    switch (error) {
    case LIBUSB_SUCCESS:
        return USB_OK;
    case LIBUSB_ERROR_NO_DEVICE:
        return USB_GONE;
    case LIBUSB_ERROR_PIPE:
        return USB_STALL;
    case LIBUSB_ERROR_TIMEOUT:
        return USB_TIMEOUT;
    case LIBUSB_ERROR_OVERFLOW:
        return USB_OVERFLOW;
    case LIBUSB_ERROR_BUSY:
        return USB_BUSY;
    default:
        return USB_IO;
    }
}

static enum usb_status status_of_transfer(enum libusb_transfer_status status)
{
    switch (status) {
    case LIBUSB_TRANSFER_COMPLETED:
        return USB_OK;
    case LIBUSB_TRANSFER_TIMED_OUT:
        return USB_TIMEOUT;
    case LIBUSB_TRANSFER_CANCELLED:
        return USB_CANCELLED;
    case LIBUSB_TRANSFER_STALL:
        return USB_STALL;
    case LIBUSB_TRANSFER_NO_DEVICE:
        return USB_GONE;
    case LIBUSB_TRANSFER_OVERFLOW:
        return USB_OVERFLOW;
    case LIBUSB_TRANSFER_ERROR:
    default:
        return USB_IO;
    }
}

/*
 * The device's power was lost in the host's sleep, or another program reset it: then the kernel has taken claimed
 * interfaces back and offered them to its own drivers (uvcvideo). libusb goes on calling them claimed and does not claim
 * them again, so this handle is of no use any more; one that is opened anew is. Looked at when something fails.
 */
static bool claims_are_lost(struct usb_libusb *self)
{
    bool lost = false;

    for (unsigned i = 0; i < 256 && !lost; i++)
        lost = (self->claimed[i >> 6] >> (i & 63) & 1) != 0 &&
               libusb_kernel_driver_active(self->handle, (int)i) == 1;
    return lost;
}

static enum usb_status status_of_refusal(struct usb_libusb *self, int error)
{
    enum usb_status status = status_of_error(error);

    return status == USB_IO && claims_are_lost(self) ? USB_GONE : status;
}

/* -- the loop ---------------------------------------------------------------------------------- */

static void take_turn(struct usb_libusb *self)
{
    struct timeval none = {0, 0};
    int error = libusb_handle_events_timeout_completed(self->context, &none, NULL);

    if (error == LIBUSB_ERROR_NO_DEVICE)
        usb_transport_gone(&self->usb);
}

static int on_ready(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
    struct usb_libusb *self = arg;

    (void)source;
    usb_transport_enter(&self->usb);
    take_turn(self);
    /* usbfs says so when the device has gone, also when no transfer is there to carry the news. */
    if (fd == self->fd && (revents & (EPOLLERR | EPOLLHUP)) != 0)
        usb_transport_gone(&self->usb);
    usb_transport_leave(&self->usb);
    return 0;
}

static void on_fd_added(int fd, short events, void *arg)
{
    struct usb_libusb *self = arg;
    uint32_t wanted = ((events & POLLIN) != 0 ? (uint32_t)EPOLLIN : 0) |
                      ((events & POLLOUT) != 0 ? (uint32_t)EPOLLOUT : 0);

    for (unsigned i = 0; i < WATCHES_MAX; i++) {
        struct watch *watch = &self->watches[i];

        if (watch->source != NULL)
            continue;
        watch->fd = fd;
        if (sd_event_add_io(self->loop, &watch->source, fd, wanted, on_ready, self) < 0)
            usb_transport_gone(&self->usb);
        return;
    }
    usb_transport_gone(&self->usb);
}

static void on_fd_removed(int fd, void *arg)
{
    struct usb_libusb *self = arg;

    for (unsigned i = 0; i < WATCHES_MAX; i++)
        if (self->watches[i].source != NULL && self->watches[i].fd == fd)
            self->watches[i].source = sd_event_source_disable_unref(self->watches[i].source);
}

/* -- transfers --------------------------------------------------------------------------------- */

static void LIBUSB_CALL on_transfer(struct libusb_transfer *transfer)
{
    struct usb_request *request = transfer->user_data;
    struct usb_libusb *self = libusb_of(request->usb);
    enum usb_status status = status_of_transfer(transfer->status);

    self->submitted--;
    transfer->user_data = NULL;
    if (request->pub.kind == USB_ISOCHRONOUS) {
        for (unsigned i = 0; i < request->pub.packet_count; i++) {
            struct libusb_iso_packet_descriptor *from = &transfer->iso_packet_desc[i];
            struct usb_packet *to = &request->pub.packets[i];

            to->status = status_of_transfer(from->status);
            to->actual = from->actual_length < to->length ? from->actual_length : to->length;
        }
    }
    usb_transport_complete(request, status,
                           transfer->actual_length > 0 ? (size_t)transfer->actual_length : 0);
}

static int libusb_prepare(struct usb *usb, struct usb_request *request)
{
    (void)usb;
    request->backend = libusb_alloc_transfer((int)request->pub.packet_capacity);
    return request->backend != NULL ? 0 : -ENOMEM;
}

/* Given back after all, when nobody waits for it any more. */
static void LIBUSB_CALL on_forgotten_transfer(struct libusb_transfer *transfer)
{
    explicit_bzero(transfer->buffer, (size_t)transfer->length);
    free(transfer->user_data);
    libusb_free_transfer(transfer);
}

static void libusb_unprepare(struct usb *usb, struct usb_request *request)
{
    struct libusb_transfer *transfer = request->backend;

    if (transfer->user_data == NULL) {
        libusb_free_transfer(transfer);
        return;
    }
    /* Not given back by a host in trouble: better a leak than memory that libusb still writes to. */
    libusb_of(usb)->submitted--;
    transfer->user_data = request->memory;
    transfer->callback = on_forgotten_transfer;
    request->memory = NULL;
}

static enum usb_status libusb_submit(struct usb *usb, struct usb_request *request)
{
    struct usb_libusb *self = libusb_of(usb);
    struct libusb_transfer *transfer = request->backend;
    static const uint8_t types[] = {
        [USB_CONTROL] = LIBUSB_TRANSFER_TYPE_CONTROL,
        [USB_BULK] = LIBUSB_TRANSFER_TYPE_BULK,
        [USB_INTERRUPT] = LIBUSB_TRANSFER_TYPE_INTERRUPT,
        [USB_ISOCHRONOUS] = LIBUSB_TRANSFER_TYPE_ISOCHRONOUS,
    };
    int error;

    transfer->dev_handle = self->handle;
    transfer->flags = 0;
    transfer->endpoint = request->pub.endpoint;
    transfer->type = types[request->pub.kind];
    transfer->timeout = 0;
    transfer->callback = on_transfer;
    transfer->buffer = request->pub.data;
    transfer->length = (int)request->pub.length;
    transfer->num_iso_packets = 0;
    if (request->pub.kind == USB_CONTROL) {
        usb_request_setup(request);
        transfer->buffer = request->memory;
        transfer->length += (int)USB_SETUP_BYTES;
    } else if (request->pub.kind == USB_ISOCHRONOUS) {
        transfer->num_iso_packets = (int)request->pub.packet_count;
        for (unsigned i = 0; i < request->pub.packet_count; i++)
            transfer->iso_packet_desc[i].length = request->pub.packets[i].length;
    }
    transfer->user_data = request;
    error = libusb_submit_transfer(transfer);
    if (error != LIBUSB_SUCCESS) {
        enum usb_status status = status_of_refusal(self, error);

        transfer->user_data = NULL;
        return status == USB_BUSY ? USB_IO : status;
    }
    self->submitted++;
    return USB_OK;
}

static void libusb_cancel(struct usb *usb, struct usb_request *request)
{
    (void)usb;
    /* NOT_FOUND: it has just ended, and its callback is on the way. */
    (void)libusb_cancel_transfer(request->backend);
}

static void libusb_drain(struct usb *usb)
{
    struct usb_libusb *self = libusb_of(usb);

    for (struct usb_request *request = usb->flying; request != NULL; request = request->next)
        if (request->submitted)
            (void)libusb_cancel_transfer(request->backend);
    for (unsigned i = 0; i < DRAIN_TURNS && self->submitted > 0; i++)
        take_turn(self);
}

/* -- operations -------------------------------------------------------------------------------- */

static void mark_claimed(struct usb_libusb *self, uint8_t interface, bool claimed)
{
    uint64_t bit = UINT64_C(1) << (interface & 63);

    if (claimed)
        self->claimed[interface >> 6] |= bit;
    else
        self->claimed[interface >> 6] &= ~bit;
}

static void libusb_operate(struct usb *usb, struct usb_operation *operation)
{
    struct usb_libusb *self = libusb_of(usb);
    int error = LIBUSB_ERROR_NOT_SUPPORTED;

    switch (operation->kind) {
    case USB_OP_CLAIM:
        error = libusb_claim_interface(self->handle, operation->interface);
        if (error == LIBUSB_SUCCESS)
            mark_claimed(self, operation->interface, true);
        break;
    case USB_OP_SET_ALT:
        error =
            libusb_set_interface_alt_setting(self->handle, operation->interface, operation->alt);
        break;
    case USB_OP_CLEAR_HALT:
        error = libusb_clear_halt(self->handle, operation->endpoint);
        break;
    case USB_OP_RESET:
        error = libusb_reset_device(self->handle);
        /* The device came back as another one: for this handle it has gone. */
        if (error == LIBUSB_ERROR_NOT_FOUND)
            error = LIBUSB_ERROR_NO_DEVICE;
        break;
    case USB_OP_START:
        break;
    }
    usb_transport_operated(usb, operation, status_of_refusal(self, error));
}

static void libusb_release(struct usb *usb, uint8_t interface)
{
    struct usb_libusb *self = libusb_of(usb);

    (void)libusb_release_interface(self->handle, interface);
    mark_claimed(self, interface, false);
}

/* -- life -------------------------------------------------------------------------------------- */

static void libusb_destroy(struct usb *usb)
{
    struct usb_libusb *self = libusb_of(usb);

    if (self->handle != NULL) {
        for (unsigned i = 0; i < 256; i++)
            if ((self->claimed[i >> 6] >> (i & 63) & 1) != 0)
                (void)libusb_release_interface(self->handle, (int)i);
        libusb_close(self->handle);
    }
    if (self->context != NULL) {
        libusb_set_pollfd_notifiers(self->context, NULL, NULL, NULL);
        libusb_exit(self->context);
    }
    for (unsigned i = 0; i < WATCHES_MAX; i++)
        sd_event_source_disable_unref(self->watches[i].source);
    sd_event_unref(self->loop);
    if (self->fd >= 0)
        close(self->fd);
    free(self);
}

static const struct usb_transport_ops libusb_ops = {
    .prepare = libusb_prepare,
    .unprepare = libusb_unprepare,
    .submit = libusb_submit,
    .cancel = libusb_cancel,
    .operate = libusb_operate,
    .release = libusb_release,
    .drain = libusb_drain,
    .destroy = libusb_destroy,
};

static enum usb_speed speed_of(libusb_device_handle *handle)
{
    static const enum usb_speed speeds[] = {
        [LIBUSB_SPEED_LOW] = USB_SPEED_LOW,
        [LIBUSB_SPEED_FULL] = USB_SPEED_FULL,
        [LIBUSB_SPEED_HIGH] = USB_SPEED_HIGH,
        [LIBUSB_SPEED_SUPER] = USB_SPEED_SUPER,
    };
    int speed = libusb_get_device_speed(libusb_get_device(handle));

    if (speed > LIBUSB_SPEED_SUPER)
        return USB_SPEED_SUPER;
    return speed > 0 ? speeds[speed] : USB_SPEED_UNKNOWN;
}

/* errno of libusb's errors at opening; others do not occur there. */
static int errno_of(int error)
{
    switch (error) {
    case LIBUSB_ERROR_NO_MEM:
        return ENOMEM;
    case LIBUSB_ERROR_NO_DEVICE:
        return ENODEV;
    case LIBUSB_ERROR_ACCESS:
        return EACCES;
    default:
        return EIO;
    }
}

struct usb *usb_libusb_new(struct sd_event *loop, struct clock *clock, int fd)
{
    struct usb_libusb *self = calloc(1, sizeof(*self));
    const struct libusb_pollfd **pollfds;
    int error = LIBUSB_ERROR_NO_MEM;

    if (self == NULL) {
        close(fd);
        errno = ENOMEM;
        return NULL;
    }
    self->fd = fd;
    self->loop = sd_event_ref(loop);
    if (usb_transport_init(&self->usb, &libusb_ops, clock) < 0)
        goto fail;
    /* Before libusb_init(), so that it looks at neither udev nor /sys nor /dev/bus/usb. */
    error = libusb_set_option(NULL, LIBUSB_OPTION_NO_DEVICE_DISCOVERY);
    if (error == LIBUSB_SUCCESS)
        error = libusb_init(&self->context);
    if (error == LIBUSB_SUCCESS)
        error = libusb_wrap_sys_device(self->context, (intptr_t)fd, &self->handle);
    if (error != LIBUSB_SUCCESS)
        goto fail;
    /* Not every host can do it; a claim that needs it then says BUSY. */
    (void)libusb_set_auto_detach_kernel_driver(self->handle, 1);
    self->usb.speed = speed_of(self->handle);

    pollfds = libusb_get_pollfds(self->context);
    error = LIBUSB_ERROR_NO_MEM;
    if (pollfds == NULL)
        goto fail;
    libusb_set_pollfd_notifiers(self->context, on_fd_added, on_fd_removed, self);
    for (unsigned i = 0; pollfds[i] != NULL; i++)
        on_fd_added(pollfds[i]->fd, pollfds[i]->events, self);
    libusb_free_pollfds(pollfds);
    if (self->usb.gone)
        goto fail;
    return &self->usb;

fail:
    timer_free(&self->usb.later);
    libusb_destroy(&self->usb);
    errno = errno_of(error);
    return NULL;
}
