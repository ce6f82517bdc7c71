#include "folder_worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#define END_MS 200 /* a thread that is not in the kernel ends at once */

struct job {
    struct job *next;
    struct folder_command command;
    uint64_t now_us;
    int64_t realtime_us;
};

/* What has come of a job, in the order in which it came. */
struct told {
    struct told *next;
    bool end; /* the job has ended: `kind`, `next_us` */
    enum folder_command_kind kind;
    uint64_t next_us;
    struct folder_event event;
};

/* What thread and loop share. Of a thread that hangs it is left behind. */
struct shared {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct job *first, *last;
    struct told *told_first, *told_last;
    bool stop;
    int wake; /* eventfd */
    struct folder *folder;
};

struct folder_worker {
    struct folder_worker_setup setup;
    struct shared *shared;
    pthread_t thread;
    sd_event_source *source;
    struct timer *timer;
    unsigned waiting; /* commands that have not ended */
    bool hangs;
};

static void event_free(struct folder_event *event)
{
    xmlmsg_free(&event->tree);
    if (event->raw != NULL)
        explicit_bzero(event->raw, event->raw_len);
    free(event->raw);
    event->raw = NULL;
}

static void job_free(struct job *job)
{
    if (job->command.xml != NULL)
        explicit_bzero(job->command.xml, job->command.len);
    free(job->command.xml);
    free(job);
}

static void shared_free(struct shared *shared)
{
    while (shared->first != NULL) {
        struct job *job = shared->first;

        shared->first = job->next;
        job_free(job);
    }
    while (shared->told_first != NULL) {
        struct told *told = shared->told_first;

        shared->told_first = told->next;
        event_free(&told->event);
        free(told);
    }
    if (shared->wake >= 0)
        (void)close(shared->wake);
    folder_free(&shared->folder);
    (void)pthread_cond_destroy(&shared->work);
    (void)pthread_mutex_destroy(&shared->lock);
    free(shared);
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void tell(struct shared *shared, struct told *told)
{
    const uint64_t one = 1;

    (void)pthread_mutex_lock(&shared->lock);
    if (shared->told_last != NULL)
        shared->told_last->next = told;
    else
        shared->told_first = told;
    shared->told_last = told;
    (void)!write(shared->wake, &one, sizeof(one));
    (void)pthread_mutex_unlock(&shared->lock);
}

static void on_event(void *arg, struct folder_event *event)
{
    struct told *told = calloc(1, sizeof(*told));

    if (told == NULL) {
        event_free(event); /* an answer that was not told stays in the folder, and its slip */
        return;
    }
    told->event = *event;
    tell(arg, told);
}

static uint64_t do_job(struct folder *folder, struct job *job)
{
    struct folder_command *c = &job->command;

    switch (c->kind) {
    case FOLDER_COMMAND_RECOVER:
        folder_recover(folder, job->now_us, job->realtime_us);
        break;
    case FOLDER_COMMAND_SEND:
        folder_send(folder, &c->slip, c->xml, c->len, job->realtime_us);
        break;
    case FOLDER_COMMAND_DONE:
        folder_done(folder, &c->slip);
        break;
    case FOLDER_COMMAND_DROP:
        folder_drop(folder, &c->slip);
        break;
    case FOLDER_COMMAND_WITHDRAW:
        folder_withdraw(folder, &c->slip);
        break;
    case FOLDER_COMMAND_FACE_TAKEN:
        folder_face_taken(folder, c->hash);
        break;
    case FOLDER_COMMAND_FACES_AGAIN:
        folder_faces_again(folder);
        break;
    case FOLDER_COMMAND_STEP:
        return folder_step(folder, job->now_us);
    }
    return UINT64_MAX;
}

static struct job *next_job(struct shared *shared)
{
    struct job *job;

    (void)pthread_mutex_lock(&shared->lock);
    while (shared->first == NULL && !shared->stop)
        (void)pthread_cond_wait(&shared->work, &shared->lock);
    job = shared->stop ? NULL : shared->first;
    if (job != NULL) {
        shared->first = job->next;
        if (shared->first == NULL)
            shared->last = NULL;
    }
    (void)pthread_mutex_unlock(&shared->lock);
    return job;
}

static void *work(void *arg)
{
    struct shared *shared = arg;
    struct job *job;

    while ((job = next_job(shared)) != NULL) {
        struct told *end = calloc(1, sizeof(*end));
        enum folder_command_kind kind = job->command.kind;
        uint64_t next = do_job(shared->folder, job);

        job_free(job);
        if (end == NULL)
            continue; /* the loop takes it for a hang, and shows it */
        *end = (struct told){.end = true, .kind = kind, .next_us = next};
        tell(shared, end);
    }
    return NULL;
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void set_hangs(struct folder_worker *w, bool hangs)
{
    if (w->hangs == hangs)
        return;
    w->hangs = hangs;
    w->setup.hangs(w->setup.arg, hangs);
}

static void on_limit(struct timer *timer, void *arg)
{
    (void)timer;
    set_hangs(arg, true);
}

static struct told *take_told(struct shared *shared)
{
    struct told *told;

    (void)pthread_mutex_lock(&shared->lock);
    told = shared->told_first;
    shared->told_first = shared->told_last = NULL;
    (void)pthread_mutex_unlock(&shared->lock);
    return told;
}

static int on_wake(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
    struct folder_worker *w = arg;
    struct told *told;
    bool answers;
    uint64_t count;

    (void)source;
    (void)revents;
    (void)!read(fd, &count, sizeof(count));
    told = take_told(w->shared);
    answers = told != NULL;
    while (told != NULL) {
        struct told *next = told->next;

        if (told->end) {
            w->waiting -= w->waiting > 0;
            if (w->waiting == 0)
                timer_stop(w->timer);
            else
                (void)timer_set_after(w->timer, w->setup.limit_us);
            w->setup.ended(w->setup.arg, told->kind, told->next_us);
        } else {
            w->setup.event(w->setup.arg, &told->event);
            event_free(&told->event);
        }
        free(told);
        told = next;
    }
    /* What it answers comes first: a server that has gone for good ends the waiting with an error. */
    if (answers)
        set_hangs(w, false);
    return 0;
}

int folder_worker_post(struct folder_worker *w, struct folder_command *command)
{
    struct job *job = calloc(1, sizeof(*job));

    if (job == NULL) {
        if (command->xml != NULL)
            explicit_bzero(command->xml, command->len);
        free(command->xml);
        command->xml = NULL;
        return -ENOMEM;
    }
    job->command = *command;
    command->xml = NULL;
    job->now_us = clock_monotonic_us(w->setup.clock);
    job->realtime_us = (int64_t)clock_realtime_us(w->setup.clock);
    if (w->waiting++ == 0)
        (void)timer_set_after(w->timer, w->setup.limit_us);
    (void)pthread_mutex_lock(&w->shared->lock);
    if (w->shared->last != NULL)
        w->shared->last->next = job;
    else
        w->shared->first = job;
    w->shared->last = job;
    (void)pthread_cond_signal(&w->shared->work);
    (void)pthread_mutex_unlock(&w->shared->lock);
    return 0;
}

bool folder_worker_revoke(struct folder_worker *w, const struct folder_slip *slip)
{
    struct job **at, *job, *before = NULL;

    (void)pthread_mutex_lock(&w->shared->lock);
    for (at = &w->shared->first; (job = *at) != NULL; before = job, at = &job->next)
        if (job->command.kind == FOLDER_COMMAND_SEND &&
            strcmp(job->command.slip.suffix, slip->suffix) == 0)
            break;
    if (job != NULL) {
        *at = job->next;
        if (w->shared->last == job)
            w->shared->last = before;
    }
    (void)pthread_mutex_unlock(&w->shared->lock);
    if (job == NULL)
        return false;
    job_free(job);
    w->waiting -= w->waiting > 0;
    return true;
}

bool folder_worker_hangs(const struct folder_worker *w)
{
    return w->hangs;
}

int folder_worker_new(struct folder_worker **out, const struct folder_worker_setup *setup)
{
    struct folder_worker *w = calloc(1, sizeof(*w));
    struct shared *shared = calloc(1, sizeof(*shared));
    struct folder_setup folder = setup->folder;
    int error = -ENOMEM;

    *out = NULL;
    if (w == NULL || shared == NULL) {
        free(w);
        free(shared);
        return -ENOMEM;
    }
    (void)pthread_mutex_init(&shared->lock, NULL);
    (void)pthread_cond_init(&shared->work, NULL);
    shared->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->shared = shared;
    w->setup = *setup;
    folder.event = on_event;
    folder.arg = shared;
    w->timer = timer_new(setup->clock, on_limit, w);
    if (shared->wake < 0 || w->timer == NULL || folder_new(&shared->folder, &folder) != 0)
        goto fail;
    error = sd_event_add_io(setup->loop, &w->source, shared->wake, EPOLLIN, on_wake, w);
    if (error < 0)
        goto fail;
    error = -pthread_create(&w->thread, NULL, work, shared);
    if (error != 0)
        goto fail;
    *out = w;
    return 0;
fail:
    sd_event_source_disable_unref(w->source);
    timer_free(&w->timer);
    shared_free(shared);
    free(w);
    return error;
}

bool folder_worker_free(struct folder_worker **at)
{
    struct folder_worker *w = *at;
    struct timespec until;
    bool ended;

    if (w == NULL)
        return true;
    *at = NULL;
    sd_event_source_disable_unref(w->source);
    timer_free(&w->timer);
    (void)pthread_mutex_lock(&w->shared->lock);
    w->shared->stop = true;
    (void)pthread_cond_signal(&w->shared->work);
    (void)pthread_mutex_unlock(&w->shared->lock);
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += END_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    ended = pthread_clockjoin_np(w->thread, NULL, CLOCK_MONOTONIC, &until) == 0;
    if (ended)
        shared_free(w->shared);
    else /* what it stands on is left to it, and to the end of the process */
        (void)pthread_detach(w->thread);
    free(w);
    return ended;
}
