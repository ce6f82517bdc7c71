/*
 * relay_rig: the relay as a program of its own between a desk (this test) and the simulated
 * service.
 *
 * Programs are looked for in $UKETSUKE_BIN, else beside the test; the certificates are made by the
 * simulated service's own script. Every helper fails the running cmocka test when it cannot do its
 * work.
 */
#ifndef TESTS_UNIT_RELAY_RIG_H
#define TESTS_UNIT_RELAY_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/common/message.h"
#include "daemon/common/xmlmsg.h"

struct rig;

/* NULL or 0: the usual. */
struct rig_options {
    const char *capabilities;
    const char *server; /* certificate of the service: "server", "wrong-server", "wrong-host" */
    const char *client; /* of the relay: "client", "wrong-client" */
    const char *password;
    const char *extra;   /* more lines of [upstream main] */
    const char *host;    /* in the URLs; the service listens on 127.0.0.1 */
    unsigned asked_port; /* of all but the login, when it is not the service's */
    int connect_seconds;
    int scan_ms;          /* of the folder */
    int taken_seconds;    /* ... until a file that nobody takes says that the terminal is off */
    bool without_service; /* nobody listens at the port */
    bool folders;         /* a 資格確認端末 and its folder in place of the service */
    const char *const *environment; /* of the relay alone: "NAME=value", NULL at the end */
};

struct rig_answer {
    struct msg_eligibility_answer message;
    struct xmlmsg *tree; /* NULL: none came */
    char *raw;           /* NUL-terminated */
    size_t raw_len;
};

/* An ELIGIBILITY_LATE or TERMINAL_VISIT. */
struct rig_told {
    uint16_t type;
    struct msg_eligibility_late late; /* TERMINAL_VISIT: hash and bytes only */
    struct xmlmsg *tree;
    char *raw; /* NUL-terminated */
    size_t raw_len;
};

struct rig *rig_start(const struct rig_options *options);
void rig_stop(struct rig *rig);

/* A line for the service's control socket; its answer must begin with "ok". */
void rig_control(struct rig *rig, const char *line);
/* How many requests of this kind the service's ledger has ("search", "register"...). */
unsigned rig_ledger(struct rig *rig, const char *kind);
/* ... and under this name. */
unsigned rig_ledger_of(struct rig *rig, const char *kind, const char *correlation);

uint64_t rig_ask(struct rig *rig, enum upstream_kind kind, bool writes, uint32_t budget_ms,
                 const struct xmlmsg *tree, const char *correlation);
void rig_cancel(struct rig *rig, uint64_t request);
/*
 * How long something that must come is waited for: on a machine with ten times its work everything
 * is late, and nothing is wrong. What must come by a budget is judged by the answer, which says so.
 */
enum { PATIENCE_MS = 30000 };

/* Waits for the answer of that request; rig_answer_free() afterwards. False when the time is over.
 */
bool rig_wait(struct rig *rig, uint64_t request, unsigned ms, struct rig_answer *out);
void rig_answer_free(struct rig_answer *answer);

/* What the relay tells by itself. False when the time is over. rig_told_free() afterwards. */
bool rig_wait_told(struct rig *rig, uint16_t type, unsigned ms, struct rig_told *out);
void rig_told_free(struct rig_told *told);
/* RELAY_TAKEN. */
void rig_take(struct rig *rig, const struct rig_told *told);
/* Questions from now on carry this end of a consent; 0: none. */
void rig_until(struct rig *rig, int64_t until);

/* Where req, res and face are. */
const char *rig_folder(const struct rig *rig);
/* How many lines of the terminal's ledger hold this. */
unsigned rig_count(struct rig *rig, const char *text);
/* The desk goes; rig_connect() comes back. */
void rig_disconnect(struct rig *rig);
/* SIGKILL, and a new one on the same socket; rig_connect() afterwards. */
void rig_kill_relay(struct rig *rig);
void rig_revive_relay(struct rig *rig);
/* Every message there is, as files in a directory (sim-samples). */
void rig_samples(const char *dir);
unsigned rig_port(const struct rig *rig);
/* The most memory that the relay has held, in KiB. */
unsigned long rig_peak_kib(const struct rig *rig);
/* Until it ends by itself: its status, -1 when the time is over. */
int rig_wait_exit(struct rig *rig, unsigned ms);
/* SIGTERM: how long it takes to end, in ms; rig_revive_relay() and rig_connect() afterwards. */
unsigned rig_end_relay(struct rig *rig);

/* The last UPSTREAM_STATE. */
const struct msg_upstream_state *rig_state(struct rig *rig);
/* Waits until the breaker and the failure are these. False when the time is over. */
bool rig_wait_state(struct rig *rig, uint8_t breaker, uint16_t failure, unsigned ms);
/* HEALTH: copies the item of that component. False when there is none. */
bool rig_health(struct rig *rig, const char *component, struct msg_health_item *out);
/* Asks until that component says this. False when PATIENCE_MS are over. */
bool rig_wait_health(struct rig *rig, const char *component, const char *detail);

/* Send a packet of our own making; true when the relay closes the connection, and connects again.
 */
bool rig_send_raw(struct rig *rig, uint16_t type, const void *body, int fd);
void rig_connect(struct rig *rig);
/* Is the connection there, as far as was heard? */
bool rig_is_connected(struct rig *rig);

/* What the relay wrote to its standard error. The caller frees it. */
char *rig_log(struct rig *rig);

/* Runs uketsuke-relay with these arguments and this configuration until it ends; its exit status.
 */
int rig_run_relay(const char *config_text, const char *argument, char *output, size_t size);
/* A file of the test PKI. */
const char *rig_pki(const char *name, char *path, size_t size);

#endif
