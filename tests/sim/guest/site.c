#include "guest.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t guest_now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void guest_sleep_ms(unsigned milliseconds)
{
    struct timespec left = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000};

    while (nanosleep(&left, &left) != 0)
        ;
}

bool guest_among(const char *list, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = list; *at != '\0';) {
        size_t n = strcspn(at, "|");

        if (n == len && strncmp(at, word, len) == 0)
            return true;
        at += n + (at[n] == '|');
    }
    return false;
}

static bool read_line(const char *directory, const char *name, char *out, size_t size)
{
    char path[400];
    FILE *file;
    bool good;

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "re");
    good = file != NULL && fgets(out, (int)size, file) != NULL;
    if (file != NULL)
        (void)fclose(file);
    if (good)
        out[strcspn(out, "\n")] = '\0';
    else
        (void)fprintf(stderr, "%s: not there; make-desk.sh makes it\n", path);
    return good;
}

static bool read_places(struct site *site)
{
    char path[400];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/places", site->directory);
    file = fopen(path, "re");
    while (file != NULL && site->nlanes < SITE_LANES_MAX &&
           fscanf(file, "%d %23s", &site->lanes[site->nlanes].number,
                  site->lanes[site->nlanes].place) == 2)
        site->nlanes++;
    if (file != NULL)
        (void)fclose(file);
    return site->nlanes > 0;
}

bool site_open(struct site *site, const char *directory)
{
    char path[400];

    memset(site, 0, sizeof(*site));
    (void)pthread_mutex_init(&site->lock, NULL);
    if (strlen(directory) >= sizeof(site->directory) - 1)
        return false;
    (void)strcpy(site->directory, directory);
    (void)snprintf(site->launcher, sizeof(site->launcher), "%s/run/launcher.control", directory);
    (void)snprintf(path, sizeof(path), "%s/log/book.jsonl", directory);
    site->book = fopen(path, "ae");
    return site->book != NULL && read_line(directory, "port", site->port, sizeof(site->port)) &&
           read_line(directory, "descriptions", site->cards, sizeof(site->cards)) &&
           read_places(site);
}

void site_close(struct site *site)
{
    if (site->book != NULL)
        (void)fclose(site->book);
    site->book = NULL;
    (void)pthread_mutex_destroy(&site->lock);
}

bool site_ready(const struct site *site, int seconds)
{
    uint64_t end = guest_now_ms() + (uint64_t)seconds * 1000;
    char answer[256] = "", plan[400];

    /* Without a plan it is systemd that starts the programs. */
    (void)snprintf(plan, sizeof(plan), "%s/plan", site->directory);
    if (access(plan, F_OK) != 0)
        return true;
    do {
        if (line_ask(site->launcher, "ready", answer, sizeof(answer)))
            return true;
        guest_sleep_ms(20);
    } while (guest_now_ms() < end);
    (void)fprintf(stderr, "the desk did not come up: %s; see %s/log\n", answer, site->directory);
    return false;
}

/* All of them, and at least one. */
static bool services_are_good(struct stage *stage)
{
    long status;
    json_t *health = http_ask(stage->http, BOARD, "/api/health", NULL, &status), *item;
    bool seen = false, bad = false;
    size_t i;

    json_array_foreach (json_object_get(health, "items"), i, item) {
        const char *component = json_string_value(json_object_get(item, "component"));
        const char *state = json_string_value(json_object_get(item, "state"));

        if (component == NULL || strstr(component, "upstream service") == NULL)
            continue;
        seen = true;
        bad = bad || state == NULL || strcmp(state, "good") != 0;
    }
    json_decref(health);
    return seen && !bad;
}

bool site_served(struct site *site, int seconds)
{
    const uint64_t end = guest_now_ms() + (uint64_t)seconds * 1000;
    struct stage stage;
    bool served = false;

    if (stage_open(&stage, site, 0)) {
        while (!(served = services_are_good(&stage)) && guest_now_ms() < end)
            guest_sleep_ms(100);
        stage_close(&stage);
    }
    if (!served)
        (void)fprintf(stderr, "a service has not answered; see %s/log\n", site->directory);
    return served;
}

void site_note(struct site *site, json_t *line)
{
    struct timespec ts;
    char *text;

    (void)clock_gettime(CLOCK_REALTIME, &ts);
    (void)json_object_set_new(line, "us",
                              json_integer((json_int_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000));
    text = json_dumps(line, JSON_COMPACT);
    json_decref(line);
    (void)pthread_mutex_lock(&site->lock);
    if (text != NULL && site->book != NULL) {
        (void)fprintf(site->book, "%s\n", text);
        (void)fflush(site->book);
    }
    (void)pthread_mutex_unlock(&site->lock);
    free(text);
}
