#include "pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <systemd/sd-event.h>
#include <unistd.h>

struct chain {
    struct job *first, **end;
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct chain waiting, finished;
    uint64_t wipes;
    unsigned loaded;
    int error;
    bool stop;
    /* of the loop alone */
    pthread_t threads[POOL_THREADS_MOST];
    unsigned nthreads;
    int bell;
    sd_event_source *source;
};

static void chain_put(struct chain *chain, struct job *job)
{
    job->next = NULL;
    *chain->end = job;
    chain->end = &job->next;
}

static struct job *chain_take(struct chain *chain)
{
    struct job *job = chain->first;

    if (job != NULL) {
        chain->first = job->next;
        if (chain->first == NULL)
            chain->end = &chain->first;
    }
    return job;
}

static void ring(const struct pool *pool)
{
    const uint64_t one = 1;

    if (write(pool->bell, &one, sizeof(one)) < 0) {
        /* The counter is full: it rings already. */
    }
}

static void work(struct pool *pool, struct engine *engine)
{
    uint64_t wiped = 0;
    bool used = false;

    while (!pool->stop) {
        struct job *job = chain_take(&pool->waiting);

        if (job == NULL && !(used && wiped != pool->wipes)) {
            pthread_cond_wait(&pool->changed, &pool->lock);
            continue;
        }
        wiped = job == NULL ? pool->wipes : wiped;
        used = job != NULL;
        pthread_mutex_unlock(&pool->lock);
        if (job != NULL)
            job->run(job, engine);
        else
            engine_wipe(engine);
        pthread_mutex_lock(&pool->lock);
        if (job != NULL) {
            chain_put(&pool->finished, job);
            ring(pool);
        }
    }
}

static void *thread_main(void *arg)
{
    struct pool *pool = arg;
    struct engine *engine;
    const int r = engine_new(&engine);

    pthread_mutex_lock(&pool->lock);
    pool->loaded++;
    if (r < 0)
        pool->error = r;
    pthread_cond_broadcast(&pool->changed);
    if (r == 0)
        work(pool, engine);
    pthread_mutex_unlock(&pool->lock);
    engine_free(&engine);
    return NULL;
}

static int on_bell(sd_event_source *source, int fd, uint32_t events, void *arg)
{
    struct pool *pool = arg;
    uint64_t n;

    (void)source;
    (void)events;
    if (read(fd, &n, sizeof(n)) != (ssize_t)sizeof(n))
        return 0;
    for (;;) {
        struct job *job;

        pthread_mutex_lock(&pool->lock);
        job = chain_take(&pool->finished);
        pthread_mutex_unlock(&pool->lock);
        if (job == NULL)
            return 0;
        job->done(job);
    }
}

int pool_new(struct pool **out, struct sd_event *loop, unsigned threads)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    sigset_t all, before;
    int r;

    *out = NULL;
    if (pool == NULL)
        return -ENOMEM;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->changed, NULL);
    pool->waiting.end = &pool->waiting.first;
    pool->finished.end = &pool->finished.first;
    pool->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = pool->bell < 0 ? -errno
                       : sd_event_add_io(loop, &pool->source, pool->bell, EPOLLIN, on_bell, pool);
    /* Signals belong to the loop. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (r == 0 && pool->nthreads < threads && pool->nthreads < POOL_THREADS_MOST) {
        r = -pthread_create(&pool->threads[pool->nthreads], NULL, thread_main, pool);
        pool->nthreads += r == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r >= 0) {
        pthread_mutex_lock(&pool->lock);
        while (pool->loaded < pool->nthreads)
            pthread_cond_wait(&pool->changed, &pool->lock);
        r = pool->error;
        pthread_mutex_unlock(&pool->lock);
    }
    if (r < 0)
        pool_free(&pool);
    *out = pool;
    return r;
}

void pool_free(struct pool **pool_ref)
{
    struct pool *pool = *pool_ref;
    struct job *job;

    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stop = true;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->nthreads; i++)
        pthread_join(pool->threads[i], NULL);
    while ((job = chain_take(&pool->finished)) != NULL ||
           (job = chain_take(&pool->waiting)) != NULL)
        job->done(job);
    sd_event_source_unref(pool->source);
    if (pool->bell >= 0)
        close(pool->bell);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
    *pool_ref = NULL;
}

void pool_submit(struct pool *pool, struct job *job)
{
    pthread_mutex_lock(&pool->lock);
    chain_put(&pool->waiting, job);
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
}

void pool_wipe(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->wipes++;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
}
