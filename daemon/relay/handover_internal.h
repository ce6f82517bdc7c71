/* handover_internal: what the carriers of each kind are to handover.c; nobody else includes it. */
#ifndef UKETSUKE_RELAY_HANDOVER_INTERNAL_H
#define UKETSUKE_RELAY_HANDOVER_INTERNAL_H

#include "../common/cage.h"
#include "../common/clock.h"
#include "../common/config.h"
#include "../common/failure.h"
#include "../common/message.h"
#include "../common/outbox.h"
#include "retry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sd_event;
struct carrier; /* each kind's own */

struct carrier_data { /* borrowed during the call */
    const uint8_t *tree;
    size_t len;
    const uint8_t *raw;
    size_t raw_len;
};

struct carrier_result {
    uint8_t outcome; /* enum handover_outcome */
    uint16_t failure;
    uint16_t http_status;
    const char *mark;   /* NULL: none; borrowed */
    const char *detail; /* what the other side said; NULL: nothing */
};

struct carrier_state {
    uint8_t breaker; /* enum breaker_state */
    uint16_t failure;
    uint64_t retry_us;
};

struct carrier_setup {
    const char *name; /* instance of [output NAME] */
    const struct config *config;
    struct sd_event *loop;
    struct clock *clock;
    struct retry_random random;
    /* Exactly once for each `give` that said later; not from within give(). */
    void (*result)(void *arg, const struct msg_handover_give *give,
                   const struct carrier_result *result);
    /* The state may have changed. */
    void (*changed)(void *arg);
    void *arg;
};

struct carrier_ops {
    uint8_t kind; /* enum outbox_kind */
    /* Reads its files, so before the cage. A failure has been said on standard error; *out may be
     * set, and is freed. */
    int (*open)(struct carrier **out, const struct carrier_setup *setup);
    /* Inside the cage. */
    int (*start)(struct carrier *carrier);
    /*
     * False: a step that this kind does not have. at_once->outcome is HANDOVER_OUTCOME_COUNT when
     * the result comes later.
     */
    bool (*give)(struct carrier *carrier, const struct msg_handover_give *give,
                 const struct carrier_data *data, struct carrier_result *at_once);
    const struct cage_spec *(*cage)(const struct carrier *carrier);
    void (*state)(struct carrier *carrier, struct carrier_state *out);
    void (*free)(struct carrier **carrier);
};

extern const struct carrier_ops carrier_files;
extern const struct carrier_ops carrier_hook;
extern const struct carrier_ops carrier_orca;
extern const struct carrier_ops carrier_documents;

#endif
