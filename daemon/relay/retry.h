/*
 * retry: may a request that failed be sent again, and when?
 *
 * A question that only reads may go again once the first attempt is known to be dead. A request
 * that writes goes again only when no byte of it can have arrived; after doubt it never does, and
 * the outcome says so. Pure: time and chance come from the caller.
 */
#ifndef UKETSUKE_RETRY_H
#define UKETSUKE_RETRY_H

#include <stdbool.h>
#include <stdint.h>

/* How an attempt ended. */
enum retry_ending {
    RETRY_NOT_SENT, /* no byte arrived: no connection, or the service says it did not act (401, 429)
                     */
    RETRY_DEAD,     /* sent, and no answer will come any more: reset, half an answer, 5xx */
    RETRY_SILENT,   /* sent, and it may still be worked on: the budget ran out */
};

struct retry_policy {
    unsigned attempts; /* at most, the first included */
    uint64_t first_us; /* middle of the first wait; doubles each time */
    uint64_t most_us;
    uint64_t useful_us; /* no attempt is begun with less time than this */
};

/* 0..2^32-1, evenly. */
struct retry_random {
    uint32_t (*next)(void *arg);
    void *arg;
};

/* As in ELIGIBILITY_ANSWER: 0 answered, 1 not sent, 2 doubtful, 3 refused. */
enum retry_outcome {
    RETRY_OUTCOME_ANSWERED = 0,
    RETRY_OUTCOME_NOT_SENT = 1, /* safe to ask again; a read that failed is always safe */
    RETRY_OUTCOME_DOUBTFUL = 2,
    RETRY_OUTCOME_REFUSED = 3,
};

struct retry_verdict {
    bool again;
    uint64_t wait_us;           /* again: after this long */
    enum retry_outcome outcome; /* not again: what to report */
};

/* `attempts` were made; `left_us` of the budget is left. */
struct retry_verdict retry_decide(const struct retry_policy *policy,
                                  const struct retry_random *random, bool writes,
                                  enum retry_ending ending, unsigned attempts, uint64_t left_us);

/* The wait before attempt number `attempts` + 1: between half and one and a half of the doubled
 * middle. */
uint64_t retry_wait_us(const struct retry_policy *policy, const struct retry_random *random,
                       unsigned attempts);

#endif
