/* Connections: who may say what, what happens to those who do otherwise, descriptors, slow peers. */
#include "daemon/common/ipc.h"

#include "daemon/common/clock.h"
#include "daemon/common/memfd.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <systemd/sd-event.h>

struct side {
    struct ipc *ipc;
    int opened, messages, closed, error;
    uint16_t type;
    int fd;
    bool free_in_message;
};

static void on_open(struct ipc *ipc, const struct msg_hello *peer, void *arg)
{
    struct side *side = arg;

    (void)peer;
    side->ipc = ipc;
    side->opened++;
}

static void on_message(struct ipc *ipc, struct message *message, void *arg)
{
    struct side *side = arg;

    (void)ipc;
    side->messages++;
    side->type = message->type;
    side->fd = ipc_take_fd(message, 0);
    if (side->free_in_message)
        ipc_free(&side->ipc);
}

static void on_closed(struct ipc *ipc, int error, void *arg)
{
    struct side *side = arg;

    (void)ipc;
    side->closed++;
    side->error = error;
    ipc_free(&side->ipc);
}

static const struct ipc_handlers handlers = {on_open, on_message, on_closed};
static const struct ipc_self desk = {IPC_DESK, 0, "uketsuked", ""};
static const struct ipc_self reader = {IPC_READER, 3, "uketsuke-reader", "3"};

static void turn(sd_event *loop)
{
    while (sd_event_run(loop, 0) > 0)
        ;
}

struct pair {
    sd_event *loop;
    struct side a, b;
};

static void pair_open(struct pair *pair, const char *a_allows, const char *b_allows)
{
    int fds[2];

    memset(pair, 0, sizeof(*pair));
    assert_int_equal(sd_event_new(&pair->loop), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(
        ipc_new(&pair->a.ipc, pair->loop, fds[0], &desk, a_allows, &handlers, &pair->a), 0);
    assert_int_equal(
        ipc_new(&pair->b.ipc, pair->loop, fds[1], &reader, b_allows, &handlers, &pair->b), 0);
    turn(pair->loop);
}

static void pair_close(struct pair *pair)
{
    ipc_free(&pair->a.ipc);
    ipc_free(&pair->b.ipc);
    sd_event_unref(pair->loop);
}

static void hello_goes_both_ways_and_tells_role_and_lane(void **state)
{
    struct pair p;

    (void)state;
    pair_open(&p, "R", "D");
    assert_int_equal(p.a.opened, 1);
    assert_int_equal(p.b.opened, 1);
    assert_int_equal(ipc_peer_role(p.a.ipc), IPC_READER);
    assert_int_equal(ipc_peer_lane(p.a.ipc), 3);
    assert_int_equal(ipc_peer_uid(p.a.ipc), getuid());
    pair_close(&p);
}

static void a_role_that_has_no_business_here_is_turned_away(void **state)
{
    struct pair p;

    (void)state;
    pair_open(&p, "MY", "D");
    assert_int_equal(p.a.opened, 0);
    assert_int_equal(p.a.closed, 1);
    assert_int_equal(p.a.error, -EPROTO);
    pair_close(&p);
}

static void messages_arrive_whole_and_in_order(void **state)
{
    struct msg_visit_begin begin = {.visit = 5};
    struct msg_visit_end end = {.visit = 5};
    struct pair p;

    (void)state;
    pair_open(&p, "R", "D");
    assert_int_equal(ipc_send(p.a.ipc, MSG_VISIT_BEGIN, &begin), 0);
    assert_int_equal(ipc_send(p.a.ipc, MSG_VISIT_END, &end), 0);
    turn(p.loop);
    assert_int_equal(p.b.messages, 2);
    assert_int_equal(p.b.type, MSG_VISIT_END);
    pair_close(&p);
}

static void a_message_of_another_role_can_not_be_sent(void **state)
{
    static struct msg_match_end end;
    struct pair p;

    (void)state;
    pair_open(&p, "R", "D");
    assert_int_equal(ipc_send(p.a.ipc, MSG_MATCH_END, &end),
                     -EINVAL); /* for the matcher, this is a reader */
    assert_int_equal(ipc_send(p.b.ipc, MSG_VISIT_END, &end), -EINVAL); /* only the desk says that */
    pair_close(&p);
}

static void a_message_that_the_sender_may_not_send_closes_the_connection(void **state)
{
    static struct msg_visit_end end;
    uint8_t packet[MESSAGE_MAX], hello_packet[MESSAGE_MAX];
    struct msg_hello hello = {.version = IPC_VERSION, .role = IPC_READER};
    struct side a = {0};
    sd_event *loop = NULL;
    int fds[2], len;

    (void)state;
    assert_int_equal(sd_event_new(&loop), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(ipc_new(&a.ipc, loop, fds[0], &desk, "R", &handlers, &a), 0);
    len = message_encode(MSG_HELLO, &hello, 0, hello_packet, sizeof(hello_packet));
    assert_int_equal(write(fds[1], hello_packet, (size_t)len), len);
    turn(loop);
    assert_int_equal(a.opened, 1);
    len = message_encode(MSG_VISIT_END, &end, 0, packet, sizeof(packet));
    assert_int_equal(write(fds[1], packet, (size_t)len), len);
    turn(loop);
    assert_int_equal(a.messages, 0);
    assert_int_equal(a.closed, 1);
    (void)close(fds[1]);
    sd_event_unref(loop);
}

static void whoever_does_not_begin_with_hello_is_turned_away(void **state)
{
    static const char *const openings[] = {"garbage", "",
                                           "UK\1\0\4\2\0\0\10\0\0\0\0\0\0\0\0\0\0\0"};
    static const size_t lengths[] = {7, 0, 20};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct side a = {0};
        sd_event *loop = NULL;
        int fds[2];

        assert_int_equal(sd_event_new(&loop), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
                         0);
        assert_int_equal(ipc_new(&a.ipc, loop, fds[0], &desk, "R", &handlers, &a), 0);
        assert_true(write(fds[1], openings[i], lengths[i]) >= 0);
        turn(loop);
        assert_int_equal(a.opened, 0);
        assert_int_equal(a.closed, 1);
        (void)close(fds[1]);
        sd_event_unref(loop);
    }
}

static void a_descriptor_travels_sealed_and_arrives_once(void **state)
{
    static struct msg_camera_frame frame = {.visit = 1, .frame = 2, .bytes = 5};
    const uint8_t *map;
    int fd = memfd_seal("frame", "hello", 5);
    struct pair p;

    (void)state;
    pair_open(&p, "R", "D");
    assert_int_equal(ipc_send(p.b.ipc, MSG_CAMERA_FRAME, &frame), -EINVAL); /* not without */
    assert_int_equal(ipc_send_fds(p.b.ipc, MSG_CAMERA_FRAME, &frame, &fd, 1), 0);
    turn(p.loop);
    assert_int_equal(p.a.messages, 1);
    assert_true(p.a.fd >= 0);
    assert_int_equal(memfd_map(p.a.fd, 5, 100, &map), 0);
    assert_memory_equal(map, "hello", 5);
    memfd_unmap(map, 5);
    assert_true(write(p.a.fd, "x", 1) < 0);
    (void)close(p.a.fd);
    (void)close(fd);
    pair_close(&p);
}

static void the_handler_may_free_its_connection(void **state)
{
    struct msg_visit_begin begin = {.visit = 5};
    struct pair p;

    (void)state;
    pair_open(&p, "R", "D");
    p.b.free_in_message = true;
    (void)ipc_send(p.a.ipc, MSG_VISIT_BEGIN, &begin);
    (void)ipc_send(p.a.ipc, MSG_VISIT_BEGIN, &begin);
    turn(p.loop);
    assert_int_equal(p.b.messages, 1);
    assert_null(p.b.ipc);
    assert_int_equal(p.a.closed, 1);
    pair_close(&p);
}

static void a_peer_that_does_not_read_is_dropped_and_nothing_blocks(void **state)
{
    struct msg_visit_begin begin = {.visit = 5};
    struct side a = {0};
    sd_event *loop = NULL;
    uint8_t packet[MESSAGE_MAX];
    struct msg_hello hello = {.version = IPC_VERSION, .role = IPC_READER};
    int fds[2], len, r = 0, sent = 0;

    (void)state;
    assert_int_equal(sd_event_new(&loop), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(ipc_new(&a.ipc, loop, fds[0], &desk, "R", &handlers, &a), 0);
    len = message_encode(MSG_HELLO, &hello, 0, packet, sizeof(packet));
    assert_int_equal(write(fds[1], packet, (size_t)len), len);
    turn(loop);
    while (r == 0 && sent < 100000) {
        r = ipc_send(a.ipc, MSG_VISIT_BEGIN, &begin);
        sent++;
    }
    assert_int_equal(r, -ENOBUFS);
    assert_true(sent > 512);
    turn(loop);
    assert_int_equal(a.closed, 1);
    (void)close(fds[1]);
    sd_event_unref(loop);
}

static void queued_messages_follow_when_the_peer_reads_again(void **state)
{
    struct msg_visit_begin begin = {.visit = 5};
    struct pair p;
    int sent;

    (void)state;
    pair_open(&p, "R", "D");
    for (sent = 0; sent < 400; sent++)
        assert_int_equal(ipc_send(p.a.ipc, MSG_VISIT_BEGIN, &begin), 0);
    for (int i = 0; i < 200; i++)
        turn(p.loop);
    assert_int_equal(p.b.messages, sent);
    pair_close(&p);
}

static void a_client_comes_back_after_its_server_was_away(void **state)
{
    struct side a = {0}, b = {0};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[] = "/tmp/uketsuke-ipc-XXXXXX";
    struct ipc_client *client = NULL;
    struct ipc_server *server = NULL;
    struct clock *clock;
    sd_event *loop = NULL;

    (void)state;
    assert_non_null(mkdtemp(path));
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/desk.sock", path);
    assert_int_equal(sd_event_new(&loop), 0);
    clock = clock_new_system(loop);
    assert_int_equal(
        ipc_client_new(&client, loop, clock, address.sun_path, &desk, "R", &handlers, &a), 0);
    for (int i = 0; i < 5; i++)
        (void)sd_event_run(loop, 20000);
    assert_null(ipc_client_peer(client));
    for (int round = 1; round <= 2; round++) {
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        (void)unlink(address.sun_path);
        assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(fd, 4), 0);
        assert_int_equal(ipc_server_new(&server, loop, fd, &reader, "D", NULL, 0, &handlers, &b),
                         0);
        for (int i = 0; i < 400 && a.opened < round; i++)
            (void)sd_event_run(loop, 20000);
        assert_int_equal(a.opened, round);
        assert_non_null(ipc_client_peer(client));
        while (b.opened < round)
            (void)sd_event_run(loop, 20000);
        ipc_free(&b.ipc);
        ipc_server_free(&server);
        a.ipc = NULL; /* it belongs to the client */
        for (int i = 0; i < 100 && a.closed < round; i++)
            (void)sd_event_run(loop, 20000);
        assert_null(ipc_client_peer(client));
    }
    assert_int_equal(a.closed, 2);
    ipc_client_free(&client);
    clock_free(&clock);
    sd_event_unref(loop);
    (void)unlink(address.sun_path);
    (void)rmdir(path);
}

static unsigned open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;

    while (readdir(dir) != NULL)
        n++;
    (void)closedir(dir);
    return n;
}

static void an_empty_packet_leaves_no_descriptor_behind(void **state)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec nothing = {.iov_base = &control, .iov_len = 0};
    struct msghdr msg = {.msg_iov = &nothing,
                         .msg_iovlen = 1,
                         .msg_control = control.room,
                         .msg_controllen = sizeof(control.room)};
    struct side a = {0};
    sd_event *loop = NULL;
    unsigned before;
    int fds[2];

    (void)state;
    assert_int_equal(sd_event_new(&loop), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(ipc_new(&a.ipc, loop, fds[0], &desk, "R", &handlers, &a), 0);
    turn(loop);
    before = open_descriptors();
    CMSG_FIRSTHDR(&msg)->cmsg_level = SOL_SOCKET;
    CMSG_FIRSTHDR(&msg)->cmsg_type = SCM_RIGHTS;
    CMSG_FIRSTHDR(&msg)->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &fds[1], sizeof(int));
    assert_int_equal(sendmsg(fds[1], &msg, 0), 0);
    turn(loop);
    assert_int_equal(a.closed, 1);
    assert_int_equal(open_descriptors(), before - 1); /* the connection's own */
    (void)close(fds[1]);
    sd_event_unref(loop);
}

/* Each question is answered by forty packets. */
static void answer_at_length(struct ipc *ipc, struct message *message, void *arg)
{
    struct msg_visit_begin begin = {.visit = 5};
    struct side *side = arg;

    (void)message;
    side->messages++;
    for (unsigned i = 0; i < 40; i++)
        (void)ipc_send(ipc, MSG_VISIT_BEGIN, &begin);
}

static void many_questions_at_once_are_answered_one_after_the_other(void **state)
{
    static const struct ipc_handlers at_length = {on_open, answer_at_length, on_closed};
    struct msg_reader_state question = {.card = 1};
    struct pair p;

    (void)state;
    pair_open(&p, "R", "D");
    ipc_hand_over(p.a.ipc, &at_length, &p.a);
    ipc_answer_first(p.a.ipc);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(ipc_send(p.b.ipc, MSG_READER_STATE, &question), 0);
    for (unsigned i = 0; i < 1000 && p.b.messages < 4000; i++)
        (void)sd_event_run(p.loop, 0);
    assert_int_equal(p.a.closed + p.b.closed, 0);
    assert_int_equal(p.a.messages, 100);
    assert_int_equal(p.b.messages, 4000);
    pair_close(&p);
}

static void those_who_never_say_hello_are_few(void **state)
{
    struct side b = {0};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[] = "/tmp/uketsuke-ipc-XXXXXX";
    int silent[3 * IPC_STRANGERS_MAX];
    struct ipc_server *server = NULL;
    struct ipc *late = NULL;
    struct side a = {0};
    sd_event *loop = NULL;
    unsigned before;
    int fd;

    (void)state;
    assert_non_null(mkdtemp(path));
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/desk.sock", path);
    assert_int_equal(sd_event_new(&loop), 0);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(ipc_server_new(&server, loop, fd, &reader, "D", NULL, 0, &handlers, &b), 0);
    turn(loop);
    before = open_descriptors();
    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
        silent[i] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(silent[i], (const struct sockaddr *)&address, sizeof(address)), 0);
        turn(loop);
    }
    assert_int_equal(open_descriptors() - before,
                     sizeof(silent) / sizeof(silent[0]) + IPC_STRANGERS_MAX);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(ipc_new(&late, loop, fd, &desk, "R", &handlers, &a), 0);
    turn(loop);
    assert_int_equal(b.opened, 1);
    assert_int_equal(a.opened, 1);
    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++)
        (void)close(silent[i]);
    turn(loop);
    assert_int_equal(b.closed, 0);
    ipc_server_free(&server);
    ipc_free(&a.ipc);
    ipc_free(&b.ipc);
    sd_event_unref(loop);
    (void)unlink(address.sun_path);
    (void)rmdir(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_goes_both_ways_and_tells_role_and_lane),
        cmocka_unit_test(a_role_that_has_no_business_here_is_turned_away),
        cmocka_unit_test(messages_arrive_whole_and_in_order),
        cmocka_unit_test(a_message_of_another_role_can_not_be_sent),
        cmocka_unit_test(a_message_that_the_sender_may_not_send_closes_the_connection),
        cmocka_unit_test(whoever_does_not_begin_with_hello_is_turned_away),
        cmocka_unit_test(a_descriptor_travels_sealed_and_arrives_once),
        cmocka_unit_test(the_handler_may_free_its_connection),
        cmocka_unit_test(a_peer_that_does_not_read_is_dropped_and_nothing_blocks),
        cmocka_unit_test(queued_messages_follow_when_the_peer_reads_again),
        cmocka_unit_test(a_client_comes_back_after_its_server_was_away),
        cmocka_unit_test(an_empty_packet_leaves_no_descriptor_behind),
        cmocka_unit_test(many_questions_at_once_are_answered_one_after_the_other),
        cmocka_unit_test(those_who_never_say_hello_are_few),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
