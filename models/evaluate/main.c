/*
 * uketsuke-evaluate: error rates of the matcher's own code path on a list of picture pairs.
 *
 *   uketsuke-evaluate --models DIR --pairs FILE [--root DIR] [--threads N] [--scores FILE]
 *
 * Genuine scores are the pairs marked 1. Impostor scores are all comparisons of a reference (path_a) with a probe
 * (path_b) of another identity, the identity being the name of a picture's directory.
 */
#include "pairs.h"
#include "statistics.h"

#include "daemon/matcher/dnn.h"
#include "daemon/matcher/engine.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MOST 64

struct result {
    enum failure failure;
    struct frame_report report;
    float *vector; /* NULL: not acquired */
};

struct work {
    const struct manifest *manifest;
    const struct pairs *pairs;
    const char *root;
    struct result *results;
    atomic_size_t next;
    atomic_size_t done;
    atomic_int error;
};

/* ---- pictures ------------------------------------------------------------------------------------------ */

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
    if (fseek(file, 0, SEEK_END) < 0 || (size = ftell(file)) < 0 || size > (long)DECODE_FRAME_MOST) {
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

static int acquire(struct work *work, struct engine *engine, struct embedding *embedding, size_t i)
{
    struct result *result = &work->results[i];
    uint8_t *data = NULL;
    size_t len = 0;
    int r;

    r = file_read(work->root, work->pairs->pictures[i].path, &data, &len);
    if (r < 0) {
        fprintf(stderr, "\n%s/%s: %s\n", work->root, work->pairs->pictures[i].path, strerror(-r));
        goto out;
    }
    result->failure = engine_still(engine, data, len, embedding, &result->report);
    if (result->failure != FAILURE_NONE)
        goto out;
    result->vector = malloc(embedding->value.len);
    if (result->vector == NULL) {
        r = -ENOMEM;
        goto out;
    }
    memcpy(result->vector, embedding->value.data, embedding->value.len);
out:
    free(data);
    return r;
}

static void *worker(void *arg)
{
    struct work *work = arg;
    struct embedding embedding = {0};
    struct engine *engine = NULL;
    char why[MANIFEST_WHY] = "";
    int r;

    r = engine_new(&engine, work->manifest, why);
    if (r == 0)
        r = embedding_new(&embedding, work->manifest);
    while (r == 0 && atomic_load(&work->error) == 0) {
        const size_t i = atomic_fetch_add(&work->next, 1);

        if (i >= work->pairs->npictures)
            break;
        r = acquire(work, engine, &embedding, i);
        atomic_fetch_add(&work->done, 1);
    }
    if (r < 0) {
        if (why[0] != '\0')
            fprintf(stderr, "\n%s\n", why);
        atomic_store(&work->error, r);
    }
    embedding_free(&embedding);
    engine_free(&engine);
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

static int acquire_all(struct work *work, unsigned nthreads)
{
    pthread_t threads[THREADS_MOST];
    const bool terminal = isatty(STDERR_FILENO);
    unsigned started = 0;
    int r = 0;

    for (; started < nthreads && r == 0; started++)
        r = -pthread_create(&threads[started], NULL, worker, work);
    if (r < 0) {
        started--;
        atomic_store(&work->error, r);
    }
    while (terminal && atomic_load(&work->error) == 0 && atomic_load(&work->done) < work->pairs->npictures) {
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

/* ---- scores -------------------------------------------------------------------------------------------- */

static float score_of(const struct work *work, size_t a, size_t b)
{
    return embed_cosine(work->results[a].vector, work->results[b].vector,
                        work->manifest->models[MODEL_RECOGNISER].dimensions);
}

/* The pairs of one kind whose pictures were both acquired; *missed counts the others. */
static int scores_of_pairs(const struct work *work, bool same, struct scores *out, size_t *missed)
{
    out->value = calloc(work->pairs->npairs, sizeof(float));
    out->count = 0;
    *missed = 0;
    if (out->value == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < work->pairs->npairs; i++) {
        const struct pair *pair = &work->pairs->pairs[i];

        if (pair->same != same)
            continue;
        if (work->results[pair->a].vector == NULL || work->results[pair->b].vector == NULL)
            ++*missed;
        else
            out->value[out->count++] = score_of(work, pair->a, pair->b);
    }
    scores_sort(out);
    return 0;
}

static int scores_across(const struct work *work, struct scores *out)
{
    const struct picture *pictures = work->pairs->pictures;
    size_t references = 0, probes = 0;

    for (size_t i = 0; i < work->pairs->npictures; i++) {
        references += pictures[i].reference;
        probes += pictures[i].probe;
    }
    out->count = 0;
    out->value = reallocarray(NULL, references * probes + 1, sizeof(float));
    if (out->value == NULL)
        return -ENOMEM;
    for (size_t a = 0; a < work->pairs->npictures; a++) {
        if (!pictures[a].reference || work->results[a].vector == NULL)
            continue;
        for (size_t b = 0; b < work->pairs->npictures; b++)
            if (pictures[b].probe && work->results[b].vector != NULL && a != b &&
                strcmp(pictures[a].identity, pictures[b].identity) != 0)
                out->value[out->count++] = score_of(work, a, b);
    }
    scores_sort(out);
    return 0;
}

/* ---- the report ------------------------------------------------------------------------------------------ */

static int ascending(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void print_time(const struct work *work, const char *name, size_t offset, uint32_t *room)
{
    size_t n = 0, middle, late;

    for (size_t i = 0; i < work->pairs->npictures; i++)
        if (work->results[i].vector != NULL)
            memcpy(&room[n++], (const char *)&work->results[i].report + offset, sizeof(uint32_t));
    if (n == 0)
        return;
    qsort(room, n, sizeof(*room), ascending);
    middle = n / 2;
    late = n * 95 / 100;
    printf("  %-10s %8.2f ms median  %8.2f ms p95\n", name, room[middle] / 1000.0, room[late] / 1000.0);
}

static void print_quality(const struct work *work)
{
    size_t counts[FAILURE_COUNT] = {0}, live = 0, below_half = 0;

    for (size_t i = 0; i < work->pairs->npictures; i++) {
        const struct frame_report *r = &work->results[i].report;
        enum failure failure;

        if (work->results[i].vector == NULL)
            continue;
        live += r->live_known;
        below_half += r->live_known && r->live < 0.5f;
        failure = quality_judge_shape(&r->quality, &quality_bounds_default);
        if (failure == FAILURE_NONE)
            failure = quality_judge_light(&r->quality, &quality_bounds_default);
        counts[failure]++;
    }
    printf("quality bounds (not applied here)\n");
    for (size_t f = 0; f < FAILURE_COUNT; f++)
        if (counts[f] > 0)
            printf("  %-24s %8zu\n", f == FAILURE_NONE ? "good" : failure_text((uint16_t)f)->name, counts[f]);
    if (live > 0)
        printf("liveness below 0.5: %zu of %zu (%.1f %%)\n", below_half, live,
               100 * (double)below_half / (double)live);
}

static int report(const struct work *work)
{
    static const double rates[] = {1e-2, 1e-3, 1e-4, 1e-5};
    struct scores genuine = {0}, impostor = {0}, across = {0};
    size_t missed = 0, missed_impostor, failed = 0;
    uint32_t *room = calloc(work->pairs->npictures, sizeof(*room));
    int r = room == NULL ? -ENOMEM : 0;

    if (r == 0)
        r = scores_of_pairs(work, true, &genuine, &missed);
    if (r == 0)
        r = scores_of_pairs(work, false, &impostor, &missed_impostor);
    if (r == 0)
        r = scores_across(work, &across);
    if (r < 0)
        goto out;
    for (size_t i = 0; i < work->pairs->npictures; i++)
        failed += work->results[i].vector == NULL;
    printf("models                %s\n", work->manifest->name);
    printf("pictures              %zu, failure to acquire %zu (%.4f)\n", work->pairs->npictures, failed,
           (double)failed / (double)work->pairs->npictures);
    printf("genuine comparisons   %zu (%zu more not acquired)\n", genuine.count, missed);
    printf("impostor comparisons  %zu across identities (not independent), %zu listed\n", across.count,
           impostor.count);
    if (impostor.count > 0)
        printf("AUC (listed pairs)    %.5f\n", area_under_roc(&genuine, &impostor));
    printf("AUC (all impostors)   %.5f\n", area_under_roc(&genuine, &across));
    printf("EER (all impostors)   %.4f\n", equal_error_rate(&genuine, &across));
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        const float t = threshold_at_fmr(&across, rates[i]);
        const float shipped = work->manifest->models[MODEL_RECOGNISER].thresholds[i];

        if (rates[i] * (double)across.count < 1) {
            printf("FMR %.0e: too few impostor comparisons\n", rates[i]);
            continue;
        }
        printf("FMR %.0e  threshold %.4f  FNMR %.4f   manifest's %.2f: FMR %.2e  FNMR %.4f\n", rates[i], (double)t,
               fnmr_at(&genuine, t), (double)shipped, fmr_at(&across, shipped), fnmr_at(&genuine, shipped));
    }
    print_quality(work);
    printf("time a picture, one thread of ours each (a busy machine shows)\n");
    print_time(work, "decode", offsetof(struct frame_report, decode_us), room);
    print_time(work, "detect", offsetof(struct frame_report, detect_us), room);
    print_time(work, "landmarks", offsetof(struct frame_report, landmarks_us), room);
    print_time(work, "embed", offsetof(struct frame_report, embed_us), room);
    print_time(work, "liveness", offsetof(struct frame_report, live_us), room);
out:
    free(room);
    free(genuine.value);
    free(impostor.value);
    free(across.value);
    return r;
}

/* One line a pair, for other programs: path_a,path_b,same,score (empty: not acquired). */
static int write_scores(const struct work *work, const char *path)
{
    FILE *file = fopen(path, "we");
    int r = 0;

    if (file == NULL)
        return -errno;
    fprintf(file, "path_a,path_b,same,score\n");
    for (size_t i = 0; i < work->pairs->npairs; i++) {
        const struct pair *p = &work->pairs->pairs[i];

        fprintf(file, "%s,%s,%d,", work->pairs->pictures[p->a].path, work->pairs->pictures[p->b].path, p->same);
        if (work->results[p->a].vector != NULL && work->results[p->b].vector != NULL)
            fprintf(file, "%.6f", (double)score_of(work, p->a, p->b));
        fputc('\n', file);
    }
    if (ferror(file))
        r = -EIO;
    if (fclose(file) != 0)
        r = -errno;
    return r;
}

static void usage(FILE *to)
{
    fputs("uketsuke-evaluate --models DIR --pairs FILE [--root DIR] [--threads N] [--scores FILE]\n"
          "  --models DIR    モデルの目録のあるディレクトリ / directory with the model manifest\n"
          "  --pairs FILE    path_a,path_b,same (CSV)\n"
          "  --root DIR      画像のパスの起点。省略時は FILE のディレクトリ / where paths begin (default: where FILE stands)\n"
          "  --threads N     並列数 / threads (default: processors)\n"
          "  --scores FILE   組ごとの得点をCSVに書く / write each pair's score\n",
          to);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"models", required_argument, NULL, 'm'}, {"pairs", required_argument, NULL, 'p'},
        {"root", required_argument, NULL, 'r'},   {"threads", required_argument, NULL, 't'},
        {"scores", required_argument, NULL, 's'}, {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *models = NULL, *list = NULL, *root = NULL, *scores = NULL;
    long threads = sysconf(_SC_NPROCESSORS_ONLN);
    char why[MANIFEST_WHY], *folder = NULL;
    struct manifest *manifest = NULL;
    struct pairs pairs = {0};
    struct work work = {0};
    size_t line;
    int c, r;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'm':
            models = optarg;
            break;
        case 'p':
            list = optarg;
            break;
        case 'r':
            root = optarg;
            break;
        case 't':
            threads = strtol(optarg, NULL, 10);
            break;
        case 's':
            scores = optarg;
            break;
        case 'h':
            usage(stdout);
            return 0;
        default:
            usage(stderr);
            return 2;
        }
    }
    if (models == NULL || list == NULL || optind != argc || threads < 1) {
        usage(stderr);
        return 2;
    }
    dnn_setup();
    r = manifest_load(&manifest, models, why);
    if (r < 0) {
        fprintf(stderr, "%s\n", why);
        goto out;
    }
    r = pairs_read(&pairs, list, &line);
    if (r < 0) {
        fprintf(stderr, "%s:%zu: %s\n", list, line, strerror(-r));
        goto out;
    }
    if (root == NULL) {
        char *slash;

        folder = strdup(list);
        slash = folder != NULL ? strrchr(folder, '/') : NULL;
        if (slash != NULL)
            *slash = '\0';
        root = slash != NULL ? folder : ".";
    }
    work.manifest = manifest;
    work.pairs = &pairs;
    work.root = root;
    work.results = calloc(pairs.npictures, sizeof(*work.results));
    r = work.results == NULL ? -ENOMEM : acquire_all(&work, (unsigned)(threads > THREADS_MOST ? THREADS_MOST : threads));
    if (r == 0)
        r = report(&work);
    if (r == 0 && scores != NULL)
        r = write_scores(&work, scores);
    if (r < 0)
        fprintf(stderr, "%s\n", strerror(-r));
out:
    for (size_t i = 0; work.results != NULL && i < pairs.npictures; i++)
        free(work.results[i].vector);
    free(work.results);
    pairs_free(&pairs);
    manifest_free(&manifest);
    free(folder);
    return r < 0;
}
