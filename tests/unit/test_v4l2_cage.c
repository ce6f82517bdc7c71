/*
 * The cage of a program that streams video lets through the requests that streaming needs, each by its whole number,
 * and no other of video4linux: a child enters the cage and tries them on a descriptor that is none. Let through, the
 * kernel finds that out (EBADF); the cage says EPERM before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/videodev2.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/common/cage.h"

static const unsigned long needed[] = {
    VIDIOC_QUERYCAP,  VIDIOC_ENUM_FMT, VIDIOC_ENUM_FRAMESIZES, VIDIOC_ENUM_FRAMEINTERVALS,
    VIDIOC_S_FMT,     VIDIOC_S_PARM,   VIDIOC_REQBUFS,         VIDIOC_QUERYBUF,
    VIDIOC_QBUF,      VIDIOC_DQBUF,    VIDIOC_STREAMON,        VIDIOC_STREAMOFF,
    VIDIOC_QUERYCTRL, VIDIOC_S_CTRL,
};

static int is_needed(unsigned long request)
{
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        if (needed[i] == request)
            return 1;
    return 0;
}

/* 0: as it should be; else what is wrong. */
static int try_from_inside(unsigned calls)
{
    const struct cage_spec spec = {.calls = calls};
    int wrong = 0;

    if (cage_enter(&spec) < 0)
        return 1;
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        if (ioctl(-1, needed[i], NULL) != -1 || errno != (calls & CAGE_VIDEO ? EBADF : EPERM))
            wrong = 2;
    /* Every number of the letter V, in each direction, with the sizes that its requests have and others. */
    for (unsigned direction = 0; direction < 4; direction++)
        for (unsigned number = 0; number < 256; number++)
            for (unsigned size = 0; size < 256; size += 4) {
                unsigned long request = _IOC(direction, 'V', number, size);

                if (is_needed(request))
                    continue;
                errno = 0;
                if (ioctl(-1, request, NULL) != -1 || errno != EPERM)
                    wrong = 3;
            }
    if (ioctl(-1, VIDIOC_DBG_S_REGISTER, NULL) != -1 || errno != EPERM)
        wrong = 4;
    return wrong;
}

static int outcome(unsigned calls)
{
    pid_t child = fork();
    int status = 0;

    assert_true(child >= 0);
    if (child == 0)
        _exit(try_from_inside(calls));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void streaming_is_let_through_and_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(outcome(CAGE_VIDEO | CAGE_USB), 0);
}

static void who_does_not_stream_has_none_of_them(void **state)
{
    (void)state;
    assert_int_equal(outcome(CAGE_USB), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streaming_is_let_through_and_nothing_else),
        cmocka_unit_test(who_does_not_stream_has_none_of_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
