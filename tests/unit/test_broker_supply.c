/*
 * A lane's reader is kept supplied: what is handed over when, what is taken back, and how long is waited before it is
 * tried again. The reader program is played at the other end of a real connection; time is simulated.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/common/clock.h"
#include "daemon/common/failure.h"
#include "daemon/common/ipc.h"
#include "driver/broker/supply.h"

#define CLOSED 0
#define IN_USE 1
#define REFUSED 2
#define TOLD 64u

struct told {
    uint16_t type;
    struct msg_device_attach attach;
    char port[65];
    ino_t inode; /* of the descriptor that came with it */
};

static char directory[] = "/tmp/supply-XXXXXX";
static char nodes[3][64];
static struct sd_event *loop;
static struct clock *now;
static struct supply *supply;
static struct ipc *ours, *readers;
static struct told told[TOLD];
static unsigned n_told, lost;

/* -- the reader program ------------------------------------------------------------------------ */

static void on_open(struct ipc *ipc, const struct msg_hello *peer, void *arg)
{
    (void)ipc;
    (void)peer;
    (void)arg;
}

static void on_nothing(struct ipc *ipc, struct message *m, void *arg)
{
    (void)ipc;
    (void)m;
    (void)arg;
    fail();
}

static void on_message(struct ipc *ipc, struct message *m, void *arg)
{
    struct told *t = &told[n_told++];
    struct stat st;

    (void)ipc;
    (void)arg;
    assert_true(n_told <= TOLD);
    memset(t, 0, sizeof(*t));
    t->type = m->type;
    if (m->type == MSG_DEVICE_ATTACH) {
        t->attach = m->body.device_attach;
        memcpy(t->port, m->body.device_attach.port, sizeof(t->port));
        assert_int_equal(m->nfds, 1);
        assert_int_equal(fstat(m->fds[0], &st), 0);
        t->inode = st.st_ino;
    } else {
        assert_int_equal(m->type, MSG_DEVICE_DETACH);
        memcpy(t->port, m->body.device_detach.port, sizeof(t->port));
    }
}

static void on_closed(struct ipc *ipc, int error, void *arg)
{
    (void)ipc;
    (void)error;
    (void)arg;
    lost++;
}

static void turns(void)
{
    for (unsigned i = 0; i < 40; i++)
        assert_true(sd_event_run(loop, 500) >= 0);
}

static void pass(uint64_t us)
{
    clock_advance(now, us);
    turns();
}

static void connect_reader(void)
{
    static const struct ipc_handlers broker = {on_open, on_nothing, on_closed},
                                     reader = {on_open, on_message, on_closed};
    const struct ipc_self self = {
        .role = IPC_BROKER, .lane = 1, .program = "uketsuke-broker", .instance = ""};
    const struct ipc_self other = {
        .role = IPC_READER, .lane = 1, .program = "uketsuke-reader", .instance = "1"};
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    assert_int_equal(ipc_new(&ours, loop, fds[0], &self, "R", &broker, NULL), 0);
    assert_int_equal(ipc_new(&readers, loop, fds[1], &other, "B", &reader, NULL), 0);
    for (unsigned i = 0; i < 200 && !(ipc_is_open(ours) && ipc_is_open(readers)); i++)
        assert_true(sd_event_run(loop, 1000) >= 0);
    assert_true(ipc_is_open(ours) && ipc_is_open(readers));
    supply_set_reader(supply, ours);
}

static void reader_says(unsigned state, uint16_t failure, const char *port)
{
    struct msg_device_state body = {.state = (uint8_t)state, .failure = failure};

    (void)MESSAGE_TEXT(body.port, port);
    supply_device_state(supply, &body);
    turns();
}

/* -- what is plugged --------------------------------------------------------------------------- */

static struct supply_wish wish_of(unsigned i, const char *port, uint8_t use)
{
    struct supply_wish w = {.use = use};

    snprintf(w.device.port, sizeof(w.device.port), "%s", port);
    snprintf(w.device.node, sizeof(w.device.node), "%s", nodes[i]);
    snprintf(w.device.serial, sizeof(w.device.serial), "S-%u", i);
    snprintf(w.device.name, sizeof(w.device.name), "Reader %u", i);
    w.device.vendor = 0x1209;
    w.device.product = (uint16_t)(1 + i);
    w.device.busnum = 1;
    w.device.devnum = 4 + i;
    w.device.speed = 3;
    return w;
}

static ino_t inode_of(unsigned i)
{
    struct stat st;

    assert_int_equal(stat(nodes[i], &st), 0);
    return st.st_ino;
}

static struct supply_view view_of(size_t i)
{
    struct supply_view view;

    assert_true(supply_view(supply, i, &view));
    return view;
}

static int up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(directory));
    return 0;
}

static int down(void **state)
{
    (void)state;
    return rmdir(directory);
}

static int begin(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        FILE *file;

        snprintf(nodes[i], sizeof(nodes[i]), "%s/node-%u", directory, i);
        file = fopen(nodes[i], "w");
        assert_non_null(file);
        fclose(file);
    }
    assert_true(sd_event_new(&loop) >= 0);
    now = clock_new_simulated(CLOCK_SECOND, CLOCK_SECOND);
    supply = supply_new(loop, now, 1);
    assert_non_null(supply);
    n_told = lost = 0;
    return 0;
}

static int end(void **state)
{
    (void)state;
    supply_free(&supply);
    supply_free(&supply);
    ipc_free(&ours);
    ipc_free(&readers);
    clock_free(&now);
    sd_event_unref(loop);
    for (unsigned i = 0; i < 3; i++)
        unlink(nodes[i]);
    return 0;
}

/* -- tests ------------------------------------------------------------------------------------- */

static void a_device_is_opened_and_handed_over(void **state)
{
    struct supply_wish wish = wish_of(1, "1-2.3", SUPPLY_USE_READER | SUPPLY_USE_CAMERA);
    struct supply_view view;

    (void)state;
    supply_set_wishes(supply, &wish, 1);
    pass(CLOCK_SECOND);
    assert_false(supply_has_reader(supply));
    assert_int_equal(view_of(0).state, SUPPLY_WAITING); /* there is nobody to hand it to */
    connect_reader();
    assert_true(supply_has_reader(supply));
    pass(0);
    assert_int_equal(n_told, 1);
    assert_int_equal(told[0].type, MSG_DEVICE_ATTACH);
    assert_int_equal(told[0].attach.kind, 1);
    assert_int_equal(told[0].attach.use, 3);
    assert_int_equal(told[0].attach.vendor, 0x1209);
    assert_int_equal(told[0].attach.product, 2);
    assert_int_equal(told[0].attach.busnum, 1);
    assert_int_equal(told[0].attach.devnum, 5);
    assert_int_equal(told[0].attach.speed, 3);
    assert_string_equal(told[0].port, "1-2.3");
    assert_string_equal(told[0].attach.serial, "S-1");
    assert_string_equal(told[0].attach.name, "Reader 1");
    assert_true(told[0].inode == inode_of(1));
    assert_int_equal(view_of(0).state, SUPPLY_HANDED_OVER);
    reader_says(IN_USE, FAILURE_NONE, "1-2.3");
    assert_int_equal(view_of(0).state, SUPPLY_IN_USE);
    assert_string_equal(view_of(0).port, "1-2.3");
    assert_false(supply_view(supply, 1, &view));
    /* The same wish again is no news. */
    supply_set_wishes(supply, &wish, 1);
    pass(60 * CLOCK_SECOND);
    assert_int_equal(n_told, 1);
}

static void a_kernels_camera_goes_by_its_node(void **state)
{
    struct supply_wish wishes[2] = {wish_of(0, "1-1", SUPPLY_USE_READER),
                                    wish_of(0, "1-1", SUPPLY_USE_CAMERA)};

    (void)state;
    wishes[1].video = true;
    snprintf(wishes[1].device.video, sizeof(wishes[1].device.video), "%s", nodes[2]);
    supply_set_wishes(supply, wishes, 2);
    connect_reader();
    pass(0);
    assert_int_equal(n_told, 2);
    assert_int_equal(told[0].attach.kind, 1);
    assert_true(told[0].inode == inode_of(0));
    assert_string_equal(told[0].port, "1-1");
    assert_int_equal(told[1].attach.kind, 3);
    assert_int_equal(told[1].attach.use, SUPPLY_USE_CAMERA);
    assert_true(told[1].inode == inode_of(2));
    /* Two ways of one device have two names. */
    assert_string_equal(told[1].port, "node-2");
    /* The kernel's driver lets go: only the camera is taken back. */
    supply_set_wishes(supply, wishes, 1);
    turns();
    assert_int_equal(n_told, 3);
    assert_int_equal(told[2].type, MSG_DEVICE_DETACH);
    assert_string_equal(told[2].port, "node-2");
}

static void what_is_no_longer_wished_for_is_taken_back(void **state)
{
    struct supply_wish wishes[2] = {wish_of(0, "1-1", SUPPLY_USE_READER),
                                    wish_of(1, "1-2", SUPPLY_USE_CAMERA)};
    struct supply_wish again;

    (void)state;
    connect_reader();
    supply_set_wishes(supply, wishes, 2);
    pass(0);
    assert_int_equal(n_told, 2);
    reader_says(IN_USE, FAILURE_NONE, "1-1");
    /* Pulled and plugged in again between two looks: another device number is another device. */
    again = wishes[0];
    again.device.devnum = 9;
    wishes[0] = again;
    supply_set_wishes(supply, wishes, 2);
    turns();
    assert_int_equal(n_told, 3);
    assert_int_equal(told[2].type, MSG_DEVICE_DETACH);
    assert_string_equal(told[2].port, "1-1");
    pass(0);
    assert_int_equal(n_told, 4);
    assert_int_equal(told[3].attach.devnum, 9);
    supply_set_wishes(supply, NULL, 0);
    turns();
    assert_int_equal(n_told, 6);
    assert_int_equal(told[4].type, MSG_DEVICE_DETACH);
    assert_int_equal(told[5].type, MSG_DEVICE_DETACH);
    /* A late word about what is not ours any more. */
    reader_says(CLOSED, FAILURE_READER_LOST, "1-1");
    reader_says(IN_USE, FAILURE_NONE, "9-9");
    pass(60 * CLOCK_SECOND);
    assert_int_equal(n_told, 6);
}

/* After 100 ms, 200, 400 ... and never longer than five seconds. */
static void one_that_does_not_open_is_tried_with_growing_pauses(void **state)
{
    static const uint64_t pauses_ms[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};
    struct supply_wish wish = wish_of(0, "1-1", SUPPLY_USE_READER);

    (void)state;
    unlink(nodes[0]);
    connect_reader();
    supply_set_wishes(supply, &wish, 1);
    pass(0);
    assert_int_equal(view_of(0).error, -ENOENT);
    /* A turn is seen by what stands there: nothing, and a link that leads round in a circle, by turns. */
    for (size_t i = 0; i < sizeof(pauses_ms) / sizeof(pauses_ms[0]); i++) {
        bool circle = i % 2 == 0;

        if (circle)
            assert_int_equal(symlink(nodes[0], nodes[0]), 0);
        else
            unlink(nodes[0]);
        pass(pauses_ms[i] * CLOCK_MS - 1);
        assert_int_equal(view_of(0).error, circle ? -ENOENT : -ELOOP);
        pass(1);
        assert_int_equal(view_of(0).error, circle ? -ELOOP : -ENOENT);
        assert_int_equal(view_of(0).state, SUPPLY_WAITING);
    }
    assert_int_equal(n_told, 0);
}

static void a_reader_that_lets_go_gets_it_again(void **state)
{
    struct supply_wish wish = wish_of(0, "1-1", SUPPLY_USE_READER);

    (void)state;
    connect_reader();
    supply_set_wishes(supply, &wish, 1);
    pass(0);
    reader_says(IN_USE, FAILURE_NONE, "1-1");
    reader_says(CLOSED, FAILURE_READER_PROTOCOL, "1-1");
    assert_int_equal(view_of(0).state, SUPPLY_WAITING);
    assert_int_equal(view_of(0).failure, FAILURE_READER_PROTOCOL);
    pass(100 * CLOCK_MS);
    assert_int_equal(n_told, 2);
    /* Said twice, it is said once. */
    reader_says(CLOSED, FAILURE_READER_PROTOCOL, "1-1");
    reader_says(CLOSED, FAILURE_READER_PROTOCOL, "1-1");
    pass(200 * CLOCK_MS);
    assert_int_equal(n_told, 3);
    /* Once it works, the next trouble is the first again. */
    reader_says(IN_USE, FAILURE_NONE, "1-1");
    assert_int_equal(view_of(0).failure, FAILURE_NONE);
    reader_says(CLOSED, FAILURE_READER_LOST, "1-1");
    pass(99 * CLOCK_MS);
    assert_int_equal(n_told, 3);
    pass(1 * CLOCK_MS);
    assert_int_equal(n_told, 4);
}

/* pcscd has it: somebody has to stop it first, so there is no hurry. */
static void a_refused_one_is_offered_again_after_five_seconds(void **state)
{
    struct supply_wish wish = wish_of(0, "1-1", SUPPLY_USE_READER);

    (void)state;
    connect_reader();
    supply_set_wishes(supply, &wish, 1);
    pass(0);
    for (unsigned i = 1; i < 4; i++) {
        reader_says(REFUSED, FAILURE_READER_BUSY, "1-1");
        assert_int_equal(view_of(0).failure, FAILURE_READER_BUSY);
        pass(5 * CLOCK_SECOND - 1);
        assert_int_equal(n_told, i);
        pass(1);
        assert_int_equal(n_told, i + 1);
    }
}

static void a_reader_program_that_comes_again_gets_everything_again(void **state)
{
    struct supply_wish wishes[2] = {wish_of(0, "1-1", SUPPLY_USE_READER),
                                    wish_of(1, "1-2", SUPPLY_USE_CAMERA)};

    (void)state;
    connect_reader();
    supply_set_wishes(supply, wishes, 2);
    pass(0);
    reader_says(IN_USE, FAILURE_NONE, "1-1");
    ipc_free(&readers);
    turns();
    assert_int_equal(lost, 1);
    supply_set_reader(supply, NULL);
    ipc_free(&ours);
    assert_false(supply_has_reader(supply));
    pass(CLOCK_SECOND);
    n_told = 0;
    connect_reader();
    pass(0);
    assert_int_equal(n_told, 2);
    /* A broker that was started anew hears that the reader has it already: nothing is handed over twice. */
    reader_says(IN_USE, FAILURE_NONE, "1-1");
    reader_says(IN_USE, FAILURE_NONE, "1-2");
    assert_int_equal(view_of(1).state, SUPPLY_IN_USE);
    pass(60 * CLOCK_SECOND);
    assert_int_equal(n_told, 2);
}

/* Its connection is there no more, but nobody has said so yet. */
static void one_that_cannot_be_handed_over_is_tried_again(void **state)
{
    struct supply_wish wish = wish_of(0, "1-1", SUPPLY_USE_READER);

    (void)state;
    connect_reader();
    ipc_refuse(ours, "of the test");
    turns();
    supply_set_wishes(supply, &wish, 1);
    pass(0);
    assert_int_equal(n_told, 0);
    assert_int_equal(view_of(0).state, SUPPLY_WAITING);
    assert_int_equal(view_of(0).error, -ENOTCONN);
}

/* A simulator's socket: the device is fetched from it, and when nobody is there it is tried again. */
static void a_simulators_device_is_fetched_and_handed_over(void **state)
{
    struct supply_wish wish = {.use = SUPPLY_USE_READER};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    uint8_t request[64], reply[320] = {0};
    int listening, fd;

    (void)state;
    snprintf(wish.path, sizeof(wish.path), "%s/sim", directory);
    connect_reader();
    supply_set_wishes(supply, &wish, 1);
    pass(0);
    assert_int_equal(view_of(0).state, SUPPLY_WAITING);
    assert_int_equal(view_of(0).error, -ENOENT);
    strcpy(address.sun_path, wish.path);
    listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listening, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listening, 4), 0);
    pass(100 * CLOCK_MS);
    assert_int_equal(view_of(0).state, SUPPLY_IMPORTING);
    fd = accept(listening, NULL, NULL);
    assert_int_equal(recv(fd, request, sizeof(request), 0), 40);
    memcpy(reply, "\x01\x11\x00\x03\x00\x00\x00\x00", 8);
    memcpy(reply + 296, "\x00\x00\x00\x02\x00\x00\x00\x07\x00\x00\x00\x03\x12\x09\x00\x01", 16);
    assert_int_equal(send(fd, reply, sizeof(reply), 0), sizeof(reply));
    turns();
    assert_int_equal(n_told, 1);
    assert_int_equal(told[0].attach.kind, 2);
    assert_int_equal(told[0].attach.devid, 0x00020007);
    assert_string_equal(told[0].port, "simulator-1");
    assert_int_equal(view_of(0).state, SUPPLY_HANDED_OVER);
    assert_int_equal(view_of(0).error, 0);
    close(fd);
    close(listening);
    unlink(wish.path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_device_is_opened_and_handed_over),
        TEST(a_kernels_camera_goes_by_its_node),
        TEST(what_is_no_longer_wished_for_is_taken_back),
        TEST(one_that_does_not_open_is_tried_with_growing_pauses),
        TEST(a_reader_that_lets_go_gets_it_again),
        TEST(a_refused_one_is_offered_again_after_five_seconds),
        TEST(a_reader_program_that_comes_again_gets_everything_again),
        TEST(one_that_cannot_be_handed_over_is_tried_again),
        TEST(a_simulators_device_is_fetched_and_handed_over),
    };

    return cmocka_run_group_tests(tests, up, down);
}
