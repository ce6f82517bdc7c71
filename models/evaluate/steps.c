/*
 * What each step gives, against going without it: on the same genuine comparisons, each way at its
 * own threshold for the same false match rate.
 *
 *   plain     another program's vectors (--against) and this matcher's
 *   mirror    photo and probe as they are, and with what a mirror shows of them
 *   quality   the probes that a visit would compare and those that it turns away
 *   several   one probe and the mean score of up to TOGETHER probes of the person. They are
 *             pictures of different days here, not frames of one visit; none is the photo that the
 *             reference was made from. Against this matcher's one picture, and against plain use of
 *             one.
 */
#include "evaluate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TOGETHER 3

/* One way to score, for the comparison of two. */
struct way {
    const char *name;
    const float *by_pair;
    const struct scores *impostor;
};

static int print_step(const struct work *work, const char *words, const struct way *before,
                      const struct way *after)
{
    printf("%s\n", words);
    for (size_t i = 0; i < FMR_COUNT; i++) {
        const double rate = evaluate_rates[i];
        const float t = threshold_at_fmr(before->impostor, rate),
                    u = threshold_at_fmr(after->impostor, rate);
        struct person sum;
        struct drawn drawn;
        ssize_t n;

        if (rate * (double)before->impostor->count < 1 || rate * (double)after->impostor->count < 1)
            continue;
        n = draw_people(work, before->by_pair, after->by_pair, t, u, &sum, &drawn);
        if (n < 0)
            return (int)n;
        if (n == 0)
            continue;
        printf("  FMR %.0e  %zd pairs  %s FNMR %.4f [%.4f, %.4f]  %s %.4f [%.4f, %.4f]  "
               "difference %+.4f [%+.4f, %+.4f]\n",
               rate, n, before->name, (double)sum.errors_a / (double)n, drawn.a.low, drawn.a.high,
               after->name, (double)sum.errors_b / (double)n, drawn.b.low, drawn.b.high,
               ((double)sum.errors_b - (double)sum.errors_a) / (double)n, drawn.difference.low,
               drawn.difference.high);
    }
    return 0;
}

/* ---- quality --------------------------------------------------------------------------------- */

/* At the thresholds of all: those whose probe would be compared in a visit, and the others. */
static void print_quality_step(const struct work *work, const struct comparisons *ours)
{
    printf("quality bounds, which a visit applies (not applied above), at the same thresholds\n");
    for (size_t i = 0; i < FMR_COUNT; i++) {
        const float t = threshold_at_fmr(&ours->impostor, evaluate_rates[i]);
        size_t n[2] = {0, 0}, errors[2] = {0, 0};

        if (evaluate_rates[i] * (double)ours->impostor.count < 1)
            continue;
        for (size_t k = 0; k < work->pairs->npairs; k++) {
            const bool good =
                quality_judged(&work->results[work->pairs->pairs[k].b].report) == FAILURE_NONE;

            if (isnan(ours->by_pair[k]))
                continue;
            n[good]++;
            errors[good] += ours->by_pair[k] < t;
        }
        printf("  FMR %.0e  good: %zu of %zu missed (%.4f)   turned away: %zu of %zu missed "
               "(%.4f)\n",
               evaluate_rates[i], errors[1], n[1], n[1] > 0 ? (double)errors[1] / (double)n[1] : 0,
               errors[0], n[0], n[0] > 0 ? (double)errors[0] / (double)n[0] : 0);
    }
}

/* ---- several pictures ------------------------------------------------------------------------ */

/* The file's name without its ending: a card-like reference has that of the picture it was made
 * from. */
static size_t stem_of(const char *path, const char **stem)
{
    const char *slash = strrchr(path, '/'), *dot;

    *stem = slash != NULL ? slash + 1 : path;
    dot = strrchr(*stem, '.');
    return dot != NULL ? (size_t)(dot - *stem) : strlen(*stem);
}

static bool same_photo(const struct picture *a, const struct picture *b)
{
    const char *x, *y;
    const size_t n = stem_of(a->path, &x);

    return n == stem_of(b->path, &y) && memcmp(x, y, n) == 0;
}

/* The probes of each person, in the order of the list. */
struct people {
    size_t *of;    /* person of each picture */
    size_t *first; /* first picture of each person */
    size_t *next;  /* next probe of the same person; SIZE_MAX: none */
    size_t count;
};

static void people_free(struct people *p)
{
    free(p->of);
    free(p->first);
    free(p->next);
}

static int people_find(const struct work *work, struct people *p)
{
    const size_t n = work->pairs->npictures;

    p->of = calloc(n, sizeof(size_t));
    p->first = calloc(n, sizeof(size_t));
    p->next = calloc(n, sizeof(size_t));
    if (p->of == NULL || p->first == NULL || p->next == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct picture *picture = &work->pairs->pictures[i];
        size_t at = 0, *link;

        while (at < p->count &&
               strcmp(work->pairs->pictures[p->first[at]].identity, picture->identity) != 0)
            at++;
        if (at == p->count)
            p->first[p->count++] = i;
        p->of[i] = at;
        p->next[i] = SIZE_MAX;
        link = &p->first[at];
        while (*link != i && *link != SIZE_MAX)
            link = &p->next[*link];
        *link = i;
    }
    return 0;
}

/* Mean score of a reference with up to TOGETHER probes of a person, `begin` (SIZE_MAX: none) being
 * the first of them. NAN when there are fewer than two. */
static float mean_score(const struct work *work, const struct people *p, size_t reference,
                        size_t person, size_t begin)
{
    const struct picture *pictures = work->pairs->pictures;
    const int dimensions = work->manifest->models[MODEL_RECOGNISER].dimensions;
    const float *a = work->results[reference].reference;
    float sum = 0;
    unsigned n = 0;

    if (begin != SIZE_MAX) {
        sum = embed_cosine(a, work->results[begin].probe, dimensions);
        n = 1;
    }
    for (size_t i = p->first[person]; i != SIZE_MAX && n < TOGETHER; i = p->next[i]) {
        if (!pictures[i].probe || work->results[i].probe == NULL || i == begin ||
            (p->of[reference] == person && same_photo(&pictures[i], &pictures[reference])))
            continue;
        sum += embed_cosine(a, work->results[i].probe, dimensions);
        n++;
    }
    return n < 2 ? NAN : sum / (float)n;
}

static int print_several(const struct work *work, const struct comparisons *ours,
                         const struct comparisons *plain)
{
    const struct pairs *pairs = work->pairs;
    float *by_pair = calloc(pairs->npairs, sizeof(float));
    struct scores impostor = {0};
    struct people p = {0};
    int r = by_pair == NULL ? -ENOMEM : people_find(work, &p);

    if (r == 0)
        impostor.value = reallocarray(NULL, pairs->npictures * p.count + 1, sizeof(float));
    if (r == 0 && impostor.value == NULL)
        r = -ENOMEM;
    for (size_t i = 0; i < pairs->npairs && r == 0; i++) {
        const struct pair *pair = &pairs->pairs[i];

        by_pair[i] =
            isnan(ours->by_pair[i]) ? NAN : mean_score(work, &p, pair->a, p.of[pair->a], pair->b);
    }
    for (size_t a = 0; a < pairs->npictures && r == 0; a++) {
        if (!pairs->pictures[a].reference || work->results[a].reference == NULL)
            continue;
        for (size_t person = 0; person < p.count; person++) {
            const float score = person == p.of[a] ? NAN : mean_score(work, &p, a, person, SIZE_MAX);

            if (!isnan(score))
                impostor.value[impostor.count++] = score;
        }
    }
    if (r == 0) {
        const struct way one = {"one", ours->by_pair, &ours->impostor},
                         several = {"several", by_pair, &impostor};

        scores_sort(&impostor);
        r = print_step(work,
                       "one picture of the person, and the mean of two or three (where there are "
                       "as many)",
                       &one, &several);
        if (r == 0 && plain != NULL) {
            const struct way other = {"plain", plain->by_pair, &plain->impostor};

            r = print_step(work, "plain use of one picture, and here the mean of two or three",
                           &other, &several);
        }
    }
    people_free(&p);
    free(by_pair);
    free(impostor.value);
    return r;
}

int report_steps(const struct work *work, const struct comparisons *ours,
                 const struct comparisons *single, const struct comparisons *plain)
{
    const struct way here = {"ours", ours->by_pair, &ours->impostor},
                     bare = {"without", single->by_pair, &single->impostor};
    int r = 0;

    printf("what each step gives: the same pairs, each way at its own threshold\n");
    if (plain != NULL) {
        const struct way other = {"plain", plain->by_pair, &plain->impostor};

        printf("plain use: %zu genuine pairs not acquired, here %zu\n", plain->missed,
               ours->missed);
        r = print_step(work, "plain single-picture use, and this matcher's path", &other, &here);
    }
    if (r == 0)
        r = print_step(work, "without the mirror, and with it", &bare, &here);
    if (r == 0)
        print_quality_step(work, ours);
    return r < 0 ? r : print_several(work, ours, plain);
}
