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

struct umock_device;

/* True when the preload library is at work; without it nothing here can be tested. */
bool umock_device_preloaded(void);

/* `descriptors`: device descriptor and configuration, as in sysfs' file of that name. Aborts on
 * failure. */
struct umock_device *umock_device_new(const struct umock_model *model, void *arg,
                                      const uint8_t *descriptors, size_t len);
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
