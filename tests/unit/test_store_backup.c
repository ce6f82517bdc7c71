/* Backups: taken while the desk works, sealed, judged before they are put back; cut, changed and
 * foreign files. */
#include "store_hand.h"
#include "store_rig.h"

#include "daemon/store/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define VISITS 5

struct case_of {
    struct rig rig;
    char folder[64]; /* of the backups */
    char file[160];
};

static void visits(struct rig *rig, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct store_visit visit;

        for (unsigned step = 1; step <= RIG_STEPS; step++)
            assert_int_equal(rig_step(rig, &visit, step), 0);
    }
}

static void begin(struct case_of *c)
{
    memset(c, 0, sizeof(*c));
    (void)snprintf(c->folder, sizeof(c->folder), "/tmp/uketsuke-backup-XXXXXX");
    assert_non_null(mkdtemp(c->folder));
    rig_new(&c->rig);
    visits(&c->rig, VISITS);
}

/* Names in a folder; `each` file is removed when `remove_all`. */
static unsigned files_in(const char *folder, bool remove_all, char *last, size_t size)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    unsigned n = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        n++;
        if (last != NULL)
            (void)snprintf(last, size, "%s", entry->d_name);
        if (remove_all)
            assert_int_equal(unlinkat(dirfd(dir), entry->d_name, 0), 0);
    }
    assert_int_equal(closedir(dir), 0);
    return n;
}

static void end(struct case_of *c)
{
    (void)files_in(c->folder, true, NULL, 0);
    assert_int_equal(rmdir(c->folder), 0);
    rig_close(&c->rig);
    (void)files_in(c->rig.directory, true, NULL, 0);
    rig_free(&c->rig);
}

static void take(struct case_of *c)
{
    struct backup *backup;
    int r;

    assert_int_equal(backup_begin(&backup, c->rig.store, c->folder), 0);
    while ((r = backup_step(backup, 3)) > 0)
        continue;
    assert_int_equal(r, 0);
    assert_int_equal(backup_permille(backup), 1000);
    (void)snprintf(c->file, sizeof(c->file), "%s/%s", c->folder, backup_name(backup));
    backup_free(&backup);
    assert_null(backup);
}

static void refused(struct case_of *c, int error, const char *ja, const char *en)
{
    struct backup_report report;
    char *message;
    int r = backup_restore(c->file, c->rig.directory, &c->rig.key, c->rig.clock, &report, &message);

    if (r != error)
        fail_msg("%d (%s) instead of %d", r, message, error);
    assert_non_null(message);
    if (strstr(message, ja) == NULL || strstr(message, en) == NULL)
        fail_msg("the words are: %s", message);
    free(message);
}

static void a_backup_taken_in_the_middle_of_visits_is_whole_and_comes_back(void **state)
{
    struct case_of c;
    struct backup *backup;
    struct backup_report report;
    struct stat st;
    char *message;
    unsigned during = 0;
    int r;

    (void)state;
    begin(&c);
    assert_int_equal(backup_begin(&backup, c.rig.store, c.folder), 0);
    while ((r = backup_step(backup, 2)) > 0) {
        if (during++ < 3)
            visits(&c.rig, 1); /* the desk works on */
    }
    assert_int_equal(r, 0);
    assert_true(during > 3);
    (void)snprintf(c.file, sizeof(c.file), "%s/%s", c.folder, backup_name(backup));
    backup_free(&backup);
    assert_string_equal(strrchr(c.file, '/') + 1,
                        "uketsuke-20260801-000000.backup"); /* the rig's clock */
    assert_int_equal(stat(c.file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(files_in(c.folder, false, NULL, 0), 1);

    assert_int_equal(backup_check(c.file, &c.rig.key, c.rig.clock, &report, &message), 0);
    assert_null(message);
    assert_int_equal(report.taken_us, INT64_C(1785542400000000));
    assert_in_range(report.visits, VISITS + 3, VISITS + 3);
    assert_int_equal(report.audit_rows, RIG_STEPS * (VISITS + 3));
    assert_int_equal(files_in(c.folder, false, NULL, 0), 1);

    visits(&c.rig, 2); /* lost by going back */
    rig_close(&c.rig);
    assert_int_equal(
        backup_restore(c.file, c.rig.directory, &c.rig.key, c.rig.clock, &report, &message), 0);
    rig_open(&c.rig);
    (void)rig_check(&c.rig, RIG_STEPS * (VISITS + 3), RIG_STEPS * (VISITS + 3));
    visits(&c.rig, 1);
    end(&c);
}

static void what_stood_there_is_kept(void **state)
{
    struct case_of c;
    struct backup_report report;
    char *message, old[256], now[256];

    (void)state;
    begin(&c);
    take(&c);
    visits(&c.rig, 2);
    rig_close(&c.rig);
    assert_int_equal(
        backup_restore(c.file, c.rig.directory, &c.rig.key, c.rig.clock, &report, &message), 0);
    (void)snprintf(old, sizeof(old), "%s/uketsuke.db.before-restore-20260801-000000",
                   c.rig.directory);
    (void)snprintf(now, sizeof(now), "%s/uketsuke.db", c.rig.directory);
    assert_int_equal(access(old, R_OK), 0);
    assert_int_equal(rename(old, now), 0); /* and may be put back by hand */
    rig_open(&c.rig);
    (void)rig_check(&c.rig, RIG_STEPS * (VISITS + 2), RIG_STEPS * (VISITS + 2));
    end(&c);
}

static void it_belongs_to_whoever_has_the_directory(void **state)
{
    struct case_of c;
    struct backup_report report;
    struct stat st;
    char *message, path[256];

    (void)state;
    if (geteuid() != 0) /* nobody else can give files away */
        skip();
    begin(&c);
    take(&c);
    rig_close(&c.rig);
    assert_int_equal(chown(c.rig.directory, 4711, 4712), 0);
    assert_int_equal(
        backup_restore(c.file, c.rig.directory, &c.rig.key, c.rig.clock, &report, &message), 0);
    (void)snprintf(path, sizeof(path), "%s/uketsuke.db", c.rig.directory);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, 4711);
    assert_int_equal(st.st_gid, 4712);
    assert_int_equal(st.st_mode & 0777, 0600);
    rig_open(&c.rig);
    end(&c);
}

static void a_damaged_database_is_replaced(void **state)
{
    struct case_of c;
    struct backup_report report;
    char *message, path[256];
    FILE *file;

    (void)state;
    begin(&c);
    take(&c);
    rig_close(&c.rig);
    (void)snprintf(path, sizeof(path), "%s/uketsuke.db", c.rig.directory);
    file = fopen(path, "r+e");
    assert_non_null(file);
    assert_int_equal(fwrite("no database any more", 1, 20, file), 20);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rig_try_open(&c.rig, &message), -EIO);
    assert_non_null(strstr(message, "restore a backup"));
    free(message);
    assert_int_equal(
        backup_restore(c.file, c.rig.directory, &c.rig.key, c.rig.clock, &report, &message), 0);
    rig_open(&c.rig);
    (void)rig_check(&c.rig, RIG_STEPS * VISITS, RIG_STEPS * VISITS);
    end(&c);
}

static void nothing_of_a_patient_stands_in_the_file(void **state)
{
    struct case_of c;
    uint8_t *data;
    struct stat st;
    int fd;

    (void)state;
    begin(&c);
    take(&c);
    fd = open(c.file, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    data = malloc((size_t)st.st_size);
    assert_non_null(data);
    assert_int_equal(read(fd, data, (size_t)st.st_size), st.st_size);
    (void)close(fd);
    assert_true((size_t)st.st_size > 40000);
    assert_memory_equal(data, "UKETSUKE BACKUP\n\1", 17);
    /* Names are sealed in the database already; here also what stands there in the clear. */
    assert_null(memmem(data, (size_t)st.st_size, RIG_NAME, strlen(RIG_NAME)));
    assert_null(memmem(data, (size_t)st.st_size, RIG_INSTITUTION, strlen(RIG_INSTITUTION)));
    assert_null(memmem(data, (size_t)st.st_size, "CREATE TABLE", 12));
    free(data);
    end(&c);
}

static void a_running_desk_is_not_overwritten(void **state)
{
    struct case_of c;

    (void)state;
    begin(&c);
    take(&c);
    refused(&c, -EBUSY, "止めてから", "stop it first");
    (void)rig_check(&c.rig, RIG_STEPS * VISITS, RIG_STEPS * VISITS);
    end(&c);
}

static void a_backup_of_another_key_says_so(void **state)
{
    struct case_of c;
    struct secret next = {0};

    (void)state;
    begin(&c);
    take(&c);
    assert_int_equal(secret_new(&next, 32), 0);
    memset(next.data, 9, 32);
    next.len = 32;
    assert_int_equal(store_rekey(c.rig.store, &next), 0);
    rig_close(&c.rig);
    memcpy(c.rig.key.data, next.data, 32);
    refused(&c, -EKEYREJECTED, "取った日の鍵", "database.key of its day");
    rig_open(&c.rig);
    (void)rig_check(&c.rig, RIG_STEPS * VISITS, RIG_STEPS * VISITS);
    take(&c); /* from now on with the new key */
    rig_close(&c.rig);
    {
        struct backup_report report;
        char *message;

        assert_int_equal(
            backup_restore(c.file, c.rig.directory, &c.rig.key, c.rig.clock, &report, &message), 0);
    }
    rig_open(&c.rig);
    secret_free(&next);
    end(&c);
}

/* Cut at every length and changed at every place (in steps): refused, and what is there stays. */
static void cut_and_changed_files_are_refused(void **state)
{
    struct case_of c;
    struct stat st;
    uint8_t *data;
    size_t size;
    int fd;

    (void)state;
    begin(&c);
    take(&c);
    rig_close(&c.rig);
    fd = open(c.file, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    size = (size_t)st.st_size;
    data = malloc(size);
    assert_non_null(data);
    assert_int_equal(read(fd, data, size), size);
    for (size_t at = 0; at < size; at += at < 64 ? 1 : 4099) {
        uint8_t turned = data[at] ^ 0x10;

        assert_int_equal(pwrite(fd, &turned, 1, (off_t)at), 1);
        if (at >= 17 && at < 25) /* which key it is */
            refused(&c, -EKEYREJECTED, "別の鍵", "another master key");
        else
            refused(&c, -EBADMSG, "壊れている", "another generation");
        assert_int_equal(pwrite(fd, data + at, 1, (off_t)at), 1);
    }
    for (size_t len = 0; len < size; len += len < 128 ? 7 : 9973) {
        assert_int_equal(ftruncate(fd, (off_t)len), 0);
        refused(&c, -EBADMSG, "壊れている", "another generation");
        assert_int_equal(pwrite(fd, data, size, 0), size);
    }
    assert_int_equal(pwrite(fd, "x", 1, (off_t)size), 1); /* more than there was */
    refused(&c, -EBADMSG, "壊れている", "another generation");
    free(data);
    (void)close(fd);
    rig_open(&c.rig);
    (void)rig_check(&c.rig, RIG_STEPS * VISITS, RIG_STEPS * VISITS);
    assert_int_equal(files_in(c.rig.directory, false, NULL, 0), 3); /* nothing was left beside */
    end(&c);
}

static void a_backup_whose_audit_chain_is_broken_is_refused(void **state)
{
    struct case_of c;

    (void)state;
    begin(&c);
    rig_sql(&c.rig, "UPDATE audit SET detail = '9' WHERE id = 4");
    take(&c);
    rig_close(&c.rig);
    refused(&c, -EBADMSG, "壊れている", "damaged");
    rig_open(&c.rig);
    end(&c);
}

static void a_missing_file_and_a_missing_folder_are_named(void **state)
{
    struct case_of c;
    struct backup *backup;

    (void)state;
    begin(&c);
    (void)snprintf(c.file, sizeof(c.file), "%s/not-there.backup", c.folder);
    rig_close(&c.rig);
    refused(&c, -ENOENT, "ありません", "not-there.backup");
    rig_open(&c.rig);
    assert_int_equal(backup_begin(&backup, c.rig.store, "/tmp/uketsuke-no-such-folder"), -ENOENT);
    assert_null(backup);
    end(&c);
}

static void a_backup_cut_short_leaves_nothing_and_does_not_hinder_the_next(void **state)
{
    (void)state;
    for (unsigned stop = 0; stop < 40; stop++) {
        struct case_of c;
        pid_t child;
        int status;

        begin(&c);
        rig_close(&c.rig);
        child = fork();
        assert_true(child >= 0);
        if (child == 0) { /* killed after so many steps */
            struct backup *backup;

            rig_set_key(&c.rig);
            rig_open(&c.rig);
            if (backup_begin(&backup, c.rig.store, c.folder) != 0)
                _exit(2);
            for (unsigned i = 0; i < stop; i++)
                if (backup_step(backup, 4) == 0)
                    _exit(0);
            _exit(1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
        rig_open(&c.rig);
        (void)rig_check(&c.rig, RIG_STEPS * VISITS, RIG_STEPS * VISITS);
        take(&c);
        assert_int_equal(files_in(c.folder, false, NULL, 0), 1);
        end(&c);
        if (WEXITSTATUS(status) == 0)
            return;
    }
    fail_msg("the backup never ended");
}

static void given_up_in_the_middle_leaves_nothing(void **state)
{
    struct case_of c;
    struct backup *backup;

    (void)state;
    begin(&c);
    assert_int_equal(backup_begin(&backup, c.rig.store, c.folder), 0);
    assert_int_equal(backup_step(backup, 1), 1);
    backup_free(&backup);
    assert_int_equal(files_in(c.folder, false, NULL, 0), 0);
    end(&c);
}

static void only_the_newest_generations_are_kept(void **state)
{
    struct case_of c;
    char last[300];

    (void)state;
    begin(&c);
    for (int i = 0; i < 5; i++) {
        take(&c);
        clock_advance(c.rig.clock, UINT64_C(24 * 60) * CLOCK_MINUTE);
    }
    {
        FILE *other;
        char path[160];

        (void)snprintf(path, sizeof(path), "%s/notes.txt", c.folder); /* not ours: left alone */
        other = fopen(path, "we");
        assert_non_null(other);
        assert_int_equal(fclose(other), 0);
        assert_int_equal(backup_prune(c.folder, 3), 2);
        assert_int_equal(files_in(c.folder, false, NULL, 0), 4);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(backup_prune(c.folder, 1), 2);
    assert_int_equal(files_in(c.folder, false, last, sizeof(last)), 1);
    assert_string_equal(last, "uketsuke-20260805-000000.backup");
    assert_int_equal(backup_prune(c.folder, 1), 0);
    end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_backup_taken_in_the_middle_of_visits_is_whole_and_comes_back),
        cmocka_unit_test(what_stood_there_is_kept),
        cmocka_unit_test(it_belongs_to_whoever_has_the_directory),
        cmocka_unit_test(a_damaged_database_is_replaced),
        cmocka_unit_test(nothing_of_a_patient_stands_in_the_file),
        cmocka_unit_test(a_running_desk_is_not_overwritten),
        cmocka_unit_test(a_backup_of_another_key_says_so),
        cmocka_unit_test(cut_and_changed_files_are_refused),
        cmocka_unit_test(a_backup_whose_audit_chain_is_broken_is_refused),
        cmocka_unit_test(a_missing_file_and_a_missing_folder_are_named),
        cmocka_unit_test(a_backup_cut_short_leaves_nothing_and_does_not_hinder_the_next),
        cmocka_unit_test(given_up_in_the_middle_leaves_nothing),
        cmocka_unit_test(only_the_newest_generations_are_kept),
    };

    rig_quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
