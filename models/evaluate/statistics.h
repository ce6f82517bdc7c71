/*
 * statistics: error rates of a verification system from two lists of scores (ISO/IEC 19795-1
 * words).
 *
 * A comparison is a match when its score is at or above the threshold. FMR: share of impostor
 * comparisons that match; FNMR: share of genuine comparisons that do not.
 */
#ifndef UKETSUKE_STATISTICS_H
#define UKETSUKE_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

struct scores {
    float *value;
    size_t count;
};

/* Ascending. Everything below needs sorted scores. */
void scores_sort(struct scores *scores);

/* The lowest threshold at which at most `fmr` of the impostor scores match; above all of them if
 * need be. */
float threshold_at_fmr(const struct scores *impostor, double fmr);
double fmr_at(const struct scores *impostor, float threshold);
double fnmr_at(const struct scores *genuine, float threshold);

/* Chance that a genuine score is above an impostor score (ties count half). */
double area_under_roc(const struct scores *genuine, const struct scores *impostor);
/* Where FMR and FNMR meet: the mean of the two at the crossing. */
double equal_error_rate(const struct scores *genuine, const struct scores *impostor);

/*
 * What chance alone makes of an error rate: people (not comparisons: those of one person hang
 * together) are drawn again with replacement, `rounds` times; the middle 95 % of the rates. a and
 * b: errors of two systems on the same comparisons.
 */
struct person {
    size_t comparisons, errors_a, errors_b;
};
struct interval {
    double low, high;
};
struct drawn {
    struct interval a, b, difference; /* b - a, of the rates */
};
/* 0 or -ENOMEM. The same for the same seed. */
int bootstrap(const struct person *people, size_t count, unsigned rounds, uint64_t seed,
              struct drawn *out);

/* The point of the standard normal distribution below which `p` of it lies (0 < p < 1): the scale
 * of a DET plot. */
double normal_deviate(double p);

#endif
