/*
 * one_thread: one call at a time beside the event loop, for what may hang in the kernel.
 *
 * The loop never waits: when a call has ended, its end is told on the loop; when it takes longer
 * than its limit, that is told too, and its end whenever it comes. A thread that still hangs when
 * the program ends is left behind.
 */
#ifndef UKETSUKE_RELAY_ONE_THREAD_H
#define UKETSUKE_RELAY_ONE_THREAD_H

#include "../common/clock.h"

#include <stdbool.h>

struct sd_event;
struct one_thread;

struct one_thread_setup {
    struct sd_event *loop;
    struct clock *clock;
    uint64_t limit_us;
    void (*run)(void *job);              /* on the thread */
    void (*ended)(void *arg, void *job); /* on the loop; the job is the caller's again */
    void (*hangs)(void *arg, void *job); /* on the loop, once for a call */
    void (*drop)(void *job);             /* a job that nobody waits for any more */
    void *arg;
};

/* Inside the cage: starts the thread. */
int one_thread_new(struct one_thread **out, const struct one_thread_setup *setup);
void one_thread_free(struct one_thread **thread);
/* Takes the job. False: the last one has not ended (the job stays the caller's). */
bool one_thread_call(struct one_thread *thread, void *job);
bool one_thread_busy(const struct one_thread *thread);

#endif
