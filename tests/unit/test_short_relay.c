/*
 * The host and the libraries fail a whole relay, a program of its own in its cage, at each call
 * that it makes for a question (short_calls.h, preloaded): it neither crashes nor leaks, an answer
 * is right or none, a change is sent once at most, and the next question is answered as if nothing
 * had been.
 *
 * A slice of them runs by itself; UKETSUKE_FAULTS=all runs each (`make faults`).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/common/failure.h"
#include "daemon/common/question.h"

#include "relay_rig.h"
#include "relay_tools.h"
#include "short_calls.h"

enum { ANSWERED = 0 };
#define RUNS 15
#define BUDGET_MS 4000

static const char *const names[SHORT_KINDS] = {SHORT_NAMES};
static struct short_state *shared;
static struct rig *rig;
static char state_path[] = "/tmp/uketsuke-short-XXXXXX";
static unsigned asked;

static unsigned children(void)
{
    char path[64];
    unsigned n = 0;
    int pid;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    file = fopen(path, "re");
    assert_non_null(file);
    while (fscanf(file, "%d", &pid) == 1)
        n++;
    (void)fclose(file);
    return n;
}

/* The person of people/shikaku.json, or a registration. False: no answer came, the connection is
 * lost. */
static bool ask(bool writes, struct rig_answer *out)
{
    const struct question_numbers paper = {.insurer = "990010",
                                           .symbol = "試験",
                                           .number = "2001",
                                           .branch = "01",
                                           .birth = "19640229"};
    const struct question_card card = {.certificate = (const uint8_t *)"not a certificate",
                                       .certificate_len = 17,
                                       .method = "visual"};
    struct question_header header = {.institution = "9910000017", .date = "20261005"};
    char correlation[40];
    struct xmlmsg *tree;
    uint64_t request;

    (void)snprintf(correlation, sizeof(correlation), "RD-20261005-%04u", ++asked);
    header.correlation = correlation;
    tree = writes ? question_register(&header, &card) : question_by_numbers(&header, &paper);
    assert_non_null(tree);
    request = rig_ask(rig, writes ? UPSTREAM_REGISTER : UPSTREAM_BY_NUMBERS, writes, BUDGET_MS,
                      tree, correlation);
    xmlmsg_free(&tree);
    return rig_wait(rig, request, BUDGET_MS + PATIENCE_MS, out);
}

static bool right(const struct rig_answer *answer, bool writes)
{
    const char *name =
        answer->tree != NULL && !writes
            ? xmlmsg_get(answer->tree,
                         "MessageBody/ResultList/ResultOfQualificationConfirmation/Name")
            : NULL;

    return writes || (name != NULL && strcmp(name, "架空　三郎") == 0);
}

/* Undisturbed: answered, rightly. */
static bool calm(bool writes)
{
    struct rig_answer answer;
    bool good = rig_is_connected(rig) && ask(writes, &answer);

    if (!good)
        return false;
    good = (writes || answer.message.outcome == ANSWERED) && right(&answer, writes);
    rig_answer_free(&answer);
    return good;
}

static void arm(enum short_kind kind, unsigned n)
{
    shared->calls = 0;
    shared->n = n;
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

/* The connection may be gone: did the program end by itself, or crash? Afterwards it is there
 * again. */
static const char *come_back(unsigned before, unsigned *ended)
{
    const char *wrong = NULL;
    int status;

    if (rig_is_connected(rig))
        return NULL;
    status = rig_wait_exit(rig, 1000);
    if (status < 0 && children() < before)
        wrong = "it crashed";
    *ended += status >= 0;
    if (status >= 0 || wrong != NULL)
        rig_revive_relay(rig);
    rig_connect(rig);
    return wrong;
}

/* One question with the n-th call failed; NULL or what is wrong. */
static const char *one(enum short_kind kind, unsigned n, bool writes, unsigned *answered,
                       unsigned *ended)
{
    unsigned before = children(), sent = rig_ledger(rig, "register");
    struct rig_answer answer = {0};
    const char *wrong = NULL;
    bool came;

    arm(kind, n);
    came = ask(writes, &answer);
    (void)disarm();
    if (came && answer.message.outcome == ANSWERED) {
        ++*answered;
        if (!right(&answer, writes))
            wrong = "a wrong answer";
    }
    rig_answer_free(&answer);
    if (wrong == NULL)
        wrong = come_back(before, ended);
    if (wrong == NULL && writes && rig_ledger(rig, "register") > sent + 1)
        wrong = "a change was sent twice";
    if (wrong == NULL &&
        !calm(writes)) { /* what was begun when it failed may show only now: once */
        wrong = come_back(before, ended);
        if (wrong == NULL && !calm(writes))
            wrong = "the next question is not undisturbed";
    }
    return wrong;
}

/* Connections to the service come and go; what is kept grows each time. */
static bool leaks(enum short_kind kind, unsigned n, bool writes)
{
    unsigned none = 0, grown = 0;

    for (unsigned i = 0; i < 6; i++) {
        long live = shared->live;

        (void)one(kind, n, writes, &none, &none);
        grown += shared->live > live;
    }
    return grown == 6;
}

static void run_kind(enum short_kind kind, bool writes)
{
    const char *wish = getenv("UKETSUKE_FAULTS");
    unsigned total, runs = 0, failed = 0, answered = 0, ended = 0;

    for (unsigned i = 0; i < 3; i++)
        assert_true(calm(writes));
    arm(kind, 0);
    assert_true(calm(writes));
    total = disarm();
    for (unsigned n = 1; n <= total;
         n += wish != NULL && strcmp(wish, "all") == 0 ? 1 : 1 + total / RUNS, runs++) {
        long live = shared->live;
        unsigned ends = ended;
        const char *wrong = one(kind, n, writes, &answered, &ended);
        char name[48];

        (void)snprintf(name, sizeof(name), "%s", shared->failed);
        if (wrong == NULL && ends == ended && shared->live > live + 16 && leaks(kind, n, writes))
            wrong = "memory is kept";
        if (wrong == NULL)
            continue;
        failed++;
        print_message("FAIL %s %u (%s): %s\n", names[kind], n, name, wrong);
    }
    print_message("%s, %s: %u calls, %u of them made to fail in turn: %u answered all the same, "
                  "the program ended by itself %u "
                  "times, %u failed\n",
                  names[kind], writes ? "a change" : "a question", total, runs, answered, ended,
                  failed);
    assert_int_equal(failed, 0);
}

#define KIND(kind, words)                                                                          \
    static void words(void **state)                                                                \
    {                                                                                              \
        (void)state;                                                                               \
        run_kind(kind, false);                                                                     \
        run_kind(kind, true);                                                                      \
    }
KIND(SHORT_MEMORY, any_piece_of_memory_may_be_missing)
KIND(SHORT_FILES, any_call_for_a_file_may_fail)
KIND(SHORT_TALK, any_call_to_a_socket_or_the_loop_may_fail)
KIND(SHORT_CRYPTO, any_call_of_the_cryptographic_library_may_fail)

#ifdef __SANITIZE_ADDRESS__
static void undisturbed_a_question_and_a_change_are_answered(void **state)
{
    (void)state;
    assert_true(calm(false));
    assert_true(calm(true));
}
#endif

static int up(void **state)
{
    static char preload[PATH_MAX + 32], where[64];
#ifndef __SANITIZE_ADDRESS__
    static const char *const environment[] = {preload, where, NULL};
#endif
    char program[PATH_MAX];
    const struct rig_options options = {
#ifndef __SANITIZE_ADDRESS__
        .environment = environment,
#endif
        .capabilities = "by_numbers reference_number card_session register consents"};
    int fd = mkstemp(state_path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, sizeof(*shared)), 0);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(shared != MAP_FAILED);
    (void)close(fd);
    shared->kind = -1;
    rig_program("short.so", program, sizeof(program));
    (void)snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", program);
    (void)snprintf(where, sizeof(where), "SHORT_STATE=%s", state_path);
    rig = rig_start(&options);
    return 0;
}

static int down(void **state)
{
    (void)state;
    rig_stop(rig);
    (void)munmap(shared, sizeof(*shared));
    return unlink(state_path);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_piece_of_memory_may_be_missing),
        cmocka_unit_test(any_call_for_a_file_may_fail),
        cmocka_unit_test(any_call_to_a_socket_or_the_loop_may_fail),
        cmocka_unit_test(any_call_of_the_cryptographic_library_may_fail),
    };

#ifdef __SANITIZE_ADDRESS__
    /* A program under the sanitizers takes no preloaded allocator: the ordinary build has all of
     * these. */
    const struct CMUnitTest plain[] = {
        cmocka_unit_test(undisturbed_a_question_and_a_change_are_answered)};

    return cmocka_run_group_tests(plain, up, down);
#endif
    return cmocka_run_group_tests(tests, up, down);
}
