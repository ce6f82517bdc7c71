#include "guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

static void add(struct guard *guard, const char *name, unsigned port)
{
    (void)snprintf(guard->hosts[guard->nhosts], sizeof(guard->hosts[0]), "%s:%u", name, port);
    guard->nhosts++;
}

int guard_init(struct guard *guard, int listen_fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_storage room;
    } address = {.any = {.sa_family = AF_UNSPEC}};
    socklen_t len = sizeof(address);
    char text[INET_ADDRSTRLEN];
    unsigned port;

    memset(guard, 0, sizeof(*guard));
    if (getsockname(listen_fd, &address.any, &len) != 0)
        return -errno;
    if (address.any.sa_family == AF_INET) {
        if (ntohl(address.in.sin_addr.s_addr) >> 24 != 127)
            return -EADDRNOTAVAIL;
        port = ntohs(address.in.sin_port);
        (void)inet_ntop(AF_INET, &address.in.sin_addr, text, sizeof(text));
        add(guard, text, port);
        add(guard, "localhost", port);
        if (strcmp(text, "127.0.0.1") != 0)
            add(guard, "127.0.0.1", port);
        return 0;
    }
    if (address.any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&address.in6.sin6_addr)) {
        port = ntohs(address.in6.sin6_port);
        add(guard, "[::1]", port);
        add(guard, "localhost", port);
        return 0;
    }
    return -EADDRNOTAVAIL;
}

bool guard_host(const struct guard *guard, const char *host)
{
    for (size_t i = 0; host != NULL && i < guard->nhosts; i++)
        if (strcasecmp(host, guard->hosts[i]) == 0)
            return true;
    return false;
}

bool guard_origin(const struct guard *guard, const char *origin)
{
    static const char scheme[] = "http://";

    return origin != NULL && strncmp(origin, scheme, sizeof(scheme) - 1) == 0 &&
           guard_host(guard, origin + sizeof(scheme) - 1);
}

bool guard_fetch_site(const char *value)
{
    return value == NULL || strcmp(value, "same-origin") == 0 || strcmp(value, "none") == 0;
}
