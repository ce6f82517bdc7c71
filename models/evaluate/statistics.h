/*
 * statistics: error rates of a verification system from two lists of scores (ISO/IEC 19795-1 words).
 *
 * A comparison is a match when its score is at or above the threshold. FMR: share of impostor comparisons that
 * match; FNMR: share of genuine comparisons that do not.
 */
#ifndef UKETSUKE_STATISTICS_H
#define UKETSUKE_STATISTICS_H

#include <stddef.h>

struct scores {
    float *value;
    size_t count;
};

/* Ascending. Everything below needs sorted scores. */
void scores_sort(struct scores *scores);

/* The lowest threshold at which at most `fmr` of the impostor scores match; above all of them if need be. */
float threshold_at_fmr(const struct scores *impostor, double fmr);
double fmr_at(const struct scores *impostor, float threshold);
double fnmr_at(const struct scores *genuine, float threshold);

/* Chance that a genuine score is above an impostor score (ties count half). */
double area_under_roc(const struct scores *genuine, const struct scores *impostor);
/* Where FMR and FNMR meet: the mean of the two at the crossing. */
double equal_error_rate(const struct scores *genuine, const struct scores *impostor);

#endif
