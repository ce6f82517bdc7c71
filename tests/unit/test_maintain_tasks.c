/* The desk's long work, on a simulated clock over a real database: a little at a time, one at a
 * time, never lost. */
#include "store_hand.h"
#include "store_rig.h"

#include "daemon/common/config.h"
#include "daemon/common/log.h"
#include "daemon/desk/maintain.h"
#include "daemon/store/backup.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VISITS 40

struct case_of {
    struct rig rig;
    char folder[64], path[128];
    struct config *config;
    struct maintain *maintain;
    unsigned progress, ends;
    uint16_t permille; /* the newest told; never goes back */
    struct msg_maintained end;
    void *told; /* who was told last */
    struct metrics_backups backups;
};

static void on_progress(void *arg, void *asker, const struct msg_maintain_progress *progress)
{
    struct case_of *c = arg;

    assert_true(progress->permille >= c->permille && progress->permille <= 1000);
    c->permille = progress->permille;
    c->progress++;
    c->told = asker;
}

static void on_end(void *arg, void *asker, const struct msg_maintained *end)
{
    struct case_of *c = arg;

    c->end = *end;
    c->ends++;
    c->told = asker;
}

static void begin(struct case_of *c, const char *more)
{
    struct maintain_ports ports = {c, on_progress, on_end, &c->backups};
    char *message = NULL;
    FILE *file;

    memset(c, 0, sizeof(*c));
    (void)snprintf(c->folder, sizeof(c->folder), "/tmp/uketsuke-maintain-XXXXXX");
    assert_non_null(mkdtemp(c->folder));
    (void)snprintf(c->path, sizeof(c->path), "%s/conf", c->folder);
    file = fopen(c->path, "we");
    assert_non_null(file);
    (void)fprintf(file, "[desk]\ninstitution = 9910000017\n%s\n[lane 1]\n[upstream main]\n", more);
    assert_int_equal(fclose(file), 0);
    if (config_load(&c->config, c->path, &message) != 0)
        fail_msg("%s", message);
    assert_int_equal(unlink(c->path), 0);
    rig_new(&c->rig);
    for (unsigned i = 0; i < VISITS; i++) {
        struct store_visit visit;

        for (unsigned step = 1; step <= RIG_STEPS; step++)
            assert_int_equal(rig_step(&c->rig, &visit, step), 0);
    }
    assert_int_equal(maintain_new(&c->maintain, c->rig.clock, c->rig.store, c->config, &ports), 0);
}

static unsigned backups(const struct case_of *c)
{
    DIR *dir = opendir(c->folder);
    const struct dirent *entry;
    unsigned n = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        n += strstr(entry->d_name, ".backup") != NULL;
    assert_int_equal(closedir(dir), 0);
    return n;
}

static void end(struct case_of *c)
{
    maintain_free(&c->maintain);
    assert_null(c->maintain);
    assert_true(backup_prune(c->folder, 0) >= 0);
    assert_int_equal(rmdir(c->folder), 0);
    config_free(&c->config);
    rig_free(&c->rig);
}

static void ask(struct case_of *c, uint8_t task, void *asker)
{
    struct msg_maintain wanted = {.request = 7, .task = task};

    (void)MESSAGE_TEXT(wanted.staff, RIG_STAFF);
    c->permille = 0;
    maintain_start(c->maintain, &wanted, asker);
}

/* Time goes on in small steps, as at a counter; how many were needed. */
static unsigned until_told(struct case_of *c)
{
    unsigned before = c->ends, steps = 0;

    while (c->ends == before && steps < 100000) {
        clock_advance(c->rig.clock, 500);
        steps++;
    }
    assert_int_equal(c->ends, before + 1);
    c->permille = 0;
    return steps;
}

static int64_t audit_rows(struct case_of *c, const char *event)
{
    char sql[128];

    (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM audit WHERE event = '%s'", event);
    return rig_sql_int(&c->rig, sql);
}

static void the_chain_is_walked_between_other_work(void **state)
{
    struct case_of c;
    struct store_visit visit;
    int me;

    (void)state;
    begin(&c, "");
    ask(&c, MAINTAIN_AUDIT, &me);
    assert_int_equal(c.ends, 0); /* nothing is done at once */
    assert_int_equal(rig_step(&c.rig, &visit, 1), 0);
    assert_true(until_told(&c) > 1);
    assert_ptr_equal(c.told, &me);
    assert_int_equal(c.end.request, 7);
    assert_int_equal(c.end.task, MAINTAIN_AUDIT);
    assert_int_equal(c.end.result, 0);
    /* each step, the one in between, and the one that says that it was asked for */
    assert_int_equal(c.end.rows, VISITS * RIG_STEPS + 2);
    assert_int_equal(audit_rows(&c, "audit_verified"), 1);
    end(&c);
}

static void a_changed_row_is_named(void **state)
{
    struct case_of c;
    int me;

    (void)state;
    begin(&c, "");
    rig_sql(&c.rig, "UPDATE audit SET lane = 9 WHERE id = 123");
    ask(&c, MAINTAIN_AUDIT, &me);
    (void)until_told(&c);
    assert_int_equal(c.end.result, 1);
    assert_int_equal(c.end.bad_row, 123);
    assert_non_null(strstr(c.end.detail, "123"));
    end(&c);
}

static void anchor_of(struct case_of *c, struct msg_maintain *out)
{
    unsigned long long row, high, low;
    int me;

    ask(c, MAINTAIN_ANCHOR, &me);
    (void)until_told(c);
    assert_int_equal(c->end.result, 0);
    assert_int_equal(sscanf(c->end.detail, "%llu:%llx:%llx", &row, &high, &low), 3);
    memset(out, 0, sizeof(*out));
    out->request = 8;
    out->task = MAINTAIN_AUDIT;
    out->row = row;
    out->high = high;
    out->low = low;
}

/* A chain that was written anew from the beginning, with the right key, is good in itself: only the
 * anchor tells. */
static void a_log_put_back_from_another_day_does_not_fit_its_anchor(void **state)
{
    struct case_of c;
    struct msg_maintain with_anchor;
    int me;

    (void)state;
    begin(&c, "");
    anchor_of(&c, &with_anchor);
    assert_int_equal(with_anchor.row, VISITS * RIG_STEPS + 1);
    maintain_start(c.maintain, &with_anchor, &me);
    (void)until_told(&c);
    assert_int_equal(c.end.result, 0);
    with_anchor.low ^= 1;
    maintain_start(c.maintain, &with_anchor, &me);
    (void)until_told(&c);
    assert_int_equal(c.end.result, 1);
    assert_int_equal(c.end.bad_row, with_anchor.row);
    with_anchor.low ^= 1;
    with_anchor.row += 1000;
    maintain_start(c.maintain, &with_anchor, &me);
    (void)until_told(&c);
    assert_int_equal(c.end.result, 1); /* the log is shorter than it was */
    end(&c);
}

static void one_task_at_a_time(void **state)
{
    struct case_of c;
    int me, other;

    (void)state;
    begin(&c, "");
    ask(&c, MAINTAIN_ROTATE, &me);
    ask(&c, MAINTAIN_AUDIT, &other);
    assert_int_equal(c.ends, 1);
    assert_ptr_equal(c.told, &other);
    assert_int_equal(c.end.result, 2);
    assert_non_null(strstr(c.end.detail, "under way"));
    (void)until_told(&c);
    assert_ptr_equal(c.told, &me);
    assert_int_equal(c.end.result, 0);
    assert_int_equal(c.end.rows, 4 * VISITS);
    assert_true(c.progress > 3);
    ask(&c, MAINTAIN_AUDIT, &other); /* and now it goes */
    (void)until_told(&c);
    assert_int_equal(c.end.result, 0);
    end(&c);
}

static void a_task_that_is_none_is_refused(void **state)
{
    static const uint8_t none[] = {0, MAINTAIN_TASKS, 255};
    struct case_of c;
    int me;

    (void)state;
    begin(&c, "");
    for (size_t i = 0; i < sizeof(none); i++) {
        ask(&c, none[i], &me);
        assert_int_equal(c.ends, i + 1);
        assert_int_equal(c.end.result, 2);
    }
    end(&c);
}

static void without_a_backup_directory_the_words_say_so(void **state)
{
    struct case_of c;
    int me;

    (void)state;
    begin(&c, "");
    ask(&c, MAINTAIN_BACKUP, &me);
    assert_int_equal(c.ends, 1);
    assert_int_equal(c.end.result, 2);
    assert_non_null(strstr(c.end.detail, "backup-directory"));
    end(&c);
}

static void who_is_gone_is_not_told_and_the_work_goes_on(void **state)
{
    struct case_of c;
    int me;

    (void)state;
    begin(&c, "backup-directory = .");
    ask(&c, MAINTAIN_BACKUP, &me);
    clock_advance(c.rig.clock, 1);
    maintain_forget(c.maintain, &me);
    c.progress = 0;
    for (int i = 0; i < 10000; i++)
        clock_advance(c.rig.clock, 500);
    assert_int_equal(c.ends, 0);
    assert_int_equal(c.progress, 0);
    assert_int_equal(backups(&c), 1);
    end(&c);
}

static void upkeep_makes_backups_by_itself_and_keeps_so_many(void **state)
{
    struct case_of c;
    struct backup_report report;
    char *message, file[200];
    int me;

    (void)state;
    begin(&c, "backup-directory = .\nbackup-hours = 24\nbackup-keep = 3");
    for (int hour = 0; hour < 24 * 6; hour++) {
        maintain_upkeep(c.maintain);
        for (int i = 0; i < 600; i++)
            clock_advance(c.rig.clock, 500);
        clock_advance(c.rig.clock, 60 * CLOCK_MINUTE - 600 * 500);
    }
    assert_int_equal(backups(&c), 3);
    assert_int_equal(audit_rows(&c, "backup_taken"), 6);
    assert_int_equal(c.ends, 0); /* nobody had asked */
    ask(&c, MAINTAIN_BACKUP, &me);
    (void)until_told(&c);
    assert_int_equal(c.end.result, 0);
    assert_int_equal(backups(&c), 3);
    (void)snprintf(file, sizeof(file), "%s/%.100s", c.folder, c.end.detail);
    assert_int_equal(backup_check(file, &c.rig.key, c.rig.clock, &report, &message), 0);
    assert_int_equal(report.visits, VISITS);
    end(&c);
}

/* Until what upkeep began is over. */
static void upkeep(struct case_of *c)
{
    maintain_upkeep(c->maintain);
    for (int i = 0; i < 600; i++)
        clock_advance(c->rig.clock, 500);
}

static void how_the_backups_are_is_known(void **state)
{
    struct case_of c;
    char path[128];
    int64_t now;
    int me;

    (void)state;
    begin(&c, "backup-directory = none/there\nbackup-hours = 24");
    assert_true(c.backups.wanted && c.backups.hours == 24 && !c.backups.failing);
    for (int i = 0; i < 30; i++) { /* half an hour: tried once, then left for an hour */
        upkeep(&c);
        clock_advance(c.rig.clock, CLOCK_MINUTE);
    }
    assert_true(c.backups.failing && c.backups.failures == 1 && c.backups.newest_us == 0);
    ask(&c, MAINTAIN_BACKUP, &me);
    assert_int_equal(c.end.result, 2);
    assert_int_equal(c.backups.failures, 2);

    (void)snprintf(path, sizeof(path), "%s/none", c.folder);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/none/there", c.folder);
    assert_int_equal(mkdir(path, 0700), 0);
    clock_advance(c.rig.clock, 60 * CLOCK_MINUTE);
    now = (int64_t)clock_realtime_us(c.rig.clock);
    upkeep(&c);
    assert_true(!c.backups.failing && c.backups.failures == 2);
    assert_true(c.backups.newest_us > now - (int64_t)CLOCK_SECOND &&
                c.backups.newest_us <= now + (int64_t)CLOCK_SECOND);

    /* twice the time between two, and not a moment earlier */
    now = c.backups.newest_us + 2 * 24 * 60 * (int64_t)CLOCK_MINUTE;
    assert_false(metrics_backups_late(&c.backups, now));
    assert_true(metrics_backups_late(&c.backups, now + 1));

    /* one that somebody took away is the last good one no more */
    assert_true(backup_prune(path, 0) >= 0);
    assert_int_equal(rmdir(path), 0);
    upkeep(&c);
    assert_true(c.backups.failing && c.backups.failures == 3 && c.backups.newest_us == 0);
    (void)snprintf(path, sizeof(path), "%s/none", c.folder);
    assert_int_equal(rmdir(path), 0);
    end(&c);
}

static void an_unfinished_rotation_is_taken_up_by_upkeep(void **state)
{
    struct case_of c;
    struct store_rotation *rotation;
    uint64_t done;

    (void)state;
    begin(&c, "");
    assert_int_equal(store_rotation_begin(&rotation, c.rig.store), 0);
    assert_int_equal(store_rotation_step(rotation, 5, &done), 1);
    store_rotation_free(&rotation); /* as if killed here */
    maintain_upkeep(c.maintain);
    for (int i = 0; i < 10000 && store_rotating(c.rig.store); i++)
        clock_advance(c.rig.clock, 500);
    assert_false(store_rotating(c.rig.store));
    assert_int_equal(
        rig_sql_int(&c.rig, "SELECT count(*) FROM visits WHERE substr(payload, 1, 1) <> x'02'"), 0);
    end(&c);
}

static void what_is_older_than_the_retention_goes_and_leaves_no_bytes(void **state)
{
    struct case_of c;
    uint8_t *file, old[512];
    size_t len, old_len;
    struct store_visit visit;

    (void)state;
    begin(&c, "retention-days = 365");
    old_len = hand_blob(&c.rig, "answers", "tree", 2, old, sizeof(old));
    rig_sql(
        &c.rig,
        "UPDATE answers SET answered_us = 1785542400000000"); /* the rig's answers are dated 1970 */
    clock_advance(c.rig.clock, UINT64_C(366 * 24 * 60) * CLOCK_MINUTE);
    assert_int_equal(rig_step(&c.rig, &visit, 1), 0); /* somebody of today */
    maintain_upkeep(c.maintain);
    assert_int_equal(rig_sql_int(&c.rig, "SELECT count(*) FROM visits"), 1);
    assert_int_equal(rig_sql_int(&c.rig, "SELECT count(*) FROM answers"), 0);
    assert_int_equal(rig_sql_int(&c.rig, "SELECT count(*) FROM consents"), 0);
    assert_int_equal(rig_sql_int(&c.rig, "SELECT count(*) FROM asks"), 0);
    assert_int_equal(rig_sql_int(&c.rig, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
    assert_int_equal(rig_sql_int(&c.rig, "SELECT count(*) FROM audit"), VISITS * RIG_STEPS + 1);
    file = rig_file(&c.rig, "", &len);
    assert_non_null(file);
    assert_null(memmem(file, len, old, old_len));
    free(file);
    file = rig_file(&c.rig, "-wal", &len);
    assert_true(file == NULL || memmem(file, len, old, old_len) == NULL);
    free(file);
    end(&c);
}

static char anchors[4][160];
static unsigned nanchors;
static void keep_anchors(enum log_level level, const char *line, void *arg)
{
    (void)level;
    (void)arg;
    if (strstr(line, "audit anchor") != NULL && nanchors < 4)
        (void)snprintf(anchors[nanchors++], sizeof(anchors[0]), "%s", line);
}

static void an_anchor_goes_to_the_journal_every_so_many_hours(void **state)
{
    struct case_of c;
    struct msg_maintain now;
    char hex[40];

    (void)state;
    begin(&c, "audit-anchor-hours = 6");
    nanchors = 0;
    log_capture(keep_anchors, NULL);
    for (int minute = 0; minute < 13 * 60; minute++) {
        maintain_upkeep(c.maintain);
        clock_advance(c.rig.clock, CLOCK_MINUTE);
    }
    rig_quiet();
    assert_int_equal(nanchors, 3); /* at the beginning, after 6 and after 12 hours */
    anchor_of(&c, &now);
    (void)snprintf(hex, sizeof(hex), "row=%u", VISITS * RIG_STEPS);
    assert_non_null(strstr(anchors[0], hex));
    assert_string_equal(anchors[0], anchors[1]); /* nothing happened in between */
    end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_chain_is_walked_between_other_work),
        cmocka_unit_test(a_changed_row_is_named),
        cmocka_unit_test(a_log_put_back_from_another_day_does_not_fit_its_anchor),
        cmocka_unit_test(one_task_at_a_time),
        cmocka_unit_test(a_task_that_is_none_is_refused),
        cmocka_unit_test(without_a_backup_directory_the_words_say_so),
        cmocka_unit_test(who_is_gone_is_not_told_and_the_work_goes_on),
        cmocka_unit_test(upkeep_makes_backups_by_itself_and_keeps_so_many),
        cmocka_unit_test(how_the_backups_are_is_known),
        cmocka_unit_test(an_unfinished_rotation_is_taken_up_by_upkeep),
        cmocka_unit_test(what_is_older_than_the_retention_goes_and_leaves_no_bytes),
        cmocka_unit_test(an_anchor_goes_to_the_journal_every_so_many_hours),
    };

    rig_quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
