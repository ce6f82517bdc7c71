#include "evaluate.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MOST 64

static int file_read(const char *root, const char *path, uint8_t **out, size_t *len)
{
    char full[8192];
    FILE *file;
    long size;
    int r = 0;

    if ((size_t)snprintf(full, sizeof(full), "%s/%s", root, path) >= sizeof(full))
        return -ENAMETOOLONG;
    file = fopen(full, "re");
    if (file == NULL)
        return -errno;
    if (fseek(file, 0, SEEK_END) < 0 || (size = ftell(file)) < 0 ||
        size > (long)DECODE_FRAME_MOST) {
        r = -EFBIG;
        goto out;
    }
    rewind(file);
    *len = (size_t)size;
    *out = malloc(*len + 1);
    if (*out == NULL)
        r = -ENOMEM;
    else if (fread(*out, 1, *len, file) != *len)
        r = -EIO;
out:
    fclose(file);
    return r;
}

static int keep(const struct embedding *e, float **out)
{
    *out = malloc(e->value.len);
    if (*out == NULL)
        return -ENOMEM;
    memcpy(*out, e->value.data, e->value.len);
    return 0;
}

struct room {
    struct engine *engine;
    struct embedding embedding, other;
};

static int acquire_reference(struct work *work, struct room *room, struct result *result,
                             const uint8_t *data, size_t len)
{
    uint8_t *made = NULL;
    enum failure failure;
    int r = 0;

    if (work->card != NULL) {
        const struct image *image;
        struct frame_report found;

        if (engine_locate(room->engine, data, len, &image, &found) != FAILURE_NONE)
            return 0; /* not acquired */
        r = card_like_make(work->card, image, &found.box, &made, &len);
        if (r < 0)
            return r;
        data = made;
    }
    failure =
        engine_reference(room->engine, data, len, &room->embedding, &room->other, &result->report);
    if (failure == FAILURE_NONE) {
        r = keep(&room->embedding, &result->reference);
        if (r == 0)
            r = keep(&room->other, &result->one_reference);
    }
    free(made);
    return r;
}

static int acquire_probe(struct room *room, struct result *result, const uint8_t *data, size_t len)
{
    const float *mirror = embedding_floats(&room->other);
    int r;

    if (engine_still(room->engine, data, len, &room->embedding, &room->other, &result->report) !=
        FAILURE_NONE)
        return 0; /* not acquired */
    r = keep(&room->embedding, &result->one_probe);
    if (r == 0)
        r = keep(&room->embedding, &result->probe);
    for (int k = 0; k < room->embedding.dimensions && r == 0; k++)
        result->probe[k] = (result->probe[k] + mirror[k]) / 2;
    return r;
}

static int acquire(struct work *work, struct room *room, size_t i)
{
    const struct picture *picture = &work->pairs->pictures[i];
    struct result *result = &work->results[i];
    uint8_t *data = NULL;
    size_t len = 0;
    int r;

    r = file_read(work->root, picture->path, &data, &len);
    if (r < 0) {
        fprintf(stderr, "\n%s/%s: %s\n", work->root, picture->path, strerror(-r));
        goto out;
    }
    if (picture->reference)
        r = acquire_reference(work, room, result, data, len);
    if (r == 0 && picture->probe)
        r = acquire_probe(room, result, data, len);
out:
    free(data);
    return r;
}

static void *worker(void *arg)
{
    struct work *work = arg;
    struct room room = {0};
    char why[MANIFEST_WHY] = "";
    int r;

    r = engine_new(&room.engine, work->manifest, why);
    if (r == 0)
        r = embedding_new(&room.embedding, work->manifest);
    if (r == 0)
        r = embedding_new(&room.other, work->manifest);
    while (r == 0 && atomic_load(&work->error) == 0) {
        const size_t i = atomic_fetch_add(&work->next, 1);

        if (i >= work->pairs->npictures)
            break;
        r = acquire(work, &room, i);
        atomic_fetch_add(&work->done, 1);
    }
    if (r < 0) {
        if (why[0] != '\0')
            fprintf(stderr, "\n%s\n", why);
        atomic_store(&work->error, r);
    }
    embedding_free(&room.embedding);
    embedding_free(&room.other);
    engine_free(&room.engine);
    return NULL;
}

static void progress(const struct work *work)
{
    const size_t done = atomic_load(&work->done), all = work->pairs->npictures;
    const int width = 40, filled = (int)((size_t)width * done / (all > 0 ? all : 1));
    char bar[41];

    memset(bar, '#', (size_t)filled);
    memset(bar + filled, '.', (size_t)(width - filled));
    bar[width] = '\0';
    fprintf(stderr, "\r[%s] %zu / %zu", bar, done, all);
    if (done == all)
        fputc('\n', stderr);
}

int acquire_all(struct work *work, unsigned nthreads)
{
    pthread_t threads[THREADS_MOST];
    const bool terminal = isatty(STDERR_FILENO);
    unsigned started = 0;
    int r = 0;

    if (nthreads > THREADS_MOST)
        nthreads = THREADS_MOST;
    for (; started < nthreads && r == 0; started++)
        r = -pthread_create(&threads[started], NULL, worker, work);
    if (r < 0) {
        started--;
        atomic_store(&work->error, r);
    }
    while (terminal && atomic_load(&work->error) == 0 &&
           atomic_load(&work->done) < work->pairs->npictures) {
        const struct timespec pause = {0, 200 * 1000 * 1000};

        progress(work);
        nanosleep(&pause, NULL);
    }
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (terminal)
        progress(work);
    return atomic_load(&work->error);
}

void results_free(struct work *work)
{
    for (size_t i = 0; work->results != NULL && i < work->pairs->npictures; i++) {
        free(work->results[i].probe);
        free(work->results[i].reference);
        free(work->results[i].one_probe);
        free(work->results[i].one_reference);
        free(work->results[i].plain);
    }
    free(work->results);
    work->results = NULL;
}

/* ---- comparisons ----------------------------------------------------------------------------- */

static const float *reference_of(const struct work *work, size_t i, enum compared which)
{
    const struct result *result = &work->results[i];

    if (!work->pairs->pictures[i].reference)
        return NULL;
    return which == COMPARED_OURS     ? result->reference
           : which == COMPARED_SINGLE ? result->one_reference
                                      : result->plain;
}

static const float *probe_of(const struct work *work, size_t i, enum compared which)
{
    const struct result *result = &work->results[i];

    if (!work->pairs->pictures[i].probe)
        return NULL;
    return which == COMPARED_OURS     ? result->probe
           : which == COMPARED_SINGLE ? result->one_probe
                                      : result->plain;
}

static float score_of(const struct work *work, const float *a, const float *b)
{
    return embed_cosine(a, b, work->manifest->models[MODEL_RECOGNISER].dimensions);
}

static int scores_listed(const struct work *work, enum compared which, struct comparisons *out)
{
    const size_t n = work->pairs->npairs;

    out->genuine.value = calloc(n, sizeof(float));
    out->listed.value = calloc(n, sizeof(float));
    out->by_pair = calloc(n, sizeof(float));
    if (out->genuine.value == NULL || out->listed.value == NULL || out->by_pair == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct pair *pair = &work->pairs->pairs[i];
        const float *a = reference_of(work, pair->a, which), *b = probe_of(work, pair->b, which);

        out->by_pair[i] = NAN;
        if (a == NULL || b == NULL) {
            out->missed += pair->same;
        } else if (pair->same) {
            out->by_pair[i] = score_of(work, a, b);
            out->genuine.value[out->genuine.count++] = out->by_pair[i];
        } else {
            out->listed.value[out->listed.count++] = score_of(work, a, b);
        }
    }
    scores_sort(&out->genuine);
    scores_sort(&out->listed);
    return 0;
}

static int scores_across(const struct work *work, enum compared which, struct scores *out)
{
    const struct picture *pictures = work->pairs->pictures;
    size_t references = 0, probes = 0;

    for (size_t i = 0; i < work->pairs->npictures; i++) {
        references += pictures[i].reference;
        probes += pictures[i].probe;
    }
    out->value = reallocarray(NULL, references * probes + 1, sizeof(float));
    if (out->value == NULL)
        return -ENOMEM;
    for (size_t a = 0; a < work->pairs->npictures; a++) {
        const float *reference = reference_of(work, a, which);

        for (size_t b = 0; reference != NULL && b < work->pairs->npictures; b++) {
            const float *probe = probe_of(work, b, which);

            if (probe != NULL && a != b && strcmp(pictures[a].identity, pictures[b].identity) != 0)
                out->value[out->count++] = score_of(work, reference, probe);
        }
    }
    scores_sort(out);
    return 0;
}

int compare_all(const struct work *work, enum compared which, struct comparisons *out)
{
    int r;

    memset(out, 0, sizeof(*out));
    r = scores_listed(work, which, out);
    return r < 0 ? r : scores_across(work, which, &out->impostor);
}

void comparisons_free(struct comparisons *c)
{
    free(c->genuine.value);
    free(c->impostor.value);
    free(c->listed.value);
    free(c->by_pair);
    memset(c, 0, sizeof(*c));
}
