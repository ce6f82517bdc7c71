/*
 * Every program killed (SIGKILL) in the middle of a face visit and of a PIN visit. The table says beforehand
 * how each cell ends: the visit goes on to "eligible", at the latest after `seconds`, by the same method or, where
 * a credential died with its process, after asking for it again. Afterwards the chip's counters, the board and the
 * service's ledger must agree: no try spent beyond what was keyed in, no visit missing, none open.
 */
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct cell {
    const char *program;
    const char *method;   /* face or pin */
    const char *state;    /* the state in which it is killed */
    unsigned seconds;     /* until the visit is done again */
};

static const struct cell cells[] = {
    {"desk", "face", "method", 20},      {"desk", "face", "number_b", 20},   {"desk", "face", "face", 30},
    {"desk", "face", "consent", 20},     {"desk", "pin", "pin", 20},         {"desk", "pin", "consent", 20},
    {"web", "face", "number_b", 20},     {"web", "face", "face", 25},        {"web", "pin", "pin", 20},
    {"web", "pin", "consent", 20},       {"reader-1", "face", "method", 20}, {"reader-1", "face", "number_b", 20},
    {"reader-1", "face", "face", 30},    {"reader-1", "pin", "pin", 20},     {"reader-1", "pin", "consent", 20},
    {"matcher", "face", "method", 25},   {"matcher", "face", "face", 30},    {"matcher", "pin", "pin", 20},
    {"relay-main", "face", "face", 25},  {"relay-main", "pin", "consent", 20}, {"relay-main", "face", "consent", 20},
    {"broker", "face", "face", 25},      {"broker", "pin", "pin", 20},       {"service", "pin", "consent", 25},
    {"desk", "pin", "eligibility", 25},  {"desk", "face", "eligibility", 30}, {"relay-main", "pin", "eligibility", 25},
    {"relay-main", "face", "eligibility", 30}, {"service", "pin", "eligibility", 25}, {"web", "pin", "eligibility", 20},
    {"device-1", "pin", "pin", 25},      {"device-1", "face", "face", 30},
};

static uint64_t now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* A patient who simply does what the screen asks, and puts the card back when it is asked for. */
static void follow_screen(struct stage *stage, const struct cell *cell, const struct card_facts *facts)
{
    char answer[256];

    if (strcmp(stage->state, "method") == 0)
        (void)stage_act(stage, KIOSK, strcmp(cell->method, "face") == 0 ? "choose_face" : "choose_pin");
    else if (strcmp(stage->state, "number_b") == 0 && stage->key[0] != '\0')
        (void)stage_send(stage, "send_number_b", "number-b", facts->number_b);
    else if (strcmp(stage->state, "pin") == 0 && stage->key[0] != '\0')
        (void)stage_send(stage, "send_pin", "pin", facts->pin);
    else if (strcmp(stage->state, "consent") == 0)
        (void)stage_consent(stage);
    else if (strcmp(stage->state, "idle") == 0 || strcmp(stage->state, "card_lost") == 0) {
        /* A device that was restarted has no card and no picture. */
        (void)line_ask(stage->device, "camera franck", answer, sizeof(answer));
        (void)line_ask(stage->device, "insert franck", answer, sizeof(answer));
    }
    /* An action that came too late for its screen is no misfortune: look again. */
    stage->problem[0] = '\0';
}

static bool play_until(struct stage *stage, const struct cell *cell, const struct card_facts *facts, const char *state,
                       uint64_t end)
{
    int acted_step = -1;
    uint64_t acted_at = 0;

    while (now_ms() < end) {
        if (stage_look(stage)) {
            if (strcmp(stage->state, state) == 0)
                return true;
            if (stage->step != acted_step || now_ms() - acted_at > 1000) {
                acted_step = stage->step;
                acted_at = now_ms();
                follow_screen(stage, cell, facts);
            }
        }
        (void)usleep(10000);
    }
    return false;
}

static bool no_visit_open(struct stage *stage)
{
    long status;
    json_t *answer = http_ask(stage->http, BOARD, "/api/visits", NULL, &status);
    const json_t *visits = json_is_array(answer) ? answer : json_object_get(answer, "visits");
    bool good = status == 200 && json_array_size(visits) > 0;

    for (size_t i = 0; good && i < json_array_size(visits); i++) {
        const char *outcome = json_string_value(json_object_get(json_array_get(visits, i), "outcome"));

        good = outcome != NULL && strcmp(outcome, "open") != 0;
    }
    json_decref(answer);
    return good;
}

static bool run_cell(struct stage *stage, const struct cell *cell, uint64_t *recovered_ms)
{
    struct card_facts facts;
    char command[128], answer[512];
    bool asking = strcmp(cell->state, "eligibility") == 0;
    uint64_t killed;
    json_t *visit;
    bool good;

    stage->problem[0] = '\0';
    stage->last_visit = 0;
    if (!card_facts_read(&facts, stage->cards, "franck") || !stage_device(stage, "camera franck") ||
        !stage_wait(stage, "idle", 10000) || !stage_device(stage, "insert franck"))
        return false;
    /* Only an answer that is not in the cache yet is asked for: another set of consents each time; and the service
     * takes its time, so that the question is on its way when the program dies. */
    if (asking) {
        stage->consents--;
        (void)line_ask(stage->service, "slow 1500 /card_session", answer, sizeof(answer));
    }
    if (!play_until(stage, cell, &facts, cell->state, now_ms() + 30000))
        return stage_fail(stage, "did not come to %s, is in %s %s", cell->state, stage->state, stage->failure);
    (void)snprintf(command, sizeof(command), "kill %s 9", cell->program);
    if (!line_ask(stage->launcher, command, answer, sizeof(answer)))
        return stage_fail(stage, "launcher: %s", answer);
    killed = now_ms();
    (void)usleep(20000);
    if (asking)
        (void)line_ask(stage->service, "normal", answer, sizeof(answer));
    if (!play_until(stage, cell, &facts, "done", killed + cell->seconds * 1000u))
        return stage_fail(stage, "not done after %u s: %s %s", cell->seconds, stage->state, stage->failure);
    *recovered_ms = now_ms() - killed;
    (void)line_ask(stage->device, "remove", answer, sizeof(answer));
    if (!stage_wait(stage, "idle", 15000))
        return false;
    visit = stage_visit(stage, stage->last_visit);
    good = strcmp(json_string_value(json_object_get(visit, "outcome")) != NULL
                      ? json_string_value(json_object_get(visit, "outcome"))
                      : "none",
                  "eligible") == 0;
    json_decref(visit);
    if (!good)
        return stage_fail(stage, "the visit is not eligible");
    if (!line_ask(stage->device, "counters franck", answer, sizeof(answer)) || strstr(answer, "jpki.0018=3/") == NULL ||
        strstr(answer, "kenkaku.0012=10/") == NULL)
        return stage_fail(stage, "a try was spent: %s", answer);
    return no_visit_open(stage) || stage_fail(stage, "a visit was left open");
}

int kills_run(struct stage *stage, int *count)
{
    int wrong = 0;

    *count = (int)(sizeof(cells) / sizeof(cells[0]));
    for (int i = 0; i < *count; i++) {
        uint64_t recovered = 0;
        bool good = run_cell(stage, &cells[i], &recovered);
        char answer[512];

        (void)printf("%s  %-10s killed in %s / %-8s", good ? "ok  " : "FAIL", cells[i].program, cells[i].method,
                     cells[i].state);
        if (good)
            (void)printf("  done %llu ms later (allowed %u s)\n", (unsigned long long)recovered, cells[i].seconds);
        else
            (void)printf("  %s\n", stage->problem);
        (void)fflush(stdout);
        wrong += !good;
        (void)line_ask(stage->device, "remove", answer, sizeof(answer));
    }
    return wrong;
}
