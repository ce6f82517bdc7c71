/* When a request may go again, when the breaker opens, how long a token lives: the pure parts of
 * the relay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "../../daemon/common/clock.h"
#include "../../daemon/common/failure.h"
#include "../../daemon/relay/breaker.h"
#include "../../daemon/relay/retry.h"
#include "../../daemon/relay/token.h"
#include "../../daemon/relay/verdict.h"

static uint32_t fixed(void *arg)
{
    return *(const uint32_t *)arg;
}

static uint32_t chance;
static const struct retry_random chances = {fixed, &chance};
static const struct retry_policy policy = {
    .attempts = 3, .first_us = 200000, .most_us = 1000000, .useful_us = 500000};

static void waits_longer_each_time_within_its_spread(void **state)
{
    (void)state;
    chance = 0; /* half of 200, 400, 800, 1000 ms */
    assert_int_equal(retry_wait_us(&policy, &chances, 1), 100000);
    assert_int_equal(retry_wait_us(&policy, &chances, 2), 200000);
    assert_int_equal(retry_wait_us(&policy, &chances, 3), 400000);
    assert_int_equal(retry_wait_us(&policy, &chances, 4), 500000);
    assert_int_equal(retry_wait_us(&policy, &chances, 4000000000u), 500000);
    chance = 0x80000000u; /* the middle */
    assert_int_equal(retry_wait_us(&policy, &chances, 1), 200000);
    chance = UINT32_MAX;
    assert_in_range(retry_wait_us(&policy, &chances, 1), 299990, 300000);
}

static void reads_go_again_when_the_first_is_dead(void **state)
{
    struct retry_verdict v;

    (void)state;
    chance = 0x80000000u;
    v = retry_decide(&policy, &chances, false, RETRY_NOT_SENT, 1, 10000000);
    assert_true(v.again);
    assert_int_equal(v.wait_us, 200000);
    assert_true(retry_decide(&policy, &chances, false, RETRY_DEAD, 2, 10000000).again);
    v = retry_decide(&policy, &chances, false, RETRY_DEAD, 3, 10000000);
    assert_false(v.again);
    assert_int_equal(v.outcome, RETRY_OUTCOME_NOT_SENT);
    /* The first may still be worked on. */
    assert_false(retry_decide(&policy, &chances, false, RETRY_SILENT, 1, 10000000).again);
}

static void writes_never_go_again_after_doubt(void **state)
{
    struct retry_verdict v;

    (void)state;
    assert_true(retry_decide(&policy, &chances, true, RETRY_NOT_SENT, 1, 10000000).again);
    v = retry_decide(&policy, &chances, true, RETRY_NOT_SENT, 3, 10000000);
    assert_false(v.again);
    assert_int_equal(v.outcome, RETRY_OUTCOME_NOT_SENT);
    v = retry_decide(&policy, &chances, true, RETRY_DEAD, 1, 10000000);
    assert_false(v.again);
    assert_int_equal(v.outcome, RETRY_OUTCOME_DOUBTFUL);
    v = retry_decide(&policy, &chances, true, RETRY_SILENT, 1, 10000000);
    assert_false(v.again);
    assert_int_equal(v.outcome, RETRY_OUTCOME_DOUBTFUL);
}

static void nothing_goes_again_without_time_for_it(void **state)
{
    (void)state;
    chance = 0x80000000u;
    assert_true(retry_decide(&policy, &chances, false, RETRY_DEAD, 1, 700000).again);
    assert_false(retry_decide(&policy, &chances, false, RETRY_DEAD, 1, 699999).again);
    assert_false(retry_decide(&policy, &chances, false, RETRY_DEAD, 1, 0).again);
}

static void breaker_opens_once_and_not_for_every_patient(void **state)
{
    struct clock *clock = clock_new_simulated(1000, 0);
    struct breaker b;

    (void)state;
    breaker_init(&b, 3, 5 * CLOCK_SECOND, 30 * CLOCK_SECOND);
    assert_true(breaker_enter(&b, clock_monotonic_us(clock)));
    breaker_fail(&b, clock_monotonic_us(clock), BREAKER_QUICK);
    breaker_fail(&b, clock_monotonic_us(clock), BREAKER_QUICK);
    breaker_succeed(&b); /* not in a row */
    breaker_fail(&b, clock_monotonic_us(clock), BREAKER_QUICK);
    assert_true(breaker_enter(&b, clock_monotonic_us(clock)));
    breaker_fail(&b, clock_monotonic_us(clock), BREAKER_SLOW);
    assert_int_equal(breaker_state(&b, clock_monotonic_us(clock)), BREAKER_OPEN);
    for (int patient = 0; patient < 10; patient++)
        assert_false(breaker_enter(&b, clock_monotonic_us(clock)));
    assert_int_equal(breaker_left_us(&b, clock_monotonic_us(clock)), 5 * CLOCK_SECOND);
    clock_advance(clock, 5 * CLOCK_SECOND - 1);
    assert_false(breaker_enter(&b, clock_monotonic_us(clock)));
    clock_advance(clock, 1);
    assert_int_equal(breaker_state(&b, clock_monotonic_us(clock)), BREAKER_HALF_OPEN);
    assert_true(breaker_enter(&b, clock_monotonic_us(clock)));
    assert_false(breaker_enter(&b, clock_monotonic_us(clock))); /* one try only */
    breaker_abandon(&b);
    assert_true(breaker_enter(&b, clock_monotonic_us(clock)));
    breaker_succeed(&b);
    assert_int_equal(breaker_state(&b, clock_monotonic_us(clock)), BREAKER_CLOSED);
    clock_free(&clock);
}

static void breaker_stays_open_longer_while_it_fails(void **state)
{
    static const uint64_t spans[] = {5, 10, 20, 30, 30};
    struct clock *clock = clock_new_simulated(0, 0);
    struct breaker b;

    (void)state;
    breaker_init(&b, 1, 5 * CLOCK_SECOND, 30 * CLOCK_SECOND);
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        assert_true(breaker_enter(&b, clock_monotonic_us(clock)));
        breaker_fail(&b, clock_monotonic_us(clock), BREAKER_QUICK);
        assert_int_equal(breaker_left_us(&b, clock_monotonic_us(clock)), spans[i] * CLOCK_SECOND);
        /* A late failure of somebody who had passed before changes nothing. */
        breaker_fail(&b, clock_monotonic_us(clock), BREAKER_SLOW);
        assert_int_equal(breaker_left_us(&b, clock_monotonic_us(clock)), spans[i] * CLOCK_SECOND);
        clock_advance(clock, spans[i] * CLOCK_SECOND);
    }
    assert_true(breaker_enter(&b, clock_monotonic_us(clock)));
    breaker_succeed(&b);
    breaker_fail(&b, clock_monotonic_us(clock), BREAKER_QUICK);
    assert_int_equal(breaker_left_us(&b, clock_monotonic_us(clock)), 5 * CLOCK_SECOND);
    clock_free(&clock);
}

/* {"alg":"none"} . {"exp":1791158400} . x, made with `printf ... | base64 | tr '+/' '-_' | tr -d
 * =`. */
#define JWT "eyJhbGciOiJub25lIn0.eyJleHAiOjE3OTExNTg0MDB9.eA"

static void reads_when_a_token_ends_if_it_says_so(void **state)
{
    static const char *const silent[] = {"",
                                         "abc",
                                         "a.b",
                                         "a.b.c.d",
                                         "a..c",
                                         "a.!!!!.c",
                                         "a.eyJleHAiOiJ4In0.c", /* {"exp":"x"} */
                                         "a.e30.c",             /* {} */
                                         "a.W10.c"};            /* [] */
    const uint64_t now = UINT64_C(1791157400) * CLOCK_SECOND;   /* 1000 s before */

    (void)state;
    assert_int_equal(token_expiry(JWT), 1791158400);
    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
        assert_int_equal(token_expiry(silent[i]), 0);
        assert_true(token_renew_after_us(silent[i], now, 0) == CLOCK_NEVER);
    }
    assert_int_equal(token_renew_after_us(JWT, now, 0), 900 * CLOCK_SECOND);
    assert_int_equal(token_renew_after_us(JWT, now, 100), 90 * CLOCK_SECOND);
    assert_int_equal(token_renew_after_us("opaque", now, 3600), (3600 - 120) * CLOCK_SECOND);
    assert_int_equal(token_renew_after_us("opaque", now, 20), 15 * CLOCK_SECOND);
    assert_int_equal(token_renew_after_us("opaque", now, 4), 2 * CLOCK_SECOND);
    /* Its end has passed by our clock: then the clock is not believed. */
    assert_true(token_renew_after_us(JWT, now + 2000 * CLOCK_SECOND, 0) == CLOCK_NEVER);
}

static void turns_endings_into_failures(void **state)
{
    static const struct {
        enum http_fate fate;
        bool sent;
        int status;
        uint16_t failure;
        enum retry_ending ending;
        bool final, refused;
        uint8_t weight;
    } rows[] = {
        {HTTP_ANSWERED, true, 200, FAILURE_NONE, RETRY_DEAD, true, false, 0},
        {HTTP_ANSWERED, true, 204, FAILURE_ELIGIBILITY_GARBLED, RETRY_DEAD, true, false, 0},
        {HTTP_ANSWERED, true, 302, FAILURE_ELIGIBILITY_GARBLED, RETRY_DEAD, true, false, 0},
        {HTTP_ANSWERED, true, 400, FAILURE_ELIGIBILITY_REQUEST_ERROR, RETRY_NOT_SENT, true, true,
         0},
        {HTTP_ANSWERED, true, 401, FAILURE_ELIGIBILITY_REFUSED, RETRY_NOT_SENT, true, true, 0},
        {HTTP_ANSWERED, true, 403, FAILURE_ELIGIBILITY_REFUSED, RETRY_NOT_SENT, true, true, 0},
        {HTTP_ANSWERED, true, 429, FAILURE_ELIGIBILITY_SLOW, RETRY_NOT_SENT, false, false, 0},
        {HTTP_ANSWERED, true, 500, FAILURE_ELIGIBILITY_UNREACHABLE, RETRY_DEAD, false, false, 1},
        {HTTP_ANSWERED, true, 503, FAILURE_ELIGIBILITY_UNREACHABLE, RETRY_DEAD, false, false, 1},
        {HTTP_UNREACHABLE, false, 0, FAILURE_ELIGIBILITY_UNREACHABLE, RETRY_NOT_SENT, false, false,
         1},
        {HTTP_TLS_REFUSED, false, 0, FAILURE_ELIGIBILITY_REFUSED, RETRY_NOT_SENT, true, true, 1},
        {HTTP_BROKEN, true, 0, FAILURE_ELIGIBILITY_UNREACHABLE, RETRY_DEAD, false, false, 1},
        {HTTP_BROKEN, true, 200, FAILURE_ELIGIBILITY_GARBLED, RETRY_DEAD, false, false, 1},
        {HTTP_BROKEN, false, 0, FAILURE_ELIGIBILITY_UNREACHABLE, RETRY_NOT_SENT, false, false, 1},
        {HTTP_SLOW, true, 0, FAILURE_ELIGIBILITY_SLOW, RETRY_SILENT, true, false, 2},
        {HTTP_SLOW, false, 0, FAILURE_ELIGIBILITY_UNREACHABLE, RETRY_NOT_SENT, false, false, 2},
        {HTTP_TOO_LARGE, true, 200, FAILURE_ELIGIBILITY_GARBLED, RETRY_DEAD, true, false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct http_result result = {
            .fate = rows[i].fate, .sent = rows[i].sent, .status = rows[i].status};
        struct verdict v = verdict_of(&result);

        assert_int_equal(v.failure, rows[i].failure);
        assert_int_equal(v.ending, rows[i].ending);
        assert_int_equal(v.final, rows[i].final);
        assert_int_equal(v.refused, rows[i].refused);
        assert_int_equal(v.unauthorised, rows[i].status == 401);
        assert_int_equal(v.weight, rows[i].weight);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_longer_each_time_within_its_spread),
        cmocka_unit_test(reads_go_again_when_the_first_is_dead),
        cmocka_unit_test(writes_never_go_again_after_doubt),
        cmocka_unit_test(nothing_goes_again_without_time_for_it),
        cmocka_unit_test(breaker_opens_once_and_not_for_every_patient),
        cmocka_unit_test(breaker_stays_open_longer_while_it_fails),
        cmocka_unit_test(reads_when_a_token_ends_if_it_says_so),
        cmocka_unit_test(turns_endings_into_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
