/*
 * A crash at every write of the outbox and of the hand-over, and at every write of the recovery after it: a face file
 * reaches the receipt computer exactly once and whole, a document (YZK) the chart likewise and nothing of it the
 * database, a hook at least once and always under the same id, ORCA and the registration of a patient's number, alone
 * or in bulk, at most once, and what may or may not have arrived, or never will, is shown to staff. The face file of an official
 * terminal, which its relay tells again until it was taken, is one visit and goes on exactly once, its bytes as they
 * came. A document whose consent ended, or was taken back, before the desk came to life again is nowhere.
 *
 * Each life is a process of its own that ends at its n-th step as if by kill -9: desk, SQLite and the file protocol of
 * the carrier are the product's; receivers are a few lines that write down what they got, outside all of it. A step is
 * a commit (before it and after it), each operation on the folder, each delivery to a receiver (before and after it),
 * and each answer on its way back to the desk.
 */
#include "handover_carriers.h"
#include "handover_world.h"
#include "quiet_desk.h"
#include "store_rig.h"

#include "daemon/common/memfd.h"
#include "daemon/common/question.h"
#include "daemon/common/xmlmsg.h"
#include "daemon/desk/ask.h"
#include "daemon/desk/hub.h"
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

#define STEPS_MAX 400
#define REFERENCE "PT000456"

static struct rig rig;
static char work[100], face[100], chart_work[100], chart[100];

/* ---- one life -------------------------------------------------------------------------------- */

static struct desk *a_desk(void)
{
    const struct desk_ports ports = quiet_ports(carriers_send, NULL);
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

/* What an answer of that day says of the n-th patient, with a consent to drugs. */
static struct xmlmsg *an_answer(uint64_t n)
{
    static const char result[] = "MessageBody/ResultList/ResultOfQualificationConfirmation";
    const char *const rows[][2] = {{"InsurerNumber", "  990012"},
                                   {"InsuredIdentificationNumber", n == 1 ? "1001" : "1002"},
                                   {"PharmacistsInfoConsFlg", "1"},
                                   {"PharmacistsInfoAvailableTime", "20260802090000"}};
    struct xmlmsg *tree = xmlmsg_new("XmlMsg");
    char path[160];

    (void)xmlmsg_set(tree, "MessageHeader/SegmentOfResult", "1");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", result, rows[i][0]);
        (void)xmlmsg_set(tree, path, rows[i][1]);
    }
    return tree;
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
    struct xmlmsg *tree = an_answer(n);
    struct store_visit visit;
    uint64_t there = 0;

    assert_int_equal(store_visits(rig.store, 0, INT64_MAX, 0, 9, false, count_visit, &there), 0);
    if (there >= n) {
        xmlmsg_free(&tree);
        return;
    }
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

/* Its relay tells a terminal's visit in each life until it has a receipt. */
static void terminal_tells(void)
{
    static const char *const rows[][2] = {
        {"MessageHeader/MedicalInstitutionCode", "9910000017"},
        {"MessageHeader/QualificationConfirmationDate", "20260801"},
        {"MessageBody/ProcessingResultStatus", "1"},
        {"MessageBody/QualificationValidity", "1"},
        {"MessageBody/ResultList/ResultOfQualificationConfirmation/Name", "見本　次郎"},
        {"MessageBody/ResultList/ResultOfQualificationConfirmation/Birthdate", "19710203"}};
    struct message message = {.type = MSG_TERMINAL_VISIT, .nfds = 2};
    struct msg_terminal_visit *body = &message.body.terminal_visit;
    struct xmlmsg *tree;
    size_t len;
    bool same;

    if (world_noted("receipt", &same) > 0)
        return;
    tree = an_answer(1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        (void)xmlmsg_set(tree, rows[i][0], rows[i][1]);
    message.fds[0] = xmlmsg_to_memfd(tree, &len);
    message.fds[1] = memfd_seal("raw", terminal_bytes, strlen(terminal_bytes));
    body->bytes = (uint32_t)len;
    body->hash.len = STORE_RELAY_HASH;
    memset(body->hash.data, 0x5a, STORE_RELAY_HASH);
    assert_true(hub_take(life.desk, 0, &message));
    (void)close(message.fds[0]);
    (void)close(message.fds[1]);
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
        carriers_answer();
    }
}

static void live(const struct plan *plan)
{
    (void)setenv("CMOCKA_TEST_ABORT", "1", 1); /* this process is not the test */
    rig_set_key(&rig);
    rig_open(&rig);
    memset(&life, 0, sizeof(life));
    life.plan = plan;
    life.disk = (struct folder_disk){.before = carriers_step, .arg = &life};
    life.disk.paths[FOLDER_WORK] = work;
    life.disk.paths[FOLDER_FACE] = face;
    life.chart_disk = (struct folder_disk){.before = carriers_step, .arg = &life.chart_disk};
    life.chart_disk.paths[FOLDER_WORK] = chart_work;
    life.chart_disk.paths[FOLDER_FACE] = chart;
    if (plan->late)
        (void)clock_advance(rig.clock, 26 * CLOCK_HOUR);
    life.desk = a_desk();
    if (plan->terminal)
        terminal_tells();
    else
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
        carriers_files_taken(face, chart);
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
    const struct plan whole = {.busy = first->busy, .terminal = first->terminal};
    bool same;
    unsigned n;

    assert_int_equal(one_life(&whole), 0);
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM visits"), 1);
    carriers_files_taken(face, chart);
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

static void walk(struct plan kind, int error)
{
    const struct plan none = kind;
    int steps = 0;

    for (int at = 1;; at++) {
        struct plan plan = kind;
        int status;

        plan.at = at;
        plan.error = error;

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

/* The same for a plan of its own kind, with its own judge; what is only of the second life does not hold in the first. */
static void walk_kind(const struct plan *kind, void (*judge_kind)(int at))
{
    int at = 0, status;

    do {
        const struct plan whole = *kind;
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

/* After the consent, or against it: whatever was prepared is gone, what had been handed over before is there once. */
static void judge_late(int at)
{
    bool same;
    unsigned n = world_noted("charted", &same), left = world_files(chart_work, false);
    int64_t done = entries("4", IS_DONE), doubtful = entries("4", IS_DOUBTFUL),
            refused = entries("4", "= 4");
    char mark[160];

    (void)snprintf(mark, sizeof(mark), "%s/" HANDOVER_MARK_FILE, chart_work);
    if (left > (access(mark, F_OK) == 0 ? 1u : 0u) || world_files(chart, false) != 0)
        fail_msg("late, step %d: something of the document is left", at);
    /* A life that ended before its visit did asks nothing in the next one. */
    if (n > 1 || !same || done + doubtful + refused > 1 || (done == 1) > n ||
        (refused == 1 && n != 0) || entries("4", "< 2") != 0)
        fail_msg("late, step %d: arrived %u, done %lld, doubtful %lld, refused %lld", at, n,
                 (long long)done, (long long)doubtful, (long long)refused);
    no_document_is_kept();
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
    walk((struct plan){.busy = false}, 0);
}

static void a_crash_at_each_step_while_files_are_taken_at_once(void **state)
{
    (void)state;
    walk((struct plan){.busy = true}, 0);
}

static void a_failure_of_each_operation_at_the_folder(void **state)
{
    (void)state;
    walk((struct plan){.busy = false}, -EIO);
}

static void a_crash_at_each_step_of_a_terminals_face_file(void **state)
{
    (void)state;
    walk((struct plan){.terminal = true}, 0);
    walk((struct plan){.terminal = true, .busy = true}, 0);
}

static void a_crash_at_each_step_and_no_life_before_the_consent_ends(void **state)
{
    const struct plan late = {.late = true};

    (void)state;
    walk_kind(&late, judge_late);
}

static void a_crash_at_each_step_and_the_consent_is_taken_back(void **state)
{
    const struct plan withdrawn = {.withdrawn = true};

    (void)state;
    walk_kind(&withdrawn, judge_late);
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
    carriers_files_taken(face, chart);
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
        cmocka_unit_test(a_crash_at_each_step_of_a_terminals_face_file),
        cmocka_unit_test(a_crash_at_each_step_and_no_life_before_the_consent_ends),
        cmocka_unit_test(a_crash_at_each_step_and_the_consent_is_taken_back),
        cmocka_unit_test(a_second_crash_at_each_step_of_the_recovery),
    };

    rig_quiet();
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
