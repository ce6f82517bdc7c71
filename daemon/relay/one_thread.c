#include "one_thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#define END_MS 200 /* a thread that is not in the kernel ends at once */

/* What thread and loop share. Of a thread that hangs it is left behind. */
struct shared {
    pthread_mutex_t lock;
    pthread_cond_t work;
    void (*run)(void *job);
    void *given; /* not yet taken by the thread */
    void *done;  /* not yet taken by the loop */
    bool up;     /* the thread has begun */
    bool stop;
    int wake; /* eventfd */
};

struct one_thread {
    struct one_thread_setup setup;
    struct shared *shared;
    pthread_t thread;
    sd_event_source *source;
    struct timer *timer;
    void *job; /* under way */
};

static void shared_free(struct shared *shared)
{
    if (shared->wake >= 0)
        (void)close(shared->wake);
    (void)pthread_cond_destroy(&shared->work);
    (void)pthread_mutex_destroy(&shared->lock);
    free(shared);
}

static void *work(void *arg)
{
    struct shared *shared = arg;
    const uint64_t one = 1;

    (void)pthread_mutex_lock(&shared->lock);
    shared->up = true;
    (void)pthread_cond_signal(&shared->work); /* one_thread_new() waits for it */
    for (;;) {
        void *job;

        while (shared->given == NULL && !shared->stop)
            (void)pthread_cond_wait(&shared->work, &shared->lock);
        if (shared->stop)
            break;
        job = shared->given;
        shared->given = NULL;
        (void)pthread_mutex_unlock(&shared->lock);
        shared->run(job);
        (void)pthread_mutex_lock(&shared->lock);
        shared->done = job;
        (void)!write(shared->wake, &one, sizeof(one));
    }
    (void)pthread_mutex_unlock(&shared->lock);
    return NULL;
}

static void on_limit(struct timer *timer, void *arg)
{
    struct one_thread *t = arg;

    (void)timer;
    if (t->job != NULL)
        t->setup.hangs(t->setup.arg, t->job);
}

static int on_wake(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
    struct one_thread *t = arg;
    uint64_t count;
    void *job;

    (void)source;
    (void)revents;
    (void)!read(fd, &count, sizeof(count));
    (void)pthread_mutex_lock(&t->shared->lock);
    job = t->shared->done;
    t->shared->done = NULL;
    (void)pthread_mutex_unlock(&t->shared->lock);
    if (job == NULL)
        return 0;
    t->job = NULL;
    timer_stop(t->timer);
    t->setup.ended(t->setup.arg, job);
    return 0;
}

bool one_thread_busy(const struct one_thread *t)
{
    return t->job != NULL;
}

bool one_thread_call(struct one_thread *t, void *job)
{
    if (t->job != NULL)
        return false;
    t->job = job;
    (void)pthread_mutex_lock(&t->shared->lock);
    t->shared->given = job;
    (void)pthread_cond_signal(&t->shared->work);
    (void)pthread_mutex_unlock(&t->shared->lock);
    (void)timer_set_after(t->timer, t->setup.limit_us);
    return true;
}

int one_thread_new(struct one_thread **out, const struct one_thread_setup *setup)
{
    struct one_thread *t = calloc(1, sizeof(*t));
    struct shared *shared = calloc(1, sizeof(*shared));
    int error = -ENOMEM;

    *out = NULL;
    if (t == NULL || shared == NULL) {
        free(t);
        free(shared);
        return error;
    }
    (void)pthread_mutex_init(&shared->lock, NULL);
    (void)pthread_cond_init(&shared->work, NULL);
    shared->run = setup->run;
    shared->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    t->setup = *setup;
    t->shared = shared;
    t->timer = timer_new(setup->clock, on_limit, t);
    if (shared->wake < 0 || t->timer == NULL)
        goto fail;
    error = sd_event_add_io(setup->loop, &t->source, shared->wake, EPOLLIN, on_wake, t);
    if (error < 0)
        goto fail;
    error = -pthread_create(&t->thread, NULL, work, shared);
    if (error != 0)
        goto fail;
    /* What a thread does to begin must be over before the cage closes, which it would meet half-way otherwise. */
    (void)pthread_mutex_lock(&shared->lock);
    while (!shared->up)
        (void)pthread_cond_wait(&shared->work, &shared->lock);
    (void)pthread_mutex_unlock(&shared->lock);
    *out = t;
    return 0;
fail:
    sd_event_source_disable_unref(t->source);
    timer_free(&t->timer);
    shared_free(shared);
    free(t);
    return error;
}

void one_thread_free(struct one_thread **at)
{
    struct one_thread *t = *at;
    struct timespec until;
    void *job = NULL;

    if (t == NULL)
        return;
    *at = NULL;
    sd_event_source_disable_unref(t->source);
    timer_free(&t->timer);
    (void)pthread_mutex_lock(&t->shared->lock);
    t->shared->stop = true;
    (void)pthread_cond_signal(&t->shared->work);
    (void)pthread_mutex_unlock(&t->shared->lock);
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += END_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    if (pthread_clockjoin_np(t->thread, NULL, CLOCK_MONOTONIC, &until) == 0) {
        job = t->job; /* begun or not, it is nobody's now */
        shared_free(t->shared);
    } else {
        /* It hangs: its job and what it stands on are left to it, and to the end of the process. */
        (void)pthread_detach(t->thread);
    }
    if (job != NULL)
        t->setup.drop(job);
    free(t);
}
