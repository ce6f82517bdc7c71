/*
 * sim-reader: the composite device served by USB/IP, moved by a control socket. One process is
 * one lane. One epoll loop; nothing blocks but the loop's own wait.
 */
#include "control.h"
#include "device.h"
#include "usbip.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

enum { CLIENTS = 8, EVENTS = 16, ANSWER_MAX = 4096, LISTEN_FIRST = 3 };

/* What an epoll event belongs to: the high half of its data; the low half is an index. */
#define TAG_USBIP_LISTEN (1ull << 32)
#define TAG_CONTROL_LISTEN (2ull << 32)
#define TAG_USBIP (3ull << 32)
#define TAG_CLIENT (4ull << 32)
#define TAG_TIMER (5ull << 32)
#define TAG_SIGNAL (6ull << 32)
#define TAG_MASK (0xffffffffull << 32)

struct client {
    int fd;
    char line[CONTROL_LINE];
    size_t len;
};

struct program {
    struct sim sim;
    int epoll_fd, timer_fd, signal_fd;
    int listen_usbip[2], listen_control;
    const char *unlink_usbip, *unlink_control;
    struct client clients[CLIENTS];
};

struct options {
    const char *usbip, *control, *state, *camera, *card, *trace;
    uint64_t tcp_port;
    struct device_options device;
};

static const char usage[] =
    "usage: sim-reader --usbip PATH --control PATH --cards DIR --videos DIR [--usbip-tcp PORT]\n"
    "                  [--state DIR] [--serial S] [--seed N] [--pin-pad] [--second-slot]\n"
    "                  [--level extended|short|tpdu-t1|tpdu-t0|tpdu-bare]\n"
    "                  [--camera NAME] [--card NAME] [--trace FILE]\n"
    "Sockets named 'usbip' and 'control' may be handed over instead (LISTEN_FDS).\n";

static int watch(const struct program *p, int fd, uint64_t tag)
{
    struct epoll_event ev = {.events = EPOLLIN};

    ev.data.u64 = tag;
    return epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

static int listen_unix(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd, r;

    if (strlen(path) >= sizeof(addr.sun_path))
        return -ENAMETOOLONG;
    strcpy(addr.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    unlink(path);
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, CLIENTS) < 0) {
        r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

static int listen_loopback(uint16_t port)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd, r, one = 1;

    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, CLIENTS) < 0) {
        r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

/* Sockets handed over by the launcher, by the names in LISTEN_FDNAMES. */
static void take_handed_over(struct program *p)
{
    const char *count = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
    const char *names = getenv("LISTEN_FDNAMES");
    uint64_t n, i;
    size_t len;
    int fd;

    if (!count || !names || sim_util_parse_u64(count, 10, 16, &n) < 0)
        return;
    if (pid && strtol(pid, NULL, 10) != getpid())
        return;
    for (i = 0; i < n && *names; i++) {
        len = strcspn(names, ":");
        fd = LISTEN_FIRST + (int)i;
        if (len == 5 && strncmp(names, "usbip", 5) == 0)
            p->listen_usbip[0] = fd;
        else if (len == 7 && strncmp(names, "control", 7) == 0)
            p->listen_control = fd;
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        names += len + (names[len] == ':');
    }
}

static int open_sockets(struct program *p, const struct options *o)
{
    size_t i;
    int r = 0;

    take_handed_over(p);
    if (o->usbip && p->listen_usbip[0] < 0) {
        p->listen_usbip[0] = listen_unix(o->usbip);
        p->unlink_usbip = o->usbip;
    }
    if (o->control && p->listen_control < 0) {
        p->listen_control = listen_unix(o->control);
        p->unlink_control = o->control;
    }
    if (o->tcp_port)
        p->listen_usbip[1] = listen_loopback((uint16_t)o->tcp_port);
    for (i = 0; i < 2 && r == 0; i++)
        if (p->listen_usbip[i] >= 0)
            r = watch(p, p->listen_usbip[i], TAG_USBIP_LISTEN | i);
    if (r == 0 && p->listen_control >= 0)
        r = watch(p, p->listen_control, TAG_CONTROL_LISTEN);
    if (r == 0 && ((p->listen_usbip[0] < 0 && p->listen_usbip[1] < 0) || p->listen_control < 0))
        r = -EADDRNOTAVAIL;
    return r;
}

static int open_events(struct program *p)
{
    sigset_t set;
    int r;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    p->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    p->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (p->epoll_fd < 0 || p->timer_fd < 0 || p->signal_fd < 0)
        return -errno;
    r = watch(p, p->timer_fd, TAG_TIMER);
    return r < 0 ? r : watch(p, p->signal_fd, TAG_SIGNAL);
}

static void close_client(struct program *p, struct client *c)
{
    epoll_ctl(p->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    close(c->fd);
    c->fd = -1;
    c->len = 0;
}

static void accept_client(struct program *p)
{
    int fd = accept4(p->listen_control, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    size_t i;

    if (fd < 0)
        return;
    for (i = 0; i < CLIENTS && p->clients[i].fd >= 0; i++)
        ;
    if (i == CLIENTS || watch(p, fd, TAG_CLIENT | i) < 0) {
        close(fd);
        return;
    }
    p->clients[i].fd = fd;
    p->clients[i].len = 0;
}

/* Answers are short; a client that does not read them is dropped rather than waited for. */
static bool run_line(struct program *p, struct client *c, char *line)
{
    char answer[ANSWER_MAX] = "";
    ssize_t len;

    sim_control_execute(&p->sim, line, answer, sizeof(answer));
    len = (ssize_t)strlen(answer);
    return send(c->fd, answer, (size_t)len, MSG_NOSIGNAL) == len;
}

static void read_client(struct program *p, struct client *c)
{
    ssize_t n = recv(c->fd, c->line + c->len, sizeof(c->line) - c->len, 0);
    char *end;
    size_t used;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        close_client(p, c);
        return;
    }
    c->len += (size_t)n;
    while ((end = memchr(c->line, '\n', c->len)) != NULL) {
        *end = 0;
        if (!run_line(p, c, c->line)) {
            close_client(p, c);
            return;
        }
        used = (size_t)(end - c->line) + 1;
        memmove(c->line, c->line + used, c->len - used);
        c->len -= used;
    }
    if (c->len == sizeof(c->line))
        close_client(p, c); /* no command is that long */
}

static void arm_timer(const struct program *p, uint64_t now_us)
{
    uint64_t at = sim_usbip_next_us(p->sim.usbip, now_us);
    struct itimerspec spec = {0};

    if (at != UINT64_MAX) {
        spec.it_value.tv_sec = (time_t)(at / 1000000);
        spec.it_value.tv_nsec = (long)(at % 1000000) * 1000;
        if (at == 0)
            spec.it_value.tv_nsec = 1;
    }
    timerfd_settime(p->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

static void handle(struct program *p, const struct epoll_event *ev)
{
    uint64_t index = ev->data.u64 & ~TAG_MASK, drained;

    switch (ev->data.u64 & TAG_MASK) {
    case TAG_USBIP_LISTEN:
        sim_usbip_accept(p->sim.usbip, p->listen_usbip[index]);
        break;
    case TAG_CONTROL_LISTEN:
        accept_client(p);
        break;
    case TAG_USBIP:
        sim_usbip_ready(p->sim.usbip, index, ev->events, sim_util_now_us());
        break;
    case TAG_CLIENT:
        if (p->clients[index].fd >= 0)
            read_client(p, &p->clients[index]);
        break;
    case TAG_TIMER:
        if (read(p->timer_fd, &drained, sizeof(drained)) < 0)
            return;
        break;
    case TAG_SIGNAL:
        p->sim.quit = true;
        break;
    default:
        break;
    }
}

static int run(struct program *p)
{
    struct epoll_event events[EVENTS];
    uint64_t now_us;
    int n, i;

    while (!p->sim.quit) {
        n = epoll_wait(p->epoll_fd, events, EVENTS, -1);
        if (n < 0 && errno != EINTR)
            return -errno;
        for (i = 0; i < n; i++)
            handle(p, &events[i]);
        now_us = sim_util_now_us();
        sim_usbip_serve(p->sim.usbip, now_us);
        if (sim_control_take_torn(&p->sim))
            sim_usbip_serve(p->sim.usbip, now_us);
        arm_timer(p, now_us);
    }
    return 0;
}

static bool parse_options(struct program *p, struct options *o, int argc, char **argv)
{
    static const struct option longs[] = {
        {"usbip", required_argument, NULL, 'u'},
        {"control", required_argument, NULL, 'c'},
        {"cards", required_argument, NULL, 'd'},
        {"videos", required_argument, NULL, 'v'},
        {"usbip-tcp", required_argument, NULL, 't'},
        {"state", required_argument, NULL, 's'},
        {"serial", required_argument, NULL, 'n'},
        {"level", required_argument, NULL, 'l'},
        {"seed", required_argument, NULL, 'r'},
        {"camera", required_argument, NULL, 'm'},
        {"card", required_argument, NULL, 'i'},
        {"pin-pad", no_argument, NULL, 'p'},
        {"second-slot", no_argument, NULL, '2'},
        {"trace", required_argument, NULL, 'a'},
        {0},
    };
    int c;

    o->device = (struct device_options){.serial = "SIM0001", .level = "extended", .seed = 1};
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'u':
            o->usbip = optarg;
            break;
        case 'c':
            o->control = optarg;
            break;
        case 'd':
            p->sim.cards_dir = optarg;
            break;
        case 'v':
            p->sim.videos_dir = optarg;
            break;
        case 's':
            o->state = optarg;
            break;
        case 'n':
            o->device.serial = optarg;
            break;
        case 'l':
            o->device.level = optarg;
            break;
        case 'm':
            o->camera = optarg;
            break;
        case 'i':
            o->card = optarg;
            break;
        case 'a':
            o->trace = optarg;
            break;
        case 'p':
            o->device.pin_pad = true;
            break;
        case '2':
            o->device.second_slot = true;
            break;
        case 't':
            if (sim_util_parse_u64(optarg, 10, 65535, &o->tcp_port) < 0)
                return false;
            break;
        case 'r':
            if (sim_util_parse_u64(optarg, 10, UINT64_MAX, &o->device.seed) < 0)
                return false;
            break;
        default:
            return false;
        }
    }
    p->sim.state_dir = o->state ? o->state : p->sim.cards_dir;
    p->sim.seed = o->device.seed;
    return optind == argc && p->sim.cards_dir && p->sim.videos_dir;
}

/* --trace, --camera and --card are the same as the first control commands. */
static int first_command(struct program *p, const char *verb, const char *name)
{
    char line[CONTROL_LINE], answer[ANSWER_MAX] = "";

    if (!name)
        return 0;
    snprintf(line, sizeof(line), "%s %s", verb, name);
    sim_control_execute(&p->sim, line, answer, sizeof(answer));
    if (strncmp(answer, "ok", 2) == 0)
        return 0;
    fprintf(stderr, "sim-reader: %s", answer);
    return -EINVAL;
}

static void finish(struct program *p)
{
    size_t i;

    for (i = 0; i < CLIENTS; i++)
        if (p->clients[i].fd >= 0)
            close_client(p, &p->clients[i]);
    sim_usbip_free(&p->sim.usbip);
    if (p->sim.device)
        sim_control_finish(&p->sim);
    sim_device_free(&p->sim.device);
    if (p->unlink_usbip)
        unlink(p->unlink_usbip);
    if (p->unlink_control)
        unlink(p->unlink_control);
}

int main(int argc, char **argv)
{
    static struct program program; /* the one place with state: large, so not on the stack */
    struct program *p = &program;
    struct options o = {0};
    size_t i;
    int r;

    p->listen_usbip[0] = p->listen_usbip[1] = p->listen_control = -1;
    for (i = 0; i < CLIENTS; i++)
        p->clients[i].fd = -1;
    snprintf(p->sim.camera, sizeof(p->sim.camera), "off");
    if (!parse_options(p, &o, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    mkdir(p->sim.state_dir, 0755); /* an existing one is right; else writing there will say */
    r = sim_device_new(&p->sim.device, &o.device);
    if (r == 0)
        r = open_events(p);
    if (r == 0)
        r = sim_usbip_new(&p->sim.usbip, p->sim.device, p->epoll_fd, TAG_USBIP);
    if (r == 0)
        r = first_command(p, "trace on", o.trace);
    if (r == 0)
        r = first_command(p, "camera", o.camera);
    if (r == 0)
        r = first_command(p, "insert", o.card);
    if (r == 0)
        r = open_sockets(p, &o);
    if (r == 0)
        r = run(p);
    if (r < 0)
        fprintf(stderr, "sim-reader: %s\n", strerror(-r));
    finish(p);
    return r < 0;
}
