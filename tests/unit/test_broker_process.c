/*
 * uketsuke-broker as a process, caged, on a host whose USB is written here by hand (umockdev: sysfs, nodes, udev's
 * messages): what it hands to which lane, what it says about it, and how it refuses a configuration.
 */
#include <errno.h>
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
#include <unistd.h>

#include <cmocka.h>

#include "daemon/common/clock.h"
#include "daemon/common/failure.h"
#include "daemon/common/ipc.h"

#include "host_lanes.h"
#include "host_usb.h"

#define PATIENCE_MS 30000
#define LANES 3u
#define KEPT HOST_EVENTS
#define CLOSED 0
#define IN_USE 1
#define REFUSED 2

static char directory[] = "/tmp/broker-process-XXXXXX";
static char config[64];
static sd_event *loop;
static struct clock *now;
static pid_t broker;
static int listening;
static struct ipc_client *desk;
static struct host_lane lanes[LANES];
static struct msg_device_item items[KEPT];
static struct msg_health_item healths[KEPT];
static unsigned nitems, nhealths;
static bool answered;

/* -- the desk's side ---------------------------------------------------------------------------- */

static void on_desk_open(struct ipc *ipc, const struct msg_hello *peer, void *arg)
{
    (void)ipc;
    (void)peer;
    (void)arg;
}

static void on_desk_message(struct ipc *ipc, struct message *m, void *arg)
{
    (void)ipc;
    (void)arg;
    assert_true(nitems < KEPT && nhealths < KEPT);
    if (m->type == MSG_DEVICE_ITEM)
        items[nitems++] = m->body.device_item;
    else if (m->type == MSG_HEALTH_ITEM)
        healths[nhealths++] = m->body.health_item;
    else
        answered = true;
}

static void on_desk_closed(struct ipc *ipc, int error, void *arg)
{
    (void)ipc;
    (void)error;
    (void)arg;
}

static const struct ipc_handlers desk_handlers = {on_desk_open, on_desk_message, on_desk_closed};

#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        uint64_t limit_ = clock_monotonic_us(now) + PATIENCE_MS * CLOCK_MS;                        \
        while (!(condition)) {                                                                     \
            if (clock_monotonic_us(now) >= limit_)                                                 \
                fail_msg("never: %s", #condition);                                                 \
            assert_true(sd_event_run(loop, 20000) >= 0);                                           \
        }                                                                                          \
    } while (0)

static const struct host_event *next_event(unsigned lane)
{
    struct host_lane *l = &lanes[lane - 1];

    UNTIL(l->read < l->n);
    return &l->events[l->read++];
}

static void reader_says(unsigned lane, unsigned state, uint16_t failure, const char *port)
{
    assert_true(host_lane_says(&lanes[lane - 1], state, failure, port));
}

static void ask(uint16_t type, const void *body)
{
    UNTIL(ipc_client_peer(desk) != NULL && ipc_is_open(ipc_client_peer(desk)));
    nitems = nhealths = 0;
    answered = false;
    assert_int_equal(ipc_send(ipc_client_peer(desk), type, body), 0);
    UNTIL(answered);
}

static void ask_devices(void)
{
    const struct msg_devices_query query = {.request = 5};

    ask(MSG_DEVICES_QUERY, &query);
    for (unsigned i = 0; i < nitems; i++)
        assert_int_equal(items[i].request, 5);
}

/* The item of a plugged device; without port: of what a lane lacks. */
static const struct msg_device_item *item_of(const char *port, unsigned lane)
{
    for (unsigned i = 0; i < nitems; i++)
        if (strcmp(items[i].port, port) == 0 && (port[0] != 0 || items[i].lane == lane))
            return &items[i];
    return NULL;
}

/* -- the process ------------------------------------------------------------------------------- */

static int listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", directory, name);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 16), 0);
    return fd;
}

static void write_config(const char *text)
{
    FILE *file;

    snprintf(config, sizeof(config), "%s/uketsuke.conf", directory);
    file = fopen(config, "w");
    assert_non_null(file);
    fprintf(file,
            "[desk]\ninstitution = 9910000017\nrun-directory = %s\nstate-directory = "
            "%s\n\n[upstream main]\nkind = web-api\n\n"
            "[log]\nlevel = info\n\n%s",
            directory, directory, text);
    fclose(file);
}

/* `output`: where it writes, -1 for the test's own. */
static pid_t start(bool socket_handed_over, int output)
{
    const char *bin = getenv("UKETSUKE_BIN");
    char path[512], pid[32];
    pid_t child = fork();

    assert_true(child >= 0);
    if (child != 0)
        return child;
    snprintf(path, sizeof(path), "%s/uketsuke-broker", bin != NULL ? bin : "build/release/bin");
    if (output >= 0)
        (void)dup2(output, STDERR_FILENO);
    if (listening == 3)
        (void)fcntl(3, F_SETFD, 0);
    else if (dup2(listening, 3) < 0)
        _exit(126);
    (void)close_range(4, ~0u, 0);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    if (socket_handed_over) {
        (void)setenv("LISTEN_PID", pid, 1);
        (void)setenv("LISTEN_FDS", "1", 1);
        (void)setenv("LISTEN_FDNAMES", "broker", 1);
    }
    (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
    (void)execl(path, path, "--config", config, (char *)NULL);
    _exit(127);
}

/* It ends by itself; what it said. */
static int run_to_end(bool socket_handed_over, char *said, size_t size)
{
    int ends[2], status;
    size_t n = 0;
    ssize_t got;
    pid_t child;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    child = start(socket_handed_over, ends[1]);
    close(ends[1]);
    while (n < size - 1 && (got = read(ends[0], said + n, size - 1 - n)) > 0)
        n += (size_t)got;
    said[n] = 0;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int up(void **state)
{
    (void)state;
    /* What is opened must lie below /dev even where Landlock looks, which knows nothing of the mock. */
    (void)setenv("TMPDIR", "/dev/shm", 1);
    (void)signal(SIGPIPE, SIG_IGN);
    if (mkdtemp(directory) == NULL)
        return -1;
    listening = listen_at("broker.sock");
    return 0;
}

static int down(void **state)
{
    char command[64];

    (void)state;
    close(listening);
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}

/* A host with a hub and a combined reader and camera at port 1-2, and three lanes. */
static int begin(void **state)
{
    static const struct ipc_self self = {.role = IPC_DESK, .program = "test", .instance = ""};
    char path[128];

    (void)state;
    host_new();
    host_plug("1-2", 4, "1209:0001", "S-17", "Reader and camera", "video10");
    write_config("[lane 1]\nreader = port=1-2\ncamera = v4l2:same\n\n[lane 2]\nreader = "
                 "id=054c:0dc8/A1\ncamera = none\n\n"
                 "[lane 3]\nreader = id=054c:0dc8/B2\ncamera = none\n");
    assert_true(sd_event_new(&loop) >= 0);
    now = clock_new_system(loop);
    for (unsigned i = 0; i < LANES; i++)
        host_lane_new(&lanes[i], i + 1, loop, directory);
    broker = start(true, -1);
    snprintf(path, sizeof(path), "%s/broker.sock", directory);
    assert_int_equal(ipc_client_new(&desk, loop, now, path, &self, "B", &desk_handlers, NULL), 0);
    UNTIL(lanes[0].ipc != NULL && lanes[1].ipc != NULL && lanes[2].ipc != NULL);
    return 0;
}

static int end(void **state)
{
    int status = 0;

    (void)state;
    ipc_client_free(&desk);
    (void)kill(broker, SIGTERM);
    (void)waitpid(broker, &status, 0);
    for (unsigned i = 0; i < LANES; i++)
        host_lane_free(&lanes[i]);
    clock_free(&now);
    loop = sd_event_unref(loop);
    host_free();
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* -- tests ------------------------------------------------------------------------------------- */

static void each_lane_gets_what_is_its_own(void **state)
{
    const struct host_event *both[] = {next_event(1), next_event(1)}, *e;

    (void)state;
    /* In either order. */
    e = both[both[0]->attach.kind != 1];
    assert_int_equal(e->type, MSG_DEVICE_ATTACH);
    assert_int_equal(e->attach.kind, 1);
    assert_int_equal(e->attach.use, 1);
    assert_int_equal(e->attach.vendor, 0x1209);
    assert_int_equal(e->attach.product, 1);
    assert_int_equal(e->attach.busnum, 1);
    assert_int_equal(e->attach.devnum, 4);
    assert_int_equal(e->attach.speed, 3);
    assert_string_equal(e->port, "1-2");
    assert_string_equal(e->attach.serial, "S-17");
    e = both[both[0]->attach.kind == 1];
    assert_int_equal(e->attach.kind, 3);
    assert_int_equal(e->attach.use, 2);
    assert_string_equal(e->port, "video10");
    reader_says(1, IN_USE, FAILURE_NONE, "1-2");
    reader_says(1, IN_USE, FAILURE_NONE, "video10");
    ask_devices();
    while (strcmp(item_of("1-2", 1)->holder, "uketsuke-reader") != 0)
        ask_devices();
    assert_int_equal(item_of("1-2", 1)->lane, 1);
    assert_int_equal(item_of("1-2", 1)->use, 3);
    assert_int_equal(item_of("1-2", 1)->kind, 1);
    assert_string_equal(item_of("1-2", 1)->serial, "S-17");
    assert_string_equal(item_of("1-2", 1)->name, "Reader and camera");
    assert_string_equal(item_of("1-2", 1)->next, "");
    /* What the others lack. */
    assert_non_null(strstr(item_of("", 2)->next, "nothing plugged fits"));
    assert_int_equal(item_of("", 2)->use, 1);
    assert_int_equal(item_of("", 2)->kind, 0);
    assert_non_null(item_of("", 3));
    assert_int_equal(nitems, 3);
    assert_int_equal(lanes[1].n, 0);
    assert_int_equal(lanes[2].n, 0);
}

static void plugging_and_unplugging_are_heard_of(void **state)
{
    const struct host_event *e;

    (void)state;
    host_plug("1-3", 7, "054c:0dc8", "B2", "RC-S300/S", NULL);
    host_tell("1-3", "add");
    e = next_event(3);
    assert_int_equal(e->type, MSG_DEVICE_ATTACH);
    assert_string_equal(e->port, "1-3");
    assert_string_equal(e->attach.serial, "B2");
    /* Of the same model, told apart by its serial number. */
    host_plug("1-4", 8, "054c:0dc8", "A1", "RC-S300/S", NULL);
    host_tell("1-4", "add");
    e = next_event(2);
    assert_int_equal(e->type, MSG_DEVICE_ATTACH);
    assert_string_equal(e->port, "1-4");
    reader_says(3, IN_USE, FAILURE_NONE, "1-3");
    host_unplug("1-3");
    e = next_event(3);
    assert_int_equal(e->type, MSG_DEVICE_DETACH);
    assert_string_equal(e->port, "1-3");
    assert_int_equal(lanes[1].n, 1); /* the other lane hears nothing of it */
}

static void what_hinders_is_named_with_the_next_step(void **state)
{
    (void)state;
    (void)next_event(1);
    (void)next_event(1);
    reader_says(1, REFUSED, FAILURE_READER_BUSY, "1-2");
    do
        ask_devices();
    while (item_of("1-2", 1)->next[0] == 0);
    assert_non_null(strstr(item_of("1-2", 1)->next, "systemctl disable --now pcscd.socket"));
    /* Before anybody of ours has it, the driver that does is named. */
    assert_string_equal(item_of("1-2", 1)->holder, "uvcvideo");
}

/* A reader lets go of a device, and before udev says anything it is another one that stands there. */
static void a_device_that_was_let_go_of_is_looked_for_anew(void **state)
{
    const struct host_event *e;

    (void)state;
    (void)next_event(1);
    (void)next_event(1);
    reader_says(1, IN_USE, FAILURE_NONE, "1-2");
    host_set("1-2", "devnum", "9\n");
    reader_says(1, CLOSED, FAILURE_READER_LOST, "1-2");
    /* The camera's device is another one with it. */
    for (;;) {
        e = next_event(1);
        if (e->type == MSG_DEVICE_ATTACH && e->attach.kind == 1 && e->attach.devnum == 9)
            break;
    }
}

/* udev's daemon does not run here: nobody tells, so it is looked for every three seconds. */
static void without_a_word_of_udevs_it_is_noticed_all_the_same(void **state)
{
    (void)state;
    host_plug("1-4", 8, "054c:0dc8", "A1", "RC-S300/S", NULL);
    assert_string_equal(next_event(2)->port, "1-4");
}

static void its_health_has_a_line_a_lane(void **state)
{
    const struct msg_health_query query = {.request = 6};
    unsigned found = 0;

    (void)state;
    (void)next_event(1);
    (void)next_event(1);
    reader_says(1, IN_USE, FAILURE_NONE, "1-2");
    do
        ask_devices();
    while (strcmp(item_of("1-2", 1)->holder, "uketsuke-reader") != 0);
    ask(MSG_HEALTH_QUERY, &query);
    for (unsigned i = 0; i < nhealths; i++) {
        const struct msg_health_item *h = &healths[i];

        if (strcmp(h->component, "devices of lane 1") == 0) {
            assert_int_equal(h->state, 0);
            assert_string_equal(h->detail, "1 in use, reader program connected");
            found |= 1;
        } else if (strcmp(h->component, "devices of lane 2") == 0) {
            assert_int_equal(h->state, 2);
            assert_int_equal(h->failure, FAILURE_READER_ABSENT);
            found |= 2;
        }
    }
    assert_int_equal(found, 3);
}

/* -- without a lane at work -------------------------------------------------------------------- */

static void a_lane_that_cannot_be_is_refused_with_its_words(void **state)
{
    static const struct {
        const char *config, *words;
    } rows[] = {
        {"[lane front]\nreader = only\ncamera = none\n", "lane front"},
        {"[lane 0]\nreader = only\ncamera = none\n", "lane 0"},
        {"[lane 70000]\nreader = only\ncamera = none\n", "lane 70000"},
        {"[lane 1]\nreader = the left one\ncamera = none\n", "the left one"},
        {"[lane 1]\nreader = only\ncamera = auto:none\n", "auto:none"},
    };
    char said[4096];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        write_config(rows[i].config);
        assert_int_not_equal(run_to_end(true, said, sizeof(said)), 0);
        if (strstr(said, rows[i].words) == NULL)
            fail_msg("'%s' is not in: %s", rows[i].words, said);
    }
}

static void without_its_socket_it_does_not_start(void **state)
{
    char said[4096];

    (void)state;
    write_config("[lane 1]\nreader = only\ncamera = none\n");
    assert_int_not_equal(run_to_end(false, said, sizeof(said)), 0);
    assert_non_null(strstr(said, "no listening socket named broker"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lane_that_cannot_be_is_refused_with_its_words),
        cmocka_unit_test(without_its_socket_it_does_not_start),
        TEST(each_lane_gets_what_is_its_own),
        TEST(plugging_and_unplugging_are_heard_of),
        TEST(what_hinders_is_named_with_the_next_step),
        TEST(a_device_that_was_let_go_of_is_looked_for_anew),
        TEST(without_a_word_of_udevs_it_is_noticed_all_the_same),
        TEST(its_health_has_a_line_a_lane),
    };

    return cmocka_run_group_tests(tests, up, down);
}
