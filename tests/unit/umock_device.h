/*
 * umock_device: a USB device model behind a mocked usbfs node, so that the real libusb drives it.
 *
 * libumockdev-preload (LD_PRELOAD) sends the ioctls made on the node here; they are answered from a
 * model. Transfers wait until the model has something for them, as a host controller would let
 * them; a thread of its own looks after them. The descriptor handed out can be waited for with
 * epoll, like usbfs's own: writable when a transfer can be reaped, in error when the device has
 * gone.
 */
#ifndef UMOCK_DEVICE_H
#define UMOCK_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Returns: bytes moved, or -EAGAIN (nothing yet), -EPIPE, -EOVERFLOW, -ENODEV. Called under the
 * lock. */
struct umock_model {
    int (*control)(void *model, uint64_t now_us, const uint8_t setup[8], uint8_t *data,
                   size_t size);
    int (*out)(void *model, uint64_t now_us, unsigned endpoint, const uint8_t *data, size_t len);
    int (*in)(void *model, uint64_t now_us, unsigned endpoint, uint8_t *data, size_t size);
    /* One isochronous packet, of the microframe at now_us. */
    int (*packet)(void *model, uint64_t now_us, unsigned endpoint, uint8_t *data, size_t size);
    int (*set_interface)(void *model, uint64_t now_us, unsigned interface, unsigned alternate);
    int (*clear_halt)(void *model, unsigned endpoint);
    void (*reset)(void *model, uint64_t now_us);
    bool (*plugged)(void *model);
};

/* Ioctls by which the kernel makes a transfer of its own; numbered beside the endpoints. */
enum umock_call { UMOCK_CLAIM = 0x100, UMOCK_SET_INTERFACE, UMOCK_CLEAR_HALT, UMOCK_RESET };
#define UMOCK_PLACES 0x104u

/* before(): nothing happens to this transfer yet. */
#define UMOCK_GO_ON (1 << 30)

/*
 * Somebody who sits on the wire. `place` is an endpoint or a call; `n` counts the transfers submitted
 * there from 1. Any may be NULL. Called under the lock.
 */
struct umock_hooks {
    /* 0, or the error (negative errno) with which it is refused. */
    int (*submit)(void *arg, unsigned place, unsigned n, const uint8_t *data, size_t len);
    /* UMOCK_GO_ON, or its outcome: bytes put into `data`, or a negative errno (-EAGAIN: later). */
    int (*before)(void *arg, uint64_t now_us, unsigned place, unsigned n, uint8_t *data,
                  size_t size);
    /* Its outcome, after the device had its turn (isochronous: of each packet); `out` of OUT. */
    int (*after)(void *arg, unsigned place, unsigned n, uint8_t *data, size_t size, int outcome);
    /* When before() may say something else by time alone, UINT64_MAX: never. */
    uint64_t (*next)(void *arg);
};

struct umock_device;

/* True when the preload library is at work; without it nothing here can be tested. */
bool umock_device_preloaded(void);

/* `descriptors`: device descriptor and configuration, as in sysfs' file of that name. Aborts on
 * failure. */
struct umock_device *umock_device_new(const struct umock_model *model, void *arg,
                                      const uint8_t *descriptors, size_t len);
/*
 * Time is `now()`, and nothing moves by itself but in umock_device_step(): for tests that own the
 * clock. Before anything is opened.
 */
void umock_device_own_time(struct umock_device *device, uint64_t (*now)(void *arg), void *arg);
void umock_device_hook(struct umock_device *device, const struct umock_hooks *hooks, void *arg);
/* One turn of the host controller; true when a transfer ended. */
bool umock_device_step(struct umock_device *device);
/* When a transfer may end by time alone, UINT64_MAX: none. */
uint64_t umock_device_next_us(struct umock_device *device);
/* The model is plugged in again: the node may be opened anew. */
void umock_device_replug(struct umock_device *device);
/*
 * What was under way ends unasked, with this status, as the kernel ends it: -ESHUTDOWN when the device is put to sleep,
 * by itself or with the host, -ENOENT when it takes an interface back. Unless `claims` stay, the tester's are gone, and
 * a driver of the kernel's has the interfaces of `driven` (bit each), from which a claim may detach it.
 */
void umock_device_disown(struct umock_device *device, int status, bool claims, unsigned driven);
void umock_device_free(struct umock_device **device);

/* An open descriptor of the node, as the broker would pass it. */
int umock_device_open(struct umock_device *device);

/* Around everything done to the model by others. */
void umock_device_lock(struct umock_device *device);
void umock_device_unlock(struct umock_device *device);

/* Another program holds this interface: claims fail with EBUSY. */
void umock_device_hold(struct umock_device *device, unsigned interface, bool held);
/* Bit per interface that is claimed now. */
unsigned umock_device_claimed(struct umock_device *device);
/* Transfers submitted and not reaped. */
unsigned umock_device_pending(struct umock_device *device);

#endif
