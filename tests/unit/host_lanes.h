/* host_lanes: the readers' side of a broker under test: a socket a lane, and what was handed over there. */
#ifndef TESTS_UNIT_HOST_LANES_H
#define TESTS_UNIT_HOST_LANES_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/common/ipc.h"

#define HOST_EVENTS 64u

struct host_event {
    uint16_t type;
    struct msg_device_attach attach;
    char port[65];
};

struct host_lane {
    unsigned number;
    char path[128];
    char instance[8];
    struct ipc_server *server;
    struct ipc *ipc; /* NULL: the broker is not connected */
    struct host_event events[HOST_EVENTS];
    unsigned n, read;
    unsigned losses; /* of the connection */
};

/* DIRECTORY/reader-NUMBER.sock */
void host_lane_new(struct host_lane *lane, unsigned number, struct sd_event *loop,
                   const char *directory);
void host_lane_free(struct host_lane *lane);
/* DEVICE_STATE; false: it could not be said. */
bool host_lane_says(struct host_lane *lane, unsigned state, uint16_t failure, const char *port);

#endif
