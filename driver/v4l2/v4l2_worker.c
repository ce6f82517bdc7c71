#include "v4l2_worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <systemd/sd-event.h>
#include <unistd.h>

struct queue {
    struct v4l2_job *first, *last;
};

struct v4l2_worker {
    pthread_mutex_t lock; /* guards the three below */
    struct queue waiting, finished;
    bool stop, up; /* up: the thread has begun */

    pthread_cond_t news;
    pthread_t thread;
    bool started;
    int notice; /* eventfd: something has finished */
    sd_event_source *source;
};

static void put(struct queue *queue, struct v4l2_job *job)
{
    job->next = NULL;
    if (queue->last != NULL)
        queue->last->next = job;
    else
        queue->first = job;
    queue->last = job;
}

static struct v4l2_job *take(struct queue *queue)
{
    struct v4l2_job *job = queue->first;

    if (job == NULL)
        return NULL;
    queue->first = job->next;
    if (queue->first == NULL)
        queue->last = NULL;
    job->next = NULL;
    return job;
}

static void notify(const struct v4l2_worker *worker)
{
    const uint64_t one = 1;

    if (write(worker->notice, &one, sizeof(one)) < 0) {
        /* The counter is full: a notice is pending already. */
    }
}

static void *work(void *arg)
{
    struct v4l2_worker *worker = arg;
    struct v4l2_job *job;

    pthread_mutex_lock(&worker->lock);
    worker->up = true;
    pthread_cond_broadcast(&worker->news);
    while (!worker->stop) {
        job = take(&worker->waiting);
        if (job == NULL) {
            pthread_cond_wait(&worker->news, &worker->lock);
            continue;
        }
        pthread_mutex_unlock(&worker->lock);
        job->run(job);
        pthread_mutex_lock(&worker->lock);
        put(&worker->finished, job);
        notify(worker);
    }
    pthread_mutex_unlock(&worker->lock);
    return NULL;
}

static struct v4l2_job *take_finished(struct v4l2_worker *worker)
{
    struct v4l2_job *job;

    pthread_mutex_lock(&worker->lock);
    job = take(&worker->finished);
    pthread_mutex_unlock(&worker->lock);
    return job;
}

static int on_notice(sd_event_source *source, int fd, uint32_t events, void *arg)
{
    struct v4l2_worker *worker = arg;
    struct v4l2_job *job;
    uint64_t n;

    (void)source;
    (void)events;
    if (read(fd, &n, sizeof(n)) != (ssize_t)sizeof(n))
        return 0;
    while ((job = take_finished(worker)) != NULL)
        job->done(job);
    return 0;
}

static int start_thread(struct v4l2_worker *worker)
{
    sigset_t all, before;
    int r;

    /* Signals belong to the loop. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = -pthread_create(&worker->thread, NULL, work, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    worker->started = r == 0;
    /* What a thread does to begin must be over before the cage closes, which it would meet half-way otherwise. */
    pthread_mutex_lock(&worker->lock);
    while (worker->started && !worker->up)
        pthread_cond_wait(&worker->news, &worker->lock);
    pthread_mutex_unlock(&worker->lock);
    return r;
}

int v4l2_worker_new(struct v4l2_worker **out, struct sd_event *loop)
{
    struct v4l2_worker *worker = calloc(1, sizeof(*worker));
    int r;

    *out = NULL;
    if (worker == NULL)
        return -ENOMEM;
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->news, NULL);
    worker->notice = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = worker->notice < 0 ? -errno : 0;
    if (r == 0)
        r = sd_event_add_io(loop, &worker->source, worker->notice, EPOLLIN, on_notice, worker);
    if (r >= 0)
        r = start_thread(worker);
    if (r < 0) {
        v4l2_worker_free(&worker);
        return r;
    }
    *out = worker;
    return 0;
}

void v4l2_worker_free(struct v4l2_worker **worker_ref)
{
    struct v4l2_worker *worker = *worker_ref;
    struct v4l2_job *job;

    *worker_ref = NULL;
    if (worker == NULL)
        return;
    if (worker->started) {
        pthread_mutex_lock(&worker->lock);
        worker->stop = true;
        pthread_cond_signal(&worker->news);
        pthread_mutex_unlock(&worker->lock);
        pthread_join(worker->thread, NULL);
    }
    /* The thread is gone: what it left goes its way here, and what comes of that too. */
    for (;;) {
        while ((job = take(&worker->finished)) != NULL)
            job->done(job);
        job = take(&worker->waiting);
        if (job == NULL)
            break;
        job->run(job);
        put(&worker->finished, job);
    }
    (void)sd_event_source_disable_unref(worker->source);
    if (worker->notice >= 0)
        close(worker->notice);
    pthread_cond_destroy(&worker->news);
    pthread_mutex_destroy(&worker->lock);
    free(worker);
}

void v4l2_worker_submit(struct v4l2_worker *worker, struct v4l2_job *job)
{
    pthread_mutex_lock(&worker->lock);
    put(&worker->waiting, job);
    pthread_cond_signal(&worker->news);
    pthread_mutex_unlock(&worker->lock);
}
