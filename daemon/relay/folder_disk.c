#include "folder_disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE 4096 /* written at once; a crash between two leaves half a file */
#define MODE 0660  /* the other side may be another user of this machine; the mask decides */

static int step(const struct folder_disk *disk, const char *name)
{
    return disk->before != NULL ? disk->before(disk->arg, name) : 0;
}

static int path_of(const struct folder_disk *disk, enum folder_place place, const char *name,
                   char path[PATH_MAX])
{
    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL ||
        strlen(name) > FOLDER_NAME_MAX)
        return -EINVAL;
    if ((size_t)snprintf(path, PATH_MAX, "%s/%s", disk->paths[place], name) >= PATH_MAX)
        return -ENAMETOOLONG;
    return 0;
}

static void take_stat(const struct stat *st, struct folder_stat *out)
{
    *out = (struct folder_stat){
        .size = (uint64_t)st->st_size,
        .modified_us = (int64_t)st->st_mtim.tv_sec * 1000000 + st->st_mtim.tv_nsec / 1000,
        .regular = S_ISREG(st->st_mode),
    };
}

static int write_all(const struct folder_disk *disk, int fd, const uint8_t *data, size_t len)
{
    while (len > 0) {
        int error = step(disk, "write");
        ssize_t n;

        if (error != 0)
            return error;
        n = write(fd, data, len < PIECE ? len : PIECE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/* The new names themselves; a share that cannot do that has done it at once. */
static int sync_place(const struct folder_disk *disk, enum folder_place place)
{
    int fd = open(disk->paths[place], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = 0;

    if (fd < 0)
        return -errno;
    if (fsync(fd) != 0 && errno != EINVAL && errno != ENOSYS && errno != ENOTSUP)
        error = -errno;
    (void)close(fd);
    return error;
}

int folder_disk_create(const struct folder_disk *disk, enum folder_place place, const char *name,
                       const void *data, size_t len, struct folder_stat *out)
{
    char path[PATH_MAX];
    struct stat st;
    int error = path_of(disk, place, name, path);
    int fd;

    if (error == 0)
        error = step(disk, "create");
    if (error != 0)
        return error;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, MODE);
    if (fd < 0)
        return -errno;
    error = write_all(disk, fd, data, len);
    memset(&st, 0, sizeof(st));
    if (error == 0)
        error = step(disk, "sync");
    if (error == 0 && (fsync(fd) != 0 || fstat(fd, &st) != 0))
        error = -errno;
    /* A full disk behind a network may be told at the close only. */
    if (close(fd) != 0 && error == 0)
        error = -errno;
    if (error == 0)
        error = step(disk, "sync");
    if (error == 0)
        error = sync_place(disk, place);
    if (error != 0)
        (void)unlink(path);
    else if (out != NULL)
        take_stat(&st, out);
    return error;
}

int folder_disk_move(const struct folder_disk *disk, enum folder_place from, const char *name,
                     enum folder_place to, const char *new_name)
{
    char old_path[PATH_MAX], new_path[PATH_MAX];
    struct stat st;
    int error = path_of(disk, from, name, old_path);

    if (error == 0)
        error = path_of(disk, to, new_name, new_path);
    if (error == 0)
        error = step(disk, "move");
    if (error != 0)
        return error;
    if (renameat2(AT_FDCWD, old_path, AT_FDCWD, new_path, RENAME_NOREPLACE) != 0) {
        if (errno != EINVAL && errno != ENOSYS)
            return -errno;
        /* SMB has no such flag. Nobody else makes files of our names, so that looking first is as
         * good. */
        if (lstat(new_path, &st) == 0)
            return -EEXIST;
        if (errno != ENOENT)
            return -errno;
        if (rename(old_path, new_path) != 0)
            return -errno;
    }
    error = step(disk, "sync");
    return error != 0 ? error : sync_place(disk, to);
}

int folder_disk_sync(const struct folder_disk *disk, enum folder_place place)
{
    int error = step(disk, "sync");

    return error != 0 ? error : sync_place(disk, place);
}

int folder_disk_remove(const struct folder_disk *disk, enum folder_place place, const char *name)
{
    char path[PATH_MAX];
    int error = path_of(disk, place, name, path);

    if (error == 0)
        error = step(disk, "remove");
    if (error != 0)
        return error;
    return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
}

int folder_disk_stat(const struct folder_disk *disk, enum folder_place place, const char *name,
                     struct folder_stat *out)
{
    char path[PATH_MAX];
    struct stat st;
    int error = path_of(disk, place, name, path);

    if (error == 0)
        error = step(disk, "stat");
    if (error != 0)
        return error;
    if (lstat(path, &st) != 0)
        return -errno;
    take_stat(&st, out);
    return 0;
}

static int read_all(int fd, size_t most, uint8_t **data, size_t *len)
{
    size_t size = most + 1, used = 0;
    uint8_t *buffer = malloc(size);
    int error = buffer != NULL ? 0 : -ENOMEM;

    while (error == 0 && used < size) {
        ssize_t n = read(fd, buffer + used, size - used);

        if (n == 0)
            break;
        if (n > 0)
            used += (size_t)n;
        else if (errno != EINTR)
            error = errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
    }
    /* Longer than it was a moment ago: somebody is writing. */
    if (error == 0 && used > most)
        error = -EBUSY;
    if (error != 0) {
        if (buffer != NULL)
            explicit_bzero(buffer, used);
        free(buffer);
        return error;
    }
    *data = buffer;
    *len = used;
    return 0;
}

int folder_disk_read(const struct folder_disk *disk, enum folder_place place, const char *name,
                     size_t most, uint8_t **data, size_t *len, struct folder_stat *out)
{
    char path[PATH_MAX];
    struct stat st;
    int error = path_of(disk, place, name, path);
    int fd;

    *data = NULL;
    *len = 0;
    if (error == 0)
        error = step(disk, "open");
    if (error != 0)
        return error;
    /* Not blocking: a pipe would wait for a writer, a file under a lease for its holder. */
    fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        switch (errno) {
        case EAGAIN:
        case EACCES: /* how an SMB share says that a writer does not share */
        case EPERM:
        case EBUSY:
        case ETXTBSY:
            return -EBUSY;
        case ELOOP:
        case ENXIO:
            return -ENOTSUP;
        default:
            return -errno;
        }
    if (fstat(fd, &st) != 0)
        error = -errno;
    else if (!S_ISREG(st.st_mode))
        error = -ENOTSUP;
    else if ((uint64_t)st.st_size > most)
        error = -EFBIG;
    else
        error = read_all(fd, (size_t)st.st_size, data, len);
    (void)close(fd);
    if (error == 0)
        take_stat(&st, out);
    return error;
}

int folder_disk_list(const struct folder_disk *disk, enum folder_place place,
                     folder_disk_name_fn *each, void *arg)
{
    int error = step(disk, "list");
    struct dirent *entry;
    DIR *dir;

    if (error != 0)
        return error;
    dir = opendir(disk->paths[place]);
    if (dir == NULL)
        return -errno;
    while (error == 0) {
        errno = 0;
        entry = readdir(dir);
        if (entry == NULL) {
            error = -errno;
            break;
        }
        if (entry->d_name[0] != '.' && strlen(entry->d_name) <= FOLDER_NAME_MAX)
            error = each(arg, entry->d_name);
    }
    (void)closedir(dir);
    return error;
}
