/*
 * A table of visits, read from a file. One line a fact; '#' begins a comment; steps may share a
 * line, parted by ';'.
 *
 *   family NAME WORDS          the visits below belong to it
 *   way NAME: STEP; STEP...    a step of one's own; $1 to $5 are its words
 *   visit NAME WORDS           begins a visit; the lines below belong to it
 *     at PLACE                 which lanes can drive it (main unless said)
 *     claims NAME...           people it needs for itself, beside the cards that it places. Visits
 *                              that claim the same keep their order, others may run at once
 *     ends METHOD OUTCOME CODE asked=N [pin=A>B] [b=A>B] [text-b=A>B] [flags=A,B] [record=X]
 *          [challenge=X]       how it must end; counters that are not named must not change
 *     STEP...                  see steps.c
 */
#include "guest.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define PLANS_MAX 400
#define DEPTH_MAX 4

struct reading {
    struct script *script;
    int line;
};

static bool wrong(const struct reading *r, const char *what, const char *about)
{
    (void)fprintf(stderr, "%s:%d: %s: %s\n", r->script->path, r->line, what, about);
    return false;
}

static char *trim(char *text)
{
    char *end;

    while (isspace((unsigned char)*text))
        text++;
    end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1]))
        *--end = '\0';
    return text;
}

/* The first word of `text`; the rest begins at *rest. */
static void first_word(const char *text, char *out, size_t size, const char **rest)
{
    size_t n = strcspn(text, " \t");

    (void)snprintf(out, size, "%.*s", (int)n, text);
    text += n;
    *rest = text + strspn(text, " \t");
}

static bool copy(const struct reading *r, char *out, size_t size, const char *text)
{
    if (strlen(text) >= size)
        return wrong(r, "too long", text);
    (void)strcpy(out, text);
    return true;
}

/* $1 to $5 of a way's steps. */
static char *expand(const char *steps, const char *arguments)
{
    char words[5][64] = {"", "", "", "", ""};
    char *out = calloc(1, strlen(steps) + 5 * sizeof(words[0]) * 4 + 1), *to = out;

    for (size_t i = 0; i < 5 && *arguments != '\0'; i++)
        first_word(arguments, words[i], sizeof(words[i]), &arguments);
    for (; out != NULL && *steps != '\0'; steps++) {
        if (*steps == '$' && steps[1] >= '1' && steps[1] <= '5') {
            to = stpcpy(to, words[*++steps - '1']);
            continue;
        }
        *to++ = *steps;
    }
    return out;
}

static bool claim(const struct reading *r, struct plan *plan, const char *name)
{
    size_t used = strlen(plan->claims);

    if (guest_among(plan->claims, name))
        return true;
    if (used + strlen(name) + 2 > sizeof(plan->claims))
        return wrong(r, "claims too much", name);
    (void)snprintf(plan->claims + used, sizeof(plan->claims) - used, "%s%s", used > 0 ? "|" : "",
                   name);
    return true;
}

static bool add_steps(const struct reading *r, struct plan *plan, const char *text, int depth)
{
    struct script *script = r->script;
    char *copied = strdup(text), *at = copied, *step;
    bool good = copied != NULL;

    while (good && (step = strsep(&at, ";")) != NULL) {
        char word[32], card[48];
        const char *rest, *card_at;
        int way = 0;

        step = trim(step);
        if (*step == '\0')
            continue;
        first_word(step, word, sizeof(word), &rest);
        while (way < script->nways && strcmp(script->ways[way].name, word) != 0)
            way++;
        if (way < script->nways) {
            char *steps = expand(script->ways[way].steps, rest);

            good = depth < DEPTH_MAX && steps != NULL ? add_steps(r, plan, steps, depth + 1)
                                                      : wrong(r, "too deep", word);
            free(steps);
            continue;
        }
        if (plan->nsteps == SCRIPT_STEPS_MAX)
            good = wrong(r, "too many steps", plan->name);
        else if ((plan->steps[plan->nsteps] = strdup(step)) == NULL)
            good = false;
        else
            plan->nsteps++;
        card_at = strstr(step, "place ");
        if (good && card_at != NULL) {
            first_word(card_at + strlen("place "), card, sizeof(card), &rest);
            good = claim(r, plan, card);
        }
    }
    free(copied);
    return good;
}

static bool read_ending(const struct reading *r, struct plan *plan, const char *text)
{
    struct ending *e = &plan->ends;
    char word[64];

    e->asked = -1;
    first_word(text, word, sizeof(word), &text);
    if (!copy(r, e->method, sizeof(e->method), word))
        return false;
    first_word(text, word, sizeof(word), &text);
    if (!copy(r, e->outcome, sizeof(e->outcome), word))
        return false;
    first_word(text, word, sizeof(word), &text);
    if (!copy(r, e->code, sizeof(e->code), word))
        return false;
    while (*text != '\0') {
        const struct {
            const char *name;
            char *out;
            size_t size;
        } fields[] = {
            {"pin=", e->counters[0], sizeof(e->counters[0])},
            {"b=", e->counters[1], sizeof(e->counters[1])},
            {"text-b=", e->counters[2], sizeof(e->counters[2])},
            {"flags=", e->flags, sizeof(e->flags)},
            {"record=", e->record, sizeof(e->record)},
            {"challenge=", e->challenge, sizeof(e->challenge)},
        };
        bool known = false;

        first_word(text, word, sizeof(word), &text);
        if (sscanf(word, "asked=%d", &e->asked) == 1)
            continue;
        for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]) && !known; i++)
            if (strncmp(word, fields[i].name, strlen(fields[i].name)) == 0) {
                known = true;
                if (!copy(r, fields[i].out, fields[i].size, word + strlen(fields[i].name)))
                    return false;
            }
        if (!known)
            return wrong(r, "no such expectation", word);
    }
    return e->asked >= 0 || wrong(r, "does not say how many questions it asks", plan->name);
}

static bool begin_visit(const struct reading *r, const char *text)
{
    struct script *script = r->script;
    struct plan *plan = &script->plans[script->nplans];

    if (script->nplans == PLANS_MAX || script->nfamilies == 0)
        return wrong(r, "too many visits, or no family yet", text);
    script->nplans++;
    plan->line = r->line;
    plan->family = script->nfamilies - 1;
    (void)strcpy(plan->place, "main");
    first_word(text, plan->name, sizeof(plan->name), &text);
    return copy(r, plan->words, sizeof(plan->words), text);
}

static bool read_fact(const struct reading *r, char *text)
{
    struct script *script = r->script;
    struct plan *plan = script->nplans > 0 ? &script->plans[script->nplans - 1] : NULL;
    char word[32], name[48];
    const char *rest;

    first_word(text, word, sizeof(word), &rest);
    if (strcmp(word, "family") == 0 &&
        script->nfamilies < (int)(sizeof(script->families) / sizeof(script->families[0]))) {
        first_word(rest, script->families[script->nfamilies].name, sizeof(script->families[0].name),
                   &rest);
        return copy(r, script->families[script->nfamilies++].words,
                    sizeof(script->families[0].words), rest);
    }
    if (strcmp(word, "way") == 0 && strchr(rest, ':') != NULL &&
        script->nways < (int)(sizeof(script->ways) / sizeof(script->ways[0]))) {
        (void)snprintf(script->ways[script->nways].name, sizeof(script->ways[0].name), "%.*s",
                       (int)strcspn(rest, ": "), rest);
        script->ways[script->nways].steps = strdup(strchr(rest, ':') + 1);
        return script->ways[script->nways++].steps != NULL;
    }
    if (strcmp(word, "visit") == 0)
        return begin_visit(r, rest);
    if (plan == NULL)
        return wrong(r, "no visit has begun", word);
    if (strcmp(word, "at") == 0)
        return copy(r, plan->place, sizeof(plan->place), rest);
    if (strcmp(word, "ends") == 0)
        return read_ending(r, plan, rest);
    if (strcmp(word, "claims") == 0) {
        while (*rest != '\0') {
            first_word(rest, name, sizeof(name), &rest);
            if (!claim(r, plan, name))
                return false;
        }
        return true;
    }
    return add_steps(r, plan, text, 0);
}

bool script_read(struct script *script, const char *path)
{
    struct reading r = {.script = script};
    FILE *file = fopen(path, "re");
    char line[1024];
    bool good = file != NULL;

    memset(script, 0, sizeof(*script));
    script->path = path;
    script->plans = calloc(PLANS_MAX, sizeof(*script->plans));
    if (file == NULL)
        (void)fprintf(stderr, "%s: cannot be read\n", path);
    while (good && script->plans != NULL && fgets(line, sizeof(line), file) != NULL) {
        char *text = trim(line);

        r.line++;
        if (*text != '\0' && *text != '#')
            good = read_fact(&r, text);
    }
    for (int i = 0; good && i < script->nplans; i++)
        if (script->plans[i].ends.outcome[0] == '\0') {
            r.line = script->plans[i].line;
            good = wrong(&r, "does not say how it ends", script->plans[i].name);
        }
    if (file != NULL)
        (void)fclose(file);
    return good && script->nplans > 0;
}

void script_free(struct script *script)
{
    for (int i = 0; i < script->nways; i++)
        free(script->ways[i].steps);
    for (int i = 0; script->plans != NULL && i < script->nplans; i++)
        for (int s = 0; s < script->plans[i].nsteps; s++)
            free(script->plans[i].steps[s]);
    free(script->plans);
    script->plans = NULL;
}
