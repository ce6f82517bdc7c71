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
#include <sys/types.h>

/* A picture as probe and as reference; each NULL when not acquired or not needed. */
struct result {
    struct frame_report report;
    /* One picture as two camera frames are embedded, the second mirrored: the mean of their vectors,
     * so that a score is the mean of two. */
    float *probe;
    float *reference;                 /* as a chip photo is embedded */
    float *one_probe, *one_reference; /* without the mirror, for comparison */
    float *plain;                     /* of another program (--against), as either */
};

/* What is compared with what. */
enum compared { COMPARED_OURS, COMPARED_SINGLE, COMPARED_PLAIN };

struct work {
    const struct manifest *manifest;
    const struct pairs *pairs;
    const char *root;
    const struct card_like *card; /* NULL: references as they are */
    bool against;                 /* results hold plain vectors */
    struct result *results;
    atomic_size_t next;
    atomic_size_t done;
    atomic_int error;
};

/* All pictures of the list, with a progress bar on a terminal. 0 or negative errno (said on
 * stderr). */
int acquire_all(struct work *work, unsigned threads);
void results_free(struct work *work);

/*
 * Vectors of the same pictures by another program: a line a picture, its path as in the list and
 * the numbers of its vector, all separated by commas; pictures that it could not use are not in it.
 * 0, or negative errno with *line the line that is wrong.
 */
int against_read(struct work *work, const char *path, size_t *line);

struct comparisons {
    struct scores genuine, impostor, listed; /* sorted */
    float *by_pair; /* of each pair of the list; NAN: not genuine, or not acquired */
    size_t missed;
};
/* All comparisons of one system. 0 or -ENOMEM. */
int compare_all(const struct work *work, enum compared which, struct comparisons *out);
void comparisons_free(struct comparisons *c);

/* The false match rates that are looked at, as in enum model_fmr. */
extern const double evaluate_rates[FMR_COUNT];
#define EVALUATE_ROUNDS 2000 /* drawings of people */

/* What chance makes of the rates of two systems on the pairs that both have, each at its own
 * threshold. Returns the comparisons, or negative errno. */
ssize_t draw_people(const struct work *work, const float *a, const float *b, float t_a, float t_b,
                    struct person *sum, struct drawn *out);

/* What the quality bounds say of a probe: a visit would not compare it. */
enum failure quality_judged(const struct frame_report *report);
int report_print(const struct work *work, const struct comparisons *ours);
/* What each step gives against going without it. plain: NULL without --against. */
int report_steps(const struct work *work, const struct comparisons *ours,
                 const struct comparisons *single, const struct comparisons *plain);

/* ROC and DET beside each other, as SVG. 0 or negative errno. */
int plot_write(const char *path, const struct comparisons *ours, const struct comparisons *single);

/*
 * Write the thresholds that `ours` gives into `directory`/manifest.ini, with where they come from.
 * A rate for which there are too few impostor comparisons (fewer than ten false matches expected)
 * is refused unless it follows from the others' order. 0 or negative errno (said on stderr).
 */
int calibrate_write(const char *directory, const char *list, const struct comparisons *ours);

#endif
