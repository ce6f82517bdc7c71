#include "breaker.h"

void breaker_init(struct breaker *breaker, unsigned limit, uint64_t open_us, uint64_t open_max_us)
{
    *breaker = (struct breaker){
        .limit = limit, .open_us = open_us, .open_max_us = open_max_us, .span_us = open_us};
}

enum breaker_state breaker_state(struct breaker *breaker, uint64_t now_us)
{
    if (breaker->state == BREAKER_OPEN && now_us >= breaker->until_us) {
        breaker->state = BREAKER_HALF_OPEN;
        breaker->trying = false;
    }
    return breaker->state;
}

uint64_t breaker_left_us(struct breaker *breaker, uint64_t now_us)
{
    return breaker_state(breaker, now_us) == BREAKER_OPEN ? breaker->until_us - now_us : 0;
}

bool breaker_enter(struct breaker *breaker, uint64_t now_us)
{
    switch (breaker_state(breaker, now_us)) {
    case BREAKER_CLOSED:
        return true;
    case BREAKER_HALF_OPEN:
        if (breaker->trying)
            return false;
        breaker->trying = true;
        return true;
    default:
        return false;
    }
}

void breaker_succeed(struct breaker *breaker)
{
    breaker->state = BREAKER_CLOSED;
    breaker->trying = false;
    breaker->weight = 0;
    breaker->span_us = breaker->open_us;
}

void breaker_abandon(struct breaker *breaker)
{
    breaker->trying = false;
}

void breaker_fail(struct breaker *breaker, uint64_t now_us, unsigned weight)
{
    switch (breaker_state(breaker, now_us)) {
    case BREAKER_OPEN:
        /* Somebody who had passed before it opened: says nothing new. */
        return;
    case BREAKER_HALF_OPEN:
        breaker->span_us = breaker->span_us > breaker->open_max_us / 2 ? breaker->open_max_us
                                                                       : breaker->span_us * 2;
        break;
    default:
        breaker->weight += weight;
        if (breaker->weight < breaker->limit)
            return;
        breaker->span_us = breaker->open_us;
        break;
    }
    breaker->state = BREAKER_OPEN;
    breaker->trying = false;
    breaker->weight = 0;
    breaker->until_us = now_us + breaker->span_us;
}
