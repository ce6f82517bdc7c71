#include "guest.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOK_EVERY_MS 25

static uint64_t now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
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

static const char *text(const json_t *json, const char *name)
{
    const char *value = json_string_value(json_object_get(json, name));

    return value != NULL ? value : "";
}

bool stage_look(struct stage *stage)
{
    char path[64];
    long status;
    json_t *lane;

    (void)snprintf(path, sizeof(path), "/api/lanes/%d", stage->lane);
    lane = http_ask(stage->http, KIOSK, path, NULL, &status);
    if (lane == NULL || status != 200) {
        json_decref(lane);
        (void)snprintf(stage->state, sizeof(stage->state), "http-%ld", status);
        return false;
    }
    stage->visit = strtoull(text(lane, "visit"), NULL, 10);
    if (stage->visit != 0)
        stage->last_visit = stage->visit;
    stage->step = (int)json_integer_value(json_object_get(lane, "step"));
    (void)snprintf(stage->state, sizeof(stage->state), "%s", text(lane, "state"));
    (void)snprintf(stage->key, sizeof(stage->key), "%s", text(lane, "key"));
    (void)snprintf(stage->failure, sizeof(stage->failure), "%s", text(json_object_get(lane, "failure"), "code"));
    json_decref(lane);
    return true;
}

static bool among(const char *states, const char *state)
{
    size_t len = strlen(state);

    for (const char *at = states; *at != '\0';) {
        size_t word = strcspn(at, "|");

        if (word == len && strncmp(at, state, len) == 0)
            return true;
        at += word + (at[word] == '|');
    }
    return false;
}

bool stage_wait(struct stage *stage, const char *states, int milliseconds)
{
    uint64_t end = now_ms() + (uint64_t)milliseconds;

    if (stage->problem[0] != '\0')
        return false;
    for (;;) {
        if (stage_look(stage) && among(states, stage->state))
            return true;
        if (now_ms() >= end)
            return stage_fail(stage, "waited %d ms for %s, the lane is in %s (%s)", milliseconds, states, stage->state,
                              stage->failure);
        (void)usleep(LOOK_EVERY_MS * 1000);
    }
}

static bool post_action(struct stage *stage, enum surface surface, json_t *body, const char *action)
{
    char path[64], visit[24];
    long status;
    json_t *answer;
    bool good;

    (void)snprintf(path, sizeof(path), "/api/lanes/%d/actions", stage->lane);
    (void)snprintf(visit, sizeof(visit), "%llu", (unsigned long long)stage->visit);
    (void)json_object_set_new(body, "visit", json_string(visit));
    (void)json_object_set_new(body, "step", json_integer(stage->step));
    (void)json_object_set_new(body, "action", json_string(action));
    answer = http_ask(stage->http, surface, path, body, &status);
    good = status == 200;
    if (!good)
        (void)stage_fail(stage, "%s was not accepted in %s: HTTP %ld %s", action, stage->state, status,
                         text(json_object_get(answer, "error"), "code"));
    json_decref(answer);
    return good;
}

bool stage_act(struct stage *stage, enum surface surface, const char *action)
{
    return stage->problem[0] == '\0' && post_action(stage, surface, json_object(), action);
}

bool stage_consent(struct stage *stage)
{
    static const char *const names[] = {"limit", "drugs", "checkup"};
    json_t *given;

    if (stage->problem[0] != '\0')
        return false;
    given = json_array();
    for (unsigned i = 0; i < 3; i++)
        if ((stage->consents >> i & 1) != 0)
            (void)json_array_append_new(given, json_string(names[i]));
    return post_action(stage, KIOSK, json_pack("{s:o}", "consents", given), "consent");
}

bool stage_send(struct stage *stage, const char *action, const char *purpose, const char *digits)
{
    char *sealed;
    bool good;

    if (stage->problem[0] != '\0')
        return false;
    sealed = seal_entry(purpose, stage->visit, stage->key, digits);
    if (sealed == NULL)
        return stage_fail(stage, "cannot seal to the lane's key (%zu characters)", strlen(stage->key));
    good = post_action(stage, KIOSK, json_pack("{s:s}", "sealed", sealed), action);
    free(sealed);
    return good;
}

/* Lines of kind "connection" are handshakes that never became a request. */
long stage_ledger_lines(const struct stage *stage)
{
    FILE *file = fopen(stage->ledger, "re");
    char line[4096];
    long lines = 0;

    if (file == NULL)
        return 0;
    while (fgets(line, sizeof(line), file) != NULL)
        lines += strstr(line, "\"connection\"") == NULL;
    (void)fclose(file);
    return lines;
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
