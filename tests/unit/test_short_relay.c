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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/failure.h"
#include "daemon/common/question.h"

#include "relay_rig.h"
#include "relay_tools.h"
#include "short_program.h"

enum { ANSWERED = 0 };
#define BUDGET_MS 4000

static struct rig *rig;
static unsigned asked;
static char correlation[40]; /* of the last one */

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
    struct question_header header = {.institution = "9910000017", .date = "20261005"};
    struct xmlmsg *tree;
    uint64_t request;

    (void)snprintf(correlation, sizeof(correlation), "RD-20261005-%04u", ++asked);
    header.correlation = correlation;
    tree = rig_question(&header, writes);
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

/* The connection may be gone: did the program end by itself, or crash? Afterwards it is there
 * again. */
static const char *come_back(void *arg, unsigned *ended)
{
    static unsigned programs; /* the service and the relay */
    const char *wrong = NULL;
    int status;

    (void)arg;
    if (rig_is_connected(rig)) {
        programs = children();
        return NULL;
    }
    status = rig_wait_exit(rig, 1000);
    if (status < 0 && children() < programs)
        wrong = "it crashed";
    *ended += status >= 0;
    if (status >= 0 || wrong != NULL)
        rig_revive_relay(rig);
    rig_connect(rig);
    return wrong;
}

/* By its own name: what was sent in doubt may come late, and then it is another one's. */
static bool was_sent_twice(void)
{
    return rig_ledger_of(rig, "register", correlation) > 1;
}

static const char *once(void *arg, bool *well)
{
    const bool writes = *(const bool *)arg;
    struct rig_answer answer = {0};
    const char *wrong = NULL;

    if (!rig_is_connected(rig))
        return NULL;
    if (ask(writes, &answer) && (answer.message.outcome == ANSWERED || writes)) {
        *well = right(&answer, writes);
        if (!*well && answer.message.outcome == ANSWERED)
            wrong = "a wrong answer";
    }
    rig_answer_free(&answer);
    if (writes && was_sent_twice())
        wrong = "a change was sent twice";
    return wrong;
}

static bool question = false, change = true;
static const struct short_work works[] = {{"a question", &question, once, come_back, 15},
                                          {"a change", &change, once, come_back, 15}};

static int up(void **state)
{
    const struct rig_options options = {
        .environment = short_program_begin(NULL, NULL),
        .capabilities = "by_numbers reference_number card_session register consents"};

    (void)state;
    rig = rig_start(&options);
    return 0;
}

static int down(void **state)
{
    (void)state;
    rig_stop(rig);
    short_program_end();
    return 0;
}

int main(void)
{
    static const struct short_suite suite = {works, 2, false};

    return short_program_main(&suite, up, down);
}
