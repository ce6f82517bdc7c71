/* The way back: a backup is unpacked beside its target, judged, and only then put in place. */
#include "backup.h"
#include "backup_file.h"
#include "store_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BENCH ".restore-"
#define LEFT_SECONDS 86400

/* A folder of its own for the unpacked database, so that a store can be opened in it. */
struct bench {
    char *path;
    int directory;
};

static const struct {
    int error;
    const char *ja;
    const char *en;
} words[] = {
    {-EKEYREJECTED,
     "このバックアップは別の鍵(database.key)のものです。取った日の鍵を使ってください",
     "this backup belongs to another master key; use the database.key of its day"},
    {-EBADMSG, "バックアップが壊れているか、バックアップではありません。別の世代を使ってください",
     "the file is damaged, or no backup; use another generation"},
    {-EBUSY, "uketsuked が動いています。止めてから戻してください",
     "uketsuked is running; stop it first"},
    {-ENOSPC, "ディスクがいっぱいです。空きを作ってください", "the disk is full; make room"},
    {-ENOENT, "ファイルまたはディレクトリがありません", "there is no such file or directory"},
    {0, "バックアップを読めません。場所と権限を確かめてください",
     "the backup cannot be read; check path and permissions"},
};

static int say(char **message, int error, const char *what)
{
    size_t i = 0;

    if (*message != NULL)
        return error;
    while (words[i].error != 0 && words[i].error != error)
        i++;
    if (asprintf(message, "%s / %s (%s: %s)", words[i].ja, words[i].en, what, strerror(-error)) < 0)
        *message = NULL;
    return error;
}

static void empty(int directory)
{
    static const char *const names[] = {"uketsuke.db", "uketsuke.db-wal", "uketsuke.db-shm",
                                        "uketsuke.db-journal"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        (void)unlinkat(directory, names[i], 0);
}

static void bench_clear(struct bench *bench)
{
    if (bench->directory >= 0) {
        empty(bench->directory);
        (void)close(bench->directory);
    }
    if (bench->path != NULL)
        (void)rmdir(bench->path);
    free(bench->path);
}

static int is_bench(const struct dirent *entry)
{
    return strncmp(entry->d_name, BENCH, strlen(BENCH)) == 0;
}

/* What a power cut left of an earlier one; younger folders may belong to one that is at work. */
static void sweep(const char *beside, struct clock *clock)
{
    time_t now = (time_t)(clock_realtime_us(clock) / CLOCK_SECOND);
    struct dirent **names = NULL;
    int n = scandir(beside, &names, is_bench, NULL);
    int at = open(beside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    for (int i = 0; i < n; i++) {
        int fd = openat(at, names[i]->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;

        if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
            st.st_mtime < now - LEFT_SECONDS) {
            empty(fd);
            (void)unlinkat(at, names[i]->d_name, AT_REMOVEDIR);
        }
        if (fd >= 0)
            (void)close(fd);
        free(names[i]);
    }
    free(names);
    if (at >= 0)
        (void)close(at);
}

static int bench_new(struct bench *bench, const char *beside, struct clock *clock)
{
    bench->directory = -1;
    sweep(beside, clock);
    if (asprintf(&bench->path, "%s/" BENCH "XXXXXX", beside) < 0) {
        bench->path = NULL;
        return -ENOMEM;
    }
    if (mkdtemp(bench->path) == NULL) {
        int r = -errno;

        free(bench->path);
        bench->path = NULL;
        return r;
    }
    bench->directory = open(bench->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return bench->directory < 0 ? -errno : 0;
}

static int unpack_into(struct bench *bench, const char *file, const struct secret *master,
                       int64_t *taken_us)
{
    struct secret key = {0};
    int in = open(file, O_RDONLY | O_CLOEXEC);
    int out = -1, r = in < 0 ? -errno : 0;

    if (r == 0) {
        out =
            openat(bench->directory, "uketsuke.db", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        r = out < 0 ? -errno : seal_derive(master, STORE_BACKUP, &key);
    }
    if (r == 0)
        r = backup_unpack(in, out, &key, taken_us);
    if (r == 0 && fsync(out) < 0)
        r = -errno;
    secret_free(&key);
    if (in >= 0)
        (void)close(in);
    if (out >= 0)
        (void)close(out);
    return r;
}

static int whole(struct store *store)
{
    sqlite3_stmt *stmt = NULL;
    int r = -EIO;

    if (sqlite3_prepare_v2(store->db, "PRAGMA integrity_check(1)", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        r = strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") == 0 ? 0 : -EBADMSG;
    (void)sqlite3_finalize(stmt);
    return r;
}

/* The store's own opening is the judge: migrations, master key, head of the chain; then the whole
 * chain. */
static int judge(struct bench *bench, const struct secret *master, struct clock *clock,
                 struct backup_report *report, char **message)
{
    struct store *store = NULL;
    struct store_status status;
    uint64_t rows, bad;
    int r = store_open(&store, bench->path, master, clock, message);

    if (r == 0)
        r = whole(store);
    if (r == 0)
        r = store_audit_verify(store, &rows, &bad);
    if (r == 0)
        r = store_status(store, &status);
    if (r == 0) {
        report->visits = status.visits;
        report->answers = status.answers;
        report->audit_rows = rows;
    }
    store_close(&store);
    return r;
}

static int take_out(struct bench *bench, const char *file, const char *beside,
                    const struct secret *master, struct clock *clock, struct backup_report *report,
                    char **message)
{
    int r;

    memset(report, 0, sizeof(*report));
    *message = NULL;
    r = bench_new(bench, beside, clock);
    if (r < 0)
        return say(message, r, beside);
    r = unpack_into(bench, file, master, &report->taken_us);
    if (r < 0)
        return say(message, r, file);
    r = judge(bench, master, clock, report, message);
    return r < 0 ? say(message, r, file) : 0;
}

static char *folder_of(const char *file)
{
    const char *slash = strrchr(file, '/');

    return slash == NULL   ? strdup(".")
           : slash == file ? strdup("/")
                           : strndup(file, (size_t)(slash - file));
}

int backup_check(const char *file, const struct secret *master, struct clock *clock,
                 struct backup_report *report, char **message)
{
    struct bench bench = {NULL, -1};
    char *beside = folder_of(file);
    int r = -ENOMEM;

    *message = NULL;
    if (beside != NULL)
        r = take_out(&bench, file, beside, master, clock, report, message);
    bench_clear(&bench);
    free(beside);
    return r;
}

/*
 * From here until the new database is in place the old one may stand there without its log, which
 * holds the last steps: as long as this name is there no desk begins on it.
 */
static int mark(int directory)
{
    int fd = openat(directory, STORE_RESTORING, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 || fsync(fd) < 0 || close(fd) < 0)
        return -errno;
    return fsync(directory) < 0 ? -errno : 0;
}

/*
 * The old files stay under another name each. The old database keeps its own name too until the new
 * one takes it in one rename, so that a crash in between never leaves a desk that would begin with
 * an empty one.
 */
static int step_aside(int directory, struct clock *clock)
{
    static const char *const logs[] = {"-wal", "-shm"};
    time_t now = (time_t)(clock_realtime_us(clock) / 1000000);
    char stamp[32], from[32], to[96];
    struct tm tm;

    if (gmtime_r(&now, &tm) == NULL || strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &tm) == 0)
        return -EINVAL;
    (void)snprintf(to, sizeof(to), "uketsuke.db.before-restore-%s", stamp);
    if (linkat(directory, "uketsuke.db", directory, to, 0) < 0 && errno != ENOENT)
        return -errno;
    for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
        (void)snprintf(from, sizeof(from), "uketsuke.db%s", logs[i]);
        (void)snprintf(to, sizeof(to), "uketsuke.db.before-restore-%s%s", stamp, logs[i]);
        if (renameat(directory, from, directory, to) < 0 && errno != ENOENT)
            return -errno;
    }
    /* On the disk before the new one comes: it must never be found beside the old one's log. */
    return fsync(directory) < 0 ? -errno : 0;
}

/* Whoever restores (root, mostly) is not who will open it: it belongs to the owner of its
 * directory. */
static int give_to_owner(const struct bench *bench, int directory)
{
    struct stat st;

    if (fstat(directory, &st) < 0)
        return -errno;
    if (st.st_uid == geteuid() && st.st_gid == getegid())
        return 0;
    return fchownat(bench->directory, "uketsuke.db", st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0
               ? -errno
               : 0;
}

static int put_in_place(struct bench *bench, const char *directory, struct clock *clock)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 ? -errno : 0;

    if (r == 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
        r = errno == EWOULDBLOCK ? -EBUSY : -errno;
    if (r == 0)
        r = give_to_owner(bench, fd);
    if (r == 0)
        r = mark(fd);
    if (r == 0)
        r = step_aside(fd, clock);
    if (r == 0 && (renameat(bench->directory, "uketsuke.db", fd, "uketsuke.db") < 0 ||
                   fsync(fd) < 0 || unlinkat(fd, STORE_RESTORING, 0) < 0 || fsync(fd) < 0))
        r = -errno;
    if (fd >= 0)
        (void)close(fd);
    return r;
}

int backup_restore(const char *file, const char *directory, const struct secret *master,
                   struct clock *clock, struct backup_report *report, char **message)
{
    struct bench bench = {NULL, -1};
    int r = take_out(&bench, file, directory, master, clock, report, message);

    if (r == 0) {
        r = put_in_place(&bench, directory, clock);
        if (r < 0)
            (void)say(message, r, directory);
    }
    bench_clear(&bench);
    return r;
}
