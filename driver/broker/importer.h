/*
 * importer: fetch a device from a simulator: connect to its Unix stream socket and ask for device "1-1" as the
 * kernel's documented USB/IP protocol (version 1.1.1, Documentation/usb/usbip_protocol.rst) says; afterwards
 * the same socket carries the device's transfers.
 */
#ifndef UKETSUKE_IMPORTER_H
#define UKETSUKE_IMPORTER_H

#include <stdint.h>

struct clock;
struct importer;
struct sd_event;

struct import_device {
    uint32_t busnum;
    uint32_t devnum;
    uint8_t speed;
    uint16_t vendor;
    uint16_t product;
};

/* `fd` (the caller's from now on) and `device` when error is 0; else -1 and NULL. Called once, from the loop. */
typedef void importer_fn(int error, int fd, const struct import_device *device, void *arg);

/* 0 or negative errno (then `done` is not called). Free it after `done`, or at any time to give up. */
int importer_new(struct importer **out, struct sd_event *loop, struct clock *clock,
                 const char *path, importer_fn *done, void *arg);
/* Accepts and stores NULL. Not from inside `done`. */
void importer_free(struct importer **importer);

#endif
