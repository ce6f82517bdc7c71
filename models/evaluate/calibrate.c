#include "evaluate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* False matches that must be expected before a threshold is believed. */
#define EXPECTED_LEAST 10.0

const double evaluate_rates[FMR_COUNT] = {1e-2, 1e-3, 1e-4, 1e-5};

/* Which threshold a line of the manifest sets; FMR_COUNT: where they come from; -1: another line.
 */
static int line_of(const char *line)
{
    if (strncmp(line, "threshold-from", 14) == 0)
        return FMR_COUNT;
    for (int i = 0; i < FMR_COUNT; i++) {
        char key[32];

        (void)snprintf(key, sizeof(key), "threshold-1e-%d ", i + 2);
        if (strncmp(line, key, strlen(key)) == 0)
            return i;
    }
    return -1;
}

static int copy_changed(FILE *from, FILE *to, const float thresholds[FMR_COUNT], const char *list,
                        size_t impostors)
{
    unsigned written = 0;
    char *line = NULL, day[32] = "";
    size_t room = 0;
    const time_t now = time(NULL);
    struct tm tm;

    if (gmtime_r(&now, &tm) != NULL)
        (void)strftime(day, sizeof(day), "%Y-%m-%d", &tm);
    while (getline(&line, &room, from) > 0) {
        const int which = line_of(line);

        if (which >= 0 && which < FMR_COUNT) {
            fprintf(to, "threshold-1e-%d = %.4f\n", which + 2, (double)thresholds[which]);
            written++;
        } else if (which == FMR_COUNT) {
            const char *slash = strrchr(list, '/');

            fprintf(to, "threshold-from = calibrated on %s, %s, %zu impostor comparisons\n",
                    slash != NULL ? slash + 1 : list, day, impostors);
            written++;
        } else {
            fputs(line, to);
        }
    }
    free(line);
    return written == FMR_COUNT + 1 ? 0 : -EINVAL;
}

int calibrate_write(const char *directory, const char *list, const struct comparisons *ours)
{
    char path[4300], fresh[4400];
    float thresholds[FMR_COUNT];
    FILE *from = NULL, *to = NULL;
    int r;

    for (int i = 0; i < FMR_COUNT; i++) {
        if (evaluate_rates[i] * (double)ours->impostor.count < EXPECTED_LEAST) {
            fprintf(stderr,
                    "誤受入率 %.0e "
                    "の閾値には比較が足りません(%zu件、少なくとも%.0f件)。目録は変えていません / "
                    "too few impostor "
                    "comparisons for the threshold of FMR %.0e: %zu, at least %.0f are needed. The "
                    "manifest is unchanged\n",
                    evaluate_rates[i], ours->impostor.count, EXPECTED_LEAST / evaluate_rates[i],
                    evaluate_rates[i], ours->impostor.count, EXPECTED_LEAST / evaluate_rates[i]);
            return -ERANGE;
        }
        thresholds[i] = threshold_at_fmr(&ours->impostor, evaluate_rates[i]);
    }
    (void)snprintf(path, sizeof(path), "%s/" MANIFEST_FILE, directory);
    (void)snprintf(fresh, sizeof(fresh), "%s.new", path);
    from = fopen(path, "re");
    to = from != NULL ? fopen(fresh, "we") : NULL;
    r = to == NULL ? -errno : copy_changed(from, to, thresholds, list, ours->impostor.count);
    if (r == 0 && (fflush(to) != 0 || fsync(fileno(to)) < 0))
        r = -errno;
    if (from != NULL)
        fclose(from);
    if (to != NULL && fclose(to) != 0 && r == 0)
        r = -errno;
    if (r == 0 && rename(fresh, path) < 0)
        r = -errno;
    if (r < 0) {
        (void)unlink(fresh);
        fprintf(stderr, "%s: %s\n", path, strerror(-r));
        return r;
    }
    printf("目録に閾値を書きました / thresholds written to %s: %.4f %.4f %.4f %.4f\n", path,
           (double)thresholds[0], (double)thresholds[1], (double)thresholds[2],
           (double)thresholds[3]);
    return 0;
}
