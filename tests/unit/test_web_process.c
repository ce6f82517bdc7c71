/* The program itself: it serves on loopback only, and what a proxy may say of a request opens nothing. */
#include "web_rig.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

struct program {
    char folder[64], config[100];
    pid_t pid;
    int said; /* its standard error */
    unsigned port;
};

static int listen_on(int family, const char *address, unsigned *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr *at = family == AF_INET ? (struct sockaddr *)&in : (struct sockaddr *)&in6;
    socklen_t len = family == AF_INET ? sizeof(in) : sizeof(in6);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1; /* a host without IPv6 */
    assert_int_equal(inet_pton(family, address,
                               family == AF_INET ? (void *)&in.sin_addr : (void *)&in6.sin6_addr),
                     1);
    if (bind(fd, at, len) != 0 || listen(fd, 8) != 0) {
        close(fd);
        return -1;
    }
    assert_int_equal(getsockname(fd, at, &len), 0);
    *port = ntohs(family == AF_INET ? in.sin_port : in6.sin6_port);
    return fd;
}

/* Hand the listening socket over as systemd does (sd_listen_fds(3)). */
static void start(struct program *p, int fd)
{
    const char *bin = getenv("UKETSUKE_BIN"), *source = getenv("UKETSUKE_SOURCE");
    char program[512], pid[16], token[80], pages[4096];
    FILE *file;
    int out[2];

    (void)snprintf(p->folder, sizeof(p->folder), "/tmp/uketsuke-web-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    rig_write(p->folder, "token", STAFF_TOKEN);
    (void)snprintf(p->config, sizeof(p->config), "%s/conf", p->folder);
    (void)snprintf(token, sizeof(token), "%s/token", p->folder);
    assert_non_null(realpath(source != NULL ? source : ".", pages));
    file = fopen(p->config, "we");
    assert_non_null(file);
    (void)fprintf(file,
                  "[desk]\ninstitution = 9910000017\nrun-directory = %s\n[web]\npages = "
                  "%s/daemon/web/pages\nstaff-token-file = %s\n[lane 1]\n[upstream main]\n",
                  p->folder, pages, token);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(pipe(out), 0);
    (void)snprintf(program, sizeof(program), "%s/uketsuke-web",
                   bin != NULL ? bin : "build/release/bin");
    p->said = out[0];
    p->pid = fork();
    assert_true(p->pid >= 0);
    if (p->pid == 0) {
        (void)dup2(out[1], STDERR_FILENO);
        if (fd == 3)
            (void)fcntl(fd, F_SETFD, 0);
        else
            (void)dup2(fd, 3);
        (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
        (void)setenv("LISTEN_PID", pid, 1);
        (void)setenv("LISTEN_FDS", "1", 1);
        (void)setenv("LISTEN_FDNAMES", "web", 1);
        /* The leak checker needs ptrace, which the cage refuses. */
        (void)setenv("ASAN_OPTIONS", "detect_leaks=0:abort_on_error=1", 1);
        (void)execl(program, program, "--config", p->config, (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    close(fd);
}

/* What it says until it ends, at most ten seconds; its exit status, -1 when it still runs. */
static int wait_end(struct program *p, char *text, size_t size)
{
    struct pollfd poll_fd = {.fd = p->said, .events = POLLIN};
    size_t used = 0;
    ssize_t n;
    int status;

    while (used < size - 1 && poll(&poll_fd, 1, 10000) > 0 &&
           (n = read(p->said, text + used, size - 1 - used)) > 0)
        used += (size_t)n;
    text[used] = '\0';
    for (unsigned i = 0; i < 1000; i++) {
        if (waitpid(p->pid, &status, WNOHANG) == p->pid) {
            p->pid = 0;
            return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
        }
        (void)usleep(10000);
    }
    return -1;
}

static void finish(struct program *p)
{
    static const char *const names[] = {"token", "conf"};
    char path[160];

    if (p->pid > 0) {
        (void)kill(p->pid, SIGTERM);
        (void)waitpid(p->pid, NULL, 0);
    }
    close(p->said);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", p->folder, names[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(p->folder), 0);
}

static void a_socket_that_others_reach_is_refused(void **state)
{
    static const struct {
        int family;
        const char *address;
    } wide[] = {{AF_INET, "0.0.0.0"}, {AF_INET6, "::"}};

    (void)state;
    for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
        struct program p = {.pid = 0};
        char text[4096];
        int fd = listen_on(wide[i].family, wide[i].address, &p.port);

        if (fd < 0) {
            assert_int_not_equal(wide[i].family, AF_INET);
            continue;
        }
        start(&p, fd);
        assert_int_equal(wait_end(&p, text, sizeof(text)), 1);
        assert_non_null(strstr(text, "cannot serve the pages (loopback addresses only)"));
        finish(&p);
    }
}

/* The status of one GET with these header lines, 0 without an answer. */
static int status_of(const struct program *p, const char *path, const char *head)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)p->port)};
    const struct timeval patience = {.tv_sec = 20};
    char text[1024] = "";
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), status = 0;

    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    (void)snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nConnection: close\r\n%s\r\n", path,
                   head);
    assert_true(send(fd, text, strlen(text), MSG_NOSIGNAL) > 0);
    memset(text, 0, sizeof(text));
    (void)recv(fd, text, sizeof(text) - 1, 0);
    close(fd);
    if (strncmp(text, "HTTP/1.1 ", 9) == 0)
        status = atoi(text + 9);
    return status;
}

/* A proxy in front is believed nothing: only what a browser on this machine would say is answered. */
static void a_request_under_another_name_is_refused_whatever_a_proxy_says(void **state)
{
    static const char *const proxied[] = {"", "X-Forwarded-Proto: https\r\n",
                                          "X-Forwarded-Host: 127.0.0.1\r\n",
                                          "Forwarded: for=192.168.10.7;proto=https\r\n"};
    struct program p = {.pid = 0};
    char head[300], own[100];
    int fd = listen_on(AF_INET, "127.0.0.1", &p.port);

    (void)state;
    assert_true(fd >= 0);
    start(&p, fd);
    (void)snprintf(own, sizeof(own), "Host: 127.0.0.1:%u\r\n", p.port);
    assert_int_equal(status_of(&p, "/board", own), 200);
    for (size_t i = 0; i < sizeof(proxied) / sizeof(proxied[0]); i++) {
        (void)snprintf(head, sizeof(head), "Host: uketsuke.clinic.example\r\n%s", proxied[i]);
        assert_int_equal(status_of(&p, "/board", head), 421);
        (void)snprintf(head, sizeof(head), "Host: 192.168.10.5:%u\r\n%s", p.port, proxied[i]);
        assert_int_equal(status_of(&p, "/board", head), 421);
        /* and a page of the house's name is another page */
        (void)snprintf(head, sizeof(head), "%sOrigin: https://uketsuke.clinic.example\r\n%s", own,
                       proxied[i]);
        assert_int_equal(status_of(&p, "/api/health", head), 403);
    }
    (void)snprintf(head, sizeof(head), "%sOrigin: http://127.0.0.1:%u\r\n", own, p.port);
    assert_int_equal(status_of(&p, "/api/failures", head), 200);
    finish(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_socket_that_others_reach_is_refused),
        cmocka_unit_test(a_request_under_another_name_is_refused_whatever_a_proxy_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
