/*
 * program_rig: one caged program of the house on its socket, with this test as its supervisor and as the
 * desk that talks to it.
 *
 * Programs are looked for in $UKETSUKE_BIN, else beside the test. Every helper fails the running test when
 * it cannot do its work.
 */
#ifndef TESTS_UNIT_PROGRAM_RIG_H
#define TESTS_UNIT_PROGRAM_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include <cmocka.h>

#include "daemon/common/clock.h"
#include "daemon/common/ipc.h"

#define PROGRAM_PATIENCE_MS 30000

struct program_options {
    const char *program; /* "uketsuke-ocr" */
    const char *socket;  /* what it is handed: "ocr"; its peer's role is `role` */
    enum ipc_role role;
    const char *config;             /* the text after [desk] with institution and directories */
    const char *const *environment; /* "NAME=value", NULL at the end; NULL: as the test's */
    void (*on_message)(void *arg, struct message *message);
    void *arg;
};

struct program_rig {
    struct program_options options;
    char directory[64];
    int listening;
    pid_t pid;
    sd_event *loop;
    struct clock *clock;
    struct ipc_client *client;
    bool open;
    unsigned losses; /* open connections that were lost */
};

/* Its files are made, nothing is started. program_rig_begin() starts it and connects. */
void program_rig_make(struct program_rig *rig, const struct program_options *options);
void program_rig_begin(struct program_rig *rig);
/* SIGTERM, upon which it must end with status 0. */
void program_rig_stop(struct program_rig *rig);

/* Until the connection is there (again). */
void program_rig_connect(struct program_rig *rig);
/* False when it is lost. */
bool program_rig_send(struct program_rig *rig, uint16_t type, const void *body, int fd);
/* One turn of the loop, not after this time. False when that is over. */
bool program_rig_turn(struct program_rig *rig, uint64_t deadline_us);
uint64_t program_rig_in(const struct program_rig *rig, unsigned ms);

/* It may be gone: by itself (counted), by a crash (said), or not at all. Afterwards it is there again. */
const char *program_rig_come_back(struct program_rig *rig, unsigned *ended);

/* Where it is, or what stands beside it. */
void program_path(const char *name, char *out, size_t size);

#endif
