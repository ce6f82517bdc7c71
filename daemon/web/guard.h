/*
 * guard: is this request meant for us, and does it come from our own pages? (DNS rebinding, cross-site requests)
 *
 * Host must name a loopback address with our port, or the address of the configuration; Origin, when it stands
 * there, must be one of the same; Sec-Fetch-Site, when it stands there, must not say cross-site.
 */
#ifndef UKETSUKE_WEB_GUARD_H
#define UKETSUKE_WEB_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#define GUARD_HOSTS_MAX 4

struct guard {
    char hosts[GUARD_HOSTS_MAX][96]; /* "127.0.0.1:8620" */
    size_t nhosts;
};

/*
 * From the listening socket itself. -EADDRNOTAVAIL when it is not on loopback: on a LAN the pages stand behind
 * a TLS reverse proxy only.
 */
int guard_init(struct guard *guard, int listen_fd);
bool guard_host(const struct guard *guard, const char *host);
bool guard_origin(const struct guard *guard, const char *origin);
/* `value` of Sec-Fetch-Site: NULL is fine. */
bool guard_fetch_site(const char *value);

#endif
