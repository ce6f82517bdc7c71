/*
 * backup: a sealed copy of the whole database, made while the desk works, and the way back.
 *
 * SQLite's online backup copies some pages a step into DIRECTORY/.copying; that copy is then
 * sealed, a piece a step, into DIRECTORY/.sealing, which becomes NAME when it is whole and on the
 * disk. A backup that was cut short leaves only files whose name begins with a dot; the next one
 * removes them.
 *
 * The file: "UKETSUKE BACKUP\n", then 1 byte format, 8 bytes id of the key, 8 bytes time
 * (microseconds since 1970), 8 bytes nonce, all little endian; then pieces: 4 bytes length of the
 * plain text (at most BACKUP_PIECE), AES-256-GCM ciphertext, tag of 16. The IV of piece n is the
 * nonce followed by n (4 bytes); the additional data are the whole beginning and one byte that is 1
 * in the last piece only: cut, mixed and reordered files do not open.
 *
 * Functions return 0 or a negative errno; those with `message` also say in words what to do (free
 * it).
 */
#ifndef UKETSUKE_STORE_BACKUP_H
#define UKETSUKE_STORE_BACKUP_H

#include "store.h"

#define BACKUP_PIECE (64u << 10)
#define BACKUP_NAME_MAX 64
#define BACKUP_NAME_LIKE "uketsuke-YYYYMMDD-HHMMSS.backup" /* UTC */

struct backup;
/* Begins a backup of an open store into a directory that exists. The name is made from the store's
 * clock. */
int backup_begin(struct backup **out, struct store *store, const char *directory);
/* 1: more to do; 0: the file stands under backup_name() and is on the disk; negative: given up,
 * nothing is left. */
int backup_step(struct backup *backup, unsigned pages);
/* How far: 0...1000. */
unsigned backup_permille(const struct backup *backup);
const char *backup_name(const struct backup *backup);
/* Also in the middle: what was begun is removed. */
void backup_free(struct backup **backup);

/* Removes all but the newest `keep` backups of this directory. How many went, or a negative errno.
 */
int backup_prune(const char *directory, unsigned keep);

/* When the newest backup there was begun, by its name; -ENOENT: none. */
int64_t backup_newest_us(const char *directory);

struct backup_report {
    int64_t taken_us;
    uint64_t visits, answers, audit_rows;
};
/*
 * Opens the file with the master key, unpacks it beside itself, asks SQLite whether it is whole and
 * walks its audit chain; nothing is changed. -EKEYREJECTED: another key; -EBADMSG: damaged.
 */
int backup_check(const char *file, const struct secret *master, struct clock *clock,
                 struct backup_report *report, char **message);
/*
 * The same, and then it takes the place of DIRECTORY/uketsuke.db. What stood there is kept as
 * uketsuke.db.before-restore-TIME. -EBUSY while a desk uses the directory.
 */
int backup_restore(const char *file, const char *directory, const struct secret *master,
                   struct clock *clock, struct backup_report *report, char **message);

#endif
