/*
 * sim_usb: a transport of usb_transport.h whose device is a model in this process, with no kernel and no libusb
 * between: for whole visits by the thousand. Nothing moves but in sim_usb_step(); time is the clock's.
 */
#ifndef SIM_USB_H
#define SIM_USB_H

#include <stdbool.h>
#include <stdint.h>

struct clock;
struct umock_hooks;
struct umock_model;
struct usb;

struct usb *sim_usb_new(struct clock *clock, const struct umock_model *model, void *arg);
/* One turn of the host controller; true when a transfer ended. */
bool sim_usb_step(struct usb *usb);
/* When an isochronous transfer ends next, UINT64_MAX: none is there. */
uint64_t sim_usb_next_us(struct usb *usb);

/* Somebody on the wire of all of them (umock_device.h); what is counted begins anew. */
void sim_usb_hook(const struct umock_hooks *hooks, void *arg);

/* Since the process began, over all of them. */
struct sim_usb_counts {
    uint64_t submitted; /* transfers, and control requests of the host */
    uint64_t moved;     /* bytes */
};
extern struct sim_usb_counts sim_usb_counts;
/* More than 0 while the model, not the driver, is at work: for those who count or refuse what it allocates. */
extern volatile unsigned
    sim_usb_inside; /* volatile: compilers know that calloc() does not look at it */

#endif
