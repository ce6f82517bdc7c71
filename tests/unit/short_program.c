#include "short_program.h"

#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "program_rig.h"

static struct short_state *shared;
static char state_path[64];

const char *const *short_program_begin(const char *behind, const char *spare)
{
    static char preload[PATH_MAX + 128], where[sizeof(state_path) + 16], spared[256];
    static const char *environment[4];
    char library[PATH_MAX];
    int fd;

    (void)snprintf(state_path, sizeof(state_path), "/tmp/uketsuke-short-XXXXXX");
    fd = mkstemp(state_path);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, sizeof(*shared)), 0);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(shared != MAP_FAILED);
    (void)close(fd);
    shared->kind = -1;
#ifdef __SANITIZE_ADDRESS__
    (void)behind, (void)spare, (void)preload, (void)where, (void)spared, (void)library;
    (void)environment;
    return NULL;
#else
    program_path("short.so", library, sizeof(library));
    (void)snprintf(preload, sizeof(preload), "LD_PRELOAD=%s%s%s", library,
                   behind != NULL ? " " : "", behind != NULL ? behind : "");
    (void)snprintf(where, sizeof(where), "SHORT_STATE=%s", state_path);
    (void)snprintf(spared, sizeof(spared), "SHORT_SPARE=%s", spare != NULL ? spare : "");
    environment[0] = preload;
    environment[1] = where;
    environment[2] = spared;
    environment[3] = NULL;
    return environment;
#endif
}

void short_program_end(void)
{
    (void)munmap(shared, sizeof(*shared));
    (void)unlink(state_path);
}

bool short_program_is_armed(void)
{
    return shared->kind >= 0 && shared->n > 0;
}

static void calm(const struct short_work *work)
{
    bool right = false;
    const char *wrong = work->once(work->arg, &right);

    if (wrong != NULL || !right)
        fail_msg("%s, undisturbed: %s", work->words, wrong != NULL ? wrong : "not done");
}

#ifdef __SANITIZE_ADDRESS__
/* A program under the sanitizers takes no preloaded allocator: the ordinary build has its calls failed. */
static void undisturbed_each_work_is_done(void **state)
{
    const struct short_suite *suite = *state;

    for (unsigned i = 0; i < suite->n; i++)
        calm(&suite->works[i]);
}

int short_program_main(const struct short_suite *suite, CMFixtureFunction up,
                       CMFixtureFunction down)
{
    const struct CMUnitTest tests[] = {
        {"undisturbed_each_work_is_done", undisturbed_each_work_is_done, NULL, NULL,
         (void *)(uintptr_t)suite},
    };

    return cmocka_run_group_tests(tests, up, down);
}
#else
/* What is kept grows each time. More rounds than a relay that has just begun keeps connections (six, libcurl's pool). */
#define ROUNDS 12

static const char *const names[SHORT_KINDS] = {SHORT_NAMES};

static void arm(enum short_kind kind, unsigned n)
{
    shared->calls = 0;
    shared->n = n;
    shared->every = 0;
    memset(shared->failed, 0, sizeof(shared->failed));
    shared->inside = 1;
    shared->kind = (int)kind;
}

static unsigned disarm(void)
{
    shared->kind = -1;
    shared->inside = 0;
    return shared->calls;
}

struct counts {
    unsigned right, ended;
};

/* With the n-th call failed; NULL or what is wrong. */
static const char *one(const struct short_work *work, enum short_kind kind, unsigned n,
                       struct counts *counts)
{
    const char *wrong;
    bool right = false;

    arm(kind, n);
    wrong = work->once(work->arg, &right);
    (void)disarm();
    counts->right += right;
    if (wrong == NULL)
        wrong = work->come_back(work->arg, &counts->ended);
    /* As if nothing was: whether something stays behind, the next call's work shows. */
    if (right)
        return wrong;
    /* What was begun when it failed may show only now: once. */
    for (unsigned again = 0; wrong == NULL && again < 2; again++) {
        right = false;
        wrong = work->once(work->arg, &right);
        if (right)
            break;
        if (wrong == NULL)
            wrong = work->come_back(work->arg, &counts->ended);
        if (wrong == NULL && again == 1)
            wrong = "the next one is not undisturbed";
    }
    return wrong;
}

static bool leaks(const struct short_work *work, enum short_kind kind, unsigned n)
{
    struct counts none = {0};
    unsigned grown = 0;

    for (unsigned i = 0; i < ROUNDS; i++) {
        const long live = shared->live;

        (void)one(work, kind, n, &none);
        grown += shared->live > live;
    }
    return grown == ROUNDS;
}

/*
 * What was begun when the last call of another kind failed may show only now; and on a busy machine a program may still
 * hold back for it. Nothing is judged here but that no answer is wrong.
 */
static void settle(const struct short_work *work, struct counts *counts)
{
    static const struct timespec rest = {0, 500000000};
    bool right = false;

    for (unsigned again = 0; again < 60 && !right; again++) {
        const char *wrong = work->once(work->arg, &right);

        if (wrong == NULL && !right) {
            wrong = work->come_back(work->arg, &counts->ended);
            (void)nanosleep(&rest, NULL);
        }
        if (wrong != NULL)
            fail_msg("%s, after another kind: %s", work->words, wrong);
    }
}

static void run(const struct short_work *work, enum short_kind kind)
{
    const char *wish = getenv("UKETSUKE_FAULTS");
    const bool all = wish != NULL && strcmp(wish, "all") == 0;
    const unsigned only = wish != NULL ? (unsigned)strtoul(wish, NULL, 10) : 0;
    static const char *warm;
    struct counts counts = {0};
    unsigned total, runs = 0, failed = 0;

    settle(work, &counts);
    counts.ended = 0;
    for (unsigned i = 0; i < 3 && warm != work->words; i++) /* what is made once, is made now */
        calm(work);
    warm = work->words;
    arm(kind, 0);
    calm(work);
    total = disarm();
    for (unsigned n = only > 0 ? only : 1; n <= total; n += only > 0 ? total
                                                            : all ? 1
                                                                  : 1 + total / work->runs,
                  runs++) {
        const long live = shared->live;
        const unsigned ends = counts.ended;
        const char *wrong = one(work, kind, n, &counts);
        char name[sizeof(shared->failed)];

        (void)snprintf(name, sizeof(name), "%s", shared->failed);
        if (wrong == NULL && ends == counts.ended && shared->live > live + 16 &&
            leaks(work, kind, n))
            wrong = "memory is kept";
        if (wrong == NULL)
            continue;
        failed++;
        print_message("FAIL %s %u (%s): %s\n", names[kind], n, name, wrong);
    }
    print_message(
        "%s, %s: %u calls, %u of them made to fail in turn: %u times all was well all the "
        "same, the program ended by itself %u times, %u failed\n",
        names[kind], work->words, total, runs, counts.right, counts.ended, failed);
    assert_int_equal(failed, 0);
    assert_true(total > 0); /* else it says nothing */
}

struct kind_of_suite {
    const struct short_suite *suite;
    enum short_kind kind;
};

static void run_kind(void **state)
{
    const struct kind_of_suite *of = *state;

    for (unsigned i = 0; i < of->suite->n; i++)
        run(&of->suite->works[i], of->kind);
}

int short_program_main(const struct short_suite *suite, CMFixtureFunction up,
                       CMFixtureFunction down)
{
    struct kind_of_suite of[] = {
        {suite, SHORT_MEMORY}, {suite, SHORT_FILES}, {suite, SHORT_TALK}, {suite, SHORT_CRYPTO}};
    const struct CMUnitTest tests[] = {
        {"any_piece_of_memory_may_be_missing", run_kind, NULL, NULL, &of[0]},
        {"any_call_for_a_file_may_fail", run_kind, NULL, NULL, &of[1]},
        {"any_call_to_a_socket_or_the_loop_may_fail", run_kind, NULL, NULL, &of[2]},
        /* without a name it is none to cmocka */
        {suite->no_crypto ? NULL : "any_call_of_the_cryptographic_library_may_fail", run_kind, NULL,
         NULL, &of[3]},
    };

    return cmocka_run_group_tests(tests, up, down);
}
#endif
