/*
 * mock_usb: a transport of usb_transport.h that plays a script on a simulated clock.
 *
 * A script is a table of exchanges: bytes that must be sent to a bulk OUT endpoint, and the answers
 * that then lie ready on the bulk IN endpoint. Bytes are written as hex digits, blanks allowed. An
 * answer may be one of "!stall", "!overflow", "!io", "!gone" instead; "@250 HEX" lies ready 250 ms
 * later.
 */
#ifndef MOCK_USB_H
#define MOCK_USB_H

#include "driver/usb/usb.h"

#define MOCK_ANSWERS 6

struct mock_exchange {
    const char *out; /* NULL ends the table; "!stall" in front refuses the message */
    const char *in[MOCK_ANSWERS];
};

struct clock;
struct mock_usb;

/* Device and configuration descriptor as hex. The answers of usb_start() come from them. */
struct usb *mock_usb_new(struct clock *clock, const char *device, const char *config);
struct mock_usb *mock_usb_of(struct usb *usb);

/* The next messages to come, in order; the table is borrowed. */
void mock_usb_script(struct usb *usb, const struct mock_exchange *script);
/* True when every line of the script has been played. */
bool mock_usb_played(struct usb *usb);
/* An answer on an IN endpoint out of turn (interrupts). */
void mock_usb_push(struct usb *usb, uint8_t endpoint, const char *answer);
/* From now on all that lies ready comes in one turn, the oldest first, as to a process that was not run for a
 * while. */
void mock_usb_together(struct usb *usb);
/* How class control requests end from now on (USB_OK at first). */
void mock_usb_control_status(struct usb *usb, enum usb_status status);
/* How claims end from now on (USB_OK at first). */
void mock_usb_claim_status(struct usb *usb, enum usb_status status);
/* A camera's answer to GET_CUR; a SET_CUR of any other length is stalled. */
void mock_usb_probe(struct usb *usb, const char *answer);
void mock_usb_unplug(struct usb *usb);

/* What happened so far, as one line per event: "control 21 01 0100 0000", "claim 0", "clear 81",
 * ... */
const char *mock_usb_log(struct usb *usb);

/* Hex digits to bytes; the test fails when they do not fit. */
size_t mock_hex(const char *hex, uint8_t *out, size_t size);

#endif
