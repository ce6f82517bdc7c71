#include "evaluate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int ascending_us(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void print_time(const struct work *work, const char *name, size_t offset, uint32_t *room)
{
    size_t n = 0, middle, late;

    for (size_t i = 0; i < work->pairs->npictures; i++)
        if (work->results[i].probe != NULL)
            memcpy(&room[n++], (const char *)&work->results[i].report + offset, sizeof(uint32_t));
    if (n == 0)
        return;
    qsort(room, n, sizeof(*room), ascending_us);
    middle = n / 2;
    late = n * 95 / 100;
    printf("  %-10s %8.2f ms median  %8.2f ms p95\n", name, room[middle] / 1000.0,
           room[late] / 1000.0);
}

static int print_times(const struct work *work)
{
    uint32_t *room = calloc(work->pairs->npictures + 1, sizeof(*room));

    if (room == NULL)
        return -ENOMEM;
    printf("time a probe, one thread of ours each (a busy machine shows)\n");
    print_time(work, "decode", offsetof(struct frame_report, decode_us), room);
    print_time(work, "detect", offsetof(struct frame_report, detect_us), room);
    print_time(work, "landmarks", offsetof(struct frame_report, landmarks_us), room);
    print_time(work, "embed", offsetof(struct frame_report, embed_us), room);
    print_time(work, "liveness", offsetof(struct frame_report, live_us), room);
    free(room);
    return 0;
}

enum failure quality_judged(const struct frame_report *report)
{
    const enum failure failure = quality_judge_shape(&report->quality, &quality_bounds_default);

    return failure != FAILURE_NONE ? failure
                                   : quality_judge_light(&report->quality, &quality_bounds_default);
}

static void print_quality(const struct work *work)
{
    size_t counts[FAILURE_COUNT] = {0}, live = 0, below_half = 0;

    for (size_t i = 0; i < work->pairs->npictures; i++) {
        const struct frame_report *r = &work->results[i].report;

        if (!work->pairs->pictures[i].probe || work->results[i].probe == NULL)
            continue;
        live += r->live_known;
        below_half += r->live_known && r->live < 0.5f;
        counts[quality_judged(r)]++;
    }
    printf("quality bounds (not applied here)\n");
    for (size_t f = 0; f < FAILURE_COUNT; f++)
        if (counts[f] > 0)
            printf("  %-24s %8zu\n", f == FAILURE_NONE ? "good" : failure_text((uint16_t)f)->name,
                   counts[f]);
    if (live > 0)
        printf("liveness below 0.5: %zu of %zu (%.1f %%)\n", below_half, live,
               100 * (double)below_half / (double)live);
}

/* Errors of each person under two thresholds; genuine comparisons of one person need not stand
 * together in the list. */
static size_t count_people(const struct work *work, const float *a, const float *b, float t_a,
                           float t_b, struct person *people, const char **names)
{
    size_t n = 0;

    for (size_t i = 0; i < work->pairs->npairs; i++) {
        const char *name = work->pairs->pictures[work->pairs->pairs[i].a].identity;
        size_t at = 0;

        if (isnan(a[i]) || isnan(b[i]))
            continue;
        while (at < n && strcmp(names[at], name) != 0)
            at++;
        if (at == n) {
            names[n] = name;
            people[n++] = (struct person){0, 0, 0};
        }
        people[at].comparisons++;
        people[at].errors_a += a[i] < t_a;
        people[at].errors_b += b[i] < t_b;
    }
    return n;
}

ssize_t draw_people(const struct work *work, const float *a, const float *b, float t_a, float t_b,
                    struct person *sum, struct drawn *out)
{
    struct person *people = calloc(work->pairs->npairs, sizeof(*people));
    const char **names = calloc(work->pairs->npairs, sizeof(*names));
    ssize_t r = -ENOMEM;

    memset(sum, 0, sizeof(*sum));
    if (people != NULL && names != NULL) {
        const size_t n = count_people(work, a, b, t_a, t_b, people, names);

        for (size_t i = 0; i < n; i++) {
            sum->comparisons += people[i].comparisons;
            sum->errors_a += people[i].errors_a;
            sum->errors_b += people[i].errors_b;
        }
        r = bootstrap(people, n, EVALUATE_ROUNDS, 1, out);
        if (r == 0)
            r = (ssize_t)sum->comparisons;
    }
    free(people);
    free(names);
    return r;
}

static int print_rates(const struct work *work, const struct comparisons *ours)
{
    for (size_t i = 0; i < FMR_COUNT; i++) {
        const float t = threshold_at_fmr(&ours->impostor, evaluate_rates[i]);
        const float shipped = work->manifest->models[MODEL_RECOGNISER].thresholds[i];
        struct person sum;
        struct drawn drawn;

        if (evaluate_rates[i] * (double)ours->impostor.count < 1) {
            printf("FMR %.0e: too few impostor comparisons\n", evaluate_rates[i]);
            continue;
        }
        if (draw_people(work, ours->by_pair, ours->by_pair, t, t, &sum, &drawn) < 0)
            return -ENOMEM;
        printf("FMR %.0e  threshold %.4f  FNMR %.4f [%.4f, %.4f]   manifest's %.3f: FMR %.2e  FNMR "
               "%.4f\n",
               evaluate_rates[i], (double)t, fnmr_at(&ours->genuine, t), drawn.a.low, drawn.a.high,
               (double)shipped, fmr_at(&ours->impostor, shipped), fnmr_at(&ours->genuine, shipped));
    }
    return 0;
}

int report_print(const struct work *work, const struct comparisons *ours)
{
    size_t failed = 0, used = 0;
    int r;

    for (size_t i = 0; i < work->pairs->npictures; i++) {
        const struct picture *picture = &work->pairs->pictures[i];

        used += picture->probe || picture->reference;
        failed += (picture->probe && work->results[i].probe == NULL) ||
                  (picture->reference && work->results[i].reference == NULL);
    }
    printf("models                %s\n", work->manifest->name);
    printf("pictures              %zu, failure to acquire %zu (%.4f)\n", work->pairs->npictures,
           failed, (double)failed / (double)used);
    printf("genuine comparisons   %zu (%zu more not acquired)\n", ours->genuine.count,
           ours->missed);
    printf("impostor comparisons  %zu across identities (not independent), %zu listed\n",
           ours->impostor.count, ours->listed.count);
    if (ours->listed.count > 0)
        printf("AUC (listed pairs)    %.5f\n", area_under_roc(&ours->genuine, &ours->listed));
    printf("AUC (all impostors)   %.5f\n", area_under_roc(&ours->genuine, &ours->impostor));
    printf("EER (all impostors)   %.4f\n", equal_error_rate(&ours->genuine, &ours->impostor));
    printf("intervals: 95 %%, people drawn again %d times\n", EVALUATE_ROUNDS);
    r = print_rates(work, ours);
    print_quality(work);
    if (r == 0)
        r = print_times(work);
    return r;
}
