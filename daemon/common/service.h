/*
 * service: the thirty lines that every program's main shares.
 *
 * Options: --config FILE, --instance NAME, --try-cage, --version, --help. Sockets come from the supervisor
 * (LISTEN_FDS with LISTEN_FDNAMES, as systemd does), credentials from $CREDENTIALS_DIRECTORY.
 *
 * The shape of a main:
 *     service_start() -> open what is needed (models, database, libraries) -> service_cage() ->
 *     service_run() -> free -> service_stop()
 */
#ifndef UKETSUKE_SERVICE_H
#define UKETSUKE_SERVICE_H

#include "cage.h"
#include "clock.h"
#include "config.h"
#include "ipc.h"

#include <time.h>

struct service {
    const char *program;
    const char *instance; /* "" when not given */
    struct sd_event *loop;
    struct clock *clock;
    struct config *config;
    const char *config_path;
    struct timespec config_read; /* when the file that was read had been written */
    bool try_cage;
    /* sockets by name, -1 after service_take_socket() */
    struct {
        char name[32];
        int fd;
    } sockets[64];
    size_t nsockets;
    int notify_fd; /* the supervisor's, -1 without one */
    uint64_t watchdog_us;
    struct timer *watchdog;
    struct timer *ready; /* until the supervisor's queue took the word */
};

/*
 * Parse, load the configuration, protect the process, make loop and clock, block SIGPIPE, stop on SIGTERM and
 * SIGINT. Returns 0 to go on; 1 to end with status 0 (--help...); negative: a message was printed, end with 1.
 */
int service_start(struct service *service, const char *program, int argc, char **argv);
/* The listening socket of that name, or -1. */
int service_take_socket(struct service *service, const char *name);
/*
 * Enter the cage; with --try-cage run cage_try() and end the process with its result. Then tell the
 * supervisor READY=1 and keep its watchdog fed. Negative errno.
 */
int service_cage(struct service *service, const struct cage_spec *spec);
/* Until SIGTERM or sd_event_exit(). Returns the exit status. */
int service_run(struct service *service);
void service_stop(struct service *service);

/* Read $CREDENTIALS_DIRECTORY/NAME into secret memory (before the cage). -ENOENT when there is none. */
struct secret;
int service_credential(const char *name, struct secret *out, size_t most);

#define SERVICE_ENDS_SOON_S (30 * 86400)
/*
 * What comes to an end by itself (a certificate, seconds since 1970; 0: says nothing): told with its end, as a warning
 * in the last thirty days with what to do next.
 */
void service_health_ends(struct service *service, struct ipc *ipc, uint32_t request,
                         const char *component, int64_t until, const char *next);
/* Is the configuration still the one that was read? Needs a cage that may look at files. */
void service_health_config(struct service *service, struct ipc *ipc, uint32_t request);
/* Answer a HEALTH_QUERY: items of the process itself (cage, memory), then the caller's own, then service_health_end(). */
void service_health_common(struct service *service, struct ipc *ipc, uint32_t request);
void service_health_item(struct ipc *ipc, uint32_t request, uint8_t state, uint16_t failure,
                         const char *component, const char *detail, const char *next);
void service_health_end(struct ipc *ipc, uint32_t request);

/* Does the configuration have what programs of `use` (FOR_...) need? 0, or -EINVAL: that has been said on standard error.
 * instance: their section's. */
int service_config_complete(const struct service *service, unsigned use, const char *instance);

/* The socket path of a program under the run directory of the configuration: "matcher.sock", "reader-1.sock"... */
int service_socket_path(const struct service *service, const char *name, const char *instance,
                        char *out, size_t size);

/* The uids that may connect as `role` beside our own and root's: [desk] peer users of the configuration. */
size_t service_peer_uids(const struct service *service, uid_t *out, size_t most);

#endif
