#include "device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { /* standard requests */
       GET_STATUS = 0,
       CLEAR_FEATURE = 1,
       SET_FEATURE = 3,
       SET_ADDRESS = 5,
       GET_DESCRIPTOR = 6,
       GET_CONFIGURATION = 8,
       SET_CONFIGURATION = 9,
       GET_INTERFACE = 10,
       SET_INTERFACE = 11,
};

enum { FEATURE_HALT = 0, SERIAL_MAX = 64 };

struct endpoint {
    unsigned address;
    bool halted;
    uint64_t blocked_until; /* a slow transfer waits */
};

static const unsigned endpoint_addresses[] = {0x00, ENDPOINT_OUT, ENDPOINT_IN, ENDPOINT_INTERRUPT,
                                              ENDPOINT_ISO};

struct device {
    const struct ccid_level *level;
    char serial[SERIAL_MAX];
    struct faults *faults;
    struct ccid *ccid;
    struct camera *camera;
    struct prng prng;
    struct buf configuration_descriptor;
    bool plugged;
    unsigned configuration;
    struct endpoint endpoints[COUNT(endpoint_addresses)];
};

int sim_device_new(struct device **out, const struct device_options *options)
{
    const struct ccid_level *level = sim_ccid_level_find(options->level);
    struct device *d;
    size_t i;

    if (!level || strlen(options->serial) >= SERIAL_MAX)
        return -EINVAL;
    d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    d->level = level;
    strcpy(d->serial, options->serial);
    d->prng.state = options->seed;
    d->plugged = true;
    for (i = 0; i < COUNT(endpoint_addresses); i++)
        d->endpoints[i].address = endpoint_addresses[i];
    d->faults = sim_faults_new();
    d->ccid = d->faults ? sim_ccid_new(level, options->pin_pad, d->faults) : NULL;
    d->camera = d->faults ? sim_camera_new(d->faults, options->seed + 1) : NULL;
    if (d->ccid && options->second_slot)
        sim_ccid_add_slot(d->ccid);
    sim_descriptors_configuration(&d->configuration_descriptor, level, options->pin_pad,
                                  options->second_slot ? 2 : 1);
    if (!d->ccid || !d->camera || d->configuration_descriptor.failed) {
        sim_device_free(&d);
        return -ENOMEM;
    }
    *out = d;
    return 0;
}

void sim_device_free(struct device **d)
{
    if (!*d)
        return;
    sim_camera_free(&(*d)->camera);
    sim_ccid_free(&(*d)->ccid);
    sim_faults_free(&(*d)->faults);
    sim_buf_free(&(*d)->configuration_descriptor);
    free(*d);
    *d = NULL;
}

struct ccid *sim_device_reader(struct device *d)
{
    return d->ccid;
}

struct camera *sim_device_camera(struct device *d)
{
    return d->camera;
}

struct faults *sim_device_faults(struct device *d)
{
    return d->faults;
}

static struct endpoint *find_endpoint(struct device *d, unsigned address)
{
    size_t i;

    for (i = 0; i < COUNT(endpoint_addresses); i++)
        if (d->endpoints[i].address == address)
            return &d->endpoints[i];
    return NULL;
}

static void clear_endpoints(struct device *d)
{
    size_t i;

    for (i = 0; i < COUNT(endpoint_addresses); i++) {
        d->endpoints[i].halted = false;
        d->endpoints[i].blocked_until = 0;
    }
}

void sim_device_reset(struct device *d, uint64_t now_us)
{
    (void)now_us;
    d->configuration = 0;
    clear_endpoints(d);
    sim_ccid_reset(d->ccid);
    sim_camera_reset(d->camera);
}

void sim_device_unplug(struct device *d)
{
    d->plugged = false;
    sim_device_reset(d, 0);
}

void sim_device_plug(struct device *d, uint64_t now_us)
{
    sim_device_reset(d, now_us);
    d->plugged = true;
}

bool sim_device_plugged(const struct device *d)
{
    return d->plugged;
}

unsigned sim_device_configuration(const struct device *d)
{
    return d->configuration;
}

void sim_device_put_descriptors(const struct device *d, struct buf *out)
{
    uint8_t dev[DEVICE_DESCRIPTOR];

    sim_descriptors_device(dev);
    sim_buf_put(out, dev, sizeof(dev));
    sim_buf_put(out, d->configuration_descriptor.data, d->configuration_descriptor.len);
}

/* ---- faults of transfers --------------------------------------------------------------------- */

/*
 * A transfer is about to complete: does something go wrong? 0 = go on, with *fault saying what to
 * do to the data (fault_after); else the answer. A held-back transfer comes here again when its
 * time is over, and is not counted twice.
 */
static int fault_before(struct device *d, uint64_t now_us, unsigned address, struct fault *fault)
{
    struct endpoint *e = find_endpoint(d, address);
    const struct fault *f;

    memset(fault, 0, sizeof(*fault));
    if (e->blocked_until) {
        e->blocked_until = 0;
        return 0;
    }
    f = sim_faults_hit(d->faults, FAULT_AT_TRANSFER, address);
    if (!f)
        return 0;
    *fault = *f;
    switch (f->kind) {
    case FAULT_STALL:
        e->halted = address != 0;
        return -EPIPE;
    case FAULT_BABBLE:
        return -EOVERFLOW;
    case FAULT_UNPLUG:
        sim_device_unplug(d);
        return -ENODEV;
    case FAULT_SLOW:
        e->blocked_until = now_us + f->arg * 1000 + 1;
        return -EAGAIN;
    default:
        return 0;
    }
}

/* Cuts the transfer or turns data on its way to the host (in, may be NULL) into noise. */
static size_t fault_after(struct device *d, const struct fault *f, uint8_t *in, size_t len)
{
    if (f->kind == FAULT_SHORT && f->arg < len)
        len = f->arg;
    if (f->kind == FAULT_GARBAGE && in)
        sim_prng_fill(&d->prng, in, len);
    return len;
}

/* Whether the endpoint can move data at all now; 0 or the answer. */
static int endpoint_state(struct device *d, uint64_t now_us, unsigned address)
{
    const struct endpoint *e = find_endpoint(d, address);

    if (!d->plugged)
        return -ENODEV;
    if (!e || (address && d->configuration == 0))
        return -EPIPE;
    if (e->halted)
        return -EPIPE;
    return now_us < e->blocked_until ? -EAGAIN : 0;
}

/* ---- control pipe ---------------------------------------------------------------------------- */

static int give(uint8_t *data, size_t cap, const uint8_t *from, size_t len, unsigned asked)
{
    if (len > asked)
        len = asked;
    if (len > cap)
        len = cap;
    memcpy(data, from, len);
    return (int)len;
}

static int get_descriptor(struct device *d, unsigned value, unsigned asked, uint8_t *data,
                          size_t cap)
{
    uint8_t dev[DEVICE_DESCRIPTOR];
    struct buf s = {0};
    int r = -EPIPE;

    switch (value >> 8) {
    case 1:
        sim_descriptors_device(dev);
        return give(data, cap, dev, sizeof(dev), asked);
    case 2:
        if ((value & 0xff) == 0)
            r = give(data, cap, d->configuration_descriptor.data, d->configuration_descriptor.len,
                     asked);
        return r;
    case 3:
        if (sim_descriptors_string(&s, value & 0xff, d->serial))
            r = give(data, cap, s.data, s.len, asked);
        sim_buf_free(&s);
        return r;
    default:
        return -EPIPE;
    }
}

int sim_device_set_interface(struct device *d, uint64_t now_us, unsigned interface,
                             unsigned alternate)
{
    if (!d->plugged)
        return -ENODEV;
    if (d->configuration == 0 || interface >= INTERFACES)
        return -EPIPE;
    if (interface == INTERFACE_STREAMING)
        return sim_camera_set_alternate(d->camera, alternate, now_us);
    return alternate ? -EPIPE : 0;
}

int sim_device_clear_halt(struct device *d, unsigned endpoint)
{
    struct endpoint *e = find_endpoint(d, endpoint);

    if (!d->plugged)
        return -ENODEV;
    if (!e)
        return -EPIPE;
    e->halted = false;
    return 0;
}

static int set_configuration(struct device *d, unsigned value)
{
    if (value > 1)
        return -EPIPE;
    d->configuration = value;
    clear_endpoints(d);
    sim_ccid_reset(d->ccid);
    sim_camera_reset(d->camera);
    return 0;
}

static int get_status(struct device *d, unsigned recipient, unsigned index, uint8_t *data,
                      size_t cap)
{
    const struct endpoint *e = recipient == 2 ? find_endpoint(d, index & 0xff) : NULL;

    if (cap < 2 || recipient > 2 || (recipient == 2 && !e))
        return -EPIPE;
    data[0] = e && e->halted;
    data[1] = 0;
    return 2;
}

static int standard_request(struct device *d, uint64_t now_us, const uint8_t setup[8],
                            uint8_t *data, size_t cap)
{
    unsigned value = util_get_le16(setup + 2), index = util_get_le16(setup + 4);
    unsigned asked = util_get_le16(setup + 6), recipient = setup[0] & 0x1fu;
    struct endpoint *e;

    switch (setup[1]) {
    case GET_STATUS:
        return get_status(d, recipient, index, data, cap);
    case CLEAR_FEATURE:
        if (recipient != 2 || value != FEATURE_HALT)
            return -EPIPE;
        return sim_device_clear_halt(d, index & 0xff);
    case SET_FEATURE:
        e = find_endpoint(d, index & 0xff);
        if (recipient != 2 || value != FEATURE_HALT || !e || e->address == 0)
            return -EPIPE;
        e->halted = true;
        return 0;
    case SET_ADDRESS:
        return 0;
    case GET_DESCRIPTOR:
        return get_descriptor(d, value, asked, data, cap);
    case GET_CONFIGURATION:
        data[0] = (uint8_t)d->configuration;
        return cap >= 1 ? 1 : -EPIPE;
    case SET_CONFIGURATION:
        return set_configuration(d, value & 0xff);
    case GET_INTERFACE:
        if (d->configuration == 0 || index >= INTERFACES || cap < 1)
            return -EPIPE;
        data[0] = (uint8_t)(index == INTERFACE_STREAMING ? sim_camera_alternate(d->camera) : 0);
        return 1;
    case SET_INTERFACE:
        return sim_device_set_interface(d, now_us, index, value);
    default:
        return -EPIPE;
    }
}

static int class_request(struct device *d, uint64_t now_us, const uint8_t setup[8], uint8_t *data,
                         size_t cap)
{
    unsigned interface = setup[4];

    if ((setup[0] & 0x1f) != 1 || d->configuration == 0)
        return -EPIPE;
    if (interface == INTERFACE_CCID)
        return sim_ccid_control(d->ccid, now_us, setup, data, cap);
    if (interface == INTERFACE_CONTROL || interface == INTERFACE_STREAMING)
        return sim_camera_control(d->camera, interface - INTERFACE_CONTROL, setup, data, cap);
    return -EPIPE;
}

int sim_device_control(struct device *d, uint64_t now_us, const uint8_t setup[8], uint8_t *data,
                       size_t cap)
{
    bool in = setup[0] & 0x80;
    size_t asked = util_get_le16(setup + 6);
    int r = endpoint_state(d, now_us, 0);
    struct fault f;

    if (r == 0)
        r = asked > cap ? -EPIPE : fault_before(d, now_us, 0, &f);
    if (r < 0)
        return r;
    switch (setup[0] & 0x60) {
    case 0x00:
        r = standard_request(d, now_us, setup, data, cap);
        break;
    case 0x20:
        r = class_request(d, now_us, setup, data, cap);
        break;
    default:
        r = -EPIPE;
    }
    if (r < 0)
        return r;
    return (int)fault_after(d, &f, in ? data : NULL, in ? (size_t)r : asked);
}

/* ---- data pipes ------------------------------------------------------------------------------ */

int sim_device_bulk_out(struct device *d, uint64_t now_us, unsigned endpoint, const uint8_t *data,
                        size_t len)
{
    int r = endpoint != ENDPOINT_OUT ? -EPIPE : endpoint_state(d, now_us, endpoint);
    struct fault f;

    if (r == 0)
        r = fault_before(d, now_us, endpoint, &f);
    if (r < 0)
        return r;
    len = fault_after(d, &f, NULL, len);
    r = sim_ccid_bulk_out(d->ccid, now_us, data, len);
    if (r < 0)
        find_endpoint(d, endpoint)->halted = true;
    return r < 0 ? r : (int)len;
}

int sim_device_bulk_in(struct device *d, uint64_t now_us, unsigned endpoint, uint8_t *out,
                       size_t cap)
{
    int r = endpoint != ENDPOINT_IN ? -EPIPE : endpoint_state(d, now_us, endpoint);
    struct fault f;

    if (r == 0)
        r = sim_ccid_ready(d->ccid, now_us) ? fault_before(d, now_us, endpoint, &f) : -EAGAIN;
    if (r == 0)
        r = sim_ccid_bulk_in(d->ccid, now_us, out, cap);
    return r < 0 ? r : (int)fault_after(d, &f, out, (size_t)r);
}

int sim_device_interrupt_in(struct device *d, uint64_t now_us, unsigned endpoint, uint8_t *out,
                            size_t cap)
{
    int r = endpoint != ENDPOINT_INTERRUPT ? -EPIPE : endpoint_state(d, now_us, endpoint);
    struct fault f;

    if (r == 0)
        r = sim_ccid_notice_pending(d->ccid) ? fault_before(d, now_us, endpoint, &f) : -EAGAIN;
    if (r == 0)
        r = sim_ccid_interrupt_in(d->ccid, out, cap);
    return r < 0 ? r : (int)fault_after(d, &f, out, (size_t)r);
}

int sim_device_iso_in(struct device *d, uint64_t now_us, unsigned endpoint, uint8_t *out,
                      size_t cap)
{
    int r = endpoint != ENDPOINT_ISO ? -EPIPE : endpoint_state(d, now_us, endpoint);
    struct fault f;

    if (r == 0)
        r = fault_before(d, now_us, endpoint, &f);
    if (r < 0)
        return r == -EAGAIN ? 0 : r; /* a late microframe is an empty one */
    return (int)fault_after(d, &f, out, sim_camera_packet(d->camera, now_us, out, cap));
}

uint64_t sim_device_next_us(const struct device *d, uint64_t now_us)
{
    uint64_t next = sim_ccid_next_us(d->ccid);
    size_t i;

    if (next <= now_us)
        next = UINT64_MAX; /* ready already: it waits for a transfer or a blocked endpoint */
    for (i = 0; i < COUNT(endpoint_addresses); i++)
        if (d->endpoints[i].blocked_until > now_us && d->endpoints[i].blocked_until < next)
            next = d->endpoints[i].blocked_until;
    return next;
}
