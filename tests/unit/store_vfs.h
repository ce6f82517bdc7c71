/*
 * store_vfs: SQLite's default VFS with a disk that fails, or a process that dies, at the n-th write, sync or
 * truncation. Registered as the default, so that store_open() runs over it unchanged.
 */
#ifndef TESTS_STORE_VFS_H
#define TESTS_STORE_VFS_H

#include <stdbool.h>

enum vfs_mode {
    VFS_GOOD,
    VFS_FAIL_ONCE, /* the n-th operation alone fails */
    VFS_FAIL_ON,   /* the n-th and all after it: the disk stays full */
    VFS_DIE,       /* half of the n-th write is done, then the process ends with VFS_DIED */
};
#define VFS_DIED 77

void vfs_register(void);
/* Count from here; n is 1 for the next operation. rc: what SQLite is told. */
void vfs_arm(enum vfs_mode mode, unsigned n, int rc);
/* Operations since vfs_arm(). */
unsigned vfs_operations(void);
/* Did the armed operation come? */
bool vfs_fired(void);
/* Was something written to a write-ahead log since its last sync? */
bool vfs_log_unsynced(void);

#endif
