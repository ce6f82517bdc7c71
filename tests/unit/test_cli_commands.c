/* The command against a desk made of packets: what it asks, what it prints, how it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/cli/command.h"
#include "failure.h"
#include "message.h"
#include "visit.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct desk {
    char directory[64];
    char config[100];
    char socket[100];
    int listen_fd;
    int stop[2];
    pthread_t thread;
    int started;
    void (*answer)(int fd, const struct message *message, struct desk *desk);
    struct message asked; /* the newest question; read after the command has ended */
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

static void serve(int fd, struct desk *desk)
{
    struct msg_hello hello = {.version = IPC_VERSION, .role = 'D'};
    uint8_t packet[MESSAGE_MAX];
    struct message message;

    reply(fd, MSG_HELLO, &hello);
    for (;;) {
        struct pollfd fds[2] = {{.fd = fd, .events = POLLIN},
                                {.fd = desk->stop[0], .events = POLLIN}};
        ssize_t n;

        if (poll(fds, 2, -1) < 0 || fds[1].revents != 0)
            return;
        n = recv(fd, packet, sizeof(packet), 0);
        if (n <= 0)
            return;
        if (message_decode(packet, (size_t)n, 0, &message) != 0)
            abort();
        if (message.type == MSG_HELLO) {
            if (message.body.hello.role != 'C')
                abort();
            continue;
        }
        desk->asked = message;
        desk->answer(fd, &message, desk);
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

static void start(struct desk *desk,
                  void (*answer)(int fd, const struct message *message, struct desk *desk))
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    desk->answer = answer;
    memcpy(un.sun_path, desk->socket, strlen(desk->socket) + 1);
    desk->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(desk->listen_fd, (struct sockaddr *)&un, sizeof(un)), 0);
    assert_int_equal(listen(desk->listen_fd, 4), 0);
    assert_int_equal(pipe(desk->stop), 0);
    assert_int_equal(pthread_create(&desk->thread, NULL, run, desk), 0);
    desk->started = 1;
}

static int setup(void **state)
{
    struct desk *desk = calloc(1, sizeof(*desk));
    FILE *file;

    (void)setenv("TZ", "UTC", 1);
    (void)strcpy(desk->directory, "/tmp/uketsuke-cli-XXXXXX");
    assert_non_null(mkdtemp(desk->directory));
    (void)snprintf(desk->config, sizeof(desk->config), "%s/uketsuke.conf", desk->directory);
    (void)snprintf(desk->socket, sizeof(desk->socket), "%s/desk.sock", desk->directory);
    file = fopen(desk->config, "w");
    (void)fprintf(file,
                  "[desk]\ninstitution = 1312345678\nrun-directory = %s\nstate-directory = "
                  "%s\n[lane 1]\nlabel = 正面\ntoken-file = %s/none\n"
                  "[upstream main]\nkind = web-api\nauth-url = https://h/a\nsearch-url = "
                  "https://h/s\nca = %s\ncertificate = %s\n",
                  desk->directory, desk->directory, desk->directory, desk->directory,
                  desk->directory);
    (void)fclose(file);
    *state = desk;
    return 0;
}

static int teardown(void **state)
{
    struct desk *desk = *state;

    if (desk->started) {
        (void)!write(desk->stop[1], "x", 1);
        pthread_join(desk->thread, NULL);
        close(desk->stop[0]);
        close(desk->stop[1]);
        close(desk->listen_fd);
        unlink(desk->socket);
    }
    unlink(desk->config);
    assert_int_equal(rmdir(desk->directory), 0);
    free(desk->out);
    free(desk->err);
    free(desk);
    return 0;
}

/* uketsuke --config FILE WORDS... */
static int uketsuke(struct desk *desk, ...)
{
    char *argv[20] = {"uketsuke", "--config", desk->config};
    int argc = 3, status;
    FILE *out, *err;
    va_list words;

    va_start(words, desk);
    while ((argv[argc] = va_arg(words, char *)) != NULL)
        argc++;
    va_end(words);
    free(desk->out);
    free(desk->err);
    out = open_memstream(&desk->out, &desk->out_len);
    err = open_memstream(&desk->err, &desk->err_len);
    status = command_main(argc, argv, out, err);
    (void)fclose(out);
    (void)fclose(err);
    return status;
}

static void a_desk(int fd, const struct message *message, struct desk *desk)
{
    uint32_t request;

    (void)desk;
    memcpy(&request, &message->body, sizeof(request));
    if (message->type == MSG_SUBSCRIBE) {
        struct msg_lane_state lane = {
            .lane = 1, .visit = 7, .state = VISIT_FACE, .method = METHOD_FACE, .card = 1};
        struct msg_subscribed end = {.request = request};

        MESSAGE_TEXT(lane.label, "正面");
        if ((message->body.subscribe.what & 1) != 0) {
            reply(fd, MSG_LANE_STATE, &lane);
            lane = (struct msg_lane_state){.lane = 2, .reader = FAILURE_READER_ABSENT};
            reply(fd, MSG_LANE_STATE, &lane);
        }
        reply(fd, MSG_SUBSCRIBED, &end);
    } else if (message->type == MSG_VISITS_QUERY) {
        struct msg_visit_item item = {.request = request,
                                      .visit = 12,
                                      .lane = 1,
                                      .opened = 1795338000,
                                      .method = METHOD_PIN,
                                      .outcome = OUTCOME_ELIGIBLE,
                                      .state = VISIT_CLOSED,
                                      .flags = VISIT_FLAG_CACHED};
        struct msg_visits_end end = {.request = request, .count = 1};

        MESSAGE_TEXT(item.name, "山田 花子");
        MESSAGE_TEXT(item.birth, "19550203");
        MESSAGE_TEXT(item.ratio, "020");
        reply(fd, MSG_VISIT_ITEM, &item);
        reply(fd, MSG_VISITS_END, &end);
    } else if (message->type == MSG_HEALTH_QUERY) {
        struct msg_health_item item = {.request = request, .state = 1};
        struct msg_health_end end = {.request = request};

        MESSAGE_TEXT(item.component, "certificate of main");
        MESSAGE_TEXT(item.detail, "12 days left");
        MESSAGE_TEXT(item.next, "renew it");
        reply(fd, MSG_HEALTH_ITEM, &item);
        reply(fd, MSG_HEALTH_END, &end);
    } else if (message->type == MSG_DEVICES_QUERY) {
        struct msg_device_item item = {
            .request = request, .lane = 1, .kind = 1, .vendor = 0x54c, .product = 0xdc8};
        struct msg_devices_end end = {.request = request};

        MESSAGE_TEXT(item.name, "Reader");
        MESSAGE_TEXT(item.holder, "pcscd");
        MESSAGE_TEXT(item.next, "stop pcscd");
        reply(fd, MSG_DEVICE_ITEM, &item);
        item = (struct msg_device_item){
            .request = request, .kind = 1, .use = 2, .vendor = 0x46d, .product = 0x825};
        MESSAGE_TEXT(item.name, "Webcam");
        MESSAGE_TEXT(item.port, "2-1");
        MESSAGE_TEXT(item.holder, "uvcvideo");
        reply(fd, MSG_DEVICE_ITEM, &item);
        item = (struct msg_device_item){.request = request, .lane = 1, .use = 2};
        MESSAGE_TEXT(item.next, "plug it in");
        reply(fd, MSG_DEVICE_ITEM, &item);
        reply(fd, MSG_DEVICES_END, &end);
    } else if (message->type == MSG_ACCOUNT_CHANGE) {
        struct msg_account_result end = {.request = request, .accepted = 1};

        if (strcmp(message->body.account_change.name, "admin") == 0)
            end =
                (struct msg_account_result){.request = request, .failure = FAILURE_ACCOUNT_REFUSED};
        reply(fd, MSG_ACCOUNT_RESULT, &end);
    } else if (message->type == MSG_ACCOUNTS_QUERY) {
        struct msg_account_item item = {
            .request = request, .role = 2, .state = 1, .failures = 6, .locked_s = 90};
        struct msg_accounts_end end = {.request = request, .count = 1};

        MESSAGE_TEXT(item.name, "佐藤");
        reply(fd, MSG_ACCOUNT_ITEM, &item);
        reply(fd, MSG_ACCOUNTS_END, &end);
    } else if (message->type == MSG_MAINTAIN) {
        struct msg_maintain_progress progress = {.request = request, .permille = 500};
        struct msg_maintained end = {.request = request, .task = message->body.maintain.task};

        /* An anchor of row 9 is of another log; backups cannot be made here; all else is good. */
        end.result = message->body.maintain.row == 9 ? 1 : message->body.maintain.task == 2 ? 2 : 0;
        MESSAGE_TEXT(end.detail, end.result == 0   ? "good"
                                 : end.result == 1 ? "another log"
                                                   : "no directory");
        reply(fd, MSG_MAINTAIN_PROGRESS, &progress);
        reply(fd, MSG_MAINTAINED, &end);
    }
}

static void status_is_a_line_a_lane(void **state)
{
    struct desk *desk = *state;

    start(desk, a_desk);
    assert_int_equal(uketsuke(desk, "status", NULL), 0);
    assert_string_equal(desk->out, "レーン  名前  状態  方法  受付  カード  注意\n"
                                   "1       正面  face  face  7     card    \n"
                                   "2             idle                      R001 "
                                   "読み取り機が見つかりません。USBケーブルと電源を確かめます。"
                                   " / No reader found; check USB cable and power.\n");
    assert_int_equal(uketsuke(desk, "--json", "status", NULL), 0);
    assert_int_equal(
        strncmp(desk->out, "{\"message\":\"lane_state\",\"lane\":1,\"label\":\"正面\",", 47), 0);
}

static void visits_are_todays_or_of_a_day(void **state)
{
    struct desk *desk = *state;

    start(desk, a_desk);
    assert_int_equal(uketsuke(desk, "visits", "--date", "2026-11-22", NULL), 0);
    /* date -u -d 2026-11-22 +%s */
    assert_int_equal(desk->asked.body.visits_query.since, 1795305600);
    assert_int_equal(desk->asked.body.visits_query.until, 1795305600 + 86400);
    assert_string_equal(
        desk->out,
        "受付  時刻      レーン  名前       生年月日  方法  結果      割合  限度額  コード  注意\n"
        "12    09:00:00  1       山田 花子  19550203  pin   eligible  020                   "
        "再利用\n");
    assert_int_equal(uketsuke(desk, "visits", "--date", "22.11.2026", NULL), 2);
    assert_int_equal(uketsuke(desk, "visits", "--limit", "0", NULL), 2);
}

/* Each answer has one visit, and says until visit 1 that there are more. */
static void a_long_day(int fd, const struct message *message, struct desk *desk)
{
    const struct msg_visits_query *query = &message->body.visits_query;
    struct msg_visit_item item = {.request = query->request,
                                  .visit = query->before > 0 ? query->before - 1 : 5};
    struct msg_visits_end end = {.request = query->request, .count = 1, .more = item.visit > 1};

    (void)desk;
    if (message->type == MSG_VISITS_QUERY) {
        reply(fd, MSG_VISIT_ITEM, &item);
        reply(fd, MSG_VISITS_END, &end);
    }
}

static void a_long_day_is_asked_for_page_by_page(void **state)
{
    struct desk *desk = *state;
    unsigned lines = 0;

    start(desk, a_long_day);
    assert_int_equal(uketsuke(desk, "--json", "visits", NULL), 0);
    for (const char *at = desk->out; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, 5);
    assert_int_equal(uketsuke(desk, "--json", "visits", "--limit", "2", NULL), 0);
    assert_non_null(strstr(desk->out, "\"visit\":\"4\""));
    assert_null(strstr(desk->out, "\"visit\":\"3\""));
    assert_int_equal(desk->asked.body.visits_query.limit, 1);
}

static void a_lookup(int fd, const struct message *message, struct desk *desk)
{
    if (message->type == MSG_LOOKUP) {
        struct msg_action_result result = {
            .request = message->body.lookup.request, .accepted = 1, .visit = 12};

        if (strlen(message->body.lookup.birth) != 8) {
            result = (struct msg_action_result){.request = result.request,
                                                .failure = FAILURE_LOOKUP_FORMAT};
            MESSAGE_TEXT(result.field, "birth");
        }
        reply(fd, MSG_ACTION_RESULT, &result);
    } else if (message->type == MSG_VISITS_QUERY) {
        struct msg_visit_item item = {.request = message->body.visits_query.request, .visit = 12};
        struct msg_visits_end end = {.request = item.request, .count = 1};

        reply(fd, MSG_VISIT_ITEM, &item); /* still open */
        reply(fd, MSG_VISITS_END, &end);
        item.request = 1; /* the subscription's */
        item.visit = 13;
        item.outcome = OUTCOME_ELIGIBLE;
        reply(fd, MSG_VISIT_ITEM, &item); /* another visit */
        item.visit = 12;
        item.outcome = OUTCOME_NOT_ELIGIBLE;
        item.failure = FAILURE_ELIGIBILITY_INVALID;
        reply(fd, MSG_VISIT_ITEM, &item);
    } else {
        a_desk(fd, message, desk);
    }
}

static void a_lookup_waits_for_its_own_outcome(void **state)
{
    struct desk *desk = *state;

    start(desk, a_lookup);
    assert_int_equal(uketsuke(desk, "lookup", "06123456", "77", "--birth", "19550203", "--symbol",
                              "１２", "--branch", "01", NULL),
                     1);
    assert_int_equal(strncmp(desk->out, "not_eligible  受付/visit 12  ", 31), 0);
    assert_non_null(strstr(desk->out, "E007"));
    assert_int_equal(uketsuke(desk, "lookup", "06123456", "77", "--birth", "1955", NULL), 2);
    assert_string_equal(desk->err, "uketsuke: E019 番号・生年月日の形が正しくありません。 / "
                                   "Numbers or birth date are not of the right form. (--birth)\n");
    assert_int_equal(desk->asked.type, MSG_LOOKUP);
    assert_string_equal(desk->asked.body.lookup.insurer, "06123456");
    assert_int_equal(desk->asked.body.lookup.surface, 'C');
    assert_int_equal(uketsuke(desk, "lookup", "06123456", "77", NULL), 2);
    assert_int_equal(uketsuke(desk, "lookup", "0612345678", "77", "--birth", "19550203", NULL), 2);
}

static void without_a_desk_the_next_step_is_said(void **state)
{
    struct desk *desk = *state;

    assert_int_equal(uketsuke(desk, "status", NULL), 3);
    assert_non_null(strstr(desk->err, "systemctl start uketsuke.target"));
    assert_int_equal(uketsuke(desk, "doctor", NULL), 1);
    assert_non_null(strstr(desk->out, "良 ok    configuration: "));
    assert_non_null(strstr(desk->out, "悪 BAD   token of lane 1: "));
    assert_non_null(strstr(desk->out, "悪 BAD   desk: "));
    assert_non_null(strstr(desk->out, "kernel: Landlock"));
}

static void doctor_tells_what_every_part_said(void **state)
{
    struct desk *desk = *state;

    start(desk, a_desk);
    assert_int_equal(uketsuke(desk, "doctor", NULL), 1);
    assert_non_null(
        strstr(desk->out, "注 warn  certificate of main: 12 days left\n            → renew it\n"));
    assert_non_null(strstr(desk->out, "悪 BAD   device of lane 1: Reader [054c:0dc8] , held by "
                                      "pcscd\n            → stop pcscd\n"));
    /* one that no lane has: how to name it; one that a lane lacks */
    assert_non_null(strstr(
        desk->out, "注 warn  device without lane: Webcam [046d:0825] 2-1, held by uvcvideo\n"));
    assert_non_null(strstr(desk->out, "to use it in a lane: camera = v4l2:port=2-1\n"));
    assert_non_null(strstr(
        desk->out,
        "悪 BAD   device of lane 1: カメラがありません / no camera\n            → plug it in\n"));
    assert_non_null(strstr(desk->out, "良 ok    desk: "));
    assert_int_equal(uketsuke(desk, "--json", "doctor", NULL), 1);
    assert_non_null(strstr(desk->out,
                           "{\"state\":\"warning\",\"component\":\"certificate of "
                           "main\",\"detail\":\"12 days left\",\"next\":\"renew it\"}\n"));
}

static void doctor_for_others_names_nothing_of_the_house(void **state)
{
    struct desk *desk = *state;

    start(desk, a_desk);
    assert_int_equal(uketsuke(desk, "redact", "doctor", NULL), 1);
    assert_null(strstr(desk->out, desk->directory));
    assert_null(strstr(desk->out, "Webcam"));
    assert_non_null(strstr(desk->out, "良 ok    configuration: (removed)\n"));
    assert_non_null(strstr(desk->out, "注 warn  certificate of main: 12 days left\n"));
    assert_non_null(strstr(desk->out, "悪 BAD   device of lane 1:  [054c:0dc8]"));
}

static void a_mute(int fd, const struct message *message, struct desk *desk)
{
    (void)message;
    (void)desk;
    (void)shutdown(fd, SHUT_RDWR);
}

static void a_desk_that_hangs_up_is_named(void **state)
{
    struct desk *desk = *state;

    start(desk, a_mute);
    assert_int_equal(uketsuke(desk, "visits", NULL), 3);
    assert_non_null(strstr(desk->err, "the desk closed the connection"));
}

static void the_database_is_looked_after_by_the_desk_and_the_status_says_how_it_was(void **state)
{
    struct desk *desk = *state;

    start(desk, a_desk);
    assert_int_equal(uketsuke(desk, "audit", "verify", NULL), EXIT_AS_ASKED);
    assert_int_equal(desk->asked.body.maintain.task, 1);
    assert_int_equal(desk->asked.body.maintain.row, 0);
    assert_true(desk->asked.body.maintain.staff[0] != '\0');
    assert_string_equal(desk->out, "good\n");
    assert_int_equal(uketsuke(desk, "--staff", "Sato", "audit", "verify",
                              "9:00000000000000ff:0123456789abcdef", NULL),
                     EXIT_NOT_SO);
    assert_int_equal(desk->asked.body.maintain.high, 0xff);
    assert_true(desk->asked.body.maintain.low == UINT64_C(0x0123456789abcdef));
    assert_string_equal(desk->asked.body.maintain.staff, "Sato");
    assert_string_equal(desk->err, "another log\n");
    assert_int_equal(uketsuke(desk, "audit", "anchor", NULL), EXIT_AS_ASKED);
    assert_int_equal(desk->asked.body.maintain.task, 4);
    assert_int_equal(uketsuke(desk, "key", "rotate", NULL), EXIT_AS_ASKED);
    assert_int_equal(desk->asked.body.maintain.task, 3);
    assert_int_equal(uketsuke(desk, "backup", NULL), EXIT_NO_DESK);
    assert_string_equal(desk->err, "no directory\n");
}

/* Rows 300 down to 1, a minute apart from 2026-11-22 09:00 (Japan) downwards; pages of 256. */
static void a_log(int fd, const struct message *message, struct desk *desk)
{
    const struct msg_audit_query *query = &message->body.audit_query;
    struct msg_audit_end end = {.request = query->request};
    uint64_t row = query->before != 0 ? query->before - 1 : 300;

    if (message->type == MSG_VISITS_QUERY) {
        struct msg_visits_end refused = {.request = query->request, .failure = FAILURE_DESK_STORE};

        reply(fd, MSG_VISITS_END, &refused);
        return;
    }
    if (message->type != MSG_AUDIT_QUERY) {
        a_desk(fd, message, desk);
        return;
    }
    for (; row > 0 && end.count < 256; row--, end.count++) {
        struct msg_audit_item item = {.request = query->request,
                                      .row = row,
                                      .at = (INT64_C(1795305600) - (int64_t)(300 - row) * 60) *
                                            1000000,
                                      .visit = row % 100 == 0 ? 7 : 0,
                                      .lane = row % 100 == 0 ? 2 : 0};

        MESSAGE_TEXT(item.event, row % 100 == 0 ? "visit_viewed" : "visits_viewed");
        MESSAGE_TEXT(item.who, "佐藤");
        MESSAGE_TEXT(item.detail, row % 100 == 0 ? "board" : "board rows=3 visits=5-7");
        reply(fd, MSG_AUDIT_ITEM, &item);
    }
    reply(fd, MSG_AUDIT_END, &end);
}

static void the_audit_log_is_read_page_by_page(void **state)
{
    struct desk *desk = *state;

    start(desk, a_log);
    assert_int_equal(uketsuke(desk, "--staff", "Sato", "audit", "list", "--limit", "2", NULL), 0);
    assert_string_equal(
        desk->out, "番号  日時                 出来事         受付  レーン  係    内容 / detail\n"
                   "300   2026-11-22 09:00:00  visit_viewed   7     2       佐藤  board\n"
                   "299   2026-11-22 08:59:00  visits_viewed                佐藤  board rows=3 "
                   "visits=5-7\n");
    assert_string_equal(desk->asked.body.audit_query.staff, "Sato");
    assert_int_equal(desk->asked.body.audit_query.before, 0);
    /* Of one visit: its three rows lie in two pages. */
    assert_int_equal(uketsuke(desk, "--json", "audit", "list", "--visit", "7", NULL), 0);
    assert_int_equal(desk->asked.body.audit_query.before, 45);
    assert_non_null(
        strstr(desk->out, "{\"message\":\"audit_item\",\"request\":1,\"row\":\"300\","));
    assert_non_null(strstr(desk->out, "\"row\":\"200\","));
    assert_non_null(strstr(desk->out, "\"row\":\"100\","));
    assert_null(strstr(desk->out, "visits_viewed"));
    /* A day without rows, and days that are none. */
    assert_int_equal(uketsuke(desk, "audit", "list", "--date", "2026-11-25", NULL), 0);
    assert_non_null(strstr(desk->out, "no such rows"));
    assert_int_equal(uketsuke(desk, "audit", "list", "--date", "yesterday", NULL), EXIT_USAGE);
    assert_int_equal(uketsuke(desk, "audit", "list", "all", NULL), EXIT_USAGE);
}

static void what_the_desk_does_not_show_is_said(void **state)
{
    struct desk *desk = *state;

    start(desk, a_log);
    assert_int_equal(uketsuke(desk, "visits", NULL), EXIT_NOT_SO);
    assert_string_equal(desk->out, "");
    assert_int_equal(strncmp(desk->err, "uketsuke: S001 ", 15), 0);
    assert_true(desk->asked.body.visits_query.staff[0] != '\0');
    assert_int_equal(uketsuke(desk, "--staff", "", "visits", NULL), EXIT_USAGE);
    assert_non_null(strstr(desk->err, "--staff"));
}

static void what_is_no_anchor_is_not_asked(void **state)
{
    static const char *const wrong[] = {
        "", "1", "1:2", "0:1:2", "x:1:2", "1:2:3:4", "1:0123456789abcdef0:2", "1:2:3x"};
    struct desk *desk = *state;

    start(desk, a_desk);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(uketsuke(desk, "audit", "verify", wrong[i], NULL), EXIT_USAGE);
        assert_int_equal(desk->asked.type, 0);
    }
    assert_int_equal(uketsuke(desk, "audit", NULL), EXIT_USAGE);
    assert_int_equal(uketsuke(desk, "audit", "forget", NULL), EXIT_USAGE);
    assert_int_equal(uketsuke(desk, "key", NULL), EXIT_USAGE);
    assert_int_equal(uketsuke(desk, "backup", "now", NULL), EXIT_USAGE);
    assert_int_equal(uketsuke(desk, "restore", NULL), EXIT_USAGE);
}

static void an_account_is_made_with_a_code_that_is_shown_once(void **state)
{
    struct desk *desk = *state;
    char first[300], code[20] = "", command[200], hash[80] = "";
    const char *at;
    FILE *sha;

    start(desk, a_desk);
    assert_int_equal(uketsuke(desk, "account", "add", "佐藤", "clinician", NULL), EXIT_AS_ASKED);
    assert_int_equal(desk->asked.body.account_change.what, 1);
    assert_int_equal(desk->asked.body.account_change.role, 2);
    assert_string_equal(desk->asked.body.account_change.name, "佐藤");
    at = strstr(desk->out, "setup code: ");
    assert_non_null(at);
    for (at += 12; *at != '\n' && strlen(code) < 16; at++)
        if (*at != '-')
            code[strlen(code)] = *at;
    assert_int_equal(strlen(code), 16);
    /* What the desk gets is the code's SHA-256, by another program's word. */
    (void)snprintf(command, sizeof(command), "printf %%s %s | sha256sum", code);
    sha = popen(command, "re");
    assert_non_null(sha);
    assert_int_equal(fscanf(sha, "%64s", hash), 1);
    assert_int_equal(pclose(sha), 0);
    (void)snprintf(first, sizeof(first), "setup:%s", hash);
    assert_string_equal(desk->asked.body.account_change.proof, first);
    assert_int_equal(uketsuke(desk, "account", "reset", "佐藤", NULL), EXIT_AS_ASKED);
    assert_int_equal(desk->asked.body.account_change.what, 4);
    assert_string_not_equal(desk->asked.body.account_change.proof, first);
    assert_int_equal(uketsuke(desk, "account", "disable", "admin", NULL), EXIT_NOT_SO);
    assert_non_null(strstr(desk->err, "A004"));
    assert_int_equal(uketsuke(desk, "account", "list", NULL), EXIT_AS_ASKED);
    assert_non_null(strstr(desk->out, "佐藤"));
    assert_non_null(strstr(desk->out, "clinician"));
    assert_non_null(strstr(desk->out, "90s"));
}

static void what_is_no_change_of_an_account_is_not_asked(void **state)
{
    static const char *const wrong[][3] = {
        {NULL},          {"add"},    {"add", "x"},  {"add", "x", "king"},
        {"forget", "x"}, {"remove"}, {"list", "x"}, {"disable", "x", "reception"}};
    struct desk *desk = *state;

    start(desk, a_desk);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(uketsuke(desk, "account", wrong[i][0], wrong[i][1], wrong[i][2], NULL),
                         EXIT_USAGE);
        assert_int_equal(desk->asked.type, 0);
    }
}

static void configuration_and_codes_need_no_desk(void **state)
{
    struct desk *desk = *state;
    char *bad[] = {"uketsuke", "--config", "/nonexistent/uketsuke.conf", "config", "check", NULL};
    FILE *null = fopen("/dev/null", "w"), *to;

    assert_int_equal(uketsuke(desk, "config", "check", NULL), 0);
    /* What is not on this computer is a word and no error; what no program could start with is one. */
    assert_non_null(strstr(desk->out, ":7: token-file: "));
    assert_non_null(strstr(desk->out, "note: is not there on this computer\n"));
    assert_non_null(strstr(desk->out, ": 誤りはありません / no errors\n"));
    assert_null(strstr(desk->out, "state-directory"));
    to = fopen(desk->config, "a");
    assert_non_null(to);
    (void)fprintf(to, "[output a]\nkind = hook\n");
    (void)fclose(to);
    assert_int_equal(uketsuke(desk, "config", "check", NULL), 2);
    assert_non_null(strstr(desk->err, ":14: [output a] url: "));
    assert_null(strstr(desk->out, "no errors"));
    assert_int_equal(uketsuke(desk, "doctor", NULL), 1);
    assert_non_null(strstr(desk->out, "悪 BAD   configuration: "));
    assert_int_equal(uketsuke(desk, "config", "list", NULL), 0);
    assert_non_null(strstr(desk->out, "\n[lane 1]\nlabel = 正面\n"));
    assert_non_null(strstr(desk->out, "\n# method-seconds = 60\n"));
    assert_int_equal(uketsuke(desk, "failures", "p003", NULL), 0);
    assert_int_equal(strncmp(desk->out, "P003  PIN_LOCKED\n", 17), 0);
    assert_int_equal(uketsuke(desk, "failures", "X999", NULL), 1);
    assert_int_equal(uketsuke(desk, "dance", NULL), 2);
    assert_int_equal(uketsuke(desk, NULL), 2);
    assert_int_equal(uketsuke(desk, "--wrong", "status", NULL), 2);
    assert_int_equal(uketsuke(desk, "--help", NULL), 0);
    assert_int_equal(command_main(5, bad, null, null), 2);
    (void)fclose(null);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(status_is_a_line_a_lane),
        T(visits_are_todays_or_of_a_day),
        T(a_long_day_is_asked_for_page_by_page),
        T(a_lookup_waits_for_its_own_outcome),
        T(without_a_desk_the_next_step_is_said),
        T(doctor_tells_what_every_part_said),
        T(doctor_for_others_names_nothing_of_the_house),
        T(a_desk_that_hangs_up_is_named),
        T(the_database_is_looked_after_by_the_desk_and_the_status_says_how_it_was),
        T(the_audit_log_is_read_page_by_page),
        T(what_the_desk_does_not_show_is_said),
        T(what_is_no_anchor_is_not_asked),
        T(an_account_is_made_with_a_code_that_is_shown_once),
        T(what_is_no_change_of_an_account_is_not_asked),
        T(configuration_and_codes_need_no_desk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
