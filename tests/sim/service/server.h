/*
 * HTTPS with mutual TLS on 127.0.0.1: libmicrohttpd with GnuTLS, one thread a connection.
 *
 * The port stays bound while the server is down, so connections are refused and nobody else can
 * take it.
 */
#ifndef SIM_SERVICE_SERVER_H
#define SIM_SERVICE_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "service.h"

struct server;

struct server_files {
    const char *certificate; /* PEM texts, borrowed for the life of the server */
    const char *key;
    const char *client_ca;
};

/* Binds 127.0.0.1:port (0: any) without listening yet. 0 or negative errno. */
int server_create(struct server **out, struct service *service, const struct server_files *files,
                  uint16_t port);
void server_free(struct server *server);

uint16_t server_port(const struct server *server);
bool server_is_up(const struct server *server);

/* 0 or negative errno. Starting twice is no error. */
int server_start(struct server *server);

/* Refuses new connections, cuts the open ones, waits for their threads. */
void server_stop(struct server *server);

#endif
