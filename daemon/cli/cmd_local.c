/* config and failures: what needs no desk. */
#include "command.h"
#include "config_meaning.h"
#include "failure.h"
#include "json.h"
#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static void value_text(const struct config *config, enum config_key key, const char *instance,
                       char *out, size_t size)
{
    const struct config_row *row = config_row(key);

    if (row->type == CONFIG_NUMBER)
        (void)snprintf(out, size, "%lld", (long long)config_number(config, key, instance));
    else if (row->type == CONFIG_FLAG)
        (void)snprintf(out, size, "%s", config_flag(config, key, instance) ? "yes" : "no");
    else
        (void)snprintf(out, size, "%s", config_text(config, key, instance));
}

static void list_section(const struct command_options *options, const struct config *config,
                         const char *section, const char *instance)
{
    char value[4200];

    if (!options->json)
        (void)fprintf(options->out, "[%s%s%s]\n", section, instance != NULL ? " " : "",
                      instance != NULL ? instance : "");
    for (int k = 0; k < CONFIG_KEY_COUNT; k++) {
        enum config_key key = (enum config_key)k;
        const struct config_row *row = config_row(key);
        bool given = config_given(config, key, instance);

        if (strcmp(row->section, section) != 0)
            continue;
        value_text(config, key, instance, value, sizeof(value));
        if (options->json) {
            (void)fprintf(options->out, "{\"section\":");
            json_text(options->out, section);
            (void)fprintf(options->out, ",\"instance\":");
            json_text(options->out, instance != NULL ? instance : "");
            (void)fprintf(options->out, ",\"key\":");
            json_text(options->out, row->name);
            (void)fprintf(options->out, ",\"value\":");
            json_text(options->out, value);
            (void)fprintf(options->out, ",\"given\":%s}\n", given ? "true" : "false");
            continue;
        }
        (void)fprintf(options->out, "%s%s = ", given ? "" : "# ", row->name);
        table_put(options->out, value);
        (void)fprintf(options->out, "\n#     %s / %s\n", row->ja, row->en);
    }
}

static bool has_instances(const char *section)
{
    return strcmp(section, "lane") == 0 || strcmp(section, "upstream") == 0 ||
           strcmp(section, "output") == 0;
}

static void list(const struct command_options *options, const struct config *config)
{
    const char *last = "";

    for (int k = 0; k < CONFIG_KEY_COUNT; k++) {
        const char *section = config_row((enum config_key)k)->section;
        const char *instance;

        if (strcmp(section, last) == 0)
            continue;
        last = section;
        if (!has_instances(section)) {
            list_section(options, config, section, NULL);
            continue;
        }
        for (size_t i = 0; (instance = config_instance(config, section, i)) != NULL; i++)
            list_section(options, config, section, instance);
    }
}

/*
 * A file that is named and not there, as a word and no more: the check may run on another computer than the reception,
 * and by somebody who may not look everywhere. What programs make themselves is not asked about.
 */
static void note_file(const struct command_options *options, const struct config *config,
                      enum config_key key, const char *instance)
{
    static const enum config_key made[] = {CFG_desk_RUN_DIRECTORY, CFG_desk_STATE_DIRECTORY,
                                           CFG_desk_BACKUP_DIRECTORY, CFG_upstream_WORK_FOLDER,
                                           CFG_output_WORK_FOLDER};
    const char *path = config_text(config, key, instance);

    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
        if (made[i] == key)
            return;
    if (config_row(key)->type != CONFIG_PATH || !config_given(config, key, instance) ||
        path[0] == '\0' || access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR))
        return;
    (void)fprintf(options->out, "%s:%d: %s: ", options->config_path,
                  config_line(config, key, instance), config_row(key)->name);
    table_put(options->out, path);
    (void)fprintf(options->out,
                  ": 注意: このコンピューターにはありません / note: is not there on this "
                  "computer\n");
}

static int check(const struct command_options *options, const struct config *config)
{
    if (config_missing(config, FOR_ALL, NULL, options->err) > 0)
        return EXIT_USAGE;
    for (int k = 0; k < CONFIG_KEY_COUNT; k++) {
        const char *instance;

        for (size_t i = 0;
             (instance = config_instance(config, config_row((enum config_key)k)->section, i)) !=
             NULL;
             i++)
            note_file(options, config, (enum config_key)k, instance);
    }
    (void)fprintf(options->out, "%s: 誤りはありません / no errors\n", options->config_path);
    return EXIT_AS_ASKED;
}

int command_config(const struct command_options *options, int argc, char **argv)
{
    bool checking = argc == 1 && strcmp(argv[0], "check") == 0;
    struct config *config;
    int status = EXIT_AS_ASKED;

    if (!checking && !(argc == 1 && strcmp(argv[0], "list") == 0)) {
        (void)fprintf(options->err, "uketsuke config check | list\n");
        return EXIT_USAGE;
    }
    config = command_config_load(options);
    if (config == NULL)
        return EXIT_USAGE;
    if (checking)
        status = check(options, config);
    else
        list(options, config);
    config_free(&config);
    return status;
}

static void show_failure(const struct command_options *options, const struct failure_text *t)
{
    FILE *out = options->out;

    if (options->json) {
        const char *const members[][2] = {{"code", t->code},
                                          {"name", t->name},
                                          {"patient_ja", t->patient_ja},
                                          {"patient_en", t->patient_en},
                                          {"staff_ja", t->staff_ja},
                                          {"staff_en", t->staff_en}};

        for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
            (void)fputs(i == 0 ? "{" : ",", out);
            json_text(out, members[i][0]);
            (void)fputc(':', out);
            json_text(out, members[i][1]);
        }
        (void)fputs("}\n", out);
        return;
    }
    (void)fprintf(out, "%s  %s\n  患者に / patient: %s / %s\n  係に   / staff:   %s / %s\n",
                  t->code, t->name, t->patient_ja, t->patient_en, t->staff_ja, t->staff_en);
}

int command_failures(const struct command_options *options, int argc, char **argv)
{
    static const char *const headings[] = {"コード", "係に", "staff"};
    struct table *table;
    size_t shown = 0;

    if (argc > 1) {
        (void)fprintf(options->err, "uketsuke failures [CODE]\n");
        return EXIT_USAGE;
    }
    table = table_new(headings, sizeof(headings) / sizeof(headings[0]));
    for (unsigned f = FAILURE_NONE + 1; f < FAILURE_COUNT; f++) {
        const struct failure_text *t = failure_text((uint16_t)f);

        if (argc == 1 && strcasecmp(argv[0], t->code) != 0)
            continue;
        shown++;
        if (argc == 1 || options->json)
            show_failure(options, t);
        else
            table_add(table, (const char *const[]){t->code, t->staff_ja, t->staff_en});
    }
    if (argc == 0 && !options->json)
        table_print(table, options->out);
    table_free(&table);
    if (shown == 0) {
        (void)fprintf(options->err, "uketsuke: %s: そのコードはありません / no such code\n",
                      argv[0]);
        return EXIT_NOT_SO;
    }
    return EXIT_AS_ASKED;
}

/* ---- bundle ---------------------------------------------------------------------------------- */

#ifndef UKETSUKE_BUNDLE
#define UKETSUKE_BUNDLE "/usr/lib/uketsuke/bundle"
#endif

/* Other programs are asked (journalctl, systemctl), which is a script's work; this process becomes that script. */
int command_bundle(const struct command_options *options, int argc, char **argv)
{
    char script[] = UKETSUKE_BUNDLE;
    char *words[] = {script, argc > 0 ? argv[0] : NULL, NULL};

    if (argc > 1) {
        (void)fprintf(options->err, "uketsuke: bundle [FILE]\n");
        return EXIT_USAGE;
    }
    (void)fflush(NULL);
    if (setenv("UKETSUKE_CONFIG", options->config_path, 1) == 0)
        (void)execv(script, words);
    (void)fprintf(options->err, "uketsuke: bundle: %s: %s\n", script, strerror(errno));
    return EXIT_NOT_SO;
}
