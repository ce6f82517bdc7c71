/*
 * udev: what is plugged into this host, and word of every change. The only file that talks to libsystemd's
 * sd-device; devices come as plain records (pairing.h).
 */
#ifndef UKETSUKE_UDEV_H
#define UKETSUKE_UDEV_H

#include <stdbool.h>
#include <stddef.h>

#include "pairing.h"

struct sd_event;
struct udev_watch;

typedef void udev_changed_fn(void *arg);

/* Begin to watch: `changed` after every coming and going of a USB device or of a camera. 0 or negative errno. */
int udev_watch_new(struct udev_watch **out, struct sd_event *loop, udev_changed_fn *changed,
                   void *arg);
/* Accepts and stores NULL. */
void udev_watch_free(struct udev_watch **watch);

/* udev's daemon, without which nothing is ever told, is there now. */
bool udev_daemon_runs(void);

/*
 * The USB devices that are plugged now, hubs left out, and the cameras of other buses, in the order of their ports. Returns how many (at most
 * `most`), or negative errno.
 */
int udev_list(struct plugged *out, size_t most);

#endif
