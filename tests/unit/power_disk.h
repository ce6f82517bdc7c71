/*
 * power_disk: a disk that forgets what was not synced, under a program that does not know.
 *
 * The test program's own open, write, pwrite, ftruncate, fsync, rename, unlink ... take the place
 * of the C library's, for itself and for the libraries it is linked with (SQLite). Below one folder
 * they keep, beside the files as everybody sees them, what would be left of them if the power went
 * now: the bytes as last synced, the names as their folder was last synced, and everything since in
 * the order it was asked for. When the power goes nothing changes any more; power_disk_restore()
 * then leaves what such a disk may hold: of each write since the last sync all, nothing, some
 * sectors of 512 bytes or half a one, in any order; of each new, changed or removed name the same.
 * SQLite's shared memory file holds anything after a cut.
 *
 * What is not modelled: writes through mmap (the files here have none but that shared memory),
 * bytes near a write that were not written (SQLite's "powersafe overwrite"), a disk that says it
 * synced and did not (but see _lie()).
 */
#ifndef TESTS_POWER_DISK_H
#define TESTS_POWER_DISK_H

#include <stdbool.h>
#include <stdint.h>

/* The folder (an absolute path without links) as it is now is on the disk. */
void power_disk_watch(const char *root);
/* The power goes in the n-th operation from now (1: the next) that changes a file or a name, or
 * syncs; 0: never. */
void power_disk_cut_at(unsigned n);
/* How many there were since. */
unsigned power_disk_operations(void);
bool power_disk_is_cut(void);
/* Syncs are acknowledged and do nothing: what every other guard is tried against. */
void power_disk_lie(bool lie);
/* After a cut, with every file closed: one of the states that may be found, by the seed. Watched on
 * from there. */
void power_disk_restore(uint64_t seed);
/* What was lost or torn in restores so far: writes, names. */
void power_disk_losses(unsigned long *writes, unsigned long *names);
void power_disk_forget(void);

#endif
