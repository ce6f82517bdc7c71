/* backup_file: the sealed file of a backup, piece by piece. Private to the store; its shape stands
 * in backup.h. */
#ifndef UKETSUKE_STORE_BACKUP_FILE_H
#define UKETSUKE_STORE_BACKUP_FILE_H

#include "../common/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct backup_writer;
/* Writes to `fd` (borrowed). The key is borrowed until backup_writer_free(). */
int backup_writer_new(struct backup_writer **out, int fd, const struct secret *key,
                      int64_t taken_us);
/* One piece, at most BACKUP_PIECE; `last` exactly once, at the end (it may be empty). */
int backup_writer_put(struct backup_writer *writer, const void *data, size_t len, bool last);
void backup_writer_free(struct backup_writer **writer);

/* Unpacks `in` into `out`. -EKEYREJECTED: sealed with another key; -EBADMSG: not a backup, or
 * damaged. */
int backup_unpack(int in, int out, const struct secret *key, int64_t *taken_us);

/* All of it, whatever the kernel takes at once. */
int backup_write_all(int fd, const void *data, size_t len);
/* How much there was, less than `len` only at the end. Negative errno. */
int64_t backup_read_all(int fd, void *data, size_t len);

#endif
