/*
 * bench_store DIRECTORY [ANSWERS]: look-ups of today's answer among 1 thousand, 100 thousand and ANSWERS (1 million), and
 * durable steps (commits), in a database made below DIRECTORY, which should be on the disk that a desk would use. A
 * million answers take some 4 GB of it while this runs.
 */
#include "daemon/store/store.h"
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUNS 7
#define LOOKUPS 2000
#define STEPS 200
#define TREE_BYTES                                                                                 \
    3000 /* an answer with one insurance, its limit and consents in canonical form is about this size */
#define INSTITUTION "9910000017"
#define DATE "20260801"

static void must(int r, const char *what)
{
    if (r < 0) {
        fprintf(stderr, "bench_store: %s: %s\n", what, strerror(-r));
        exit(1);
    }
}

static struct store_subject subject_of(const uint32_t *number)
{
    return (struct store_subject){number, sizeof(*number)};
}

static void fill(struct store *store, uint32_t from, uint32_t to)
{
    static uint8_t tree[TREE_BYTES];
    struct store_answer answer = {.institution = INSTITUTION,
                                  .date = DATE,
                                  .usable = 1,
                                  .tree = tree,
                                  .tree_len = sizeof(tree)};

    for (uint32_t i = from; i < to; i++) {
        if (i % 1000 == 0 || i == from)
            must(store_begin(store), "begin");
        must(store_answer_put(store, subject_of(&i), &answer), "answer");
        if (i % 1000 == 999 || i + 1 == to)
            must(store_commit(store), "commit");
    }
}

static void look_up(struct store *store, uint32_t answers)
{
    static double us[RUNS * LOOKUPS], rates[RUNS];
    char name[80];

    for (int run = 0; run < RUNS; run++) {
        uint64_t start = measure_now_ns();

        for (int i = 0; i < LOOKUPS; i++) {
            uint32_t who = (uint32_t)random() % answers;
            struct store_answer found;
            uint64_t before = measure_now_ns();

            must(store_answer_today(store, subject_of(&who), INSTITUTION, DATE, 0, &found),
                 "look-up");
            us[run * LOOKUPS + i] = (double)(measure_now_ns() - before) / 1000;
            store_answer_free(&found);
        }
        rates[run] = LOOKUPS * 1e9 / (double)(measure_now_ns() - start);
    }
    snprintf(name, sizeof(name), "look-ups among %u answers", answers);
    measure_print(name, rates, RUNS, "/s");
    measure_print_events("  each", us, (size_t)RUNS * LOOKUPS);
}

static void steps(struct store *store)
{
    static double us[RUNS * STEPS], rates[RUNS];
    struct store_visit visit = {.lane = 1, .person = {.name = "一 二"}};

    must(store_visit_open(store, &visit), "visit");
    for (int run = 0; run < RUNS; run++) {
        uint64_t start = measure_now_ns();

        for (int i = 0; i < STEPS; i++) {
            uint64_t before = measure_now_ns();

            must(store_begin(store), "begin");
            must(store_visit_save(store, &visit), "save");
            must(store_audit(store, "step", visit.id, 1, "", "1"), "audit");
            must(store_commit(store), "commit");
            us[run * STEPS + i] = (double)(measure_now_ns() - before) / 1000;
        }
        rates[run] = STEPS * 1e9 / (double)(measure_now_ns() - start);
    }
    measure_print("durable steps (visit, audit row, head; synced)", rates, RUNS, "/s");
    measure_print_events("  each", us, (size_t)RUNS * STEPS);
}

static void print_size(struct store *store, unsigned long answers)
{
    struct store_status status;
    char name[80];

    must(store_status(store, &status), "status");
    snprintf(name, sizeof(name), "database with %lu answers", answers);
    printf("  %-46s %12.1f MiB\n", name, (double)status.bytes / (1 << 20));
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"uketsuke.db", "uketsuke.db-wal", "uketsuke.db-shm"};
    struct clock *clock = clock_new_simulated(0, UINT64_C(1785542400000000));
    struct secret key;
    struct store *store;
    char directory[4000], path[4096], *message;
    unsigned long most = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000000;
    uint64_t start;

    if (argc < 2 || argc > 3 || clock == NULL) {
        fprintf(stderr, "usage: bench_store DIRECTORY [ANSWERS]\n");
        return 2;
    }
    snprintf(directory, sizeof(directory), "%s/bench-store-XXXXXX", argv[1]);
    if (mkdtemp(directory) == NULL) {
        perror(directory);
        return 1;
    }
    must(secret_new(&key, 32), "key");
    memset(key.data, 7, 32);
    key.len = 32;
    if (store_open(&store, directory, &key, clock, &message) < 0) {
        fprintf(stderr, "bench_store: %s\n", message);
        return 1;
    }
    steps(store);
    fill(store, 0, 1000);
    look_up(store, 1000);
    start = measure_now_ns();
    fill(store, 1000, 100000);
    printf("  %-46s %12.0f /s     (once, 1000 a commit)\n", "answers stored in bulk",
           99000 * 1e9 / (double)(measure_now_ns() - start));
    look_up(store, 100000);
    print_size(store, 100000);
    if (most > 100000) {
        start = measure_now_ns();
        fill(store, 100000, (uint32_t)most);
        printf("  %-46s %12.0f /s     (once, from 100 thousand on)\n", "answers stored in bulk",
               (double)(most - 100000) * 1e9 / (double)(measure_now_ns() - start));
        look_up(store, (uint32_t)most);
        print_size(store, most);
        steps(store); /* and a visit's step in so large a database */
    }
    store_close(&store);
    secret_free(&key);
    clock_free(&clock);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
        (void)unlink(path);
    }
    return rmdir(directory) == 0 ? 0 : 1;
}
