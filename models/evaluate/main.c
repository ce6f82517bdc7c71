/*
 * uketsuke-evaluate: error rates of the matcher's own code path on a list of picture pairs.
 *
 *   uketsuke-evaluate --models DIR --pairs FILE [--root DIR] [--half dev|holdout]
 *                     [--reference jp2:WIDTHxHEIGHT:BYTES]
 *                     [--threads N] [--scores FILE] [--plot FILE] [--calibrate]
 *
 * Genuine scores are the pairs marked 1. Impostor scores are all comparisons of a reference
 * (path_a) with a probe (path_b) of another identity, the identity being the name of a picture's
 * directory. Beside the matcher's own reference (one view of the photo, the plain use of the net)
 * stands the mean of six views of it, on the same pictures: a paired comparison of what one step
 * more gives.
 */
#include "evaluate.h"

#include "daemon/matcher/dnn.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
    const char *models, *list, *root, *scores, *plot, *half;
    struct card_like card;
    bool card_given, calibrate;
    long threads;
};

/* One line a pair, for other programs: path_a,path_b,same,score (empty: not acquired). */
static int write_scores(const struct work *work, const char *path)
{
    FILE *file = fopen(path, "we");
    int r = 0;

    if (file == NULL)
        return -errno;
    fprintf(file, "path_a,path_b,same,score\n");
    for (size_t i = 0; i < work->pairs->npairs; i++) {
        const struct pair *p = &work->pairs->pairs[i];
        const float *a = work->results[p->a].reference, *b = work->results[p->b].probe;

        fprintf(file, "%s,%s,%d,", work->pairs->pictures[p->a].path,
                work->pairs->pictures[p->b].path, p->same);
        if (a != NULL && b != NULL)
            fprintf(
                file, "%.6f",
                (double)embed_cosine(a, b, work->manifest->models[MODEL_RECOGNISER].dimensions));
        fputc('\n', file);
    }
    if (ferror(file))
        r = -EIO;
    if (fclose(file) != 0)
        r = -errno;
    return r;
}

static void usage(FILE *to)
{
    fputs("uketsuke-evaluate --models DIR --pairs FILE [...]\n"
          "  --models DIR    モデルの目録のあるディレクトリ / directory with the model manifest\n"
          "  --pairs FILE    path_a,path_b,same (CSV)\n"
          "  --root DIR      画像のパスの起点。省略時は FILE のディレクトリ / where paths begin "
          "(default: where FILE stands)\n"
          "  --half dev|holdout  人の名前で分けた半分だけ / only one half of the people, split by "
          "their names (pairs.h)\n"
          "  --reference jp2:WIDTHxHEIGHT:BYTES  path_a からカードの写真に似たものを作る / makes "
          "card-like references of path_a\n"
          "  --threads N     並列数 / threads (default: processors)\n"
          "  --scores FILE   組ごとの得点をCSVに書く / write each pair's score\n"
          "  --plot FILE     ROCとDETをSVGに描く / draw ROC and DET as SVG\n"
          "  --calibrate     閾値を目録に書く / write the thresholds into the manifest\n",
          to);
}

static int parse(int argc, char **argv, struct options *o)
{
    static const struct option options[] = {
        {"models", required_argument, NULL, 'm'},
        {"pairs", required_argument, NULL, 'p'},
        {"root", required_argument, NULL, 'r'},
        {"threads", required_argument, NULL, 't'},
        {"scores", required_argument, NULL, 's'},
        {"plot", required_argument, NULL, 'o'},
        {"half", required_argument, NULL, 'a'},
        {"reference", required_argument, NULL, 'c'},
        {"calibrate", no_argument, NULL, 'w'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'm':
            o->models = optarg;
            break;
        case 'p':
            o->list = optarg;
            break;
        case 'r':
            o->root = optarg;
            break;
        case 't':
            o->threads = strtol(optarg, NULL, 10);
            break;
        case 's':
            o->scores = optarg;
            break;
        case 'o':
            o->plot = optarg;
            break;
        case 'a':
            o->half = optarg;
            break;
        case 'c':
            if (card_like_parse(&o->card, optarg) < 0)
                return -EINVAL;
            o->card_given = true;
            break;
        case 'w':
            o->calibrate = true;
            break;
        case 'h':
            usage(stdout);
            exit(0);
        default:
            return -EINVAL;
        }
    }
    if (o->models == NULL || o->list == NULL || optind != argc || o->threads < 1 ||
        (o->half != NULL && strcmp(o->half, "dev") != 0 && strcmp(o->half, "holdout") != 0))
        return -EINVAL;
    return 0;
}

static int evaluate(const struct options *o, struct work *work)
{
    struct comparisons ours = {0}, several = {0};
    int r;

    work->results = calloc(work->pairs->npictures, sizeof(*work->results));
    r = work->results == NULL
            ? -ENOMEM
            : acquire_all(work, (unsigned)(o->threads > 1000 ? 1000 : o->threads));
    if (r == 0)
        r = compare_all(work, false, &ours);
    if (r == 0)
        r = compare_all(work, true, &several);
    if (r == 0)
        r = report_print(work, &ours, &several);
    if (r == 0 && o->scores != NULL)
        r = write_scores(work, o->scores);
    if (r == 0 && o->plot != NULL)
        r = plot_write(o->plot, &ours, &several);
    if (r < 0)
        fprintf(stderr, "%s\n", strerror(-r));
    else if (o->calibrate)
        r = calibrate_write(o->models, o->list, &ours);
    comparisons_free(&ours);
    comparisons_free(&several);
    return r;
}

int main(int argc, char **argv)
{
    struct options o = {.threads = sysconf(_SC_NPROCESSORS_ONLN)};
    char why[MANIFEST_WHY], *folder = NULL;
    struct manifest *manifest = NULL;
    struct pairs pairs = {0};
    struct work work = {0};
    size_t line;
    int r;

    if (parse(argc, argv, &o) < 0) {
        usage(stderr);
        return 2;
    }
    dnn_setup();
    r = manifest_load(&manifest, o.models, why);
    if (r < 0) {
        fprintf(stderr, "%s\n", why);
        goto out;
    }
    r = pairs_read(&pairs, o.list, &line);
    if (r < 0) {
        fprintf(stderr, "%s:%zu: %s\n", o.list, line, strerror(-r));
        goto out;
    }
    if (o.half != NULL && pairs_keep_half(&pairs, strcmp(o.half, "holdout") == 0) == 0) {
        fprintf(stderr, "この半分には組がありません / no pair in this half\n");
        r = -ENODATA;
        goto out;
    }
    if (o.root == NULL) {
        char *slash;

        folder = strdup(o.list);
        slash = folder != NULL ? strrchr(folder, '/') : NULL;
        if (slash != NULL)
            *slash = '\0';
        o.root = slash != NULL ? folder : ".";
    }
    work.manifest = manifest;
    work.pairs = &pairs;
    work.root = o.root;
    work.card = o.card_given ? &o.card : NULL;
    r = evaluate(&o, &work);
out:
    results_free(&work);
    pairs_free(&pairs);
    manifest_free(&manifest);
    free(folder);
    return r < 0;
}
