#include "send.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_SIZE 4096
#define WAIT_SECONDS 30

static int send_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval wait = {.tv_sec = WAIT_SECONDS};
    int fd;

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        int saved = errno;

        close(fd);
        return -saved;
    }
    return fd;
}

static size_t send_read_line(int fd, char *line, size_t size)
{
    size_t used = 0;

    while (used + 1 < size) {
        ssize_t got = recv(fd, line + used, size - 1 - used, 0);

        if (got <= 0)
            break;
        used += (size_t)got;
        if (line[used - 1] == '\n')
            break;
    }
    line[used] = '\0';
    return used;
}

int send_command(const char *path, int count, char **words)
{
    char line[LINE_SIZE];
    size_t used = 0;
    int fd = send_connect(path);
    int result = 1;

    if (fd < 0) {
        fprintf(stderr, "sim-service: %s: %s\n", path, strerror(-fd));
        return 1;
    }
    for (int i = 0; i < count && used + 1 < sizeof(line); i++)
        used +=
            (size_t)snprintf(line + used, sizeof(line) - used, "%s%s", i > 0 ? " " : "", words[i]);
    if (used == 0 || used + 1 >= sizeof(line)) {
        fprintf(stderr, "sim-service: no command, or one too long\n");
        goto out;
    }
    line[used++] = '\n';
    if (send(fd, line, used, MSG_NOSIGNAL) != (ssize_t)used ||
        send_read_line(fd, line, sizeof(line)) == 0) {
        fprintf(stderr, "sim-service: no answer\n");
        goto out;
    }
    fputs(line, stdout);
    result = strncmp(line, "ok", 2) == 0 ? 0 : 1;
out:
    close(fd);
    return result;
}
