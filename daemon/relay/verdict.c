#include "verdict.h"

#include "../common/failure.h"
#include "breaker.h"

/* The first row that holds the status counts. */
static const struct {
    int from, to;
    struct verdict verdict;
} statuses[] = {
    {200, 200, {FAILURE_NONE, RETRY_DEAD, true, false, false, 0}},
    {401, 401, {FAILURE_ELIGIBILITY_REFUSED, RETRY_NOT_SENT, true, true, true, 0}},
    {403, 403, {FAILURE_ELIGIBILITY_REFUSED, RETRY_NOT_SENT, true, true, false, 0}},
    /* Too late or too many (RFC 9110, RFC 6585): not acted upon, and later may do. */
    {408, 408, {FAILURE_ELIGIBILITY_SLOW, RETRY_NOT_SENT, false, false, false, 0}},
    {429, 429, {FAILURE_ELIGIBILITY_SLOW, RETRY_NOT_SENT, false, false, false, 0}},
    {400, 499, {FAILURE_ELIGIBILITY_REQUEST_ERROR, RETRY_NOT_SENT, true, true, false, 0}},
    /* The service is ill, and what it did before it said so is not known. */
    {500, 599, {FAILURE_ELIGIBILITY_UNREACHABLE, RETRY_DEAD, false, false, false, BREAKER_QUICK}},
    /* A redirect, an unknown number: no such answer belongs here. */
    {0, 999, {FAILURE_ELIGIBILITY_GARBLED, RETRY_DEAD, true, false, false, 0}},
};

/* Where nothing was sent. */
static const struct verdict unreachable = {
    FAILURE_ELIGIBILITY_UNREACHABLE, RETRY_NOT_SENT, false, false, false, BREAKER_QUICK};

static const struct {
    enum http_fate fate;
    struct verdict sent;
} fates[] = {
    {HTTP_UNREACHABLE,
     {FAILURE_ELIGIBILITY_UNREACHABLE, RETRY_DEAD, false, false, false, BREAKER_QUICK}},
    {HTTP_TLS_REFUSED,
     {FAILURE_ELIGIBILITY_REFUSED, RETRY_NOT_SENT, true, true, false, BREAKER_QUICK}},
    {HTTP_BROKEN,
     {FAILURE_ELIGIBILITY_UNREACHABLE, RETRY_DEAD, false, false, false, BREAKER_QUICK}},
    {HTTP_SLOW, {FAILURE_ELIGIBILITY_SLOW, RETRY_SILENT, true, false, false, BREAKER_SLOW}},
    {HTTP_TOO_LARGE, {FAILURE_ELIGIBILITY_GARBLED, RETRY_DEAD, true, false, false, 0}},
    {HTTP_LOCAL, {FAILURE_ELIGIBILITY_UNREACHABLE, RETRY_NOT_SENT, true, false, false, 0}},
};

static struct verdict of_status(int status)
{
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
        if (status >= statuses[i].from && status <= statuses[i].to)
            return statuses[i].verdict;
    return unreachable;
}

struct verdict verdict_of(const struct http_result *result)
{
    struct verdict verdict = unreachable;

    if (result->fate == HTTP_ANSWERED)
        return of_status(result->status);
    for (size_t i = 0; i < sizeof(fates) / sizeof(fates[0]); i++)
        if (fates[i].fate == result->fate && (result->sent || fates[i].sent.final))
            verdict = fates[i].sent;
    if (!result->sent && result->fate == HTTP_SLOW) {
        verdict = unreachable;
        verdict.weight = BREAKER_SLOW;
    }
    /* A status line came and then half an answer: that is a garbled answer, not an absent service.
     */
    if (result->fate == HTTP_BROKEN && result->status != 0)
        verdict.failure = FAILURE_ELIGIBILITY_GARBLED;
    return verdict;
}
