/* The relay on the stage, and the service behind it: what they answer, tell unasked, or do not answer. */
#include "answers.h"
#include "stage.h"

#include "../../daemon/common/memfd.h"
#include "../../daemon/common/xmlmsg.h"
#include "../../daemon/desk/ask.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- the relay and the service behind it ----------------------------------------------------- */

void stage_relay_program(struct stage *stage, bool up)
{
    struct message message = {.type = MSG_UPSTREAM_STATE, .fds = {-1, -1}};

    if (up == stage->relay_up)
        return;
    stage->relay_up = up;
    if (!up) {
        for (unsigned i = 0; i <= stage->nlanes; i++)
            stage->lanes[i].ask.request = 0;
        stage->late.request = 0;
        ask_relay_down(stage->desk, 0);
        return;
    }
    stage->connection++;
    strcpy(message.body.upstream_state.upstream, "main");
    message.body.upstream_state.capabilities = stage->capabilities;
    if (!ask_relay_message(stage->desk, 0, &message))
        stage_broke(stage, "the desk refused a lawful UPSTREAM_STATE");
    ask_relay_up(stage->desk, 0);
}

static void from_relay(struct stage *stage, struct message *message)
{
    if (!ask_relay_message(stage->desk, 0, message))
        stage_broke(stage, "the desk refused a lawful ELIGIBILITY_ANSWER");
}

/* An answer of this kind with what the script has said of it; NULL: there is no such kind. */
static struct xmlmsg *said_tree(const struct stage *stage, const char *kind)
{
    struct xmlmsg *tree = stage_answer_tree(kind);

    for (size_t i = 0; tree != NULL && i < stage->nsaid; i++)
        stage_answer_change(tree, stage->said[i].name, stage->said[i].value);
    return tree;
}

static bool answer(struct stage *stage, struct msg_eligibility_ask *ask, const char *kind,
                   const char *day)
{
    struct message message = {.type = MSG_ELIGIBILITY_ANSWER, .nfds = 2};
    struct xmlmsg *tree = said_tree(stage, kind);
    size_t len;

    if (tree == NULL)
        return false;
    if (day != NULL)
        xmlmsg_set(tree, "MessageHeader/QualificationConfirmationDate", day);
    message.fds[0] = xmlmsg_to_memfd(tree, &len);
    message.fds[1] = memfd_seal("raw", "raw", 3);
    message.body.eligibility_answer.request = ask->request;
    message.body.eligibility_answer.visit = ask->visit;
    message.body.eligibility_answer.bytes = (uint32_t)len;
    ask->request = 0;
    from_relay(stage, &message);
    close(message.fds[0]);
    close(message.fds[1]);
    xmlmsg_free(&tree);
    return true;
}

bool stage_say(struct stage *stage, const char *name, const char *value)
{
    size_t i = 0;

    while (i < stage->nsaid && strcmp(stage->said[i].name, name) != 0)
        i++;
    if (i == sizeof(stage->said) / sizeof(stage->said[0]))
        return false;
    snprintf(stage->said[i].name, sizeof(stage->said[i].name), "%s", name);
    snprintf(stage->said[i].value, sizeof(stage->said[i].value), "%s", value);
    stage->nsaid += i == stage->nsaid;
    return true;
}

bool stage_answer(struct stage *stage, unsigned lane, const char *kind)
{
    return answer(stage, &stage->lanes[lane].ask, kind, NULL);
}

bool stage_answer_late(struct stage *stage, const char *kind, const char *day)
{
    return answer(stage, &stage->late, kind, day[0] != '\0' ? day : stage->late_day);
}

/* What a relay tells unasked: the tree with the header of such a file, and the hash that stands for its bytes. */
static bool tell(struct stage *stage, struct message *message, const char *kind, const char *at,
                 uint8_t hash[32], unsigned n)
{
    struct xmlmsg *tree = said_tree(stage, kind);
    size_t len;

    if (tree == NULL)
        return false;
    if (at != NULL && at[0] != '\0') {
        char day[9];

        snprintf(day, sizeof(day), "%.8s", at);
        xmlmsg_set(tree, "MessageHeader/ProcessExecutionTime", at);
        xmlmsg_set(tree, "MessageHeader/QualificationConfirmationDate", day);
    }
    memset(hash, 0, 32);
    hash[0] = (uint8_t)n;
    hash[1] = (uint8_t)(n >> 8);
    message->nfds = 2;
    message->fds[0] = xmlmsg_to_memfd(tree, &len);
    message->fds[1] = memfd_seal("raw", "raw", 3);
    xmlmsg_free(&tree);
    from_relay(stage, message);
    close(message->fds[0]);
    close(message->fds[1]);
    return true;
}

bool stage_terminal(struct stage *stage, const char *kind, unsigned n, const char *at)
{
    struct message message = {.type = MSG_TERMINAL_VISIT};

    message.body.terminal_visit.hash.len = 32;
    return tell(stage, &message, kind, at, message.body.terminal_visit.hash.data, n);
}

bool stage_told_late(struct stage *stage, unsigned lane, const char *kind, unsigned n,
                     const char *correlation)
{
    struct message message = {.type = MSG_ELIGIBILITY_LATE};
    struct msg_eligibility_late *late = &message.body.eligibility_late;
    const struct msg_eligibility_ask *ask = &stage->lanes[lane].ask;

    late->hash.len = 32;
    late->kind = ask->kind != 0 ? ask->kind : UPSTREAM_BY_NUMBERS;
    late->writes = ask->writes;
    late->asked = (int64_t)(clock_realtime_us(stage->clock) / CLOCK_SECOND);
    strcpy(late->correlation, correlation != NULL ? correlation : ask->correlation);
    return tell(stage, &message, kind, NULL, late->hash.data, n);
}

static void no_answer(struct stage *stage, struct msg_eligibility_ask *ask, uint8_t outcome,
                      uint16_t failure)
{
    struct message message = {.type = MSG_ELIGIBILITY_ANSWER, .fds = {-1, -1}};

    message.body.eligibility_answer.request = ask->request;
    message.body.eligibility_answer.visit = ask->visit;
    message.body.eligibility_answer.outcome = outcome;
    message.body.eligibility_answer.failure = failure;
    ask->request = 0;
    from_relay(stage, &message);
}

void stage_no_answer(struct stage *stage, unsigned lane, uint8_t outcome, uint16_t failure)
{
    no_answer(stage, &stage->lanes[lane].ask, outcome, failure);
}

void stage_no_answer_late(struct stage *stage, uint8_t outcome, uint16_t failure)
{
    no_answer(stage, &stage->late, outcome, failure);
}
