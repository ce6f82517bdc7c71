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
        assert_true(fmr_at(&impostor, threshold_at_fmr(&impostor, tenths / 10.0 + 1e-9)) <= tenths / 10.0 + 1e-6);
    /* One in ten: above 0.4, not above 0.6. */
    assert_true(threshold_at_fmr(&impostor, 0.1) > 0.4f && threshold_at_fmr(&impostor, 0.1) <= 0.6f);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_score_at_the_threshold_is_a_match),
        cmocka_unit_test(the_threshold_lets_no_more_through_than_asked),
        cmocka_unit_test(the_area_counts_pairs_in_the_right_order),
        cmocka_unit_test(the_equal_error_rate_is_where_the_two_meet),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
