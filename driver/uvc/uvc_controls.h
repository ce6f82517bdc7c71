/*
 * uvc_controls: the controls of a camera that are put right before it streams, as a table. Pure.
 * Source: USB-IF UVC 1.5, 4.2.2.1 (camera terminal) and 4.2.2.3 (processing unit).
 *
 * Whoever had the camera before may have left it with an exposure set by hand, in the light of
 * another hour: faces are judged in what light there is now.
 */
#ifndef UKETSUKE_UVC_CONTROLS_H
#define UKETSUKE_UVC_CONTROLS_H

#include "uvc_descriptor.h"

struct uvc_control {
    const char *name;
    bool of_unit;           /* of the processing unit, else of the lens */
    uint8_t bit;            /* in bmControls */
    uint8_t selector;       /* one byte each */
    uint8_t value;          /* what is set, unless it is one of ... */
    const uint8_t *choices; /* ... these, best first, 0 at the end: GET_RES says which there are */
};

/* Row `*i`, or the first one after it that this camera has; `*entity` is whose it is. NULL: no
 * more. */
const struct uvc_control *uvc_control_next(const struct uvc_function *function, unsigned *i,
                                           unsigned *entity);
/* Row `i`, NULL behind the last. */
const struct uvc_control *uvc_control_at(unsigned i);
/* The best choice among the bits of GET_RES; 0: none. */
uint8_t uvc_control_choose(const struct uvc_control *control, uint8_t offered);

#endif
