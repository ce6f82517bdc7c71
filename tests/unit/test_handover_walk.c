/*
 * A crash at every write of the outbox and of the hand-over, and at every write of the recovery after it: a face file
 * reaches the receipt computer exactly once and whole, a document (YZK) the chart likewise and nothing of it the
 * database, a hook at least once and always under the same id, ORCA and the registration of a patient's number, alone
 * or in bulk, at most once, and what may or may not have arrived, or never will, is shown to staff.
 *
 * Each life is a process of its own that ends at its n-th step as if by kill -9: desk, SQLite and the file protocol of
 * the carrier are the product's; receivers are a few lines that write down what they got, outside all of it. A step is
 * a commit (before it and after it), each operation on the folder, each delivery to a receiver (before and after it),
 * and each answer on its way back to the desk.
 */
#include "handover_world.h"
#include "quiet_desk.h"
#include "store_rig.h"

#include "daemon/common/memfd.h"
#include "daemon/common/question.h"
#include "daemon/common/xmlmsg.h"
#include "daemon/desk/ask.h"
#include "daemon/desk/match.h"
#include "daemon/desk/outbox.h"
#include "daemon/desk/resume.h"
#include "daemon/relay/handover_file.h"
#include "daemon/store/outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILLED 9
#define STEPS_MAX 400
#define REFERENCE "PT000456"
#define CONSENT_ENDS                                                                               \
    INT64_C(1785628800) /* 2026-08-02 09:00 in Japan, a day after the clock begins */
#define MARK "0123456789abcdef0123456789abcdef"

static struct rig rig;
static char work[100], face[100], chart_work[100], chart[100];

struct plan {
    bool
        busy; /* the receipt computer takes a file as soon as it is there; else between two lives only */
    int at;     /* the step that this life ends at; 0: it lives to its end */
    int error;  /* not 0: a step at the folder fails so instead, and the life goes on */
    bool bulk;  /* two patients and their numbers, nothing else */
    bool deaf;  /* nobody takes the hook, for hours */
    bool stuck; /* nothing can be moved into the chart's folder, for days */
};

static struct life {
    const struct plan *plan;
    int steps;
    bool failed;
    struct desk *desk;
    struct folder_disk disk, chart_disk;
} life;

static void receipt_computer_takes(void)
{
    world_take(face, "OQSsiquc01res_face_", "taken");
    world_take(chart, "YZKsiquc01res_", "charted");
}

/* ---- steps ----------------------------------------------------------------------------------- */

static int at_step(void *arg, const char *step)
{
    bool folder = arg != NULL;

    if (life.plan->stuck)
        return arg == &life.chart_disk && strcmp(step, "move") == 0 ? -EIO : 0;
    if (life.plan->busy && folder)
        receipt_computer_takes();
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
    (void)at_step(NULL, "commit");
    r = __real_store_commit(store);
    (void)at_step(NULL, "committed");
    return r;
}

/* ---- the carriers: what comes back is delivered between two calls, as from an event loop ----- */

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
    (void)at_step(NULL, "send");
    world_note(book, what);
    (void)at_step(NULL, "sent");
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
    (void)xmlmsg_set(tree, "MessageBody/ResultCode", "1");
    (void)xmlmsg_set(tree, "MessageBody/CzDiMonthInf/DateInf/DrugInf/DrugN", "見本錠５ｍｇ");
    answer_question(ask, tree);
}

static int port_send(void *arg, enum desk_peer peer, unsigned index, uint16_t type,
                     const void *body, const int *fds, unsigned nfds)
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
        if (index == 0 || index == 3)
            carry_file(index, give);
        else
            carry_http(index, books[index], give);
    }
    return 0;
}

static void answers_arrive(void)
{
    for (size_t i = 0; i < ANSWERS_MAX; i++) {
        struct answer a = answers[i];

        if (!a.there)
            continue;
        answers[i].there = false;
        (void)at_step(NULL, "answer");
        if (a.relay)
            assert_true(ask_relay_message(life.desk, a.index, &a.message));
        else
            assert_true(outbox_carrier_message(life.desk, a.index, &a.message));
        for (unsigned n = 0; n < a.message.nfds; n++)
            (void)close(a.message.fds[n]);
    }
}

/* ---- one life -------------------------------------------------------------------------------- */

static struct desk *a_desk(void)
{
    const struct desk_ports ports = quiet_ports(port_send, NULL);
    const struct outbox_output outputs[] = {
        {"receipt", OUTBOX_FACE_FILE, false, 0, 5 * CLOCK_SECOND, 0},
        {"hook", OUTBOX_HOOK, true, (life.plan->deaf ? 1 : 72) * CLOCK_HOUR, 5 * CLOCK_SECOND, 0},
        {"orca", OUTBOX_ORCA, false, 0, 5 * CLOCK_SECOND, 0},
        {"chart", OUTBOX_DOCUMENT, false, 0, 5 * CLOCK_SECOND, 12},
    };
    const int noutputs = life.plan->bulk ? 0 : 4;
    struct desk_settings settings = {.institution = "9910000017"};
    union message_body state = {
        .upstream_state = {.capabilities = CAPABILITY_BY_NUMBERS | CAPABILITY_REFERENCE_NUMBER |
                                           CAPABILITY_DOCUMENTS | CAPABILITY_BULK}};
    struct message message = {.type = MSG_UPSTREAM_STATE, .body = state};
    struct desk *desk;

    for (int i = 0; i < VISIT_STATE_COUNT; i++)
        settings.limit_us[i] = 12 * CLOCK_SECOND;
    assert_int_equal(desk_new(&desk, rig.clock, rig.store, &settings, &ports), 0);
    life.desk = desk;
    assert_true(
        desk_add_upstream(desk, "main", CAPABILITY_BY_NUMBERS | CAPABILITY_REFERENCE_NUMBER) >= 0);
    assert_int_equal(desk_add_lane(desk, 1, "", 0), 0);
    for (int i = 0; i < noutputs; i++)
        assert_int_equal(outbox_add_output(desk, &outputs[i]), i);
    outbox_references(desk, true, life.plan->bulk ? 2 : 0);
    assert_int_equal(desk_resume(desk), 0);
    for (int i = 0; i < noutputs; i++)
        outbox_carrier_up(desk, (unsigned)i);
    ask_relay_up(desk, 0);
    assert_true(ask_relay_message(desk, 0, &message));
    return desk;
}

static int count_visit(const struct store_visit *visit, void *arg)
{
    (void)visit;
    return (++*(uint64_t *)arg, 0);
}

/* The last step of the n-th visit (from 1), with its entries: done in the life that does not end before it. */
static void finish_visit(uint64_t n)
{
    struct store_subject subject = {"subject", 7};
    struct store_answer answer = {
        .institution = "9910000017", .date = "20260801", .usable = 1, .answered_us = 1};
    struct xmlmsg *tree = xmlmsg_new("XmlMsg");
    static const char result[] = "MessageBody/ResultList/ResultOfQualificationConfirmation/";
    struct store_visit visit;
    uint64_t there = 0;
    char path[160];

    assert_int_equal(store_visits(rig.store, 0, INT64_MAX, 9, false, count_visit, &there), 0);
    if (there >= n) {
        xmlmsg_free(&tree);
        return;
    }
    (void)xmlmsg_set(tree, "MessageHeader/SegmentOfResult", "1");
    (void)snprintf(path, sizeof(path), "%sInsurerNumber", result);
    (void)xmlmsg_set(tree, path, "  990012");
    (void)snprintf(path, sizeof(path), "%sInsuredIdentificationNumber", result);
    (void)xmlmsg_set(tree, path, n == 1 ? "1001" : "1002");
    (void)snprintf(path, sizeof(path), "%sPharmacistsInfoConsFlg", result);
    (void)xmlmsg_set(tree, path, "1");
    (void)snprintf(path, sizeof(path), "%sPharmacistsInfoAvailableTime", result);
    (void)xmlmsg_set(tree, path, "20260802090000");
    assert_int_equal(xmlmsg_pack(tree, &answer.tree, &answer.tree_len), 0);
    rig_visit(&visit);
    visit.lane = 1;
    visit.outcome = OUTCOME_ELIGIBLE;
    visit.flags = 0;
    visit.state = VISIT_CLOSED;
    visit.person.reference[0] = visit.patient[0] = '\0';
    assert_int_equal(store_begin(rig.store), 0);
    assert_int_equal(store_visit_open(rig.store, &visit), 0);
    assert_int_equal(store_answer_put(rig.store, subject, &answer), 0);
    visit.answer = answer.id;
    visit.closed_us = visit.opened_us + 1;
    assert_int_equal(store_visit_save(rig.store, &visit), 0);
    assert_int_equal(outbox_visit_over(life.desk, &visit, OUTBOX_FINISHED), 0);
    assert_int_equal(store_commit(rig.store), 0);
    outbox_wake_soon(life.desk);
    store_answer_free(&answer);
    xmlmsg_free(&tree);
}

/* Staff link it to the clinic's number, once. */
static void link_patient(uint64_t id, const char *number)
{
    struct msg_patient_link link = {
        .request = 1, .visit = id, .surface = 'B', .staff = "staff", .what = PATIENT_IS};
    struct msg_action_result result;
    struct store_visit visit;

    assert_int_equal(store_visit_load(rig.store, id, &visit), 0);
    if (strcmp(visit.patient, number) == 0)
        return;
    (void)MESSAGE_TEXT(link.number, number);
    match_link(life.desk, &link, &result);
    assert_int_equal(result.accepted, 1);
}

static void pass(int times, uint64_t us)
{
    for (int i = 0; i < times; i++) {
        (void)clock_advance(rig.clock, us);
        answers_arrive();
    }
}

static void live(const struct plan *plan)
{
    (void)setenv("CMOCKA_TEST_ABORT", "1", 1); /* this process is not the test */
    rig_set_key(&rig);
    rig_open(&rig);
    memset(&life, 0, sizeof(life));
    life.plan = plan;
    life.disk = (struct folder_disk){.before = at_step, .arg = &life};
    life.disk.paths[FOLDER_WORK] = work;
    life.disk.paths[FOLDER_FACE] = face;
    life.chart_disk = (struct folder_disk){.before = at_step, .arg = &life.chart_disk};
    life.chart_disk.paths[FOLDER_WORK] = chart_work;
    life.chart_disk.paths[FOLDER_FACE] = chart;
    life.desk = a_desk();
    finish_visit(1);
    if (plan->bulk)
        finish_visit(2);
    pass(3, CLOCK_SECOND);
    link_patient(1, REFERENCE);
    if (plan->bulk)
        link_patient(2, "PT000457");
    pass(40, 2 * CLOCK_SECOND);
    if (plan->deaf)
        pass(1200, 5 * CLOCK_SECOND); /* an answer comes before it is given up */
    if (plan->stuck)
        pass(18000, 5 * CLOCK_SECOND);
    life.plan = NULL;
    desk_free(&life.desk);
    rig_close(&rig);
    _exit(plan->at != 0 && (plan->error == 0 || !life.failed) ? 2 : 0); /* 2: past the last step */
}

static int one_life(const struct plan *plan)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0)
        live(plan);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status))
        fail_msg("busy %d, step %d: signal %d", plan->busy, plan->at, WTERMSIG(status));
    if (!plan->busy)
        receipt_computer_takes();
    return WEXITSTATUS(status);
}

static void begin(void)
{
    (void)world_files(work, true);
    (void)world_files(face, true);
    (void)world_files(chart_work, true);
    (void)world_files(chart, true);
    (void)world_files(world_top, true);
    (void)world_files(rig.directory, true);
}

static int64_t entries(const char *kind, const char *state)
{
    char sql[120];

    (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM outbox WHERE kind = %s AND state %s",
                   kind, state);
    return rig_sql_int(&rig, sql);
}

#define IS_DONE "= 2"
#define IS_DOUBTFUL "= 3"

/* What goes at most once: there, or not there and shown, or there and shown. Never twice, never lost in silence. */
static void at_most_once(const char *book, const char *kind, const struct plan *first,
                         const struct plan *second)
{
    bool same;
    unsigned n = world_noted(book, &same);
    int64_t done = entries(kind, IS_DONE), doubtful = entries(kind, IS_DOUBTFUL);

    if (n > 1 || done + doubtful != 1 || (done == 1 && n != 1))
        fail_msg("%s: busy %d, steps %d and %d: arrived %u, done %lld, doubtful %lld", book,
                 first->busy, first->at, second->at, n, (long long)done, (long long)doubtful);
}

/* Nothing of a document is in the database: its entry holds the end of the consent, and when it is done nothing. */
static void no_document_is_kept(void)
{
    assert_int_equal(
        rig_sql_int(&rig,
                    "SELECT coalesce(max(length(payload)), 0) > 200 FROM outbox WHERE kind = 4"),
        0);
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM answers"), 1);
}

/* The last life is never killed; then everything has come to its end. */
static void judge(const struct plan *first, const struct plan *second)
{
    const struct plan whole = {.busy = first->busy};
    bool same;
    unsigned n;

    assert_int_equal(one_life(&whole), 0);
    receipt_computer_takes();
    n = world_noted("taken", &same);
    if (n != 1 || !same || entries("0", IS_DONE) != 1)
        fail_msg("face file: busy %d, steps %d and %d: taken %u, alike %d, done %lld", first->busy,
                 first->at, second->at, n, same, (long long)entries("0", IS_DONE));
    n = world_noted("hook", &same);
    if (n < 1 || !same || entries("1", IS_DONE) != 1)
        fail_msg("hook: busy %d, steps %d and %d: arrived %u, alike %d", first->busy, first->at,
                 second->at, n, same);
    at_most_once("orca", "2", first, second);
    at_most_once(REFERENCE, "3", first, second);
    n = world_noted("charted", &same);
    if (n != 1 || !same || entries("4", IS_DONE) != 1)
        fail_msg("document: busy %d, steps %d and %d: taken %u, alike %d", first->busy, first->at,
                 second->at, n, same);
    no_document_is_kept();
    /* The work folders keep their marks, and nothing else. */
    if (world_files(work, false) != 1 || world_files(chart_work, false) != 1)
        fail_msg("busy %d, steps %d and %d: the work folder is not clean", first->busy, first->at,
                 second->at);
    if (rig_sql_int(&rig, "SELECT count(*) FROM outbox WHERE state < 2") != 0)
        fail_msg("busy %d, steps %d and %d: something still waits", first->busy, first->at,
                 second->at);
    /* Whoever must decide is told at the visit. */
    assert_int_equal(rig_sql_int(&rig, "SELECT (flags & 262144) <> 0 FROM visits"),
                     entries("2", IS_DOUBTFUL) + entries("3", IS_DOUBTFUL) > 0);
}

static void walk(bool busy, int error)
{
    const struct plan none = {.busy = busy};
    int steps = 0;

    for (int at = 1;; at++) {
        const struct plan plan = {.busy = busy, .at = at, .error = error};
        int status;

        assert_true(at < STEPS_MAX);
        begin();
        status = one_life(&plan);
        judge(&plan, &none);
        if (status == 2)
            break;
        assert_int_equal(status, error == 0 ? KILLED : 0);
        steps++;
    }
    print_message("%d steps\n", steps);
    assert_true(steps > 15);
}

/* The same for a plan of its own kind, with its own judge. */
static void walk_kind(const struct plan *kind, void (*judge_kind)(int at))
{
    const struct plan whole = {.bulk = kind->bulk, .deaf = kind->deaf};
    int at = 0, status;

    do {
        const struct plan plan = {.bulk = kind->bulk, .deaf = kind->deaf, .at = ++at};

        assert_true(at < STEPS_MAX);
        begin();
        status = one_life(&plan);
        assert_int_equal(one_life(&whole), 0);
        judge_kind(at);
    } while (status != 2);
    print_message("%d steps\n", at - 1);
    assert_true(at > 10);
}

static void judge_bulk(int at)
{
    bool same;
    unsigned one = world_noted(REFERENCE, &same), two = world_noted("PT000457", &same);
    int64_t done = entries("3", IS_DONE), doubtful = entries("3", IS_DOUBTFUL);

    if (one > 1 || two > 1 || done + doubtful != 2 || done > one + two)
        fail_msg("bulk, step %d: arrived %u and %u, done %lld, doubtful %lld", at, one, two,
                 (long long)done, (long long)doubtful);
}

/* Nobody ever took it: after give-up-hours staff are told, and not before. */
static void judge_deaf(int at)
{
    bool same;

    if (world_noted("hook", &same) != 0 || entries("1", "> 2") != 1 ||
        rig_sql_int(&rig, "SELECT (flags & 262144) <> 0 FROM visits") != 1)
        fail_msg("given up, step %d: %lld", at, (long long)entries("1", "> 2"));
}

static void walk_pairs(bool busy)
{
    int lives = 0;

    for (int at = 1;; at++) {
        const struct plan first = {.busy = busy, .at = at};
        bool past = false;

        for (int again = 1; !past; again++) {
            const struct plan second = {.busy = busy, .at = again};

            begin();
            if (one_life(&first) == 2) {
                print_message("%d pairs\n", lives);
                return;
            }
            past = one_life(&second) == 2;
            judge(&first, &second);
            lives++;
        }
    }
}

static void a_whole_life_hands_everything_over_once(void **state)
{
    const struct plan whole = {.at = 0};
    bool same;

    (void)state;
    begin();
    assert_int_equal(one_life(&whole), 0);
    assert_int_equal(world_noted("taken", &same), 1);
    assert_int_equal(world_noted("hook", &same), 1);
    assert_int_equal(world_noted("orca", &same), 1);
    assert_int_equal(world_noted(REFERENCE, &same), 1);
    judge(&whole, &whole);
    assert_int_equal(world_noted("taken", &same), 1);
}

static void a_crash_at_each_step(void **state)
{
    (void)state;
    walk(false, 0);
}

static void a_crash_at_each_step_while_files_are_taken_at_once(void **state)
{
    (void)state;
    walk(true, 0);
}

static void a_failure_of_each_operation_at_the_folder(void **state)
{
    (void)state;
    walk(false, -EIO);
}

static void a_second_crash_at_each_step_of_the_recovery(void **state)
{
    (void)state;
    if (getenv("UKETSUKE_WALK_ALL") == NULL)
        skip();
    walk_pairs(false);
    walk_pairs(true);
}

static void a_crash_at_each_step_of_numbers_registered_in_bulk(void **state)
{
    const struct plan whole = {.bulk = true};
    bool same;

    (void)state;
    begin();
    assert_int_equal(one_life(&whole), 0);
    assert_int_equal(world_noted("bulk", &same), 1);
    assert_int_equal(world_noted(REFERENCE, &same), 1);
    assert_int_equal(world_noted("PT000457", &same), 1);
    assert_int_equal(entries("3", IS_DONE), 2);
    walk_kind(&whole, judge_bulk);
}

static void a_crash_at_each_step_of_a_hook_that_is_given_up(void **state)
{
    const struct plan deaf = {.deaf = true};

    (void)state;
    walk_kind(&deaf, judge_deaf);
}

/* Asked for and prepared, but it could not be moved until the consent was over: then it is nowhere. */
static void a_document_is_not_kept_past_the_consent(void **state)
{
    const struct plan stuck = {.stuck = true};
    bool same;

    (void)state;
    begin();
    assert_int_equal(one_life(&stuck), 0);
    receipt_computer_takes();
    assert_int_equal(world_noted("charted", &same), 0);
    assert_int_equal(world_noted("taken", &same), 1);
    assert_int_equal(world_files(chart_work, false), 1); /* the mark */
    assert_int_equal(entries("4", "= 4"), 1);
    assert_int_equal(rig_sql_int(&rig, "SELECT (flags & 262144) <> 0 FROM visits"), 1);
    no_document_is_kept();
}

static int set_up(void **state)
{
    const char *memory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

    /* A process that is killed leaves what it has written, synced or not: a disk would only cost time. */
    rig_new_closed(&rig);
    assert_int_equal(rmdir(rig.directory), 0);
    (void)snprintf(rig.directory, sizeof(rig.directory), "%s/uketsuke-store-XXXXXX", memory);
    assert_non_null(mkdtemp(rig.directory));
    (void)state;
    (void)snprintf(world_top, sizeof(world_top), "%s/uketsuke-handover-XXXXXX", memory);
    if (mkdtemp(world_top) == NULL)
        return -1;
    (void)snprintf(work, sizeof(work), "%s/work", world_top);
    (void)snprintf(face, sizeof(face), "%s/face", world_top);
    (void)snprintf(chart_work, sizeof(chart_work), "%s/chart-work", world_top);
    (void)snprintf(chart, sizeof(chart), "%s/chart", world_top);
    return mkdir(work, 0700) != 0 || mkdir(face, 0700) != 0 || mkdir(chart_work, 0700) != 0 ||
           mkdir(chart, 0700) != 0;
}

static int tear_down(void **state)
{
    (void)state;
    begin();
    rig_free(&rig);
    return rmdir(work) != 0 || rmdir(face) != 0 || rmdir(chart_work) != 0 || rmdir(chart) != 0 ||
           rmdir(world_top) != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_life_hands_everything_over_once),
        cmocka_unit_test(a_crash_at_each_step),
        cmocka_unit_test(a_crash_at_each_step_while_files_are_taken_at_once),
        cmocka_unit_test(a_failure_of_each_operation_at_the_folder),
        cmocka_unit_test(a_crash_at_each_step_of_numbers_registered_in_bulk),
        cmocka_unit_test(a_crash_at_each_step_of_a_hook_that_is_given_up),
        cmocka_unit_test(a_document_is_not_kept_past_the_consent),
        cmocka_unit_test(a_second_crash_at_each_step_of_the_recovery),
    };

    rig_quiet();
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
