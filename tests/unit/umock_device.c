#include "umock_device.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <linux/usbdevice_fs.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <umockdev.h>
#include <unistd.h>

#define NODE "/dev/bus/usb/001/002"
#define URBS_MAX 512
#define PACKET_US 125
#define PUMP_US 500

struct pending {
    struct usbdevfs_urb *urb;
    unsigned n;        /* of its endpoint, from 1 */
    uint64_t start_us; /* isochronous */
};

struct umock_device {
    const struct umock_model *model;
    void *arg;
    UMockdevTestbed *testbed;
    UMockdevIoctlBase *handler;
    pthread_mutex_t mutex;
    pthread_t pump;
    bool pumped; /* by a thread of its own */
    bool stop;
    uint64_t (*now)(void *arg);
    void *now_arg;
    const struct umock_hooks *hooks;
    void *hooks_arg;
    unsigned counts[UMOCK_PLACES];
    struct pending pending[URBS_MAX]; /* oldest first */
    unsigned pending_count;
    struct usbdevfs_urb *done[URBS_MAX];
    unsigned done_count;
    uint64_t iso_next_us;
    unsigned held, claimed; /* interfaces: by another program, by the tester's descriptor */
    unsigned driven;        /* by a driver of the kernel's */
    int node;               /* the tester's descriptor of the node */
    int peer;               /* the pipe's reading end; -1: the device has gone */
    int writing; /* its other end, of which the node's number becomes a second descriptor */
    bool ready;
    bool gone;
};

static uint64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static uint64_t device_now(const struct umock_device *device)
{
    return device->now != NULL ? device->now(device->now_arg) : now_us();
}

/* The wire's own word about what is about to be submitted or called: 0 or a negative errno. */
static int hook_submit(struct umock_device *device, unsigned place, const uint8_t *data, size_t len)
{
    unsigned n = ++device->counts[place];

    if (device->hooks == NULL || device->hooks->submit == NULL)
        return 0;
    return device->hooks->submit(device->hooks_arg, place, n, data, len);
}

static int hook_before(struct umock_device *device, const struct pending *pending, uint64_t now,
                       uint8_t *data, size_t size)
{
    if (device->hooks == NULL || device->hooks->before == NULL)
        return UMOCK_GO_ON;
    return device->hooks->before(device->hooks_arg, now, pending->urb->endpoint, pending->n, data,
                                 size);
}

static int hook_after(struct umock_device *device, const struct pending *pending, uint8_t *data,
                      size_t size, int outcome)
{
    if (outcome == -EAGAIN || device->hooks == NULL || device->hooks->after == NULL)
        return outcome;
    return device->hooks->after(device->hooks_arg, pending->urb->endpoint, pending->n, data, size,
                                outcome);
}

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "umock_device: %s: %s\n", what, strerror(errno));
    abort();
}

bool umock_device_preloaded(void)
{
    /* A symbol that only the preload library has; being "in the mock environment" says nothing yet.
     */
    return dlsym(RTLD_DEFAULT, "ioctl_tree_execute") != NULL && getenv("LD_PRELOAD") != NULL &&
           strstr(getenv("LD_PRELOAD"), "umockdev-preload") != NULL;
}

/* -- readiness: a full pipe is not writable, an empty one is, one without reader is in error - */

static void make_pipe(struct umock_device *device)
{
    int ends[2];

    must(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0, "pipe");
    must(fcntl(ends[1], F_SETPIPE_SZ, getpagesize()) >= 0, "pipe size");
    device->peer = ends[0];
    device->writing = ends[1];
    must(write(ends[1], "x", 1) == 1, "fill");
    device->ready = false;
}

static void set_ready(struct umock_device *device)
{
    bool ready = device->done_count > 0;
    char byte;

    if (device->peer < 0 || ready == device->ready)
        return;
    device->ready = ready;
    if (ready)
        must(read(device->peer, &byte, 1) == 1, "drain");
    else
        must(write(device->writing, "x", 1) == 1, "fill");
}

/* -- transfers --------------------------------------------------------------------------------- */

static void finish(struct umock_device *device, unsigned i, int status, int actual)
{
    struct usbdevfs_urb *urb = device->pending[i].urb;

    urb->status = status;
    urb->actual_length = actual;
    device->pending_count--;
    memmove(&device->pending[i], &device->pending[i + 1],
            (device->pending_count - i) * sizeof(device->pending[0]));
    device->done[device->done_count++] = urb;
}

static int run_packets(struct umock_device *device, struct pending *pending, uint64_t now)
{
    struct usbdevfs_urb *urb = pending->urb;
    uint8_t *at = urb->buffer;
    int sum = 0, early;

    if (now < pending->start_us + (uint64_t)urb->number_of_packets * PACKET_US)
        return -EAGAIN;
    early = hook_before(device, pending, now, NULL, 0);
    if (early != UMOCK_GO_ON)
        return early;
    for (int i = 0; i < urb->number_of_packets; i++) {
        struct usbdevfs_iso_packet_desc *packet = &urb->iso_frame_desc[i];
        int n = device->model->packet(device->arg, pending->start_us + (uint64_t)i * PACKET_US,
                                      urb->endpoint, at, packet->length);

        n = hook_after(device, pending, at, packet->length, n);
        packet->actual_length = n < 0 ? 0 : (unsigned)n;
        packet->status = n < 0 ? (unsigned)n : 0;
        sum += n < 0 ? 0 : n;
        at += packet->length;
    }
    return sum;
}

static int run(struct umock_device *device, struct pending *pending, uint64_t now)
{
    struct usbdevfs_urb *urb = pending->urb;
    bool control = urb->type == USBDEVFS_URB_TYPE_CONTROL;
    uint8_t *data = (uint8_t *)urb->buffer + (control ? 8 : 0);
    size_t size = (size_t)urb->buffer_length - (control ? 8 : 0);
    int n;

    if (urb->type == USBDEVFS_URB_TYPE_ISO)
        return run_packets(device, pending, now);
    n = hook_before(device, pending, now, data, size);
    if (n != UMOCK_GO_ON)
        return n;
    if (control)
        n = device->model->control(device->arg, now, urb->buffer, data, size);
    else if ((urb->endpoint & 0x80) == 0)
        n = device->model->out(device->arg, now, urb->endpoint, data, size);
    else
        n = device->model->in(device->arg, now, urb->endpoint, data, size);
    return hook_after(device, pending, data, size, n);
}

static void vanish(struct umock_device *device)
{
    device->gone = true;
    while (device->pending_count > 0)
        finish(device, 0, -ESHUTDOWN, 0);
    if (device->peer >= 0) {
        set_ready(device);
        close(device->peer);
        device->peer = -1;
    }
}

static bool first_of_endpoint(const struct umock_device *device, unsigned i)
{
    for (unsigned k = 0; k < i; k++)
        if (device->pending[k].urb->endpoint == device->pending[i].urb->endpoint)
            return false;
    return true;
}

static void serve(struct umock_device *device)
{
    bool again = true;

    if (!device->gone && !device->model->plugged(device->arg))
        vanish(device);
    while (again) {
        again = false;
        for (unsigned i = 0; i < device->pending_count && !again; i++) {
            int n;

            if (!first_of_endpoint(device, i))
                continue;
            n = run(device, &device->pending[i], device_now(device));
            if (n == -ENODEV) {
                vanish(device);
                return;
            }
            if (n == -EAGAIN)
                continue;
            finish(device, i, n < 0 ? n : 0, n < 0 ? 0 : n);
            again = true;
        }
    }
    set_ready(device);
}

static void *pump(void *arg)
{
    struct umock_device *device = arg;
    bool stop = false;

    while (!stop) {
        usleep(PUMP_US);
        pthread_mutex_lock(&device->mutex);
        serve(device);
        stop = device->stop;
        pthread_mutex_unlock(&device->mutex);
    }
    return NULL;
}

/* -- ioctls ------------------------------------------------------------------------------------ */

/* The kernel claims an interface that is spoken to without having been claimed, unless somebody has it. */
static int use_interface(struct umock_device *device, unsigned interface)
{
    if ((device->claimed >> interface & 1) != 0)
        return 0;
    if (((device->held | device->driven) >> interface & 1) != 0)
        return -EBUSY;
    device->claimed |= 1u << interface;
    return 0;
}

static int submit(struct umock_device *device, struct usbdevfs_urb *urb)
{
    struct pending *pending = &device->pending[device->pending_count];
    const uint8_t *setup = urb->buffer;
    int refused;

    if (device->gone)
        return -ENODEV;
    if (urb->type == USBDEVFS_URB_TYPE_CONTROL && (setup[0] & 0x1f) == 1) {
        refused = use_interface(device, setup[4] & 31u);
        if (refused < 0)
            return refused;
    }
    if (device->pending_count == URBS_MAX)
        return -ENOMEM;
    refused = hook_submit(device, urb->endpoint, urb->buffer, (size_t)urb->buffer_length);
    if (refused < 0)
        return refused;
    pending->urb = urb;
    pending->n = device->counts[urb->endpoint];
    if (urb->type == USBDEVFS_URB_TYPE_ISO) {
        if (device->iso_next_us < device_now(device))
            device->iso_next_us = device_now(device);
        pending->start_us = device->iso_next_us;
        device->iso_next_us += (uint64_t)urb->number_of_packets * PACKET_US;
    }
    device->pending_count++;
    serve(device);
    return 0;
}

static int discard(struct umock_device *device, const struct usbdevfs_urb *urb)
{
    for (unsigned i = 0; i < device->pending_count; i++) {
        if (device->pending[i].urb == urb) {
            finish(device, i, -ENOENT, 0);
            set_ready(device);
            return 0;
        }
    }
    return -EINVAL;
}

static int reap(struct umock_device *device, void **out)
{
    if (device->done_count == 0)
        return device->gone ? -ENODEV : -EAGAIN;
    *out = device->done[0];
    device->done_count--;
    memmove(&device->done[0], &device->done[1], device->done_count * sizeof(device->done[0]));
    set_ready(device);
    return 0;
}

/* `detaching`: from the kernel's own driver too. */
static int claim(struct umock_device *device, unsigned interface, bool claimed, bool detaching)
{
    int refused = !device->gone && claimed ? hook_submit(device, UMOCK_CLAIM, NULL, interface) : 0;

    if (device->gone)
        return -ENODEV;
    if (refused < 0)
        return refused;
    if (claimed && (device->held >> interface & 1) != 0)
        return -EBUSY;
    if (claimed && !detaching && (device->driven >> interface & 1) != 0)
        return -EBUSY;
    if (!claimed && (device->claimed >> interface & 1) == 0)
        return -EINVAL;
    device->driven &= ~(1u << interface);
    if (claimed)
        device->claimed |= 1u << interface;
    else
        device->claimed &= ~(1u << interface);
    return 0;
}

/* A control request made by the kernel itself (libusb asks for the active configuration so). */
static int control_now(struct umock_device *device, const struct usbdevfs_ctrltransfer *transfer)
{
    uint8_t setup[8] = {transfer->bRequestType,     transfer->bRequest,
                        (uint8_t)transfer->wValue,  (uint8_t)(transfer->wValue >> 8),
                        (uint8_t)transfer->wIndex,  (uint8_t)(transfer->wIndex >> 8),
                        (uint8_t)transfer->wLength, (uint8_t)(transfer->wLength >> 8)};

    return device->model->control(device->arg, device_now(device), setup, transfer->data,
                                  transfer->wLength);
}

static int driver_of(struct umock_device *device, struct usbdevfs_getdriver *asked)
{
    if (device->gone)
        return -ENODEV;
    if (((device->claimed | device->held) >> asked->interface & 1) != 0)
        strcpy(asked->driver, "usbfs");
    else if ((device->driven >> asked->interface & 1) != 0)
        strcpy(asked->driver, "uvcvideo");
    else
        return -ENODATA;
    return 0;
}

static int capabilities(struct umock_device *device, uint32_t *out)
{
    *out = USBDEVFS_CAP_BULK_SCATTER_GATHER | USBDEVFS_CAP_NO_PACKET_SIZE_LIM |
           USBDEVFS_CAP_REAP_AFTER_DISCONNECT | USBDEVFS_CAP_ZERO_PACKET;
    /* libusb has read the descriptors from the node and is about to wait on it: from here on the
     * pipe stands in its place, for a file cannot be waited for. The preload goes by the number. */
    must(dup2(device->writing, device->node) == device->node, "dup2");
    return 0;
}

static int answer(struct umock_device *device, unsigned long request, void *data)
{
    switch (request) {
    case USBDEVFS_CONNECTINFO:
        ((struct usbdevfs_connectinfo *)data)->devnum = 2;
        return 0;
    case USBDEVFS_GET_SPEED:
        return 3; /* high */
    case USBDEVFS_GET_CAPABILITIES:
        return capabilities(device, data);
    case USBDEVFS_CONTROL:
        return control_now(device, data);
    case USBDEVFS_CLAIMINTERFACE:
        return claim(device, *(unsigned *)data, true, false);
    case USBDEVFS_DISCONNECT_CLAIM:
        return claim(device, ((struct usbdevfs_disconnect_claim *)data)->interface, true, true);
    case USBDEVFS_RELEASEINTERFACE:
        return claim(device, *(unsigned *)data, false, false);
    case USBDEVFS_SETINTERFACE: {
        const struct usbdevfs_setinterface *wish = data;
        int refused = device->gone
                          ? -ENODEV
                          : hook_submit(device, UMOCK_SET_INTERFACE, NULL, wish->altsetting);

        if (refused == 0)
            refused = use_interface(device, wish->interface);
        return refused < 0 ? refused
                           : device->model->set_interface(device->arg, device_now(device),
                                                          wish->interface, wish->altsetting);
    }
    case USBDEVFS_CLEAR_HALT: {
        int refused =
            device->gone ? -ENODEV : hook_submit(device, UMOCK_CLEAR_HALT, NULL, *(unsigned *)data);

        return refused < 0 ? refused : device->model->clear_halt(device->arg, *(unsigned *)data);
    }
    case USBDEVFS_RESET: {
        int refused = device->gone ? -ENODEV : hook_submit(device, UMOCK_RESET, NULL, 0);

        if (refused == 0)
            device->model->reset(device->arg, device_now(device));
        return refused;
    }
    case USBDEVFS_GETDRIVER:
        return driver_of(device, data);
    case USBDEVFS_IOCTL: /* attach and detach the kernel's driver: there is none */
        return -ENODATA;
    case USBDEVFS_SUBMITURB:
        return submit(device, data);
    case USBDEVFS_DISCARDURB:
        return discard(device, data);
    case USBDEVFS_REAPURB:
    case USBDEVFS_REAPURBNDELAY:
        return reap(device, data);
    default:
        fprintf(stderr, "umock_device: ioctl %lx is not known\n", request);
        return -ENOTTY;
    }
}

static gboolean on_ioctl(UMockdevIoctlBase *base, UMockdevIoctlClient *client, gpointer arg)
{
    struct umock_device *device = arg;
    UMockdevIoctlData *data = umockdev_ioctl_client_get_arg(client);
    int r;

    (void)base;
    pthread_mutex_lock(&device->mutex);
    /* The caller is a thread of this process: its memory is ours. */
    r = answer(device, umockdev_ioctl_client_get_request(client), *(void **)data->data);
    pthread_mutex_unlock(&device->mutex);
    umockdev_ioctl_client_complete(client, r < 0 ? -1 : r, r < 0 ? -r : 0);
    return TRUE;
}

/* -- life -------------------------------------------------------------------------------------- */

static void add_node(struct umock_device *device, const uint8_t *descriptors, size_t len)
{
    GString *text = g_string_new("P: /devices/usb1/1-1\nN: bus/usb/001/002=");
    GError *error = NULL;

    for (size_t i = 0; i < len; i++)
        g_string_append_printf(text, "%02X", descriptors[i]); /* lower case is malformed to it */
    g_string_append(text, "\nE: SUBSYSTEM=usb\nE: DRIVER=usb\nE: BUSNUM=001\nE: DEVNUM=002\n"
                          "E: DEVNAME=" NODE "\nE: DEVTYPE=usb_device\nA: busnum=1\\n\n"
                          "A: devnum=2\\n\nA: speed=480\\n\nA: bConfigurationValue=1\\n\n");
    if (!umockdev_testbed_add_from_string(device->testbed, text->str, &error)) {
        fprintf(stderr, "umock_device: %s\n", error->message);
        abort();
    }
    g_string_free(text, TRUE);
}

struct umock_device *umock_device_new(const struct umock_model *model, void *arg,
                                      const uint8_t *descriptors, size_t len)
{
    struct umock_device *device = calloc(1, sizeof(*device));
    GError *error = NULL;

    must(device != NULL, "calloc");
    device->model = model;
    device->arg = arg;
    device->node = device->peer = device->writing = -1;
    pthread_mutex_init(&device->mutex, NULL);
    device->testbed = umockdev_testbed_new();
    device->handler = umockdev_ioctl_base_new();
    g_signal_connect_after(device->handler, "handle-ioctl", G_CALLBACK(on_ioctl), device);
    if (!umockdev_testbed_attach_ioctl(device->testbed, NODE, device->handler, &error)) {
        fprintf(stderr, "umock_device: %s\n", error->message);
        abort();
    }
    add_node(device, descriptors, len);
    must(pthread_create(&device->pump, NULL, pump, device) == 0, "thread");
    device->pumped = true;
    return device;
}

static void stop_pump(struct umock_device *device)
{
    if (!device->pumped)
        return;
    pthread_mutex_lock(&device->mutex);
    device->stop = true;
    pthread_mutex_unlock(&device->mutex);
    pthread_join(device->pump, NULL);
    device->pumped = false;
}

void umock_device_own_time(struct umock_device *device, uint64_t (*now)(void *arg), void *arg)
{
    stop_pump(device);
    device->now = now;
    device->now_arg = arg;
}

void umock_device_hook(struct umock_device *device, const struct umock_hooks *hooks, void *arg)
{
    pthread_mutex_lock(&device->mutex);
    device->hooks = hooks;
    device->hooks_arg = arg;
    memset(device->counts, 0, sizeof(device->counts));
    pthread_mutex_unlock(&device->mutex);
}

bool umock_device_step(struct umock_device *device)
{
    unsigned before, after;

    pthread_mutex_lock(&device->mutex);
    before = device->done_count;
    serve(device);
    after = device->done_count;
    pthread_mutex_unlock(&device->mutex);
    return after != before;
}

uint64_t umock_device_next_us(struct umock_device *device)
{
    uint64_t next = UINT64_MAX, hooked = UINT64_MAX;

    pthread_mutex_lock(&device->mutex);
    for (unsigned i = 0; i < device->pending_count; i++) {
        const struct pending *pending = &device->pending[i];
        uint64_t end = pending->start_us + (uint64_t)pending->urb->number_of_packets * PACKET_US;

        if (pending->urb->type == USBDEVFS_URB_TYPE_ISO && end > device_now(device) && end < next)
            next = end;
    }
    if (device->hooks != NULL && device->hooks->next != NULL)
        hooked = device->hooks->next(device->hooks_arg);
    /* What is past has had its turn. */
    if (hooked > device_now(device) && hooked < next)
        next = hooked;
    pthread_mutex_unlock(&device->mutex);
    return next;
}

void umock_device_disown(struct umock_device *device, int status, bool claims, unsigned driven)
{
    pthread_mutex_lock(&device->mutex);
    while (device->pending_count > 0)
        finish(device, 0, status, 0);
    if (!claims) {
        device->claimed = 0;
        device->driven = driven;
    }
    device->iso_next_us = 0;
    set_ready(device);
    pthread_mutex_unlock(&device->mutex);
}

void umock_device_replug(struct umock_device *device)
{
    pthread_mutex_lock(&device->mutex);
    device->gone = false;
    device->pending_count = device->done_count = 0;
    device->claimed = 0;
    device->iso_next_us = 0;
    pthread_mutex_unlock(&device->mutex);
}

void umock_device_free(struct umock_device **slot)
{
    struct umock_device *device = *slot;

    if (device == NULL)
        return;
    *slot = NULL;
    stop_pump(device);
    umockdev_testbed_detach_ioctl(device->testbed, NODE, NULL);
    g_object_unref(device->handler);
    g_object_unref(device->testbed);
    if (device->peer >= 0)
        close(device->peer);
    if (device->writing >= 0)
        close(device->writing);
    pthread_mutex_destroy(&device->mutex);
    free(device);
}

int umock_device_open(struct umock_device *device)
{
    int fd = open(NODE, O_RDWR | O_CLOEXEC);

    must(fd >= 0, "open " NODE);
    pthread_mutex_lock(&device->mutex);
    if (device->peer >= 0)
        close(device->peer);
    if (device->writing >= 0)
        close(device->writing);
    device->node = fd;
    device->claimed = 0; /* the descriptor before it is closed, and its claims with it */
    make_pipe(device);
    pthread_mutex_unlock(&device->mutex);
    return fd;
}

void umock_device_lock(struct umock_device *device)
{
    pthread_mutex_lock(&device->mutex);
}

void umock_device_unlock(struct umock_device *device)
{
    pthread_mutex_unlock(&device->mutex);
}

void umock_device_hold(struct umock_device *device, unsigned interface, bool held)
{
    pthread_mutex_lock(&device->mutex);
    device->held = held ? device->held | 1u << interface : device->held & ~(1u << interface);
    pthread_mutex_unlock(&device->mutex);
}

unsigned umock_device_claimed(struct umock_device *device)
{
    unsigned claimed;

    pthread_mutex_lock(&device->mutex);
    claimed = device->claimed;
    pthread_mutex_unlock(&device->mutex);
    return claimed;
}

unsigned umock_device_pending(struct umock_device *device)
{
    unsigned pending;

    pthread_mutex_lock(&device->mutex);
    pending = device->pending_count + device->done_count;
    pthread_mutex_unlock(&device->mutex);
    return pending;
}
