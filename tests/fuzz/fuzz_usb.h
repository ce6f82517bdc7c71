/*
 * fuzz_usb: a USB transport that a fuzz target plays. Nothing is answered by itself but what goes out, the
 * descriptors and, if so told, class requests: the target completes what waits, with whatever its input says.
 */
#ifndef TEST_FUZZ_USB_H
#define TEST_FUZZ_USB_H

#include "fuzz.h"

#include "driver/usb/usb.h"

struct clock;

/* `device` has 18 bytes; both are copied. */
struct usb *fuzz_usb_new(struct clock *clock, const uint8_t *device, const uint8_t *config,
                         size_t config_len);
/* The oldest transfer that waits on an IN endpoint of this kind ends so. False: none waits. */
bool fuzz_usb_answer(struct usb *usb, enum usb_kind kind, enum usb_status status,
                     const uint8_t *data, size_t len);
/* The same for isochronous transfers: status and bytes of each packet come from the input. */
bool fuzz_usb_answer_packets(struct usb *usb, struct fuzz_input *in);
/* How everything that goes out, class requests and operations end from now on. */
void fuzz_usb_refuse(struct usb *usb, enum usb_status out, enum usb_status control,
                     enum usb_status operation);
/* What a class request that reads gets (copied, at most 64 bytes). */
void fuzz_usb_control(struct usb *usb, const uint8_t *data, size_t len);
/* The last bulk message that went out: its first 64 bytes. */
const uint8_t *fuzz_usb_sent(struct usb *usb, size_t *len);
void fuzz_usb_unplug(struct usb *usb);

#endif
