/*
 * The whole table of visits over every lane of every desk that fits, several at once: a lane takes
 * the next visit of its place whose cards nobody holds; visits that share a card keep the order of
 * the file. Lines are printed in the order of the file too, whatever ran first.
 */
#include "guest.h"

#include <stdlib.h>
#include <string.h>

#define WORKERS_MAX 64

enum progress { WAITING, RUNNING, FINISHED };

struct result {
    enum progress progress;
    bool good;
    char problem[400];
    json_t *visit; /* as the board has it; NULL when there is none */
    long asked;
    int before[3], after[3]; /* counters of the first card; all -1 without one */
};

struct run {
    const struct script *script;
    const char *only;
    struct result *results;
    int printed; /* so many plans are on the screen */
    int family;  /* whose heading was printed last; -1 none */
    int passed, failed;
    long asked, apdus;
    uint64_t began_ms;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

struct worker {
    struct run *run;
    struct site *site;
    int lane_index;
    struct stage stage, beside;
    bool has_beside;
    pthread_t thread;
};

static bool wanted(const struct run *run, const struct plan *plan)
{
    return run->only == NULL || strcmp(run->script->families[plan->family].name, run->only) == 0;
}

static const char *word(const json_t *visit, const char *name)
{
    const char *value = json_string_value(json_object_get(visit, name));

    return value != NULL ? value : "-";
}

static const char *code_of(const json_t *visit)
{
    const char *value =
        json_string_value(json_object_get(json_object_get(visit, "failure"), "code"));

    return value != NULL ? value : "-";
}

static long number(const json_t *visit, const char *name)
{
    return (long)json_integer_value(json_object_get(visit, name));
}

/* ---- one line of the table ------------------------------------------------------------------- */

static void print_counter(int before, int after)
{
    char text[16] = "-";

    if (before >= 0 && before == after)
        (void)snprintf(text, sizeof(text), "%d", before);
    else if (before >= 0)
        (void)snprintf(text, sizeof(text), "%d>%d", before, after);
    (void)printf(" %5s", text);
}

static void print_result(const struct run *run, int index)
{
    const struct plan *plan = &run->script->plans[index];
    const struct result *result = &run->results[index];
    const json_t *visit = result->visit;

    (void)printf("%s  %-8s %-12s %6ld %6ld %6ld %6ld %6ld %7ld %6ld %6ld %5s %5ld",
                 result->good ? "ok  " : "FAIL", word(visit, "method"), word(visit, "outcome"),
                 number(visit, "card_ms"), number(visit, "photo_ms"), number(visit, "face_ms"),
                 number(visit, "pin_ms"), number(visit, "ask_ms"), number(visit, "total_ms"),
                 number(visit, "apdus"), number(visit, "frames"), code_of(visit), result->asked);
    for (size_t i = 0; i < 3; i++)
        print_counter(result->before[i], result->after[i]);
    (void)printf("  %s\n", plan->words);
    if (!result->good)
        (void)printf("      %s:%d: %s\n", run->script->path, plan->line, result->problem);
}

/* With the lock held: everything that is next in the file's order and over. */
static void print_what_is_next(struct run *run)
{
    for (; run->printed < run->script->nplans; run->printed++) {
        const struct plan *plan = &run->script->plans[run->printed];

        if (!wanted(run, plan))
            continue;
        if (run->results[run->printed].progress != FINISHED)
            break;
        if (plan->family != run->family)
            (void)printf("-- %s\n", run->script->families[plan->family].words);
        run->family = plan->family;
        print_result(run, run->printed);
    }
    (void)fflush(stdout);
}

/* ---- is it as the table says? ---------------------------------------------------------------- */

static bool has_flags(const json_t *visit, const char *wanted_flags)
{
    const json_t *flags = json_object_get(visit, "flags");
    char list[256] = "", wants[64];
    size_t used = 0;
    char *save = NULL;

    for (size_t i = 0; i < json_array_size(flags) && used < sizeof(list); i++)
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s|",
                                 json_string_value(json_array_get(flags, i)));
    (void)snprintf(wants, sizeof(wants), "%s", wanted_flags);
    for (char *flag = strtok_r(wants, ",", &save); flag != NULL; flag = strtok_r(NULL, ",", &save))
        if (!guest_among(list, flag))
            return false;
    return true;
}

static bool check_counters(struct stage *stage, const struct ending *ends,
                           const struct result *result)
{
    static const char *const names[3] = {"pin", "b", "text-b"};

    for (size_t i = 0; i < 3; i++) {
        int before = result->before[i], after = result->before[i];

        if (ends->counters[i][0] != '\0' &&
            sscanf(ends->counters[i], "%d>%d", &before, &after) != 2)
            return stage_fail(stage, "%s=%s is not A>B", names[i], ends->counters[i]);
        if (result->before[i] != before || result->after[i] != after)
            return stage_fail(stage, "%s tries went %d>%d, not %d>%d", names[i], result->before[i],
                              result->after[i], before, after);
    }
    return true;
}

static bool check_ending(struct stage *stage, const struct ending *ends,
                         const struct result *result)
{
    const json_t *visit = result->visit;

    if (visit == NULL)
        return strcmp(ends->outcome, "none") == 0 ? check_counters(stage, ends, result)
                                                  : stage_fail(stage, "the board knows no visit");
    if (strcmp(ends->outcome, word(visit, "outcome")) != 0 ||
        strcmp(ends->method, word(visit, "method")) != 0 || strcmp(ends->code, code_of(visit)) != 0)
        return stage_fail(stage, "not %s %s %s but %s %s %s", ends->method, ends->outcome,
                          ends->code, word(visit, "method"), word(visit, "outcome"),
                          code_of(visit));
    if (result->asked != ends->asked)
        return stage_fail(stage, "%ld questions in the service's ledger, not %d", result->asked,
                          ends->asked);
    if (!has_flags(visit, ends->flags))
        return stage_fail(stage, "the visit is not marked %s", ends->flags);
    if (ends->record[0] != '\0' && strcmp(ends->record, word(visit, "record")) != 0)
        return stage_fail(stage, "record is %s, not %s", word(visit, "record"), ends->record);
    if (ends->challenge[0] != '\0' && strcmp(ends->challenge, word(visit, "challenge")) != 0)
        return stage_fail(stage, "challenge is %s, not %s", word(visit, "challenge"),
                          ends->challenge);
    return check_counters(stage, ends, result);
}

/* ---- one visit ------------------------------------------------------------------------------- */

/* The first card that the plan places. */
static bool first_card(const struct plan *plan, char *out, size_t size)
{
    for (int i = 0; i < plan->nsteps; i++)
        if (strncmp(plan->steps[i], "place ", 6) == 0) {
            (void)snprintf(out, size, "%.*s", (int)strcspn(plan->steps[i] + 6, " "),
                           plan->steps[i] + 6);
            return true;
        }
    return false;
}

/* After a visit that went wrong: an empty reader, no faults, a good service, and the lane idle if
 * it can be. */
static void clean_up(struct stage *stage)
{
    char answer[512];

    (void)line_ask(stage->device, "plug", answer, sizeof(answer));
    (void)line_ask(stage->device, "faults off", answer, sizeof(answer));
    (void)line_ask(stage->service, "normal", answer, sizeof(answer));
    (void)line_ask(stage->device, "remove", answer, sizeof(answer));
    stage_begin(stage);
    if (stage_look(stage) && strcmp(stage->state, "idle") != 0)
        (void)stage_act(stage, BOARD, "staff_end");
    stage_begin(stage);
    (void)stage_wait(stage, "idle", 20000);
    stage_begin(stage);
}

static void take_visit(struct worker *worker, int index)
{
    const struct plan *plan = &worker->run->script->plans[index];
    struct result *result = &worker->run->results[index];
    struct stage *stage = &worker->stage;
    char card[48] = "";
    bool has_card = first_card(plan, card, sizeof(card));

    stage_begin(stage);
    stage_begin(&worker->beside);
    for (size_t i = 0; i < 3; i++)
        result->before[i] = result->after[i] = -1;
    result->good = !has_card || stage_counters(stage, card, result->before);
    for (int i = 0; result->good && i < plan->nsteps; i++)
        result->good =
            step_take(stage, worker->has_beside ? &worker->beside : NULL, plan->steps[i]);
    result->asked =
        stage_questions(stage) + (worker->has_beside ? stage_questions(&worker->beside) : 0);
    if (stage->last_visit != 0)
        result->visit = stage_visit(stage, stage->last_visit);
    if (has_card)
        (void)stage_counters(stage, card, result->after);
    result->good = result->good && check_ending(stage, &plan->ends, result);
    (void)snprintf(result->problem, sizeof(result->problem), "%s", stage->problem);
    site_note(worker->site, json_pack("{s:s, s:i, s:I, s:s, s:s, s:s, s:b}", "event", "ended",
                                      "lane", stage->lane, "visit", (json_int_t)stage->last_visit,
                                      "plan", plan->name, "outcome", word(result->visit, "outcome"),
                                      "code", code_of(result->visit), "good", result->good));
    if (!result->good) {
        clean_up(stage);
        if (worker->has_beside)
            clean_up(&worker->beside);
    }
}

/* ---- who drives what ------------------------------------------------------------------------- */

static bool share_a_claim(const struct plan *a, const struct plan *b)
{
    char claims[sizeof(a->claims)], *save = NULL;

    (void)snprintf(claims, sizeof(claims), "%s", a->claims);
    for (char *one = strtok_r(claims, "|", &save); one != NULL; one = strtok_r(NULL, "|", &save))
        if (guest_among(b->claims, one))
            return true;
    return false;
}

/* The next visit for this place that may begin now; -1 none now, -2 none any more. */
static int pick(const struct run *run, const char *place)
{
    int answer = -2;

    for (int i = 0; i < run->script->nplans; i++) {
        const struct plan *plan = &run->script->plans[i];
        bool blocked = false;

        if (run->results[i].progress != WAITING || !wanted(run, plan) ||
            strcmp(plan->place, place) != 0)
            continue;
        for (int j = 0; j < run->script->nplans && !blocked; j++)
            blocked = wanted(run, &run->script->plans[j]) &&
                      share_a_claim(plan, &run->script->plans[j]) &&
                      (run->results[j].progress == RUNNING ||
                       (j < i && run->results[j].progress != FINISHED));
        if (!blocked)
            return i;
        answer = -1;
    }
    return answer;
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct run *run = worker->run;
    const char *place = worker->site->lanes[worker->lane_index].place;
    int index;

    (void)pthread_mutex_lock(&run->lock);
    while ((index = pick(run, place)) != -2) {
        struct result *result;

        if (index == -1) {
            (void)pthread_cond_wait(&run->changed, &run->lock);
            continue;
        }
        result = &run->results[index];
        result->progress = RUNNING;
        (void)pthread_mutex_unlock(&run->lock);
        take_visit(worker, index);
        (void)pthread_mutex_lock(&run->lock);
        result->progress = FINISHED;
        run->passed += result->good;
        run->failed += !result->good;
        run->asked += result->asked;
        run->apdus += number(result->visit, "apdus");
        print_what_is_next(run);
        (void)pthread_cond_broadcast(&run->changed);
    }
    (void)pthread_mutex_unlock(&run->lock);
    return NULL;
}

/* Is there another lane of the place "beside" for this one? Lanes of "pair" drive it. */
static int lane_beside(const struct site *site)
{
    for (int i = 0; i < site->nlanes; i++)
        if (strcmp(site->lanes[i].place, "beside") == 0)
            return i;
    return -1;
}

static int start_workers(struct run *run, struct site *sites, int nsites, struct worker *workers)
{
    int n = 0;

    for (int s = 0; s < nsites; s++)
        for (int l = 0; l < sites[s].nlanes && n < WORKERS_MAX; l++) {
            struct worker *worker = &workers[n];

            if (strcmp(sites[s].lanes[l].place, "beside") == 0)
                continue;
            worker->run = run;
            worker->site = &sites[s];
            worker->lane_index = l;
            if (!stage_open(&worker->stage, &sites[s], l))
                continue;
            worker->has_beside = strcmp(sites[s].lanes[l].place, "pair") == 0 &&
                                 lane_beside(&sites[s]) >= 0 &&
                                 stage_open(&worker->beside, &sites[s], lane_beside(&sites[s]));
            if (pthread_create(&worker->thread, NULL, work, worker) == 0)
                n++;
        }
    return n;
}

static void print_heading(void)
{
    (void)printf("      %-8s %-12s %6s %6s %6s %6s %6s %7s %6s %6s %5s %5s %5s %5s %5s\n", "method",
                 "outcome", "card", "photo", "face", "pin", "ask", "total", "APDUs", "frames",
                 "code", "asked", "PIN", "B", "textB");
    (void)printf("      %-8s %-12s %6s %6s %6s %6s %6s %7s %6s %6s %5s %5s %17s\n", "", "", "ms",
                 "ms", "ms", "ms", "ms", "ms", "", "", "", "", "tries before>after");
}

int run_visits(struct site *sites, int nsites, const struct script *script, const char *family)
{
    struct run run = {.script = script, .only = family, .family = -1, .began_ms = guest_now_ms()};
    struct worker *workers = calloc(WORKERS_MAX, sizeof(*workers));
    int n, left = 0;

    run.results = calloc((size_t)script->nplans, sizeof(*run.results));
    if (workers == NULL || run.results == NULL) {
        free(workers);
        free(run.results);
        return 1;
    }
    (void)pthread_mutex_init(&run.lock, NULL);
    (void)pthread_cond_init(&run.changed, NULL);
    print_heading();
    n = start_workers(&run, sites, nsites, workers);
    for (int i = 0; i < n; i++) {
        (void)pthread_join(workers[i].thread, NULL);
        stage_close(&workers[i].stage);
        stage_close(&workers[i].beside);
    }
    for (int i = 0; i < script->nplans; i++) {
        if (wanted(&run, &script->plans[i]) && run.results[i].progress != FINISHED) {
            (void)printf("FAIL  %s: no lane stands at %s\n", script->plans[i].name,
                         script->plans[i].place);
            left++;
        }
        json_decref(run.results[i].visit);
    }
    (void)printf("%d visits in %.0f s over %d lanes of %d desks; %ld questions asked, %ld APDUs\n",
                 run.passed + run.failed, (double)(guest_now_ms() - run.began_ms) / 1000, n, nsites,
                 run.asked, run.apdus);
    (void)printf("visits: %d passed, %d failed\n", run.passed, run.failed + left);
    free(run.results);
    free(workers);
    return run.failed + left;
}
