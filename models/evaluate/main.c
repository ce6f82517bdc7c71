/*
 * uketsuke-evaluate: error rates of the matcher's own code path on a list of picture pairs.
 *
 *   uketsuke-evaluate --models DIR --pairs FILE [--root DIR] [--half all|dev|holdout]...
 *                     [--reference jp2:WIDTHxHEIGHT:BYTES]
 *                     [--against FILE] [--threads N] [--scores FILE] [--plot FILE] [--calibrate]
 *
 * Genuine scores are the pairs marked 1. Impostor scores are all comparisons of a reference
 * (path_a) with a probe (path_b) of another identity, the identity being the name of a picture's
 * directory. A probe is what a visit makes of two frames, the least that it decides by: the picture
 * and its mirror. What each step gives is compared in pairs, on the same pictures: the matcher's path
 * against vectors of another program (--against), with the mirror against without it, several
 * pictures of the person against one, and what the quality bounds turn away (steps.c).
 */
#include "evaluate.h"

#include "daemon/matcher/dnn.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
    const char *models, *list, *root, *scores, *plot, *against;
    const char *halves[2];
    unsigned nhalves;
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
          "  --half all|dev|holdout  人の名前で分けた半分だけ。all と、半分一つを続けて書ける / "
          "only one half "
          "of the people, split by their names (pairs.h); all and then one half may be given\n"
          "  --reference jp2:WIDTHxHEIGHT:BYTES  path_a からカードの写真に似たものを作る / makes "
          "card-like references of path_a\n"
          "  --against FILE  ほかのプログラムが同じ画像から作ったベクトルと比べる / compares with "
          "vectors of "
          "another program\n"
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
        {"against", required_argument, NULL, 'g'},
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
            if (strcmp(optarg, "all") != 0 && strcmp(optarg, "dev") != 0 &&
                strcmp(optarg, "holdout") != 0)
                return -EINVAL;
            if (o->nhalves == 2 || (o->nhalves == 1 && strcmp(o->halves[0], "all") != 0))
                return -EINVAL;
            o->halves[o->nhalves++] = optarg;
            break;
        case 'g':
            o->against = optarg;
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
    if (o->models == NULL || o->list == NULL || optind != argc || o->threads < 1)
        return -EINVAL;
    if (o->nhalves == 0)
        o->halves[o->nhalves++] = "all";
    return 0;
}

static int read_against(struct work *work, const char *path)
{
    size_t line;
    int r = against_read(work, path, &line);

    if (r < 0)
        fprintf(stderr, "%s:%zu: %s\n", path, line, strerror(-r));
    return r;
}

/* All comparisons of the people that `pairs` holds now. first: files are written, too. */
static int report(const struct options *o, const struct work *work, bool first)
{
    struct comparisons ours = {0}, single = {0}, plain = {0};
    int r;

    r = compare_all(work, COMPARED_OURS, &ours);
    if (r == 0)
        r = compare_all(work, COMPARED_SINGLE, &single);
    if (r == 0 && work->against)
        r = compare_all(work, COMPARED_PLAIN, &plain);
    if (r == 0)
        r = report_print(work, &ours);
    if (r == 0)
        r = report_steps(work, &ours, &single, work->against ? &plain : NULL);
    if (r == 0 && first && o->scores != NULL)
        r = write_scores(work, o->scores);
    if (r == 0 && first && o->plot != NULL)
        r = plot_write(o->plot, &ours, &single);
    if (r < 0)
        fprintf(stderr, "%s\n", strerror(-r));
    else if (first && o->calibrate)
        r = calibrate_write(o->models, o->list, &ours);
    comparisons_free(&ours);
    comparisons_free(&single);
    comparisons_free(&plain);
    return r;
}

/* Each picture once; then the halves that are wanted, one after the other. */
static int evaluate(const struct options *o, struct work *work, struct pairs *pairs)
{
    int r;

    work->results = calloc(pairs->npictures, sizeof(*work->results));
    work->against = o->against != NULL;
    r = work->results == NULL ? -ENOMEM : 0;
    if (r == 0 && work->against)
        r = read_against(work, o->against);
    if (r == 0)
        r = acquire_all(work, (unsigned)(o->threads > 1000 ? 1000 : o->threads));
    if (r < 0)
        fprintf(stderr, "%s\n", strerror(-r));
    for (unsigned i = 0; i < o->nhalves && r == 0; i++) {
        if (o->nhalves > 1)
            printf("== %s\n", o->halves[i]);
        if (strcmp(o->halves[i], "all") == 0 ||
            pairs_keep_half(pairs, strcmp(o->halves[i], "holdout") == 0) > 0)
            r = report(o, work, i == 0);
        else
            puts("この半分には組がありません / no pair in this half");
    }
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
    r = evaluate(&o, &work, &pairs);
out:
    results_free(&work);
    pairs_free(&pairs);
    manifest_free(&manifest);
    free(folder);
    return r < 0;
}
