/*
 * evaluate: what the parts of uketsuke-evaluate share: pictures turned to vectors by the matcher's
 * own code, on many threads.
 */
#ifndef UKETSUKE_EVALUATE_H
#define UKETSUKE_EVALUATE_H

#include "pairs.h"
#include "reference.h"
#include "statistics.h"

#include "daemon/matcher/engine.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

/* A picture as probe and as reference; each NULL when not acquired or not needed. */
struct result {
    struct frame_report report;
    float *probe;     /* one picture, as a camera frame is embedded */
    float *reference; /* as a chip photo is embedded */
    float *several;   /* the mean of six views of the reference, for comparison */
};

struct work {
    const struct manifest *manifest;
    const struct pairs *pairs;
    const char *root;
    const struct card_like *card; /* NULL: references as they are */
    struct result *results;
    atomic_size_t next;
    atomic_size_t done;
    atomic_int error;
};

/* All pictures of the list, with a progress bar on a terminal. 0 or negative errno (said on
 * stderr). */
int acquire_all(struct work *work, unsigned threads);
void results_free(struct work *work);

/* Genuine comparisons with their identity, and all impostor ones. */
struct comparisons {
    struct scores genuine, impostor, listed;
    const char **identity; /* of genuine, in the order of the list (unsorted) */
    float *by_pair;        /* the same scores, unsorted */
    size_t missed;
};
/* several: with the mean of six views of each reference. 0 or -ENOMEM. */
int compare_all(const struct work *work, bool several, struct comparisons *out);
void comparisons_free(struct comparisons *c);

int report_print(const struct work *work, const struct comparisons *ours,
                 const struct comparisons *several);

/* ROC and DET beside each other, as SVG. 0 or negative errno. */
int plot_write(const char *path, const struct comparisons *ours, const struct comparisons *several);

/*
 * Write the thresholds that `ours` gives into `directory`/manifest.ini, with where they come from.
 * A rate for which there are too few impostor comparisons (fewer than ten false matches expected)
 * is refused unless it follows from the others' order. 0 or negative errno (said on stderr).
 */
int calibrate_write(const char *directory, const char *list, const struct comparisons *ours);

#endif
