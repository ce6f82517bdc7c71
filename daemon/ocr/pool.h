/*
 * pool: threads with an engine each; the loop never reads a picture itself. Jobs run in the order
 * in which they come. A visit has one at a time (session.h), so lanes take turns.
 */
#ifndef UKETSUKE_OCR_POOL_H
#define UKETSUKE_OCR_POOL_H

#include "engine.h"

struct sd_event;
struct pool;

/* Part of a larger struct. Between pool_submit() and `done` only `run` may touch it. */
struct job {
    void (*run)(struct job *job, struct engine *engine); /* on a thread of the pool */
    void (*done)(struct job *job);                       /* on the loop */
    struct job *next;
};

#define POOL_THREADS_MOST 8

/* Returns when every engine is loaded. -ENOENT: a language of Tesseract is missing; -ENOMEM,
 * -EAGAIN. */
int pool_new(struct pool **out, struct sd_event *loop, unsigned threads);
/* Waits for what runs, then calls `done` of all that is left, run or not. Accepts and stores NULL.
 */
void pool_free(struct pool **pool);
void pool_submit(struct pool *pool, struct job *job);
/* A visit is over: every engine that worked is wiped as soon as it is idle. */
void pool_wipe(struct pool *pool);

#endif
