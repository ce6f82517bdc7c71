/*
 * folder_disk: the file operations of the folder protocol, one call each; all that ever touches a
 * shared folder.
 *
 * Names are single components; everything else is refused (-EINVAL). A file that is opened for
 * reading must be a regular one: a pipe, a device, a directory or a link is told apart (-ENOTSUP)
 * and never waited for. Calls may block for as long as the mount does: they belong on
 * folder_worker's thread, never on an event loop.
 *
 * Before each step that the outside could see, `before` is asked (tests only): it may fail the
 * step, or end the process there, so that a crash at every single one of them can be walked
 * through.
 */
#ifndef UKETSUKE_RELAY_FOLDER_DISK_H
#define UKETSUKE_RELAY_FOLDER_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum folder_place { FOLDER_WORK, FOLDER_REQ, FOLDER_RES, FOLDER_FACE, FOLDER_PLACES };

#define FOLDER_NAME_MAX 200

struct folder_disk {
    const char *paths[FOLDER_PLACES]; /* absolute; borrowed */
    /* Tests: called before a step ("create", "write", "sync", "move", "remove", "open", "list");
     * not 0: it fails so. */
    int (*before)(void *arg, const char *step);
    void *arg;
};

struct folder_stat {
    uint64_t size;
    int64_t modified_us; /* by the clock of whoever holds the folder */
    bool regular;
};

/* A new file, whole and synced, or none. -EEXIST when the name is taken. `stat` may be NULL. */
int folder_disk_create(const struct folder_disk *disk, enum folder_place place, const char *name,
                       const void *data, size_t len, struct folder_stat *stat);
/*
 * Moves a file to where no file of that name is (-EEXIST). After any other failure nobody knows
 * whether it happened; the caller looks.
 */
int folder_disk_move(const struct folder_disk *disk, enum folder_place from, const char *name,
                     enum folder_place to, const char *new_name);
/* 0 also when it was not there. */
int folder_disk_remove(const struct folder_disk *disk, enum folder_place place, const char *name);
/* What names the folder has outlives a loss of power. */
int folder_disk_sync(const struct folder_disk *disk, enum folder_place place);
/* -ENOENT... */
int folder_disk_stat(const struct folder_disk *disk, enum folder_place place, const char *name,
                     struct folder_stat *out);
/*
 * The whole of a regular file; the caller wipes and frees *data. -EFBIG: more than `most`;
 * -ENOTSUP: no regular file; -EBUSY: somebody keeps it locked; -ENOENT...
 */
int folder_disk_read(const struct folder_disk *disk, enum folder_place place, const char *name,
                     size_t most, uint8_t **data, size_t *len, struct folder_stat *stat);

/* Each name in turn, in no order; `each` not 0: stop with that. */
typedef int folder_disk_name_fn(void *arg, const char *name);
int folder_disk_list(const struct folder_disk *disk, enum folder_place place,
                     folder_disk_name_fn *each, void *arg);

#endif
