/*
 * outbox: what is to be handed over, as stored. An entry is written in the transaction of the step
 * that causes it, so that there is none without its step and no step without it. What the states
 * mean is decided by daemon/desk/outbox.h.
 */
#ifndef UKETSUKE_STORE_OUTBOX_H
#define UKETSUKE_STORE_OUTBOX_H

#include "../common/outbox.h"
#include "store.h"

#define STORE_OUTBOX_TREE_MAX (512u << 10)

struct store_outbox {
    uint64_t id;
    uint64_t visit;
    char target[33]; /* the output's or the upstream's name in the configuration */
    uint8_t kind;    /* enum outbox_kind */
    uint8_t cause;   /* enum outbox_cause */
    uint8_t state;   /* enum outbox_state */
    uint16_t failure;
    uint32_t tries;
    uint64_t answer; /* whose answer is handed over; 0: none, or it is gone */
    char name[121];  /* a face file's name */
    char
        mark[65]; /* the carrier's word on where it staged the file; or the question it went with */
    int64_t made_us, tried_us, due_us, ended_us; /* 0: not yet; due: not before */
    /* Sealed as a whole; empty when it is done, and when it does not open. */
    bool damaged;     /* it does not open: saved again it is empty for good */
    char detail[129]; /* what the other side said */
    char staff[65];   /* who decided last */
    uint8_t *tree;    /* what goes out, packed (xmlmsg_pack()); owned, store_outbox_free() */
    size_t tree_len;
};
void store_outbox_free(struct store_outbox *entry);

/* Sets id and made_us. -EEXIST: there is one for this visit, target and cause. */
int store_outbox_add(struct store *store, struct store_outbox *entry);
/* State, failure, tries, name, mark, times and what is sealed. */
int store_outbox_save(struct store *store, const struct store_outbox *entry);
/* 0 also for one that is damaged. */
int store_outbox_load(struct store *store, uint64_t id, struct store_outbox *out);

/* Borrowed during the call; stops when it is not 0. One that does not open is logged, and comes as damaged. */
typedef int store_outbox_fn(const struct store_outbox *entry, void *arg);
/* Waiting or begun, and due: the oldest first. */
int store_outbox_next(struct store *store, const char *target, int64_t now_us, uint32_t limit,
                      store_outbox_fn *each, void *arg);
/* When the next of this target is due (it may be past). -ENOENT: nothing waits. */
int store_outbox_due(struct store *store, const char *target, int64_t *due_us);
/*
 * ALL and OPEN (not done) newest first (before: 0, or below that entry), 1: `limit` rows were read, there may be more;
 * BEGUN (SENT_MAYBE) oldest first.
 */
enum store_outboxes { STORE_OUTBOX_ALL, STORE_OUTBOX_OPEN, STORE_OUTBOX_BEGUN };
int store_outboxes(struct store *store, enum store_outboxes which, uint64_t before, uint32_t limit,
                   store_outbox_fn *each, void *arg);
/*
 * Registrations of the same content to the same target that are neither done nor refused; and those that an earlier
 * version wrote, which cannot be told apart unopened: the content must be compared.
 */
int store_outbox_same(struct store *store, const struct store_outbox *entry, store_outbox_fn *each,
                      void *arg);
int store_outbox_of_visit(struct store *store, uint64_t visit, store_outbox_fn *each, void *arg);

struct store_outbox_counts {
    uint64_t count[OUTBOX_KIND_COUNT][OUTBOX_STATE_COUNT];
    int64_t oldest_us[OUTBOX_KIND_COUNT][OUTBOX_STATE_COUNT]; /* made first of those; 0: none */
};
int store_outbox_counts(struct store *store, struct store_outbox_counts *out);

/* Entries that were done before that time, at most `most`. How many went, or negative. */
int store_outbox_retire(struct store *store, int64_t before_us, unsigned most);

#endif
