/* uketsuke-ocr as the program it is: caged, on a socket, spoken to as the desk speaks. */
#include "daemon/common/clock.h"
#include "daemon/common/failure.h"
#include "daemon/common/ipc.h"
#include "daemon/common/memfd.h"
#include "daemon/common/secret.h"
#include "driver/reader/envelope.h"
#include "tests/sim/cardface/cardface.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define VISIT 4711
#define WAIT_US (60u * 1000000u)

struct stage {
    char folder[64], socket[96], config[96];
    pid_t pid;
    sd_event *loop;
    struct clock *clock;
    struct ipc_client *client;
    bool open, closed;
    struct msg_ocr_result last;
    unsigned answers;
};

static void on_open(struct ipc *ipc, const struct msg_hello *peer, void *arg)
{
    (void)ipc;
    assert_int_equal(peer->role, IPC_OCR);
    ((struct stage *)arg)->open = true;
}

static void on_message(struct ipc *ipc, struct message *message, void *arg)
{
    struct stage *stage = arg;

    (void)ipc;
    assert_int_equal(message->type, MSG_OCR_RESULT);
    stage->last = message->body.ocr_result;
    stage->answers++;
}

static void on_closed(struct ipc *ipc, int error, void *arg)
{
    (void)ipc;
    (void)error;
    ((struct stage *)arg)->closed = true;
}

static const struct ipc_handlers handlers = {on_open, on_message, on_closed};

/* Hand the listening socket over as systemd does (sd_listen_fds(3)). */
static void start_program(struct stage *stage)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    const char *bin = getenv("UKETSUKE_BIN");
    char program[512], pid[16];

    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", stage->socket);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 4), 0);
    (void)snprintf(program, sizeof(program), "%s/uketsuke-ocr",
                   bin != NULL ? bin : "build/release/bin");
    stage->pid = fork();
    assert_true(stage->pid >= 0);
    if (stage->pid == 0) {
        if (fd == 3)
            (void)fcntl(fd, F_SETFD, 0);
        else
            (void)dup2(fd, 3);
        (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
        (void)setenv("LISTEN_PID", pid, 1);
        (void)setenv("LISTEN_FDS", "1", 1);
        (void)setenv("LISTEN_FDNAMES", "ocr", 1);
        /* The leak checker needs ptrace, which the cage refuses. */
        (void)setenv("ASAN_OPTIONS", "detect_leaks=0:abort_on_error=1", 1);
        (void)execl(program, program, "--config", stage->config, (char *)NULL);
        _exit(127);
    }
    (void)close(fd);
}

static int set_up(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    FILE *config;

    assert_non_null(stage);
    (void)snprintf(stage->folder, sizeof(stage->folder), "/tmp/uketsuke-ocr-XXXXXX");
    assert_non_null(mkdtemp(stage->folder));
    (void)snprintf(stage->socket, sizeof(stage->socket), "%s/ocr.sock", stage->folder);
    (void)snprintf(stage->config, sizeof(stage->config), "%s/conf", stage->folder);
    config = fopen(stage->config, "w");
    assert_non_null(config);
    (void)fprintf(config, "[desk]\ninstitution = 9910000017\n[lane 1]\nlabel = 1\n");
    assert_int_equal(fclose(config), 0);
    start_program(stage);
    assert_true(sd_event_new(&stage->loop) >= 0);
    stage->clock = clock_new_system(stage->loop);
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;
    int status;

    ipc_client_free(&stage->client);
    clock_free(&stage->clock);
    sd_event_unref(stage->loop);
    (void)kill(stage->pid, SIGTERM);
    assert_int_equal(waitpid(stage->pid, &status, 0), stage->pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    (void)unlink(stage->socket);
    (void)unlink(stage->config);
    (void)rmdir(stage->folder);
    free(stage);
    return 0;
}

static void connect_as_desk(struct stage *stage)
{
    static const struct ipc_self self = {.role = IPC_DESK, .program = "uketsuked", .instance = ""};

    stage->open = stage->closed = false;
    assert_int_equal(ipc_client_new(&stage->client, stage->loop, stage->clock, stage->socket, &self,
                                    "O", &handlers, stage),
                     0);
    while (!stage->open)
        assert_true(sd_event_run(stage->loop, WAIT_US) > 0);
}

static int today(void)
{
    const time_t now = time(NULL) + 9 * 3600;
    struct tm tm;

    assert_non_null(gmtime_r(&now, &tm));
    return (tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 + tm.tm_mday;
}

static void a_card_is_read_inside_the_cage(void **state)
{
    struct stage *stage = *state;
    struct cardface *face = cardface_new(1000, 0, 0, CARDFACE_RIGHT, 1280, 720, today());
    struct msg_ocr_begin begin = {.visit = VISIT, .key = {.len = ENVELOPE_POINT}};
    const struct msg_ocr_end end = {.visit = VISIT};
    struct envelope_key *key;
    struct secret number;

    assert_non_null(face);
    connect_as_desk(stage);
    assert_int_equal(envelope_key_new(&key, begin.key.data), 0);
    assert_int_equal(ipc_send(ipc_client_peer(stage->client), MSG_OCR_BEGIN, &begin), 0);
    for (unsigned n = 0; stage->last.sealed.len == 0; n++) {
        uint8_t *jpeg;
        const size_t len = cardface_frame(face, n, &jpeg);
        const struct msg_ocr_frame frame = {.visit = VISIT,
                                            .frame = n,
                                            .format = 1,
                                            .width = 1280,
                                            .height = 720,
                                            .bytes = (uint32_t)len};
        const int fd = memfd_seal("frame", jpeg, len);

        free(jpeg);
        assert_true(n < 10 && fd >= 0);
        assert_int_equal(
            ipc_send_fds(ipc_client_peer(stage->client), MSG_OCR_FRAME, &frame, &fd, 1), 0);
        (void)close(fd);
        while (stage->answers <= n) {
            assert_true(sd_event_run(stage->loop, WAIT_US) > 0);
            assert_false(stage->closed);
        }
    }
    assert_int_equal(stage->last.visit, VISIT);
    assert_int_equal(envelope_open(key, ENVELOPE_NUMBER_B, VISIT, stage->last.sealed.data,
                                   stage->last.sealed.len, &number),
                     0);
    assert_int_equal(number.len, 14);
    assert_memory_equal(number.data, face->person.number_b, 14);
    secret_free(&number);
    assert_int_equal(ipc_send(ipc_client_peer(stage->client), MSG_OCR_END, &end), 0);
    envelope_key_free(&key);
    cardface_free(&face);
}

static void a_key_that_is_none_closes_the_connection(void **state)
{
    struct stage *stage = *state;
    const struct msg_ocr_begin begin = {.visit = VISIT, .key = {.len = 65, .data = {4, 1, 2, 3}}};

    connect_as_desk(stage);
    assert_int_equal(ipc_send(ipc_client_peer(stage->client), MSG_OCR_BEGIN, &begin), 0);
    while (!stage->closed)
        assert_true(sd_event_run(stage->loop, WAIT_US) > 0);
}

static void a_frame_without_a_visit_has_its_answer(void **state)
{
    struct stage *stage = *state;
    const struct msg_ocr_frame frame = {
        .visit = 5, .frame = 9, .format = 1, .width = 64, .height = 64, .bytes = 4};
    const int fd = memfd_seal("frame", "none", 4);

    connect_as_desk(stage);
    assert_int_equal(ipc_send_fds(ipc_client_peer(stage->client), MSG_OCR_FRAME, &frame, &fd, 1),
                     0);
    (void)close(fd);
    while (stage->answers == 0)
        assert_true(sd_event_run(stage->loop, WAIT_US) > 0);
    assert_int_equal(stage->last.frame, 9);
    assert_int_equal(stage->last.failure, FAILURE_CARD_FACE_UNREADABLE);
    assert_int_equal(stage->last.sealed.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_card_is_read_inside_the_cage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_that_is_none_closes_the_connection, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_frame_without_a_visit_has_its_answer, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
