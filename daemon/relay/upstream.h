/*
 * upstream: what the relay wants of any kind of upstream: the Web API (webapi.c) and the folders of
 * a 資格確認端末 (folders.c).
 *
 * What is asked is a tree as daemon/common/question.h builds it; what comes back is the service's
 * tree as it is: the three levels of status (SegmentOfResult, ProcessingResultStatus,
 * QualificationValidity) are the desk's to read, and "answered" says only that a well-formed
 * message came.
 */
#ifndef UKETSUKE_UPSTREAM_H
#define UKETSUKE_UPSTREAM_H

#include "../common/cage.h"
#include "../common/clock.h"
#include "../common/config.h"
#include "../common/failure.h"
#include "../common/xmlmsg.h"
#include "retry.h"

#define UPSTREAM_QUESTIONS_MAX 64 /* under way at once */
#define UPSTREAM_CORRELATION_MAX 50

struct sd_event;
struct upstream_kind_ops;

/* The first member of each kind's own struct. */
struct upstream {
    const struct upstream_kind_ops *ops;
};

struct upstream_question {
    uint64_t id;  /* the relay's own, unique while it is under way */
    uint8_t kind; /* enum upstream_kind */
    bool writes;
    uint64_t deadline_us;
    int64_t until; /* realtime seconds after which its answer must not be handed on; 0: none */
    char correlation[UPSTREAM_CORRELATION_MAX + 1]; /* "" or visible ASCII */
    struct xmlmsg *tree;                            /* given away with the question */
};

struct upstream_answer {
    uint8_t outcome;  /* enum retry_outcome */
    uint16_t failure; /* enum failure; FAILURE_NONE when answered */
    uint16_t http_status;
    uint8_t attempts;
    const struct xmlmsg *tree; /* answered: both borrowed during the call */
    const uint8_t *raw;
    size_t raw_len;
};

struct upstream_state {
    uint32_t capabilities; /* enum upstream_capability */
    uint8_t breaker;       /* enum breaker_state */
    uint16_t failure;      /* why it cannot be used now */
    uint64_t retry_us;     /* when it is tried again; 0: now */
    int64_t certificate_until;
    int64_t ca_until; /* of the first of its CA certificates to end; 0: it has none */
};

#define UPSTREAM_HASH 32 /* SHA-256 of the raw bytes */

/* An answer that came after its question had ended, or that was never heard; borrowed during the
 * call. */
struct upstream_late {
    uint8_t kind;
    bool writes;
    int64_t asked; /* realtime seconds */
    const char *correlation;
    const uint8_t *hash;
    const struct xmlmsg *tree;
    const uint8_t *raw;
    size_t raw_len;
};

/* What an official terminal has found out about its patient; borrowed during the call. */
struct upstream_terminal {
    const uint8_t *hash;
    const struct xmlmsg *tree;
    const uint8_t *raw;
    size_t raw_len;
};

/* One line of `uketsuke doctor`. */
typedef void upstream_health_fn(void *arg, uint8_t state, uint16_t failure, const char *component,
                                const char *detail, const char *next);

struct upstream_handlers {
    /*
     * Exactly once for each question that was taken and not cancelled; never from within ask().
     * False: nobody heard it (the desk is gone; only a writing request goes on then).
     */
    bool (*answered)(void *arg, uint64_t id, const struct upstream_answer *answer);
    /* The state may have changed. */
    void (*changed)(void *arg);
    /* False: no desk is there; tell it again when one has come. */
    bool (*late)(void *arg, const struct upstream_late *late);
    bool (*terminal)(void *arg, const struct upstream_terminal *terminal);
    void *arg;
};

struct upstream_setup {
    const char *name; /* instance of the configuration's [upstream NAME] */
    const struct config *config;
    struct sd_event *loop;
    struct clock *clock;
    struct retry_random random;
    struct upstream_handlers handlers;
};

struct upstream_kind_ops {
    const char *name; /* a word of [upstream] kind */
    /* Reads its files, so before the cage. A failure has been said on standard error. */
    int (*open)(struct upstream **out, const struct upstream_setup *setup);
    /* Inside the cage: begin to get ready (log in). */
    int (*start)(struct upstream *upstream);
    /* Takes the tree in every case. 0, -ENOBUFS (too many under way), -ENOMEM. */
    int (*ask)(struct upstream *upstream, struct upstream_question *question);
    /*
     * Nobody waits any more: end it without an answer. A writing request whose bytes may have left
     * is not ended: false, and its answer comes.
     */
    bool (*cancel)(struct upstream *upstream, uint64_t id);
    /* What it needs inside the cage; borrowed from the upstream. */
    const struct cage_spec *(*cage)(struct upstream *upstream);
    /* A desk has come, and may be told what nobody has heard. NULL: nothing is ever told late. */
    void (*desk_up)(struct upstream *upstream);
    /* The desk keeps what had this hash: it need not be told again. */
    void (*taken)(struct upstream *upstream, const uint8_t hash[UPSTREAM_HASH]);
    void (*state)(struct upstream *upstream, struct upstream_state *out);
    void (*health)(struct upstream *upstream, upstream_health_fn *item, void *arg);
    void (*free)(struct upstream **upstream);
};

/* The kind of that name, NULL when there is none. */
const struct upstream_kind_ops *upstream_kind(const char *name);

extern const struct upstream_kind_ops upstream_webapi;
extern const struct upstream_kind_ops upstream_folders;

#endif
