/*
 * pairing: which plugged device belongs to which lane. Pure: from the words of the configuration and a list of
 * what is plugged to an assignment, the same for the same input.
 *
 * A device serves one lane only. Lanes that name a node or a port choose first, then those that name VID:PID, then those
 * that say "only"; within each the order of the configuration decides.
 */
#ifndef UKETSUKE_PAIRING_H
#define UKETSUKE_PAIRING_H

#include "daemon/common/spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A plugged USB device, as udev and sysfs tell; or a camera of another bus, which has a video node only. */
struct plugged {
    char port[65];  /* of another bus: the node's name, "video0" */
    char node[64];  /* /dev/bus/usb/001/004; of another bus: "" */
    char video[64]; /* /dev/video0 while a driver of the kernel's has its camera, else "" */
    uint16_t vendor;
    uint16_t product;
    char serial[65];
    char name[97];
    char holder[49]; /* what has one of its interfaces: "uvcvideo", "usbfs", "" */
    uint32_t busnum;
    uint32_t devnum;
    uint8_t speed; /* as USB/IP: 1 low, 2 full, 3 high, 5 super */
    bool
        reader; /* it has a CCID interface; vendor-class readers have none and must be named by port or id */
    bool camera; /* it has a video interface */
    bool fresh;  /* just plugged: drivers of the kernel's may be about to take it */
};

enum pairing_result {
    PAIRING_NOT_WANTED,
    PAIRING_FOUND,
    PAIRING_ABSENT,    /* nothing plugged fits */
    PAIRING_AMBIGUOUS, /* several fit: the configuration must say which */
    PAIRING_TAKEN,     /* what fits belongs to another lane */
    PAIRING_NO_NODE,   /* the camera is there, but no driver of the kernel's has it */
    PAIRING_SETTLING,  /* whether one will have it is known in a moment */
    PAIRING_SIMULATED, /* not among the plugged devices: a simulator's socket */
};

#define PAIRING_NO_DEVICE ((size_t)-1)

struct pairing {
    struct spec reader_spec;
    struct spec camera_spec;
    /* the outcome: indices into the list of devices */
    size_t reader;
    size_t camera;
    enum pairing_result reader_result;
    enum pairing_result camera_result;
    bool camera_by_kernel; /* FOUND: through its video node */
};

/* `owner` has room for ndevices; gets the index of the lane of each device, or PAIRING_NO_DEVICE. */
void pairing_match(struct pairing *lanes, size_t nlanes, const struct plugged *devices,
                   size_t ndevices, size_t *owner);

#endif
