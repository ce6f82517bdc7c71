/*
 * The kill matrix: every program killed (SIGKILL) in every state that a family of visits comes
 * through. The file (play.h says how it is written) says beforehand how each cell must end and
 * within how many seconds after the kill; the table of all cells is written down before the first
 * is tried.
 *
 * The patient puts the card (back) whenever the lane asks for it; staff end a visit that must end
 * with them. In the end each cell's visit is one visit, the card's counters are what they were, and
 * the books are compared afterwards.
 */
#include "play.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define CELLS_MAX 1000
#define COME_THERE_MS 30000
/* A relay's four tries may be over then (daemon/relay/retry.c): that is an outage, not a service that was killed. */
#define SERVICE_LATE_MS 1000
#define SERVICE_TRIES 3

struct cell {
    const struct family *family;
    const char *state, *program;
    const struct ends *ends;
};

struct matrix {
    struct families families;
    struct cell cells[CELLS_MAX];
    int ncells;
    int next, wrong;
    unsigned slowest_ms;
    pthread_mutex_t lock;
};

struct hand {
    struct matrix *matrix;
    struct site *site;
    struct stage lanes[4]; /* by place */
    int nlanes;
    unsigned cells;
    unsigned consents;      /* another set each time: an answer of today would be served again */
    struct timespec killed; /* by the wall clock */
    pthread_t thread;
};

static const struct ends *ends_of(const struct family *f, const char *state, const char *program)
{
    for (int i = 0; i < f->nexcept; i++)
        if (guest_among(f->except[i].programs, program) && guest_among(f->except[i].states, state))
            return &f->except[i].ends;
    return &f->ends;
}

static bool make_cells(struct matrix *m)
{
    for (int i = 0; i < m->families.n; i++)
        for (int s = 0; s < m->families.list[i].nstates; s++)
            for (int p = 0; p < m->families.nprograms; p++) {
                const struct family *f = &m->families.list[i];

                if (m->ncells == CELLS_MAX)
                    return false;
                m->cells[m->ncells++] =
                    (struct cell){f, f->states[s], m->families.programs[p],
                                  ends_of(f, f->states[s], m->families.programs[p])};
            }
    return m->ncells > 0;
}

/* ---- one cell -------------------------------------------------------------------------------- */

static void program_name(const struct stage *stage, const char *program, const char *place,
                         char *out, size_t size)
{
    if (strcmp(program, "reader") == 0 || strcmp(program, "device") == 0)
        (void)snprintf(out, size, "%s-%d", program, stage->lane);
    else if (strcmp(program, "relay") == 0)
        (void)snprintf(out, size, "relay-%s", strcmp(place, "numbers") == 0 ? "numbers" : "main");
    else
        (void)snprintf(out, size, "%s", program);
}

static bool begin_cell(struct play *play)
{
    const struct family *f = play->family;
    struct stage *stage = play->stage;

    if (!stage_wait(stage, "idle", 20000))
        return false;
    stage_begin(stage); /* the end of the visit before may still have been on the screen */
    if ((f->first != NULL && !play_steps(stage, f->first)))
        return false;
    if (f->lookup == NULL)
        return true;
    for (int i = 0; i < f->nbefore; i++)
        if (strcmp(f->before[i].state, play->aim) == 0 && !play_steps(stage, f->before[i].steps))
            return false;
    return step_take(stage, NULL, f->lookup);
}

static bool run_cell(struct hand *hand, struct stage *stage, const struct cell *cell,
                     unsigned *recovered_ms)
{
    const struct family *f = cell->family;
    struct play play;
    char program[32], answer[512];
    int before[3] = {-1, -1, -1};
    uint64_t killed;

    program_name(stage, cell->program, f->place, program, sizeof(program));
    stage_begin(stage);
    if (!site_served(hand->site, 60))
        return stage_fail(stage, "a service has not answered within 60 s");
    play_begin(&play, f, stage, cell->ends, cell->state);
    play_pick_card(f->cards, hand->cells++, play.card, sizeof(play.card));
    stage->consents = hand->consents = (hand->consents + 1) % 64;
    if ((play.card[0] != '\0' && !stage_counters(stage, play.card, before)) || !begin_cell(&play))
        return false;
    if (!play_until(&play, play_there, guest_now_ms() + COME_THERE_MS))
        return stage_fail(stage, "did not come to %s, is in %s %s", cell->state, stage->state,
                          stage->failure);
    play.aim = NULL;
    for (int i = 0; i < f->nlingers; i++)
        if (strcmp(f->lingers[i], cell->state) == 0)
            guest_sleep_ms(f->linger_ms);
    (void)clock_gettime(CLOCK_REALTIME, &hand->killed);
    killed = guest_now_ms();
    if (!step_kill(stage, program, 9))
        return false;
    if (!f->stays)
        (void)line_ask(stage->service, "normal", answer, sizeof(answer));
    (void)line_ask(stage->device, "faults off", answer, sizeof(answer));
    if (f->then != NULL && !play_steps(stage, f->then))
        return false;
    play.acted_step = -1;
    if (!play_until(&play, play_decided, killed + cell->ends->seconds * 1000u))
        return stage_fail(stage, "not decided after %u s: %s %s", cell->ends->seconds, stage->state,
                          stage->failure);
    *recovered_ms = (unsigned)(guest_now_ms() - killed);
    (void)line_ask(stage->service, "normal", answer, sizeof(answer));
    (void)line_ask(stage->service, "up", answer, sizeof(answer));
    if (!family_on_board(f) && (!stage_take(stage) || !stage_wait(stage, "idle", 20000)))
        return false;
    return (site_ready(hand->site, 120) || stage_fail(stage, "not every program runs again")) &&
           play_check(&play, play.card[0] != '\0' ? before : NULL) &&
           (f->last == NULL || play_steps(stage, f->last));
}

/*
 * A service that was killed and came back so late, on a machine that had no time for it, was away: the cell did not try
 * what it is for. When it was back says the file that it writes then.
 */
static bool service_was_late(const struct hand *hand, const struct stage *stage,
                             const struct cell *cell)
{
    char path[400];
    struct stat st;
    int64_t ms;

    (void)snprintf(path, sizeof(path), "%s/run/service.port", hand->site->directory);
    if (strcmp(cell->program, "service") != 0 || stat(path, &st) != 0)
        return false;
    ms = (int64_t)(st.st_mtim.tv_sec - hand->killed.tv_sec) * 1000 +
         (st.st_mtim.tv_nsec - hand->killed.tv_nsec) / 1000000;
    if (ms > SERVICE_LATE_MS)
        (void)printf("once more: service killed in %s / %s: %s, but it was away for %lld ms\n",
                     cell->family->name, cell->state, stage->problem, (long long)ms);
    return ms > SERVICE_LATE_MS;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static struct stage *lane_at(struct hand *hand, const char *place)
{
    for (int i = 0; i < hand->site->nlanes && i < hand->nlanes; i++)
        if (strcmp(hand->site->lanes[i].place, place) == 0)
            return &hand->lanes[i];
    return NULL;
}

static void *work(void *arg)
{
    struct hand *hand = arg;
    struct matrix *m = hand->matrix;

    for (;;) {
        struct stage *stage;
        const struct cell *cell;
        unsigned recovered = 0;
        bool good;

        (void)pthread_mutex_lock(&m->lock);
        cell = m->next < m->ncells ? &m->cells[m->next++] : NULL;
        (void)pthread_mutex_unlock(&m->lock);
        if (cell == NULL)
            return NULL;
        stage = lane_at(hand, cell->family->place);
        good = stage != NULL && run_cell(hand, stage, cell, &recovered);
        for (int i = 1; i < SERVICE_TRIES && stage != NULL && !good; i++) {
            if (!service_was_late(hand, stage, cell))
                break;
            play_tidy(stage);
            good = run_cell(hand, stage, cell, &recovered);
        }
        (void)pthread_mutex_lock(&m->lock);
        (void)printf("%s  %-9s killed in %-9s / %-20s -> ", good ? "ok  " : "FAIL", cell->program,
                     cell->family->name, cell->state);
        play_print_ends(cell->ends);
        if (good)
            (void)printf("; after %u ms\n", recovered);
        else
            (void)printf("; BUT %s\n", stage != NULL ? stage->problem : "no lane stands there");
        (void)fflush(stdout);
        m->wrong += !good;
        m->slowest_ms = recovered > m->slowest_ms ? recovered : m->slowest_ms;
        (void)pthread_mutex_unlock(&m->lock);
        if (!good && stage != NULL)
            play_tidy(stage);
    }
}

static void print_table(const struct matrix *m, const char *path)
{
    FILE *file = fopen(path, "we");

    for (int i = 0; file != NULL && i < m->ncells; i++)
        (void)fprintf(file, "%-9s %-20s %-9s %s %s %s within %u s\n", m->cells[i].family->name,
                      m->cells[i].state, m->cells[i].program, m->cells[i].ends->method,
                      m->cells[i].ends->outcome, m->cells[i].ends->code, m->cells[i].ends->seconds);
    if (file != NULL)
        (void)fclose(file);
    (void)printf("%d cells: %d families, %d programs; the table stands in %s\n", m->ncells,
                 m->families.n, m->families.nprograms, path);
}

/* Only every N-th cell from the K-th on. */
static void take_slice(struct matrix *m, int k, int n)
{
    int kept = 0;

    for (int i = k % n; i < m->ncells; i += n)
        m->cells[kept++] = m->cells[i];
    m->ncells = kept;
    if (n > 1)
        (void)printf("of these every %dth: %d\n", n, kept);
}

static void keep_family(struct matrix *m, const char *family)
{
    int kept = 0;

    for (int i = 0; i < m->ncells; i++)
        if (family == NULL || strcmp(m->cells[i].family->name, family) == 0)
            m->cells[kept++] = m->cells[i];
    m->ncells = kept;
}

int run_kills(struct site *sites, int nsites, const char *file, const char *table,
              const char *family, int k, int n)
{
    struct matrix *m = calloc(1, sizeof(*m));
    struct hand *hands = calloc((size_t)nsites, sizeof(*hands));
    uint64_t began = guest_now_ms();
    int wrong;

    if (m == NULL || hands == NULL || !families_read(&m->families, file) || !make_cells(m))
        return 1;
    (void)pthread_mutex_init(&m->lock, NULL);
    print_table(m, table);
    keep_family(m, family);
    take_slice(m, k, n);
    for (int i = 0; i < nsites; i++) {
        hands[i].matrix = m;
        hands[i].site = &sites[i];
        for (int l = 0; l < sites[i].nlanes && l < 4; l++)
            if (stage_open(&hands[i].lanes[l], &sites[i], l))
                hands[i].nlanes = l + 1;
        (void)pthread_create(&hands[i].thread, NULL, work, &hands[i]);
    }
    for (int i = 0; i < nsites; i++) {
        (void)pthread_join(hands[i].thread, NULL);
        for (int l = 0; l < hands[i].nlanes; l++)
            stage_close(&hands[i].lanes[l]);
    }
    (void)printf("%d kills in %.0f s over %d desks; the slowest recovery took %u ms\n", m->ncells,
                 (double)(guest_now_ms() - began) / 1000, nsites, m->slowest_ms);
    (void)printf("kills: %d passed, %d failed\n", m->ncells - m->wrong, m->wrong);
    wrong = m->wrong;
    free(hands);
    families_free(&m->families);
    free(m);
    return wrong;
}
