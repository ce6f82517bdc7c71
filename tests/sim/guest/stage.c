#include "guest.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_EVERY_MS 20

static const char *const consent_names[] = {"limit",     "drugs",     "checkup",
                                            "diagnosis", "operation", "disease"};
#define CONSENTS (sizeof(consent_names) / sizeof(consent_names[0]))

bool stage_open(struct stage *stage, struct site *site, int lane_index)
{
    char kiosk[128] = "", staff[128] = "", path[400], url[64];
    const char *place = site->lanes[lane_index].place;
    bool storm = strcmp(place, "storm") == 0, good;
    FILE *file;

    memset(stage, 0, sizeof(*stage));
    stage->site = site;
    stage->lane = site->lanes[lane_index].number;
    stage->consents = 7;
    (void)snprintf(stage->device, sizeof(stage->device), "%s/run/device-%d.control",
                   site->directory, stage->lane);
    (void)snprintf(stage->service, sizeof(stage->service), "%s/run/service%s.control",
                   site->directory, storm ? "-storm" : "");
    (void)snprintf(stage->ledger, sizeof(stage->ledger), "%s/log/ledger%s.jsonl", site->directory,
                   storm ? "-storm" : "");
    (void)snprintf(path, sizeof(path), "%s/tokens/lane-%d", site->directory, stage->lane);
    file = fopen(path, "re");
    good = file != NULL && fgets(kiosk, sizeof(kiosk), file) != NULL;
    if (file != NULL)
        (void)fclose(file);
    (void)snprintf(path, sizeof(path), "%s/tokens/staff", site->directory);
    file = fopen(path, "re");
    good = good && file != NULL && fgets(staff, sizeof(staff), file) != NULL;
    if (file != NULL)
        (void)fclose(file);
    kiosk[strcspn(kiosk, "\n")] = '\0';
    staff[strcspn(staff, "\n")] = '\0';
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%s", site->port);
    stage->http = good ? http_new(url, kiosk, staff) : NULL;
    return stage->http != NULL;
}

void stage_close(struct stage *stage)
{
    if (stage->http != NULL)
        http_free(&stage->http);
}

void stage_begin(struct stage *stage)
{
    stage->problem[0] = '\0';
    stage->last_visit = 0;
    stage->nseen = 0;
}

bool stage_fail(struct stage *stage, const char *format, ...)
{
    va_list args;

    if (stage->problem[0] != '\0')
        return false;
    va_start(args, format);
    (void)vsnprintf(stage->problem, sizeof(stage->problem), format, args);
    va_end(args);
    return false;
}

bool stage_device(struct stage *stage, const char *command)
{
    char answer[512];

    if (stage->problem[0] != '\0')
        return false;
    if (!line_ask(stage->device, command, answer, sizeof(answer)))
        return stage_fail(stage, "device: %s: %s", command, answer);
    return true;
}

bool stage_place(struct stage *stage, const char *card)
{
    char command[80];

    (void)snprintf(command, sizeof(command), "insert %s", card);
    if (!stage_device(stage, command))
        return false;
    (void)snprintf(stage->card, sizeof(stage->card), "%s", card);
    site_note(stage->site,
              json_pack("{s:s, s:i, s:s}", "event", "insert", "lane", stage->lane, "card", card));
    return true;
}

/* The card may be gone already: torn out by a fault. */
bool stage_take(struct stage *stage)
{
    char answer[256];

    if (stage->problem[0] != '\0')
        return false;
    (void)line_ask(stage->device, "remove", answer, sizeof(answer));
    stage->card[0] = '\0';
    return true;
}

static const char *text(const json_t *json, const char *name)
{
    const char *value = json_string_value(json_object_get(json, name));

    return value != NULL ? value : "";
}

static void see_visit(struct stage *stage, uint64_t visit)
{
    stage->last_visit = visit;
    for (int i = 0; i < stage->nseen; i++)
        if (stage->seen[i] == visit)
            return;
    if (stage->nseen < STAGE_SEEN_MAX)
        stage->seen[stage->nseen++] = visit;
    site_note(stage->site, json_pack("{s:s, s:i, s:I, s:s}", "event", "visit", "lane", stage->lane,
                                     "visit", (json_int_t)visit, "card", stage->card));
}

static int tries(const json_t *lane, const char *name)
{
    const json_t *value = json_object_get(lane, name);

    return json_is_integer(value) ? (int)json_integer_value(value) : -1;
}

bool stage_look(struct stage *stage)
{
    char path[64];
    long status;
    json_t *lane, *offers;
    size_t used = 0;

    (void)snprintf(path, sizeof(path), "/api/lanes/%d", stage->lane);
    lane = http_ask(stage->http, KIOSK, path, NULL, &status);
    if (lane == NULL || status != 200) {
        json_decref(lane);
        (void)snprintf(stage->state, sizeof(stage->state), "http-%ld", status);
        return false;
    }
    stage->visit = strtoull(text(lane, "visit"), NULL, 10);
    if (stage->visit != 0)
        see_visit(stage, stage->visit);
    stage->step = (int)json_integer_value(json_object_get(lane, "step"));
    (void)snprintf(stage->state, sizeof(stage->state), "%s", text(lane, "state"));
    (void)snprintf(stage->key, sizeof(stage->key), "%s", text(lane, "key"));
    (void)snprintf(stage->failure, sizeof(stage->failure), "%s",
                   text(json_object_get(lane, "failure"), "code"));
    stage->pin_tries = tries(lane, "pin_tries");
    stage->number_b_tries = tries(lane, "number_b_tries");
    offers = json_object_get(lane, "offers");
    stage->offers[0] = '\0';
    for (size_t i = 0; i < json_array_size(offers) && used < sizeof(stage->offers); i++)
        used += (size_t)snprintf(stage->offers + used, sizeof(stage->offers) - used, "%s%s",
                                 i > 0 ? "|" : "", json_string_value(json_array_get(offers, i)));
    json_decref(lane);
    return true;
}

bool stage_wait(struct stage *stage, const char *states, int milliseconds)
{
    return stage_wait_for(stage, states, NULL, milliseconds);
}

bool stage_wait_for(struct stage *stage, const char *states, const char *code, int milliseconds)
{
    uint64_t end = guest_now_ms() + (uint64_t)milliseconds;

    if (stage->problem[0] != '\0')
        return false;
    for (;;) {
        if (stage_look(stage) && guest_among(states, stage->state) &&
            (code == NULL || strcmp(code, stage->failure) == 0))
            return true;
        if (guest_now_ms() >= end)
            return stage_fail(stage, "waited %d ms for %s %s, the lane is in %s (%s)", milliseconds,
                              states, code != NULL ? code : "", stage->state, stage->failure);
        guest_sleep_ms(LOOK_EVERY_MS);
    }
}

/* accepted: "yes", "no", or "?" when the answer was lost on its way: then it may have been done. */
static const char *accepted(long status)
{
    return status == 200 ? "yes" : status == 0 || status >= 500 ? "?" : "no";
}

/* `stale`: set (and no complaint made) when the page was out of date; NULL: that is a complaint like any other. */
static bool post_action_once(struct stage *stage, enum surface surface, json_t *body,
                             const char *action, json_t *note, bool *stale)
{
    char path[64], visit[24];
    long status;
    json_t *answer;

    (void)snprintf(path, sizeof(path), "/api/lanes/%d/actions", stage->lane);
    (void)snprintf(visit, sizeof(visit), "%llu", (unsigned long long)stage->visit);
    (void)json_object_set_new(body, "visit", json_string(visit));
    (void)json_object_set_new(body, "step", json_integer(stage->step));
    (void)json_object_set_new(body, "action", json_string(action));
    answer = http_ask(stage->http, surface, path, body, &status);
    (void)json_object_set_new(note, "event", json_string("action"));
    (void)json_object_set_new(note, "lane", json_integer(stage->lane));
    (void)json_object_set_new(note, "visit", json_integer((json_int_t)stage->visit));
    (void)json_object_set_new(note, "action", json_string(action));
    (void)json_object_set_new(note, "surface", json_string(surface == BOARD ? "board" : "kiosk"));
    (void)json_object_set_new(note, "accepted", json_string(accepted(status)));
    (void)json_object_set_new(note, "card", json_string(stage->card));
    site_note(stage->site, note);
    if (stale != NULL)
        *stale =
            status == 409 && strcmp(text(json_object_get(answer, "error"), "code"), "S003") == 0;
    if (status != 200 && (stale == NULL || !*stale))
        (void)stage_fail(stage, "%s was not accepted in %s: HTTP %ld %s", action, stage->state,
                         status, text(json_object_get(answer, "error"), "code"));
    json_decref(answer);
    return status == 200;
}

static bool post_action(struct stage *stage, enum surface surface, json_t *body, const char *action,
                        json_t *note)
{
    return post_action_once(stage, surface, body, action, note, NULL);
}

bool stage_act(struct stage *stage, enum surface surface, const char *action)
{
    bool stale = false;

    if (stage->problem[0] != '\0')
        return false;
    if (post_action_once(stage, surface, json_object(), action, json_object(), &stale))
        return true;
    if (!stale)
        return false;
    /* Something happened between the look and the press (the card came to lie there): the page shows
       itself anew, and whoever pressed presses again. Twice is a fault. */
    guest_sleep_ms(300);
    return stage_look(stage) && post_action(stage, surface, json_object(), action, json_object());
}

bool stage_consent(struct stage *stage)
{
    json_t *given;

    if (stage->problem[0] != '\0')
        return false;
    given = json_array();
    for (unsigned i = 0; i < CONSENTS; i++)
        if ((stage->consents >> i & 1) != 0)
            (void)json_array_append_new(given, json_string(consent_names[i]));
    return post_action(stage, KIOSK, json_pack("{s:O}", "consents", given), "consent",
                       json_pack("{s:o}", "consents", given));
}

bool stage_enter(struct stage *stage, const char *kind, const char *digits, bool right)
{
    const char *action = strcmp(kind, "pin") == 0 ? "send_pin" : "send_number_b";
    char *sealed;
    bool good;

    if (stage->problem[0] != '\0')
        return false;
    sealed = seal_entry(kind, stage->visit, stage->key, digits);
    if (sealed == NULL)
        return stage_fail(stage, "cannot seal to the lane's key (%zu characters)",
                          strlen(stage->key));
    good = post_action(
        stage, KIOSK, json_pack("{s:s}", "sealed", sealed), action,
        json_pack("{s:s, s:s, s:b}", "entry", kind, "card", stage->card, "right", right));
    free(sealed);
    return good;
}

bool stage_lookup(struct stage *stage, char *const words[5], bool link)
{
    static const char *const names[5] = {"insurer", "symbol", "number", "branch", "birth"};
    json_t *body = json_object(), *answer;
    char visit[24];
    uint64_t id;
    long status;

    if (stage->problem[0] != '\0') {
        json_decref(body);
        return false;
    }
    for (size_t i = 0; i < 5; i++)
        (void)json_object_set_new(body, names[i],
                                  json_string(strcmp(words[i], "-") == 0 ? "" : words[i]));
    (void)json_object_set_new(body, "limit_consent", json_true());
    if (!link)
        (void)json_object_set_new(body, "lane", json_integer(stage->lane));
    if (link) {
        (void)snprintf(visit, sizeof(visit), "%llu", (unsigned long long)stage->visit);
        (void)json_object_set_new(body, "visit", json_string(visit));
    }
    answer = http_ask(stage->http, BOARD, "/api/lookup", body, &status);
    id = strtoull(text(answer, "visit"), NULL, 10);
    site_note(stage->site,
              json_pack("{s:s, s:i, s:I, s:b, s:s}", "event", "lookup", "lane", stage->lane,
                        "visit", (json_int_t)id, "link", link, "accepted", accepted(status)));
    if (status != 200 || (id == 0 && !link))
        (void)stage_fail(stage, "the look-up was not accepted: HTTP %ld %s %s", status,
                         text(json_object_get(answer, "error"), "code"),
                         text(json_object_get(answer, "error"), "field"));
    else if (!link)
        see_visit(stage, id);
    json_decref(answer);
    return status == 200;
}

bool stage_post(struct stage *stage, const char *path, json_t *body, const char *code)
{
    json_t *answer;
    const char *said;
    uint64_t visit;
    long status;
    bool good;

    if (stage->problem[0] != '\0') {
        json_decref(body);
        return false;
    }
    answer = http_ask(stage->http, BOARD, path, body, &status);
    said = text(json_object_get(answer, "error"), "code");
    good = code == NULL ? status == 200 : status != 200 && strcmp(said, code) == 0;
    if (!good)
        (void)stage_fail(stage, "%s: HTTP %ld %s %s", path, status, said,
                         text(json_object_get(answer, "error"), "field"));
    visit = strtoull(text(answer, "visit"), NULL, 10);
    if (visit != 0)
        see_visit(stage, visit);
    json_decref(answer);
    return good;
}

bool stage_slip(struct stage *stage, const char *state, int milliseconds)
{
    uint64_t end = guest_now_ms() + (uint64_t)milliseconds;
    char path[64], last[24] = "none";

    if (stage->problem[0] != '\0' || stage->nseen == 0)
        return stage_fail(stage, "no visit to look for a slip of");
    stage->last_visit = stage->seen[0];
    (void)snprintf(path, sizeof(path), "/api/visits/%llu/slip", (unsigned long long)stage->seen[0]);
    do {
        long status;
        json_t *slip = http_ask(stage->http, BOARD, path, NULL, &status);

        (void)snprintf(last, sizeof(last), "%s", text(slip, "state"));
        json_decref(slip);
        if (strcmp(last, state) == 0)
            return true;
        guest_sleep_ms(100);
    } while (guest_now_ms() < end);
    return stage_fail(stage, "the slip is %s, not %s", last, state);
}

bool stage_decided(struct stage *stage, int milliseconds)
{
    uint64_t end = guest_now_ms() + (uint64_t)milliseconds;

    if (stage->problem[0] != '\0')
        return false;
    do {
        json_t *visit = stage_visit(stage, stage->last_visit);
        bool decided = visit != NULL && strcmp(text(visit, "outcome"), "open") != 0;

        json_decref(visit);
        if (decided)
            return true;
        guest_sleep_ms(LOOK_EVERY_MS);
    } while (guest_now_ms() < end);
    return stage_fail(stage, "visit %llu is not decided after %d ms",
                      (unsigned long long)stage->last_visit, milliseconds);
}

json_t *stage_visit(struct stage *stage, uint64_t visit)
{
    char path[64];
    long status;
    json_t *answer;

    (void)snprintf(path, sizeof(path), "/api/visits/%llu", (unsigned long long)visit);
    answer = http_ask(stage->http, BOARD, path, NULL, &status);
    if (status != 200) {
        json_decref(answer);
        return NULL;
    }
    return answer;
}

/* A question's name begins with its visit: "U12-...", of a slip "S12-...". */
long stage_questions(const struct stage *stage)
{
    FILE *file = fopen(stage->ledger, "re");
    char line[4096];
    long questions = 0;

    if (file == NULL)
        return 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        const char *at = strstr(line, "\"request_id\":\"");
        unsigned long long visit;

        if (at == NULL || sscanf(at, "\"request_id\":\"%*[US]%llu-", &visit) != 1)
            continue;
        for (int i = 0; i < stage->nseen; i++)
            questions += stage->seen[i] == visit;
    }
    (void)fclose(file);
    return questions;
}

bool stage_counters(struct stage *stage, const char *card, int out[3])
{
    static const char *const keys[3] = {" jpki.0018=", " kenkaku.0012=", " kenhojo.0015="};
    char command[80], answer[512];

    (void)snprintf(command, sizeof(command), "counters %s", card);
    if (!line_ask(stage->device, command, answer, sizeof(answer)))
        return stage_fail(stage, "counters of %s: %s", card, answer);
    for (size_t i = 0; i < 3; i++) {
        const char *at = strstr(answer, keys[i]);

        out[i] = at != NULL ? atoi(at + strlen(keys[i])) : -1;
    }
    return true;
}
