#include "password.h"

#include <argon2.h>
#include <errno.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <systemd/sd-event.h>
#include <unistd.h>

/* RFC 9106, section 4, the second recommendation: 64 MiB, three passes; one lane, as there is one
 * thread. */
#define MEMORY_KIB (64u << 10)
#define PASSES 3
#define SALT 16
#define HASH 32

struct job {
    struct secret password;
    char proof[PASSWORD_PROOF_MAX + 1]; /* "" to be made */
    bool make, known, good;
    password_done_fn *done; /* NULL: forgotten */
    void *arg;
    struct job *next;
};

struct passwords {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct job *waiting, *finished; /* under the lock; waiting in order */
    struct job *running;
    size_t count;
    bool ending, up; /* up: the thread has begun */
    int fd;          /* eventfd: something is finished */
    sd_event_source *source;
};

/* Compared with when there is nobody of that name, so that the time does not tell. Of a random
 * password. */
static const char nobody[] = "$argon2id$v=19$m=65536,t=3,p=1$dWtldHN1a2Utbm9ib2R5IQ$"
                             "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

static void job_free(struct job *job)
{
    secret_free(&job->password);
    explicit_bzero(job->proof, sizeof(job->proof));
    free(job);
}

static bool make_proof(struct job *job)
{
    uint8_t salt[SALT];

    return RAND_bytes(salt, sizeof(salt)) == 1 &&
           argon2id_hash_encoded(PASSES, MEMORY_KIB, 1, job->password.data, job->password.len, salt,
                                 sizeof(salt), HASH, job->proof, sizeof(job->proof)) == ARGON2_OK;
}

static void work(struct job *job)
{
    if (job->make)
        job->good = make_proof(job);
    else
        job->good = argon2id_verify(job->known ? job->proof : nobody, job->password.data,
                                    job->password.len) == ARGON2_OK &&
                    job->known;
    secret_free(&job->password);
}

static void *run(void *arg)
{
    struct passwords *p = arg;

    (void)pthread_mutex_lock(&p->lock);
    p->up = true;
    (void)pthread_cond_broadcast(&p->more);
    while (!p->ending) {
        struct job *job = p->waiting;
        uint64_t one = 1;

        if (job == NULL) {
            (void)pthread_cond_wait(&p->more, &p->lock);
            continue;
        }
        p->waiting = job->next;
        p->running = job;
        (void)pthread_mutex_unlock(&p->lock);
        work(job);
        (void)pthread_mutex_lock(&p->lock);
        p->running = NULL;
        job->next = p->finished;
        p->finished = job;
        (void)!write(p->fd, &one, sizeof(one));
    }
    (void)pthread_mutex_unlock(&p->lock);
    return NULL;
}

static int on_finished(sd_event_source *source, int fd, uint32_t events, void *arg)
{
    struct passwords *p = arg;
    struct job *jobs;
    uint64_t n;

    (void)source;
    (void)events;
    (void)!read(fd, &n, sizeof(n));
    (void)pthread_mutex_lock(&p->lock);
    jobs = p->finished;
    p->finished = NULL;
    (void)pthread_mutex_unlock(&p->lock);
    while (jobs != NULL) {
        struct job *job = jobs;

        jobs = job->next;
        p->count--;
        if (job->done != NULL)
            job->done(job->arg, job->good, job->make && job->good ? job->proof : NULL);
        job_free(job);
    }
    return 0;
}

int passwords_new(struct passwords **out, struct sd_event *loop)
{
    struct passwords *p = calloc(1, sizeof(*p));
    int r;

    *out = NULL;
    if (p == NULL)
        return -ENOMEM;
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->more, NULL);
    p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = p->fd < 0 ? -errno : sd_event_add_io(loop, &p->source, p->fd, EPOLLIN, on_finished, p);
    if (r >= 0)
        r = -pthread_create(&p->thread, NULL, run, p);
    if (r < 0) {
        (void)sd_event_source_disable_unref(p->source);
        if (p->fd >= 0)
            (void)close(p->fd);
        free(p);
        return r;
    }
    /* What a thread does to begin must be over before the cage closes, which it would meet half-way otherwise. */
    (void)pthread_mutex_lock(&p->lock);
    while (!p->up)
        (void)pthread_cond_wait(&p->more, &p->lock);
    (void)pthread_mutex_unlock(&p->lock);
    *out = p;
    return 0;
}

static void free_list(struct job *job)
{
    while (job != NULL) {
        struct job *next = job->next;

        job_free(job);
        job = next;
    }
}

void passwords_free(struct passwords **at)
{
    struct passwords *p = *at;

    if (p == NULL)
        return;
    *at = NULL;
    (void)pthread_mutex_lock(&p->lock);
    p->ending = true;
    (void)pthread_cond_signal(&p->more);
    (void)pthread_mutex_unlock(&p->lock);
    (void)pthread_join(p->thread, NULL);
    free_list(p->waiting);
    free_list(p->finished);
    (void)sd_event_source_disable_unref(p->source);
    (void)close(p->fd);
    (void)pthread_cond_destroy(&p->more);
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}

static int put(struct passwords *p, struct secret *password, const char *proof, bool make,
               password_done_fn *done, void *arg)
{
    struct job *job = NULL, **end;
    int r = -EBUSY;

    if (p->count < PASSWORD_WAITING_MAX) {
        job = calloc(1, sizeof(*job));
        r = job == NULL ? -ENOMEM : 0;
    }
    if (r == 0 && proof != NULL && strlen(proof) > PASSWORD_PROOF_MAX)
        r = -EINVAL;
    if (r < 0) {
        secret_free(password);
        free(job);
        return r;
    }
    job->password = *password;
    *password = (struct secret){0};
    job->make = make;
    job->known = proof != NULL;
    if (proof != NULL)
        memcpy(job->proof, proof, strlen(proof) + 1);
    job->done = done;
    job->arg = arg;
    p->count++;
    (void)pthread_mutex_lock(&p->lock);
    for (end = &p->waiting; *end != NULL; end = &(*end)->next)
        continue;
    *end = job;
    (void)pthread_cond_signal(&p->more);
    (void)pthread_mutex_unlock(&p->lock);
    return 0;
}

int passwords_verify(struct passwords *p, struct secret *password, const char *proof,
                     password_done_fn *done, void *arg)
{
    return put(p, password, proof, false, done, arg);
}

int passwords_hash(struct passwords *p, struct secret *password, password_done_fn *done, void *arg)
{
    return put(p, password, NULL, true, done, arg);
}

static void forget_in(struct job *job, const void *arg)
{
    for (; job != NULL; job = job->next)
        if (job->arg == arg)
            job->done = NULL;
}

void passwords_forget(struct passwords *p, const void *arg)
{
    (void)pthread_mutex_lock(&p->lock);
    forget_in(p->waiting, arg);
    forget_in(p->finished, arg);
    if (p->running != NULL && p->running->arg == arg)
        p->running->done = NULL;
    (void)pthread_mutex_unlock(&p->lock);
}

/* ---- which will do --------------------------------------------------------------------------- */

/* Characters of UTF-8. */
static size_t characters(const char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

/* Every step from one byte to the next is the same: aaaa, 1234, 9876. */
static bool even_steps(const char *text, size_t len)
{
    int step = text[1] - text[0];

    if (step < -1 || step > 1)
        return false;
    for (size_t i = 2; i < len; i++)
        if (text[i] - text[i - 1] != step)
            return false;
    return true;
}

bool password_will_do(const char *password, size_t len, const char *name)
{
    static const char *const rows[] = {"1234567890", "qwertyuiop", "asdfghjkl",
                                       "zxcvbnm",    "password",   "uketsuke"};
    const size_t nrows = sizeof(rows) / sizeof(rows[0]);
    size_t left = len;

    if (characters(password, len) < PASSWORD_MIN || len > PASSWORD_MAX || even_steps(password, len))
        return false;
    /* What is left when the words that everybody tries, and the name, are taken out, must still be
     * something. */
    for (size_t i = 0; i <= nrows; i++) {
        const char *word = i < nrows ? rows[i] : name;
        size_t n = strlen(word);

        for (size_t at = 0; n > 2 && at + n <= len; at++)
            if (strncasecmp(password + at, word, n) == 0) {
                left -= left < n ? left : n;
                at += n - 1;
            }
    }
    return left >= 5;
}
