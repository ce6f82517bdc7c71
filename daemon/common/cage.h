/*
 * cage: what a program may still do once it has started.
 *
 * Landlock closes the file system except the paths named (a kernel without it is told to the user, not
 * hidden), seccomp refuses every system call outside the lists with EPERM, for all threads (TSYNC).
 * Enter it after libraries are loaded, threads warmed up and descriptors received; it cannot be left.
 */
#ifndef UKETSUKE_CAGE_H
#define UKETSUKE_CAGE_H

#include <stdbool.h>
#include <stddef.h>

/* Groups of system calls beyond the base (memory, clocks, the given descriptors, the event loop, journal). */
enum cage_call {
    CAGE_THREADS = 1 << 0,     /* futex, clone of threads, sched_*: worker threads made later */
    CAGE_FILES_READ = 1 << 1,  /* open for reading (Landlock says where) */
    CAGE_FILES_WRITE = 1 << 2, /* open, rename, unlink, fsync (Landlock says where) */
    CAGE_UNIX = 1 << 3,        /* socket and connect of AF_UNIX only */
    CAGE_INET =
        1 << 4, /* socket and connect of AF_INET and AF_INET6 (and the resolver's netlink) */
    CAGE_ACCEPT = 1 << 5,  /* accept on a socket received at start */
    CAGE_USB = 1 << 6,     /* ioctl of usbfs on descriptors received */
    CAGE_NETLINK = 1 << 7, /* udev's monitor */
    CAGE_FD_PASS =
        1 << 8, /* memfd_create, fcntl seals (sending and receiving descriptors is in the base) */
    CAGE_DIRECTORY = 1 << 9, /* getdents, inotify: folder upstreams, sysfs walks */
    CAGE_VIDEO =
        1 << 10, /* of video4linux the fourteen requests that streaming needs, each by its number */
    CAGE_CLOCK = 1 << 12, /* ask the kernel whether its clock follows a time server */
    CAGE_MOVES = 1 << 11, /* with FILES_WRITE: from one of the paths that are written to another */
};

struct cage_path {
    const char *path; /* must exist now; skipped with a warning when `optional` */
    bool write;
    bool optional;
};

struct cage_spec {
    unsigned calls; /* enum cage_call */
    const struct cage_path *paths;
    size_t npaths;
    /* A directory below which nodes may be opened for reading and writing, nothing made or removed; NULL: none. */
    const char *devices;
};

/* 0, or negative errno: a program that cannot be caged does not run (main ends with the message). */
int cage_enter(const struct cage_spec *spec);

/* After cage_enter(): which parts hold. Used by HEALTH answers ("cage"). */
struct cage_status {
    bool seccomp;
    int landlock_abi; /* 0: this kernel has none; files are then closed by seccomp alone where no file call is allowed */
    bool no_dumps;
};
void cage_status(struct cage_status *out);

/*
 * `--try-cage`: attempt, from inside, what the design refuses: open a file outside, create one, an internet
 * and a packet socket, exec, ptrace, another's memory, fork. Prints `refused NAME` or `ALLOWED NAME` a
 * line for each and returns the number that were allowed but should not be.
 */
int cage_try(const struct cage_spec *spec);

#endif
