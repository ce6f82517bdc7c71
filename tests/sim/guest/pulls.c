/*
 * A card pulled at every command that it gets. A visit of each family (play.h) is driven once,
 * undisturbed: the simulated reader says how many commands the card got, its trace which. Then for
 * each of these the card is pulled:
 *
 *   before   it is gone before the command is executed
 *   lost     the command was executed, its answer is lost
 *   after    it is gone once the answer has left
 *
 * and comes back (the visit goes on to its ordinary end), or does not (the visit ends as `gone`
 * says). How each cell must end, and how many tries of each secret the chip must then have left, is
 * written down before the first is tried: by the family's file and the undisturbed visit alone. The
 * books are compared afterwards.
 */
#include "play.h"

#include <stdlib.h>
#include <string.h>

#define COMMANDS_MAX 200
#define CELLS_MAX 2000
#define UNTIL_MS 120000

enum moment { BEFORE, LOST, AFTER, MOMENTS };

static const struct {
    const char *name, *fault;
} moments[MOMENTS] = {{"before", "torn-in"}, {"lost", "torn-lost"}, {"after", "torn"}};

/* The secrets whose counters the guest looks at, as the trace names them; a right one sets the
 * counter to what it can hold. */
static const struct {
    const char *application;
    unsigned digits;
    int full;
} secrets[3] = {{"jpki", 4, 3}, {"kenkaku", 14, 10}, {"kenhojo", 14, 10}};

struct command {
    int secret; /* a VERIFY of secrets[n] with digits; -1 */
    unsigned status;
};

struct course {        /* a visit, undisturbed */
    int n, identified; /* commands; so many until the patient was asked for a method */
    struct command commands[COMMANDS_MAX];
    int counters[3]; /* before the first */
};

struct cell {
    const struct family *family;
    const struct course *course;
    const struct ends *ends;
    int at; /* from 1 */
    enum moment moment;
    bool back;
    int counters[3];
};

struct pulls {
    struct families families;
    struct course courses[PLAY_FAMILIES_MAX];
    struct cell cells[CELLS_MAX];
    int ncells, next, wrong;
    pthread_mutex_t lock;
};

struct hand {
    struct pulls *pulls;
    struct stage stage;
    pthread_t thread;
};

/* ---- the undisturbed visit ------------------------------------------------------------------- */

/* What the trace says since the card was put there last. */
static bool read_trace(const struct stage *stage, struct course *course)
{
    char path[400], line[256];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/log/trace-%d", stage->site->directory, stage->lane);
    file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        struct command *command = &course->commands[course->n];
        char application[24];
        unsigned instruction, digits;

        if (strstr(line, " insert ") != NULL) {
            course->n = 0;
            continue;
        }
        if (course->n == COMMANDS_MAX ||
            sscanf(line, "%*s %23s CLA=%*s INS=%x P1P2=%*s Lc=%u Le=%*s -> %*s %x", application,
                   &instruction, &digits, &command->status) != 4)
            break;
        course->n++;
        command->secret = -1;
        for (int i = 0; i < 3; i++)
            if (instruction == 0x20 && strcmp(application, secrets[i].application) == 0 &&
                digits == secrets[i].digits)
                command->secret = i;
    }
    if (file != NULL)
        (void)fclose(file);
    return course->n > 0;
}

static int commands_so_far(struct stage *stage)
{
    char answer[256];
    int n = -1;

    if (!line_ask(stage->device, "apdus", answer, sizeof(answer)) ||
        sscanf(answer, "ok insertion=%d", &n) != 1)
        return -1;
    return n;
}

static bool at_method(struct play *play)
{
    return strcmp(play->stage->state, "method") == 0;
}

static bool finish(struct play *play)
{
    struct stage *stage = play->stage;

    return (stage_take(stage) && stage_wait(stage, "idle", 30000)) ||
           stage_fail(stage, "does not become idle");
}

static bool measure(struct hand *hand, const struct family *f, struct course *course)
{
    struct stage *stage = &hand->stage;
    struct play play;
    int n = -1;

    stage_begin(stage);
    play_begin(&play, f, stage, &f->ends, NULL);
    play_pick_card(f->cards, 0, play.card, sizeof(play.card));
    if (!stage_wait(stage, "idle", 30000) || !stage_counters(stage, play.card, course->counters))
        return false;
    stage_begin(stage);
    if (!play_until(&play, at_method, guest_now_ms() + UNTIL_MS))
        return stage_fail(stage, "was not asked for a method: %s %s", stage->state, stage->failure);
    course->identified = commands_so_far(stage);
    if (!play_until(&play, play_decided, guest_now_ms() + UNTIL_MS))
        return stage_fail(stage, "not decided: %s %s", stage->state, stage->failure);
    n = commands_so_far(stage);
    if (!finish(&play) || !play_check(&play, course->counters) || !read_trace(stage, course))
        return stage_fail(stage, "no trace of its commands");
    if (course->n != n || course->identified < 1 || course->identified >= n)
        return stage_fail(stage,
                          "the reader counted %d commands (%d until the choice), its trace has %d",
                          n, course->identified, course->n);
    return true;
}

/* ---- what must become of each cell ----------------------------------------------------------- */

/* What the commands that were executed make of the counters. */
static void counters_then(const struct cell *cell, int out[3])
{
    const struct course *course = cell->course;
    int executed = cell->moment == BEFORE ? cell->at - 1 : cell->at;

    memcpy(out, course->counters, sizeof(course->counters));
    for (int i = 0; i < executed; i++) {
        const struct command *command = &course->commands[i];

        if (command->secret < 0)
            continue;
        if (command->status == 0x9000)
            out[command->secret] = secrets[command->secret].full;
        else if ((command->status & 0xFFF0u) == 0x63C0u)
            out[command->secret] = (int)(command->status & 0xFu);
    }
}

static bool add_cell(struct pulls *p, const struct family *f, const struct course *course, int at,
                     enum moment moment, bool back)
{
    struct cell *cell = &p->cells[p->ncells];
    bool last = at == course->n && moment == AFTER;

    if (p->ncells == CELLS_MAX)
        return false;
    p->ncells++;
    *cell = (struct cell){
        f, course, back ? &f->ends : last ? &f->gone_last : &f->gone, at, moment, back, {0}};
    if (back) /* the visit goes on to its end, where every secret was right */
        memcpy(cell->counters, course->counters, sizeof(course->counters));
    else
        counters_then(cell, cell->counters);
    return true;
}

static bool make_cells(struct pulls *p)
{
    for (int i = 0; i < p->families.n; i++)
        for (int at = 1; at <= p->courses[i].n; at++)
            for (int moment = 0; moment < MOMENTS; moment++)
                for (int back = 1; back >= 0; back--)
                    if (!add_cell(p, &p->families.list[i], &p->courses[i], at, (enum moment)moment,
                                  back != 0))
                        return false;
    return p->ncells > 0;
}

static void print_cell(FILE *out, const struct cell *cell)
{
    (void)fprintf(out, "%-8s command %3d of %3d, %-6s, %-4s -> %s %s %s, tries %d/%d/%d",
                  cell->family->name, cell->at, cell->course->n, moments[cell->moment].name,
                  cell->back ? "back" : "gone", cell->ends->method, cell->ends->outcome,
                  cell->ends->code, cell->counters[0], cell->counters[1], cell->counters[2]);
}

/* ---- one cell -------------------------------------------------------------------------------- */

/* The card before this one went away with a try spent: its holder comes again, with the right
 * digits. */
static bool mend(struct stage *stage, const struct cell *cell)
{
    struct play play;
    int counters[3];

    stage_begin(stage);
    play_begin(&play, cell->family, stage, &cell->family->ends, NULL);
    play_pick_card(cell->family->cards, 0, play.card, sizeof(play.card));
    play.once = ~0u;
    if (!stage_wait(stage, "idle", 30000) || !stage_counters(stage, play.card, counters))
        return false;
    if (memcmp(counters, cell->course->counters, sizeof(counters)) == 0)
        return true;
    stage_begin(stage);
    return (play_until(&play, play_decided, guest_now_ms() + UNTIL_MS) ||
            stage_fail(stage, "the visit in between is not decided")) &&
           finish(&play) && play_check(&play, cell->course->counters);
}

static bool run_cell(struct stage *stage, const struct cell *cell)
{
    const struct family *f = cell->family;
    const struct ends *ends = cell->ends;
    struct play play;
    char command[64], answer[512];

    stage_begin(stage);
    play_begin(&play, f, stage, ends, NULL);
    play.leaves = !cell->back;
    play_pick_card(f->cards, 0, play.card, sizeof(play.card));
    stage->consents = (stage->consents + 1) % 64;
    if (!mend(stage, cell))
        return false;
    stage_begin(stage);
    (void)snprintf(command, sizeof(command), "fault %s %d", moments[cell->moment].fault, cell->at);
    if (!stage_device(stage, command) ||
        !play_until(&play, play_decided, guest_now_ms() + ends->seconds * 1000u))
        return stage_fail(stage, "not decided after %u s: %s %s", ends->seconds, stage->state,
                          stage->failure);
    if (!line_ask(stage->device, "status", answer, sizeof(answer)) ||
        strstr(answer, " faults=0") == NULL)
        return stage_fail(stage, "the card was never pulled");
    if (!play.saw_lost)
        return stage_fail(stage, "the lane did not ask for the card (C003)");
    return finish(&play) && play_check(&play, cell->counters);
}

static void *work(void *arg)
{
    struct hand *hand = arg;
    struct pulls *p = hand->pulls;

    for (;;) {
        const struct cell *cell;
        bool good;

        (void)pthread_mutex_lock(&p->lock);
        cell = p->next < p->ncells ? &p->cells[p->next++] : NULL;
        (void)pthread_mutex_unlock(&p->lock);
        if (cell == NULL)
            return NULL;
        good = run_cell(&hand->stage, cell);
        (void)pthread_mutex_lock(&p->lock);
        p->wrong += !good;
        if (!good) {
            (void)printf("FAIL  ");
            print_cell(stdout, cell);
            (void)printf("; BUT %s (visit %llu)\n", hand->stage.problem,
                         (unsigned long long)hand->stage.last_visit);
            (void)fflush(stdout);
        }
        (void)pthread_mutex_unlock(&p->lock);
        if (!good)
            play_tidy(&hand->stage);
    }
}

/* ---- all of them ----------------------------------------------------------------------------- */

static bool measure_all(struct pulls *p, struct hand *hands)
{
    for (int i = 0; i < p->families.n; i++) {
        const struct family *f = &p->families.list[i];
        const struct course *course = &p->courses[i];

        if (!measure(&hands[0], f, &p->courses[i])) {
            (void)printf("FAIL  %s, undisturbed: %s\n", f->name, hands[0].stage.problem);
            return false;
        }
        (void)printf("%-8s %3d commands: 1-%d in card, %d-%d after the choice; %s\n", f->name,
                     course->n, course->identified, course->identified + 1, course->n, f->words);
    }
    return true;
}

static void write_table(const struct pulls *p, const char *path)
{
    FILE *file = fopen(path, "we");

    for (int i = 0; file != NULL && i < p->ncells; i++) {
        print_cell(file, &p->cells[i]);
        (void)fprintf(file, " within %u s\n", p->cells[i].ends->seconds);
    }
    if (file != NULL)
        (void)fclose(file);
    (void)printf("%d cells; how each must end stands in %s\n", p->ncells, path);
}

static void keep(struct pulls *p, const char *family, int k, int n)
{
    int kept = 0, turn = 0;

    for (int i = 0; i < p->ncells; i++)
        if ((family == NULL || strcmp(p->cells[i].family->name, family) == 0) &&
            turn++ % n == k % n)
            p->cells[kept++] = p->cells[i];
    if (kept < p->ncells)
        (void)printf("of these %d are tried\n", kept);
    p->ncells = kept;
}

int run_pulls(struct site *site, const char *file, const char *table, const char *family, int k,
              int n)
{
    struct pulls *p = calloc(1, sizeof(*p));
    struct hand *hands = calloc(SITE_LANES_MAX, sizeof(*hands));
    uint64_t began;
    int lanes = 0, wrong = 1;

    if (p == NULL || hands == NULL || !families_read(&p->families, file))
        goto done;
    (void)pthread_mutex_init(&p->lock, NULL);
    for (; lanes < site->nlanes; lanes++) {
        hands[lanes].pulls = p;
        if (!stage_open(&hands[lanes].stage, site, lanes))
            goto done;
        hands[lanes].stage.consents = (unsigned)lanes;
    }
    if (!measure_all(p, hands) || !make_cells(p))
        goto done;
    write_table(p, table);
    keep(p, family, k, n);
    began = guest_now_ms();
    for (int i = 0; i < lanes; i++)
        (void)pthread_create(&hands[i].thread, NULL, work, &hands[i]);
    for (int i = 0; i < lanes; i++)
        (void)pthread_join(hands[i].thread, NULL);
    (void)printf("%d cards pulled in %.0f s over %d lanes\n", p->ncells,
                 (double)(guest_now_ms() - began) / 1000, lanes);
    (void)printf("pulls: %d passed, %d failed\n", p->ncells - p->wrong, p->wrong);
    wrong = p->wrong;
done:
    for (int i = 0; hands != NULL && i < lanes; i++)
        stage_close(&hands[i].stage);
    if (p != NULL)
        families_free(&p->families);
    free(hands);
    free(p);
    return wrong;
}
