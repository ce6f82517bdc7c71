/*
 * supply: keeps one lane's reader supplied with its devices: opens each, hands the descriptor over, opens it
 * again when the reader says that it closed it or when the reader program was restarted, with growing pauses
 * while that does not help.
 */
#ifndef UKETSUKE_SUPPLY_H
#define UKETSUKE_SUPPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/common/message.h"
#include "pairing.h"

struct clock;
struct ipc;
struct sd_event;
struct supply;

#define SUPPLY_USE_READER 0x01u
#define SUPPLY_USE_CAMERA 0x02u

/* What a lane should have. port "" and path "": nothing. */
struct supply_wish {
    uint8_t use;
    char path[108]; /* a simulator's socket, or "" */
    bool video;     /* the device's video node, not the device itself */
    struct plugged device;
};

#define SUPPLY_DEVICES 2u

enum supply_state {
    SUPPLY_NOTHING,
    SUPPLY_WAITING,
    SUPPLY_IMPORTING,
    SUPPLY_HANDED_OVER,
    SUPPLY_IN_USE
};

/* For DEVICE_ITEM and HEALTH: what became of it. */
struct supply_view {
    const struct supply_wish *wish;
    enum supply_state state;
    uint16_t failure; /* what the reader said last; FAILURE_NONE: nothing wrong */
    int error;        /* of the last attempt to open it: 0 or negative errno */
    char port[65];
};

struct supply *supply_new(struct sd_event *loop, struct clock *clock, uint16_t lane);
/* Accepts and stores NULL. */
void supply_free(struct supply **supply);

/* The connection to the lane's reader is there (borrowed), or lost (NULL). */
void supply_set_reader(struct supply *supply, struct ipc *reader);
/* At most SUPPLY_DEVICES wishes; what is handed over and no longer wished for is taken back. */
void supply_set_wishes(struct supply *supply, const struct supply_wish *wishes, size_t n);
/* The reader's word about a device. */
void supply_device_state(struct supply *supply, const struct msg_device_state *state);

bool supply_has_reader(const struct supply *supply);
/* The i-th wish; false past the end. */
bool supply_view(const struct supply *supply, size_t i, struct supply_view *out);

#endif
