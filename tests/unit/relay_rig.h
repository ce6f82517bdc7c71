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

#include "daemon/common/message.h"
#include "daemon/common/xmlmsg.h"

struct rig;

/* NULL or 0: the usual. */
struct rig_options {
    const char *capabilities;
    const char *server; /* certificate of the service: "server", "wrong-server", "wrong-host" */
    const char *client; /* of the relay: "client", "wrong-client" */
    const char *password;
    const char *extra; /* more lines of [upstream main] */
    const char *host;  /* in the URLs; the service listens on 127.0.0.1 */
    int connect_seconds;
    bool without_service; /* nobody listens at the port */
    const char *const *environment; /* of the relay alone: "NAME=value", NULL at the end */
};

struct rig_answer {
    struct msg_eligibility_answer message;
    struct xmlmsg *tree; /* NULL: none came */
    char *raw;           /* NUL-terminated */
    size_t raw_len;
};

struct rig *rig_start(const struct rig_options *options);
void rig_stop(struct rig *rig);

/* A line for the service's control socket; its answer must begin with "ok". */
void rig_control(struct rig *rig, const char *line);
/* How many requests of this kind the service's ledger has ("search", "register"...). */
unsigned rig_ledger(struct rig *rig, const char *kind);

uint64_t rig_ask(struct rig *rig, enum upstream_kind kind, bool writes, uint32_t budget_ms,
                 const struct xmlmsg *tree, const char *correlation);
void rig_cancel(struct rig *rig, uint64_t request);
/* Waits for the answer of that request; rig_answer_free() afterwards. False when the time is over.
 */
bool rig_wait(struct rig *rig, uint64_t request, unsigned ms, struct rig_answer *out);
void rig_answer_free(struct rig_answer *answer);

/* The last UPSTREAM_STATE. */
const struct msg_upstream_state *rig_state(struct rig *rig);
/* Waits until the breaker and the failure are these. False when the time is over. */
bool rig_wait_state(struct rig *rig, uint8_t breaker, uint16_t failure, unsigned ms);
/* HEALTH: copies the item of that component. False when there is none. */
bool rig_health(struct rig *rig, const char *component, struct msg_health_item *out);

/* Send a packet of our own making; true when the relay closes the connection, and connects again.
 */
bool rig_send_raw(struct rig *rig, uint16_t type, const void *body, int fd);
void rig_connect(struct rig *rig);

/* What the relay wrote to its standard error. The caller frees it. */
char *rig_log(struct rig *rig);

/* Runs uketsuke-relay with these arguments and this configuration until it ends; its exit status.
 */
int rig_run_relay(const char *config_text, const char *argument, char *output, size_t size);
/* A file of the test PKI. */
const char *rig_pki(const char *name, char *path, size_t size);

#endif
