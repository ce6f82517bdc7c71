/*
 * short_program: the host and the libraries fail a whole program of the house, in its cage, at each call
 * that it makes for some work (short_calls.h, preloaded into it): it neither crashes nor leaks, what it
 * says is right or nothing, and the next work is done as if nothing had been.
 *
 * A slice of them runs by itself; UKETSUKE_FAULTS=all runs each (`make faults`), a number that one alone.
 */
#ifndef TESTS_UNIT_SHORT_PROGRAM_H
#define TESTS_UNIT_SHORT_PROGRAM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "short_calls.h"

struct short_work {
    const char *words; /* "a question" */
    void *arg;
    /* The whole of it once, whatever fails meanwhile. What is wrong, or NULL; *right: as if nothing was. */
    const char *(*once)(void *arg, bool *right);
    /* The program may be gone by itself (counted), by a crash (said), or not. Afterwards it is there. */
    const char *(*come_back)(void *arg, unsigned *ended);
    unsigned runs; /* of each kind, when not all are run */
};

/*
 * The environment of the program to be failed, from its start on; NULL under the sanitizers, whose programs
 * take no preloaded allocator. `behind`: what is preloaded behind it, or NULL; `spare`: libraries whose own
 * calls do not fail, or NULL.
 */
const char *const *short_program_begin(const char *behind, const char *spare);
void short_program_end(void);
/* Is a call to fail now? */
bool short_program_is_armed(void);

/* The works that a program is failed at, one after the other for each kind of calls. */
struct short_suite {
    const struct short_work *works;
    unsigned n;
    bool no_crypto; /* it makes no call of the cryptographic library */
};

/*
 * What main() of such a test returns: a test a kind of calls; under the sanitizers one of every work undisturbed.
 * Asserts that nothing was wrong, and prints the counts.
 */
int short_program_main(const struct short_suite *suite, CMFixtureFunction up,
                       CMFixtureFunction down);

#endif
