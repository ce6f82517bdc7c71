/*
 * lane_rig: what a reader process is made of (lane, card engine, frames), in this process, on the simulated composite
 * device, with a patient and somebody who plugs in again what fell out. Time is simulated: a visit takes as long as
 * its computations.
 *
 * Behind the lane stands either the real libusb on a mocked usbfs node, or sim_usb (no kernel, no libusb).
 */
#ifndef LANE_RIG_H
#define LANE_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lane_rig;
struct umock_hooks;

enum lane_wire { LANE_LIBUSB, LANE_DIRECT };

struct lane_rig_options {
    enum lane_wire wire;
    const char *level; /* sim-reader's --level */
    bool pin_pad;
    bool camera_only;                /* the lane is handed the device for its camera alone */
    const char *card;                /* of build/sim/cards; "franck" */
    const struct umock_hooks *hooks; /* LANE_LIBUSB */
    void *hooks_arg;
};

/* What became of a visit. */
struct lane_visit {
    bool done;             /* it came to its end, with all that was wanted */
    unsigned again;        /* how often the card was put down again, or the entry made again */
    unsigned camera_again; /* the camera was started again by hand */
    unsigned reopened;     /* the device was closed and opened anew */
    unsigned refused;      /* ... and only after it had been plugged in anew */
    unsigned entries[2];   /* of a PIN, of 照合番号B: keyed in by the patient */
    uint64_t us;           /* how long it took */
    uint32_t apdus;
    uint32_t photo_print; /* of the photo's bytes */
    bool not_genuine;     /* record, challenge or chain were called anything but genuine */
    char trouble[64];     /* what went wrong first, for people */
};

/* Aborts on failure. */
struct lane_rig *lane_rig_new(const struct lane_rig_options *options);
void lane_rig_free(struct lane_rig **rig);
struct sim_rig *lane_rig_sim(struct lane_rig *rig);
/* The file of the users' CA. */
const char *lane_rig_authorities(struct lane_rig *rig);
/* Where its card's files are. */
void lane_rig_card_file(struct lane_rig *rig, const char *name, char *path, size_t size);
uint64_t lane_rig_now(struct lane_rig *rig);

/* The device is opened, if it is not yet; false: it does not become ready. */
bool lane_rig_ready(struct lane_rig *rig, struct lane_visit *visit);
/* Card down, who is it, photo by 照合番号B, two pictures of the camera, card off and away. */
void lane_rig_face(struct lane_rig *rig, struct lane_visit *visit);
/* Card down, who is it, a wrong PIN, the right one (a signature), card away. */
void lane_rig_pin(struct lane_rig *rig, struct lane_visit *visit);
/* Two pictures of the camera, asked for again when it fails: what was needed stands in `visit`. */
bool lane_rig_watch(struct lane_rig *rig, struct lane_visit *visit);
/* The cable is out and in again before anybody has opened the device; the lane stays. */
void lane_rig_anew(struct lane_rig *rig);
/* Cards that the lane sees. */
unsigned lane_rig_cards(struct lane_rig *rig);
/* Let time pass; the number of timers that fired. */
unsigned lane_rig_pass(struct lane_rig *rig, uint64_t us);

/*
 * For tests of the lane alone. What the next usb_libusb_new() gives (its descriptor is closed), NULL: what it would; and
 * the calls of every v4l2_new(), NULL: the system's.
 */
struct usb;
struct v4l2_calls;
extern struct usb *lane_rig_next_usb;
extern const struct v4l2_calls *lane_rig_v4l2_calls;

#endif
