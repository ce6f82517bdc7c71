#include "guest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* A simulator that was killed a moment ago is being started again: its socket is not there, or is its dead
 * predecessor's. */
static bool connect_patiently(int fd, const struct sockaddr_un *address)
{
    const uint64_t end = guest_now_ms() + 20000;

    while (connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0) {
        if ((errno != ECONNREFUSED && errno != ENOENT) || guest_now_ms() >= end)
            return false;
        guest_sleep_ms(20);
    }
    return true;
}

bool line_ask(const char *socket_path, const char *line, char *answer, size_t size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval patience = {.tv_sec = 60}; /* a busy machine */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t used = 0;
    bool good = false;

    answer[0] = '\0';
    if (fd < 0 || strlen(socket_path) >= sizeof(address.sun_path))
        goto done;
    (void)strcpy(address.sun_path, socket_path);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (!connect_patiently(fd, &address) || dprintf(fd, "%s\n", line) < 0)
        goto done;
    while (used < size - 1 && memchr(answer, '\n', used) == NULL) {
        ssize_t n = read(fd, answer + used, size - 1 - used);

        if (n <= 0)
            break;
        used += (size_t)n;
    }
    answer[used] = '\0';
    answer[strcspn(answer, "\n")] = '\0';
    good = strncmp(answer, "ok", 2) == 0;
done:
    if (fd >= 0)
        (void)close(fd);
    return good;
}
