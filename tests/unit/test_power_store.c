/*
 * The power goes, at any operation on the disk, and the disk forgets what was not synced
 * (power_disk.h): whatever had been told as done stands afterwards, once; what was under way is
 * there as a whole or not at all; the file is whole and its audit chain holds. Hundreds of cuts,
 * and controls that show that the disk does lose.
 */
#include "power_disk.h"
#include "store_rig.h"

#include "daemon/store/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Under the sanitizers everything is slower by so much; there fewer cuts show what they are looking
 * for. */
#ifdef __SANITIZE_ADDRESS__
#define ROUNDS 40
#define STRIDE 5
#else
#define ROUNDS 240
#define STRIDE 1
#endif

static uint64_t seed;
static struct {
    unsigned cuts, commits, checkpoints, backups, in_backups, in_rotations;
} count;

static uint64_t draw(uint64_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % below;
}

/* The desk: opens, goes on with the visit that it was in, takes steps until the power goes or
 * enough were taken. */
struct desk {
    struct rig *rig;
    struct store_visit visit;
    struct store_rotation *rotation;
    struct backup *backup;
    char folder[96];  /* of backups */
    uint64_t told;    /* steps whose commit returned before the power went */
    unsigned rotated; /* changes of the key that were told */
};

static unsigned rotations(struct desk *d)
{
    return (unsigned)rig_sql_int(d->rig, "SELECT count(*) FROM audit WHERE event = 'key_rotated'");
}

static int resume(struct desk *d)
{
    char *message;
    int r = rig_try_open(d->rig, &message);

    free(message);
    if (r == 0 && d->told % RIG_STEPS != 0)
        r = store_visit_load(d->rig->store, d->told / RIG_STEPS + 1, &d->visit);
    if (r == 0 && store_rotating(d->rig->store))
        r = store_rotation_begin(&d->rotation, d->rig->store);
    return r;
}

/* What else a desk does to its disk between two steps; a failure of it is its own affair. */
static void between(struct desk *d)
{
    uint64_t sealed;
    int r;

    switch (draw(12)) {
    case 0:
        (void)store_settle(d->rig->store);
        count.checkpoints++;
        break;
    case 1:
        if (d->rotation == NULL && store_rotation_begin(&d->rotation, d->rig->store) < 0)
            d->rotation = NULL;
        break;
    case 2:
        clock_step_realtime(d->rig->clock, (int64_t)CLOCK_SECOND); /* names of backups */
        if (d->folder[0] != '\0' && d->backup == NULL &&
            backup_begin(&d->backup, d->rig->store, d->folder) < 0)
            d->backup = NULL;
        break;
    default:
        break;
    }
    if (d->rotation != NULL && (r = store_rotation_step(d->rotation, 4, &sealed)) <= 0) {
        store_rotation_free(&d->rotation);
        d->rotated += r == 0 && !power_disk_is_cut();
    }
    if (d->backup != NULL && (r = backup_step(d->backup, 8)) <= 0) {
        count.backups += r == 0 && !power_disk_is_cut();
        backup_free(&d->backup);
    }
}

static void run(struct desk *d, uint64_t most)
{
    if (resume(d) != 0) {
        assert_true(power_disk_is_cut());
    } else {
        while (!power_disk_is_cut() && d->told < most) {
            int r = rig_step(d->rig, &d->visit, (unsigned)(d->told % RIG_STEPS) + 1);

            if (power_disk_is_cut())
                break;
            assert_int_equal(r, 0);
            d->told++;
            count.commits++;
            between(d);
        }
    }
    count.in_backups += d->backup != NULL;
    count.in_rotations += d->rotation != NULL;
    backup_free(&d->backup);
    store_rotation_free(&d->rotation);
    rig_close(d->rig);
}

/* After the cut: the state of the disk is drawn, and what must hold is looked at. */
static void found(struct desk *d, uint64_t disk_seed)
{
    power_disk_cut_at(0);
    power_disk_restore(disk_seed);
    count.cuts++;
    rig_open(d->rig);
    d->told = rig_check(d->rig, d->told, d->told + 1);
    assert_in_range(rotations(d), d->rotated, d->rotated + 1);
    d->rotated = rotations(d);
    rig_close(d->rig);
}

static void words(void)
{
    unsigned long writes, names;

    power_disk_losses(&writes, &names);
    print_message("%u cuts so far, %u steps told, %lu writes and %lu names lost or torn\n",
                  count.cuts, count.commits, writes, names);
}

static void a_cut_at_any_operation_of_a_new_database_costs_no_step_that_was_told(void **state)
{
    unsigned operations = 0, total = 1;

    (void)state;
    for (unsigned n = 0; n <= total;
         n += n == 0 ? 1 : STRIDE) { /* 0: never, to know how many there are */
        struct rig rig;
        struct desk d = {.rig = &rig};

        rig_new_closed(&rig);
        power_disk_watch(rig.directory);
        power_disk_cut_at(n);
        run(&d, 2 * RIG_STEPS);
        operations = power_disk_operations();
        total = operations > total ? operations : total;
        found(&d, draw(UINT64_MAX / 2));
        rig_free(&rig);
        power_disk_forget();
    }
    words();
    assert_true(total > 100);
}

/* The newest file that has the name of a backup is one. */
static void backups_are_whole(struct desk *d)
{
    struct backup_report report;
    char path[256], newest[BACKUP_NAME_MAX] = "";
    const struct dirent *entry;
    char *message;
    int r;
    DIR *dir = opendir(d->folder);

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, newest) > 0)
            (void)snprintf(newest, sizeof(newest), "%s", entry->d_name);
    assert_int_equal(closedir(dir), 0);
    if (newest[0] == '\0')
        return;
    (void)snprintf(path, sizeof(path), "%s/%s", d->folder, newest);
    r = backup_check(path, &d->rig->key, d->rig->clock, &report, &message);
    if (r != 0)
        fail_msg("%s: %s", newest, message);
    assert_in_range(report.audit_rows, 0, d->told + d->rotated);
}

static int take_away(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static void remove_folder(const char *folder)
{
    assert_int_equal(nftw(folder, take_away, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* Is there something left of a restore that was cut off? */
static bool left_over(const char *folder)
{
    const struct dirent *entry;
    bool left = false;
    DIR *dir = opendir(folder);

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        left = left || strncmp(entry->d_name, ".restore-", 9) == 0;
    assert_int_equal(closedir(dir), 0);
    return left;
}

static void with_backups(struct desk *d)
{
    (void)snprintf(d->folder, sizeof(d->folder), "%s/backups", d->rig->directory);
    assert_int_equal(mkdir(d->folder, 0700), 0);
}

static void cut_after_cut_on_one_database_with_checkpoints_rotations_and_backups(void **state)
{
    struct rig rig;
    struct desk d = {.rig = &rig};

    (void)state;
    rig_new_closed(&rig);
    with_backups(&d);
    power_disk_watch(rig.directory);
    for (unsigned round = 0; round < ROUNDS; round++) {
        power_disk_cut_at(1 + (unsigned)draw(round % 4 == 0 ? 600 : 90));
        run(&d, UINT64_MAX);
        found(&d, draw(UINT64_MAX / 2));
        if (round % 8 == 7)
            backups_are_whole(&d);
    }
    /* A rotation that many cuts interrupt may never end: one day without any. */
    power_disk_cut_at(0);
    run(&d, d.told + 400);
    found(&d, draw(UINT64_MAX / 2));
    words();
    print_message(
        "%u checkpoints, %u new keys (%u cuts in between), %u backups (%u cuts in between)\n",
        count.checkpoints, d.rotated, count.in_rotations, count.backups, count.in_backups);
    assert_true(count.checkpoints > 0 && count.in_rotations > 0 &&
                (STRIDE > 1 || (d.rotated > 0 && count.backups > 0 && count.in_backups > 0)));
    backups_are_whole(&d);
    power_disk_forget();
    remove_folder(d.folder);
    rig_free(&rig);
}

/* A desk that was cut off, with its last steps in the log only, and a backup of some steps before.
 */
static void before_restore(struct desk *d, char *file, size_t size, uint64_t *then)
{
    int r;

    with_backups(d);
    rig_open(d->rig);
    for (d->told = 0; d->told < RIG_STEPS; d->told++)
        assert_int_equal(rig_step(d->rig, &d->visit, (unsigned)d->told + 1), 0);
    assert_int_equal(backup_begin(&d->backup, d->rig->store, d->folder), 0);
    while ((r = backup_step(d->backup, 8)) > 0)
        continue;
    assert_int_equal(r, 0);
    (void)snprintf(file, size, "%s/%s", d->folder, backup_name(d->backup));
    backup_free(&d->backup);
    *then = d->told;
    for (; d->told < *then + 3; d->told++)
        assert_int_equal(rig_step(d->rig, &d->visit, (unsigned)(d->told % RIG_STEPS) + 1), 0);
    power_disk_watch(d->rig->directory);
    power_disk_cut_at(1); /* no checkpoint at the end: the log stays */
    rig_close(d->rig);
    power_disk_cut_at(0);
    power_disk_restore(0);
}

static void a_cut_at_any_operation_of_a_restore_leaves_the_old_or_the_new(void **state)
{
    unsigned old = 0, new = 0, refused = 0, operations = 0;

    (void)state;
    for (unsigned n = 1; operations + 1 >= n; n++) {
        struct rig rig;
        struct desk d = {.rig = &rig};
        struct backup_report report;
        uint64_t then, rows;
        char file[192], *message;
        int r;

        rig_new_closed(&rig);
        before_restore(&d, file, sizeof(file), &then);
        power_disk_cut_at(n);
        r = backup_restore(file, rig.directory, &rig.key, rig.clock, &report, &message);
        free(message);
        operations = power_disk_operations();
        if (power_disk_is_cut())
            power_disk_cut_at(0);
        else
            assert_int_equal(r, 0);
        power_disk_restore(draw(UINT64_MAX / 2));
        count.cuts++;
        if (rig_try_open(&rig, &message) != 0) {
            /* The old one may have lost its log by now: better none. */
            assert_true(r != 0);
            assert_non_null(strstr(message, "uketsuke restore"));
            free(message);
            refused++;
        } else {
            rows = rig_check(&rig, r == 0 ? then : 0, d.told);
            assert_true(rows == then || rows == d.told);
            old += rows == d.told;
            new += rows == then;
        }
        rig_close(&rig);
        clock_step_realtime(rig.clock, INT64_C(1000) * 86400 *
                                           (int64_t)CLOCK_SECOND); /* what was left is old now */
        assert_int_equal(
            backup_restore(file, rig.directory, &rig.key, rig.clock, &report, &message), 0);
        rig_open(&rig);
        (void)rig_check(&rig, then, then);
        rig_close(&rig);
        power_disk_forget();
        assert_false(left_over(rig.directory));
        remove_folder(rig.directory);
        assert_int_equal(mkdir(rig.directory, 0700), 0);
        rig_free(&rig);
    }
    print_message("restore: %u operations; found the old one %u times, the new one %u times, "
                  "refused %u times\n",
                  operations, old, new, refused);
    words();
    assert_true(old > 0 && new > 0 && refused > 0);
}

/* Control: on a disk whose syncs are lies, steps that were told do get lost. */
static void a_disk_that_lies_is_found_out(void **state)
{
    unsigned lost = 0;

    (void)state;
    for (unsigned i = 0; i < 12; i++) {
        struct rig rig;
        struct desk d = {.rig = &rig};
        uint64_t rows = 0, bad;
        char *message;

        rig_new(&rig);
        rig_close(&rig);
        power_disk_watch(rig.directory);
        power_disk_lie(true);
        power_disk_cut_at(60 + (unsigned)draw(60));
        run(&d, UINT64_MAX);
        assert_true(d.told > 0);
        power_disk_cut_at(0);
        power_disk_restore(draw(UINT64_MAX / 2));
        if (rig_try_open(&rig, &message) != 0 || store_audit_verify(rig.store, &rows, &bad) != 0 ||
            rows < d.told)
            lost++;
        free(message);
        power_disk_forget();
        rig_close(&rig);
        rig_free(&rig);
    }
    print_message("%u of 12 times steps were lost\n", lost);
    assert_true(lost > 0);
}

int main(void)
{
    const char *given = getenv("UKETSUKE_SEED");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_at_any_operation_of_a_new_database_costs_no_step_that_was_told),
        cmocka_unit_test(cut_after_cut_on_one_database_with_checkpoints_rotations_and_backups),
        cmocka_unit_test(a_cut_at_any_operation_of_a_restore_leaves_the_old_or_the_new),
        cmocka_unit_test(a_disk_that_lies_is_found_out),
    };

    seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) ^ (uint64_t)getpid();
    print_message("UKETSUKE_SEED=%llu repeats these cuts\n", (unsigned long long)seed);
    rig_quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
