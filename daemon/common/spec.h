/*
 * spec: how the configuration names a device ([lane 1] reader and camera). Which plugged device that is finds the broker.
 */
#ifndef UKETSUKE_SPEC_H
#define UKETSUKE_SPEC_H

#include <stdbool.h>
#include <stdint.h>

enum spec_kind { SPEC_NONE, SPEC_ONLY, SPEC_SAME, SPEC_PORT, SPEC_ID, SPEC_USBIP, SPEC_NODE };

/* Of a camera: ours over USB, the kernel's over its node, or the kernel's where that has the camera. */
enum spec_driver { DRIVER_OWN, DRIVER_KERNEL, DRIVER_EITHER };

struct spec {
    enum spec_kind kind;
    enum spec_driver driver;
    uint16_t vendor; /* ID */
    uint16_t product;
    char serial[65]; /* ID: "" any */
    char port[65];   /* PORT: "1-2.3" */
    char path[108];  /* USBIP: a Unix stream socket; NODE: below /dev, it may be a symbolic link */
    char node[64];   /* NODE: what the path leads to now, filled in by who can look; "" nowhere */
};

/* reader: only | port=... | id=vvvv:pppp[/serial] | usbip=PATH. 0 or -EINVAL. */
int spec_parse_reader(struct spec *out, const char *text);
/* camera: [v4l2:|auto:]{same | only | port=... | id=...} | v4l2:/dev/NODE | none. 0 or -EINVAL. */
int spec_parse_camera(struct spec *out, const char *text);

#endif
