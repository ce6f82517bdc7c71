/* Error rates of uketsuke-evaluate on lists small enough to count by hand. */
#include "models/evaluate/statistics.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static float genuine_values[] = {0.9f, 0.5f, 0.7f, 0.8f, 0.3f};
static float impostor_values[] = {0.4f, 0.1f, 0.0f, 0.2f, 0.6f, -0.1f, 0.1f, 0.3f, 0.2f, -0.3f};
static struct scores genuine = {genuine_values, 5}, impostor = {impostor_values, 10};

static int setup(void **state)
{
    (void)state;
    scores_sort(&genuine);
    scores_sort(&impostor);
    return 0;
}

static void a_score_at_the_threshold_is_a_match(void **state)
{
    (void)state;
    assert_float_equal(fmr_at(&impostor, 0.4f), 0.2, 1e-9);    /* 0.4 and 0.6 */
    assert_float_equal(fnmr_at(&genuine, 0.5f), 0.2, 1e-9);    /* 0.3 */
    assert_float_equal(fnmr_at(&genuine, 0.5001f), 0.4, 1e-9); /* 0.3 and 0.5 */
}

static void the_threshold_lets_no_more_through_than_asked(void **state)
{
    (void)state;
    for (int tenths = 0; tenths <= 10; tenths++)
        assert_true(fmr_at(&impostor, threshold_at_fmr(&impostor, tenths / 10.0 + 1e-9)) <=
                    tenths / 10.0 + 1e-6);
    /* One in ten: above 0.4, not above 0.6. */
    assert_true(threshold_at_fmr(&impostor, 0.1) > 0.4f &&
                threshold_at_fmr(&impostor, 0.1) <= 0.6f);
    /* Four in ten would cut between the two 0.2: both stay out. */
    assert_float_equal(fmr_at(&impostor, threshold_at_fmr(&impostor, 0.4)), 0.3, 1e-9);
    assert_true(threshold_at_fmr(&impostor, 0) > 0.6f);
}

static void the_area_counts_pairs_in_the_right_order(void **state)
{
    (void)state;
    /* Of 50 pairs: 0.9, 0.8, 0.7 beat all ten; 0.5 beats nine; 0.3 beats seven and ties with one. */
    assert_float_equal(area_under_roc(&genuine, &impostor), (30 + 9 + 7.5) / 50, 1e-9);
}

static void the_equal_error_rate_is_where_the_two_meet(void **state)
{
    (void)state;
    /* At 0.5: FNMR 1 of 5, FMR 1 of 10; at 0.3: FNMR 0, FMR 3 of 10. The first is nearer to equal. */
    assert_float_equal(equal_error_rate(&genuine, &impostor), 0.15, 1e-9);
}

/* A hundred people with four comparisons each; ten of them err in one each under a, five of these ten under b. */
static void chance_is_drawn_by_people(void **state)
{
    struct person people[100];
    struct drawn drawn, again;

    (void)state;
    for (int i = 0; i < 100; i++)
        people[i] = (struct person){4, i < 10, i < 5};
    assert_int_equal(bootstrap(people, 100, 4000, 7, &drawn), 0);
    /* Errors of a: binomial(100, 0.1), its middle 95 % is 5 to 16 of 400; of b: binomial(100, 0.05), 1 to 10. */
    assert_true(drawn.a.low >= 4.0 / 400 && drawn.a.low <= 6.0 / 400);
    assert_true(drawn.a.high >= 15.0 / 400 && drawn.a.high <= 17.0 / 400);
    assert_true(drawn.b.low >= 1.0 / 400 && drawn.b.low <= 2.0 / 400);
    assert_true(drawn.b.high >= 9.0 / 400 && drawn.b.high <= 11.0 / 400);
    /* The two err together: the difference is only that of the five, binomial(100, 0.05) downwards. */
    assert_true(drawn.difference.high <= -1.0 / 400 + 1e-9 && drawn.difference.low >= -11.0 / 400);
    assert_int_equal(bootstrap(people, 100, 4000, 7, &again), 0);
    assert_memory_equal(&drawn, &again, sizeof(drawn));
}

static void deviates_are_those_of_the_tables(void **state)
{
    (void)state;
    assert_float_equal(normal_deviate(0.5), 0, 1e-6);
    assert_float_equal(normal_deviate(0.975), 1.959964, 1e-5);
    assert_float_equal(normal_deviate(0.001), -3.090232, 1e-5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_score_at_the_threshold_is_a_match),
        cmocka_unit_test(the_threshold_lets_no_more_through_than_asked),
        cmocka_unit_test(the_area_counts_pairs_in_the_right_order),
        cmocka_unit_test(the_equal_error_rate_is_where_the_two_meet),
        cmocka_unit_test(chance_is_drawn_by_people),
        cmocka_unit_test(deviates_are_those_of_the_tables),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
