#include "handover_carriers.h"
#include "handover_world.h"
#include "store_rig.h"

#include "daemon/common/memfd.h"
#include "daemon/common/question.h"
#include "daemon/common/xmlmsg.h"
#include "daemon/desk/ask.h"
#include "daemon/desk/outbox.h"
#include "daemon/relay/handover_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK "0123456789abcdef0123456789abcdef"

struct life life;

void carriers_files_taken(const char *face, const char *chart)
{
    world_take(face, "OQSsiquc01res_face_", "taken");
    world_take(chart, "YZKsiquc01res_", "charted");
}

/* ---- steps ----------------------------------------------------------------------------------- */

int carriers_step(void *arg, const char *step)
{
    bool folder = arg != NULL;

    if (life.plan->stuck)
        return arg == &life.chart_disk && strcmp(step, "move") == 0 ? -EIO : 0;
    if (life.plan->busy && folder)
        carriers_files_taken(life.disk.paths[FOLDER_FACE], life.chart_disk.paths[FOLDER_FACE]);
    if (life.plan->error != 0 && !folder)
        return 0;
    if (++life.steps != life.plan->at)
        return 0;
    if (life.plan->error == 0)
        _exit(KILLED);
    life.failed = true;
    return life.plan->error;
}

int __real_store_commit(struct store *store);
int __wrap_store_commit(struct store *store);
int __wrap_store_commit(struct store *store)
{
    int r;

    if (life.plan == NULL)
        return __real_store_commit(store);
    (void)carriers_step(NULL, "commit");
    r = __real_store_commit(store);
    (void)carriers_step(NULL, "committed");
    return r;
}

/* ---- the carriers ---------------------------------------------------------------------------- */

#define ANSWERS_MAX 8
static struct answer {
    bool there;
    bool relay;
    unsigned index;
    struct message message;
} answers[ANSWERS_MAX];

static struct message *answer_to(bool relay, unsigned index, uint16_t type)
{
    for (size_t i = 0; i < ANSWERS_MAX; i++)
        if (!answers[i].there) {
            answers[i] = (struct answer){.there = true, .relay = relay, .index = index};
            answers[i].message.type = type;
            return &answers[i].message;
        }
    abort();
}

const char terminal_bytes[] = "<?xml version=\"1.0\"?><XmlMsg>as it came</XmlMsg>\r\n";

/* A terminal's file goes on with the bytes that it came in. */
static void check_raw(int fd, uint32_t len)
{
    const uint8_t *map;

    assert_int_equal(len, sizeof(terminal_bytes) - 1);
    assert_int_equal(memfd_map(fd, len, XMLMSG_BYTES_MAX, &map), 0);
    assert_memory_equal(map, terminal_bytes, len);
    memfd_unmap(map, len);
}

static void carry_file(unsigned index, const struct msg_handover_give *give)
{
    static char data[12000]; /* several pieces, so that it can be half written */
    char mark[HANDOVER_MARK_DIGITS + 1] = "";
    struct msg_handover_result *result =
        &answer_to(false, index, MSG_HANDOVER_RESULT)->body.handover_result;
    const struct folder_disk *disk = index == 0 ? &life.disk : &life.chart_disk;
    struct handover_end end;

    memset(data, 'x', sizeof(data));
    memcpy(data + sizeof(data) - 6, "</end>", 6);
    end = give->step == HANDOVER_STAGE
              ? handover_file_stage(disk, give->name, data, sizeof(data), MARK, mark)
          : give->step == HANDOVER_COMMIT ? handover_file_commit(disk, give->name, give->mark)
                                          : handover_file_discard(disk, give->name, give->mark);
    *result = (struct msg_handover_result){.entry = give->entry,
                                           .attempt = give->attempt,
                                           .step = give->step,
                                           .outcome = (uint8_t)end.outcome,
                                           .failure = end.failure};
    (void)MESSAGE_TEXT(result->mark, mark);
}

static void deliver(const char *book, const char *what)
{
    (void)carriers_step(NULL, "send");
    world_note(book, what);
    (void)carriers_step(NULL, "sent");
}

static void carry_http(unsigned index, const char *book, const struct msg_handover_give *give)
{
    struct msg_handover_result *result =
        &answer_to(false, index, MSG_HANDOVER_RESULT)->body.handover_result;

    bool taken = !life.plan->deaf || give->name[0] == '\0';

    if (taken)
        deliver(book, give->name[0] != '\0' ? give->name : "orca");
    *result = (struct msg_handover_result){.entry = give->entry,
                                           .attempt = give->attempt,
                                           .step = give->step,
                                           .outcome = taken ? HANDOVER_DONE : HANDOVER_NOT_SENT};
}

static void answer_question(const struct msg_eligibility_ask *ask, struct xmlmsg *tree)
{
    struct message *message = answer_to(true, 0, MSG_ELIGIBILITY_ANSWER);
    size_t len;

    message->fds[0] = xmlmsg_to_memfd(tree, &len);
    message->fds[1] = memfd_seal("raw", "raw", 3);
    message->nfds = 2;
    message->body.eligibility_answer =
        (struct msg_eligibility_answer){.request = ask->request, .bytes = (uint32_t)len};
    xmlmsg_free(&tree);
}

static void copy(struct xmlmsg *to, const struct xmlmsg *from, const char *name)
{
    assert_non_null(xmlmsg_add(to, name, xmlmsg_get(from, name)));
}

/* Each number that is in the question is written down, in a book of its own. */
static void carry_reference(const struct msg_eligibility_ask *ask, int fd)
{
    struct xmlmsg *tree = xmlmsg_new("XmlMsg"), *question = NULL, *body;
    const uint8_t *map;
    struct stat st;

    assert_int_equal(ask->writes, 1);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(memfd_map(fd, (size_t)st.st_size, XMLMSG_BYTES_MAX, &map), 0);
    assert_int_equal(xmlmsg_unpack(&question, map, (size_t)st.st_size), 0);
    memfd_unmap(map, (size_t)st.st_size);
    body = xmlmsg_find(question, "MessageBody");
    (void)xmlmsg_set(tree, "MessageHeader/SegmentOfResult", "1");
    if (ask->kind == UPSTREAM_REFERENCE_NUMBER)
        (void)xmlmsg_set(tree, "MessageBody/ProcessingResultStatus", "1");
    for (struct xmlmsg *info = xmlmsg_child(body, "ReferenceNumberRegistrationInfo"); info != NULL;
         info = xmlmsg_next(info, "ReferenceNumberRegistrationInfo")) {
        struct xmlmsg *unit, *echo;

        deliver(xmlmsg_get(info, "ReferenceNumber"), "registered");
        if (ask->kind == UPSTREAM_REFERENCE_NUMBER)
            continue;
        if (xmlmsg_find(tree, "MessageBody") == NULL)
            (void)xmlmsg_add(tree, "MessageBody", NULL);
        unit = xmlmsg_add(xmlmsg_find(tree, "MessageBody"), "BulkRegistrationUnit", NULL);
        echo = xmlmsg_add(unit, "ReferenceNumberRegistrationInfo", NULL);
        copy(echo, info, "ReferenceNumber");
        copy(echo, info, "InsurerNumber");
        copy(echo, info, "InsuredIdentificationNumber");
        (void)xmlmsg_add(unit, "ProcessingResultStatus", "1");
    }
    if (ask->kind == UPSTREAM_REFERENCE_BULK)
        world_note("bulk", "sent");
    xmlmsg_free(&question);
    answer_question(ask, tree);
}

static void carry_document(const struct msg_eligibility_ask *ask)
{
    struct xmlmsg *tree = xmlmsg_new("XmlMsg");

    assert_int_equal(ask->kind, UPSTREAM_DRUGS);
    assert_int_equal(ask->writes, 0);
    assert_int_equal(ask->until, CONSENT_ENDS);
    assert_false(life.plan->late);
    (void)xmlmsg_set(tree, "MessageBody/ResultCode", life.plan->withdrawn ? "2" : "1");
    (void)xmlmsg_set(tree, "MessageBody/CzDiMonthInf/DateInf/DrugInf/DrugN", "見本錠５ｍｇ");
    answer_question(ask, tree);
}

int carriers_send(void *arg, enum desk_peer peer, unsigned index, uint16_t type, const void *body,
                  const int *fds, unsigned nfds)
{
    static const char *const books[] = {"", "hook", "orca"};

    (void)arg;
    if (peer == PEER_RELAY && type == MSG_ELIGIBILITY_ASK) {
        const struct msg_eligibility_ask *asked = body;

        if (asked->writes != 0)
            carry_reference(asked, fds[0]);
        else
            carry_document(asked);
    } else if (peer == PEER_HANDOVER && type == MSG_HANDOVER_GIVE) {
        const struct msg_handover_give *give = body;

        assert_int_equal(nfds,
                         give->step == HANDOVER_COMMIT || give->step == HANDOVER_DISCARD ? 0 : 2);
        if (index == 0 && life.plan->terminal && give->step == HANDOVER_STAGE)
            check_raw(fds[1], give->raw_bytes);
        if (index == 0 || index == 3)
            carry_file(index, give);
        else
            carry_http(index, books[index], give);
    } else if (peer == PEER_RELAY && type == MSG_RELAY_TAKEN) {
        deliver("receipt", "taken");
    }
    return 0;
}

void carriers_answer(void)
{
    for (size_t i = 0; i < ANSWERS_MAX; i++) {
        struct answer a = answers[i];

        if (!a.there)
            continue;
        answers[i].there = false;
        (void)carriers_step(NULL, "answer");
        if (a.relay)
            assert_true(ask_relay_message(life.desk, a.index, &a.message));
        else
            assert_true(outbox_carrier_message(life.desk, a.index, &a.message));
        for (unsigned n = 0; n < a.message.nfds; n++)
            (void)close(a.message.fds[n]);
    }
}
