#include "relay_show.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROGRAM "uketsuke-relay"
#define DEADLINE_MS 10000

/* What the exit status of --show says (daemon/relay/show.h). */
enum { SHOWN = 0, REFUSED = 1, TRUNCATED = 2 };

struct stream {
    int fd; /* -1: ended */
    char *data;
    size_t len;
    size_t size;
};

static int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Beside this program, wherever that was installed or built. */
static int program_path(char *out, size_t size)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n < 0)
        return -errno;
    self[n] = '\0';
    n = snprintf(out, size, "%s/" PROGRAM, dirname(self));
    return n > 0 && (size_t)n < size ? 0 : -ENAMETOOLONG;
}

static int spawn(pid_t *pid, int in, int out, int err)
{
    static char program[] = PROGRAM, option[] = "--show";
    char *const argv[] = {program, option, NULL};
    char path[4200];
    posix_spawn_file_actions_t actions;
    int r = program_path(path, sizeof(path));

    if (r < 0)
        return r;
    r = -posix_spawn_file_actions_init(&actions);
    if (r < 0)
        return r;
    r = -posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    if (r == 0)
        r = -posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    if (r == 0)
        r = -posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
    if (r == 0)
        r = -posix_spawn(pid, path, &actions, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    return r;
}

/* More than the stream has room for ends it: what is cut off is then found wrong by whoever reads
 * it. */
static void take(struct stream *stream)
{
    ssize_t n = read(stream->fd, stream->data + stream->len, stream->size - stream->len);

    if (n < 0 && errno == EINTR)
        return;
    if (n > 0)
        stream->len += (size_t)n;
    if (n <= 0 || stream->len == stream->size) {
        (void)close(stream->fd);
        stream->fd = -1;
    }
}

static int collect(struct stream streams[2], int64_t deadline)
{
    while (streams[0].fd >= 0 || streams[1].fd >= 0) {
        struct pollfd fds[2] = {{.fd = streams[0].fd, .events = POLLIN},
                                {.fd = streams[1].fd, .events = POLLIN}};
        int64_t left = deadline - now_ms();

        if (left <= 0)
            return -ETIMEDOUT;
        if (poll(fds, 2, (int)left) < 0 && errno != EINTR)
            return -errno;
        for (int i = 0; i < 2; i++)
            if (streams[i].fd >= 0 && fds[i].revents != 0)
                take(&streams[i]);
    }
    return 0;
}

/*
 * Its streams have ended, so it will too; one that closes them and lives on has until the deadline.
 * The exit status, or negative errno.
 */
static int reap(pid_t pid, int64_t deadline)
{
    const struct timespec moment = {.tv_nsec = 2000000};
    int status = 0;
    pid_t r;

    while ((r = waitpid(pid, &status, WNOHANG)) == 0 && now_ms() < deadline)
        (void)nanosleep(&moment, NULL);
    if (r == 0) {
        (void)kill(pid, SIGKILL);
        while ((r = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
            continue;
    }
    if (r < 0)
        return -errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

/* The last line: before it a library may have had its say. */
static void last_line(char *out, size_t size, const struct stream *stream)
{
    const char *end = stream->data + stream->len, *start;

    while (end > stream->data && end[-1] == '\n')
        end--;
    for (start = end; start > stream->data && start[-1] != '\n';)
        start--;
    (void)snprintf(out, size, "%.*s", (int)(end - start), start);
}

static int pipe_for(struct stream *stream, char *data, size_t size, int *write_end)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0)
        return -errno;
    *stream = (struct stream){.fd = fds[0], .data = data, .size = size};
    *write_end = fds[1];
    return 0;
}

int relay_show(struct xmlmsg **out, int fd, char *why, size_t why_size)
{
    static const size_t size = XMLMSG_BYTES_MAX + 1;
    struct stream streams[2] = {{.fd = -1}, {.fd = -1}};
    int ends[2] = {-1, -1};
    char words[1024];
    char *data = malloc(size);
    pid_t pid = -1;
    int r = data != NULL ? 0 : -ENOMEM;
    int64_t deadline = now_ms() + DEADLINE_MS;
    int status;

    *out = NULL;
    why[0] = '\0';
    if (r == 0)
        r = pipe_for(&streams[0], data, size, &ends[0]);
    if (r == 0)
        r = pipe_for(&streams[1], words, sizeof(words), &ends[1]);
    if (r == 0)
        r = spawn(&pid, fd, ends[0], ends[1]);
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            (void)close(ends[i]);
    if (r < 0)
        goto out;
    r = collect(streams, deadline);
    /* What has had its time, or says too much, is ended at once. */
    status = reap(pid, r < 0 || streams[0].len == size ? 0 : deadline);
    last_line(why, why_size, &streams[1]);
    if (r < 0)
        goto out;
    if (status == SHOWN)
        r = xmlmsg_unpack(out, (const uint8_t *)data, streams[0].len) == 0 ? 0 : -EPROTO;
    else
        r = status == REFUSED || status == TRUNCATED ? -EBADMSG : -ECHILD;
out:
    for (int i = 0; i < 2; i++)
        if (streams[i].fd >= 0)
            (void)close(streams[i].fd);
    if (data != NULL)
        explicit_bzero(data, streams[0].len);
    free(data);
    return r;
}
