/*
 * ccid_descriptor: finds the CCID interfaces of a configuration and reads their class descriptor.
 * Source: USB-IF CCID specification 1.1, chapter 5.
 */
#ifndef UKETSUKE_CCID_DESCRIPTOR_H
#define UKETSUKE_CCID_DESCRIPTOR_H

#include "ccid.h"
#include "driver/usb/usb_descriptor.h"

/* dwFeatures */
#define CCID_FEATURE_AUTO_PARAMETERS 0x00000002u
#define CCID_FEATURE_AUTO_ACTIVATION 0x00000004u
#define CCID_FEATURE_AUTO_VOLTAGE 0x00000008u
#define CCID_FEATURE_AUTO_CLOCK 0x00000010u
#define CCID_FEATURE_AUTO_BAUD 0x00000020u
#define CCID_FEATURE_AUTO_NEGOTIATION 0x00000040u
#define CCID_FEATURE_AUTO_PPS 0x00000080u
#define CCID_FEATURE_AUTO_IFSD 0x00000400u
#define CCID_FEATURE_LEVEL_MASK 0x00070000u

#define CCID_PROTOCOL_T0 1u
#define CCID_PROTOCOL_T1 2u

/* A device may say less or more; outside these it cannot be meant. */
#define CCID_MESSAGE_MIN 64u
#define CCID_MESSAGE_MAX (10u + 65544u)
/* Slots we serve; a reader with more is served as one with so many. */
#define CCID_SLOTS_MAX 8u

struct ccid_place {
    struct ccid_info info; /* vendor, product, release, name are the caller's to fill in */
    uint8_t bulk_out, bulk_in, interrupt_in;
    uint16_t bulk_in_packet;
    uint16_t interrupt_bytes;
    uint32_t clock_khz;     /* dwDefaultClock */
    uint32_t max_data_rate; /* bits a second */
};

/*
 * The `nth` reader. `quirks` are the device's flags (quirks.h). 0; -ENODEV no such; -EPROTO it is
 * there, but its descriptors cannot be.
 */
int ccid_place_find(const struct usb_config *config, uint32_t quirks, unsigned nth,
                    struct ccid_place *place);

#endif
