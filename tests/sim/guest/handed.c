/*
 * What has become of a visit's answer outside the lane: how far its entries in the outbox are, which files lie in a
 * folder of the desk, and what the board still shows of the answer.
 */
#include "guest.h"

#include <glob.h>
#include <string.h>

#define LOOK_EVERY_MS 100
#define PURGE_MS 120000 /* the desk looks once a minute */
#define HANDED_MS 60000

static const char *text(const json_t *json, const char *name)
{
    const char *value = json_string_value(json_object_get(json, name));

    return value != NULL ? value : "-";
}

/* All entries of the visit for that target, and there is one. */
static bool are_handed(const json_t *entries, const char *target, const char *state,
                       const char *code, char *seen, size_t size)
{
    const json_t *entry;
    size_t i, n = 0, good = 0;

    (void)snprintf(seen, size, "none");
    json_array_foreach (entries, i, entry) {
        const char *failure = text(json_object_get(entry, "failure"), "code");

        if (strcmp(text(entry, "target"), target) != 0)
            continue;
        n++;
        good += strcmp(text(entry, "state"), state) == 0 && strcmp(failure, code) == 0;
        (void)snprintf(seen, size, "%s %s", text(entry, "state"), failure);
    }
    return n > 0 && good == n;
}

bool stage_handed(struct stage *stage, const char *target, const char *state, const char *code)
{
    const uint64_t end = guest_now_ms() + HANDED_MS;
    char path[64], seen[40];

    (void)snprintf(path, sizeof(path), "/api/visits/%llu/outbox",
                   (unsigned long long)stage->last_visit);
    do {
        long status;
        json_t *answer = http_ask(stage->http, BOARD, path, NULL, &status);
        bool good =
            are_handed(json_object_get(answer, "entries"), target, state, code, seen, sizeof(seen));

        json_decref(answer);
        if (good)
            return true;
        guest_sleep_ms(LOOK_EVERY_MS);
    } while (guest_now_ms() < end);
    return stage_fail(stage, "%s is %s, not %s %s", target, seen, state, code);
}

bool stage_files(struct stage *stage, size_t wanted, const char *pattern)
{
    const uint64_t end = guest_now_ms() + HANDED_MS;
    char path[500];
    size_t n = 0;

    (void)snprintf(path, sizeof(path), "%s/%s", stage->site->directory, pattern);
    do {
        glob_t found;

        n = glob(path, GLOB_NOSORT, NULL, &found) == 0 ? found.gl_pathc : 0;
        globfree(&found);
        if (n == wanted)
            return true;
        guest_sleep_ms(LOOK_EVERY_MS);
    } while (guest_now_ms() < end);
    return stage_fail(stage, "%zu files %s, not %zu", n, pattern, wanted);
}

/* Is there a member of that name, wherever? */
static bool holds(const json_t *json, const char *name)
{
    const char *key;
    json_t *value;
    size_t i;

    if (json_is_object(json)) {
        json_object_foreach ((json_t *)(uintptr_t)json, key, value) {
            if (strcmp(key, name) == 0 || holds(value, name))
                return true;
        }
    }
    json_array_foreach (json, i, value) {
        if (holds(value, name))
            return true;
    }
    return false;
}

bool stage_answer(struct stage *stage, bool has, const char *name)
{
    const uint64_t end = guest_now_ms() + PURGE_MS;
    char path[64];
    long status;

    (void)snprintf(path, sizeof(path), "/api/visits/%llu/answer",
                   (unsigned long long)stage->last_visit);
    do {
        json_t *answer = http_ask(stage->http, BOARD, path, NULL, &status);
        bool good = status == 200 && holds(answer, name) == has;

        json_decref(answer);
        if (good)
            return true;
        guest_sleep_ms(10 * LOOK_EVERY_MS);
    } while (guest_now_ms() < end);
    return stage_fail(stage, "the answer (HTTP %ld) %s %s", status, has ? "lacks" : "still has",
                      name);
}
