/* What uketsuke-evaluate writes: thresholds into the manifest, plots, card-like references; how it
 * splits people, and what it compares with what. */
#include "models/evaluate/acquire.c"
#include "models/evaluate/against.c"
#include "models/evaluate/calibrate.c"
#include "models/evaluate/pairs.c"
#include "models/evaluate/plot.c"
#include "models/evaluate/reference.c"
#include "models/evaluate/report.c"
#include "models/evaluate/statistics.c"
#include "models/evaluate/steps.c"

#include "daemon/matcher/decode.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
/* cmocka wants the four of C above first */
#include <cmocka.h>

static char directory[64];

static char *text_of(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = calloc(1, 100000);

    assert_non_null(file);
    assert_non_null(text);
    assert_true(fread(text, 1, 99999, file) > 0);
    fclose(file);
    return text;
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static const char *in_directory(const char *name)
{
    static char path[200];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static int setup(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/uketsuke-evaluate-XXXXXX");
    return mkdtemp(directory) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(in_directory(MANIFEST_FILE));
    unlink(in_directory("plot.svg"));
    unlink(in_directory("pairs.csv"));
    unlink(in_directory("vectors.csv"));
    return rmdir(directory);
}

/* Impostor scores 0, 1/n, 2/n ...: the threshold for a rate is 1 less that rate. */
static void even_scores(struct scores *s, size_t n)
{
    s->count = n;
    s->value = calloc(n, sizeof(float));
    assert_non_null(s->value);
    for (size_t i = 0; i < n; i++)
        s->value[i] = (float)((double)i / (double)n * 0.9);
}

static void calibrated_thresholds_are_those_that_the_matcher_reads(void **state)
{
    struct comparisons ours = {0};
    char *text = text_of("models/" MANIFEST_FILE), why[MANIFEST_WHY];
    static struct manifest m;

    (void)state;
    write_text(in_directory(MANIFEST_FILE), text);
    free(text);
    even_scores(&ours.impostor, 2000000);
    assert_int_equal(calibrate_write(directory, "/somewhere/mine.csv", &ours), 0);
    text = text_of(in_directory(MANIFEST_FILE));
    assert_int_equal(manifest_parse(&m, text, why), 0);
    assert_float_equal(m.models[MODEL_RECOGNISER].thresholds[FMR_1E2], 0.9 * 0.99, 2e-4);
    assert_float_equal(m.models[MODEL_RECOGNISER].thresholds[FMR_1E3], 0.9 * 0.999, 2e-4);
    assert_non_null(strstr(text, "threshold-from = calibrated on mine.csv, 2"));
    assert_non_null(strstr(text, "2000000 impostor comparisons"));
    assert_null(strstr(text, "threshold-1e-4 = 0.41\n"));
    free(text);
    free(ours.impostor.value);
}

static void too_few_comparisons_leave_the_manifest_as_it_is(void **state)
{
    struct comparisons ours = {0};
    char *before = text_of("models/" MANIFEST_FILE), *after;

    (void)state;
    write_text(in_directory(MANIFEST_FILE), before);
    even_scores(&ours.impostor, 500000); /* five false matches expected at 1e-5 */
    assert_int_equal(calibrate_write(directory, "few.csv", &ours), -ERANGE);
    after = text_of(in_directory(MANIFEST_FILE));
    assert_string_equal(before, after);
    free(before);
    free(after);
    free(ours.impostor.value);
}

static void a_plot_shows_both_curves_on_both_scales(void **state)
{
    struct comparisons ours = {0}, plain = {0};
    unsigned curves = 0;
    char *text;

    (void)state;
    even_scores(&ours.impostor, 10000);
    even_scores(&plain.impostor, 10000);
    even_scores(&ours.genuine, 100);
    even_scores(&plain.genuine, 100);
    assert_int_equal(plot_write(in_directory("plot.svg"), &ours, &plain), 0);
    text = text_of(in_directory("plot.svg"));
    assert_int_equal(strncmp(text, "<svg xmlns=\"http://www.w3.org/2000/svg\"", 39), 0);
    for (const char *at = text; (at = strstr(at, "<polyline")) != NULL; at++) {
        const char *points = strstr(at, "points=\"");

        curves++;
        assert_non_null(points);
        assert_true(strcspn(points + 8, "\"") > 100); /* many points each */
    }
    assert_int_equal(curves, 4);
    assert_null(strstr(text, "nan"));
    free(text);
    free(ours.impostor.value);
    free(plain.impostor.value);
    free(ours.genuine.value);
    free(plain.genuine.value);
}

static void a_card_like_reference_is_what_was_ordered(void **state)
{
    struct card_like card;
    struct image image = {0}, back = {0};
    const struct box face = {80, 60, 180, 190};
    uint8_t *data = NULL;
    size_t len = 0;

    (void)state;
    assert_int_equal(card_like_parse(&card, "jp2:200x250:3000"), 0);
    assert_int_equal(card.width, 200);
    assert_int_equal(card.height, 250);
    assert_int_equal(card.bytes, 3000);
    assert_int_equal(card_like_parse(&card, "jp2:200x250:3000x"), -EINVAL);
    assert_int_equal(card_like_parse(&card, "jpg:200x250:3000"), -EINVAL);
    assert_int_equal(card_like_parse(&card, "jp2:2x250:3000"), -EINVAL);
    assert_int_equal(card_like_parse(&card, "jp2:200x250:3000"), 0);
    assert_int_equal(image_resize(&image, 250, 250), 0);
    for (int y = 0; y < 250; y++)
        for (int x = 0; x < 250; x++)
            for (int c = 0; c < 3; c++)
                image_row(&image, y)[3 * x + c] =
                    (uint8_t)(128 + 80 * sin(x * 0.21 + c) * cos(y * 0.17) + (x * 7 + y * 13) % 23);
    assert_int_equal(card_like_make(&card, &image, &face, &data, &len), 0);
    assert_in_range(len, 2000, 3300);
    /* The reader's own decoder takes it, at the size asked for. */
    assert_int_equal(decode_photo(data, len, &back), FAILURE_NONE);
    assert_int_equal(back.width, 200);
    assert_int_equal(back.height, 250);
    free(data);
    image_free(&image);
    image_free(&back);
}

/* Bit 8 of FNV-1a 64: "a" is af63dc4c8601ec8c (published test vector), bit clear; "b"
 * af63df4c8601f1a5, set. */
static void people_are_split_by_their_names(void **state)
{
    struct pairs pairs;
    size_t line;

    (void)state;
    write_text(in_directory("pairs.csv"),
               "x/a/1.jpg,x/a/2.jpg,1\nx/b/1.jpg,x/b/2.jpg,1\nx/a/1.jpg,x/b/1.jpg,0\n");
    assert_int_equal(pairs_read(&pairs, in_directory("pairs.csv"), &line), 0);
    assert_int_equal(pairs_keep_half(&pairs, true), 1);
    assert_string_equal(pairs.pictures[pairs.pairs[0].a].identity, "b");
    pairs_free(&pairs);
    assert_int_equal(pairs_read(&pairs, in_directory("pairs.csv"), &line), 0);
    assert_int_equal(pairs_keep_half(&pairs, false), 1);
    assert_string_equal(pairs.pictures[pairs.pairs[0].a].identity, "a");
    assert_true(pairs.pictures[pairs.pairs[0].a].reference);
    for (size_t i = 0; i < pairs.npictures; i++)
        if (strcmp(pairs.pictures[i].identity, "b") == 0)
            assert_false(pairs.pictures[i].reference || pairs.pictures[i].probe);
    pairs_free(&pairs);
}

/* ---- what is compared with what -------------------------------------------------------------- */

/* Vectors of two numbers, so that a cosine is seen at a glance. */
static struct manifest small = {.models[MODEL_RECOGNISER] = {.dimensions = 2}};

static float *vector_at(double degrees)
{
    float *v = calloc(2, sizeof(float));

    assert_non_null(v);
    v[0] = (float)cos(degrees / 57.29577951);
    v[1] = (float)sin(degrees / 57.29577951);
    return v;
}

static void work_new(struct work *work, struct pairs *pairs, const char *list)
{
    size_t line;

    write_text(in_directory("pairs.csv"), list);
    assert_int_equal(pairs_read(pairs, in_directory("pairs.csv"), &line), 0);
    memset(work, 0, sizeof(*work));
    work->manifest = &small;
    work->pairs = pairs;
    work->results = calloc(pairs->npictures, sizeof(*work->results));
    assert_non_null(work->results);
}

static size_t picture_named(const struct pairs *pairs, const char *path)
{
    size_t i = 0;

    while (strcmp(pairs->pictures[i].path, path) != 0)
        i++;
    return i;
}

static void vectors_of_another_program_are_read_and_their_errors_named(void **state)
{
    struct pairs pairs;
    struct work work;
    size_t line;

    (void)state;
    work_new(&work, &pairs, "x/a/1.jpg,x/a/2.jpg,1\n");
    write_text(in_directory("vectors.csv"), "x/a/2.jpg,3,4\nx/of/another.jpg,1,1\n");
    assert_int_equal(against_read(&work, in_directory("vectors.csv"), &line), 0);
    assert_float_equal(work.results[1].plain[0], 0.6, 1e-6); /* of length 1 */
    assert_float_equal(work.results[1].plain[1], 0.8, 1e-6);
    assert_null(work.results[0].plain); /* not acquired there */
    assert_int_equal(against_read(&work, in_directory("vectors.csv"), &line), -EEXIST);
    assert_int_equal(line, 1);
    static const char *const wrong[] = {"x/a/1.jpg,3\n",   "x/a/1.jpg,3,4,5\n", "x/a/1.jpg,3,x\n",
                                        "x/a/1.jpg,0,0\n", "x/a/1.jpg,nan,1\n", "x/a/1.jpg\n"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[100];

        snprintf(text, sizeof(text), "x/of/another.jpg,1,1\n%s", wrong[i]);
        write_text(in_directory("vectors.csv"), text);
        assert_int_equal(against_read(&work, in_directory("vectors.csv"), &line), -EINVAL);
        assert_int_equal(line, 2);
        assert_null(work.results[0].plain);
    }
    results_free(&work);
    pairs_free(&pairs);
}

static void each_way_is_compared_with_its_own_vectors_in_its_own_roles(void **state)
{
    struct comparisons ours, single, plain;
    struct pairs pairs;
    struct work work;

    (void)state;
    work_new(&work, &pairs,
             "x/a/1.jpg,x/a/2.jpg,1\nx/b/1.jpg,x/b/2.jpg,1\nx/a/1.jpg,x/b/2.jpg,0\n");
    for (size_t i = 0; i < pairs.npictures; i++) {
        work.results[i].plain = vector_at(90.0 * (double)i);
        if (pairs.pictures[i].reference) {
            work.results[i].reference = vector_at(0);
            work.results[i].one_reference = vector_at(0);
        } else {
            work.results[i].probe = vector_at(60);
            work.results[i].one_probe = vector_at(90);
        }
    }
    free(work.results[picture_named(&pairs, "x/b/2.jpg")].plain);
    work.results[picture_named(&pairs, "x/b/2.jpg")].plain = NULL; /* not acquired by the other */
    assert_int_equal(compare_all(&work, COMPARED_OURS, &ours), 0);
    assert_int_equal(compare_all(&work, COMPARED_SINGLE, &single), 0);
    assert_int_equal(compare_all(&work, COMPARED_PLAIN, &plain), 0);
    assert_int_equal(ours.genuine.count, 2);
    assert_int_equal(ours.impostor.count, 2); /* a1 with b2, b1 with a2; no probe as reference */
    assert_int_equal(ours.listed.count, 1);
    assert_float_equal(ours.by_pair[0], 0.5, 1e-6);
    assert_true(isnan(ours.by_pair[2]));
    assert_int_equal(single.genuine.count, 2);
    assert_float_equal(single.by_pair[0], 0, 1e-6);
    assert_int_equal(plain.genuine.count, 1);
    assert_int_equal(plain.missed, 1);
    assert_float_equal(plain.by_pair[0], 0, 1e-6);
    assert_true(isnan(plain.by_pair[1]));
    assert_int_equal(plain.impostor.count, 1);
    comparisons_free(&ours);
    comparisons_free(&single);
    comparisons_free(&plain);
    results_free(&work);
    pairs_free(&pairs);
}

static void errors_are_counted_on_the_pairs_that_both_have(void **state)
{
    static const float before[] = {0.9f, 0.2f, NAN, 0.2f}, after[] = {0.1f, 0.8f, 0.1f, 0.2f};
    struct person sum;
    struct drawn drawn;
    struct pairs pairs;
    struct work work;

    (void)state;
    work_new(&work, &pairs,
             "x/a/1.jpg,x/a/2.jpg,1\nx/b/1.jpg,x/b/2.jpg,1\n"
             "x/c/1.jpg,x/c/2.jpg,1\nx/a/1.jpg,x/a/3.jpg,1\n");
    assert_int_equal(draw_people(&work, before, after, 0.5f, 0.5f, &sum, &drawn), 3);
    assert_int_equal(sum.errors_a, 2);
    assert_int_equal(sum.errors_b, 2);
    /* Drawn alone, "a" has one error more of two, "b" one less of one. */
    assert_float_equal(drawn.difference.low, -1, 1e-9);
    assert_float_equal(drawn.difference.high, 0.5, 1e-9);
    results_free(&work);
    pairs_free(&pairs);
}

static void several_pictures_are_other_pictures_of_that_person(void **state)
{
    struct people p = {0};
    struct pairs pairs;
    struct work work;
    size_t card, first, other, same, lone;

    (void)state;
    work_new(&work, &pairs,
             "card/a/p1.jp2,x/a/p2.jpg,1\ncard/a/p3.jp2,x/a/p1.jpg,1\n"
             "card/a/p1.jp2,x/a/p3.jpg,1\ncard/b/p1.jp2,x/b/p2.jpg,1\n");
    card = picture_named(&pairs, "card/a/p1.jp2");
    first = picture_named(&pairs, "x/a/p2.jpg");
    same = picture_named(&pairs, "x/a/p1.jpg");
    other = picture_named(&pairs, "x/a/p3.jpg");
    lone = picture_named(&pairs, "card/b/p1.jp2");
    work.results[card].reference = vector_at(0);
    work.results[lone].reference = vector_at(0);
    work.results[first].probe = vector_at(60);
    work.results[same].probe = vector_at(0); /* the photo that the card was made from */
    work.results[other].probe = vector_at(90);
    work.results[picture_named(&pairs, "x/b/p2.jpg")].probe = vector_at(0);
    assert_int_equal(people_find(&work, &p), 0);
    assert_int_equal(p.count, 2);
    assert_float_equal(mean_score(&work, &p, card, p.of[card], first), (0.5 + 0) / 2, 1e-6);
    /* Another's pictures are all of them. */
    assert_float_equal(mean_score(&work, &p, lone, p.of[card], SIZE_MAX), (0.5 + 1 + 0) / 3, 1e-6);
    /* One picture is not several. */
    assert_true(isnan(mean_score(&work, &p, card, p.of[lone], SIZE_MAX)));
    free(work.results[other].probe);
    work.results[other].probe = NULL;
    assert_true(isnan(mean_score(&work, &p, card, p.of[card], first)));
    people_free(&p);
    results_free(&work);
    pairs_free(&pairs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calibrated_thresholds_are_those_that_the_matcher_reads),
        cmocka_unit_test(too_few_comparisons_leave_the_manifest_as_it_is),
        cmocka_unit_test(a_plot_shows_both_curves_on_both_scales),
        cmocka_unit_test(a_card_like_reference_is_what_was_ordered),
        cmocka_unit_test(people_are_split_by_their_names),
        cmocka_unit_test(vectors_of_another_program_are_read_and_their_errors_named),
        cmocka_unit_test(each_way_is_compared_with_its_own_vectors_in_its_own_roles),
        cmocka_unit_test(errors_are_counted_on_the_pairs_that_both_have),
        cmocka_unit_test(several_pictures_are_other_pictures_of_that_person),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
