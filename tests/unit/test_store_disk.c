/* The disk fails, or the process dies, at any moment: what was acknowledged stands, nothing is half done. */
#include "store_rig.h"
#include "store_vfs.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Under sanitizers a run takes five times as long, and the other build has been through every operation. */
#ifdef __SANITIZE_ADDRESS__
#define STRIDE 5u
#else
#define STRIDE 1u
#endif

static const struct {
    const char *what;
    int rc;
    int error;
} faults[] = {
    {"full disk", SQLITE_FULL, -ENOSPC},
    {"input/output error", SQLITE_IOERR_WRITE, -EIO},
};

/* Takes the steps of two visits; returns how many were acknowledged before one failed (its error in *error). */
static uint64_t take_steps(struct rig *rig, uint64_t from, bool again, int *error)
{
    static struct store_visit visit;
    uint64_t done = from;

    *error = 0;
    while (done < 2 * RIG_STEPS) {
        int r = rig_step(rig, &visit, (unsigned)(done % RIG_STEPS) + 1);

        if (r == 0) {
            assert_false(vfs_log_unsynced());
            done++;
            continue;
        }
        *error = r;
        /* In the running process a failed step has left nothing behind. */
        assert_int_equal(rig_check(rig, done, done), done);
        if (!again)
            break;
        assert_int_equal(rig_step(rig, &visit, (unsigned)(done % RIG_STEPS) + 1), 0);
        done++;
        again = false;
    }
    return done;
}

/* One run over a new database with the n-th operation failing. False when the run has fewer operations. */
static bool run_with_fault(enum vfs_mode mode, unsigned n, int rc, int expected)
{
    struct rig rig;
    char *message;
    uint64_t done = 0;
    bool fired;
    int r, error = 0;

    rig_new_closed(&rig);
    vfs_arm(mode, n, rc);
    r = rig_try_open(&rig, &message);
    if (r == 0) {
        done = take_steps(&rig, 0, mode == VFS_FAIL_ONCE, &error);
        if (error != 0)
            assert_int_equal(error, expected);
        rig_close(&rig);
    } else {
        assert_int_equal(r, expected);
        assert_null(rig.store);
        assert_non_null(message);
        assert_non_null(strstr(message, " / "));
        if (rc == SQLITE_FULL)
            assert_non_null(strstr(message, "isk"));
        free(message);
    }
    fired = vfs_fired();
    vfs_arm(VFS_GOOD, 0, 0);
    if (!fired || (mode == VFS_FAIL_ONCE && r == 0))
        assert_int_equal(done, 2 * RIG_STEPS);
    /*
     * A commit whose sync failed was reported as failed; its pages may be in the log all the same, and count
     * after the next start: then the whole step is there.
     */
    rig_open(&rig);
    (void)rig_check(&rig, done, done + (mode == VFS_FAIL_ON && error != 0));
    rig_free(&rig);
    return fired;
}

static void a_disk_that_fails_at_any_operation_costs_no_acknowledged_step(void **state)
{
    unsigned runs = 0;

    (void)state;
    for (size_t f = 0; f < sizeof(faults) / sizeof(faults[0]); f++)
        for (enum vfs_mode mode = VFS_FAIL_ONCE; mode <= VFS_FAIL_ON; mode++) {
            unsigned n = 1;

            while (run_with_fault(mode, n, faults[f].rc, faults[f].error))
                n += STRIDE;
            print_message("%s, %s: %u operations, each %u. failing\n", faults[f].what,
                          mode == VFS_FAIL_ONCE ? "once" : "from then on", n - 1, STRIDE);
            /* Opening, twelve commits and the closing checkpoint are more than that. */
            assert_true(n > 100);
            runs += n / STRIDE;
        }
    print_message("%u runs\n", runs);
}

static void every_acknowledged_step_was_synced(void **state)
{
    struct rig rig;
    struct store_visit visit;

    (void)state;
    vfs_arm(VFS_GOOD, 0, 0);
    rig_new(&rig);
    for (unsigned step = 1; step <= RIG_STEPS; step++) {
        unsigned before = vfs_operations();

        assert_int_equal(rig_step(&rig, &visit, step), 0);
        assert_true(vfs_operations() > before);
        assert_false(vfs_log_unsynced());
    }
    rig_free(&rig);
}

/* Runs `child` in a process of its own until it ends. */
static int in_child(void (*child)(struct rig *), struct rig *rig)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        child(rig);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static unsigned die_at;

static void open_and_die(struct rig *rig)
{
    char *message;

    rig_set_key(rig);
    vfs_arm(VFS_DIE, die_at, SQLITE_IOERR);
    if (rig_try_open(rig, &message) != 0)
        _exit(1);
    _exit(0); /* not closed: the checkpoint is not the point here */
}

static void a_migration_killed_midway_leaves_the_old_number_or_the_new(void **state)
{
    unsigned old = 0, fresh = 0;
    int status;

    (void)state;
    die_at = 1;
    do {
        struct rig rig;
        size_t len;
        uint8_t *file;

        rig_new_closed(&rig);
        status = in_child(open_and_die, &rig);
        file = rig_file(&rig, "", &len);
        if (file != NULL && len > 0) {
            int64_t version = rig_sql_int(&rig, "PRAGMA user_version");
            int64_t tables =
                rig_sql_int(&rig, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'");

            if (version == 0) {
                assert_int_equal(tables, 0);
                old++;
            } else {
                assert_int_equal(version, rig_migrations());
                assert_int_equal(
                    rig_sql_int(&rig,
                                "SELECT count(*) FROM meta WHERE name IN ('keys', 'audit_head')"),
                    2);
                fresh++;
            }
        }
        free(file);
        rig_open(&rig);
        (void)rig_check(&rig, 0, 0);
        rig_free(&rig);
        die_at += STRIDE;
    } while (status == VFS_DIED);
    assert_int_equal(status, 0);
    assert_true(old > 2);
    assert_true(fresh > 0);
}

#define ROUNDS 50

static void write_and_acknowledge(struct rig *rig, int to)
{
    struct store_visit visit;
    char *message;
    uint64_t rows, bad;

    rig_set_key(rig);
    if (rig_try_open(rig, &message) != 0 || store_audit_verify(rig->store, &rows, &bad) != 0)
        _exit(1);
    /* Goes on with the visit that the last round was killed in, as a desk does. */
    if (rows % RIG_STEPS != 0 && store_visit_load(rig->store, rows / RIG_STEPS + 1, &visit) != 0)
        _exit(2);
    for (;;) {
        if (rig_step(rig, &visit, (unsigned)(rows % RIG_STEPS) + 1) != 0)
            _exit(3);
        rows++;
        if (write(to, &rows, sizeof(rows)) != sizeof(rows))
            _exit(4);
    }
}

static uint64_t drain(int from, uint64_t rows)
{
    uint64_t said;

    while (read(from, &said, sizeof(said)) == sizeof(said))
        rows = said;
    return rows;
}

static void kill_minus_nine_loses_no_acknowledged_step(void **state)
{
    const char *given = getenv("UKETSUKE_SEED");
    unsigned seed = given != NULL ? (unsigned)strtoul(given, NULL, 10)
                                  : (unsigned)time(NULL) ^ (unsigned)getpid();
    struct rig rig;
    uint64_t rows = 0;

    (void)state;
    print_message("seed %u (UKETSUKE_SEED=%u repeats the moments asked for)\n", seed, seed);
    srandom(seed);
    rig_new(&rig);
    rig_close(&rig);
    for (int round = 0; round < ROUNDS; round++) {
        int ends[2], status;
        struct pollfd wait;
        pid_t pid;

        assert_int_equal(pipe(ends), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            (void)close(ends[0]);
            write_and_acknowledge(&rig, ends[1]);
        }
        (void)close(ends[1]);
        wait = (struct pollfd){ends[0], POLLIN, 0};
        assert_int_equal(poll(&wait, 1, 20000), 1); /* the first acknowledgement: it writes */
        (void)usleep((useconds_t)(random() % 30000));
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status)); /* it did not end by itself */
        rows = drain(ends[0], rows);
        (void)close(ends[0]);
        rig_open(&rig);
        /* The step that it died in may be there, as a whole. */
        rows = rig_check(&rig, rows, rows + 1);
        rig_close(&rig);
    }
    print_message("%d rounds, %llu steps\n", ROUNDS, (unsigned long long)rows);
    assert_true(rows >= ROUNDS);
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_acknowledged_step_was_synced),
        cmocka_unit_test(a_disk_that_fails_at_any_operation_costs_no_acknowledged_step),
        cmocka_unit_test(a_migration_killed_midway_leaves_the_old_number_or_the_new),
        cmocka_unit_test(kill_minus_nine_loses_no_acknowledged_step),
    };

    rig_quiet();
    vfs_register();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
