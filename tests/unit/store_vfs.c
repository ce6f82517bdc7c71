#include "store_vfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

struct shim_file {
    sqlite3_file base;
    bool log;
    sqlite3_file *real;
};

static struct {
    sqlite3_vfs shim;
    sqlite3_vfs *real;
    enum vfs_mode mode;
    unsigned at;
    unsigned operations;
    int rc;
    bool fired;
    bool log_unsynced;
} vfs;

static sqlite3_file *real(sqlite3_file *file)
{
    return ((struct shim_file *)file)->real;
}

/* SQLITE_OK: go on. */
static int operation(void)
{
    vfs.operations++;
    if (vfs.mode == VFS_GOOD || vfs.operations < vfs.at ||
        (vfs.mode == VFS_FAIL_ONCE && vfs.operations > vfs.at))
        return SQLITE_OK;
    vfs.fired = true;
    return vfs.rc;
}

static int do_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
    int rc = operation();

    if (((struct shim_file *)file)->log)
        vfs.log_unsynced = true;
    if (rc == SQLITE_OK)
        return real(file)->pMethods->xWrite(real(file), data, len, at);
    if (vfs.mode == VFS_DIE) {
        (void)real(file)->pMethods->xWrite(real(file), data, len / 2, at);
        _exit(VFS_DIED);
    }
    return rc;
}

static int do_sync(sqlite3_file *file, int flags)
{
    int rc = operation();

    if (rc != SQLITE_OK && vfs.mode == VFS_DIE)
        _exit(VFS_DIED);
    if (rc == SQLITE_OK && ((struct shim_file *)file)->log)
        vfs.log_unsynced = false;
    return rc != SQLITE_OK ? rc : real(file)->pMethods->xSync(real(file), flags);
}

static int do_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int rc = operation();

    if (rc != SQLITE_OK && vfs.mode == VFS_DIE)
        _exit(VFS_DIED);
    return rc != SQLITE_OK ? rc : real(file)->pMethods->xTruncate(real(file), size);
}

static int do_close(sqlite3_file *file)
{
    return real(file)->pMethods->xClose(real(file));
}
static int do_read(sqlite3_file *file, void *data, int len, sqlite3_int64 at)
{
    return real(file)->pMethods->xRead(real(file), data, len, at);
}
static int do_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return real(file)->pMethods->xFileSize(real(file), size);
}
static int do_lock(sqlite3_file *file, int level)
{
    return real(file)->pMethods->xLock(real(file), level);
}
static int do_unlock(sqlite3_file *file, int level)
{
    return real(file)->pMethods->xUnlock(real(file), level);
}
static int do_reserved(sqlite3_file *file, int *out)
{
    return real(file)->pMethods->xCheckReservedLock(real(file), out);
}
static int do_control(sqlite3_file *file, int op, void *arg)
{
    return real(file)->pMethods->xFileControl(real(file), op, arg);
}
static int do_sector(sqlite3_file *file)
{
    return real(file)->pMethods->xSectorSize(real(file));
}
static int do_characteristics(sqlite3_file *file)
{
    return real(file)->pMethods->xDeviceCharacteristics(real(file));
}
static int do_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
    return real(file)->pMethods->xShmMap(real(file), page, size, extend, out);
}
static int do_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return real(file)->pMethods->xShmLock(real(file), offset, n, flags);
}
static void do_shm_barrier(sqlite3_file *file)
{
    real(file)->pMethods->xShmBarrier(real(file));
}
static int do_shm_unmap(sqlite3_file *file, int remove)
{
    return real(file)->pMethods->xShmUnmap(real(file), remove);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2, /* no memory mapping: every byte comes through here */
    .xClose = do_close,
    .xRead = do_read,
    .xWrite = do_write,
    .xTruncate = do_truncate,
    .xSync = do_sync,
    .xFileSize = do_size,
    .xLock = do_lock,
    .xUnlock = do_unlock,
    .xCheckReservedLock = do_reserved,
    .xFileControl = do_control,
    .xSectorSize = do_sector,
    .xDeviceCharacteristics = do_characteristics,
    .xShmMap = do_shm_map,
    .xShmLock = do_shm_lock,
    .xShmBarrier = do_shm_barrier,
    .xShmUnmap = do_shm_unmap,
};

static int do_open(sqlite3_vfs *self, const char *name, sqlite3_file *file, int flags,
                   int *out_flags)
{
    struct shim_file *shim = (struct shim_file *)file;
    int rc;

    (void)self;
    shim->real = (sqlite3_file *)(shim + 1);
    shim->log = (flags & SQLITE_OPEN_WAL) != 0;
    rc = vfs.real->xOpen(vfs.real, name, shim->real, flags, out_flags);
    shim->base.pMethods = shim->real->pMethods != NULL ? &methods : NULL;
    return rc;
}

void vfs_register(void)
{
    if (vfs.real != NULL)
        return;
    vfs.real = sqlite3_vfs_find(NULL);
    assert_non_null(vfs.real);
    vfs.shim = *vfs.real;
    vfs.shim.zName = "shim";
    vfs.shim.pNext = NULL;
    vfs.shim.szOsFile = (int)sizeof(struct shim_file) + vfs.real->szOsFile;
    vfs.shim.xOpen = do_open;
    assert_int_equal(sqlite3_vfs_register(&vfs.shim, 1), SQLITE_OK);
}

void vfs_arm(enum vfs_mode mode, unsigned n, int rc)
{
    vfs.mode = mode;
    vfs.at = n;
    vfs.rc = rc;
    vfs.operations = 0;
    vfs.fired = false;
}

unsigned vfs_operations(void)
{
    return vfs.operations;
}

bool vfs_fired(void)
{
    return vfs.fired;
}

bool vfs_log_unsynced(void)
{
    return vfs.log_unsynced;
}
