/* How often a failure was shown on which day: counted, kept through a reopening, gone with the retention. */
#include "store_rig.h"

#include "../../daemon/common/failure.h"

#include <stdio.h>
#include <string.h>

struct list {
    char text[400];
};

static int note(const struct store_trouble *trouble, void *arg)
{
    struct list *list = arg;
    size_t n = strlen(list->text);

    (void)snprintf(list->text + n, sizeof(list->text) - n, "%s %s %u\n", trouble->day,
                   failure_text(trouble->failure)->code, trouble->count);
    return 0;
}

static void counts_are(struct rig *rig, const char *since, const char *expected)
{
    struct list list = {""};

    assert_int_equal(store_troubles(rig->store, since, 100, note, &list), 0);
    assert_string_equal(list.text, expected);
}

static void troubles_are_counted_by_day_and_cause(void **state)
{
    struct rig rig;

    (void)state;
    rig_new(&rig);
    counts_are(&rig, "20260101", "");
    assert_int_equal(store_trouble_add(rig.store, "20261005", FAILURE_PIN_WRONG), 0);
    assert_int_equal(store_trouble_add(rig.store, "20261005", FAILURE_READER_LOST), 0);
    assert_int_equal(store_trouble_add(rig.store, "20261005", FAILURE_READER_LOST), 0);
    assert_int_equal(store_trouble_add(rig.store, "20261006", FAILURE_PIN_WRONG), 0);
    counts_are(&rig, "20261005", "20261006 P001 1\n20261005 R002 2\n20261005 P001 1\n");
    counts_are(&rig, "20261006", "20261006 P001 1\n");
    rig_close(&rig);
    rig_open(&rig);
    assert_int_equal(store_trouble_add(rig.store, "20261006", FAILURE_PIN_WRONG), 0);
    counts_are(&rig, "20261006", "20261006 P001 2\n");
    rig_free(&rig);
}

/* A step that is taken back counts nothing. */
static void a_step_that_is_rolled_back_counts_nothing(void **state)
{
    struct rig rig;

    (void)state;
    rig_new(&rig);
    assert_int_equal(store_begin(rig.store), 0);
    assert_int_equal(store_trouble_add(rig.store, "20261005", FAILURE_PIN_WRONG), 0);
    store_rollback(rig.store);
    counts_are(&rig, "20260101", "");
    rig_free(&rig);
}

/* Its end is a moment of UTC, the days are Japan's: 2026-10-05 15:00 UTC is the sixth already. */
static void old_counts_go_with_the_retention(void **state)
{
    struct rig rig;

    (void)state;
    rig_new(&rig);
    assert_int_equal(store_trouble_add(rig.store, "20261004", FAILURE_PIN_WRONG), 0);
    assert_int_equal(store_trouble_add(rig.store, "20261005", FAILURE_PIN_WRONG), 0);
    assert_int_equal(store_trouble_add(rig.store, "20261006", FAILURE_PIN_WRONG), 0);
    assert_int_equal(store_retire(rig.store, INT64_C(1791212400) * 1000000 - 1, 100), 0);
    counts_are(&rig, "20260101", "20261006 P001 1\n20261005 P001 1\n");
    assert_int_equal(store_retire(rig.store, INT64_C(1791212400) * 1000000, 100), 0);
    counts_are(&rig, "20260101", "20261006 P001 1\n");
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(troubles_are_counted_by_day_and_cause),
        cmocka_unit_test(a_step_that_is_rolled_back_counts_nothing),
        cmocka_unit_test(old_counts_go_with_the_retention),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
