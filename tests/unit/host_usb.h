/*
 * host_usb: a host whose USB is written by hand (umockdev: sysfs, nodes, udev's messages): a hub, and what is plugged
 * into it. The programs under test find it through libumockdev-preload.
 */
#ifndef TESTS_UNIT_HOST_USB_H
#define TESTS_UNIT_HOST_USB_H

/* With nothing but the hub. What is opened lies below /dev (TMPDIR=/dev/shm), where a cage may look. */
void host_new(void);
void host_free(void);

/*
 * A device with one interface, of a reader, or with two: a reader, and a camera that the kernel's driver has at the node
 * `video` ("video10"). id "1209:0001". Nobody is told.
 */
void host_plug(const char *port, unsigned devnum, const char *id, const char *serial,
               const char *name, const char *video);
/* What udev would say of it: "add". */
void host_tell(const char *port, const char *action);
/* Told, and gone. */
void host_unplug(const char *port);
void host_set(const char *port, const char *attribute, const char *value);

#endif
