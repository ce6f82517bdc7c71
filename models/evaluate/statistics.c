#include "statistics.h"

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
    return impostor->count == 0 ? 0 : 1 - (double)below(impostor, threshold) / (double)impostor->count;
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
        const double fnmr = fnmr_at(genuine, genuine->value[i]), fmr = fmr_at(impostor, genuine->value[i]);

        if (fabs(fnmr - fmr) < best_gap) {
            best_gap = fabs(fnmr - fmr);
            best = (fnmr + fmr) / 2;
        }
    }
    return best;
}
