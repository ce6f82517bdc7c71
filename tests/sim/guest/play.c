#include "play.h"

#include <stdlib.h>
#include <string.h>

/* ---- the file -------------------------------------------------------------------------------- */

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

static bool read_programs(struct families *all, const char *text)
{
    char words[12][40];

    if (!read_words(words, 12, &all->nprograms, text))
        return false;
    for (int i = 0; i < all->nprograms; i++)
        (void)snprintf(all->programs[i], sizeof(all->programs[i]), "%.15s", words[i]);
    return true;
}

/* "STATE: STEPS" or "STATE in STATE: STEPS" */
static bool read_rule(struct rule *rule, int *n, const char *text, bool once)
{
    const char *colon = strchr(text, ':');
    char head[80];

    if (colon == NULL || *n == PLAY_RULES_MAX)
        return false;
    (void)snprintf(head, sizeof(head), "%.*s", (int)(colon - text), text);
    rule += *n;
    if (sscanf(head, "%39s in %23s", rule->state, rule->in) < 1)
        return false;
    rule->once = once;
    rule->steps = strdup(colon + 1);
    (*n)++;
    return rule->steps != NULL;
}

static bool read_except(struct family *f, const char *text)
{
    struct except *e = &f->except[f->nexcept];
    const char *colon = strchr(text, ':');

    if (colon == NULL || f->nexcept == PLAY_RULES_MAX ||
        sscanf(text, "%79s %159[^:]", e->programs, e->states) != 2)
        return false;
    f->nexcept++;
    for (char *at = e->programs; *at != '\0'; at++)
        *at = *at == ',' ? '|' : *at;
    for (char *at = e->states; *at != '\0'; at++)
        *at = *at == ',' ? '|' : *at;
    return read_ends(&e->ends, colon + 1);
}

static bool begin_family(struct families *all, const char *rest)
{
    struct family *f = &all->list[all->n];

    if (all->n == PLAY_FAMILIES_MAX)
        return false;
    all->n++;
    (void)strcpy(f->place, "main");
    return sscanf(rest, "%23s %79[^\n]", f->name, f->words) == 2;
}

static bool read_fact(struct families *all, char *text)
{
    struct family *f = all->n > 0 ? &all->list[all->n - 1] : NULL;
    char word[24] = "";
    const char *rest;

    (void)sscanf(text, "%23s", word);
    rest = text + strlen(word) + strspn(text + strlen(word), " \t");
    if (strcmp(word, "programs") == 0)
        return read_programs(all, rest);
    if (strcmp(word, "family") == 0)
        return begin_family(all, rest);
    if (f == NULL)
        return false;
    if (strcmp(word, "at") == 0)
        return sscanf(rest, "%23s", f->place) == 1;
    if (strcmp(word, "card") == 0)
        return sscanf(rest, "%159s %23s", f->cards, f->film) >= 1;
    if (strcmp(word, "lookup") == 0)
        return (f->lookup = strdup(text)) != NULL;
    if (strcmp(word, "slip") == 0)
        return f->slip = true;
    if (strcmp(word, "first") == 0)
        return (f->first = strdup(rest)) != NULL;
    if (strcmp(word, "then") == 0)
        return (f->then = strdup(rest)) != NULL;
    if (strcmp(word, "last") == 0)
        return (f->last = strdup(rest)) != NULL;
    if (strcmp(word, "when") == 0 || strcmp(word, "once") == 0)
        return read_rule(f->when, &f->nwhen, rest, strcmp(word, "once") == 0);
    if (strcmp(word, "before") == 0)
        return read_rule(f->before, &f->nbefore, rest, false);
    if (strcmp(word, "states") == 0)
        return read_words(f->states, 12, &f->nstates, rest);
    if (strcmp(word, "stays") == 0)
        return f->stays = true;
    if (strcmp(word, "linger") == 0)
        return sscanf(rest, "%u", &f->linger_ms) == 1 && strchr(rest, ' ') != NULL &&
               read_words(f->lingers, 12, &f->nlingers, strchr(rest, ' '));
    if (strcmp(word, "ends") == 0)
        return read_ends(&f->ends, rest);
    if (strcmp(word, "gone") == 0)
        return read_ends(&f->gone, rest);
    if (strcmp(word, "gone-last") == 0)
        return read_ends(&f->gone_last, rest);
    return strcmp(word, "except") == 0 && read_except(f, rest);
}

bool families_read(struct families *all, const char *path)
{
    FILE *file = fopen(path, "re");
    char line[1024];
    int at = 0;
    bool good = file != NULL;

    if (file == NULL)
        (void)fprintf(stderr, "%s: cannot be read\n", path);
    while (good && fgets(line, sizeof(line), file) != NULL) {
        char *text = line + strspn(line, " \t");

        at++;
        text[strcspn(text, "\n")] = '\0';
        if (*text != '\0' && *text != '#' && !read_fact(all, text)) {
            (void)fprintf(stderr, "%s:%d: cannot be understood\n", path, at);
            good = false;
        }
    }
    if (file != NULL)
        (void)fclose(file);
    for (int i = 0; good && i < all->n; i++)
        if (all->list[i].ends.seconds == 0) {
            (void)fprintf(stderr, "%s: %s does not say how it ends\n", path, all->list[i].name);
            good = false;
        }
    return good && all->n > 0;
}

void families_free(struct families *all)
{
    for (int i = 0; i < all->n; i++) {
        struct family *f = &all->list[i];

        free(f->lookup);
        free(f->first);
        free(f->then);
        free(f->last);
        for (int r = 0; r < f->nwhen; r++)
            free(f->when[r].steps);
        for (int r = 0; r < f->nbefore; r++)
            free(f->before[r].steps);
    }
}

bool family_on_board(const struct family *f)
{
    return f->lookup != NULL || f->slip;
}

/* ---- one visit ------------------------------------------------------------------------------- */

void play_begin(struct play *play, const struct family *family, struct stage *stage,
                const struct ends *ends, const char *aim)
{
    const char *arrow = aim != NULL ? strchr(aim, '>') : NULL;

    memset(play, 0, sizeof(*play));
    play->family = family;
    play->stage = stage;
    play->ends = ends;
    play->aim = aim;
    play->acted_step = -1;
    (void)snprintf(play->after, sizeof(play->after), "%.*s", arrow != NULL ? (int)(arrow - aim) : 0,
                   aim != NULL ? aim : "");
    (void)snprintf(play->target, sizeof(play->target), "%s",
                   arrow != NULL ? arrow + 1
                   : aim != NULL ? aim
                                 : "");
}

void play_pick_card(const char *cards, unsigned turn, char *out, size_t size)
{
    unsigned n = 1;

    for (const char *at = cards; *at != '\0'; at++)
        n += *at == '|';
    for (turn %= n; turn > 0; turn--)
        cards = strchr(cards, '|') + 1;
    (void)snprintf(out, size, "%.*s", (int)strcspn(cards, "|"), cards);
}

bool play_steps(struct stage *stage, const char *steps)
{
    char copy[1024], *at = copy, *step;
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

static const char *text(const json_t *json, const char *name)
{
    const char *value = json_string_value(json_object_get(json, name));

    return value != NULL ? value : "-";
}

static bool look_at_slip(struct stage *stage)
{
    json_t *visit, *slip;
    const char *state;
    char path[64];
    long status;
    bool good;

    (void)strcpy(stage->state, "none");
    if (stage->nseen == 0)
        return true;
    visit = stage_visit(stage, stage->last_visit);
    (void)snprintf(path, sizeof(path), "/api/visits/%llu/slip",
                   (unsigned long long)stage->last_visit);
    slip = http_ask(stage->http, BOARD, path, NULL, &status);
    state = text(slip, "state");
    good = visit != NULL && slip != NULL && status == 200;
    if (json_integer_value(json_object_get(visit, "closed")) == 0)
        state = strcmp(state, "settled") == 0 ? state : "filed";
    else if (strcmp(state, "waiting") == 0 &&
             json_integer_value(json_object_get(slip, "tries")) > 0)
        state = json_is_object(json_object_get(slip, "failure")) ? "refused" : "asking";
    (void)snprintf(stage->state, sizeof(stage->state), "%s", state);
    json_decref(visit);
    json_decref(slip);
    return good;
}

/* A visit without a card is looked for on the board. */
static bool look(struct play *play)
{
    struct stage *stage = play->stage;
    json_t *visit;
    bool good;

    if (play->family->slip)
        return look_at_slip(stage);
    if (play->family->lookup == NULL)
        return stage_look(stage);
    visit = stage_visit(stage, stage->last_visit);
    (void)snprintf(stage->state, sizeof(stage->state), "%s",
                   visit != NULL ? text(visit, "state") : "none");
    good = visit != NULL;
    json_decref(visit);
    return good;
}

/* The rule of a state that was not used up yet. */
static void follow_rules(struct play *play)
{
    const struct family *f = play->family;

    for (int i = 0; i < f->nwhen; i++) {
        const struct rule *rule = &f->when[i];

        if (strcmp(rule->state, play->stage->state) != 0 ||
            (rule->once && (play->once >> i & 1) != 0))
            continue;
        if (play_steps(play->stage, rule->steps) && rule->once)
            play->once |= 1u << i;
        if (rule->once)
            return;
    }
}

static void follow_screen(struct play *play)
{
    const struct family *f = play->family;
    struct stage *stage = play->stage;
    char command[64], answer[256];

    for (int i = 0; play->aim != NULL && i < f->nbefore; i++)
        if (strcmp(f->before[i].state, play->aim) == 0 &&
            strcmp(f->before[i].in, stage->state) == 0)
            (void)play_steps(stage, f->before[i].steps);
    follow_rules(play);
    if (strcmp(stage->state, "staff") == 0 && strcmp(play->ends->outcome, "eligible") != 0 &&
        play->aim == NULL)
        (void)stage_act(stage, BOARD, "staff_end");
    if (!family_on_board(f) && (strcmp(stage->state, "idle") == 0 ||
                                (strcmp(stage->state, "card_lost") == 0 && !play->leaves))) {
        /* A device that was restarted has no card and no picture. */
        (void)snprintf(command, sizeof(command), "camera %s", f->film[0] != '\0' ? f->film : "off");
        (void)line_ask(stage->device, command, answer, sizeof(answer));
        (void)stage_place(stage, play->card);
    }
    /* An action that came too late for its screen is no misfortune: look again. */
    stage->problem[0] = '\0';
}

bool play_there(struct play *play)
{
    const struct stage *stage = play->stage;

    play->seen_after =
        play->seen_after || play->after[0] == '\0' || strcmp(stage->state, play->after) == 0;
    return play->seen_after && strcmp(stage->state, play->target) == 0;
}

bool play_until(struct play *play, bool (*over)(struct play *), uint64_t end)
{
    struct stage *stage = play->stage;

    while (guest_now_ms() < end) {
        if (look(play)) {
            play->saw_lost = play->saw_lost || (strcmp(stage->state, "card_lost") == 0 &&
                                                strcmp(stage->failure, "C003") == 0);
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

/* An idle lane may have its visit behind it already; a slip is decided as it must end, or not yet.
 */
bool play_decided(struct play *play)
{
    struct stage *stage = play->stage;
    json_t *visit;
    bool over;

    if (!play->family->slip && (strcmp(stage->state, "idle") != 0 || stage->nseen == 0))
        return guest_among("done|take_card|closed", stage->state);
    if (stage->nseen == 0)
        return false;
    visit = stage_visit(stage, stage->last_visit);
    over = visit != NULL && strcmp(text(visit, "outcome"), "open") != 0;
    if (over && play->family->slip)
        over = json_integer_value(json_object_get(visit, "closed")) != 0 &&
               strcmp(text(visit, "outcome"), play->ends->outcome) == 0;
    json_decref(visit);
    return over;
}

bool play_check(struct play *play, const int counters[3])
{
    const struct ends *ends = play->ends;
    struct stage *stage = play->stage;
    json_t *visit = stage_visit(stage, stage->last_visit);
    const char *code = text(json_object_get(visit, "failure"), "code");
    int now[3] = {-1, -1, -1};

    if (strcmp(text(visit, "outcome"), ends->outcome) != 0 ||
        !guest_among(ends->method, text(visit, "method")) || !guest_among(ends->code, code))
        (void)stage_fail(stage, "ended %s %s %s", text(visit, "method"), text(visit, "outcome"),
                         code);
    if (json_integer_value(json_object_get(visit, "closed")) == 0 && play->family->lookup == NULL)
        (void)stage_fail(stage, "visit %llu was not closed", (unsigned long long)stage->last_visit);
    json_decref(visit);
    if (stage->nseen != 1)
        (void)stage_fail(stage, "%d visits instead of one", stage->nseen);
    if (counters != NULL && stage_counters(stage, play->card, now))
        for (size_t i = 0; i < 3; i++)
            if (now[i] != counters[i])
                (void)stage_fail(stage, "tries left: %d, not %d", now[i], counters[i]);
    return stage->problem[0] == '\0';
}

void play_tidy(struct stage *stage)
{
    char answer[512];

    (void)site_ready(stage->site, 120);
    (void)line_ask(stage->service, "up", answer, sizeof(answer));
    (void)line_ask(stage->service, "normal", answer, sizeof(answer));
    (void)line_ask(stage->device, "faults off", answer, sizeof(answer));
    (void)line_ask(stage->device, "remove", answer, sizeof(answer));
    stage_begin(stage);
    if (stage_look(stage) && strcmp(stage->state, "idle") != 0)
        (void)stage_act(stage, BOARD, "staff_end");
    stage_begin(stage);
}

void play_print_ends(const struct ends *e)
{
    (void)printf("%s %s %s within %u s", e->method, e->outcome, e->code, e->seconds);
}
