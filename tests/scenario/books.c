/* Words of scripts about the clinic's books: what the service says of a person, who that is, what changed. README.md. */
#include "script.h"

#include "../../daemon/common/visit.h"
#include "../../daemon/desk/match.h"
#include "../../daemon/desk/precheck.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `+` is a blank, "-" alone is nothing. */
static void plain(const char *word, char *out, size_t size)
{
    snprintf(out, size, "%s", strcmp(word, "-") == 0 ? "" : word);
    for (char *at = out; *at != '\0'; at++)
        if (*at == '+')
            *at = ' ';
}

static bool do_says(struct script *s)
{
    if (s->nwords == 1)
        s->stage->nsaid = 0;
    for (size_t i = 1; i < s->nwords; i++) {
        const char *is = strchr(s->words[i], '=');
        char name[100], value[200];

        if (is == NULL)
            return script_bad(s, "says", s->words[i]);
        snprintf(name, sizeof(name), "%.*s", (int)(is - s->words[i]), s->words[i]);
        plain(is + 1, value, sizeof(value));
        if (!stage_say(s->stage, name, value))
            return script_bad(s, "says too much", name);
    }
    return true;
}

static bool do_patient(struct script *s)
{
    const struct stage_lane *l = &s->stage->lanes[s->lane];
    struct msg_patient_link m = {.request = 13, .surface = 'B', .what = PATIENT_IS};

    m.visit = script_has(s, "closed") || s->lane == 0 ? l->item.visit : l->shown.visit;
    if (!script_has(s, "nobody"))
        message_text(m.staff, sizeof(m.staff), "佐藤");
    if (script_has(s, "not"))
        m.what = PATIENT_IS_NOT;
    if (s->nwords > 1 && strcmp(s->words[1], "-") != 0)
        message_text(m.number, sizeof(m.number), s->words[1]);
    match_link(s->stage->desk, &m, &s->stage->result);
    return true;
}

/* terminal KIND [n=1] [at=YYYYMMDDhhmmss]: the same n is the same file. */
static bool do_terminal(struct script *s)
{
    unsigned n = (unsigned)atoi(script_option(s, "n", "1"));

    if (s->nwords < 2 || !stage_terminal(s->stage, s->words[1], n, script_option(s, "at", "")))
        return script_bad(s, "terminal", "which answer?");
    return true;
}

/* told_late KIND [n=1] [unknown]: the answer to the lane's last question, or to one that nobody knows. */
static bool do_told_late(struct script *s)
{
    unsigned n = (unsigned)atoi(script_option(s, "n", "1"));

    if (s->nwords < 2 || !stage_told_late(s->stage, s->lane, s->words[1], 1000 + n,
                                          script_has(s, "unknown") ? "U999-1-1" : NULL))
        return script_bad(s, "told_late", "which answer?");
    return true;
}

/* precheck [patient=] [name=] [insurer=]...: a row of tomorrow's list; answered by `late answers KIND`. */
static bool do_precheck(struct script *s)
{
    struct msg_precheck m = {.request = 14};

    message_text(m.staff, sizeof(m.staff), "佐藤");
    message_text(m.patient, sizeof(m.patient), script_option(s, "patient", ""));
    plain(script_option(s, "name", "架空　花子"), m.name, sizeof(m.name));
    message_text(m.insurer, sizeof(m.insurer), script_option(s, "insurer", "06130017"));
    message_text(m.symbol, sizeof(m.symbol), script_option(s, "symbol", "試験"));
    message_text(m.number, sizeof(m.number), script_option(s, "number", "1001"));
    message_text(m.branch, sizeof(m.branch), script_option(s, "branch", "01"));
    message_text(m.birth, sizeof(m.birth), script_option(s, "birth", "19540707"));
    message_text(m.date, sizeof(m.date), script_option(s, "date", ""));
    precheck_ask(s->stage->desk, s->stage, &m);
    return true;
}

int books_run(struct script *s)
{
    static const struct {
        const char *word;
        bool (*run)(struct script *s);
    } words[] = {{"says", do_says},
                 {"patient", do_patient},
                 {"terminal", do_terminal},
                 {"told_late", do_told_late},
                 {"precheck", do_precheck}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i].word, s->words[0]) == 0)
            return words[i].run(s);
    return -1;
}

static const char *or_nothing(const char *text)
{
    return text[0] != '\0' ? text : "-";
}

static unsigned long lines(const char *text)
{
    unsigned long n = 0;

    for (; *text != '\0'; text++)
        n += *text == '\n';
    return n;
}

/* Does a line begin with this? */
static bool has_line(const char *text, const char *begins)
{
    size_t n = strlen(begins);

    while (text[0] != '\0') {
        if (strncmp(text, begins, n) == 0)
            return true;
        text = strchr(text, '\n') + 1;
    }
    return false;
}

static bool expect_changed(struct script *s, const char *changes, bool want)
{
    char line[500], old[200], now[200];

    if (want) {
        if (s->nwords < 5)
            return script_bad(s, "changed", "FIELD OLD NEW");
        plain(s->words[3], old, sizeof(old));
        plain(s->words[4], now, sizeof(now));
        snprintf(line, sizeof(line), "%s\t%s\t%s\n", s->words[2], old, now);
    } else {
        snprintf(line, sizeof(line), "%s\t", s->words[2]);
    }
    return has_line(changes, line) == want ||
           script_bad(s, want ? "no such change among" : "is among", or_nothing(changes));
}

/* A candidate's line: number, name, how. */
static bool expect_candidate(struct script *s, const char *candidates)
{
    char begins[80], ends[40];
    const char *at;

    if (s->nwords < 4)
        return script_bad(s, "candidate", "NUMBER HOW");
    snprintf(begins, sizeof(begins), "%s\t", s->words[2]);
    snprintf(ends, sizeof(ends), "\t%s\n", s->words[3]);
    for (at = candidates; at[0] != '\0'; at = strchr(at, '\n') + 1)
        if (strncmp(at, begins, strlen(begins)) == 0 && strstr(at, ends) != NULL &&
            strchr(at, '\n') == strstr(at, ends) + strlen(ends) - 1)
            return true;
    return script_bad(s, "not among the candidates", or_nothing(candidates));
}

int books_expect(struct script *s)
{
    const char *what = s->words[1];
    const char *arg = s->nwords > 2 ? s->words[2] : "";
    const struct msg_visit_item *item = &s->stage->lanes[s->lane].item;

    if (strcmp(what, "match") == 0)
        return script_name(s, what, visit_match_name(item->match), arg);
    if (strcmp(what, "patient") == 0)
        return script_name(s, what, or_nothing(item->patient), arg);
    if (strcmp(what, "alias") == 0)
        return script_name(s, what, or_nothing(item->alias), arg);
    if (strcmp(what, "since") == 0)
        return script_name(s, what, or_nothing(item->since), arg);
    if (strcmp(what, "candidates") == 0)
        return script_number(s, what, lines(item->candidates), arg);
    if (strcmp(what, "candidate") == 0)
        return expect_candidate(s, item->candidates);
    if (strcmp(what, "changes") == 0)
        return script_number(s, what, lines(item->changes), arg);
    if (strcmp(what, "changed") == 0)
        return expect_changed(s, item->changes, true);
    if (strcmp(what, "prechecked") == 0) {
        static const char *const results[] = {"valid", "invalid", "unknown", "wrong", "later"};

        return script_name(s, what, results[s->stage->prechecked.result], arg);
    }
    if (strcmp(what, "precheck_field") == 0)
        return script_name(s, what, or_nothing(s->stage->prechecked.field), arg);
    if (strcmp(what, "precheck_date") == 0)
        return script_name(s, what, or_nothing(s->stage->prechecked.date), arg);
    if (strcmp(what, "asked_day") == 0)
        return script_name(s, what, or_nothing(s->stage->asked_day), arg);
    if (strcmp(what, "precheck_patient") == 0)
        return script_name(s, what, or_nothing(s->stage->prechecked.patient), arg);
    if (strcmp(what, "precheck_match") == 0)
        return script_name(s, what, visit_match_name(s->stage->prechecked.match), arg);
    if (strcmp(what, "precheck_changed") == 0)
        return expect_changed(s, s->stage->prechecked.changes, true);
    if (strcmp(what, "precheck_other_name") == 0)
        return script_number(s, what, s->stage->prechecked.other_name, arg);
    if (strcmp(what, "rows_answered") == 0)
        return script_number(s, what, s->stage->nprechecked, arg);
    if (strcmp(what, "unchanged") == 0)
        return expect_changed(s, item->changes, false);
    return -1;
}
