/*
 * upstream: what the relay wants of any kind of upstream. The Web API (webapi.c) is one; a folder
 * of a 資格確認端末 would be another row of upstream_kinds[].
 *
 * What is asked is a tree as daemon/common/question.h builds it; what comes back is the service's
 * tree as it is: the three levels of status (SegmentOfResult, ProcessingResultStatus,
 * QualificationValidity) are the desk's to read, and "answered" says only that a well-formed
 * message came.
 */
#ifndef UKETSUKE_UPSTREAM_H
#define UKETSUKE_UPSTREAM_H

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
};

/* One line of `uketsuke doctor`. */
typedef void upstream_health_fn(void *arg, uint8_t state, uint16_t failure, const char *component,
                                const char *detail, const char *next);

struct upstream_handlers {
    /* Exactly once for each question that was taken and not cancelled; never from within ask(). */
    void (*answered)(void *arg, uint64_t id, const struct upstream_answer *answer);
    /* The state may have changed. */
    void (*changed)(void *arg);
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
    void (*state)(struct upstream *upstream, struct upstream_state *out);
    void (*health)(struct upstream *upstream, upstream_health_fn *item, void *arg);
    void (*free)(struct upstream **upstream);
};

/* The kind of that name, NULL when there is none. */
const struct upstream_kind_ops *upstream_kind(const char *name);

extern const struct upstream_kind_ops upstream_webapi;

#endif
