/*
 * A crash at every write of the outbox and of the hand-over, and at every write of the recovery after it: a face file
 * reaches the receipt computer exactly once and whole, a hook at least once and always under the same id, ORCA and the
 * registration of a patient's number at most once, and what may or may not have arrived is shown as doubtful.
 *
 * Each life is a process of its own that ends at its n-th step as if by kill -9: desk, SQLite and the file protocol of
 * the carrier are the product's; receivers are a few lines that write down what they got, outside all of it. A step is
 * a commit (before it and after it), each operation on the folder, each delivery to a receiver (before and after it),
 * and each answer on its way back to the desk.
 */
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

#include <dirent.h>
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
#define MARK "0123456789abcdef0123456789abcdef"

static struct rig rig;
static char top[64], work[100], face[100];

struct plan {
    bool
        busy; /* the receipt computer takes a file as soon as it is there; else between two lives only */
    int at;    /* the step that this life ends at; 0: it lives to its end */
    int error; /* not 0: a step at the folder fails so instead, and the life goes on */
};

static struct life {
    const struct plan *plan;
    int steps;
    bool failed;
    struct desk *desk;
    struct folder_disk disk;
} life;

/* ---- books and folders: what the world has seen ---------------------------------------------- */

static void note(const char *book, const char *line)
{
    char path[200];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", top, book);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || dprintf(fd, "%s\n", line) < 0)
        abort();
    (void)close(fd);
}

/* Lines of the book; `same`: whether all are the same. */
static unsigned noted(const char *book, bool *same)
{
    char path[200], line[300], first[300] = "";
    unsigned n = 0;
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", top, book);
    file = fopen(path, "re");
    *same = true;
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (n++ == 0)
            (void)strcpy(first, line);
        *same = *same && strcmp(first, line) == 0;
    }
    if (file != NULL)
        (void)fclose(file);
    return n;
}

/* Takes what lies in the folder, and says if it was not whole. */
static void receipt_computer_takes(void)
{
    const struct dirent *entry;
    DIR *dir = opendir(face);

    if (dir == NULL)
        abort();
    while ((entry = readdir(dir)) != NULL) {
        char path[400], text[40000] = "";
        FILE *file;

        if (strncmp(entry->d_name, "OQSsiquc01res_face_", 19) != 0)
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", face, entry->d_name);
        file = fopen(path, "re");
        if (file == NULL || fread(text, 1, sizeof(text) - 1, file) == 0 || fclose(file) != 0)
            abort();
        note("taken", strstr(text, "</end>") != NULL ? "whole" : "HALF");
        (void)unlink(path);
    }
    (void)closedir(dir);
}

static unsigned files_in(const char *directory, bool remove)
{
    const struct dirent *entry;
    unsigned n = 0;
    DIR *dir = opendir(directory);

    if (dir == NULL)
        abort();
    while ((entry = readdir(dir)) != NULL) {
        char path[400];

        (void)snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "work") == 0 ||
            strcmp(entry->d_name, "face") == 0)
            continue;
        n++;
        if (remove)
            (void)unlink(path);
    }
    (void)closedir(dir);
    return n;
}

/* ---- steps ----------------------------------------------------------------------------------- */

static int at_step(void *arg, const char *step)
{
    bool folder = arg != NULL;

    (void)step;
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
    struct handover_end end;

    memset(data, 'x', sizeof(data));
    memcpy(data + sizeof(data) - 6, "</end>", 6);
    end = give->step == HANDOVER_STAGE
              ? handover_file_stage(&life.disk, give->name, data, sizeof(data), MARK, mark)
              : handover_file_commit(&life.disk, give->name, give->mark);
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
    note(book, what);
    (void)at_step(NULL, "sent");
}

static void carry_http(unsigned index, const char *book, const struct msg_handover_give *give)
{
    struct msg_handover_result *result =
        &answer_to(false, index, MSG_HANDOVER_RESULT)->body.handover_result;

    deliver(book, give->name[0] != '\0' ? give->name : "orca");
    *result = (struct msg_handover_result){.entry = give->entry,
                                           .attempt = give->attempt,
                                           .step = give->step,
                                           .outcome = HANDOVER_DONE};
}

static void carry_reference(const struct msg_eligibility_ask *ask)
{
    struct message *message = answer_to(true, 0, MSG_ELIGIBILITY_ANSWER);
    struct xmlmsg *tree = xmlmsg_new("XmlMsg");
    size_t len;

    assert_int_equal(ask->kind, UPSTREAM_REFERENCE_NUMBER);
    assert_int_equal(ask->writes, 1);
    deliver("reference", "registered");
    (void)xmlmsg_set(tree, "MessageHeader/SegmentOfResult", "1");
    (void)xmlmsg_set(tree, "MessageBody/ProcessingResultStatus", "1");
    message->fds[0] = xmlmsg_to_memfd(tree, &len);
    message->fds[1] = memfd_seal("raw", "raw", 3);
    message->nfds = 2;
    message->body.eligibility_answer =
        (struct msg_eligibility_answer){.request = ask->request, .bytes = (uint32_t)len};
    xmlmsg_free(&tree);
}

static int port_send(void *arg, enum desk_peer peer, unsigned index, uint16_t type,
                     const void *body, const int *fds, unsigned nfds)
{
    static const char *const books[] = {"", "hook", "orca"};

    (void)arg;
    (void)fds;
    if (peer == PEER_RELAY && type == MSG_ELIGIBILITY_ASK) {
        carry_reference(body);
    } else if (peer == PEER_HANDOVER && type == MSG_HANDOVER_GIVE) {
        const struct msg_handover_give *give = body;

        assert_int_equal(nfds, give->step == HANDOVER_COMMIT ? 0 : 2);
        if (index == 0)
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

static void no_lane(void *arg, const struct msg_lane_state *state)
{
    (void)arg;
    (void)state;
}

static void no_visit(void *arg, const struct msg_visit_item *item)
{
    (void)arg;
    (void)item;
}

static void no_slip(void *arg, const struct msg_slip_item *item)
{
    (void)arg;
    (void)item;
}

static void no_preview(void *arg, const struct msg_lane_preview *preview, int fd)
{
    (void)arg;
    (void)preview;
    (void)fd;
}

static void no_disaster(void *arg, const struct msg_disaster_state *state)
{
    (void)arg;
    (void)state;
}

static struct desk *a_desk(void)
{
    const struct desk_ports ports = {NULL,    port_send,   no_lane, no_visit, no_preview,
                                     no_slip, no_disaster, NULL,    NULL};
    static const struct outbox_output outputs[] = {
        {"receipt", OUTBOX_FACE_FILE, false, 0, 5 * CLOCK_SECOND},
        {"hook", OUTBOX_HOOK, true, 72 * CLOCK_HOUR, 5 * CLOCK_SECOND},
        {"orca", OUTBOX_ORCA, false, 0, 5 * CLOCK_SECOND},
    };
    struct desk_settings settings = {.institution = "9910000017"};
    union message_body state = {
        .upstream_state = {.capabilities = CAPABILITY_BY_NUMBERS | CAPABILITY_REFERENCE_NUMBER}};
    struct message message = {.type = MSG_UPSTREAM_STATE, .body = state};
    struct desk *desk;

    for (int i = 0; i < VISIT_STATE_COUNT; i++)
        settings.limit_us[i] = 12 * CLOCK_SECOND;
    assert_int_equal(desk_new(&desk, rig.clock, rig.store, &settings, &ports), 0);
    life.desk = desk;
    assert_true(
        desk_add_upstream(desk, "main", CAPABILITY_BY_NUMBERS | CAPABILITY_REFERENCE_NUMBER) >= 0);
    assert_int_equal(desk_add_lane(desk, 1, "", 0), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(outbox_add_output(desk, &outputs[i]), i);
    outbox_references(desk, true, 0);
    assert_int_equal(desk_resume(desk), 0);
    for (unsigned i = 0; i < 3; i++)
        outbox_carrier_up(desk, i);
    ask_relay_up(desk, 0);
    assert_true(ask_relay_message(desk, 0, &message));
    return desk;
}

static int any_visit(const struct store_visit *visit, void *arg)
{
    *(uint64_t *)arg = visit->id;
    return 0;
}

/* The visit's last step, with its entries: it is done in the life that does not end before it. */
static uint64_t finish_visit(void)
{
    struct store_subject subject = {"subject", 7};
    struct store_answer answer = {
        .institution = "9910000017", .date = "20260801", .usable = 1, .answered_us = 1};
    struct xmlmsg *tree = xmlmsg_new("XmlMsg");
    static const char result[] = "MessageBody/ResultList/ResultOfQualificationConfirmation/";
    struct store_visit visit;
    uint64_t id = 0;
    char path[160];

    assert_int_equal(store_visits(rig.store, 0, INT64_MAX, 9, false, any_visit, &id), 0);
    if (id != 0) {
        xmlmsg_free(&tree);
        return id;
    }
    (void)xmlmsg_set(tree, "MessageHeader/SegmentOfResult", "1");
    (void)snprintf(path, sizeof(path), "%sInsurerNumber", result);
    (void)xmlmsg_set(tree, path, "  990012");
    (void)snprintf(path, sizeof(path), "%sInsuredIdentificationNumber", result);
    (void)xmlmsg_set(tree, path, "1001");
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
    return visit.id;
}

/* Staff link it to the clinic's number, once. */
static void link_patient(uint64_t id)
{
    struct msg_patient_link link = {.request = 1,
                                    .visit = id,
                                    .surface = 'B',
                                    .staff = "staff",
                                    .what = PATIENT_IS,
                                    .number = REFERENCE};
    struct msg_action_result result;
    struct store_visit visit;

    assert_int_equal(store_visit_load(rig.store, id, &visit), 0);
    if (strcmp(visit.patient, REFERENCE) == 0)
        return;
    match_link(life.desk, &link, &result);
    assert_int_equal(result.accepted, 1);
}

static void live(const struct plan *plan)
{
    uint64_t id;

    (void)setenv("CMOCKA_TEST_ABORT", "1", 1); /* this process is not the test */
    rig_set_key(&rig);
    rig_open(&rig);
    memset(&life, 0, sizeof(life));
    life.plan = plan;
    life.disk = (struct folder_disk){.before = at_step, .arg = &life};
    life.disk.paths[FOLDER_WORK] = work;
    life.disk.paths[FOLDER_FACE] = face;
    life.desk = a_desk();
    id = finish_visit();
    for (int i = 0; i < 3; i++) {
        (void)clock_advance(rig.clock, CLOCK_SECOND);
        answers_arrive();
    }
    link_patient(id);
    for (int i = 0; i < 40; i++) {
        (void)clock_advance(rig.clock, 2 * CLOCK_SECOND);
        answers_arrive();
    }
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
    (void)files_in(work, true);
    (void)files_in(face, true);
    (void)files_in(top, true);
    (void)files_in(rig.directory, true);
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
    unsigned n = noted(book, &same);
    int64_t done = entries(kind, IS_DONE), doubtful = entries(kind, IS_DOUBTFUL);

    if (n > 1 || done + doubtful != 1 || (done == 1 && n != 1))
        fail_msg("%s: busy %d, steps %d and %d: arrived %u, done %lld, doubtful %lld", book,
                 first->busy, first->at, second->at, n, (long long)done, (long long)doubtful);
}

/* The last life is never killed; then everything has come to its end. */
static void judge(const struct plan *first, const struct plan *second)
{
    const struct plan whole = {.busy = first->busy};
    bool same;
    unsigned n;

    assert_int_equal(one_life(&whole), 0);
    receipt_computer_takes();
    n = noted("taken", &same);
    if (n != 1 || !same || entries("0", IS_DONE) != 1)
        fail_msg("face file: busy %d, steps %d and %d: taken %u, alike %d, done %lld", first->busy,
                 first->at, second->at, n, same, (long long)entries("0", IS_DONE));
    n = noted("hook", &same);
    if (n < 1 || !same || entries("1", IS_DONE) != 1)
        fail_msg("hook: busy %d, steps %d and %d: arrived %u, alike %d", first->busy, first->at,
                 second->at, n, same);
    at_most_once("orca", "2", first, second);
    at_most_once("reference", "3", first, second);
    /* The work folder keeps its mark, and nothing else. */
    if (files_in(work, false) != 1)
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
    assert_int_equal(noted("taken", &same), 1);
    assert_int_equal(noted("hook", &same), 1);
    assert_int_equal(noted("orca", &same), 1);
    assert_int_equal(noted("reference", &same), 1);
    judge(&whole, &whole);
    assert_int_equal(noted("taken", &same), 1);
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

static int set_up(void **state)
{
    const char *memory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

    /* A process that is killed leaves what it has written, synced or not: a disk would only cost time. */
    rig_new_closed(&rig);
    assert_int_equal(rmdir(rig.directory), 0);
    (void)snprintf(rig.directory, sizeof(rig.directory), "%s/uketsuke-store-XXXXXX", memory);
    assert_non_null(mkdtemp(rig.directory));
    (void)state;
    (void)snprintf(top, sizeof(top), "%s/uketsuke-handover-XXXXXX", memory);
    if (mkdtemp(top) == NULL)
        return -1;
    (void)snprintf(work, sizeof(work), "%s/work", top);
    (void)snprintf(face, sizeof(face), "%s/face", top);
    return mkdir(work, 0700) != 0 || mkdir(face, 0700) != 0;
}

static int tear_down(void **state)
{
    (void)state;
    begin();
    rig_free(&rig);
    return rmdir(work) != 0 || rmdir(face) != 0 || rmdir(top) != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_life_hands_everything_over_once),
        cmocka_unit_test(a_crash_at_each_step),
        cmocka_unit_test(a_crash_at_each_step_while_files_are_taken_at_once),
        cmocka_unit_test(a_failure_of_each_operation_at_the_folder),
        cmocka_unit_test(a_second_crash_at_each_step_of_the_recovery),
    };

    rig_quiet();
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
