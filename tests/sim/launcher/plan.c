#include "plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 40
#define SETTINGS_MAX 16

struct reading {
    const char *path;
    int line;
    struct plan *plan;
    struct plan_program *program;
    struct {
        char name[32];
        char *value;
    } settings[SETTINGS_MAX];
    size_t nsettings;
};

static bool wrong(const struct reading *r, const char *what)
{
    (void)fprintf(stderr, "%s:%d: %s\n", r->path, r->line, what);
    return false;
}

/* $NAME anywhere in a word. */
static char *expand(const struct reading *r, const char *word)
{
    char out[1024];
    size_t used = 0;

    while (*word != '\0' && used < sizeof(out) - 1) {
        if (*word == '$') {
            size_t len = strspn(word + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
            const char *value = NULL;

            for (size_t i = 0; i < r->nsettings; i++)
                if (strlen(r->settings[i].name) == len &&
                    strncmp(r->settings[i].name, word + 1, len) == 0)
                    value = r->settings[i].value;
            if (value != NULL) {
                used += (size_t)snprintf(out + used, sizeof(out) - used, "%s", value);
                word += len + 1;
                continue;
            }
        }
        out[used++] = *word++;
    }
    out[used < sizeof(out) ? used : sizeof(out) - 1] = '\0';
    return strdup(out);
}

static bool do_set(struct reading *r, char **words, size_t n)
{
    if (n != 3 || r->nsettings == SETTINGS_MAX || strlen(words[1]) >= sizeof(r->settings[0].name))
        return wrong(r, "set NAME VALUE");
    (void)strcpy(r->settings[r->nsettings].name, words[1]);
    r->settings[r->nsettings++].value = expand(r, words[2]);
    return true;
}

static bool do_program(struct reading *r, char **words, size_t n)
{
    if (n < 3 || n - 2 > PLAN_ARGUMENTS_MAX || r->plan->nprograms == PLAN_PROGRAMS_MAX)
        return wrong(r, "program NAME PATH [ARGUMENT...]");
    r->program = &r->plan->programs[r->plan->nprograms++];
    r->program->name = expand(r, words[1]);
    for (size_t i = 2; i < n; i++)
        r->program->argv[r->program->argc++] = expand(r, words[i]);
    return true;
}

static bool do_listen(struct reading *r, char **words, size_t n)
{
    struct plan_socket *s;

    if (n != 4 || (strcmp(words[2], "tcp") != 0 && strcmp(words[2], "seqpacket") != 0) ||
        r->program->nsockets == PLAN_SOCKETS_MAX)
        return wrong(r, "listen NAME seqpacket PATH | listen NAME tcp ADDRESS:PORT");
    s = &r->program->sockets[r->program->nsockets++];
    s->name = expand(r, words[1]);
    s->tcp = strcmp(words[2], "tcp") == 0;
    s->address = expand(r, words[3]);
    s->fd = -1;
    return true;
}

static bool add_env(struct reading *r, const char *name, char *value)
{
    char *pair = NULL;

    if (r->program->nenv == PLAN_ENV_MAX || asprintf(&pair, "%s=%s", name, value) < 0)
        return wrong(r, "too many env lines");
    free(value);
    r->program->env[r->program->nenv++] = pair;
    return true;
}

static bool do_credentials(struct reading *r, char **words, size_t n)
{
    return n == 2 ? add_env(r, "CREDENTIALS_DIRECTORY", expand(r, words[1]))
                  : wrong(r, "credentials DIRECTORY");
}

static bool do_env(struct reading *r, char **words, size_t n)
{
    return n == 3 ? add_env(r, words[1], expand(r, words[2])) : wrong(r, "env NAME VALUE");
}

static bool do_ready(struct reading *r, char **words, size_t n)
{
    if (n == 2 && strcmp(words[1], "notify") == 0) {
        r->program->ready_by = READY_NOTIFY;
        return true;
    }
    if (n == 3 && strcmp(words[1], "file") == 0) {
        r->program->ready_by = READY_FILE;
        r->program->ready_path = expand(r, words[2]);
        return true;
    }
    return wrong(r, "ready notify | ready file PATH");
}

static const struct {
    const char *word;
    bool inside; /* belongs to a program */
    bool (*run)(struct reading *, char **, size_t);
} lines[] = {
    {"set", false, do_set},      {"program", false, do_program},
    {"listen", true, do_listen}, {"credentials", true, do_credentials},
    {"env", true, do_env},       {"ready", true, do_ready},
};

static bool read_line(struct reading *r, char *text)
{
    char *words[WORDS_MAX];
    size_t n = 0;
    char *save = NULL;

    for (char *w = strtok_r(text, " \t\n", &save); w != NULL && n < WORDS_MAX;
         w = strtok_r(NULL, " \t\n", &save))
        words[n++] = w;
    if (n == 0 || words[0][0] == '#')
        return true;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (strcmp(lines[i].word, words[0]) != 0)
            continue;
        if (lines[i].inside && r->program == NULL)
            return wrong(r, "this line belongs below a program");
        return lines[i].run(r, words, n);
    }
    return wrong(r, "no such word; see plan.h");
}

bool plan_read(struct plan *plan, const char *path)
{
    struct reading r = {.path = path, .plan = plan};
    FILE *file = fopen(path, "re");
    char text[2048];
    bool good = file != NULL;

    memset(plan, 0, sizeof(*plan));
    if (file == NULL)
        (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
    while (good && fgets(text, sizeof(text), file) != NULL) {
        r.line++;
        good = read_line(&r, text);
    }
    if (file != NULL)
        (void)fclose(file);
    for (size_t i = 0; i < r.nsettings; i++)
        free(r.settings[i].value);
    return good;
}
