/*
 * caged_child: what is tried inside a cage is tried in a child, since nobody leaves a cage. A call that the cage refuses,
 * or a crash, ends the child with a signal; what run() returns says the rest, 0: all was well.
 */
#ifndef TEST_CAGED_CHILD_H
#define TEST_CAGED_CHILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka wants the four of C above first */
#include <cmocka.h>

static inline void caged_child_is_well(int (*run)(void))
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0)
        _exit(run());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

#endif
