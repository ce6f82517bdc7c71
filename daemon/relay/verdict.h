/*
 * verdict: what the end of an HTTP exchange means for a question. One table each for the network's
 * endings and for the status numbers; pure.
 */
#ifndef UKETSUKE_RELAY_VERDICT_H
#define UKETSUKE_RELAY_VERDICT_H

#include "http.h"
#include "retry.h"

#include <stdbool.h>
#include <stdint.h>

struct verdict {
    uint16_t failure;         /* FAILURE_NONE: a 200 whose body is to be read */
    enum retry_ending ending; /* for retry_decide() */
    bool final;               /* trying again would end the same way */
    bool refused;      /* the service said no before acting: outcome 3, for reads and writes */
    bool unauthorised; /* 401: a new token may help, and nothing was acted upon */
    uint8_t weight;    /* for the breaker; 0: it is alive */
};

struct verdict verdict_of(const struct http_result *result);

#endif
