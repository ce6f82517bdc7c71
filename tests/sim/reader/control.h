/*
 * control.h - the hand that moves cards, pictures and cables: one command a line, one answer line
 * each, "ok ..." or "error WHAT: NEXT STEP".
 */
#ifndef SIM_CONTROL_H
#define SIM_CONTROL_H

#include "device.h"
#include "usbip.h"

#include <stdbool.h>
#include <stdio.h>

enum { CONTROL_LINE = 512 };

/* The world the commands act on. */
struct sim {
    struct device *device;
    struct usbip *usbip; /* NULL when another transport stands before the device */
    const char *cards_dir, *state_dir, *videos_dir;
    uint64_t seed;
    struct card *card; /* the one in the slot */
    FILE *trace;
    char camera[64]; /* what the camera shows, for status */
    bool quit;
};

/* Executes one line (changed in place) and writes the answer, newline included. */
void sim_control_execute(struct sim *sim, char *line, char *answer, size_t cap);
/* Takes a card out that a fault tore off; call after serving transfers. True when it did. */
bool sim_control_take_torn(struct sim *sim);
/* Card out, trace closed. */
void sim_control_finish(struct sim *sim);

#endif
