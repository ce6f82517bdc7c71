/*
 * pool: worker threads, each with an engine of its own. The loop hands over jobs and gets them back on its own
 * thread; it never runs inference. Jobs run in the order in which they come, and a visit has at most one in the
 * queue (session.h), so lanes take turns by themselves.
 */
#ifndef UKETSUKE_POOL_H
#define UKETSUKE_POOL_H

#include "engine.h"

struct sd_event;
struct pool;

/* Part of a larger struct; the pool keeps no copy. Between submit and `done` only `run` may touch it. */
struct job {
    void (*run)(struct job *job, struct engine *engine); /* on a worker */
    void (*done)(struct job *job);                       /* on the loop */
    struct job *next;
};

#define POOL_THREADS_MOST 16

/*
 * Start the threads and wait until each has loaded and tried its nets. `loop` NULL: no notices, for measuring
 * (use pool_drain()). 0, or negative errno with the refusal in `why` (MANIFEST_WHY bytes).
 */
int pool_new(struct pool **out, struct sd_event *loop, const struct manifest *manifest,
             unsigned threads, char *why);
/*
 * Waits for the jobs that run, then calls `done` of every job left, run or not: their owners must want no more by
 * then. Accepts and stores NULL.
 */
void pool_free(struct pool **pool);

void pool_submit(struct pool *pool, struct job *job);
/* Call `done` of all finished jobs (on the loop the notice does it). With `wait`: after at least one finished. */
void pool_drain(struct pool *pool, bool wait);

/* A visit is over: each worker that worked since wipes its engine as soon as it has nothing else to do. */
void pool_wipe_when_idle(struct pool *pool);

#endif
