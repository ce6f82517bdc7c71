/*
 * folder_worker: the folder protocol on a thread of its own, so that a mount that hangs holds up
 * nothing.
 *
 * Commands go in order; what they tell comes back on the event loop. Nothing here waits for the
 * thread, but the end of the program a moment: a thread that hangs in the kernel is left behind.
 */
#ifndef UKETSUKE_RELAY_FOLDER_WORKER_H
#define UKETSUKE_RELAY_FOLDER_WORKER_H

#include "../common/clock.h"
#include "folder.h"

struct sd_event;
struct folder_worker;

enum folder_command_kind {
    FOLDER_COMMAND_RECOVER,
    FOLDER_COMMAND_SEND,
    FOLDER_COMMAND_DONE,
    FOLDER_COMMAND_DROP,
    FOLDER_COMMAND_WITHDRAW,
    FOLDER_COMMAND_FACE_TAKEN,
    FOLDER_COMMAND_FACES_AGAIN,
    FOLDER_COMMAND_STEP,
};

struct folder_command {
    struct folder_slip slip; /* SEND, DONE, DROP, WITHDRAW */
    enum folder_command_kind kind;
    uint8_t hash[FOLDER_HASH]; /* FACE_TAKEN */
    char *xml;                 /* SEND: given away; wiped and freed */
    size_t len;
};

struct folder_worker_setup {
    struct folder_setup folder; /* its event and arg are set here */
    struct sd_event *loop;
    struct clock *clock;
    uint64_t limit_us; /* a command that takes longer: the folder hangs */
    /* On the loop. What an event gives away (tree, raw) is freed after the call unless it was taken
     * (set to NULL). */
    void (*event)(void *arg, struct folder_event *event);
    /* A command has ended; for STEP: when the next one is due at the latest. */
    void (*ended)(void *arg, enum folder_command_kind kind, uint64_t next_us);
    /* Commands make no progress any more (true), or again (false). */
    void (*hangs)(void *arg, bool hangs);
    void *arg;
};

/* Inside the cage: starts the thread. `setup` is copied, what it points to is borrowed. */
int folder_worker_new(struct folder_worker **out, const struct folder_worker_setup *setup);
/*
 * The thread is told to end and waited for a moment. False: it is in the midst of something and goes on, so what the
 * setup points to stays until the process ends.
 */
bool folder_worker_free(struct folder_worker **worker);

/* 0 or -ENOMEM (then `xml` is freed all the same). */
int folder_worker_post(struct folder_worker *worker, struct folder_command *command);
/* Takes back a SEND that the thread has not begun. False: it has, or it is not there. */
bool folder_worker_revoke(struct folder_worker *worker, const struct folder_slip *slip);
bool folder_worker_hangs(const struct folder_worker *worker);

#endif
