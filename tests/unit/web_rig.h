/*
 * A whole uketsuke-web in one process under a simulated clock: a real loopback socket with a hand-made HTTP client on
 * one side, a desk on the other that is driven packet by packet. 
 */
#ifndef UKETSUKE_TESTS_WEB_RIG_H
#define UKETSUKE_TESTS_WEB_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clock.h"
#include "daemon/web/desk_link.h"
#include "daemon/web/events.h"
#include "daemon/web/pages.h"
#include "daemon/web/server.h"
#include "daemon/web/session.h"
#include "daemon/web/web.h"
#include "ipc.h"
#include "log.h"
#include "memfd.h"
#include "message.h"
#include "visit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#define LANE1_TOKEN "lane-one-token-0123456789"
#define LANE2_TOKEN "lane-two-token-0123456789"
#define STAFF_TOKEN "staff-token-0123456789abcdef"

struct rig {
    char directory[64];
    sd_event *loop;
    struct clock *clock;
    struct session *session;
    struct web web;
    unsigned port;
    int desk_listen;
    int desk;            /* the connection, -1 */
    struct message last; /* the newest message that the desk got */
    unsigned got;
    /* Called for each message of the web to the desk; may answer. */
    void (*on_desk)(struct rig *rig, const struct message *message);
    uint32_t subscription;
    bool lossy; /* the web may hang up on the desk at any time: it is waited for anew */
};

struct reply {
    int status; /* 0: closed without a reply */
    char text[1 << 16];
    size_t len;
    const char *body;
    bool closed;
};

#define BEARER(token) "Authorization: Bearer " token "\r\n"
#define JSON_OF(surface) "Content-Type: application/json\r\nX-Uketsuke: " surface "\r\n"

/* The desk's side: one packet, with a descriptor or -1. */
void rig_send(struct rig *rig, uint16_t type, const void *body, int fd);
void rig_send_memfd(struct rig *rig, uint16_t type, const void *body, const void *data, size_t len);
/* Take what the web sends to the desk. */
void rig_desk_poll(struct rig *rig);
/* Let everybody do what can be done now. */
void rig_pump(struct rig *rig);
void rig_lane(struct rig *rig, const struct msg_lane_state *lane);
/* Who looks is written down: true when it was that question. */
bool rig_view(struct rig *rig, const struct message *message);
/* What a desk does by itself: two lanes, no visits. */
void rig_desk_plain(struct rig *rig, const struct message *message);
void rig_write(const char *directory, const char *name, const char *text);
int rig_listen(unsigned *port);
int rig_setup_with(void **state, const char *staff_token);
int rig_setup(void **state);
int rig_teardown(void **state);
void rig_advance(struct rig *rig, uint64_t us);

/* The client. client_read(): whatever is there now. client(): one request and its reply, good until the next. */
int client_open(struct rig *rig);
void client_send(struct rig *rig, int fd, const char *text, size_t len);
void client_read(struct rig *rig, int fd, struct reply *reply);
int client_begin(struct rig *rig, const char *method, const char *path, const char *head,
                 const char *body);
struct reply *client(struct rig *rig, const char *method, const char *path, const char *head,
                     const char *body);
struct reply *get(struct rig *rig, const char *path, const char *head);
struct reply *post(struct rig *rig, const char *path, const char *head, const char *body);
/* "Origin: http://127.0.0.1:PORT" as a header line. */
const char *origin_line(const struct rig *rig);

#endif
