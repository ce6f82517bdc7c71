/*
 * usbip.h - the device offered by the kernel's USB/IP protocol, version 1.1.1
 * (Documentation/usb/usbip_protocol.rst), on stream sockets. One importer at a time.
 *
 * Transfers wait pending until the model has data; isochronous ones complete when the time of
 * their microframes has passed. When the importer goes, the device is reset and free again; when
 * the device is unplugged, the importer's connection is closed.
 */
#ifndef SIM_USBIP_H
#define SIM_USBIP_H

#include "device.h"

struct usbip;

/* epoll_fd: connections register there with data.u64 = tag | their index. 0 or -errno. */
int usbip_new(struct usbip **out, struct device *device, int epoll_fd, uint64_t tag);
void usbip_free(struct usbip **u);
/* A new connection on a listening socket is readable. */
void usbip_accept(struct usbip *u, int listen_fd);
/* Connection `index` is ready with these epoll events. */
void usbip_ready(struct usbip *u, uint64_t index, uint32_t events, uint64_t now_us);
/* Complete what can be completed now. Call after every change of the device and at usbip_next_us. */
void usbip_serve(struct usbip *u, uint64_t now_us);
/* When usbip_serve is next due; UINT64_MAX = only after a change. */
uint64_t usbip_next_us(const struct usbip *u, uint64_t now_us);
bool usbip_imported(const struct usbip *u);

#endif
