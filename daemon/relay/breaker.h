/*
 * breaker: an upstream that is down is found out once, not by every patient.
 *
 * closed: questions pass. After enough failures in a row it opens: questions are answered at once.
 * When the time is over it is half open: one question (or a probe of the relay's own) may try;
 * success closes, failure opens again for twice as long. Pure: the caller gives the time.
 */
#ifndef UKETSUKE_BREAKER_H
#define UKETSUKE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

/* As in UPSTREAM_STATE. */
enum breaker_state { BREAKER_CLOSED = 0, BREAKER_HALF_OPEN = 1, BREAKER_OPEN = 2 };

/* A failure that took the patient's time counts twice. */
enum { BREAKER_QUICK = 1, BREAKER_SLOW = 2 };

struct breaker {
    unsigned limit;       /* weight of failures in a row that opens it */
    uint64_t open_us;     /* how long at first */
    uint64_t open_max_us; /* at most */
    enum breaker_state state;
    unsigned weight;
    uint64_t span_us;  /* how long it stays open now */
    uint64_t until_us; /* open: until when */
    bool trying;       /* half open: the one try is under way */
};

void breaker_init(struct breaker *breaker, unsigned limit, uint64_t open_us, uint64_t open_max_us);
/* May one pass now? Half open: the first who asks becomes the try and must report how it ended. */
bool breaker_enter(struct breaker *breaker, uint64_t now_us);
void breaker_succeed(struct breaker *breaker);
void breaker_fail(struct breaker *breaker, uint64_t now_us, unsigned weight);
/* The try ended without telling anything (cancelled): the next may try. */
void breaker_abandon(struct breaker *breaker);
/* The state at this time: open becomes half open by itself. */
enum breaker_state breaker_state(struct breaker *breaker, uint64_t now_us);
/* Open: how long still. Else 0. */
uint64_t breaker_left_us(struct breaker *breaker, uint64_t now_us);

#endif
