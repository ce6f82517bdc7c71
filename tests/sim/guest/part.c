/*
 * Parts of a visit: up to a state, and on from wherever it stands; and visits without end. Between
 * the parts the desk may be killed, upgraded, or lose its power: the patient does what the screen
 * asks for.
 */
#include "guest.h"

#include <stdlib.h>
#include <string.h>

#define CARD "franck"
#define AGAIN_MS 3000 /* an action without effect is tried again */

static void follow_screen(struct stage *stage, const char *method, const struct card_facts *facts)
{
    if (strcmp(stage->state, "method") == 0)
        (void)stage_act(stage, KIOSK, strcmp(method, "face") == 0 ? "choose_face" : "choose_pin");
    else if (strcmp(stage->state, "number_b") == 0 && stage->key[0] != '\0')
        (void)stage_enter(stage, "number-b", facts->number_b, true);
    else if (strcmp(stage->state, "pin") == 0 && stage->key[0] != '\0')
        (void)stage_enter(stage, "pin", facts->pin, true);
    else if (strcmp(stage->state, "consent") == 0)
        (void)stage_consent(stage);
    else if (strcmp(stage->state, "card_lost") == 0)
        (void)stage_place(stage, CARD);
    /* What came too late for its screen is no misfortune: look again. */
    stage->problem[0] = '\0';
}

static bool play(struct stage *stage, const char *method, const char *states, unsigned seconds)
{
    uint64_t end = guest_now_ms() + (uint64_t)seconds * 1000, acted_at = 0;
    struct card_facts facts;
    char acted[32] = "";
    int step = -1;

    if (!card_facts_read(&facts, stage->site->cards, CARD))
        return stage_fail(stage, "no card file " CARD);
    for (; guest_now_ms() < end; guest_sleep_ms(25)) {
        if (!stage_look(stage))
            continue;
        if (guest_among(states, stage->state))
            return true;
        if (stage->step == step && strcmp(stage->state, acted) == 0 &&
            guest_now_ms() - acted_at < AGAIN_MS)
            continue;
        step = stage->step;
        (void)strcpy(acted, stage->state);
        acted_at = guest_now_ms();
        follow_screen(stage, method, &facts);
    }
    return stage_fail(stage, "not %s but %s %s", states, stage->state, stage->failure);
}

static bool begin(struct stage *stage, const char *method, const char *states, unsigned seconds)
{
    char answer[512];

    stage_begin(stage);
    (void)line_ask(stage->device, "remove", answer, sizeof(answer));
    return stage_device(stage, "camera " CARD) && stage_wait(stage, "idle", (int)seconds * 1000) &&
           stage_place(stage, CARD) && play(stage, method, states, seconds);
}

static bool finish(struct stage *stage, const char *method, unsigned seconds)
{
    char answer[512];

    if (!play(stage, method, "done", seconds))
        return false;
    (void)line_ask(stage->device, "remove", answer, sizeof(answer));
    return stage_wait(stage, "idle", (int)seconds * 1000);
}

static int report(struct stage *stage, const char *word, bool good)
{
    json_t *visit = stage->last_visit != 0 ? stage_visit(stage, stage->last_visit) : NULL;
    const char *outcome = json_string_value(json_object_get(visit, "outcome"));

    (void)printf("%s %llu %s %s\n", good ? word : "wrong", (unsigned long long)stage->last_visit,
                 outcome != NULL ? outcome : "unknown", good ? stage->state : stage->problem);
    (void)fflush(stdout);
    json_decref(visit);
    return good ? 0 : 1;
}

int run_part(struct site *site, const char *part, const char *method, unsigned seconds)
{
    struct stage stage;
    int failed = 1;

    if (!stage_open(&stage, site, 0))
        return 1;
    stage.consents = 7;
    if (strcmp(part, "finish") == 0)
        failed = report(&stage, "visit", finish(&stage, method, seconds));
    else if (strcmp(part, "loop") != 0)
        failed = report(&stage, "visit", begin(&stage, method, part, seconds));
    /* A line a visit, each written before the next begins: what a receptionist has seen. */
    for (unsigned n = 0; strcmp(part, "loop") == 0; n++) {
        bool good;

        stage.consents = n & 7;
        good = begin(&stage, method, "consent", seconds) && finish(&stage, method, seconds);
        failed = report(&stage, "closed", good);
    }
    stage_close(&stage);
    return failed;
}
