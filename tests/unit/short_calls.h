/*
 * short_calls: makes the n-th call fail that a program makes of its host or of a library: memory
 * (its own and its libraries'), files, sockets and the loop's descriptors, SQLite, OpenSSL.
 *
 * The functions here take the place of the real ones for the program that they are linked into and
 * for the shared libraries that it uses; or, as a library in LD_PRELOAD, for a whole program of its
 * own ($SHORT_STATE is then a file of its state that the test maps too, so that calls are armed while
 * it runs; $SHORT_SPARE names libraries, parted by commas or blanks, whose own calls never fail and never count).
 * Nothing fails and nothing counts outside short_in().
 *
 * Memory is watched in ordinary builds only: under the sanitizers they own the allocator, and look
 * for leaks themselves.
 */
#ifndef TESTS_SHORT_CALLS_H
#define TESTS_SHORT_CALLS_H

#include <stdbool.h>

enum short_kind {
    SHORT_MEMORY, /* malloc, calloc, realloc, mmap, memfd_create */
    SHORT_FILES,  /* open, write, pwrite, ftruncate, fsync, rename, unlink */
    SHORT_TALK,   /* socket, connect, accept4, send, sendmsg, recv, recvmsg, epoll_ctl, timerfd,
                     eventfd */
    SHORT_SQLITE,
    SHORT_CRYPTO,
    SHORT_KINDS,
    /* No call of one kind but a state of the host: whatever would make a file longer fails. */
    SHORT_SPACE = SHORT_KINDS
};
#define SHORT_NAMES "memory", "files", "sockets and loop", "SQLite", "OpenSSL"

struct short_state {
    volatile int inside;
    volatile int kind; /* -1: none is armed */
    volatile unsigned n, calls;
    volatile unsigned every;   /* after the n-th each so many-th fails too; 0: none */
    volatile unsigned refused; /* so many failed, in all */
    volatile long live;        /* blocks taken and not given back */
    volatile long clock_s;     /* preloaded: the wall clock is so far off */
    char failed[48];           /* the name of the call that failed last, "" none yet */
};

/* What belongs to the program under test happens between these two; they nest. */
void short_in(void);
void short_out(void);
/* What does not, in the middle of it. Returns what short_resume() is given. */
int short_pause(void);
void short_resume(int was);

/* From now on calls of this kind are counted, and the n-th fails (0: none). */
void short_arm(enum short_kind kind, unsigned n);
/* Calls since. short_failed() says which one failed, NULL none. */
unsigned short_disarm(void);
const char *short_failed(void);
long short_live(void);

/* A cmocka test of that name: run_kind(its state, kind), which stands before it. */
#define SHORT_TEST(kind, words)                                                                    \
    static void words(void **state)                                                                \
    {                                                                                              \
        run_kind(*state, kind);                                                                    \
    }

#endif
