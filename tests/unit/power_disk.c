#include "power_disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#define SECTOR 512u
#define FILES_MAX 4096

/* The names under which the linker finds these functions before the C library's; no header of
 * theirs is needed. */
#define TAKES(name) __asm__(#name)
int disk_open(const char *path, int flags, ...) TAKES(open);
int disk_openat(int at, const char *path, int flags, ...) TAKES(openat);
ssize_t disk_write(int fd, const void *data, size_t len) TAKES(write);
ssize_t disk_pwrite(int fd, const void *data, size_t len, off_t at) TAKES(pwrite);
int disk_ftruncate(int fd, off_t size) TAKES(ftruncate);
int disk_fallocate(int fd, int mode, off_t at, off_t len) TAKES(fallocate);
int disk_fsync(int fd) TAKES(fsync);
int disk_rename(const char *from, const char *to) TAKES(rename);
int disk_renameat(int at_from, const char *from, int at_to, const char *to) TAKES(renameat);
int disk_linkat(int at_from, const char *from, int at_to, const char *to, int flags) TAKES(linkat);
int disk_unlink(const char *path) TAKES(unlink);
int disk_unlinkat(int at, const char *path, int flags) TAKES(unlinkat);

/* On this machine files are of 64 bits by either name. */
#define TWIN(name, of) __asm__(".globl " #name "\n.type " #name ", @function\n.set " #name ", " #of)
TWIN(open64, open);
TWIN(openat64, openat);
TWIN(pwrite64, pwrite);
TWIN(ftruncate64, ftruncate);
TWIN(fallocate64, fallocate);
TWIN(fdatasync, fsync);

struct change {
    bool truncate;
    off_t at; /* or the new size */
    size_t len;
    uint8_t *data;
};

struct file {
    dev_t device;
    ino_t inode;
    bool known;    /* by device and inode: false once another file has that number */
    uint8_t *data; /* as on the disk */
    size_t size;
    struct change *changes;
    size_t nchanges, room;
};

/* `to` is now `file` (NULL: nothing), and nothing is at `from` (NULL: no such name) any more. */
struct naming {
    char *from, *to;
    struct file *file;
    bool done;
};

struct name {
    char *path; /* below the root */
    struct file *file;
};

static struct {
    pthread_mutex_t lock;
    char root[PATH_MAX];
    size_t root_len; /* 0: nothing is watched */
    struct file *files[FILES_MAX];
    size_t nfiles;
    struct name *names; /* as on the disk */
    size_t nnames;
    struct naming *namings;
    size_t nnamings;
    unsigned operations, cut_at;
    bool cut, lie;
    unsigned long lost_writes, lost_names;
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* -- what is known ----------------------------------------------------------------------------- */

static void *grown(void *old, size_t count, size_t size)
{
    void *block = realloc(old, (count + 1) * size);

    assert_non_null(block);
    return block;
}

/* The path below the root, or false when it is not there. */
static bool below(int at, const char *path, char out[PATH_MAX])
{
    char whole[2 * PATH_MAX + 1], link[64];
    ssize_t n = 0;

    if (disk.root_len == 0)
        return false;
    if (path[0] != '/') {
        if (at == AT_FDCWD)
            return false; /* tests name their folders absolutely */
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", at);
        n = readlink(link, whole, PATH_MAX - 1);
        if (n < 0)
            return false;
        whole[n++] = '/';
    }
    (void)snprintf(whole + n, sizeof(whole) - (size_t)n, "%s", path);
    if (strncmp(whole, disk.root, disk.root_len) != 0 || whole[disk.root_len] != '/')
        return false;
    (void)snprintf(out, PATH_MAX, "%s", whole + disk.root_len + 1);
    return true;
}

static struct file *file_of(dev_t device, ino_t inode)
{
    for (size_t i = disk.nfiles; i-- > 0;)
        if (disk.files[i]->known && disk.files[i]->inode == inode &&
            disk.files[i]->device == device)
            return disk.files[i];
    return NULL;
}

static struct file *file_of_fd(int fd)
{
    struct stat st;

    return disk.root_len != 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)
               ? file_of(st.st_dev, st.st_ino)
               : NULL;
}

static struct file *file_add(const struct stat *st)
{
    struct file *file = calloc(1, sizeof(*file)), *old = file_of(st->st_dev, st->st_ino);

    assert_non_null(file);
    assert_true(disk.nfiles < FILES_MAX);
    if (old != NULL)
        old->known = false;
    file->device = st->st_dev;
    file->inode = st->st_ino;
    file->known = true;
    disk.files[disk.nfiles++] = file;
    return file;
}

static void changes_drop(struct file *file)
{
    for (size_t i = 0; i < file->nchanges; i++)
        free(file->changes[i].data);
    free(file->changes);
    file->changes = NULL;
    file->nchanges = file->room = 0;
}

static void change_add(struct file *file, const struct change *change)
{
    if (file->nchanges == file->room) {
        file->room = file->room * 2 + 16;
        file->changes = realloc(file->changes, file->room * sizeof(*file->changes));
        assert_non_null(file->changes);
    }
    file->changes[file->nchanges++] = *change;
}

static void image_size(struct file *file, size_t size)
{
    if (size > file->size) {
        file->data = realloc(file->data, size);
        assert_non_null(file->data);
        memset(file->data + file->size, 0, size - file->size);
    }
    file->size = size;
}

static void image_put(struct file *file, size_t at, const uint8_t *data, size_t len)
{
    if (at + len > file->size)
        image_size(file, at + len);
    if (len > 0)
        memcpy(file->data + at, data, len);
}

static void change_apply(struct file *file, const struct change *change)
{
    if (change->truncate)
        image_size(file, (size_t)change->at);
    else
        image_put(file, (size_t)change->at, change->data, change->len);
}

static void naming_add(const char *from, const char *to, struct file *file)
{
    disk.namings = grown(disk.namings, disk.nnamings, sizeof(*disk.namings));
    disk.namings[disk.nnamings++] =
        (struct naming){from != NULL ? strdup(from) : NULL, strdup(to), file, false};
}

static struct name *name_find(const char *path)
{
    for (size_t i = 0; i < disk.nnames; i++)
        if (strcmp(disk.names[i].path, path) == 0)
            return &disk.names[i];
    return NULL;
}

static void name_set(const char *path, struct file *file)
{
    struct name *name = name_find(path);

    if (name != NULL && file != NULL) {
        name->file = file;
    } else if (name != NULL) {
        free(name->path);
        *name = disk.names[--disk.nnames];
    } else if (file != NULL) {
        disk.names = grown(disk.names, disk.nnames, sizeof(*disk.names));
        disk.names[disk.nnames++] = (struct name){strdup(path), file};
    }
}

static void naming_apply(struct naming *naming)
{
    naming->done = true;
    if (naming->from != NULL)
        name_set(naming->from, NULL);
    name_set(naming->to, naming->file);
}

static bool in_folder(const char *path, const char *folder)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash != NULL ? (size_t)(slash - path) : 0;

    return strlen(folder) == len && strncmp(path, folder, len) == 0;
}

/* -- the power --------------------------------------------------------------------------------- */

/* One more operation; false: it is the last, or the power is gone already. */
static bool powered(void)
{
    if (disk.cut)
        return false;
    disk.operations++;
    disk.cut = disk.cut_at != 0 && disk.operations >= disk.cut_at;
    return !disk.cut;
}

static int gone(void)
{
    errno = EIO;
    return -1;
}

static int result(long r)
{
    return (int)r;
}

/* -- calls ------------------------------------------------------------------------------------- */

static int do_open(int at, const char *path, int flags, unsigned mode)
{
    char name[PATH_MAX];
    struct stat before, st;
    bool ours, was = false;
    int fd;

    (void)pthread_mutex_lock(&disk.lock);
    ours =
        (flags & (O_CREAT | O_TRUNC)) != 0 && (flags & O_DIRECTORY) == 0 && below(at, path, name);
    if (ours) {
        was = fstatat(at, path, &before, AT_SYMLINK_NOFOLLOW) == 0;
        if ((!was || (flags & O_TRUNC) != 0) && !powered()) {
            (void)pthread_mutex_unlock(&disk.lock);
            return gone();
        }
    }
    fd = result(syscall(SYS_openat, at, path, flags | O_LARGEFILE, mode));
    if (fd >= 0 && ours && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        struct file *file = was ? file_of(st.st_dev, st.st_ino) : NULL;

        if (file == NULL) {
            file = file_add(&st);
            naming_add(NULL, name, file);
        } else if ((flags & O_TRUNC) != 0) {
            change_add(file, &(struct change){.truncate = true});
        }
    }
    (void)pthread_mutex_unlock(&disk.lock);
    return fd;
}

#define MODE(flags)                                                                                \
    unsigned mode = 0;                                                                             \
    if (((flags)&O_CREAT) != 0 || ((flags)&O_TMPFILE) == O_TMPFILE) {                              \
        va_list list;                                                                              \
        va_start(list, flags);                                                                     \
        mode = va_arg(list, unsigned);                                                             \
        va_end(list);                                                                              \
    }

int disk_open(const char *path, int flags, ...)
{
    MODE(flags)
    return do_open(AT_FDCWD, path, flags, mode);
}

int disk_openat(int at, const char *path, int flags, ...)
{
    MODE(flags)
    return do_open(at, path, flags, mode);
}

/* at < 0: where the descriptor stands. */
static ssize_t do_write(int fd, const void *data, size_t len, off_t at)
{
    struct file *file;
    ssize_t n;

    (void)pthread_mutex_lock(&disk.lock);
    file = file_of_fd(fd);
    if (file != NULL && disk.cut) {
        (void)pthread_mutex_unlock(&disk.lock);
        return gone();
    }
    if (file != NULL) {
        struct change change = {.at = at >= 0 ? at : (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR),
                                .len = len};

        change.data = malloc(len + 1);
        assert_non_null(change.data);
        memcpy(change.data, data, len);
        change_add(file, &change);
        (void)powered(); /* the write that the power goes in may be there in parts */
    }
    n = at >= 0 ? syscall(SYS_pwrite64, fd, data, len, at) : syscall(SYS_write, fd, data, len);
    if (file != NULL && !disk.cut)
        assert_int_equal(n, len);
    (void)pthread_mutex_unlock(&disk.lock);
    return file != NULL && disk.cut ? gone() : n;
}

ssize_t disk_write(int fd, const void *data, size_t len)
{
    return disk.root_len == 0 ? syscall(SYS_write, fd, data, len) : do_write(fd, data, len, -1);
}

ssize_t disk_pwrite(int fd, const void *data, size_t len, off_t at)
{
    return do_write(fd, data, len, at);
}

static int do_truncate(int fd, off_t size)
{
    struct file *file;
    int r;

    (void)pthread_mutex_lock(&disk.lock);
    file = file_of_fd(fd);
    if (file != NULL && disk.cut) {
        (void)pthread_mutex_unlock(&disk.lock);
        return gone();
    }
    if (file != NULL) {
        change_add(file, &(struct change){.truncate = true, .at = size});
        (void)powered();
    }
    r = result(syscall(SYS_ftruncate, fd, size));
    (void)pthread_mutex_unlock(&disk.lock);
    return r;
}

int disk_ftruncate(int fd, off_t size)
{
    return do_truncate(fd, size);
}

/* Room in advance is not a matter of what is kept; nobody here counts on it. */
int disk_fallocate(int fd, int mode, off_t at, off_t len)
{
    if (file_of_fd(fd) == NULL)
        return result(syscall(SYS_fallocate, fd, mode, at, len));
    errno = EOPNOTSUPP;
    return -1;
}

static void sync_file(struct file *file)
{
    for (size_t i = 0; i < file->nchanges; i++)
        change_apply(file, &file->changes[i]);
    changes_drop(file);
}

static void sync_folder(const char *folder)
{
    size_t left = 0;

    for (size_t i = 0; i < disk.nnamings; i++) {
        struct naming *naming = &disk.namings[i];

        if (in_folder(naming->to, folder))
            naming_apply(naming);
    }
    for (size_t i = 0; i < disk.nnamings; i++) {
        if (!disk.namings[i].done) {
            disk.namings[left++] = disk.namings[i];
            continue;
        }
        free(disk.namings[i].from);
        free(disk.namings[i].to);
    }
    disk.nnamings = left;
}

static int do_sync(int fd)
{
    struct file *file;
    char link[64], path[PATH_MAX];
    struct stat st;
    bool folder;
    ssize_t n;

    (void)pthread_mutex_lock(&disk.lock);
    file = file_of_fd(fd);
    folder = disk.root_len != 0 && file == NULL && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
    if (folder) {
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, path, sizeof(path) - 1);
        path[n < 0 ? 0 : n] = '\0';
        folder = strncmp(path, disk.root, disk.root_len) == 0 &&
                 (path[disk.root_len] == '/' || path[disk.root_len] == '\0');
    }
    if ((file != NULL || folder) && !powered()) {
        (void)pthread_mutex_unlock(&disk.lock);
        return gone();
    }
    if (file != NULL && !disk.lie)
        sync_file(file);
    if (folder && !disk.lie)
        sync_folder(path[disk.root_len] == '/' ? path + disk.root_len + 1 : "");
    (void)pthread_mutex_unlock(&disk.lock);
    return 0; /* the disk of the machine that this runs on is none of it */
}

int disk_fsync(int fd)
{
    return do_sync(fd);
}

static int do_rename(int at_from, const char *from, int at_to, const char *to)
{
    char old[PATH_MAX], new[PATH_MAX];
    struct stat st;
    bool ours;
    int r = -1;

    (void)pthread_mutex_lock(&disk.lock);
    ours = below(at_from, from, old) && below(at_to, to, new) &&
           fstatat(at_from, from, &st, 0) == 0 && S_ISREG(st.st_mode);
    if (ours && !powered()) {
        (void)pthread_mutex_unlock(&disk.lock);
        return gone();
    }
    r = result(syscall(SYS_renameat2, at_from, from, at_to, to, 0));
    if (r == 0 && ours)
        naming_add(old, new, file_of(st.st_dev, st.st_ino));
    (void)pthread_mutex_unlock(&disk.lock);
    return r;
}

int disk_rename(const char *from, const char *to)
{
    return do_rename(AT_FDCWD, from, AT_FDCWD, to);
}

int disk_renameat(int at_from, const char *from, int at_to, const char *to)
{
    return do_rename(at_from, from, at_to, to);
}

int disk_linkat(int at_from, const char *from, int at_to, const char *to, int flags)
{
    char old[PATH_MAX], new[PATH_MAX];
    struct stat st;
    bool ours;
    int r;

    (void)pthread_mutex_lock(&disk.lock);
    ours =
        below(at_from, from, old) && below(at_to, to, new) && fstatat(at_from, from, &st, 0) == 0;
    if (ours && !powered()) {
        (void)pthread_mutex_unlock(&disk.lock);
        return gone();
    }
    r = result(syscall(SYS_linkat, at_from, from, at_to, to, flags));
    if (r == 0 && ours)
        naming_add(NULL, new, file_of(st.st_dev, st.st_ino));
    (void)pthread_mutex_unlock(&disk.lock);
    return r;
}

static int do_unlink(int at, const char *path, int flags)
{
    char name[PATH_MAX];
    struct stat st;
    bool ours;
    int r;

    (void)pthread_mutex_lock(&disk.lock);
    ours = (flags & AT_REMOVEDIR) == 0 && below(at, path, name) &&
           fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (ours && !powered()) {
        (void)pthread_mutex_unlock(&disk.lock);
        return gone();
    }
    r = result(syscall(SYS_unlinkat, at, path, flags));
    if (r == 0 && ours)
        naming_add(NULL, name, NULL);
    (void)pthread_mutex_unlock(&disk.lock);
    return r;
}

int disk_unlink(const char *path)
{
    return do_unlink(AT_FDCWD, path, 0);
}

int disk_unlinkat(int at, const char *path, int flags)
{
    return do_unlink(at, path, flags);
}

/* -- begin, end, and what is found ------------------------------------------------------------- */

void power_disk_forget(void)
{
    for (size_t i = 0; i < disk.nfiles; i++) {
        changes_drop(disk.files[i]);
        free(disk.files[i]->data);
        free(disk.files[i]);
    }
    for (size_t i = 0; i < disk.nnames; i++)
        free(disk.names[i].path);
    for (size_t i = 0; i < disk.nnamings; i++) {
        free(disk.namings[i].from);
        free(disk.namings[i].to);
    }
    free(disk.names);
    free(disk.namings);
    disk.names = NULL;
    disk.namings = NULL;
    disk.nfiles = disk.nnames = disk.nnamings = disk.root_len = 0;
    disk.cut = disk.lie = false;
    disk.cut_at = disk.operations = 0;
}

/* Every file below `path` to `each`: its path below the root. */
static void walk(const char *path, void (*each)(const char *whole, const char *name))
{
    const struct dirent *entry;
    DIR *dir = opendir(path);

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        char whole[2 * PATH_MAX];
        struct stat st;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        (void)snprintf(whole, sizeof(whole), "%s/%s", path, entry->d_name);
        if (lstat(whole, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode))
            walk(whole, each);
        else if (S_ISREG(st.st_mode))
            each(whole, whole + disk.root_len + 1);
    }
    assert_int_equal(closedir(dir), 0);
}

static void take_up(const char *whole, const char *name)
{
    struct file *file;
    struct stat st;
    int fd = result(syscall(SYS_openat, AT_FDCWD, whole, O_RDONLY | O_CLOEXEC));

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    file = file_add(&st);
    image_size(file, (size_t)st.st_size);
    if (st.st_size > 0)
        assert_int_equal(pread(fd, file->data, file->size, 0), st.st_size);
    assert_int_equal(close(fd), 0);
    name_set(name, file);
}

static void take_away(const char *whole, const char *name)
{
    (void)name;
    assert_int_equal(syscall(SYS_unlinkat, AT_FDCWD, whole, 0), 0);
}

void power_disk_watch(const char *root)
{
    power_disk_forget();
    disk.root_len = strlen(root);
    assert_true(disk.root_len < sizeof(disk.root));
    memcpy(disk.root, root, disk.root_len + 1);
    walk(root, take_up);
}

void power_disk_cut_at(unsigned n)
{
    disk.operations = 0;
    disk.cut_at = n;
}

unsigned power_disk_operations(void)
{
    return disk.operations;
}

bool power_disk_is_cut(void)
{
    return disk.cut;
}

void power_disk_lie(bool lie)
{
    disk.lie = lie;
}

void power_disk_losses(unsigned long *writes, unsigned long *names)
{
    *writes = disk.lost_writes;
    *names = disk.lost_names;
}

static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Some sectors of a write, perhaps half of one; what lies in between and was beyond the end is zero
 * or anything. */
static bool write_some(struct file *file, const struct change *change, uint64_t *seed)
{
    size_t at = (size_t)change->at, end = at + change->len;
    bool all = true;

    while (at < end) {
        size_t len = SECTOR - at % SECTOR;
        uint64_t luck = draw(seed) % 16;

        len = len < end - at ? len : end - at;
        if (luck < 7) {
            image_put(file, at, change->data + (at - (size_t)change->at), len);
        } else if (luck == 7) {
            image_put(file, at, change->data + (at - (size_t)change->at), len / 2);
            all = false;
        } else if (luck == 8 && at + len > file->size) {
            uint8_t anything[SECTOR];

            for (size_t i = 0; i < len; i++)
                anything[i] = (uint8_t)draw(seed);
            image_put(file, at, anything, len);
            all = false;
        } else {
            all = false;
        }
        at += len;
    }
    return all;
}

enum habit { NOTHING, EVERYTHING, UP_TO_ONE, SOME, HABITS };

/* What of one file's changes since its last sync has come to the disk. */
static void settle_file(struct file *file, uint64_t *seed)
{
    enum habit habit = (enum habit)(draw(seed) % HABITS);
    size_t few = file->nchanges > 0 ? draw(seed) % file->nchanges : 0;

    for (size_t i = 0; i < file->nchanges; i++) {
        const struct change *change = &file->changes[i];
        bool whole = habit == EVERYTHING || (habit == UP_TO_ONE && i < few);
        bool part = (habit == UP_TO_ONE && i == few) || habit == SOME;

        if (part && change->truncate)
            whole = draw(seed) % 2 == 0;
        else if (part)
            part = !write_some(file, change, seed);
        if (whole)
            change_apply(file, change);
        disk.lost_writes += !whole && (part || habit == NOTHING || (habit == UP_TO_ONE && i > few));
    }
    changes_drop(file);
}

static void settle_names(uint64_t *seed)
{
    enum habit habit = (enum habit)(draw(seed) % HABITS);
    size_t few = disk.nnamings > 0 ? draw(seed) % (disk.nnamings + 1) : 0;

    for (size_t i = 0; i < disk.nnamings; i++) {
        bool keep = habit == EVERYTHING || (habit == UP_TO_ONE && i < few) ||
                    (habit == SOME && draw(seed) % 2 == 0);

        if (keep)
            naming_apply(&disk.namings[i]);
        disk.lost_names += !keep;
    }
}

static void put_down(const struct name *name, uint64_t *seed)
{
    struct file *file = name->file;
    size_t len = strlen(name->path);
    char whole[2 * PATH_MAX];
    int fd;

    if (len > 4 && strcmp(name->path + len - 4, "-shm") == 0)
        for (size_t i = 0; i < file->size; i++)
            file->data[i] = (uint8_t)draw(seed);
    (void)snprintf(whole, sizeof(whole), "%s/%s", disk.root, name->path);
    for (char *slash = whole + disk.root_len + 1; (slash = strchr(slash, '/')) != NULL;
         *slash++ = '/') {
        *slash = '\0'; /* a folder that was removed comes back with what was in it */
        (void)mkdir(whole, 0700);
    }
    fd =
        result(syscall(SYS_openat, AT_FDCWD, whole, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    assert_true(fd >= 0);
    if (file->size > 0)
        assert_int_equal(syscall(SYS_write, fd, file->data, file->size), file->size);
    assert_int_equal(close(fd), 0);
}

void power_disk_restore(uint64_t seed)
{
    char root[PATH_MAX];

    for (size_t i = 0; i < disk.nfiles; i++)
        settle_file(disk.files[i], &seed);
    settle_names(&seed);
    walk(disk.root, take_away);
    for (size_t i = 0; i < disk.nnames; i++)
        put_down(&disk.names[i], &seed);
    memcpy(root, disk.root, sizeof(root));
    power_disk_watch(root);
}
