#include "index.h"

#include "../../daemon/common/failure.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRIPTS_MAX 600
#define TEXT_MAX 65536
#define CODES_MAX 12

struct script_file {
    char name[160];
    char *text;
    bool named;
};

struct index {
    const char *directory;
    struct script_file scripts[SCRIPTS_MAX];
    unsigned nscripts, misfortunes, problems;
    /* the misfortune being read */
    char words[200];
    char codes[CODES_MAX][40];
    bool expected[CODES_MAX];
    unsigned ncodes, shown_by;
};

static void complain(struct index *x, const char *what, const char *about)
{
    printf("%s/INDEX: %s: %s\n", x->directory, what, about);
    x->problems++;
}

static char *read_text(const char *directory, const char *name)
{
    char path[600];
    char *text = calloc(1, TEXT_MAX);
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "re");
    if (file == NULL || text == NULL || fread(text, 1, TEXT_MAX - 1, file) == 0) {
        free(text);
        text = NULL;
    }
    if (file != NULL)
        (void)fclose(file);
    return text;
}

static void read_scripts(struct index *x)
{
    DIR *dir = opendir(x->directory);
    const struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL && x->nscripts < SCRIPTS_MAX) {
        struct script_file *script = &x->scripts[x->nscripts];
        size_t n = strlen(entry->d_name);

        if (n <= 4 || n - 4 >= sizeof(script->name) || strcmp(entry->d_name + n - 4, ".txt") != 0)
            continue;
        memcpy(script->name, entry->d_name, n - 4);
        script->text = read_text(x->directory, entry->d_name);
        x->nscripts++;
    }
    if (dir != NULL)
        (void)closedir(dir);
}

/* "expect ... CODE" as a whole word of a line that expects something. */
static bool expects(const char *text, const char *code)
{
    size_t n = strlen(code);

    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        size_t len;

        line += *line == '\n';
        len = strcspn(line, "\n");
        if (strncmp(line, "expect ", 7) == 0 && len > n && strncmp(line + len - n, code, n) == 0 &&
            line[len - n - 1] == ' ')
            return true;
    }
    return false;
}

static void end_misfortune(struct index *x)
{
    if (x->words[0] == '\0')
        return;
    if (x->shown_by == 0)
        complain(x, "no script shows it", x->words);
    for (unsigned i = 0; i < x->ncodes; i++)
        if (!x->expected[i])
            complain(x, x->words, x->codes[i]);
}

/* "words [CODE CODE]" */
static void begin_misfortune(struct index *x, char *line)
{
    char *codes = strchr(line, '['), *save = NULL;

    end_misfortune(x);
    x->misfortunes++;
    x->ncodes = x->shown_by = 0;
    memset(x->expected, 0, sizeof(x->expected));
    (void)snprintf(x->words, sizeof(x->words), "%.*s", (int)strcspn(line, "["), line);
    if (codes == NULL)
        return;
    for (char *code = strtok_r(codes, "[] ", &save); code != NULL;
         code = strtok_r(NULL, "[] ", &save)) {
        bool known = false;

        for (uint16_t i = 1; i < FAILURE_COUNT; i++)
            known = known || strcmp(failure_text(i)->name, code) == 0;
        if (!known || x->ncodes == CODES_MAX)
            complain(x, "no such code, or too many", code);
        else
            (void)snprintf(x->codes[x->ncodes++], sizeof(x->codes[0]), "%s", code);
    }
}

static void take_names(struct index *x, char *line)
{
    char *save = NULL;

    for (char *name = strtok_r(line, " ", &save); name != NULL; name = strtok_r(NULL, " ", &save)) {
        struct script_file *script = NULL;

        for (unsigned i = 0; i < x->nscripts; i++)
            if (strcmp(x->scripts[i].name, name) == 0)
                script = &x->scripts[i];
        if (script == NULL) {
            complain(x, "no such script", name);
            continue;
        }
        script->named = true;
        x->shown_by++;
        for (unsigned i = 0; i < x->ncodes; i++)
            x->expected[i] =
                x->expected[i] || (script->text != NULL && expects(script->text, x->codes[i]));
    }
}

bool index_check(const char *directory)
{
    struct index *x = calloc(1, sizeof(*x));
    char *text = read_text(directory, "INDEX"), *save = NULL;
    bool good;

    if (x == NULL || text == NULL) {
        printf("%s/INDEX: cannot be read\n", directory);
        free(x);
        free(text);
        return false;
    }
    x->directory = directory;
    read_scripts(x);
    for (char *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        if (line[0] == '#')
            continue;
        if (isspace((unsigned char)line[0]))
            take_names(x, line);
        else
            begin_misfortune(x, line);
    }
    end_misfortune(x);
    for (unsigned i = 0; i < x->nscripts; i++) {
        if (!x->scripts[i].named)
            complain(x, "names no misfortune for", x->scripts[i].name);
        free(x->scripts[i].text);
    }
    printf("index: %u misfortunes, %u scripts, %u problems\n", x->misfortunes, x->nscripts,
           x->problems);
    good = x->problems == 0 && x->misfortunes > 0 && x->nscripts > 0 && x->nscripts < SCRIPTS_MAX;
    free(text);
    free(x);
    return good;
}
