#include "shortage.h"

#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/short_calls.h"

#define PREFIX "short-"

struct shortage {
    unsigned n;
    struct {
        char name[32];
        struct short_state *state;
        unsigned refused; /* when it began */
    } programs[SITE_LANES_MAX + 16];
};

static struct short_state *state_at(const char *path)
{
    struct short_state *state;
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return NULL;
    state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    return state != MAP_FAILED ? state : NULL;
}

struct shortage *shortage_open(const struct site *site)
{
    struct shortage *s = calloc(1, sizeof(*s));
    char pattern[400];
    glob_t found;

    (void)snprintf(pattern, sizeof(pattern), "%s/run/" PREFIX "*", site->directory);
    if (s == NULL || glob(pattern, 0, NULL, &found) != 0) {
        free(s);
        return NULL;
    }
    for (size_t i = 0; i < found.gl_pathc && s->n < sizeof(s->programs) / sizeof(s->programs[0]);
         i++) {
        struct short_state *state = state_at(found.gl_pathv[i]);

        if (state == NULL)
            continue;
        (void)snprintf(s->programs[s->n].name, sizeof(s->programs[0].name), "%s",
                       strrchr(found.gl_pathv[i], '/') + 1 + strlen(PREFIX));
        s->programs[s->n++].state = state;
    }
    globfree(&found);
    return s;
}

void shortage_close(struct shortage **shortage)
{
    struct shortage *s = *shortage;

    for (unsigned i = 0; s != NULL && i < s->n; i++)
        (void)munmap(s->programs[i].state, sizeof(*s->programs[i].state));
    free(s);
    *shortage = NULL;
}

unsigned shortage_programs(const struct shortage *shortage)
{
    return shortage->n;
}

const char *shortage_name(const struct shortage *shortage, unsigned program)
{
    return shortage->programs[program].name;
}

static void begin(struct shortage *s, unsigned program, int kind, unsigned every)
{
    struct short_state *state = s->programs[program].state;

    s->programs[program].refused = state->refused;
    state->calls = 0;
    state->n = every;
    state->every = every;
    state->inside = 1;
    state->kind = kind;
}

void shortage_disk(struct shortage *shortage)
{
    for (unsigned i = 0; i < shortage->n; i++)
        begin(shortage, i, SHORT_SPACE, 1);
}

void shortage_memory(struct shortage *shortage, unsigned program, unsigned every)
{
    begin(shortage, program, SHORT_MEMORY, every);
}

unsigned shortage_over(struct shortage *shortage)
{
    unsigned refused = 0;

    for (unsigned i = 0; i < shortage->n; i++) {
        struct short_state *state = shortage->programs[i].state;

        if (state->inside <= 0)
            continue;
        state->kind = -1;
        state->inside = 0;
        refused += state->refused - shortage->programs[i].refused;
    }
    return refused;
}

void shortage_clock(struct shortage *shortage, long seconds)
{
    for (unsigned i = 0; i < shortage->n; i++)
        shortage->programs[i].state->clock_s = seconds;
}
