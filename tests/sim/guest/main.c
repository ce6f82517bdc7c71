/*
 * sim-guest [--kills] [--only NAME] --desk DIRECTORY --cards DIRECTORY --port N [--lane N]
 *
 * Drives the visits of `make run` (or the kill table) against a running desk and prints a line for each.
 * Ends with status 0 only if every visit ended as it should.
 */
#include "guest.h"

#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool read_token(const char *desk, const char *name, char *out, size_t size)
{
    char path[512];
    FILE *file;
    bool good;

    (void)snprintf(path, sizeof(path), "%s/tokens/%s", desk, name);
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    good = fgets(out, (int)size, file) != NULL;
    out[strcspn(out, "\n")] = '\0';
    (void)fclose(file);
    return good;
}

static bool wait_ready(const struct stage *stage, int seconds)
{
    char answer[256] = "";

    for (int i = 0; i < seconds * 10; i++) {
        if (line_ask(stage->launcher, "ready", answer, sizeof(answer)))
            return true;
        (void)usleep(100000);
    }
    (void)fprintf(stderr, "the desk did not come up: %s; see %s/log\n", answer, stage->desk);
    return false;
}

static long number(const json_t *visit, const char *name)
{
    return (long)json_integer_value(json_object_get(visit, name));
}

static const char *word(const json_t *visit, const char *name)
{
    const char *value = json_string_value(json_object_get(visit, name));

    return value != NULL ? value : "-";
}

static void print_visit(struct stage *stage, const struct visit_plan *plan, bool good)
{
    json_t *visit = stage->last_visit != 0 ? stage_visit(stage, stage->last_visit) : NULL;

    if (visit == NULL)
        (void)printf("%s  %-8s %-12s", good ? "ok  " : "FAIL", "-", "-");
    else
        (void)printf("%s  %-8s %-12s %6ld %6ld %6ld %6ld %6ld %7ld %6ld %6ld", good ? "ok  " : "FAIL", word(visit, "method"),
                     word(visit, "outcome"), number(visit, "card_ms"), number(visit, "photo_ms"), number(visit, "face_ms"),
                     number(visit, "pin_ms"), number(visit, "ask_ms"), number(visit, "total_ms"), number(visit, "apdus"),
                     number(visit, "frames"));
    (void)printf("  %s / %s\n", plan->ja, plan->en);
    if (!good)
        (void)printf("      %s\n", stage->problem);
    (void)fflush(stdout);
    json_decref(visit);
}

/* A run may follow another on the same desk: full counters, an empty reader, a well-behaved service. */
static void reset(struct stage *stage)
{
    static const char *const cards[] = {"franck", "other", "counterfeit", "locked-pin"};
    char command[128], answer[512];

    (void)line_ask(stage->device, "remove", answer, sizeof(answer));
    (void)line_ask(stage->device, "faults off", answer, sizeof(answer));
    for (size_t i = 0; i < sizeof(cards) / sizeof(cards[0]); i++) {
        (void)snprintf(command, sizeof(command), "reset-counters %s", cards[i]);
        (void)line_ask(stage->device, command, answer, sizeof(answer));
    }
    (void)line_ask(stage->service, "normal", answer, sizeof(answer));
}

static int run_visits(struct stage *stage, const char *only)
{
    int passed = 0, failed = 0;

    (void)printf("      %-8s %-12s %6s %6s %6s %6s %6s %7s %6s %6s\n", "method", "outcome", "card", "photo", "face", "pin", "ask",
                 "total", "APDUs", "frames");
    (void)printf("      %-8s %-12s %6s %6s %6s %6s %6s %7s\n", "", "", "ms", "ms", "ms", "ms", "ms", "ms");
    for (const struct visit_plan *plan = visit_plans; plan->name != NULL; plan++) {
        bool good;
        char answer[256];

        if (only != NULL && strcmp(only, plan->name) != 0)
            continue;
        stage->problem[0] = '\0';
        good = plan->run(stage);
        print_visit(stage, plan, good);
        passed += good;
        failed += !good;
        if (!good) {
            (void)line_ask(stage->device, "faults off", answer, sizeof(answer));
            (void)line_ask(stage->device, "remove", answer, sizeof(answer));
        }
    }
    (void)printf("visits: %d passed, %d failed\n", passed, failed);
    return failed;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"desk", required_argument, NULL, 'd'}, {"cards", required_argument, NULL, 'c'}, {"port", required_argument, NULL, 'p'},
        {"lane", required_argument, NULL, 'l'}, {"only", required_argument, NULL, 'o'},  {"kills", no_argument, NULL, 'k'},
        {NULL, 0, NULL, 0},
    };
    static struct stage stage;
    const char *only = NULL, *port = NULL;
    char kiosk[128] = "", staff[128] = "", name[32], url[64];
    bool kills = false;
    int c, failed;

    stage.lane = 1;
    stage.consents = 7;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (c) {
        case 'd':
            stage.desk = optarg;
            break;
        case 'c':
            stage.cards = optarg;
            break;
        case 'p':
            port = optarg;
            break;
        case 'l':
            stage.lane = atoi(optarg);
            break;
        case 'o':
            only = optarg;
            break;
        case 'k':
            kills = true;
            break;
        default:
            return 2;
        }
    if (stage.desk == NULL || stage.cards == NULL || port == NULL) {
        (void)fprintf(stderr, "usage: sim-guest [--kills] [--only NAME] --desk DIRECTORY --cards DIRECTORY --port N [--lane N]\n");
        return 2;
    }
    (void)snprintf(name, sizeof(name), "lane-%d", stage.lane);
    if (!read_token(stage.desk, name, kiosk, sizeof(kiosk)) || !read_token(stage.desk, "staff", staff, sizeof(staff))) {
        (void)fprintf(stderr, "%s: no tokens there; make-desk.sh makes them\n", stage.desk);
        return 1;
    }
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%s", port);
    (void)snprintf(stage.device, sizeof(stage.device), "%s/run/device-%d.control", stage.desk, stage.lane);
    (void)snprintf(stage.service, sizeof(stage.service), "%s/run/service.control", stage.desk);
    (void)snprintf(stage.launcher, sizeof(stage.launcher), "%s/run/launcher.control", stage.desk);
    (void)snprintf(stage.ledger, sizeof(stage.ledger), "%s/log/ledger.jsonl", stage.desk);
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    stage.http = http_new(url, kiosk, staff);
    if (stage.http == NULL || !wait_ready(&stage, 60))
        return 1;
    reset(&stage);
    if (kills) {
        int cells;

        failed = kills_run(&stage, &cells);
        (void)printf("%d passed, %d failed\n", cells - failed, failed);
    } else {
        failed = run_visits(&stage, only);
    }
    http_free(&stage.http);
    curl_global_cleanup();
    return failed == 0 ? 0 : 1;
}
