/* The outbox as stored: an entry with its step or none, once for each cause, sealed, in order, gone
 * in time. */
#include "store_rig.h"

#include "daemon/common/failure.h"
#include "daemon/store/outbox.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TREE "hook of " RIG_NAME
#define DETAIL "16 " RIG_KANA

static uint64_t a_visit(struct rig *rig)
{
    struct store_visit visit;

    rig_visit(&visit);
    assert_int_equal(store_visit_open(rig->store, &visit), 0);
    visit.closed_us = visit.opened_us + 1;
    assert_int_equal(store_visit_save(rig->store, &visit), 0);
    return visit.id;
}

static struct store_outbox an_entry(uint64_t visit, const char *target, uint8_t kind)
{
    struct store_outbox e = {.visit = visit, .kind = kind, .cause = OUTBOX_FINISHED};

    (void)snprintf(e.target, sizeof(e.target), "%s", target);
    (void)snprintf(e.name, sizeof(e.name), "name-%llu", (unsigned long long)visit);
    e.tree = (uint8_t *)strdup(TREE);
    e.tree_len = sizeof(TREE) - 1;
    return e;
}

static uint64_t put(struct rig *rig, uint64_t visit, const char *target, uint8_t kind)
{
    struct store_outbox e = an_entry(visit, target, kind);
    uint64_t id;

    assert_int_equal(store_outbox_add(rig->store, &e), 0);
    id = e.id;
    store_outbox_free(&e);
    return id;
}

static void save(struct rig *rig, uint64_t id, uint8_t state, int64_t due_us)
{
    struct store_outbox e;

    assert_int_equal(store_outbox_load(rig->store, id, &e), 0);
    e.state = state;
    e.due_us = due_us;
    e.ended_us = state >= OUTBOX_DONE ? 500 : 0;
    assert_int_equal(store_outbox_save(rig->store, &e), 0);
    store_outbox_free(&e);
}

static void what_is_written_is_read_and_nothing_of_it_is_in_the_clear(void **state)
{
    static const char *const hidden[] = {TREE, RIG_NAME, RIG_KANA, RIG_STAFF};
    struct store_outbox e, got;
    struct rig rig;
    uint8_t *file;
    size_t len;

    (void)state;
    rig_new(&rig);
    e = an_entry(a_visit(&rig), "receipt", OUTBOX_ORCA);
    assert_int_equal(store_outbox_add(rig.store, &e), 0);
    assert_true(e.made_us > 0);
    e.state = OUTBOX_DOUBTFUL;
    e.failure = FAILURE_HANDOVER_DOUBTFUL;
    e.tries = 3;
    e.tried_us = 11;
    e.due_us = 12;
    e.ended_us = 13;
    (void)strcpy(e.mark, "0123456789abcdef");
    (void)strcpy(e.detail, DETAIL);
    (void)strcpy(e.staff, RIG_STAFF);
    assert_int_equal(store_outbox_save(rig.store, &e), 0);
    rig_close(&rig);
    rig_open(&rig);
    assert_int_equal(store_outbox_load(rig.store, e.id, &got), 0);
    assert_int_equal(got.visit, e.visit);
    assert_string_equal(got.target, "receipt");
    assert_int_equal(got.kind, OUTBOX_ORCA);
    assert_int_equal(got.cause, OUTBOX_FINISHED);
    assert_int_equal(got.state, OUTBOX_DOUBTFUL);
    assert_int_equal(got.failure, FAILURE_HANDOVER_DOUBTFUL);
    assert_int_equal(got.tries, 3);
    assert_int_equal(got.answer, 0);
    assert_string_equal(got.name, e.name);
    assert_string_equal(got.mark, "0123456789abcdef");
    assert_int_equal(got.made_us, e.made_us);
    assert_int_equal(got.tried_us, 11);
    assert_int_equal(got.due_us, 12);
    assert_int_equal(got.ended_us, 13);
    assert_string_equal(got.detail, DETAIL);
    assert_string_equal(got.staff, RIG_STAFF);
    assert_int_equal(got.tree_len, sizeof(TREE) - 1);
    assert_memory_equal(got.tree, TREE, sizeof(TREE) - 1);
    store_outbox_free(&got);
    assert_int_equal(store_outbox_load(rig.store, e.id + 1, &got), -ENOENT);
    for (int wal = 0; wal < 2; wal++) {
        file = rig_file(&rig, wal ? "-wal" : "", &len);
        for (size_t i = 0; file != NULL && i < sizeof(hidden) / sizeof(hidden[0]); i++)
            assert_null(memmem(file, len, hidden[i], strlen(hidden[i])));
        free(file);
    }
    store_outbox_free(&e);
    rig_free(&rig);
}

static void one_for_each_visit_target_and_cause(void **state)
{
    struct rig rig;
    struct store_outbox e;
    uint64_t visit;

    (void)state;
    rig_new(&rig);
    visit = a_visit(&rig);
    (void)put(&rig, visit, "receipt", OUTBOX_FACE_FILE);
    (void)put(&rig, visit, "other", OUTBOX_HOOK);
    /* Within a step the second one is no failure of the step. */
    assert_int_equal(store_begin(rig.store), 0);
    e = an_entry(visit, "receipt", OUTBOX_FACE_FILE);
    assert_int_equal(store_outbox_add(rig.store, &e), -EEXIST);
    assert_int_equal(store_audit(rig.store, "step", visit, 1, "", ""), 0);
    assert_int_equal(store_commit(rig.store), 0);
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM audit"), 1);
    e.cause = OUTBOX_RECONCILED;
    assert_int_equal(store_outbox_add(rig.store, &e), 0);
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM outbox"), 3);
    store_outbox_free(&e);
    rig_free(&rig);
}

static void a_step_that_is_rolled_back_leaves_no_entry(void **state)
{
    struct rig rig;
    uint64_t visit;

    (void)state;
    rig_new(&rig);
    visit = a_visit(&rig);
    assert_int_equal(store_begin(rig.store), 0);
    (void)put(&rig, visit, "receipt", OUTBOX_FACE_FILE);
    store_rollback(rig.store);
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM outbox"), 0);
    rig_free(&rig);
}

struct seen {
    uint64_t ids[16];
    unsigned n, most;
};

static int see(const struct store_outbox *entry, void *arg)
{
    struct seen *seen = arg;

    assert_true(seen->n < 16);
    seen->ids[seen->n++] = entry->id;
    return seen->most > 0 && seen->n == seen->most;
}

static void what_is_due_comes_oldest_first(void **state)
{
    struct rig rig;
    struct seen seen = {.n = 0};
    uint64_t visits[5], ids[5];
    int64_t due;

    (void)state;
    rig_new(&rig);
    assert_int_equal(store_outbox_due(rig.store, "receipt", &due), -ENOENT);
    for (int i = 0; i < 5; i++) {
        visits[i] = a_visit(&rig);
        ids[i] = put(&rig, visits[i], i == 4 ? "other" : "receipt", OUTBOX_HOOK);
    }
    save(&rig, ids[0], OUTBOX_SENT_MAYBE, 900);
    save(&rig, ids[1], OUTBOX_DONE, 0);
    save(&rig, ids[2], OUTBOX_WAITING, 100);
    save(&rig, ids[3], OUTBOX_SENT_MAYBE, 50);
    assert_int_equal(store_outbox_next(rig.store, "receipt", 100, 9, see, &seen), 0);
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.ids[0], ids[2]);
    assert_int_equal(seen.ids[1], ids[3]);
    assert_int_equal(store_outbox_due(rig.store, "receipt", &due), 0);
    assert_int_equal(due, 50);
    seen = (struct seen){.n = 0};
    assert_int_equal(store_outbox_next(rig.store, "receipt", 1000, 1, see, &seen), 0);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.ids[0], ids[0]);
    /* Doubtful and refused wait for staff, not for time. */
    save(&rig, ids[0], OUTBOX_DOUBTFUL, 0);
    save(&rig, ids[2], OUTBOX_REFUSED, 0);
    save(&rig, ids[3], OUTBOX_DONE, 0);
    assert_int_equal(store_outbox_due(rig.store, "receipt", &due), -ENOENT);
    seen = (struct seen){.n = 0};
    assert_int_equal(store_outboxes(rig.store, STORE_OUTBOX_OPEN, 0, 9, see, &seen), 0);
    assert_int_equal(seen.n, 3);
    assert_int_equal(seen.ids[0], ids[4]);
    assert_int_equal(seen.ids[2], ids[0]);
    seen = (struct seen){.n = 0};
    assert_int_equal(store_outboxes(rig.store, STORE_OUTBOX_ALL, 0, 2, see, &seen), 1);
    assert_int_equal(seen.n, 2);
    /* Page by page: one entry a page, and an empty one at the end. */
    seen = (struct seen){.n = 0};
    assert_int_equal(store_outboxes(rig.store, STORE_OUTBOX_OPEN, 0, 1, see, &seen), 1);
    assert_int_equal(store_outboxes(rig.store, STORE_OUTBOX_OPEN, ids[4], 1, see, &seen), 1);
    assert_int_equal(store_outboxes(rig.store, STORE_OUTBOX_OPEN, ids[2], 1, see, &seen), 1);
    assert_int_equal(store_outboxes(rig.store, STORE_OUTBOX_OPEN, ids[0], 1, see, &seen), 0);
    assert_int_equal(seen.n, 3);
    assert_int_equal(seen.ids[1], ids[2]);
    assert_int_equal(seen.ids[2], ids[0]);
    seen = (struct seen){.n = 0};
    assert_int_equal(store_outbox_of_visit(rig.store, visits[2], see, &seen), 0);
    assert_int_equal(seen.n, 1);
    rig_free(&rig);
}

static void counts_by_kind_and_state(void **state)
{
    struct store_outbox_counts counts;
    struct rig rig;

    (void)state;
    rig_new(&rig);
    for (int i = 0; i < 3; i++)
        (void)put(&rig, a_visit(&rig), "receipt", OUTBOX_FACE_FILE);
    save(&rig, put(&rig, a_visit(&rig), "hook", OUTBOX_HOOK), OUTBOX_DOUBTFUL, 0);
    assert_int_equal(store_outbox_counts(rig.store, &counts), 0);
    assert_int_equal(counts.count[OUTBOX_FACE_FILE][OUTBOX_WAITING], 3);
    assert_int_equal(counts.count[OUTBOX_HOOK][OUTBOX_DOUBTFUL], 1);
    assert_int_equal(counts.count[OUTBOX_HOOK][OUTBOX_WAITING], 0);
    assert_true(counts.oldest_us[OUTBOX_FACE_FILE][OUTBOX_WAITING] > 0);
    rig_free(&rig);
}

static void who_has_it_keeps_it_and_the_outbox_forgets_it(void **state)
{
    struct rig rig;
    struct store_outbox e;
    uint64_t id;

    (void)state;
    rig_new(&rig);
    id = put(&rig, a_visit(&rig), "receipt", OUTBOX_HOOK);
    assert_int_equal(rig_sql_int(&rig, "SELECT payload IS NULL FROM outbox"), 0);
    save(&rig, id, OUTBOX_DONE, 0);
    assert_int_equal(store_outbox_load(rig.store, id, &e), 0);
    assert_null(e.tree);
    store_outbox_free(&e);
    assert_int_equal(rig_sql_int(&rig, "SELECT payload IS NULL FROM outbox"), 1);
    assert_int_equal(store_outbox_retire(rig.store, 500, 9), 0);
    assert_int_equal(store_outbox_retire(rig.store, 501, 9), 1);
    /* What is not done stays however old it is, as long as its visit does. */
    id = put(&rig, a_visit(&rig), "receipt", OUTBOX_HOOK);
    save(&rig, id, OUTBOX_REFUSED, 0);
    assert_int_equal(store_outbox_retire(rig.store, INT64_MAX, 9), 0);
    assert_true(store_retire(rig.store, INT64_MAX, 9) > 0);
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM outbox"), 0);
    rig_free(&rig);
}

static void an_answer_that_goes_leaves_its_entry(void **state)
{
    static const uint8_t subject[32] = {7};
    struct store_answer answer;
    struct store_outbox e;
    struct rig rig;

    (void)state;
    rig_new(&rig);
    rig_answer(&answer);
    assert_int_equal(store_answer_put(rig.store, rig_subject(subject), &answer), 0);
    e = an_entry(a_visit(&rig), "receipt", OUTBOX_FACE_FILE);
    e.answer = answer.id;
    assert_int_equal(store_outbox_add(rig.store, &e), 0);
    rig_sql(&rig, "PRAGMA foreign_keys = ON; DELETE FROM answers;");
    store_answer_free(&answer);
    {
        struct store_outbox got;

        assert_int_equal(store_outbox_load(rig.store, e.id, &got), 0);
        assert_int_equal(got.answer, 0);
        store_outbox_free(&got);
    }
    store_outbox_free(&e);
    rig_free(&rig);
}

static void a_new_key_seals_it_anew(void **state)
{
    struct store_rotation *rotation;
    struct store_outbox e;
    struct rig rig;
    uint64_t id, done;
    int r;

    (void)state;
    rig_new(&rig);
    id = put(&rig, a_visit(&rig), "receipt", OUTBOX_HOOK);
    assert_int_equal(rig_sql_int(&rig, "SELECT substr(payload, 1, 1) = x'01' FROM outbox"), 1);
    assert_int_equal(store_rotation_begin(&rotation, rig.store), 0);
    while ((r = store_rotation_step(rotation, 1, &done)) > 0)
        continue;
    assert_int_equal(r, 0);
    store_rotation_free(&rotation);
    assert_int_equal(rig_sql_int(&rig, "SELECT substr(payload, 1, 1) = x'02' FROM outbox"), 1);
    assert_int_equal(store_outbox_load(rig.store, id, &e), 0);
    assert_memory_equal(e.tree, TREE, sizeof(TREE) - 1);
    store_outbox_free(&e);
    rig_free(&rig);
}

/* What of the row is in the clear still tells staff what it was. */
static void a_sealed_value_of_another_row_does_not_open(void **state)
{
    struct rig rig;
    struct store_outbox e;
    struct seen seen = {.n = 0};
    uint64_t first, second;

    (void)state;
    rig_new(&rig);
    first = put(&rig, a_visit(&rig), "receipt", OUTBOX_HOOK);
    second = put(&rig, a_visit(&rig), "receipt", OUTBOX_HOOK);
    rig_sql(&rig, "UPDATE outbox SET payload = (SELECT payload FROM outbox ORDER BY id LIMIT 1)");
    assert_int_equal(store_outbox_load(rig.store, first, &e), 0);
    assert_false(e.damaged);
    store_outbox_free(&e);
    assert_int_equal(store_outbox_load(rig.store, second, &e), 0);
    assert_true(e.damaged);
    assert_null(e.tree);
    assert_string_equal(e.detail, "");
    assert_string_equal(e.staff, "");
    assert_string_equal(e.target, "receipt");
    store_outbox_free(&e);
    assert_int_equal(store_outboxes(rig.store, STORE_OUTBOX_ALL, 0, 9, see, &seen), 0);
    assert_int_equal(seen.n, 2);
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_and_nothing_of_it_is_in_the_clear),
        cmocka_unit_test(one_for_each_visit_target_and_cause),
        cmocka_unit_test(a_step_that_is_rolled_back_leaves_no_entry),
        cmocka_unit_test(what_is_due_comes_oldest_first),
        cmocka_unit_test(counts_by_kind_and_state),
        cmocka_unit_test(who_has_it_keeps_it_and_the_outbox_forgets_it),
        cmocka_unit_test(an_answer_that_goes_leaves_its_entry),
        cmocka_unit_test(a_new_key_seals_it_anew),
        cmocka_unit_test(a_sealed_value_of_another_row_does_not_open),
    };

    rig_quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
