#include "pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <systemd/sd-event.h>
#include <unistd.h>

struct worker {
    struct pool *pool;
    pthread_t thread;
    bool started;
};

struct list {
    struct job *first, *last;
};

struct pool {
    pthread_mutex_t lock; /* guards everything below up to the blank line */
    pthread_cond_t work;  /* something to do for a worker */
    pthread_cond_t news;  /* something for the owner: a job finished, a worker is ready */
    struct list queue, finished;
    bool stop;
    uint64_t wipe_wanted; /* counts up with each wish */
    unsigned ready;
    int error;
    char *why;

    const struct manifest *manifest;
    struct worker workers[POOL_THREADS_MOST];
    unsigned threads;
    int notice; /* eventfd */
    sd_event_source *source;
};

static void list_add(struct list *list, struct job *job)
{
    job->next = NULL;
    if (list->last != NULL)
        list->last->next = job;
    else
        list->first = job;
    list->last = job;
}

static struct job *list_take(struct list *list)
{
    struct job *job = list->first;

    if (job != NULL) {
        list->first = job->next;
        if (list->first == NULL)
            list->last = NULL;
    }
    return job;
}

static void notify(struct pool *pool)
{
    const uint64_t one = 1;

    pthread_cond_broadcast(&pool->news);
    if (pool->notice >= 0 && write(pool->notice, &one, sizeof(one)) < 0) {
        /* The counter is full: a notice is pending already. */
    }
}

/* With the lock held on entry and exit. */
static void work(struct pool *pool, struct engine *engine)
{
    uint64_t wiped = 0;
    bool used = false;

    while (!pool->stop) {
        struct job *job = list_take(&pool->queue);

        if (job != NULL) {
            pthread_mutex_unlock(&pool->lock);
            job->run(job, engine);
            pthread_mutex_lock(&pool->lock);
            list_add(&pool->finished, job);
            used = true;
            notify(pool);
        } else if (used && wiped != pool->wipe_wanted) {
            wiped = pool->wipe_wanted;
            used = false;
            pthread_mutex_unlock(&pool->lock);
            engine_wipe(engine);
            pthread_mutex_lock(&pool->lock);
        } else {
            pthread_cond_wait(&pool->work, &pool->lock);
        }
    }
}

static void *worker_main(void *arg)
{
    struct pool *pool = ((struct worker *)arg)->pool;
    struct engine *engine = NULL;
    char why[MANIFEST_WHY] = "";
    int r;

    r = engine_new(&engine, pool->manifest, why);
    pthread_mutex_lock(&pool->lock);
    pool->ready++;
    if (r < 0 && pool->error == 0) {
        pool->error = r;
        memcpy(pool->why, why, sizeof(why));
    }
    pthread_cond_broadcast(&pool->news);
    if (r == 0)
        work(pool, engine);
    pthread_mutex_unlock(&pool->lock);
    engine_free(&engine);
    return NULL;
}

static int on_notice(sd_event_source *source, int fd, uint32_t events, void *arg)
{
    uint64_t n;

    (void)source;
    (void)events;
    if (read(fd, &n, sizeof(n)) == (ssize_t)sizeof(n))
        pool_drain(arg, false);
    return 0;
}

static int start_threads(struct pool *pool)
{
    sigset_t all, before;
    int r = 0;

    /* Signals belong to the loop. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (unsigned i = 0; i < pool->threads && r == 0; i++) {
        pool->workers[i].pool = pool;
        r = -pthread_create(&pool->workers[i].thread, NULL, worker_main, &pool->workers[i]);
        pool->workers[i].started = r == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

int pool_new(struct pool **out, struct sd_event *loop, const struct manifest *manifest,
             unsigned threads, char *why)
{
    struct pool *pool;
    int r;

    *out = NULL;
    why[0] = '\0';
    if (threads < 1 || threads > POOL_THREADS_MOST)
        return -EINVAL;
    pool = calloc(1, sizeof(*pool));
    if (pool == NULL)
        return -ENOMEM;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->news, NULL);
    pool->manifest = manifest;
    pool->threads = threads;
    pool->why = why;
    pool->notice = -1;
    if (loop != NULL) {
        pool->notice = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = pool->notice < 0
                ? -errno
                : sd_event_add_io(loop, &pool->source, pool->notice, EPOLLIN, on_notice, pool);
        if (r < 0)
            goto fail;
    }
    r = start_threads(pool);
    if (r < 0)
        goto fail;
    pthread_mutex_lock(&pool->lock);
    while (pool->ready < threads)
        pthread_cond_wait(&pool->news, &pool->lock);
    r = pool->error;
    pthread_mutex_unlock(&pool->lock);
    if (r < 0)
        goto fail;
    pool->why = NULL;
    *out = pool;
    return 0;
fail:
    pool_free(&pool);
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
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->threads; i++)
        if (pool->workers[i].started)
            pthread_join(pool->workers[i].thread, NULL);
    /* Jobs that came back or never ran go to their owners, who have ended by now and only clear up. */
    while ((job = list_take(&pool->finished)) != NULL || (job = list_take(&pool->queue)) != NULL)
        job->done(job);
    sd_event_source_unref(pool->source);
    if (pool->notice >= 0)
        close(pool->notice);
    pthread_cond_destroy(&pool->news);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
    *pool_ref = NULL;
}

void pool_submit(struct pool *pool, struct job *job)
{
    pthread_mutex_lock(&pool->lock);
    list_add(&pool->queue, job);
    pthread_cond_signal(&pool->work);
    pthread_mutex_unlock(&pool->lock);
}

void pool_drain(struct pool *pool, bool wait)
{
    struct list finished;

    pthread_mutex_lock(&pool->lock);
    while (wait && pool->finished.first == NULL)
        pthread_cond_wait(&pool->news, &pool->lock);
    finished = pool->finished;
    memset(&pool->finished, 0, sizeof(pool->finished));
    pthread_mutex_unlock(&pool->lock);
    for (struct job *job = list_take(&finished); job != NULL; job = list_take(&finished))
        job->done(job);
}

void pool_wipe_when_idle(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->wipe_wanted++;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
}
