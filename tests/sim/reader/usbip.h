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
int sim_usbip_new(struct usbip **out, struct device *device, int epoll_fd, uint64_t tag);
void sim_usbip_free(struct usbip **u);
/* A new connection on a listening socket is readable. */
void sim_usbip_accept(struct usbip *u, int listen_fd);
/* Connection `index` is ready with these epoll events. */
void sim_usbip_ready(struct usbip *u, uint64_t index, uint32_t events, uint64_t now_us);
/* Completes what can be completed now: after every change of the device, at sim_usbip_next_us. */
void sim_usbip_serve(struct usbip *u, uint64_t now_us);
/* When sim_usbip_serve is next due; UINT64_MAX = only after a change. */
uint64_t sim_usbip_next_us(const struct usbip *u, uint64_t now_us);
bool sim_usbip_imported(const struct usbip *u);

/* Transfers that the host has handed in since the start, those that wait included; `unlinked` it has taken back. */
struct usbip_transfers {
    unsigned long long control, bulk_out, bulk_in, interrupt, iso, unlinked;
};
struct usbip_transfers sim_usbip_transfers(const struct usbip *u);

#endif
