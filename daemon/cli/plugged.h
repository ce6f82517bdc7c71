/*
 * plugged: what USB readers and cameras this host has and which program has them open, as sysfs and
 * proc tell. For doctor: it looks itself, so that it can answer when broker and desk are down, and
 * because the broker's cage shows it no other processes.
 */
#ifndef UKETSUKE_CLI_PLUGGED_H
#define UKETSUKE_CLI_PLUGGED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the two are mounted; NULL: where they always are. */
struct plugged_roots {
    const char *sys, *proc;
};

struct plugged_device {
    char port[64]; /* "1-2.3" */
    uint16_t vendor, product;
    char serial[65];
    char name[97];
    bool reader, camera;
    char driver[33]; /* of its first interface that has one: "uvcvideo", "usbfs", "" */
};

/* Devices with a smart-card or video interface, in the order of their ports; how many (at most
 * `most`). */
size_t plugged_list(const struct plugged_roots *roots, struct plugged_device *out, size_t most);

/*
 * Programs outside this house that have the device at `port` open, or the camera whose node is of
 * that name
 * ("video0"): "pcscd (812)", several with a comma between them, "" none. True when every process
 * could be looked at.
 */
bool plugged_holders(const struct plugged_roots *roots, const char *port, char *out, size_t size);

#endif
