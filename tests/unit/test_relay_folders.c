/*
 * The folders of a 資格確認端末 on good days and bad: the relay as it runs, in its cage, beside the
 * simulated terminal (tests/sim/terminal). What every kind of upstream must do is in
 * test_relay_kinds.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/common/failure.h"
#include "daemon/common/question.h"

#include "relay_rig.h"
#include "relay_tools.h"

enum { ANSWERED = 0, NOT_SENT = 1, DOUBTFUL = 2 };

#define RESULT "MessageBody/ResultList/ResultOfQualificationConfirmation/"

static const struct rig_options usual = {.folders = true};
static const struct rig_options impatient = {.folders = true, .taken_seconds = 2};
static unsigned asked;

static struct xmlmsg *read_question(const char *correlation)
{
    const struct question_header header = {"9910000017", "20261005", correlation};

    return rig_question(&header, false);
}

static struct xmlmsg *write_question(const char *correlation)
{
    const struct question_header header = {"9910000017", "20261005", correlation};
    const struct question_reference reference = {"PT000123", &rig_shikaku};
    struct xmlmsg *tree = question_reference_number(&header, &reference);

    assert_non_null(tree);
    return tree;
}

static uint64_t send_question(struct rig *rig, bool writes, const char *correlation, uint32_t ms)
{
    struct xmlmsg *tree = writes ? write_question(correlation) : read_question(correlation);
    uint64_t request = rig_ask(rig, writes ? UPSTREAM_REFERENCE_NUMBER : UPSTREAM_BY_NUMBERS,
                               writes, ms, tree, correlation);

    xmlmsg_free(&tree);
    return request;
}

static const char *new_correlation(void)
{
    static char text[32];

    (void)snprintf(text, sizeof(text), "F-%u", ++asked);
    return text;
}

static struct rig_answer get(struct rig *rig, uint64_t request, unsigned ms)
{
    struct rig_answer answer;

    if (!rig_wait(rig, request, ms + PATIENCE_MS, &answer)) {
        char *log = rig_log(rig);

        print_error("%s", log);
        free(log);
        fail_msg("no answer");
    }
    return answer;
}

static void expect(struct rig_answer answer, int outcome, int failure)
{
    if (answer.message.outcome != outcome || answer.message.failure != failure)
        fail_msg("outcome %d %s, wanted %d %s", answer.message.outcome,
                 failure_text(answer.message.failure)->name, outcome,
                 failure_text((uint16_t)failure)->name);
    assert_int_equal(answer.tree != NULL, outcome == ANSWERED);
    rig_answer_free(&answer);
}

static void ask(struct rig *rig, bool writes, uint32_t ms, int outcome, int failure)
{
    expect(get(rig, send_question(rig, writes, new_correlation(), ms), ms), outcome, failure);
}

static void an_answer_is_taken_and_nothing_stays_behind(void **state)
{
    struct rig *rig = rig_start(&usual);
    struct rig_answer a;

    (void)state;
    rig_put(rig, "res", "OQSsiquc01res_somebody-elses.xml", "not ours");
    rig_put(rig, "req", "other-program.tmp", "not ours");
    a = get(rig, send_question(rig, false, "RD-20261005-0001", 8000), 8000);
    assert_int_equal(a.message.outcome, ANSWERED);
    assert_string_equal(xmlmsg_get(a.tree, RESULT "Name"), "架空　三郎");
    assert_string_equal(xmlmsg_get(a.tree, RESULT "InsurerNumber"), "  990010");
    assert_non_null(strstr(a.raw, "架空　三郎"));
    rig_answer_free(&a);
    rig_wait_files(rig, "res", 1);
    rig_wait_files(rig, "req", 1);
    rig_wait_files(rig, "work", 0);
    assert_int_equal(rig_count(rig, "RD-20261005-0001"), 1);
    assert_int_equal(rig_count(rig, "HALF"), 0);
    rig_stop(rig);
}

static void both_encodings_in_any_order(void **state)
{
    const struct rig_options shift_jis = {.folders = true, .extra = "encoding = shift-jis"};

    (void)state;
    for (int ours = 0; ours < 2; ours++) {
        struct rig *rig = rig_start(ours == 0 ? &usual : &shift_jis);

        for (int theirs = 0; theirs < 2; theirs++)
            for (int shuffle = 0; shuffle < 2; shuffle++) {
                struct rig_answer a;
                char line[32];

                rig_control(rig, theirs == 0 ? "encoding utf-8" : "encoding shift-jis");
                (void)snprintf(line, sizeof(line), "shuffle %d", shuffle * 7);
                rig_control(rig, line);
                rig_control(rig, "spread");
                a = get(rig, send_question(rig, false, new_correlation(), 8000), 8000);
                assert_int_equal(a.message.outcome, ANSWERED);
                assert_string_equal(xmlmsg_get(a.tree, RESULT "Name"), "架空　三郎");
                assert_string_equal(xmlmsg_get(a.tree, "MessageHeader/CharacterCodeIdentifier"),
                                    theirs == 0 ? "0" : "1");
                /* The bytes as they lay there: 架 is 89 CB in CP932. */
                assert_non_null(strstr(a.raw, theirs == 0 ? "架空" : "\x89\xcb\x8b\xf3"));
                rig_answer_free(&a);
            }
        rig_stop(rig);
    }
}

static void a_character_that_the_encoding_lacks_is_not_sent(void **state)
{
    const struct rig_options shift_jis = {.folders = true, .extra = "encoding = shift-jis"};
    const struct question_header header = {"9910000017", "20261005", "F-lacks"};
    struct question_numbers numbers = rig_shikaku;
    struct rig *rig = rig_start(&shift_jis);
    struct xmlmsg *tree;

    (void)state;
    numbers.symbol = "\xf0\xa0\xae\xb7"; /* 𠮷 of JIS X 0213: CP932 has no place for it */
    tree = question_by_numbers(&header, &numbers);
    expect(get(rig, rig_ask(rig, UPSTREAM_BY_NUMBERS, false, 4000, tree, "F-lacks"), 4000),
           NOT_SENT, FAILURE_LOOKUP_FORMAT);
    xmlmsg_free(&tree);
    rig_wait_files(rig, "work", 0);
    assert_int_equal(rig_files(rig, "req", NULL, 0), 0);
    rig_stop(rig);
}

/* Whatever becomes a right answer within the time is one. */
static void files_that_are_still_being_written_are_waited_for(void **state)
{
    static const char *const ways[] = {"half 600", "nuls 600", "locked 600", "duplicate 200",
                                       "slow 500"};
    struct rig *rig = rig_start(&usual);

    (void)state;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        rig_control(rig, ways[i]);
        ask(rig, false, 8000, ANSWERED, FAILURE_NONE);
        rig_control(rig, "normal");
    }
    rig_stop(rig);
}

static void what_is_no_answer_is_said_in_its_own_words(void **state)
{
    static const struct {
        const char *way;
        const char *log;
    } rows[] = {
        {"cut", "half an answer file"},
        {"garbage", "an answer file that is no message"},
        {"other-institution", "an answer to somebody else or to another request"},
        {"other-identifier", "an answer to somebody else or to another request"},
        {"large", "an answer file that is too large"},
        {"fifo", "no regular file"},
        {"symlink", "no regular file"},
        {"directory", "no regular file"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig *rig = rig_start(&usual);
        char *log;

        rig_control(rig, rows[i].way);
        ask(rig, false, 2500, NOT_SENT, FAILURE_ELIGIBILITY_GARBLED);
        rig_control(rig, "normal");
        /* It has done no harm. */
        ask(rig, false, 8000, ANSWERED, FAILURE_NONE);
        log = rig_log(rig);
        if (strstr(log, rows[i].log) == NULL)
            fail_msg("%s: the log does not say \"%s\":\n%s", rows[i].way, rows[i].log, log);
        free(log);
        rig_stop(rig);
    }
}

static void a_write_is_doubtful_when_its_time_is_over_and_told_when_it_comes(void **state)
{
    struct rig *rig = rig_start(&usual);
    struct msg_health_item item;
    struct rig_told told;

    (void)state;
    rig_control(rig, "slow 10000");
    expect(get(rig, send_question(rig, true, "F-late", 4000), 4000), DOUBTFUL,
           FAILURE_ELIGIBILITY_DOUBTFUL);
    assert_true(rig_health(rig, "upstream requests", &item));
    assert_int_equal(item.failure, FAILURE_ELIGIBILITY_DOUBTFUL);
    assert_non_null(strstr(item.detail, "1 may have arrived or not"));
    assert_true(rig_wait_told(rig, MSG_ELIGIBILITY_LATE, PATIENCE_MS, &told));
    assert_string_equal(told.late.correlation, "F-late");
    assert_int_equal(told.late.kind, UPSTREAM_REFERENCE_NUMBER);
    assert_int_equal(told.late.writes, 1);
    assert_string_equal(xmlmsg_get(told.tree, "MessageBody/ProcessingResultStatus"), "1");
    assert_int_equal(rig_count(rig, "F-late"), 1);
    assert_true(rig_health(rig, "upstream requests", &item));
    assert_int_equal(item.failure, FAILURE_NONE);
    /* Remembered until the desk says that it has it. */
    rig_wait_files(rig, "work", 1);
    assert_int_equal(rig_files(rig, "res", NULL, 0), 1);
    rig_take(rig, &told);
    rig_wait_files(rig, "work", 0);
    rig_wait_files(rig, "res", 0);
    rig_told_free(&told);
    rig_stop(rig);
}

static void a_read_that_comes_late_is_told_and_forgotten(void **state)
{
    struct rig *rig = rig_start(&usual);
    struct rig_told told;

    (void)state;
    rig_control(rig, "slow 8000");
    expect(get(rig, send_question(rig, false, "F-read", 4000), 4000), NOT_SENT,
           FAILURE_ELIGIBILITY_SLOW);
    assert_true(rig_wait_told(rig, MSG_ELIGIBILITY_LATE, PATIENCE_MS, &told));
    assert_string_equal(told.late.correlation, "F-read");
    assert_int_equal(told.late.writes, 0);
    assert_string_equal(xmlmsg_get(told.tree, RESULT "Name"), "架空　三郎");
    rig_told_free(&told);
    rig_wait_files(rig, "work", 0);
    rig_wait_files(rig, "res", 0);
    rig_stop(rig);
}

static void a_cancelled_read_leaves_nothing_and_a_cancelled_write_runs_on(void **state)
{
    struct rig *rig = rig_start(&usual);
    struct rig_told none;
    uint64_t request;

    (void)state;
    rig_control(rig, "slow 700");
    rig_cancel(rig, send_question(rig, false, "F-read", 8000));
    assert_false(rig_wait_told(rig, MSG_ELIGIBILITY_LATE, 1500, &none));
    rig_wait_files(rig, "work", 0);
    rig_wait_files(rig, "res", 0);
    request = send_question(rig, true, "F-write", 8000);
    while (rig_count(rig, "F-write") == 0)
        (void)poll(NULL, 0, 10);
    rig_cancel(rig, request);
    expect(get(rig, request, 4000), ANSWERED, FAILURE_NONE);
    rig_stop(rig);
}

/* ---- a terminal that does not run ------------------------------------------------------------ */

static void a_terminal_that_is_off_is_found_out_once_and_its_return_by_itself(void **state)
{
    struct rig *rig = rig_start(&impatient);
    struct msg_health_item item;
    uint64_t first, second;

    (void)state;
    ask(rig, false, 8000, ANSWERED, FAILURE_NONE);
    rig_control(rig, "down");
    /* taken-seconds is 2: neither waits for its own twenty. */
    first = send_question(rig, false, "F-first", 20000);
    second = send_question(rig, false, "F-second", 20000);
    expect(get(rig, first, 5000), NOT_SENT, FAILURE_ELIGIBILITY_UNREACHABLE);
    expect(get(rig, second, 1000), NOT_SENT, FAILURE_ELIGIBILITY_UNREACHABLE);
    assert_int_equal(rig_state(rig)->breaker, 2);
    /* The next patient does not wait at all. */
    expect(get(rig, send_question(rig, false, "F-third", 20000), 500), NOT_SENT,
           FAILURE_ELIGIBILITY_UNREACHABLE);
    assert_true(rig_health(rig, "upstream folder", &item));
    assert_int_equal(item.state, 2);
    /* One stays there to tell when the terminal is back; the other was taken back. */
    rig_wait_files(rig, "req", 1);
    rig_control(rig, "up");
    assert_true(rig_wait_state(rig, 0, FAILURE_NONE, PATIENCE_MS));
    ask(rig, false, 8000, ANSWERED, FAILURE_NONE);
    rig_wait_files(rig, "work", 0);
    assert_int_equal(rig_count(rig, "F-first") + rig_count(rig, "F-second"), 1);
    assert_int_equal(rig_count(rig, "F-third"), 0);
    rig_stop(rig);
}

static void a_write_that_nobody_takes_stays_and_is_answered_when_somebody_does(void **state)
{
    struct rig *rig = rig_start(&impatient);
    struct rig_told told;

    (void)state;
    rig_control(rig, "down");
    expect(get(rig, send_question(rig, true, "F-write", 20000), 5000), DOUBTFUL,
           FAILURE_ELIGIBILITY_DOUBTFUL);
    rig_control(rig, "up");
    assert_true(rig_wait_told(rig, MSG_ELIGIBILITY_LATE, PATIENCE_MS, &told));
    assert_string_equal(told.late.correlation, "F-write");
    assert_int_equal(rig_count(rig, "F-write"), 1);
    rig_told_free(&told);
    rig_stop(rig);
}

/* ---- kills ----------------------------------------------------------------------------------- */

static void a_killed_relay_joins_what_is_on_its_way(void **state)
{
    struct rig *rig = rig_start(&usual);

    (void)state;
    rig_control(rig, "slow 1500");
    (void)send_question(rig, false, "F-read", 8000);
    while (rig_count(rig, "F-read") == 0)
        (void)poll(NULL, 0, 10);
    rig_kill_relay(rig);
    rig_revive_relay(rig);
    rig_connect(rig);
    /* The desk asks again, as it does when the relay was lost. */
    expect(get(rig, send_question(rig, false, "F-read", 8000), 8000), ANSWERED, FAILURE_NONE);
    assert_int_equal(rig_count(rig, "F-read"), 1);
    rig_stop(rig);
}

/* The answer to F-write, and nothing of it stays; it was asked once. */
static void told_and_taken(struct rig *rig)
{
    struct rig_told told;

    assert_true(rig_wait_told(rig, MSG_ELIGIBILITY_LATE, PATIENCE_MS, &told));
    assert_string_equal(told.late.correlation, "F-write");
    rig_take(rig, &told);
    rig_told_free(&told);
    rig_wait_files(rig, "work", 0);
    assert_int_equal(rig_count(rig, "F-write"), 1);
    rig_stop(rig);
}

static void an_answer_that_came_while_the_relay_was_dead_is_told(void **state)
{
    struct rig *rig = rig_start(&usual);
    struct rig_told told;

    (void)state;
    rig_control(rig, "slow 500");
    (void)send_question(rig, true, "F-write", 8000);
    while (rig_count(rig, "F-write") == 0)
        (void)poll(NULL, 0, 10);
    rig_kill_relay(rig);
    (void)poll(NULL, 0, 800);
    rig_revive_relay(rig);
    rig_connect(rig);
    assert_true(rig_wait_told(rig, MSG_ELIGIBILITY_LATE, PATIENCE_MS, &told));
    assert_string_equal(told.late.correlation, "F-write");
    rig_told_free(&told);
    /* No receipt: it is told again after the next death, until there is one. */
    rig_kill_relay(rig);
    rig_revive_relay(rig);
    rig_connect(rig);
    told_and_taken(rig);
}

/* The desk goes while its question is with the terminal, and comes back after the answer, or before it. */
static void an_answer_that_no_desk_heard_is_told_to_the_next(void **state)
{
    (void)state;
    for (int before = 0; before < 2; before++) {
        struct rig *rig = rig_start(&usual);

        rig_control(rig, "slow 3000");
        (void)send_question(rig, true, "F-write", 60000);
        while (rig_count(rig, "F-write") == 0)
            (void)poll(NULL, 0, 10);
        rig_disconnect(rig);
        if (before == 0)
            rig_wait_log(rig, "heard=0");
        rig_connect(rig);
        told_and_taken(rig);
    }
}

/* ---- face files ------------------------------------------------------------------------------ */

static void a_face_file_is_told_once_and_left_where_it_is(void **state)
{
    struct rig *rig = rig_start(&usual);
    struct rig_told told, none;
    char path[300];
    struct stat before, after;

    (void)state;
    rig_control(rig, "face hanako 9910000017a_20261005091502");
    assert_true(rig_wait_told(rig, MSG_TERMINAL_VISIT, PATIENCE_MS, &told));
    assert_string_equal(xmlmsg_get(told.tree, "MessageHeader/ReferenceClassification"), "1");
    assert_true(strstr(xmlmsg_get(told.tree, RESULT "Name"), "●") != NULL);
    assert_int_equal(told.late.hash.len, 32);
    rig_path(rig, "face", "OQSsiquc01res_face_9910000017a_20261005091502.xml", path, sizeof(path));
    assert_int_equal(stat(path, &before), 0);
    rig_take(rig, &told);
    rig_told_free(&told);
    /* The same content under another name is the same visit. */
    {
        char command[700];

        (void)snprintf(command, sizeof(command),
                       "cp '%s' '%.200s/face/OQSsiquc01res_face_copy.xml'", path, rig_folder(rig));
        assert_int_equal(system(command), 0);
    }
    assert_false(rig_wait_told(rig, MSG_TERMINAL_VISIT, 800, &none));
    rig_control(rig, "face saburo b");
    assert_true(rig_wait_told(rig, MSG_TERMINAL_VISIT, PATIENCE_MS, &told));
    rig_told_free(&told);
    /* Not taken: told again at the next connection and after a restart; the first one is not. */
    rig_disconnect(rig);
    rig_connect(rig);
    assert_true(rig_wait_told(rig, MSG_TERMINAL_VISIT, PATIENCE_MS, &told));
    rig_told_free(&told);
    rig_kill_relay(rig);
    rig_revive_relay(rig);
    rig_connect(rig);
    assert_true(rig_wait_told(rig, MSG_TERMINAL_VISIT, PATIENCE_MS, &told));
    rig_take(rig, &told);
    rig_told_free(&told);
    rig_wait_files(rig, "work", 2); /* both are marked as taken */
    assert_false(rig_wait_told(rig, MSG_TERMINAL_VISIT, 600, &none));
    rig_kill_relay(rig);
    rig_revive_relay(rig);
    rig_connect(rig);
    assert_false(rig_wait_told(rig, MSG_TERMINAL_VISIT, 800, &none));
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    assert_int_equal(rig_files(rig, "face", NULL, 0), 3);
    rig_stop(rig);
}

/*
 * What the desk is told of is what lay there, byte for byte: each combination of CD003, CD004,
 * CD006 and CD016 in both encodings, as an official terminal's file.
 */
static void every_sample_is_handed_over_byte_for_byte(void **state)
{
    struct rig *rig = rig_start(&usual);
    char dir[100], command[400];
    unsigned n = 0;
    struct rig_told told;

    (void)state;
    (void)snprintf(dir, sizeof(dir), "%.80s/samples", rig_folder(rig));
    rig_samples(dir);
    (void)snprintf(command, sizeof(command),
                   "cd %s && for f in S*.xml; do cp $f ../face/OQSsiquc01res_face_$f; done", dir);
    assert_int_equal(system(command), 0);
    while (n < 2 * 3 * 2 * 6 * 4 && rig_wait_told(rig, MSG_TERMINAL_VISIT, 10000, &told)) {
        char name[160];
        char *data;

        (void)snprintf(
            name, sizeof(name), "%s-%s.xml",
            xmlmsg_get(told.tree, "MessageHeader/ArbitraryFileIdentifier"),
            strcmp(xmlmsg_get(told.tree, "MessageHeader/CharacterCodeIdentifier"), "0") == 0
                ? "utf-8"
                : "shift-jis");
        (void)snprintf(command, sizeof(command), "%s/%s", dir, name);
        data = rig_read_file(command);
        assert_int_equal(told.raw_len, strlen(data));
        assert_memory_equal(told.raw, data, told.raw_len);
        free(data);
        /* Once each. */
        assert_int_equal(unlink(command), 0);
        rig_take(rig, &told);
        rig_told_free(&told);
        n++;
    }
    assert_int_equal(n, 2 * 3 * 2 * 6 * 4);
    rig_stop(rig);
}

static void face_files_that_are_half_foreign_or_old(void **state)
{
    struct rig *rig = rig_start(&usual);
    const struct timespec days_ago[2] = {{.tv_sec = time(NULL) - 3 * 86400},
                                         {.tv_sec = time(NULL) - 3 * 86400}};
    struct rig_told told;
    char path[300], aside[300];

    (void)state;
    rig_control(rig, "face saburo half half 500");
    assert_true(rig_wait_told(rig, MSG_TERMINAL_VISIT, PATIENCE_MS, &told));
    rig_told_free(&told);
    rig_control(rig, "face goro foreign other-institution 0");
    rig_put(rig, "face", "OQSsiquc01res_face_junk.xml", "no message");
    rig_put(rig, "face", "somebody-elses.xml", "<a/>");
    assert_int_equal(
        mkfifo((rig_path(rig, "face", "OQSsiquc01res_face_fifo.xml", path, sizeof(path)), path),
               0600),
        0);
    /* Old from its first moment in the folder: a relay that looks before its time is set would
     * rightly take it for new. */
    rig_put(rig, ".", "old.xml",
            "<XmlMsg><MessageHeader><MedicalInstitutionCode>9910000017"
            "</MedicalInstitutionCode></MessageHeader></XmlMsg>");
    rig_path(rig, ".", "old.xml", aside, sizeof(aside));
    rig_path(rig, "face", "OQSsiquc01res_face_old.xml", path, sizeof(path));
    assert_int_equal(utimensat(AT_FDCWD, aside, days_ago, 0), 0);
    assert_int_equal(rename(aside, path), 0);
    assert_true(rig_wait_health(rig, "upstream face files",
                                "5 files, 1 of another institution, 1 that are no messages"));
    assert_false(rig_wait_told(rig, MSG_TERMINAL_VISIT, 1000, &told));
    rig_stop(rig);
}

/* ---- the folder itself ----------------------------------------------------------------------- */

static void a_folder_that_goes_away_is_said_and_comes_back(void **state)
{
    struct rig *rig = rig_start(&usual);
    struct msg_health_item item;
    char req[300], away[300];

    (void)state;
    rig_path(rig, "req", "", req, sizeof(req));
    req[strlen(req) - 1] = '\0';
    (void)snprintf(away, sizeof(away), "%s-away", req);
    ask(rig, false, 8000, ANSWERED, FAILURE_NONE);
    assert_int_equal(rename(req, away), 0);
    ask(rig, false, 4000, NOT_SENT, FAILURE_ELIGIBILITY_FOLDER);
    ask(rig, true, 4000, NOT_SENT, FAILURE_ELIGIBILITY_FOLDER); /* certainly not sent: no doubt */
    assert_true(rig_health(rig, "upstream folder", &item));
    assert_int_equal(item.state, 2);
    assert_int_equal(item.failure, FAILURE_ELIGIBILITY_FOLDER);
    assert_int_equal(rename(away, req), 0);
    assert_true(rig_wait_state(rig, 0, FAILURE_NONE, PATIENCE_MS));
    ask(rig, false, 8000, ANSWERED, FAILURE_NONE);
    rig_wait_files(rig, "work", 0);
    rig_stop(rig);
}

/*
 * A file system that never says a word, behind a link in place of the folder `face`: whoever looks
 * there waits, as with a server that has gone. The descriptor ends it when it is closed; negative
 * where this machine does not let us.
 */
static int hang_face(struct rig *rig)
{
    char options[100], face[300], away[300], silent[300], behind[310];
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return -1;
    rig_path(rig, ".", "face", face, sizeof(face));
    rig_path(rig, ".", "face-away", away, sizeof(away));
    rig_path(rig, ".", "silent", silent, sizeof(silent));
    (void)snprintf(behind, sizeof(behind), "%s/face", silent);
    (void)snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
    (void)mkdir(silent, 0700);
    if (mount("silence", silent, "fuse", MS_NOSUID | MS_NODEV, options) != 0) {
        (void)close(fd);
        return -1;
    }
    assert_int_equal(rename(face, away), 0);
    assert_int_equal(symlink(behind, face), 0);
    return fd;
}

static void unhang_face(struct rig *rig, int fd)
{
    char face[300], away[300], silent[300];

    rig_path(rig, ".", "face", face, sizeof(face));
    rig_path(rig, ".", "face-away", away, sizeof(away));
    rig_path(rig, ".", "silent", silent, sizeof(silent));
    assert_int_equal(unlink(face), 0);
    assert_int_equal(rename(away, face), 0);
    (void)close(fd);
    assert_int_equal(umount2(silent, MNT_DETACH), 0);
}

static void a_mount_that_hangs_stops_nothing_else(void **state)
{
    struct rig *rig =
        rig_start(&(const struct rig_options){.folders = true, .extra = "folder-seconds = 3"});
    struct msg_health_item item;
    unsigned ms;
    int fd;

    (void)state;
    ask(rig, false, 8000, ANSWERED, FAILURE_NONE);
    fd = hang_face(rig);
    if (fd < 0) {
        rig_stop(rig);
        skip();
    }
    assert_true(rig_wait_state(rig, 2, FAILURE_ELIGIBILITY_FOLDER, PATIENCE_MS));
    /* Nobody waits for it: neither a patient nor who looks after the machine. */
    expect(get(rig, send_question(rig, false, "F-read", 20000), 1000), NOT_SENT,
           FAILURE_ELIGIBILITY_FOLDER);
    expect(get(rig, send_question(rig, true, "F-write", 20000), 1000), NOT_SENT,
           FAILURE_ELIGIBILITY_FOLDER);
    assert_true(rig_health(rig, "upstream folder", &item));
    if (strstr(item.detail, "the folder does not answer") == NULL)
        fail_msg("%s", item.detail);
    /* When it answers again while the program lives it goes on by itself. */
    unhang_face(rig, fd);
    assert_true(rig_wait_state(rig, 0, FAILURE_NONE, PATIENCE_MS));
    ask(rig, false, 8000, ANSWERED, FAILURE_NONE);
    assert_int_equal(rig_count(rig, "F-read") + rig_count(rig, "F-write"), 0);
    /* Nor does the end of the program wait for it. */
    fd = hang_face(rig);
    assert_true(fd >= 0);
    assert_true(rig_wait_state(rig, 2, FAILURE_ELIGIBILITY_FOLDER, PATIENCE_MS));
    ms = rig_end_relay(rig);
    unhang_face(rig, fd);
    assert_in_range(ms, 0, 5000);
    rig_revive_relay(rig);
    rig_connect(rig);
    ask(rig, false, 8000, ANSWERED, FAILURE_NONE);
    rig_stop(rig);
}

/* The cage stands around the folder as it was when the program began. */
static void a_share_that_is_mounted_anew_is_found_by_a_new_beginning(void **state)
{
    struct rig *rig = rig_start(&usual);
    struct rig_told told;
    char face[300];

    (void)state;
    rig_path(rig, "face", "", face, sizeof(face));
    if (mount("tmpfs", face, "tmpfs", 0, "mode=0700") != 0) {
        rig_stop(rig);
        skip();
    }
    assert_int_equal(rig_wait_exit(rig, 10000), 0);
    rig_revive_relay(rig); /* the supervisor */
    rig_connect(rig);
    rig_control(rig, "face saburo a");
    assert_true(rig_wait_told(rig, MSG_TERMINAL_VISIT, PATIENCE_MS, &told));
    rig_told_free(&told);
    assert_int_equal(umount2(face, MNT_DETACH), 0);
    rig_stop(rig);
}

/* Looking at its own pace would take a minute: only the watch can tell. */
static void with_notifications_it_is_quick(void **state)
{
    struct rig *rig = rig_start(&(const struct rig_options){.folders = true, .scan_ms = 60000});

    (void)state;
    rig_control(rig, "slow 900");
    ask(rig, false, 8000, ANSWERED, FAILURE_NONE);
    rig_stop(rig);
}

static void the_log_holds_no_patient(void **state)
{
    struct rig *rig = rig_start(&usual);
    char *log;

    (void)state;
    ask(rig, false, 8000, ANSWERED, FAILURE_NONE);
    ask(rig, true, 8000, ANSWERED, FAILURE_NONE);
    rig_control(rig, "face hanako secret-name-of-a-file");
    {
        struct rig_told told;

        assert_true(rig_wait_told(rig, MSG_TERMINAL_VISIT, PATIENCE_MS, &told));
        rig_told_free(&told);
    }
    log = rig_log(rig);
    assert_null(strstr(log, "架空"));
    assert_null(strstr(log, "2001"));
    assert_null(strstr(log, "19640229"));
    assert_null(strstr(log, "PT000123"));
    assert_null(strstr(log, "secret-name"));
    free(log);
    rig_stop(rig);
}

static void a_wrong_configuration_is_said_in_plain_words(void **state)
{
    static const struct {
        const char *folder; /* "": the right one; NULL: none */
        const char *more;
        const char *said;
    } rows[] = {
        {NULL, "", "資格確認端末のフォルダを設定"},
        {"/nowhere/at/all", "", "フォルダがないか"},
        {"/etc/hostname", "", "フォルダがないか"},
        {"", "capabilities = by_numbers card_session", "card_session"},
        {"", "work-folder = /proc", "同じファイルシステム"},
    };
    char dir[] = "/tmp/uketsuke-folder-XXXXXX", text[600], output[4096], path[100];

    (void)state;
    assert_non_null(mkdtemp(dir));
    for (const char *const *each = (const char *const[]){"req", "res", NULL}; *each != NULL;
         each++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, *each);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *folder = rows[i].folder;

        (void)snprintf(text, sizeof(text),
                       "[desk]\ninstitution = 9910000017\nrun-directory = /tmp\n[upstream "
                       "main]\nkind = folders\n%s%s\n%s\n",
                       folder != NULL ? "folder = " : "",
                       folder == NULL      ? ""
                       : folder[0] != '\0' ? folder
                                           : dir,
                       rows[i].more);
        assert_int_equal(rig_run_relay(text, "--try-cage", output, sizeof(output)), 1);
        if (strstr(output, rows[i].said) == NULL)
            fail_msg("%zu: %s", i, output);
    }
    /* And the right one holds its cage: no socket at all, no file beside the folder. */
    (void)snprintf(text, sizeof(text),
                   "[desk]\ninstitution = 9910000017\nrun-directory = /tmp\n[upstream main]\nkind "
                   "= folders\nfolder = %s\n",
                   dir);
    assert_int_equal(rig_run_relay(text, "--try-cage", output, sizeof(output)), 0);
    assert_null(strstr(output, "ALLOWED"));
    assert_non_null(strstr(output, "refused an IPv4 socket"));
    (void)snprintf(text, sizeof(text), "rm -rf %s", dir);
    assert_int_equal(system(text), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_taken_and_nothing_stays_behind),
        cmocka_unit_test(both_encodings_in_any_order),
        cmocka_unit_test(a_character_that_the_encoding_lacks_is_not_sent),
        cmocka_unit_test(files_that_are_still_being_written_are_waited_for),
        cmocka_unit_test(what_is_no_answer_is_said_in_its_own_words),
        cmocka_unit_test(a_write_is_doubtful_when_its_time_is_over_and_told_when_it_comes),
        cmocka_unit_test(a_read_that_comes_late_is_told_and_forgotten),
        cmocka_unit_test(a_cancelled_read_leaves_nothing_and_a_cancelled_write_runs_on),
        cmocka_unit_test(a_terminal_that_is_off_is_found_out_once_and_its_return_by_itself),
        cmocka_unit_test(a_write_that_nobody_takes_stays_and_is_answered_when_somebody_does),
        cmocka_unit_test(a_killed_relay_joins_what_is_on_its_way),
        cmocka_unit_test(an_answer_that_came_while_the_relay_was_dead_is_told),
        cmocka_unit_test(an_answer_that_no_desk_heard_is_told_to_the_next),
        cmocka_unit_test(a_face_file_is_told_once_and_left_where_it_is),
        cmocka_unit_test(every_sample_is_handed_over_byte_for_byte),
        cmocka_unit_test(face_files_that_are_half_foreign_or_old),
        cmocka_unit_test(a_folder_that_goes_away_is_said_and_comes_back),
        cmocka_unit_test(a_mount_that_hangs_stops_nothing_else),
        cmocka_unit_test(a_share_that_is_mounted_anew_is_found_by_a_new_beginning),
        cmocka_unit_test(with_notifications_it_is_quick),
        cmocka_unit_test(the_log_holds_no_patient),
        cmocka_unit_test(a_wrong_configuration_is_said_in_plain_words),
    };

    cmocka_set_test_filter(getenv("UKETSUKE_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
