/*
 * bench_matcher: what a frame costs, stage by stage, and how many verifications a second come out.
 *
 *   bench_matcher MODELS FRAMES PHOTO [FRAMES-PER-STAGE]
 *
 * MODELS: model directory. FRAMES: directory of frame_00001.jpg... PHOTO: a chip photo (JPEG 2000)
 * of the person in them. One run, printed as medians with the spread between the quartiles.
 * Allocations are counted at the entry points of malloc and posix_memalign on the thread that works
 * (left out in a sanitizer build, which has its own); those inside OpenCV's nets and turbojpeg are
 * told apart by the linker's --wrap.
 */
#include "daemon/common/memfd.h"
#include "daemon/matcher/align.h"
#include "daemon/matcher/dnn.h"
#include "daemon/matcher/session.h"
#include "plain_dnn.h"

#include <errno.h>
#include <malloc.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <turbojpeg.h>
#include <unistd.h>

#define FRAMES_MOST 300

struct bytes {
    uint8_t *data;
    size_t len;
};

static struct bytes frames[FRAMES_MOST], photo;
static size_t nframes;

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int read_file(const char *path, struct bytes *out)
{
    FILE *file = fopen(path, "re");
    long size;
    int r = 0;

    if (file == NULL)
        return -errno;
    if (fseek(file, 0, SEEK_END) < 0 || (size = ftell(file)) < 0) {
        r = -EIO;
        goto out;
    }
    rewind(file);
    out->len = (size_t)size;
    out->data = malloc(out->len + 1);
    if (out->data == NULL || fread(out->data, 1, out->len, file) != out->len)
        r = -EIO;
out:
    fclose(file);
    return r;
}

static int ascending(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void print_row(const char *name, uint32_t *us, size_t n)
{
    qsort(us, n, sizeof(*us), ascending);
    printf("%-26s %9.2f ms   (%.2f to %.2f)\n", name, us[n / 2] / 1000.0, us[n / 4] / 1000.0,
           us[n * 3 / 4] / 1000.0);
}

/* ---- allocations ----------------------------------------------------------------------------- */

static _Thread_local uint64_t allocations, own_allocations; /* all; those outside the libraries */
static _Thread_local unsigned inside;
#ifndef __SANITIZE_ADDRESS__
extern void *__libc_malloc(size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
void *malloc(size_t size)
{
    allocations++;
    own_allocations += inside == 0;
    return __libc_malloc(size);
}
int posix_memalign(void **out, size_t alignment, size_t size)
{
    allocations++;
    own_allocations += inside == 0;
    *out = __libc_memalign(alignment, size);
    return *out == NULL ? ENOMEM : 0;
}
#endif

#define INSIDE(call)                                                                               \
    int r;                                                                                         \
    inside++;                                                                                      \
    r = (call);                                                                                    \
    inside--;                                                                                      \
    return r
int __real_dnn_run(struct dnn_net *net, const float *input, struct dnn_tensor *out, size_t most,
                   size_t *count);
int __wrap_dnn_run(struct dnn_net *net, const float *input, struct dnn_tensor *out, size_t most,
                   size_t *count);
int __wrap_dnn_run(struct dnn_net *net, const float *input, struct dnn_tensor *out, size_t most,
                   size_t *count)
{
    INSIDE(__real_dnn_run(net, input, out, most, count));
}
int __real_tjDecompressHeader3(tjhandle h, const unsigned char *d, unsigned long n, int *x, int *y,
                               int *s, int *c);
int __wrap_tjDecompressHeader3(tjhandle h, const unsigned char *d, unsigned long n, int *x, int *y,
                               int *s, int *c);
int __wrap_tjDecompressHeader3(tjhandle h, const unsigned char *d, unsigned long n, int *x, int *y,
                               int *s, int *c)
{
    INSIDE(__real_tjDecompressHeader3(h, d, n, x, y, s, c));
}
int __real_tjDecompress2(tjhandle h, const unsigned char *d, unsigned long n, unsigned char *o,
                         int w, int p, int y, int f, int g);
int __wrap_tjDecompress2(tjhandle h, const unsigned char *d, unsigned long n, unsigned char *o,
                         int w, int p, int y, int f, int g);
int __wrap_tjDecompress2(tjhandle h, const unsigned char *d, unsigned long n, unsigned char *o,
                         int w, int p, int y, int f, int g)
{
    INSIDE(__real_tjDecompress2(h, d, n, o, w, p, y, f, g));
}
int __real_tjCompress2(tjhandle h, const unsigned char *d, int w, int p, int y, int f,
                       unsigned char **o, unsigned long *n, int s, int q, int g);
int __wrap_tjCompress2(tjhandle h, const unsigned char *d, int w, int p, int y, int f,
                       unsigned char **o, unsigned long *n, int s, int q, int g);
int __wrap_tjCompress2(tjhandle h, const unsigned char *d, int w, int p, int y, int f,
                       unsigned char **o, unsigned long *n, int s, int q, int g)
{
    INSIDE(__real_tjCompress2(h, d, w, p, y, f, o, n, s, q, g));
}

/* ---- stages ---------------------------------------------------------------------------------- */

enum {
    STAGE_DECODE,
    STAGE_DETECT,
    STAGE_LANDMARKS,
    STAGE_EMBED,
    STAGE_LIVENESS,
    STAGE_PREVIEW,
    STAGE_ALL,
    STAGES
};
static const char *const stage_names[STAGES] = {
    "decode", "detect", "landmarks and quality", "embed", "liveness", "preview", "whole frame"};

static int bench_stages(struct engine *engine, const struct embedding *reference, size_t rounds)
{
    uint32_t *us[STAGES];
    uint64_t most_allocations = 0, most_own = 0;
    size_t n = 0;

    for (int s = 0; s < STAGES; s++) {
        us[s] = calloc(rounds, sizeof(uint32_t));
        if (us[s] == NULL)
            return -ENOMEM;
    }
    for (size_t i = 0; i < rounds; i++) {
        const struct bytes *f = &frames[i % nframes];
        const struct frame frame = {DECODE_MJPEG, 640, 480, f->data, f->len};
        const uint64_t from = now_us(), before = allocations, own = own_allocations;
        struct frame_report r;
        uint32_t all;

        engine_frame(engine, &frame, reference,
                     WANT_LIVENESS | WANT_PREVIEW | WANT_TRACE | (i % 3 == 0 ? WANT_GRID : 0), &r);
        all = (uint32_t)(now_us() - from);
        if (i > 2 && allocations - before > most_allocations)
            most_allocations = allocations - before;
        if (i > 2 && own_allocations - own > most_own)
            most_own = own_allocations - own;
        if (r.failure != FAILURE_NONE)
            continue;
        us[STAGE_DECODE][n] = r.decode_us;
        us[STAGE_DETECT][n] = r.detect_us;
        us[STAGE_LANDMARKS][n] = r.landmarks_us;
        us[STAGE_EMBED][n] = r.embed_us;
        us[STAGE_LIVENESS][n] = r.live_us;
        us[STAGE_PREVIEW][n] = r.preview_us;
        us[STAGE_ALL][n++] = all;
    }
    printf("stages, one thread, %zu frames with a score of %zu\n", n, rounds);
    for (int s = 0; s < STAGES; s++) {
        if (n > 0)
            print_row(stage_names[s], us[s], n);
        free(us[s]);
    }
    printf("%-26s %9llu at most, %llu of them outside OpenCV's nets and turbojpeg\n",
           "allocations per frame", (unsigned long long)most_allocations,
           (unsigned long long)most_own);
    return n > 0 ? 0 : -ENODATA;
}

/* ---- against plain use ----------------------------------------------------------------------- */

static uint32_t cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint32_t)((uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000);
}

/*
 * The same frames, one after the other by each, in processor time (the machine's other work is not
 * in it): decode, detect, points, align, embed, liveness. What the matcher does beside (quality,
 * which plain use lacks) is in its time.
 */
static int bench_against_plain(const char *models, struct engine *engine,
                               const struct embedding *reference, size_t rounds)
{
    uint32_t *ours = calloc(rounds, sizeof(*ours)), *plain = calloc(rounds, sizeof(*plain));
    double least = 1;
    size_t n = 0;
    int r = ours == NULL || plain == NULL ? -ENOMEM : plain_open(models);

    for (size_t i = 0; i < rounds && r == 0; i++) {
        const struct bytes *f = &frames[i % nframes];
        const struct frame frame = {DECODE_MJPEG, 640, 480, f->data, f->len};
        struct frame_report report;
        float vector[512];
        uint32_t from = cpu_us();
        int failed;

        engine_frame(engine, &frame, reference, WANT_LIVENESS, &report);
        ours[n] = cpu_us() - from;
        from = cpu_us();
        failed = plain_frame(f->data, f->len, vector);
        plain[n] = cpu_us() - from;
        if (i < 3 || failed != 0 || report.failure != FAILURE_NONE)
            continue;
        least =
            fmin(least, 1 - fabs((double)embed_cosine(vector, embedding_floats(reference), 512) -
                                 (double)report.score));
        n++;
    }
    if (r == 0 && n > 0) {
        double sum[2] = {0, 0};

        for (size_t i = 0; i < n; i++) {
            sum[0] += ours[i];
            sum[1] += plain[i];
        }
        printf("against plain cv::dnn calls for the same work, processor time, %zu frames (scores "
               "within %.3f of each other)\n",
               n, 1 - least);
        print_row("  matcher", ours, n);
        print_row("  plain", plain, n);
        printf("  ratio of the sums %.3f; frames a second and core %.1f\n", sum[0] / sum[1],
               1e6 * (double)n / sum[0]);
    } else if (r == 0) {
        r = -ENODATA;
    }
    plain_close();
    free(ours);
    free(plain);
    return r;
}

/* The film in its order, each frame searched and each frame followed (engine.h): what it saves of
 * processor time, and whether any frame would be judged otherwise. */
static int bench_following(struct engine *engine, const struct embedding *reference, float least,
                           size_t rounds)
{
    struct track track = {.least = least};
    double sum[2] = {0, 0}, apart = 0;
    size_t followed = 0, otherwise = 0, n = rounds < nframes ? rounds : nframes;

    for (size_t i = 0; i < n; i++) {
        const struct frame frame = {DECODE_MJPEG, 640, 480, frames[i].data, frames[i].len};
        struct frame_report searched, by_track;
        uint32_t from = cpu_us();

        engine_frame(engine, &frame, reference, WANT_LIVENESS, &searched);
        sum[0] += cpu_us() - from;
        track.now_us = i * 66667;
        from = cpu_us();
        engine_follow(engine, &frame, reference, WANT_LIVENESS, &track, &by_track);
        sum[1] += cpu_us() - from;
        followed += by_track.followed;
        otherwise += searched.failure != by_track.failure ||
                     (searched.score >= least) != (by_track.score >= least);
        apart = fmax(apart, fabs((double)searched.score - (double)by_track.score));
    }
    if (n == 0 || !(sum[0] > 0))
        return -ENODATA;
    printf("following a face instead of searching each frame: %zu of %zu not searched, processor "
           "time %.3f of before (%.1f frames a second and core), scores within %.3f, %zu frames "
           "judged otherwise\n",
           followed, n, sum[1] / sum[0], 1e6 * (double)n / sum[1], apart, otherwise);
    return 0;
}

/* What this process takes of the machine's memory, shared pages by their share. */
static void print_pss(const char *when)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    char line[200];
    long kb;

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "Pss: %ld kB", &kb) == 1)
            printf("%-40s PSS %.1f MB\n", when, (double)kb / 1024);
    if (file != NULL)
        fclose(file);
}

/* ---- verifications --------------------------------------------------------------------------- */

struct visit {
    struct session *session;
    size_t at;        /* next frame */
    size_t *answered; /* of the lane */
    uint64_t begun;
    bool ended;
    enum decision decision;
};

struct course {
    struct session_shared shared;
    uint32_t us[4096];
    size_t done, wrong;
};
static struct course course;

static void on_ready(void *arg, const struct msg_match_ready *ready)
{
    (void)arg;
    (void)ready;
}
static void on_failed(void *arg, const struct msg_match_failed *failed)
{
    (void)failed;
    ((struct visit *)arg)->ended = true;
}
static void on_result(void *arg, const struct msg_match_result *result, int preview)
{
    struct visit *visit = arg;

    (void)preview;
    visit->decision = (enum decision)result->decision;
    visit->ended = visit->decision != DECISION_NOT_YET;
    visit->at++;
    (*visit->answered)++;
}
static const struct session_answers answers = {on_ready, on_failed, on_result};

static int visit_begin(struct visit *visit, size_t number, size_t *answered)
{
    memset(visit, 0, sizeof(*visit));
    visit->answered = answered;
    visit->at = (number * 37) % nframes;
    visit->begun = now_us();
    return session_new(&visit->session, &course.shared, number, (uint32_t)photo.len, true,
                       memfd_seal("photo", photo.data, photo.len), &answers, visit);
}

static void visit_feed(struct visit *visit)
{
    const struct bytes *f = &frames[visit->at % nframes];
    const struct msg_match_frame frame = {.visit = session_visit(visit->session),
                                          .frame = (uint32_t)visit->at,
                                          .captured_us = visit->at * 200000,
                                          .format = DECODE_MJPEG,
                                          .width = 640,
                                          .height = 480,
                                          .bytes = (uint32_t)f->len};

    session_frame(visit->session, &frame, memfd_seal("frame", f->data, f->len));
}

/* `lanes` visits at a time, each as fast as it can, for some seconds. */
static int bench_lanes(size_t lanes, double seconds)
{
    size_t fed[8], number = 1, finished[8] = {0}, answered[8] = {0}, fewest = SIZE_MAX, most = 0;
    struct visit visits[8];
    size_t all = 0;
    const uint64_t from = now_us();
    double took;

    course.done = course.wrong = 0;
    for (size_t i = 0; i < lanes; i++) {
        if (visit_begin(&visits[i], number++, &answered[i]) < 0)
            return -ENOMEM;
        fed[i] = SIZE_MAX;
    }
    while ((double)(now_us() - from) < seconds * 1e6) {
        for (size_t i = 0; i < lanes; i++) {
            if (visits[i].ended) {
                if (course.done < sizeof(course.us) / sizeof(course.us[0]))
                    course.us[course.done++] = (uint32_t)(now_us() - visits[i].begun);
                course.wrong += visits[i].decision != DECISION_SAME;
                finished[i]++;
                session_free(&visits[i].session);
                if (visit_begin(&visits[i], number++, &answered[i]) < 0)
                    return -ENOMEM;
                fed[i] = SIZE_MAX;
            }
            if (fed[i] != visits[i].at) {
                fed[i] = visits[i].at;
                visit_feed(&visits[i]);
            }
        }
        pool_drain(course.shared.pool, true);
    }
    took = (double)(now_us() - from) / 1e6;
    for (size_t i = 0; i < lanes; i++)
        session_free(&visits[i].session);
    for (size_t i = 0; i < lanes; i++) {
        fewest = answered[i] < fewest ? answered[i] : fewest;
        most = answered[i] > most ? answered[i] : most;
        all += answered[i];
    }
    printf("%zu lanes: %.1f verifications a second, %zu of %zu not accepted; %.1f frames a second, "
           "a lane had %zu to %zu of them (spread %.0f %%)\n",
           lanes, (double)course.done / took, course.wrong, course.done, (double)all / took, fewest,
           most, most > 0 ? 100 * (double)(most - fewest) / (double)most : 0);
    if (course.done > 0)
        print_row("  photo to decision", course.us, course.done);
    return 0;
}

/* Ten visits one after the other on a pool that has just started: is the first one slower? */
static int bench_first(void)
{
    enum { VISITS = 10 };
    uint32_t us[VISITS];
    size_t answered = 0;

    for (size_t i = 0; i < VISITS; i++) {
        struct visit visit;
        size_t fed = SIZE_MAX;

        if (visit_begin(&visit, i + 1, &answered) < 0)
            return -ENOMEM;
        while (!visit.ended) {
            if (fed != visit.at) {
                fed = visit.at;
                visit_feed(&visit);
            }
            pool_drain(course.shared.pool, true);
        }
        us[i] = (uint32_t)(now_us() - visit.begun);
        session_free(&visit.session);
    }
    printf("first decision after start %.0f ms", us[0] / 1000.0);
    qsort(us + 1, VISITS - 1, sizeof(us[0]), ascending);
    printf(", the next nine %.0f ms (%.0f to %.0f)\n", us[VISITS / 2] / 1000.0, us[1] / 1000.0,
           us[VISITS - 1] / 1000.0);
    return 0;
}

int main(int argc, char **argv)
{
    const size_t rounds = argc > 4 ? strtoul(argv[4], NULL, 10) : 200;
    struct embedding reference = {0};
    struct manifest *manifest = NULL;
    struct engine *engine = NULL;
    char why[MANIFEST_WHY] = "";
    int r;

    if (argc < 4 || rounds == 0) {
        fprintf(stderr, "bench_matcher MODELS FRAMES PHOTO [FRAMES-PER-STAGE]\n");
        return 2;
    }
    for (; nframes < FRAMES_MOST; nframes++) {
        char path[4300];

        snprintf(path, sizeof(path), "%s/frame_%05zu.jpg", argv[2], nframes + 1);
        if (read_file(path, &frames[nframes]) < 0)
            break;
    }
    if (nframes == 0 || read_file(argv[3], &photo) < 0) {
        fprintf(stderr, "no frames in %s, or no photo %s\n", argv[2], argv[3]);
        return 1;
    }
    dnn_setup();
    r = manifest_load(&manifest, argv[1], why);
    if (r == 0)
        r = engine_new(&engine, manifest, why);
    if (r == 0)
        r = embedding_new(&reference, manifest);
    if (r < 0) {
        fprintf(stderr, "%s\n", why);
        goto out;
    }
    if (engine_photo(engine, photo.data, photo.len, &reference) != FAILURE_NONE) {
        fprintf(stderr, "the photo is not usable\n");
        r = -EINVAL;
        goto out;
    }
    r = bench_stages(engine, &reference, rounds);
    if (r == 0)
        r = bench_against_plain(argv[1], engine, &reference, rounds);
    if (r == 0)
        r = bench_following(engine, &reference,
                            manifest->models[MODEL_RECOGNISER].thresholds[FMR_1E4], rounds);
    if (r < 0)
        goto out;
    print_pss("one engine, plain nets gone");
    r = pool_new(&course.shared.pool, NULL, manifest, (unsigned)sysconf(_SC_NPROCESSORS_ONLN), why);
    if (r < 0)
        goto out;
    course.shared.manifest = manifest;
    decision_rule_set(&course.shared.rule, manifest->models[MODEL_RECOGNISER].thresholds,
                      manifest->models[MODEL_RECOGNISER].noise, FMR_1E4, 0);
    course.shared.rule.live_pass = manifest->models[MODEL_LIVENESS].pass;
    course.shared.rule.live_fail = manifest->models[MODEL_LIVENESS].fail;
    print_pss("and a pool of as many engines as processors");
    r = bench_first();
    if (r < 0)
        goto out;
    printf("verifications as fast as frames are taken (0.2 s of camera time apart), %ld threads\n",
           sysconf(_SC_NPROCESSORS_ONLN));
    for (size_t lanes = 1; lanes <= 8 && r == 0; lanes *= lanes == 1 ? 4 : 2)
        r = bench_lanes(lanes, lanes == 8 ? 10 : 4);
out:
    pool_free(&course.shared.pool);
    embedding_free(&reference);
    engine_free(&engine);
    manifest_free(&manifest);
    free(photo.data);
    for (size_t i = 0; i < nframes; i++)
        free(frames[i].data);
    return r < 0;
}
