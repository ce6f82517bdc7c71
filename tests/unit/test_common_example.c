/* packaging/uketsuke.conf.example: it loads, names every key in its section, and shows the true defaults. */
#include "daemon/common/config_meaning.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LINES_MAX 1000

static char lines[LINES_MAX][512];
static size_t nlines;
static char path[4096];

static int read_example(void **state)
{
    const char *source = getenv("UKETSUKE_SOURCE");
    FILE *file;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/packaging/uketsuke.conf.example",
                   source != NULL ? source : ".");
    file = fopen(path, "re");
    if (file == NULL)
        return -1;
    while (nlines < LINES_MAX && fgets(lines[nlines], sizeof(lines[0]), file) != NULL) {
        lines[nlines][strcspn(lines[nlines], "\n")] = '\0';
        nlines++;
    }
    return fclose(file);
}

/* The value on the line "name = value" or "#name = value" of the section, NULL without such a line. */
static const char *shown(const char *section, const char *name, bool *commented)
{
    char inside[64] = "";

    for (size_t i = 0; i < nlines; i++) {
        const char *line = lines[i];
        size_t len = strlen(name);

        /* A section that not everybody has is a comment as a whole. */
        if (sscanf(line + (line[0] == '#'), "[%63[a-z]", inside) == 1)
            continue;
        *commented = line[0] == '#';
        line += *commented;
        if (strcmp(inside, section) != 0 || strncmp(line, name, len) != 0 ||
            strncmp(line + len, " =", 2) != 0)
            continue;
        line += len + 2;
        return line + strspn(line, " ");
    }
    return NULL;
}

static void the_example_loads_as_it_stands(void **state)
{
    struct config *config;
    char *message;

    (void)state;
    if (config_load(&config, path, &message) != 0)
        fail_msg("%s", message);
    assert_null(message);
    assert_string_equal(config_instance(config, "lane", 0), "1");
    assert_string_equal(config_instance(config, "upstream", 0), "main");
    assert_true(config_given(config, CFG_desk_INSTITUTION, NULL));
    assert_int_equal(config_missing(config, FOR_ALL, NULL, stderr), 0);
    config_free(&config);
}

static void every_key_is_named_in_its_section(void **state)
{
    (void)state;
    for (int i = 0; i < CONFIG_KEY_COUNT; i++) {
        const struct config_row *row = config_row((enum config_key)i);
        bool commented;

        if (shown(row->section, row->name, &commented) == NULL)
            fail_msg("[%s] %s is missing", row->section, row->name);
    }
}

static void a_commented_key_shows_its_default(void **state)
{
    (void)state;
    for (int i = 0; i < CONFIG_KEY_COUNT; i++) {
        const struct config_row *row = config_row((enum config_key)i);
        bool commented;
        const char *value = shown(row->section, row->name, &commented);

        if (value != NULL && commented && strcmp(value, row->fallback) != 0)
            fail_msg("[%s] %s: the example says %s, the default is %s", row->section, row->name,
                     value, row->fallback);
    }
}

static void the_example_loads_with_every_comment_taken_away(void **state)
{
    char copy[] = "/tmp/uketsuke-example-XXXXXX";
    struct config *config;
    char *message;
    int fd = mkstemp(copy);
    FILE *file;

    (void)state;
    assert_true(fd >= 0);
    file = fdopen(fd, "w");
    assert_non_null(file);
    for (size_t i = 0; i < nlines; i++) {
        bool key = lines[i][0] == '#' &&
                   ((lines[i][1] >= 'a' && lines[i][1] <= 'z') || lines[i][1] == '[');

        assert_true(fprintf(file, "%s\n", lines[i] + key) >= 0);
    }
    assert_int_equal(fclose(file), 0);
    if (config_load(&config, copy, &message) != 0)
        fail_msg("%s", message);
    for (int i = 0; i < CONFIG_KEY_COUNT; i++) {
        const char *section = config_row((enum config_key)i)->section;

        assert_true(config_given(config, (enum config_key)i,
                                 strcmp(section, "lane") == 0       ? "1"
                                 : strcmp(section, "upstream") == 0 ? "main"
                                 : strcmp(section, "output") == 0   ? "receipt"
                                                                    : NULL));
    }
    config_free(&config);
    assert_int_equal(remove(copy), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_loads_as_it_stands),
        cmocka_unit_test(every_key_is_named_in_its_section),
        cmocka_unit_test(a_commented_key_shows_its_default),
        cmocka_unit_test(the_example_loads_with_every_comment_taken_away),
    };

    return cmocka_run_group_tests(tests, read_example, NULL);
}
