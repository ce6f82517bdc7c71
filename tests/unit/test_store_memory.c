/* SQLite runs out of memory at any allocation: an error is reported, nothing is lost, nothing is half done. */
#include "store_rig.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

static sqlite3_mem_methods plain;
static unsigned allocations, fail_at; /* 0: never */

static int fails(void)
{
    return ++allocations == fail_at;
}

static void *limited_malloc(int size)
{
    return fails() ? NULL : plain.xMalloc(size);
}

static void *limited_realloc(void *old, int size)
{
    return fails() ? NULL : plain.xRealloc(old, size);
}

static int same_visit(const struct store_visit *visit, void *arg)
{
    (void)arg;
    assert_string_equal(visit->person.name, RIG_NAME);
    return 0;
}

static int same_ask(const struct store_ask *ask, void *arg)
{
    (void)arg;
    assert_string_equal(ask->correlation, "q-1");
    return 0;
}

/* An error may be reported, a wrong value may not. 0 or the error. */
static int read_back(struct rig *rig, uint64_t done)
{
    struct store_answer answer;
    struct store_status status;
    uint64_t rows, bad;
    int r = store_audit_verify(rig->store, &rows, &bad);

    if (r == 0)
        assert_int_equal(rows, done);
    if (r == 0)
        r = store_visits(rig->store, 0, INT64_MAX, 0, 10, false, same_visit, NULL);
    if (r == 0)
        r = store_asks_open(rig->store, same_ask, NULL);
    if (r == 0 && done >= 4) {
        r = store_answer_load(rig->store, 1, &answer);
        if (r == 0) {
            assert_int_equal(answer.raw_len, strlen(RIG_RAW));
            assert_string_equal(answer.institution, RIG_INSTITUTION);
        }
        store_answer_free(&answer);
    }
    if (r == 0)
        r = store_status(rig->store, &status);
    return r;
}

/* One visit with reading in between; the n-th allocation fails (0: none). *count: how many there were. */
static void run(unsigned n, unsigned *count)
{
    struct rig rig;
    struct store_visit visit;
    char *message;
    uint64_t done = 0;
    int r, errors = 0;

    rig_new_closed(&rig);
    allocations = 0;
    fail_at = n;
    r = rig_try_open(&rig, &message);
    errors += r != 0;
    if (r != 0) {
        assert_true(r == -ENOMEM || r == -EIO);
        assert_non_null(message);
        free(message);
        rig_open(&rig);
    }
    while (done < RIG_STEPS) {
        r = rig_step(&rig, &visit, (unsigned)done + 1);
        if (r == 0)
            done++;
        else
            assert_int_equal(r, -ENOMEM);
        errors += r != 0;
        assert_true(errors <= 1);
        r = read_back(&rig, done);
        errors += r != 0;
        if (r != 0)
            assert_int_equal(r, -ENOMEM);
    }
    *count = allocations;
    fail_at = 0;
    (void)rig_check(&rig, RIG_STEPS, RIG_STEPS);
    rig_close(&rig);
    rig_open(&rig);
    (void)rig_check(&rig, RIG_STEPS, RIG_STEPS);
    rig_free(&rig);
}

static void no_allocation_is_one_too_many_to_miss(void **state)
{
    unsigned whole, count, runs = 0;

    (void)state;
    run(0, &whole);
    assert_true(whole > 100);
    /* Every one of the first hundreds, then in strides that meet every kind of statement at other places. */
    for (unsigned n = 1; n <= whole; n += n < 300 ? 1 : 1 + whole / 400) {
        run(n, &count);
        runs++;
    }
    print_message("%u allocations in a visit, %u runs\n", whole, runs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_allocation_is_one_too_many_to_miss)};
    sqlite3_mem_methods limited;

    rig_quiet();
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain) != SQLITE_OK)
        return 1;
    limited = plain;
    limited.xMalloc = limited_malloc;
    limited.xRealloc = limited_realloc;
    /* Without the lookaside every allocation comes by here. */
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &limited) != SQLITE_OK ||
        sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) != SQLITE_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
