/*
 * sim_rig: the simulated composite device (tests/sim/reader) behind either transport, in this
 * process.
 */
#ifndef SIM_RIG_H
#define SIM_RIG_H

#include <stdint.h>

enum sim_transport { SIM_LIBUSB, SIM_USBIP };

struct sim_rig;
struct sd_event;
struct clock;
struct usb;

/* `level` is "extended" or "short". Cards: "plain" (an ATR and one readable file), "mute". Aborts
 * on failure. */
struct sim_rig *sim_rig_new(enum sim_transport transport, const char *level);
void sim_rig_free(struct sim_rig **rig);

/* A handle over the transport, as the reader would make it from what the broker passes. */
struct usb *sim_rig_usb(struct sim_rig *rig, struct sd_event *loop, struct clock *clock);

/* One line to the simulator ("insert plain", "fault silent 1", "unplug"); aborts when it is
 * refused. */
void sim_rig_do(struct sim_rig *rig, const char *line);
/* Its answer to a line. */
const char *sim_rig_ask(struct sim_rig *rig, const char *line);

/* SIM_LIBUSB only: another program holds the interface. */
void sim_rig_hold(struct sim_rig *rig, unsigned interface);

/* The card's file JPKI 0002: this many bytes, byte i being i * 7 + i / 256. */
#define SIM_RIG_FILE_BYTES 3000

#endif
