#include "evaluate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 2000

static const double rates[] = {1e-2, 1e-3, 1e-4, 1e-5};
#define RATES (sizeof(rates) / sizeof(rates[0]))

static int ascending(const void *a, const void *b)
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
    qsort(room, n, sizeof(*room), ascending);
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

static void print_quality(const struct work *work)
{
    size_t counts[FAILURE_COUNT] = {0}, live = 0, below_half = 0;

    for (size_t i = 0; i < work->pairs->npictures; i++) {
        const struct frame_report *r = &work->results[i].report;
        enum failure failure;

        if (work->results[i].probe == NULL)
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
            printf("  %-24s %8zu\n", f == FAILURE_NONE ? "good" : failure_text((uint16_t)f)->name,
                   counts[f]);
    if (live > 0)
        printf("liveness below 0.5: %zu of %zu (%.1f %%)\n", below_half, live,
               100 * (double)below_half / (double)live);
}

/* Errors of each person under two thresholds; genuine comparisons of one person need not stand
 * together in the list. */
static size_t count_people(const struct comparisons *ours, const struct comparisons *several,
                           float t_ours, float t_several, struct person *people, const char **names)
{
    size_t n = 0;

    for (size_t i = 0; i < ours->genuine.count; i++) {
        size_t at = 0;

        while (at < n && strcmp(names[at], ours->identity[i]) != 0)
            at++;
        if (at == n) {
            names[n] = ours->identity[i];
            people[n++] = (struct person){0, 0, 0};
        }
        people[at].comparisons++;
        people[at].errors_a += ours->by_pair[i] < t_ours;
        people[at].errors_b += several->by_pair[i] < t_several;
    }
    return n;
}

static int print_rates(const struct work *work, const struct comparisons *ours,
                       const struct comparisons *several)
{
    struct person *people = calloc(ours->genuine.count + 1, sizeof(*people));
    const char **names = calloc(ours->genuine.count + 1, sizeof(*names));
    int r = people == NULL || names == NULL ? -ENOMEM : 0;

    for (size_t i = 0; i < RATES && r == 0; i++) {
        const float t = threshold_at_fmr(&ours->impostor, rates[i]),
                    u = threshold_at_fmr(&several->impostor, rates[i]);
        const float shipped = work->manifest->models[MODEL_RECOGNISER].thresholds[i];
        struct drawn drawn;
        size_t n;

        if (rates[i] * (double)ours->impostor.count < 1) {
            printf("FMR %.0e: too few impostor comparisons\n", rates[i]);
            continue;
        }
        n = count_people(ours, several, t, u, people, names);
        r = bootstrap(people, n, ROUNDS, 1, &drawn);
        printf("FMR %.0e  threshold %.4f  FNMR %.4f [%.4f, %.4f]   six views: threshold %.4f  FNMR "
               "%.4f [%.4f, %.4f]\n",
               rates[i], (double)t, fnmr_at(&ours->genuine, t), drawn.a.low, drawn.a.high,
               (double)u, fnmr_at(&several->genuine, u), drawn.b.low, drawn.b.high);
        printf("           six views less ours %+.4f [%+.4f, %+.4f]   manifest's %.2f: FMR %.2e  "
               "FNMR %.4f\n",
               fnmr_at(&several->genuine, u) - fnmr_at(&ours->genuine, t), drawn.difference.low,
               drawn.difference.high, (double)shipped, fmr_at(&ours->impostor, shipped),
               fnmr_at(&ours->genuine, shipped));
    }
    free(people);
    free(names);
    return r;
}

int report_print(const struct work *work, const struct comparisons *ours,
                 const struct comparisons *several)
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
        printf("AUC (listed pairs)    %.5f   six views %.5f\n",
               area_under_roc(&ours->genuine, &ours->listed),
               area_under_roc(&several->genuine, &several->listed));
    printf("AUC (all impostors)   %.5f   six views %.5f\n",
           area_under_roc(&ours->genuine, &ours->impostor),
           area_under_roc(&several->genuine, &several->impostor));
    printf("EER (all impostors)   %.4f    six views %.4f\n",
           equal_error_rate(&ours->genuine, &ours->impostor),
           equal_error_rate(&several->genuine, &several->impostor));
    printf("intervals: 95 %%, people drawn again %d times; six views: the mean of "
           "six views of each reference, tried beside the one that is used\n",
           ROUNDS);
    r = print_rates(work, ours, several);
    print_quality(work);
    if (r == 0)
        r = print_times(work);
    return r;
}
