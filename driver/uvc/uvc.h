/*
 * uvc: cameras of the USB Video Class (1.0, 1.1, 1.5) in MJPEG, or in YUY2 where a camera has no
 * MJPEG, over a started `struct usb`.
 *
 * Sets exposure and white balance back to automatic where there are such controls, negotiates by
 * probe and commit, picks the alternate setting, keeps isochronous or bulk transfers in flight only
 * while the camera is started, and puts frames together by the payload rules (payload.h). Where the
 * kernel's uvcvideo owns the camera, a V4L2 implementation of camera.h is the better choice.
 */
#ifndef UKETSUKE_UVC_H
#define UKETSUKE_UVC_H

#include "camera.h"

struct usb;

/* How many video functions with a format that we take the started device has. */
unsigned uvc_count(struct usb *usb);

/*
 * A camera for the `nth` of them (0 = first). `usb` is borrowed and must outlive it.
 * NULL and errno: ENODEV none, EPROTO a descriptor that cannot be, ENOMEM.
 */
struct camera *uvc_new(struct usb *usb, unsigned nth);

#endif
