/*
 * sim-launcher PLAN LOG_DIRECTORY CONTROL_SOCKET
 *
 * Stands in for systemd in `make run` and in tests: makes the sockets once, hands them over by LISTEN_FDS,
 * starts every program of the plan in its order, starts again what dies (after 100 ms, as a service with a fixed
 * RestartSec is; doubling to 5 s only while it does not even come up), ends all in reverse order on SIGTERM or SIGINT.
 * Output of a program goes to LOG_DIRECTORY/NAME.log. It ends only processes that it started itself, by their pids.
 *
 * The control socket (Unix stream) takes one line a connection and answers with one line:
 *   ready            "ok" once every program said so, "waiting NAME" before
 *   pids             "ok NAME=PID:STARTS ..."
 *   kill NAME SIGNAL "ok"  (a number)
 *   stop             "ok", then ends
 */
#include "plan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RESTART_FIRST_MS 100
#define RESTART_MOST_MS 5000
#define UP_MS 1000 /* one that says nothing when it is ready is up after that */

struct launcher {
    struct plan plan;
    const char *logs;
    char notify_path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    int notify_fd;
    int control_fd;
    int signal_fd;
    bool stopping;
};

static uint64_t now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static bool unix_address(struct sockaddr_un *address, const char *path)
{
    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof(address->sun_path)) {
        (void)fprintf(stderr, "%s: too long for a socket\n", path);
        return false;
    }
    (void)strcpy(address->sun_path, path);
    return true;
}

static int listen_unix(const char *path, int type)
{
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    if (fd < 0 || !unix_address(&address, path))
        return -1;
    (void)unlink(path);
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        chmod(path, 0600) != 0 || (type != SOCK_DGRAM && listen(fd, 64) != 0)) {
        (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
        (void)close(fd);
        return -1;
    }
    return fd;
}

static int listen_tcp(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[64];
    unsigned port;
    const int on = 1;
    int fd;

    if (sscanf(text, "%63[0-9.]:%u", host, &port) != 2 || port > 65535 ||
        inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        (void)fprintf(stderr, "%s: not ADDRESS:PORT\n", text);
        return -1;
    }
    address.sin_port = htons((uint16_t)port);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 128) != 0) {
        (void)fprintf(stderr, "%s: %s; is another desk running?\n", text, strerror(errno));
        (void)close(fd);
        return -1;
    }
    return fd;
}

static bool open_sockets(struct launcher *l)
{
    for (size_t i = 0; i < l->plan.nprograms; i++) {
        struct plan_program *p = &l->plan.programs[i];

        for (size_t s = 0; s < p->nsockets; s++) {
            p->sockets[s].fd = p->sockets[s].tcp
                                   ? listen_tcp(p->sockets[s].address)
                                   : listen_unix(p->sockets[s].address, SOCK_SEQPACKET);
            if (p->sockets[s].fd < 0)
                return false;
        }
    }
    return true;
}

/* In the child: descriptors 3... are the sockets in the order of the plan, nothing else stays open. */
static void become(const struct launcher *l, const struct plan_program *p)
{
    char path[1024], names[256] = "", number[24];
    int fds[PLAN_SOCKETS_MAX];
    int log;
    sigset_t none;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)snprintf(path, sizeof(path), "%s/%s.log", l->logs, p->name);
    log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log >= 0) {
        (void)dup2(log, STDOUT_FILENO);
        (void)dup2(log, STDERR_FILENO);
    }
    /* First out of the way, then into place: a socket may sit where another must go. */
    for (size_t i = 0; i < p->nsockets; i++)
        fds[i] = fcntl(p->sockets[i].fd, F_DUPFD, 64);
    for (size_t i = 0; i < p->nsockets; i++) {
        if (fds[i] < 0 || dup2(fds[i], 3 + (int)i) < 0)
            _exit(126);
        (void)strncat(names, p->sockets[i].name, sizeof(names) - strlen(names) - 2);
        if (i + 1 < p->nsockets)
            (void)strcat(names, ":");
    }
    (void)close_range(3 + (unsigned)p->nsockets, ~0u, 0);
    if (p->nsockets > 0) {
        (void)snprintf(number, sizeof(number), "%zu", p->nsockets);
        (void)setenv("LISTEN_FDS", number, 1);
        (void)snprintf(number, sizeof(number), "%d", (int)getpid());
        (void)setenv("LISTEN_PID", number, 1);
        (void)setenv("LISTEN_FDNAMES", names, 1);
    }
    (void)setenv("NOTIFY_SOCKET", l->notify_path, 1);
    for (size_t i = 0; i < p->nenv; i++)
        (void)putenv(p->env[i]);
    (void)execv(p->argv[0], p->argv);
    (void)fprintf(stderr, "%s: %s\n", p->argv[0], strerror(errno));
    _exit(127);
}

static void start(struct launcher *l, struct plan_program *p)
{
    pid_t pid;

    if (p->ready_by == READY_FILE) /* of a life that was ended by SIGKILL */
        (void)unlink(p->ready_path);
    pid = fork();
    if (pid == 0)
        become(l, p);
    p->start_again_ms = 0;
    p->started_ms = now_ms();
    if (pid < 0) {
        p->start_again_ms = p->started_ms + RESTART_MOST_MS;
        return;
    }
    p->pid = pid;
    p->starts++;
    p->ready = p->ready_by == READY_AT_ONCE;
}

static bool was_up(const struct plan_program *p)
{
    return p->ready && (p->ready_by != READY_AT_ONCE || now_ms() - p->started_ms > UP_MS);
}

static void reap(struct launcher *l)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < l->plan.nprograms; i++) {
            struct plan_program *p = &l->plan.programs[i];

            if (p->pid != pid)
                continue;
            if (was_up(p) || p->wait_ms == 0)
                p->wait_ms = RESTART_FIRST_MS;
            else
                p->wait_ms = p->wait_ms * 2 < RESTART_MOST_MS ? p->wait_ms * 2 : RESTART_MOST_MS;
            p->pid = 0;
            p->ready = false;
            if (l->stopping)
                break;
            p->start_again_ms = now_ms() + p->wait_ms;
            (void)fprintf(stderr, "launcher: %s ended (%s %d%s), starts again in %u ms\n", p->name,
                          WIFSIGNALED(status) ? "signal" : "status",
                          WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                          WIFSIGNALED(status) && WCOREDUMP(status) ? ", core dumped" : "",
                          p->wait_ms);
            break;
        }
    }
}

static void take_notice(struct launcher *l)
{
    char text[512];
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec iov = {text, sizeof(text) - 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.room,
                         .msg_controllen = sizeof(control.room)};
    ssize_t n = recvmsg(l->notify_fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
    struct ucred from;

    if (c == NULL || c->cmsg_type != SCM_CREDENTIALS)
        return;
    text[n] = '\0';
    memcpy(&from, CMSG_DATA(c), sizeof(from));
    for (size_t i = 0; i < l->plan.nprograms; i++)
        if (l->plan.programs[i].pid == from.pid && strstr(text, "READY=1") != NULL)
            l->plan.programs[i].ready = true;
}

static const struct plan_program *not_ready(struct launcher *l)
{
    for (size_t i = 0; i < l->plan.nprograms; i++) {
        struct plan_program *p = &l->plan.programs[i];

        if (p->pid != 0 && p->ready_by == READY_FILE && access(p->ready_path, F_OK) == 0)
            p->ready = true;
        if (!p->ready)
            return p;
    }
    return NULL;
}

static void answer(struct launcher *l, char *line, char *out, size_t size)
{
    char name[64];
    int signal_number;

    (void)snprintf(out, size, "error: no such command; see the head of the launcher's main.c\n");
    if (strcmp(line, "ready") == 0) {
        const struct plan_program *p = not_ready(l);

        (void)snprintf(out, size, p == NULL ? "ok\n" : "waiting %s\n", p == NULL ? "" : p->name);
    } else if (strcmp(line, "pids") == 0) {
        size_t used = (size_t)snprintf(out, size, "ok");

        for (size_t i = 0; i < l->plan.nprograms && used < size; i++)
            used += (size_t)snprintf(out + used, size - used, " %s=%d:%u", l->plan.programs[i].name,
                                     (int)l->plan.programs[i].pid, l->plan.programs[i].starts);
        (void)snprintf(out + (used < size - 2 ? used : size - 2), 2, "\n");
    } else if (strcmp(line, "stop") == 0) {
        l->stopping = true;
        (void)snprintf(out, size, "ok\n");
    } else if (sscanf(line, "kill %63s %d", name, &signal_number) == 2) {
        (void)snprintf(out, size, "error: no such program runs\n");
        for (size_t i = 0; i < l->plan.nprograms; i++)
            if (strcmp(l->plan.programs[i].name, name) == 0 && l->plan.programs[i].pid > 0 &&
                kill(l->plan.programs[i].pid, signal_number) == 0)
                (void)snprintf(out, size, "ok\n");
    }
}

static void serve_control(struct launcher *l)
{
    char line[256], out[4096];
    int fd = accept4(l->control_fd, NULL, NULL, SOCK_CLOEXEC);
    const struct timeval patience = {.tv_sec = 1};
    ssize_t n;

    if (fd < 0)
        return;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    n = read(fd, line, sizeof(line) - 1);
    if (n > 0) {
        line[n] = '\0';
        line[strcspn(line, "\n")] = '\0';
        answer(l, line, out, sizeof(out));
        (void)!write(fd, out, strlen(out));
    }
    (void)close(fd);
}

static int next_wait(const struct launcher *l)
{
    uint64_t now = now_ms(), nearest = now + 1000;

    for (size_t i = 0; i < l->plan.nprograms; i++) {
        uint64_t at = l->plan.programs[i].start_again_ms;

        if (at != 0 && at < nearest)
            nearest = at;
    }
    return nearest > now ? (int)(nearest - now) : 0;
}

static void loop(struct launcher *l)
{
    while (!l->stopping) {
        struct pollfd fds[] = {
            {l->signal_fd, POLLIN, 0}, {l->notify_fd, POLLIN, 0}, {l->control_fd, POLLIN, 0}};

        (void)poll(fds, 3, next_wait(l));
        if ((fds[0].revents & POLLIN) != 0) {
            struct signalfd_siginfo info;

            if (read(l->signal_fd, &info, sizeof(info)) == sizeof(info) &&
                info.ssi_signo != SIGCHLD)
                l->stopping = true;
        }
        /* What a program said before it died still counts for the pid it had: notices first. */
        if ((fds[1].revents & POLLIN) != 0)
            take_notice(l);
        reap(l);
        if ((fds[2].revents & POLLIN) != 0)
            serve_control(l);
        for (size_t i = 0; i < l->plan.nprograms && !l->stopping; i++) {
            struct plan_program *p = &l->plan.programs[i];

            if (p->start_again_ms != 0 && p->start_again_ms <= now_ms())
                start(l, p);
        }
    }
}

static void stop_all(struct launcher *l)
{
    for (size_t i = l->plan.nprograms; i-- > 0;) {
        struct plan_program *p = &l->plan.programs[i];
        uint64_t end = now_ms() + 3000;

        if (p->pid == 0)
            continue;
        (void)kill(p->pid, SIGTERM);
        while (p->pid != 0 && now_ms() < end) {
            (void)usleep(2000);
            reap(l);
        }
        if (p->pid != 0) {
            (void)fprintf(stderr, "launcher: %s does not end, killed\n", p->name);
            (void)kill(p->pid, SIGKILL);
            (void)waitpid(p->pid, NULL, 0);
        }
    }
}

int main(int argc, char **argv)
{
    static struct launcher l;
    const int on = 1;
    sigset_t signals;

    if (argc != 4) {
        (void)fprintf(stderr, "usage: sim-launcher PLAN LOG_DIRECTORY CONTROL_SOCKET\n");
        return 2;
    }
    l.logs = argv[2];
    if (!plan_read(&l.plan, argv[1]))
        return 1;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    if ((size_t)snprintf(l.notify_path, sizeof(l.notify_path), "%s.notify", argv[3]) >=
        sizeof(l.notify_path)) {
        (void)fprintf(stderr, "%s: too long for a socket\n", argv[3]);
        return 1;
    }
    l.signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    l.notify_fd = listen_unix(l.notify_path, SOCK_DGRAM);
    l.control_fd = listen_unix(argv[3], SOCK_STREAM);
    if (l.signal_fd < 0 || l.notify_fd < 0 || l.control_fd < 0 || !open_sockets(&l))
        return 1;
    (void)setsockopt(l.notify_fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
    for (size_t i = 0; i < l.plan.nprograms; i++)
        start(&l, &l.plan.programs[i]);
    loop(&l);
    stop_all(&l);
    (void)unlink(argv[3]);
    (void)unlink(l.notify_path);
    return 0;
}
