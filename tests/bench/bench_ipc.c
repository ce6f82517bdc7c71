/*
 * bench_ipc: round trips between two processes, one event loop each, over a SOCK_SEQPACKET pair: a small message,
 * a large one, one that carries a descriptor; and what encoding and decoding cost by themselves.
 */
#include "daemon/common/ipc.h"
#include "measure.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define RUNS 7
#define TRIPS 5000

static void must(int r, const char *what)
{
    if (r < 0) {
        fprintf(stderr, "bench_ipc: %s: %s\n", what, strerror(-r));
        exit(1);
    }
}

/* ---- the other side: answers each question with its kind of answer --------------------------- */

static int carried = -1;

static void echo(struct ipc *ipc, struct message *m, void *arg)
{
    static struct msg_answer answer;
    static struct msg_visit_item item;
    static struct msg_health_end end;

    (void)arg;
    if (m->type == MSG_HEALTH_QUERY)
        must(ipc_send(ipc, MSG_HEALTH_END, &end), "answer");
    else if (m->type == MSG_VISITS_QUERY)
        must(ipc_send(ipc, MSG_VISIT_ITEM, &item), "answer");
    else
        must(ipc_send_fds(ipc, MSG_ANSWER, &answer, &carried, 1), "answer");
}

static void on_open(struct ipc *ipc, const struct msg_hello *peer, void *arg)
{
    (void)ipc;
    (void)peer;
    (void)arg;
}

static void on_closed(struct ipc *ipc, int error, void *arg)
{
    (void)ipc;
    (void)arg;
    exit(error == 0 ? 0 : 1);
}

static void serve(int fd)
{
    static const struct ipc_self self = {.role = IPC_DESK, .program = "uketsuked", .instance = ""};
    static const struct ipc_handlers handlers = {
        .open = on_open, .message = echo, .closed = on_closed};
    struct sd_event *loop;
    struct ipc *ipc;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    carried = memfd_create("bench", MFD_CLOEXEC);
    must(carried, "memfd");
    must(sd_event_new(&loop), "loop");
    must(ipc_new(&ipc, loop, fd, &self, "C", &handlers, NULL), "connection");
    _exit(sd_event_loop(loop) < 0);
}

/* ---- this side ------------------------------------------------------------------------------- */

static struct {
    struct sd_event *loop;
    struct ipc *ipc;
    uint16_t type;
    const void *body;
    unsigned left;
    uint64_t sent_ns;
    double *us;
} asker;

static void ask(void)
{
    asker.sent_ns = measure_now_ns();
    must(ipc_send(asker.ipc, asker.type, asker.body), "question");
}

static void answered(struct ipc *ipc, struct message *m, void *arg)
{
    (void)ipc;
    (void)m;
    (void)arg;
    *asker.us++ = (double)(measure_now_ns() - asker.sent_ns) / 1000;
    if (--asker.left > 0)
        ask();
}

static void trips(const char *name, uint16_t type, const void *body)
{
    static double us[RUNS * TRIPS], rates[RUNS];

    asker.type = type;
    asker.body = body;
    asker.us = us;
    for (int run = 0; run < RUNS; run++) {
        uint64_t start = measure_now_ns();

        asker.left = TRIPS;
        ask();
        while (asker.left > 0)
            must(sd_event_run(asker.loop, UINT64_MAX), "loop");
        rates[run] = TRIPS * 1e9 / (double)(measure_now_ns() - start);
    }
    measure_print(name, rates, RUNS, "/s");
    measure_print_events("  each", us, (size_t)RUNS * TRIPS);
}

/* ---- encoding -------------------------------------------------------------------------------- */

static void code(uint16_t type, const void *body, unsigned nfds)
{
    static double encode[RUNS], decode[RUNS];
    static struct message out;
    uint8_t packet[MESSAGE_MAX];
    const int times = 20000;
    char name[80];
    int len = 0;

    for (int run = 0; run < RUNS; run++) {
        uint64_t start = measure_now_ns();

        for (int i = 0; i < times; i++)
            len = message_encode(type, body, nfds, packet, sizeof(packet));
        must(len, "encode");
        encode[run] = (double)(measure_now_ns() - start) / times;
        start = measure_now_ns();
        for (int i = 0; i < times; i++)
            must(message_decode(packet, (size_t)len, nfds, &out), "decode");
        decode[run] = (double)(measure_now_ns() - start) / times;
    }
    snprintf(name, sizeof(name), "encode %s, %d bytes", message_name(type), len);
    measure_print(name, encode, RUNS, "ns");
    snprintf(name, sizeof(name), "decode %s", message_name(type));
    measure_print(name, decode, RUNS, "ns");
}

int main(void)
{
    static const struct ipc_self self = {.role = IPC_COMMAND, .program = "bench", .instance = ""};
    static struct ipc_handlers handlers = {
        .open = on_open, .message = answered, .closed = on_closed};
    static const struct msg_health_query health = {.request = 1};
    static const struct msg_visits_query visits = {.request = 1};
    static const struct msg_answer_query answer = {.request = 1, .visit = 1};
    static const struct msg_match_frame frame = {
        .visit = 1, .format = 1, .width = 640, .height = 480, .bytes = 60000};
    static struct msg_visit_item item;
    static struct msg_card_identified identified;
    int ends[2], status;
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
        perror("socketpair");
        return 1;
    }
    pid = fork();
    if (pid == 0) {
        (void)close(ends[0]);
        serve(ends[1]);
    }
    (void)close(ends[1]);
    must(sd_event_new(&asker.loop), "loop");
    must(ipc_new(&asker.ipc, asker.loop, ends[0], &self, "D", &handlers, NULL), "connection");
    while (!ipc_is_open(asker.ipc))
        must(sd_event_run(asker.loop, UINT64_MAX), "loop");
    trips("round trips, small message", MSG_HEALTH_QUERY, &health);
    trips("round trips, VISIT_ITEM comes back", MSG_VISITS_QUERY, &visits);
    trips("round trips, a descriptor comes back", MSG_ANSWER_QUERY, &answer);
    ipc_free(&asker.ipc);
    (void)waitpid(pid, &status, 0);

    memset(item.name, 'n', 40);
    memset(item.kana, 'k', 40);
    identified.certificate.len = 1700; /* as user certificates are */
    identified.subject.len = 32;
    code(MSG_HEALTH_QUERY, &health, 0);
    code(MSG_MATCH_FRAME, &frame, 1);
    code(MSG_VISIT_ITEM, &item, 0);
    code(MSG_CARD_IDENTIFIED, &identified, 0);
    (void)sd_event_unref(asker.loop);
    return 0;
}
