/*
 * `uketsuke precheck` against a desk made of packets: the report grows row by row, and whatever stops the command (the
 * desk goes, kill -9 in the middle of a line) the same command goes on from there and asks nothing twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/cli/command.h"
#include "failure.h"
#include "message.h"
#include "visit.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ROWS 8

struct desk {
    char directory[64], config[100], socket[100], list[100], report[120];
    int listen_fd, stop[2];
    pthread_t thread;
    unsigned asked[ROWS + 1]; /* how often each row was */
    unsigned gone_after;      /* rows of one connection; 0: stays */
    unsigned room, batches;   /* rows it takes together; how often it was asked about some */
    unsigned lacking;         /* row 2 is left for later so many times */
    char last_birth[41], dates[ROWS + 1][41]; /* as the rows said them */
    char *date;                               /* --date, NULL: not given */
    char *out, *err;
    size_t out_len, err_len;
};

static void reply(int fd, uint16_t type, const void *body)
{
    uint8_t packet[MESSAGE_MAX];
    int len = message_encode(type, body, 0, packet, sizeof(packet));

    if (len < 0 || send(fd, packet, (size_t)len, MSG_NOSIGNAL) != len)
        abort();
}

/* Number 1003 is nobody's, 1004 cannot be asked in this form; 1005 has changed. */
static void answer(int fd, const struct msg_precheck *m, struct desk *desk)
{
    struct msg_prechecked a = {.request = m->request};
    unsigned row = (unsigned)atoi(m->number) - 1000;

    if (row == 0 || row > ROWS)
        abort();
    desk->asked[row]++;
    memcpy(desk->last_birth, m->birth, sizeof(desk->last_birth));
    memcpy(desk->dates[row], m->date, sizeof(desk->dates[row]));
    MESSAGE_TEXT(a.date, "20261201");
    MESSAGE_TEXT(a.validity, "1");
    MESSAGE_TEXT(a.name, m->name);
    if (row == 2 && desk->lacking > 0) {
        desk->lacking--;
        a.result = PRECHECK_LATER;
        a.failure = FAILURE_ELIGIBILITY_SLOW;
    } else if (row == 6) {
        MESSAGE_TEXT(a.notice, "SIMNOT301 見本");
    } else if (row == 3) {
        a.result = PRECHECK_INVALID;
        a.failure = FAILURE_ELIGIBILITY_NONE;
        MESSAGE_TEXT(a.validity, "4");
    } else if (row == 4) {
        a.result = PRECHECK_WRONG;
        a.failure = FAILURE_LOOKUP_FORMAT;
        MESSAGE_TEXT(a.field, "birth");
    } else if (row == 7) {
        a.result = PRECHECK_WRONG;
        a.failure = FAILURE_LOOKUP_FORMAT;
        MESSAGE_TEXT(a.field, "date");
    } else if (row == 5) {
        a.match = MATCH_NUMBERS;
        MESSAGE_TEXT(a.since, "20261001");
        MESSAGE_TEXT(a.changes, "address\t甲\t乙\nratio\t020\t030\n");
    }
    reply(fd, MSG_PRECHECKED, &a);
}

static void serve(int fd, struct desk *desk)
{
    struct msg_hello hello = {.version = IPC_VERSION, .role = 'D'};
    uint8_t packet[MESSAGE_MAX];
    struct message message;
    struct msg_precheck together[ROWS];
    unsigned rows = 0, held = 0;

    reply(fd, MSG_HELLO, &hello);
    for (;;) {
        struct pollfd fds[2] = {{.fd = fd, .events = POLLIN},
                                {.fd = desk->stop[0], .events = POLLIN}};
        ssize_t n;

        if (poll(fds, 2, -1) < 0 || fds[1].revents != 0)
            return;
        n = recv(fd, packet, sizeof(packet), 0);
        if (n <= 0 || message_decode(packet, (size_t)n, 0, &message) != 0)
            return;
        if (message.type == MSG_PRECHECK_ROOM_QUERY) {
            struct msg_precheck_room room = {.request = message.body.precheck_room_query.request,
                                             .rows = (uint16_t)desk->room};

            reply(fd, MSG_PRECHECK_ROOM, &room);
        }
        if (message.type != MSG_PRECHECK)
            continue;
        if (held == desk->room ||
            (held > 0 && strcmp(together[0].date, message.body.precheck.date) != 0))
            abort(); /* more than there is room for, or about two days */
        together[held++] = message.body.precheck;
        if (message.body.precheck.more != 0)
            continue;
        desk->batches++;
        for (unsigned i = held; i > 0; i--) { /* in whatever order */
            if (desk->gone_after > 0 && rows++ == desk->gone_after)
                return; /* asked, and never answered */
            answer(fd, &together[i - 1], desk);
        }
        held = 0;
    }
}

static void *run(void *arg)
{
    struct desk *desk = arg;

    for (;;) {
        struct pollfd fds[2] = {{.fd = desk->listen_fd, .events = POLLIN},
                                {.fd = desk->stop[0], .events = POLLIN}};
        int fd;

        if (poll(fds, 2, -1) < 0 || fds[1].revents != 0)
            return NULL;
        fd = accept(desk->listen_fd, NULL, NULL);
        if (fd >= 0) {
            serve(fd, desk);
            close(fd);
        }
    }
}

static void write_file(const char *path, const char *mode, const char *text)
{
    FILE *file = fopen(path, mode);

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static char *read_whole(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 1u << 16);

    assert_non_null(file);
    assert_true(fread(text, 1, (1u << 16) - 1, file) > 0);
    fclose(file);
    return text;
}

static unsigned lines_with(const char *text, const char *what)
{
    unsigned n = 0;

    while ((text = strstr(text, what)) != NULL) {
        n++;
        text += strlen(what);
    }
    return n;
}

static int setup(void **state)
{
    struct desk *desk = calloc(1, sizeof(*desk));
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    char text[600];

    desk->room = 1;
    strcpy(desk->directory, "/tmp/uketsuke-precheck-XXXXXX");
    assert_non_null(mkdtemp(desk->directory));
    snprintf(desk->config, sizeof(desk->config), "%s/uketsuke.conf", desk->directory);
    snprintf(desk->socket, sizeof(desk->socket), "%s/desk.sock", desk->directory);
    snprintf(desk->list, sizeof(desk->list), "%s/list.csv", desk->directory);
    snprintf(desk->report, sizeof(desk->report), "%s/list.csv.report.csv", desk->directory);
    snprintf(text, sizeof(text),
             "[desk]\ninstitution = 1312345678\nrun-directory = %s\nstate-directory = %s\n[lane "
             "1]\nlabel = x\ntoken-file = %s/none\n"
             "[upstream main]\nkind = web-api\n",
             desk->directory, desk->directory, desk->directory);
    write_file(desk->config, "w", text);
    write_file(desk->list, "w", "予約,患者番号,氏名,生年月日,保険者番号,記号,番号,枝番\r\n");
    for (unsigned i = 1; i <= ROWS; i++) {
        snprintf(text, sizeof(text),
                 "09:%02u,PT%u,\"架空　花子\",昭和29年7月7日,06130017,試験,%u,01\r\n", i, i,
                 1000 + i);
        write_file(desk->list, "a", text);
    }
    memcpy(un.sun_path, desk->socket, strlen(desk->socket) + 1);
    desk->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(desk->listen_fd, (struct sockaddr *)&un, sizeof(un)), 0);
    assert_int_equal(listen(desk->listen_fd, 4), 0);
    assert_int_equal(pipe(desk->stop), 0);
    assert_int_equal(pthread_create(&desk->thread, NULL, run, desk), 0);
    *state = desk;
    return 0;
}

static int teardown(void **state)
{
    struct desk *desk = *state;

    (void)!write(desk->stop[1], "x", 1);
    pthread_join(desk->thread, NULL);
    close(desk->stop[0]);
    close(desk->stop[1]);
    close(desk->listen_fd);
    unlink(desk->socket);
    unlink(desk->config);
    unlink(desk->list);
    unlink(desk->report);
    assert_int_equal(rmdir(desk->directory), 0);
    free(desk->out);
    free(desk->err);
    free(desk);
    return 0;
}

static int precheck(struct desk *desk)
{
    char *argv[] = {"uketsuke", "--config", desk->config, "--staff", "山田",
                    "precheck", desk->list, "--date",     NULL,      NULL};
    int argc = desk->date != NULL ? 9 : 7;
    FILE *out, *err;
    int status;

    free(desk->out);
    free(desk->err);
    out = open_memstream(&desk->out, &desk->out_len);
    err = open_memstream(&desk->err, &desk->err_len);
    argv[argc == 9 ? 8 : 7] = desk->date;
    status = command_main(argc, argv, out, err);
    fclose(out);
    fclose(err);
    return status;
}

static void a_list_stopped_anywhere_goes_on_and_asks_nothing_twice(void **state)
{
    struct desk *desk = *state;
    char *report;

    desk->gone_after = 3;
    assert_int_equal(precheck(desk), EXIT_NO_DESK);
    assert_non_null(strstr(desk->err, "the same command goes on from here"));
    report = read_whole(desk->report);
    assert_int_equal(lines_with(report, "\r\n"), 1 + 3);
    free(report);
    /* kill -9 in the middle of a line: what is no whole line is not there */
    write_file(desk->report, "a", "\"5\",\"PT4\",\"架");
    desk->gone_after = 0;
    assert_int_equal(precheck(desk), EXIT_NOT_SO);
    report = read_whole(desk->report);
    assert_int_equal(memcmp(report, "\xef\xbb\xbf", 3), 0);
    assert_int_equal(lines_with(report, "\r\n"), 1 + ROWS);
    for (unsigned i = 1; i <= ROWS; i++) {
        char begins[40];

        snprintf(begins, sizeof(begins), "\r\n\"%u\",\"PT%u\",\"架空　花子\",", i + 1, i);
        assert_int_equal(lines_with(report, begins), 1);
        assert_int_equal(desk->asked[i], 1);
    }
    assert_non_null(strstr(report, "\"4\",\"PT3\",\"架空　花子\",\"invalid\",\"4\",\"\",\"E"));
    assert_non_null(
        strstr(report, "\"5\",\"PT4\",\"架空　花子\",\"wrong\",\"1\",\"birth\",\"E019\""));
    assert_non_null(strstr(report, "\"date\",\"E019\",\"確認日は今日から92日先までです"));
    assert_non_null(
        strstr(report, "\"numbers\",\"20261001\",\"address: 甲 > 乙; ratio: 020 > 030\""));
    assert_string_equal(desk->last_birth,
                        "昭和29年7月7日"); /* as the list has it: the desk reads it */
    assert_non_null(strstr(desk->out, "8/8"));
    free(report);
    /* It is done: nothing is asked any more. */
    assert_int_equal(precheck(desk), EXIT_NOT_SO);
    for (unsigned i = 1; i <= ROWS; i++)
        assert_int_equal(desk->asked[i], 1);
    /* Another list does not go on in this report. */
    write_file(desk->list, "a", "10:00,PT9,x,19540707,06130017,,1001,\r\n");
    assert_int_equal(precheck(desk), EXIT_USAGE);
    assert_non_null(strstr(desk->err, "another list"));
}

static void a_list_that_cannot_be_read_says_where(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"氏名,番号,生年月日\nx,1,19540707\n", "insurer"},
        {"保険者番号,番号,生年月日\n1,2\n\"x\n", "line 4"},
        {"保険者番号,番号,生年月日\n", "no rows"},
        {"\xff\xff,a\n", "neither UTF-8 nor CP932"},
    };
    struct desk *desk = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_file(desk->list, "w", cases[i].text);
        assert_int_equal(precheck(desk), EXIT_USAGE);
        if (strstr(desk->err, cases[i].says) == NULL)
            fail_msg("%s says %s", cases[i].text, desk->err);
        assert_int_not_equal(access(desk->report, F_OK), 0); /* nothing was begun */
    }
}

/* Where the desk takes many, they go together; what was answered before it went away is not asked again. */
static void rows_go_together_as_the_desk_takes_them(void **state)
{
    struct desk *desk = *state;
    char *report;

    desk->room = 3;
    assert_int_equal(precheck(desk), EXIT_NOT_SO);
    assert_int_equal(desk->batches, (ROWS + 2) / 3);
    report = read_whole(desk->report);
    assert_int_equal(lines_with(report, "\r\n"), 1 + ROWS);
    assert_non_null(strstr(
        report, "\"7\",\"PT6\",\"架空　花子\",\"valid\",\"1\",\"\",\"\",\" (SIMNOT301 見本)\""));
    free(report);
    for (unsigned i = 1; i <= ROWS; i++)
        assert_int_equal(desk->asked[i], 1);
    assert_int_equal(unlink(desk->report), 0);
    memset(desk->asked, 0, sizeof(desk->asked));
    /* Cut off in the middle of the second: the one row of it that was answered is done. */
    desk->batches = 0;
    desk->gone_after = 4;
    assert_int_equal(precheck(desk), EXIT_NO_DESK);
    report = read_whole(desk->report);
    assert_int_equal(lines_with(report, "\r\n"), 1 + 4);
    free(report);
    desk->gone_after = 0;
    assert_int_equal(precheck(desk), EXIT_NOT_SO);
    for (unsigned i = 1; i <= ROWS; i++)
        assert_int_equal(desk->asked[i], 1);
    assert_int_equal(desk->batches, 2 + 2); /* 3 and 3, cut off; then the other 4 by 3 */
    /* What is left for later is asked about again, and that alone. */
    assert_int_equal(unlink(desk->report), 0);
    memset(desk->asked, 0, sizeof(desk->asked));
    desk->lacking = 2;
    assert_int_equal(precheck(desk), EXIT_NOT_SO);
    for (unsigned i = 1; i <= ROWS; i++)
        assert_int_equal(desk->asked[i], i == 2 ? 3 : 1);
    assert_non_null(strstr(desk->out, "8/8"));
}

/* So many days from today in Japan, by this test's own reckoning. */
static void day_in(int days, char out[11])
{
    time_t then = time(NULL) + 9 * 3600 + (time_t)days * 86400;
    struct tm tm;

    assert_non_null(gmtime_r(&then, &tm));
    assert_int_equal(strftime(out, 11, "%Y-%m-%d", &tm), 10);
}

/* What is reckoned here and by the command are of the same day. */
static void keep_off_midnight(void)
{
    unsigned left = 86400 - (unsigned)((time(NULL) + 9 * 3600) % 86400);

    if (left < 60)
        (void)sleep(left + 1);
}

static void the_day_of_the_list_goes_with_each_row(void **state)
{
    struct desk *desk = *state;
    char word[] = "tomorrow", tomorrow[11], other[11], *report;

    keep_off_midnight();
    day_in(1, tomorrow);
    day_in(92, other);
    desk->date = word;
    assert_int_equal(precheck(desk), EXIT_NOT_SO);
    for (unsigned i = 1; i <= ROWS; i++)
        assert_string_equal(desk->dates[i], tomorrow);
    report = read_whole(desk->report);
    assert_non_null(strstr(report, "\"確認日 date\",\""));
    assert_int_equal(lines_with(report, ",\"20261201\"\r\n"), ROWS);
    free(report);
    /* By its date it is the same list about the same day; about another day it is another. */
    desk->date = tomorrow;
    assert_int_equal(precheck(desk), EXIT_NOT_SO);
    desk->date = other;
    assert_int_equal(precheck(desk), EXIT_USAGE);
    assert_non_null(strstr(desk->err, "another list or day"));
    desk->date = NULL;
    assert_int_equal(precheck(desk), EXIT_USAGE);
    assert_int_equal(unlink(desk->report), 0);
    for (unsigned i = 1; i <= ROWS; i++)
        assert_int_equal(desk->asked[i], 1);
    desk->date = other; /* the last day that can be */
    assert_int_equal(precheck(desk), EXIT_NOT_SO);
    assert_string_equal(desk->dates[ROWS], other);
}

static void a_day_that_cannot_be_is_refused_before_anything_is_asked(void **state)
{
    struct desk *desk = *state;
    static const char *const never[] = {"soon",       "2026-11-31", "2026-2-3",
                                        "2026-13-01", "20261201",   ""};
    char word[] = "tomorrow", day[11];

    keep_off_midnight();
    desk->date = day;
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]) + 2; i++) {
        if (i < 2)
            day_in(i == 0 ? -1 : 93, day);
        else
            strcpy(day, never[i - 2]);
        assert_int_equal(precheck(desk), EXIT_USAGE);
        if (strstr(desk->err, "from today to 92 days ahead (YYYY-MM-DD)") == NULL)
            fail_msg("%s says %s", day, desk->err);
        assert_int_not_equal(access(desk->report, F_OK), 0);
    }
    /* A column of days: each row has its own, as it stands there; the desk reads it. */
    write_file(desk->list, "w",
               "受診日,番号,保険者番号,生年月日\n2026/12/1,1001,06130017,19540707\n"
               ",1002,06130017,19540707\n令和8年12月3日,1006,06130017,19540707\n");
    desk->date = word;
    assert_int_equal(precheck(desk), EXIT_USAGE);
    assert_non_null(strstr(desk->err, "one of the two only"));
    desk->date = NULL;
    desk->room = 3;
    assert_int_equal(precheck(desk), EXIT_AS_ASKED);
    assert_int_equal(desk->batches, 3); /* three days */
    assert_string_equal(desk->dates[1], "2026/12/1");
    assert_string_equal(desk->dates[2], "");
    assert_string_equal(desk->dates[6], "令和8年12月3日");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_list_stopped_anywhere_goes_on_and_asks_nothing_twice,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_list_that_cannot_be_read_says_where, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_go_together_as_the_desk_takes_them, setup, teardown),
        cmocka_unit_test_setup_teardown(the_day_of_the_list_goes_with_each_row, setup, teardown),
        cmocka_unit_test_setup_teardown(a_day_that_cannot_be_is_refused_before_anything_is_asked,
                                        setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
