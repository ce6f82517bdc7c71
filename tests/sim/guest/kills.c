/*
 * The kill matrix: every program killed (SIGKILL) in every state that a family of visits comes
 * through. The file says beforehand how each cell must end and within how many seconds after the
 * kill; the table of all cells is written down before the first is tried.
 *
 *   programs NAME...         "reader" and "device" are those of the lane, "relay" that of its
 *                            upstream
 *   family NAME WORDS        begins a family; the lines below belong to it
 *     at PLACE               main unless said
 *     card CARD[|CARD...] [FILM]   of several each cell takes the next
 *     lookup NUMBERS...      in place of a card: its states are the board's
 *     first STEP; STEP...    before each cell
 *     stays                  what was done to the service stays until the visit is decided
 *     when STATE: STEPS      what patient and staff do when the lane shows it
 *     before STATE in STATE: STEPS   on the way to that state, so that it lasts
 *     linger MS STATE...     the kill comes so long after the state began: what was sent arrived
 *     states STATE...        in which each program is killed; "a>b": in b after a was seen
 *     ends METHOD OUTCOME CODE[|CODE] within SECONDS
 *     except PROGRAM,... STATE,...: METHOD OUTCOME CODE within SECONDS
 *
 * The patient puts the card (back) whenever the lane asks for it; staff end a visit that must end
 * with them. In the end each cell's visit is one visit, the card's counters are what they were, and
 * the books are compared afterwards.
 */
#include "guest.h"

#include <stdlib.h>
#include <string.h>

#define FAMILIES_MAX 24
#define RULES_MAX 24
#define CELLS_MAX 1000
#define COME_THERE_MS 30000

struct ends {
    char method[12], outcome[16], code[24];
    unsigned seconds;
};

struct rule {
    char state[40], in[24];
    char *steps;
};

struct except {
    char programs[80], states[160];
    struct ends ends;
};

struct family {
    char name[24], words[80], place[24], cards[160], film[24];
    char *lookup, *first;
    struct rule when[RULES_MAX], before[RULES_MAX];
    int nwhen, nbefore;
    char states[12][40], lingers[12][40];
    int nstates, nlingers;
    unsigned linger_ms;
    bool stays;
    struct ends ends;
    struct except except[RULES_MAX];
    int nexcept;
};

struct cell {
    const struct family *family;
    const char *state, *program;
    const struct ends *ends;
};

struct matrix {
    char programs[12][16];
    int nprograms;
    struct family families[FAMILIES_MAX];
    int nfamilies;
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
    unsigned consents; /* another set each time: an answer of today would be served again */
    pthread_t thread;
};

/* ---- the file
 * ----------------------------------------------------------------------------------------------------
 */

static bool read_ends(struct ends *out, const char *text)
{
    return sscanf(text, " %11s %15s %23s within %u", out->method, out->outcome, out->code,
                  &out->seconds) == 4;
}

static bool read_words(char (*out)[40], int most, int *n, const char *text)
{
    char copy[512], *save = NULL;

    (void)snprintf(copy, sizeof(copy), "%s", text);
    for (char *word = strtok_r(copy, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
        if (*n == most || strlen(word) >= sizeof(out[0]))
            return false;
        (void)strcpy(out[(*n)++], word);
    }
    return *n > 0;
}

static bool read_programs(struct matrix *m, const char *text)
{
    char words[12][40];

    if (!read_words(words, 12, &m->nprograms, text))
        return false;
    for (int i = 0; i < m->nprograms; i++)
        (void)snprintf(m->programs[i], sizeof(m->programs[i]), "%.15s", words[i]);
    return true;
}

/* "STATE: STEPS" or "STATE in STATE: STEPS" */
static bool read_rule(struct rule *rule, int *n, const char *text)
{
    const char *colon = strchr(text, ':');
    char head[80];

    if (colon == NULL || *n == RULES_MAX)
        return false;
    (void)snprintf(head, sizeof(head), "%.*s", (int)(colon - text), text);
    rule += *n;
    if (sscanf(head, "%39s in %23s", rule->state, rule->in) < 1)
        return false;
    rule->steps = strdup(colon + 1);
    (*n)++;
    return rule->steps != NULL;
}

static bool read_except(struct family *f, const char *text)
{
    struct except *e = &f->except[f->nexcept];
    const char *colon = strchr(text, ':');

    if (colon == NULL || f->nexcept == RULES_MAX ||
        sscanf(text, "%79s %159[^:]", e->programs, e->states) != 2)
        return false;
    f->nexcept++;
    for (char *at = e->programs; *at != '\0'; at++)
        *at = *at == ',' ? '|' : *at;
    for (char *at = e->states; *at != '\0'; at++)
        *at = *at == ',' ? '|' : *at;
    return read_ends(&e->ends, colon + 1);
}

static bool read_fact(struct matrix *m, char *text)
{
    struct family *f = m->nfamilies > 0 ? &m->families[m->nfamilies - 1] : NULL;
    char word[24] = "";
    const char *rest;

    (void)sscanf(text, "%23s", word);
    rest = text + strlen(word) + strspn(text + strlen(word), " \t");
    if (strcmp(word, "programs") == 0)
        return read_programs(m, rest);
    if (strcmp(word, "family") == 0) {
        if (m->nfamilies == FAMILIES_MAX)
            return false;
        f = &m->families[m->nfamilies++];
        (void)strcpy(f->place, "main");
        return sscanf(rest, "%23s %79[^\n]", f->name, f->words) == 2;
    }
    if (f == NULL)
        return false;
    if (strcmp(word, "at") == 0)
        return sscanf(rest, "%23s", f->place) == 1;
    if (strcmp(word, "card") == 0)
        return sscanf(rest, "%159s %23s", f->cards, f->film) >= 1;
    if (strcmp(word, "lookup") == 0)
        return (f->lookup = strdup(text)) != NULL;
    if (strcmp(word, "first") == 0)
        return (f->first = strdup(rest)) != NULL;
    if (strcmp(word, "when") == 0)
        return read_rule(f->when, &f->nwhen, rest);
    if (strcmp(word, "before") == 0)
        return read_rule(f->before, &f->nbefore, rest);
    if (strcmp(word, "states") == 0)
        return read_words(f->states, 12, &f->nstates, rest);
    if (strcmp(word, "stays") == 0)
        return f->stays = true;
    if (strcmp(word, "linger") == 0)
        return sscanf(rest, "%u", &f->linger_ms) == 1 && strchr(rest, ' ') != NULL &&
               read_words(f->lingers, 12, &f->nlingers, strchr(rest, ' '));
    if (strcmp(word, "ends") == 0)
        return read_ends(&f->ends, rest);
    return strcmp(word, "except") == 0 && read_except(f, rest);
}

static const struct ends *ends_of(const struct family *f, const char *state, const char *program)
{
    for (int i = 0; i < f->nexcept; i++)
        if (guest_among(f->except[i].programs, program) && guest_among(f->except[i].states, state))
            return &f->except[i].ends;
    return &f->ends;
}

static bool make_cells(struct matrix *m)
{
    for (int i = 0; i < m->nfamilies; i++)
        for (int s = 0; s < m->families[i].nstates; s++)
            for (int p = 0; p < m->nprograms; p++) {
                const struct family *f = &m->families[i];

                if (m->ncells == CELLS_MAX || f->ends.seconds == 0)
                    return false;
                m->cells[m->ncells++] = (struct cell){f, f->states[s], m->programs[p],
                                                      ends_of(f, f->states[s], m->programs[p])};
            }
    return m->ncells > 0;
}

static bool read_matrix(struct matrix *m, const char *path)
{
    FILE *file = fopen(path, "re");
    char line[512];
    int at = 0;
    bool good = file != NULL;

    while (good && fgets(line, sizeof(line), file) != NULL) {
        char *text = line + strspn(line, " \t");

        at++;
        text[strcspn(text, "\n")] = '\0';
        if (*text != '\0' && *text != '#' && !read_fact(m, text)) {
            (void)fprintf(stderr, "%s:%d: cannot be understood\n", path, at);
            good = false;
        }
    }
    if (file != NULL)
        (void)fclose(file);
    return good && make_cells(m);
}

static void free_matrix(struct matrix *m)
{
    for (int i = 0; i < m->nfamilies; i++) {
        struct family *f = &m->families[i];

        free(f->lookup);
        free(f->first);
        for (int r = 0; r < f->nwhen; r++)
            free(f->when[r].steps);
        for (int r = 0; r < f->nbefore; r++)
            free(f->before[r].steps);
    }
    free(m);
}

/* ---- one cell
 * -----------------------------------------------------------------------------------------------------
 */

struct play {
    const struct cell *cell;
    struct stage *stage;
    char after[24]; /* "a" of "a>b": must be seen first */
    char target[24];
    bool seen_after;
    bool aiming; /* before the kill */
    int acted_step;
    uint64_t acted_ms;
    char acted_state[32];
    char card[40];
};

static bool take_steps(struct stage *stage, const char *steps)
{
    char copy[512], *at = copy, *step;
    bool good = true;

    (void)snprintf(copy, sizeof(copy), "%s", steps);
    while (good && (step = strsep(&at, ";")) != NULL) {
        step += strspn(step, " ");
        if (strcmp(step, "consent") == 0)
            good = stage_consent(stage);
        else if (*step != '\0')
            good = step_take(stage, NULL, step);
    }
    return good;
}

/* A visit without a card is looked for on the board. */
static bool look(struct play *play)
{
    struct stage *stage = play->stage;
    json_t *visit;
    const char *state;
    bool good;

    if (play->cell->family->lookup == NULL)
        return stage_look(stage);
    visit = stage_visit(stage, stage->last_visit);
    state = json_string_value(json_object_get(visit, "state"));
    (void)snprintf(stage->state, sizeof(stage->state), "%s", state != NULL ? state : "none");
    good = visit != NULL;
    json_decref(visit);
    return good;
}

/* A patient and staff who simply do what the screen asks, and put the card back when it is asked
 * for. */
static void follow_screen(struct play *play)
{
    const struct family *f = play->cell->family;
    struct stage *stage = play->stage;
    char command[64], answer[256];

    for (int i = 0; play->aiming && i < f->nbefore; i++)
        if (strcmp(f->before[i].state, play->cell->state) == 0 &&
            strcmp(f->before[i].in, stage->state) == 0)
            (void)take_steps(stage, f->before[i].steps);
    for (int i = 0; i < f->nwhen; i++)
        if (strcmp(f->when[i].state, stage->state) == 0)
            (void)take_steps(stage, f->when[i].steps);
    if (strcmp(stage->state, "staff") == 0 && strcmp(play->cell->ends->outcome, "eligible") != 0 &&
        !play->aiming)
        (void)stage_act(stage, BOARD, "staff_end");
    if (f->lookup == NULL &&
        (strcmp(stage->state, "idle") == 0 || strcmp(stage->state, "card_lost") == 0)) {
        /* A device that was restarted has no card and no picture. */
        (void)snprintf(command, sizeof(command), "camera %s", f->film[0] != '\0' ? f->film : "off");
        (void)line_ask(stage->device, command, answer, sizeof(answer));
        (void)stage_place(stage, play->card);
    }
    /* An action that came too late for its screen is no misfortune: look again. */
    stage->problem[0] = '\0';
}

static bool there(struct play *play)
{
    const struct stage *stage = play->stage;

    play->seen_after =
        play->seen_after || play->after[0] == '\0' || strcmp(stage->state, play->after) == 0;
    return play->seen_after && strcmp(stage->state, play->target) == 0;
}

/* The same screen is answered again after a second: the answer may have died with a program. */
static bool play_until(struct play *play, bool (*over)(struct play *), uint64_t end)
{
    struct stage *stage = play->stage;

    while (guest_now_ms() < end) {
        if (look(play)) {
            if (over(play))
                return true;
            if (stage->step != play->acted_step || strcmp(stage->state, play->acted_state) != 0 ||
                guest_now_ms() - play->acted_ms > 1000) {
                play->acted_step = stage->step;
                play->acted_ms = guest_now_ms();
                (void)snprintf(play->acted_state, sizeof(play->acted_state), "%s", stage->state);
                follow_screen(play);
            }
        }
        guest_sleep_ms(4);
    }
    return false;
}

static const char *text(const json_t *json, const char *name)
{
    const char *value = json_string_value(json_object_get(json, name));

    return value != NULL ? value : "-";
}

/* An idle lane may have its visit behind it already. */
static bool decided(struct play *play)
{
    struct stage *stage = play->stage;
    json_t *visit;
    bool over;

    if (strcmp(stage->state, "idle") != 0 || stage->nseen == 0)
        return guest_among("done|take_card|closed", stage->state);
    visit = stage_visit(stage, stage->last_visit);
    over = visit != NULL && strcmp(text(visit, "outcome"), "open") != 0;
    json_decref(visit);
    return over;
}

static bool check_end(struct play *play, const int before[3])
{
    const struct ends *ends = play->cell->ends;
    struct stage *stage = play->stage;
    json_t *visit = stage_visit(stage, stage->last_visit);
    const char *code = text(json_object_get(visit, "failure"), "code");
    int after[3] = {-1, -1, -1};

    if (strcmp(text(visit, "outcome"), ends->outcome) != 0 ||
        strcmp(text(visit, "method"), ends->method) != 0 || !guest_among(ends->code, code))
        (void)stage_fail(stage, "ended %s %s %s", text(visit, "method"), text(visit, "outcome"),
                         code);
    if (json_integer_value(json_object_get(visit, "closed")) == 0 &&
        play->cell->family->lookup == NULL)
        (void)stage_fail(stage, "visit %llu was not closed", (unsigned long long)stage->last_visit);
    json_decref(visit);
    if (stage->nseen != 1)
        (void)stage_fail(stage, "%d visits instead of one", stage->nseen);
    if (play->card[0] != '\0' && stage_counters(stage, play->card, after))
        for (size_t i = 0; i < 3; i++)
            if (after[i] != before[i])
                (void)stage_fail(stage, "a try was spent: %d>%d", before[i], after[i]);
    return stage->problem[0] == '\0';
}

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
    const struct family *f = play->cell->family;
    struct stage *stage = play->stage;

    if (!stage_wait(stage, "idle", 20000))
        return false;
    stage_begin(stage); /* the end of the visit before may still have been on the screen */
    if ((f->first != NULL && !take_steps(stage, f->first)))
        return false;
    if (f->lookup == NULL)
        return true;
    for (int i = 0; i < f->nbefore; i++)
        if (strcmp(f->before[i].state, play->cell->state) == 0 &&
            !take_steps(stage, f->before[i].steps))
            return false;
    return step_take(stage, NULL, f->lookup);
}

/* The next of "a|b|c". */
static void pick_card(const char *cards, unsigned turn, char *out, size_t size)
{
    unsigned n = 1;

    for (const char *at = cards; *at != '\0'; at++)
        n += *at == '|';
    for (turn %= n; turn > 0; turn--)
        cards = strchr(cards, '|') + 1;
    (void)snprintf(out, size, "%.*s", (int)strcspn(cards, "|"), cards);
}

static bool run_cell(struct hand *hand, struct stage *stage, const struct cell *cell,
                     unsigned *recovered_ms)
{
    struct play play = {.cell = cell, .stage = stage, .aiming = true, .acted_step = -1};
    const char *arrow = strchr(cell->state, '>');
    char program[32], answer[512];
    int before[3] = {-1, -1, -1};
    uint64_t killed;

    (void)snprintf(play.after, sizeof(play.after), "%.*s",
                   arrow != NULL ? (int)(arrow - cell->state) : 0, cell->state);
    (void)snprintf(play.target, sizeof(play.target), "%s", arrow != NULL ? arrow + 1 : cell->state);
    program_name(stage, cell->program, cell->family->place, program, sizeof(program));
    stage_begin(stage);
    pick_card(cell->family->cards, hand->cells++, play.card, sizeof(play.card));
    stage->consents = hand->consents = (hand->consents + 1) % 64;
    if ((play.card[0] != '\0' && !stage_counters(stage, play.card, before)) || !begin_cell(&play))
        return false;
    if (!play_until(&play, there, guest_now_ms() + COME_THERE_MS))
        return stage_fail(stage, "did not come to %s, is in %s %s", cell->state, stage->state,
                          stage->failure);
    play.aiming = false;
    for (int i = 0; i < cell->family->nlingers; i++)
        if (strcmp(cell->family->lingers[i], cell->state) == 0)
            guest_sleep_ms(cell->family->linger_ms);
    killed = guest_now_ms();
    if (!step_kill(stage, program, 9))
        return false;
    if (!cell->family->stays)
        (void)line_ask(stage->service, "normal", answer, sizeof(answer));
    (void)line_ask(stage->device, "faults off", answer, sizeof(answer));
    play.acted_step = -1;
    if (!play_until(&play, decided, killed + cell->ends->seconds * 1000u))
        return stage_fail(stage, "not decided after %u s: %s %s", cell->ends->seconds, stage->state,
                          stage->failure);
    *recovered_ms = (unsigned)(guest_now_ms() - killed);
    (void)line_ask(stage->service, "normal", answer, sizeof(answer));
    (void)line_ask(stage->service, "up", answer, sizeof(answer));
    if (cell->family->lookup == NULL && (!stage_take(stage) || !stage_wait(stage, "idle", 20000)))
        return false;
    return (site_ready(hand->site, 30) || stage_fail(stage, "not every program runs again")) &&
           check_end(&play, before);
}

static void tidy(struct hand *hand, struct stage *stage)
{
    char answer[512];

    (void)site_ready(hand->site, 30);
    (void)line_ask(stage->service, "up", answer, sizeof(answer));
    (void)line_ask(stage->service, "normal", answer, sizeof(answer));
    (void)line_ask(stage->device, "faults off", answer, sizeof(answer));
    (void)line_ask(stage->device, "remove", answer, sizeof(answer));
    stage_begin(stage);
    if (stage_look(stage) && strcmp(stage->state, "idle") != 0)
        (void)stage_act(stage, BOARD, "staff_end");
    stage_begin(stage);
}

/* ---- all of them
 * ---------------------------------------------------------------------------------------------------
 */

static void print_ends(const struct ends *e)
{
    (void)printf("%s %s %s within %u s", e->method, e->outcome, e->code, e->seconds);
}

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
        (void)pthread_mutex_lock(&m->lock);
        (void)printf("%s  %-9s killed in %-9s / %-20s -> ", good ? "ok  " : "FAIL", cell->program,
                     cell->family->name, cell->state);
        print_ends(cell->ends);
        if (good)
            (void)printf("; after %u ms\n", recovered);
        else
            (void)printf("; BUT %s\n", stage != NULL ? stage->problem : "no lane stands there");
        (void)fflush(stdout);
        m->wrong += !good;
        m->slowest_ms = recovered > m->slowest_ms ? recovered : m->slowest_ms;
        (void)pthread_mutex_unlock(&m->lock);
        if (!good && stage != NULL)
            tidy(hand, stage);
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
                 m->nfamilies, m->nprograms, path);
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

    if (m == NULL || hands == NULL || !read_matrix(m, file))
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
    free_matrix(m);
    return wrong;
}
