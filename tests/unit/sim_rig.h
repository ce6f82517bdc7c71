/*
 * sim_rig: the simulated composite device (tests/sim/reader) behind either transport, in this
 * process.
 */
#ifndef SIM_RIG_H
#define SIM_RIG_H

#include <stdbool.h>
#include <stdint.h>

enum sim_transport { SIM_LIBUSB, SIM_USBIP };

struct sim_rig;
struct sd_event;
struct clock;
struct usb;

/* `level` is "extended" or "short". Cards: "plain" (an ATR and one readable file), "mute". Aborts
 * on failure. */
struct sim_rig *sim_rig_new(enum sim_transport transport, const char *level);
/*
 * SIM_LIBUSB with time that the test owns (simulated), cards of this directory, and somebody on the
 * wire (umock_device.h; may be NULL). Nothing moves but in sim_rig_step().
 */
struct umock_hooks;
struct sim_rig *sim_rig_new_stepped(const char *level, bool pin_pad, struct clock *clock,
                                    const char *cards_dir, const struct umock_hooks *hooks,
                                    void *arg);
/* The same without libusb and without kernel: the model is moved by sim_usb.h. */
struct sim_rig *sim_rig_new_bare(const char *level, bool pin_pad, struct clock *clock,
                                 const char *cards_dir);
struct umock_model;
const struct umock_model *sim_rig_model(void);
void sim_rig_free(struct sim_rig **rig);
/* Stepped: the descriptor that a broker would pass. */
int sim_rig_open(struct sim_rig *rig);
/* Stepped: what the wire counts begins anew, with other hooks. */
void sim_rig_hook(struct sim_rig *rig, const struct umock_hooks *hooks, void *arg);
/* Stepped: true when a transfer ended. */
bool sim_rig_step(struct sim_rig *rig);
/* Stepped: when the device may have something to say next. */
uint64_t sim_rig_next_us(struct sim_rig *rig);
bool sim_rig_plugged(struct sim_rig *rig);
/* From a hook, which holds the lock: the cable goes. */
void sim_rig_pull_cable(struct sim_rig *rig);
/* Stepped: the device sleeps, or the host does, and wakes. */
enum sim_sleep {
    SIM_SLEEP_POWERED, /* suspended and resumed */
    SIM_SLEEP_UNPOWERED, /* its power was lost: reset, configured, and offered to the kernel's drivers */
    SIM_SLEEP_RESET, /* no sleep: another program has reset it, which takes our claims as well */
};
void sim_rig_sleep(struct sim_rig *rig, enum sim_sleep sleep);
/* Plugged in anew, and configured as a host does. */
void sim_rig_replug(struct sim_rig *rig);
/* Tries left of a key of the card in the slot ("jpki", 0x0018); -1: no such. */
int sim_rig_tries(struct sim_rig *rig, const char *application, unsigned file);

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
