#include "retry.h"

uint64_t retry_wait_us(const struct retry_policy *policy, const struct retry_random *random,
                       unsigned attempts)
{
    uint64_t middle = policy->first_us;

    for (unsigned i = 1; i < attempts && middle < policy->most_us; i++)
        middle *= 2;
    if (middle > policy->most_us)
        middle = policy->most_us;
    /* Spread, so that the lanes of a clinic do not come back in step after an outage. */
    return middle / 2 + (uint64_t)(((__uint128_t)middle * random->next(random->arg)) >> 32);
}

struct retry_verdict retry_decide(const struct retry_policy *policy,
                                  const struct retry_random *random, bool writes,
                                  enum retry_ending ending, unsigned attempts, uint64_t left_us)
{
    struct retry_verdict verdict = {.outcome = RETRY_OUTCOME_NOT_SENT};
    bool safe = ending == RETRY_NOT_SENT || (ending == RETRY_DEAD && !writes);

    if (writes && ending != RETRY_NOT_SENT)
        verdict.outcome = RETRY_OUTCOME_DOUBTFUL;
    if (!safe || attempts >= policy->attempts)
        return verdict;
    verdict.wait_us = retry_wait_us(policy, random, attempts);
    verdict.again = left_us > verdict.wait_us && left_us - verdict.wait_us >= policy->useful_us;
    return verdict;
}
