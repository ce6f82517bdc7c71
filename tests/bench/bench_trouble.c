/*
 * bench_trouble: what a live lane's neighbours may be asking, gone wrong as it does in a clinic, without root.
 *
 *   bench_trouble dns PROGRAM [ARGUMENT...]              the name server takes every question and answers none
 *   bench_trouble mount DIRECTORY PROGRAM [ARGUMENT...]  DIRECTORY is on a file system whose server never says a word
 *   bench_trouble silent PORT                            a host that takes connections and never says a word
 *   bench_trouble full PORT                              a host that drops them: nobody takes what waits there
 *
 * dns and mount become PROGRAM in namespaces of its own (user_namespaces(7) where we are not root), so nobody else sees
 * them. The mount is the kernel's own FUSE: who touches it waits in the kernel, as for a file server that has gone; only
 * the protocol behind it is another. Status 77: this machine does not allow it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOT_HERE 77

static _Noreturn void not_here(const char *what)
{
    fprintf(stderr, "bench_trouble: %s: %s\n", what, strerror(errno));
    exit(NOT_HERE);
}

static void write_line(const char *path, const char *line)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, line, strlen(line)) != (ssize_t)strlen(line))
        not_here(path);
    (void)close(fd);
}

/* Namespaces of our own; we stay who we are. */
static void enter(int namespaces)
{
    char users[64], groups[64];
    bool mapped = geteuid() != 0;

    snprintf(users, sizeof(users), "%u %u 1\n", geteuid(), geteuid());
    snprintf(groups, sizeof(groups), "%u %u 1\n", getegid(), getegid());
    if (unshare(namespaces | (mapped ? CLONE_NEWUSER : 0)) != 0) {
        /* Root within a container may have little to say. */
        if (mapped || unshare(namespaces | CLONE_NEWUSER) != 0)
            not_here("namespaces");
        mapped = true;
    }
    if (mapped) {
        write_line("/proc/self/setgroups", "deny");
        write_line("/proc/self/uid_map", users);
        write_line("/proc/self/gid_map", groups);
    }
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        not_here("/");
}

/* Whatever is open stays so for as long as the program runs that we are about to become. */
static void keep_open(void)
{
    pid_t program = getpid();
    pid_t pid = fork();

    if (pid < 0)
        not_here("fork");
    if (pid != 0)
        return;
    /* Looked for, not told: a program in its cage may send no signal, not even by its death. */
    while (getppid() == program)
        (void)sleep(1);
    _exit(0);
}

static _Noreturn void become(char **argv)
{
    execv(argv[0], argv);
    not_here(argv[0]);
}

static void hide_file(const char *path, const char *text)
{
    char name[] = "/tmp/uketsuke-trouble-XXXXXX";
    int fd = mkstemp(name);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fchmod(fd, 0644) != 0)
        not_here(name);
    (void)close(fd);
    /* Where there is none the libraries ask 127.0.0.1 by themselves. */
    if (mount(name, path, NULL, MS_BIND, NULL) != 0 && errno != ENOENT)
        not_here(path);
    (void)unlink(name);
}

static _Noreturn void hung_dns(char **argv)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct ifreq lo = {.ifr_flags = IFF_UP};
    int fd;

    enter(CLONE_NEWNET | CLONE_NEWNS);
    strcpy(lo.ifr_name, "lo");
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        not_here("a name server");
    hide_file("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:30 attempts:5\n");
    hide_file("/etc/nsswitch.conf", "hosts: dns\n");
    keep_open();
    become(argv);
}

static _Noreturn void hung_mount(const char *directory, char **argv)
{
    char options[100];
    int fd;

    enter(CLONE_NEWNS);
    fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        not_here("/dev/fuse");
    snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=%u,group_id=%u", fd, geteuid(),
             getegid());
    if (mount("silence", directory, "fuse", MS_NOSUID | MS_NODEV, options) != 0)
        not_here(directory);
    keep_open();
    become(argv);
}

static int listen_on(const char *port, struct sockaddr_in *address, int backlog)
{
    const int yes = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *address = (struct sockaddr_in){.sin_family = AF_INET,
                                    .sin_port = htons((uint16_t)atoi(port)),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
        bind(fd, (struct sockaddr *)address, sizeof(*address)) != 0 || listen(fd, backlog) != 0)
        not_here(port);
    return fd;
}

static _Noreturn void silent_host(const char *port)
{
    struct sockaddr_in address;
    int fd = listen_on(port, &address, 64);

    /* Held until the client gives up and beyond: a few each minute. */
    while (accept(fd, NULL, NULL) >= 0 || errno == EINTR || errno == ECONNABORTED)
        ;
    for (;;)
        (void)pause();
}

/* Once the place for connections that wait is taken the kernel drops what else arrives: a client's SYN is not answered. */
static _Noreturn void full_host(const char *port)
{
    struct sockaddr_in address;

    (void)listen_on(port, &address, 0);
    for (int i = 0; i < 4; i++) {
        int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        (void)connect(client, (struct sockaddr *)&address, sizeof(address));
    }
    for (;;)
        (void)pause();
}

int main(int argc, char **argv)
{
    const char *word = argc > 2 ? argv[1] : "";

    (void)signal(SIGPIPE, SIG_IGN);
    if (strcmp(word, "dns") == 0)
        hung_dns(argv + 2);
    if (strcmp(word, "mount") == 0 && argc > 3)
        hung_mount(argv[2], argv + 3);
    if (strcmp(word, "silent") == 0)
        silent_host(argv[2]);
    if (strcmp(word, "full") == 0)
        full_host(argv[2]);
    fprintf(stderr,
            "usage: bench_trouble dns PROGRAM... | mount DIRECTORY PROGRAM... | silent PORT | "
            "full PORT\n");
    return 2;
}
