/*
 * descriptors.h - what the composite device says of itself: USB 2.0 high speed, CCID 1.1 reader
 * and UVC 1.1 camera joined by an interface association.
 */
#ifndef SIM_DESCRIPTORS_H
#define SIM_DESCRIPTORS_H

#include "ccid.h"
#include "util.h"

enum {
    /* pid.codes' test id: no product carries it */
    DESCRIPTOR_VENDOR = 0x1209,
    DESCRIPTOR_PRODUCT = 0x0001,
    DESCRIPTOR_RELEASE = 0x0100,
    INTERFACE_CCID = 0,
    INTERFACE_CONTROL = 1,
    INTERFACE_STREAMING = 2,
    INTERFACES = 3,
    ENDPOINT_OUT = 0x01,
    ENDPOINT_IN = 0x81,
    ENDPOINT_INTERRUPT = 0x82,
    ENDPOINT_ISO = 0x83,
    DEVICE_DESCRIPTOR = 18,
};

void sim_descriptors_device(uint8_t out[DEVICE_DESCRIPTOR]);
/* The whole configuration, appended. */
void sim_descriptors_configuration(struct buf *out, const struct ccid_level *level, bool pin_pad,
                                   unsigned slots);
/* String i in USB form (0 = languages), appended; false when there is none. */
bool sim_descriptors_string(struct buf *out, unsigned i, const char *serial);

#endif
