#include "statistics.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

void scores_sort(struct scores *scores)
{
    qsort(scores->value, scores->count, sizeof(float), ascending);
}

/* How many are below `threshold`. */
static size_t below(const struct scores *s, float threshold)
{
    size_t low = 0, high = s->count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (s->value[middle] < threshold)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

float threshold_at_fmr(const struct scores *impostor, double fmr)
{
    const size_t allowed = (size_t)floor(fmr * (double)impostor->count);
    size_t i;

    if (impostor->count == 0)
        return 1;
    if (allowed >= impostor->count)
        return impostor->value[0];
    /* Just above the first score that must not match: ties of it are then below as well. */
    i = impostor->count - allowed - 1;
    return nextafterf(impostor->value[i], INFINITY);
}

double fmr_at(const struct scores *impostor, float threshold)
{
    return impostor->count == 0 ? 0
                                : 1 - (double)below(impostor, threshold) / (double)impostor->count;
}

double fnmr_at(const struct scores *genuine, float threshold)
{
    return genuine->count == 0 ? 0 : (double)below(genuine, threshold) / (double)genuine->count;
}

double area_under_roc(const struct scores *genuine, const struct scores *impostor)
{
    double sum = 0;

    if (genuine->count == 0 || impostor->count == 0)
        return 0;
    for (size_t i = 0; i < genuine->count; i++) {
        const size_t less = below(impostor, genuine->value[i]);
        const size_t not_more = below(impostor, nextafterf(genuine->value[i], INFINITY));

        sum += (double)less + 0.5 * (double)(not_more - less);
    }
    return sum / (double)genuine->count / (double)impostor->count;
}

double equal_error_rate(const struct scores *genuine, const struct scores *impostor)
{
    /* FNMR only steps at genuine scores, so the crossing is at one of them. */
    double best_gap = INFINITY, best = 1;

    for (size_t i = 0; i < genuine->count; i++) {
        const double fnmr = fnmr_at(genuine, genuine->value[i]),
                     fmr = fmr_at(impostor, genuine->value[i]);

        if (fabs(fnmr - fmr) < best_gap) {
            best_gap = fabs(fnmr - fmr);
            best = (fnmr + fmr) / 2;
        }
    }
    return best;
}

/* ---- chance ---------------------------------------------------------------------------------- */

static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int ascending_double(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static struct interval middle_of(double *values, unsigned n)
{
    qsort(values, n, sizeof(*values), ascending_double);
    return (struct interval){values[(unsigned)(0.025 * n)], values[(unsigned)(0.975 * (n - 1))]};
}

int bootstrap(const struct person *people, size_t count, unsigned rounds, uint64_t seed,
              struct drawn *out)
{
    double *rates = calloc(3 * (size_t)rounds, sizeof(*rates)), *a, *b, *d;

    if (rates == NULL)
        return -ENOMEM;
    a = rates;
    b = a + rounds;
    d = b + rounds;
    for (unsigned r = 0; r < rounds; r++) {
        size_t comparisons = 0, errors_a = 0, errors_b = 0;

        for (size_t i = 0; i < count; i++) {
            const struct person *p = &people[draw(&seed) % count];

            comparisons += p->comparisons;
            errors_a += p->errors_a;
            errors_b += p->errors_b;
        }
        if (comparisons > 0) {
            a[r] = (double)errors_a / (double)comparisons;
            b[r] = (double)errors_b / (double)comparisons;
        }
        d[r] = b[r] - a[r];
    }
    out->a = middle_of(a, rounds);
    out->b = middle_of(b, rounds);
    out->difference = middle_of(d, rounds);
    free(rates);
    return 0;
}

double normal_deviate(double p)
{
    double low = -9, high = 9;

    while (high - low > 1e-9) {
        const double middle = (low + high) / 2;

        if (0.5 * erfc(-middle / sqrt(2)) < p)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}
