/*
 * Many lanes at one desk: first all of them serve patients by PIN, undisturbed; then the first
 * three are stuck, each in its own way (its reader program hangs, its card has gone mute in the
 * middle, its upstream does not answer), while the others serve the same again. It costs them no
 * visit. What it costs them in time is printed, per lane and stage, beside the undisturbed round;
 * no figure is asserted, a busy machine has its own.
 */
#include "guest.h"

#include <stdlib.h>
#include <string.h>

#define LANES_MAX 64
#define VISITS_MAX 32
#define STAGES 4
#define STUCK 3

/* Cards whose holder is eligible by PIN. */
static const char *const cards[] = {
    "franck",       "other",   "notice",          "number-b-used", "no-photo",
    "absent-photo", "foreign", "number-b-locked", "number-b-few",  "welfare-unregistered"};
static const char *const stages[STAGES] = {"card_ms", "pin_ms", "ask_ms", "total_ms"};

struct round {
    int good, wrong;
    long ms[STAGES][VISITS_MAX];
    int n;
    char problem[320];
};

struct server {
    struct stage stage;
    struct round *round;
    int index, visits;
    pthread_t thread;
};

static bool serve_one(struct server *server)
{
    static const char *const steps[] = {"see method", "press choose_pin", "see pin", "type pin own",
                                        "see consent"};
    struct stage *stage = &server->stage;
    const char *card = cards[(size_t)server->index % (sizeof(cards) / sizeof(cards[0]))];
    char place[64];
    json_t *visit;
    bool good;

    stage_begin(stage);
    (void)snprintf(place, sizeof(place), "place %s", card);
    good = step_take(stage, NULL, place);
    for (size_t i = 0; good && i < sizeof(steps) / sizeof(steps[0]); i++)
        good = step_take(stage, NULL, steps[i]);
    stage->consents = (stage->consents + 1 + (unsigned)server->index) % 64;
    good = good && stage_consent(stage) && step_take(stage, NULL, "see done") &&
           stage_take(stage) && step_take(stage, NULL, "see idle");
    visit = stage->last_visit != 0 ? stage_visit(stage, stage->last_visit) : NULL;
    if (good && strcmp(json_string_value(json_object_get(visit, "outcome")), "eligible") != 0)
        good = stage_fail(stage, "not eligible");
    for (size_t i = 0; good && i < STAGES; i++)
        server->round->ms[i][server->round->n] =
            (long)json_integer_value(json_object_get(visit, stages[i]));
    server->round->n += good;
    json_decref(visit);
    return good;
}

static void *serve(void *arg)
{
    struct server *server = arg;

    for (int i = 0; i < server->visits; i++) {
        if (serve_one(server)) {
            server->round->good++;
            continue;
        }
        server->round->wrong++;
        (void)snprintf(server->round->problem, sizeof(server->round->problem), "%s",
                       server->stage.problem);
        server->stage.problem[0] = '\0';
        (void)stage_take(&server->stage);
    }
    return NULL;
}

static void serve_all(struct server *servers, int from, int n, struct round *rounds, int visits)
{
    for (int i = from; i < n; i++) {
        servers[i].round = &rounds[i];
        servers[i].visits = visits;
        (void)pthread_create(&servers[i].thread, NULL, serve, &servers[i]);
    }
    for (int i = from; i < n; i++)
        (void)pthread_join(servers[i].thread, NULL);
}

static int by_size(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;

    return (x > y) - (x < y);
}

static long middle(struct round *round, size_t stage)
{
    if (round->n == 0)
        return -1;
    qsort(round->ms[stage], (size_t)round->n, sizeof(long), by_size);
    return round->ms[stage][round->n / 2];
}

/* The stuck lanes come into the middle of a visit first. */
static bool get_stuck(struct server *servers)
{
    struct stage *hung = &servers[0].stage, *mute = &servers[1].stage, *slow = &servers[2].stage;
    char program[32];

    for (int i = 0; i < STUCK; i++)
        stage_begin(&servers[i].stage);
    (void)snprintf(program, sizeof(program), "reader-%d", hung->lane);
    return step_take(hung, NULL, "place franck") && step_take(hung, NULL, "see method") &&
           step_take(hung, NULL, "press choose_pin") && step_take(hung, NULL, "see pin") &&
           step_kill(hung, program, 19) && step_take(hung, NULL, "type pin own") &&
           step_take(mute, NULL, "place other") && step_take(mute, NULL, "see method") &&
           step_take(mute, NULL, "press choose_pin") && step_take(mute, NULL, "see pin") &&
           stage_device(mute, "fault silent 2") && step_take(mute, NULL, "type pin own") &&
           step_take(slow, NULL, "service slow 60000 /card_session") &&
           step_take(slow, NULL, "place notice") && step_take(slow, NULL, "see method") &&
           step_take(slow, NULL, "press choose_pin") && step_take(slow, NULL, "see pin") &&
           step_take(slow, NULL, "type pin own") && step_take(slow, NULL, "see consent") &&
           step_take(slow, NULL, "consent disease") && step_take(slow, NULL, "see eligibility");
}

static void print_rounds(const struct server *servers, int n, struct round *before,
                         struct round *during)
{
    (void)printf("                medians undisturbed, then while three lanes are stuck (ms)\n");
    (void)printf("      lane  %-21s %-21s %-21s %-21s\n", "card", "pin", "ask", "total");
    for (int i = 0; i < n; i++) {
        (void)printf("%s  %4d  ", before[i].wrong + during[i].wrong == 0 ? "ok  " : "FAIL",
                     servers[i].stage.lane);
        for (size_t s = 0; s < STAGES; s++) {
            char text[48];

            if (i < STUCK)
                (void)snprintf(text, sizeof(text), "%ld > stuck", middle(&before[i], s));
            else
                (void)snprintf(text, sizeof(text), "%ld > %ld", middle(&before[i], s),
                               middle(&during[i], s));
            (void)printf("%-22s", text);
        }
        (void)printf(" %d+%d visits\n", before[i].good, during[i].good);
        if (before[i].wrong + during[i].wrong > 0)
            (void)printf("      %s\n", before[i].wrong > 0 ? before[i].problem : during[i].problem);
    }
}

/* The stuck lanes are freed; what comes of their visits is no matter here but that it ends. */
static int set_free(struct server *servers)
{
    char program[32];
    int wrong = 0;

    (void)snprintf(program, sizeof(program), "reader-%d", servers[0].stage.lane);
    servers[0].stage.problem[0] = '\0';
    (void)step_kill(&servers[0].stage, program, 18);
    servers[2].stage.problem[0] = '\0';
    (void)step_take(&servers[2].stage, NULL, "service normal");
    for (int i = 0; i < STUCK; i++) {
        struct stage *stage = &servers[i].stage;
        uint64_t end = guest_now_ms() + 60000;

        stage->problem[0] = '\0';
        (void)stage_device(stage, "faults off");
        stage->problem[0] = '\0';
        (void)stage_take(stage);
        while (!(stage_look(stage) && strcmp(stage->state, "idle") == 0) && guest_now_ms() < end) {
            stage->problem[0] = '\0';
            if (guest_among("staff|link|visual|consent|pin|method|eligibility", stage->state))
                (void)stage_act(stage, BOARD, "staff_end");
            guest_sleep_ms(100);
        }
        if (strcmp(stage->state, "idle") != 0) {
            (void)printf("FAIL  lane %d did not become idle again: %s %s\n", stage->lane,
                         stage->state, stage->failure);
            wrong++;
        }
    }
    return wrong;
}

int run_lanes(struct site *site, int visits)
{
    static struct round before[LANES_MAX], during[LANES_MAX];
    struct server *servers = calloc(LANES_MAX, sizeof(*servers));
    int n = site->nlanes < LANES_MAX ? site->nlanes : LANES_MAX, good = 0, wrong = 0;

    if (servers == NULL || n <= STUCK) {
        free(servers);
        return 1;
    }
    visits = visits < VISITS_MAX ? visits : VISITS_MAX;
    for (int i = 0; i < n; i++) {
        /* Lane 3 is the one with a service of its own: the last in `places`. */
        int at = i == 2 ? n - 1 : i == n - 1 ? 2 : i;

        servers[i].index = i;
        wrong += !stage_open(&servers[i].stage, site, at);
        servers[i].stage.consents = (unsigned)i;
    }
    if (wrong == 0) {
        serve_all(servers, 0, n, before, visits);
        if (!get_stuck(servers)) {
            for (int i = 0; i < STUCK; i++)
                (void)printf("FAIL  lane %d could not be stuck: %s\n", servers[i].stage.lane,
                             servers[i].stage.problem);
            wrong++;
        }
        serve_all(servers, STUCK, n, during, visits);
        print_rounds(servers, n, before, during);
        wrong += set_free(servers);
    }
    for (int i = 0; i < n; i++) {
        good += before[i].good + during[i].good;
        wrong += before[i].wrong + during[i].wrong;
        stage_close(&servers[i].stage);
    }
    (void)printf("lanes: %d passed, %d failed\n", good, wrong);
    free(servers);
    return wrong;
}
