/*
 * lane_wrap: makes the n-th call fail that the driver asks of the host: memory, memory of the cryptographic library,
 * each call into that library. The linker puts these functions around the real ones (-Wl,--wrap, see the Makefile);
 * nothing fails and nothing counts until asked for, or while the simulated device is at work.
 */
#ifndef LANE_WRAP_H
#define LANE_WRAP_H

#include <stddef.h>

enum lane_wrap_kind {
    LANE_WRAP_MEMORY,  /* malloc, calloc, mmap, memfd_create, getrandom ... */
    LANE_WRAP_LIBRARY, /* EVP_*, X509_*, BN_*, OSSL_* ... */
    LANE_WRAP_INSIDE,  /* the memory that the library asks for */
    LANE_WRAP_KINDS
};

/* First thing in main(). */
void lane_wrap_prepare(void);
/* From now on calls of this kind are counted, and the n-th fails (0: none, n+1-th and later do not). */
void lane_wrap_arm(enum lane_wrap_kind kind, unsigned n);
/* Calls since; the name of the one that failed into *name (NULL: none). */
unsigned lane_wrap_disarm(const char **name);
/* Blocks that driver and library hold now. */
long lane_wrap_live(void);

#endif
