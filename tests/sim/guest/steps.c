/*
 * What patient, staff and fate can do in a visit, one step each:
 *
 *   place CARD [FILM [FRAME]]     once the lane is idle: FILM before the camera ("off" without),
 *                                 then the card on the reader
 *   again CARD                    the card on the reader, whatever the lane shows
 *   take                          the card off
 *   see STATES [CODE] [SECONDS]   wait until the lane shows it, with that failure ("-": none)
 *   press ACTION, staff ACTION    on the kiosk, on the board
 *   cannot ACTION                 the kiosk does not offer it
 *   type pin DIGITS|CARD|own, type number-b DIGITS|CARD|own
 *   consent [WORD...]             limit drugs checkup ("none": nothing); without a word all three
 *   lookup INSURER SYMBOL NUMBER BRANCH BIRTH   staff ask without a card
 *   link ...                      the same for the card that lies here
 *   post PATH JSON                staff, anything else of the board's; $visit, $lane, $today, $soon
 *   refuses CODE PATH JSON        the same, and it must not be accepted
 *   slip STATE                    the slip of the first visit seen comes to that; it is the row's
 *   handed TARGET STATE CODE      what goes there comes to that state, with that failure ("-": none)
 *   files N PATTERN               so many files of the desk are called so; $hex: the visit in hexadecimal digits
 *   answer has|lacks ELEMENT      the answer as the board shows it, at once or within two minutes
 *   decided                       wait for the result of a visit without a lane
 *   shown CODE                    the lane shows this failure now
 *   device WORDS, service WORDS   to the simulators
 *   program NAME SIGNAL, settle   a program is killed; all programs run again
 *   served                        each service answers (again)
 *   pause MS
 *   beside STEP                   at the neighbouring lane
 */
#include "guest.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATIENCE_MS 30000
#define WORDS_MAX 8

struct words {
    char text[512];
    char *at[WORDS_MAX];
    size_t n;
};

static void split(struct words *w, const char *line)
{
    char *save = NULL;

    (void)snprintf(w->text, sizeof(w->text), "%s", line);
    w->n = 0;
    for (char *word = strtok_r(w->text, " \t", &save); word != NULL && w->n < WORDS_MAX;
         word = strtok_r(NULL, " \t", &save))
        w->at[w->n++] = word;
    for (size_t i = w->n; i < WORDS_MAX; i++)
        w->at[i] = NULL;
}

static bool do_place(struct stage *stage, const struct words *w)
{
    char command[128];

    (void)snprintf(command, sizeof(command), "camera %s %s", w->n > 2 ? w->at[2] : "off",
                   w->n > 3 ? w->at[3] : "");
    return stage_wait(stage, "idle", PATIENCE_MS) && stage_device(stage, command) &&
           stage_place(stage, w->at[1]);
}

static bool do_see(struct stage *stage, const struct words *w)
{
    int patience = PATIENCE_MS;
    const char *code = NULL;

    for (size_t i = 2; i < w->n; i++)
        if (strspn(w->at[i], "0123456789") == strlen(w->at[i]))
            patience = atoi(w->at[i]) * 1000;
        else
            code = strcmp(w->at[i], "-") == 0 ? "" : w->at[i];
    return stage_wait_for(stage, w->at[1], code, patience);
}

static bool do_shown(struct stage *stage, const struct words *w)
{
    return (stage_look(stage) && strcmp(stage->failure, w->at[1]) == 0) ||
           stage_fail(stage, "%s shows %s, not %s", stage->state, stage->failure, w->at[1]);
}

static bool do_cannot(struct stage *stage, const struct words *w)
{
    return (stage_look(stage) && !guest_among(stage->offers, w->at[1])) ||
           stage_fail(stage, "%s is on offer in %s", w->at[1], stage->state);
}

static bool do_type(struct stage *stage, const struct words *w)
{
    const char *digits = w->at[2], *card = stage->card;
    struct card_facts facts, own;
    bool pin = strcmp(w->at[1], "pin") == 0;

    if (!stage_look(stage) || !card_facts_read(&own, stage->site->cards, card))
        return stage_fail(stage, "no card %s to key in for", card);
    if (strcmp(digits, "own") == 0) {
        digits = pin ? own.pin : own.number_b;
    } else if (strspn(digits, "0123456789") != strlen(digits)) {
        if (!card_facts_read(&facts, stage->site->cards, digits))
            return stage_fail(stage, "no card file %s", digits);
        digits = pin ? facts.pin : facts.number_b;
    }
    return stage_enter(stage, w->at[1], digits, strcmp(digits, pin ? own.pin : own.number_b) == 0);
}

static bool do_consent(struct stage *stage, const struct words *w)
{
    static const char *const names[] = {"limit",     "drugs",     "checkup",
                                        "diagnosis", "operation", "disease"};

    stage->consents = w->n > 1 ? 0 : 7;
    for (size_t i = 1; i < w->n; i++)
        for (unsigned bit = 0; bit < sizeof(names) / sizeof(names[0]); bit++)
            stage->consents |= strcmp(names[bit], w->at[i]) == 0 ? 1u << bit : 0;
    return stage_consent(stage);
}

static bool do_lookup(struct stage *stage, const struct words *w)
{
    bool link = strcmp(w->at[0], "link") == 0;

    return stage_lookup(stage, w->at + 1, link);
}

/* How often the launcher has started it. */
static int starts_of(const struct stage *stage, const char *program)
{
    char answer[4096], look[64];
    const char *at;

    (void)snprintf(look, sizeof(look), " %s=", program);
    if (!line_ask(stage->site->launcher, "pids", answer, sizeof(answer)) ||
        (at = strstr(answer, look)) == NULL || (at = strchr(at, ':')) == NULL)
        return -1;
    return atoi(at + 1);
}

/* Back when it was started anew: `settle` waits until it is ready. */
bool step_kill(struct stage *stage, const char *program, int signal_number)
{
    char command[128], answer[256];
    int before = starts_of(stage, program);
    uint64_t end = guest_now_ms() + 15000;

    (void)snprintf(command, sizeof(command), "kill %s %d", program, signal_number);
    site_note(stage->site, json_pack("{s:s, s:s, s:i}", "event", "kill", "program", program,
                                     "signal", signal_number));
    if (!line_ask(stage->site->launcher, command, answer, sizeof(answer)))
        return stage_fail(stage, "launcher: %s: %s", command, answer);
    while (signal_number == 9 && starts_of(stage, program) == before) {
        if (guest_now_ms() >= end)
            return stage_fail(stage, "%s was not started again", program);
        guest_sleep_ms(5);
    }
    return true;
}

static bool do_program(struct stage *stage, const struct words *w)
{
    return step_kill(stage, w->at[1], atoi(w->at[2]));
}
static bool do_press(struct stage *stage, const struct words *w)
{
    return stage_act(stage, KIOSK, w->at[1]);
}

static bool do_staff(struct stage *stage, const struct words *w)
{
    return stage_act(stage, BOARD, w->at[1]);
}

static bool do_again(struct stage *stage, const struct words *w)
{
    return stage_place(stage, w->at[1]);
}

static bool do_take(struct stage *stage, const struct words *w)
{
    (void)w;
    return stage_take(stage);
}

static bool do_decided(struct stage *stage, const struct words *w)
{
    (void)w;
    return stage_decided(stage, PATIENCE_MS);
}

static bool do_slip(struct stage *stage, const struct words *w)
{
    return stage_slip(stage, w->at[1], PATIENCE_MS);
}

static void fill_in(const struct stage *stage, const char *text, char *out, size_t size);

static bool do_handed(struct stage *stage, const struct words *w)
{
    return stage_handed(stage, w->at[1], w->at[2], w->at[3]);
}

static bool do_files(struct stage *stage, const struct words *w)
{
    char pattern[200];

    fill_in(stage, w->at[2], pattern, sizeof(pattern));
    return stage_files(stage, (size_t)atoi(w->at[1]), pattern);
}

static bool do_answer(struct stage *stage, const struct words *w)
{
    return stage_answer(stage, strcmp(w->at[1], "has") == 0, w->at[2]);
}

static bool do_settle(struct stage *stage, const struct words *w)
{
    (void)w;
    return site_ready(stage->site, 120) || stage_fail(stage, "not every program runs again");
}

static bool do_served(struct stage *stage, const struct words *w)
{
    (void)w;
    return site_served(stage->site, 60) || stage_fail(stage, "a service does not answer again");
}

static bool do_pause(struct stage *stage, const struct words *w)
{
    (void)stage;
    guest_sleep_ms((unsigned)atoi(w->at[1]));
    return true;
}

static const struct {
    const char *name;
    size_t least; /* words, its name included */
    bool (*run)(struct stage *stage, const struct words *w);
} steps[] = {
    {"place", 2, do_place},   {"again", 2, do_again},     {"take", 1, do_take},
    {"see", 2, do_see},       {"press", 2, do_press},     {"staff", 2, do_staff},
    {"cannot", 2, do_cannot}, {"type", 3, do_type},       {"consent", 1, do_consent},
    {"lookup", 6, do_lookup}, {"link", 6, do_lookup},     {"decided", 1, do_decided},
    {"shown", 2, do_shown},   {"program", 3, do_program}, {"settle", 1, do_settle},
    {"slip", 2, do_slip},     {"pause", 2, do_pause},     {"handed", 4, do_handed},
    {"files", 3, do_files},   {"answer", 3, do_answer},   {"served", 1, do_served},
};

/* $visit, $hex (the same), $lane, $today (in Japan), $soon (in an hour): of a path or a body. */
static void fill_in(const struct stage *stage, const char *text, char *out, size_t size)
{
    time_t now = time(NULL), japan = now + 9 * 3600;
    struct tm day;
    size_t used = 0;

    (void)gmtime_r(&japan, &day);
    while (*text != '\0' && used + 32 < size) {
        if (strncmp(text, "$visit", 6) == 0) {
            used += (size_t)snprintf(out + used, size - used, "%llu",
                                     (unsigned long long)stage->last_visit);
            text += 6;
        } else if (strncmp(text, "$hex", 4) == 0) {
            used += (size_t)snprintf(out + used, size - used, "%08llx",
                                     (unsigned long long)stage->last_visit);
            text += 4;
        } else if (strncmp(text, "$lane", 5) == 0) {
            used += (size_t)snprintf(out + used, size - used, "%d", stage->lane);
            text += 5;
        } else if (strncmp(text, "$today", 6) == 0) {
            used += strftime(out + used, size - used, "%Y%m%d", &day);
            text += 6;
        } else if (strncmp(text, "$soon", 5) == 0) {
            used += (size_t)snprintf(out + used, size - used, "%lld", (long long)now + 3600);
            text += 5;
        } else {
            out[used++] = *text++;
        }
    }
    out[used] = '\0';
}

/* code NULL: it must be accepted; else refused with that code. */
static bool post(struct stage *stage, const char *text, const char *code)
{
    char path[128], filled[1024];
    const char *body = strchr(text, ' ');
    json_t *json;

    if (body == NULL)
        return stage_fail(stage, "PATH JSON: %s", text);
    (void)snprintf(filled, sizeof(filled), "%.*s", (int)(body - text), text);
    fill_in(stage, filled, path, sizeof(path));
    fill_in(stage, body + 1, filled, sizeof(filled));
    json = json_loads(filled, 0, NULL);
    if (json == NULL)
        return stage_fail(stage, "no JSON: %s", filled);
    return stage_post(stage, path, json, code);
}

static bool tell_service(struct stage *stage, const char *command)
{
    char answer[512];

    uint64_t end = guest_now_ms() + PATIENCE_MS;

    /* One that was killed is back in a moment. */
    while (!line_ask(stage->service, command, answer, sizeof(answer))) {
        if (answer[0] != '\0' || guest_now_ms() >= end)
            return stage_fail(stage, "service: %s: %s", command, answer);
        guest_sleep_ms(50);
    }
    return true;
}

bool step_take(struct stage *stage, struct stage *beside, const char *step)
{
    struct words w;

    if (stage->problem[0] != '\0')
        return false;
    if (strncmp(step, "beside ", 7) == 0) {
        if (beside == NULL)
            return stage_fail(stage, "there is no neighbouring lane for: %s", step);
        return step_take(beside, NULL, step + 7) ||
               stage_fail(stage, "beside: %.250s", beside->problem);
    }
    if (strncmp(step, "device ", 7) == 0)
        return stage_device(stage, step + 7);
    if (strncmp(step, "service ", 8) == 0)
        return tell_service(stage, step + 8);
    if (strncmp(step, "post ", 5) == 0)
        return post(stage, step + 5, NULL);
    if (strncmp(step, "refuses ", 8) == 0) {
        char code[8];

        (void)snprintf(code, sizeof(code), "%.*s", (int)strcspn(step + 8, " "), step + 8);
        return post(stage, step + 8 + strcspn(step + 8, " ") + 1, code);
    }
    split(&w, step);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (strcmp(steps[i].name, w.at[0]) == 0) {
            if (w.n < steps[i].least)
                return stage_fail(stage, "too few words: %s", step);
            /* What went wrong says at which step. */
            if (steps[i].run(stage, &w))
                return true;
            if (strstr(stage->problem, " <- ") == NULL &&
                strlen(stage->problem) + strlen(step) + 5 < sizeof(stage->problem)) {
                (void)strcat(stage->problem, " <- ");
                (void)strcat(stage->problem, step);
            }
            return false;
        }
    return stage_fail(stage, "no such step: %s", step);
}
