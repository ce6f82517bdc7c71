#include "backup.h"

#include "backup_file.h"
#include "store_internal.h"

#include "../common/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define COPYING ".copying"
#define SEALING ".sealing"
#define PIECES_A_STEP 16

enum stage { COPY, SEAL };

struct backup {
    struct store *store;
    int directory; /* descriptor */
    char *path;    /* of the directory */
    char name[BACKUP_NAME_MAX];
    enum stage stage;
    sqlite3 *copy;
    sqlite3_backup *running;
    unsigned permille;
    int in, out; /* of the sealing */
    off_t size;
    off_t sealed;
    int64_t taken_us;
    struct backup_writer *writer;
    uint8_t *piece;
};

/* What an earlier attempt left, and SQLite's side files of the copy. */
static void remove_leftovers(int directory)
{
    static const char *const names[] = {COPYING, COPYING "-journal", COPYING "-wal", COPYING "-shm",
                                        SEALING};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        (void)unlinkat(directory, names[i], 0);
}

static void name_by(int64_t us, char out[BACKUP_NAME_MAX])
{
    time_t seconds = (time_t)(us / 1000000);
    struct tm tm;

    if (gmtime_r(&seconds, &tm) == NULL ||
        strftime(out, BACKUP_NAME_MAX, "uketsuke-%Y%m%d-%H%M%S.backup", &tm) == 0)
        (void)snprintf(out, BACKUP_NAME_MAX, "uketsuke-00000000-000000.backup");
}

static int open_copy(struct backup *b)
{
    char *path = NULL;
    mode_t mask;
    int rc;

    if (asprintf(&path, "%s/" COPYING, b->path) < 0)
        return -ENOMEM;
    mask = umask(077);
    rc = sqlite3_open_v2(path, &b->copy,
                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW, NULL);
    if (rc == SQLITE_OK) /* the copy is thrown away after it was sealed: nothing of it needs to
                            survive a crash */
        rc = sqlite3_exec(b->copy, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;", NULL,
                          NULL, NULL);
    (void)umask(mask);
    free(path);
    if (rc != SQLITE_OK)
        return -EIO;
    b->running = sqlite3_backup_init(b->copy, "main", b->store->db, "main");
    return b->running != NULL ? 0 : -EIO;
}

int backup_begin(struct backup **out, struct store *store, const char *directory)
{
    struct backup *b = calloc(1, sizeof(*b));
    int r = 0;

    *out = NULL;
    if (b == NULL)
        return -ENOMEM;
    b->store = store;
    b->in = b->out = -1;
    b->path = strdup(directory);
    b->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    b->piece = malloc(BACKUP_PIECE);
    b->taken_us = (int64_t)clock_realtime_us(store->clock);
    name_by(b->taken_us, b->name);
    if (b->directory < 0)
        r = -errno;
    else if (b->path == NULL || b->piece == NULL)
        r = -ENOMEM;
    if (r == 0) {
        remove_leftovers(b->directory);
        r = open_copy(b);
    }
    if (r < 0) {
        backup_free(&b);
        return r;
    }
    *out = b;
    return 0;
}

void backup_free(struct backup **at)
{
    struct backup *b = *at;

    if (b == NULL)
        return;
    *at = NULL;
    if (b->running != NULL)
        (void)sqlite3_backup_finish(b->running);
    (void)sqlite3_close(b->copy);
    backup_writer_free(&b->writer);
    if (b->in >= 0)
        (void)close(b->in);
    if (b->out >= 0)
        (void)close(b->out);
    if (b->directory >= 0) {
        remove_leftovers(b->directory);
        (void)close(b->directory);
    }
    free(b->path);
    free(b->piece);
    free(b);
}

const char *backup_name(const struct backup *b)
{
    return b->name;
}

unsigned backup_permille(const struct backup *b)
{
    return b->permille;
}

static int begin_sealing(struct backup *b)
{
    struct stat st;
    int rc = sqlite3_backup_finish(b->running);

    b->running = NULL;
    if (rc == SQLITE_OK)
        rc = sqlite3_close(b->copy);
    if (rc != SQLITE_OK)
        return -EIO;
    b->copy = NULL;
    b->in = openat(b->directory, COPYING, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    b->out = openat(b->directory, SEALING, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (b->in < 0 || b->out < 0 || fstat(b->in, &st) < 0)
        return -errno;
    b->size = st.st_size;
    b->stage = SEAL;
    return backup_writer_new(&b->writer, b->out, &b->store->backup_key, b->taken_us);
}

static int copy_pages(struct backup *b, unsigned pages)
{
    int rc = sqlite3_backup_step(b->running, (int)pages);
    int all = sqlite3_backup_pagecount(b->running), left = sqlite3_backup_remaining(b->running);

    if (all > 0)
        b->permille = (unsigned)(500L * (all - left) / all);
    if (rc == SQLITE_DONE) {
        int r = begin_sealing(b);

        return r < 0 ? r : 1;
    }
    if (rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
        return 1;
    return rc == SQLITE_FULL ? -ENOSPC : rc == SQLITE_NOMEM ? -ENOMEM : -EIO;
}

static int put_in_place(struct backup *b)
{
    if (fsync(b->out) < 0 || renameat(b->directory, SEALING, b->directory, b->name) < 0 ||
        fsync(b->directory) < 0)
        return -errno;
    b->permille = 1000;
    return 0;
}

static int seal_some(struct backup *b)
{
    bool last = false;

    for (unsigned i = 0; i < PIECES_A_STEP && !last; i++) {
        int64_t n = backup_read_all(b->in, b->piece, BACKUP_PIECE);
        int r;

        if (n < 0)
            return (int)n;
        b->sealed += n;
        last = b->sealed >= b->size;
        r = backup_writer_put(b->writer, b->piece, (size_t)n, last);
        if (r < 0)
            return r;
    }
    if (fdatasync(b->out) < 0) /* a little now, so that no step waits for the disk for long */
        return -errno;
    b->permille = 500 + (b->size > 0 ? (unsigned)(499 * b->sealed / b->size) : 0);
    return last ? put_in_place(b) : 1;
}

int backup_step(struct backup *b, unsigned pages)
{
    return b->stage == COPY ? copy_pages(b, pages) : seal_some(b);
}

static int is_backup(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len == strlen(BACKUP_NAME_LIKE) && strncmp(entry->d_name, "uketsuke-", 9) == 0 &&
           strcmp(entry->d_name + len - 7, ".backup") == 0;
}

static int newest_first(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*b)->d_name, (*a)->d_name);
}

int backup_prune(const char *directory, unsigned keep)
{
    struct dirent **names = NULL;
    int n = scandir(directory, &names, is_backup, newest_first), gone = 0;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = n < 0 || fd < 0 ? -errno : 0;

    for (int i = 0; i < n; i++) {
        if (r == 0 && (unsigned)i >= keep) {
            if (unlinkat(fd, names[i]->d_name, 0) == 0)
                gone++;
            else
                r = -errno;
        }
        free(names[i]);
    }
    free(names);
    if (fd >= 0)
        (void)close(fd);
    return r < 0 ? r : gone;
}

int64_t backup_newest_us(const char *directory)
{
    struct dirent **names = NULL;
    int n = scandir(directory, &names, is_backup, newest_first);
    int64_t newest = n < 0 ? -errno : -ENOENT;
    struct tm tm = {0};

    if (n > 0 && strptime(names[0]->d_name, "uketsuke-%Y%m%d-%H%M%S", &tm) != NULL)
        newest = (int64_t)timegm(&tm) * 1000000;
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
    return newest;
}
