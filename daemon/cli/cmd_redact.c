/*
 * redact: what may leave the house, for the bundle. Only what is known to name nobody stays: of the configuration the
 * numbers, choices and yes or no of the table's keys, of the journal the fields below, of doctor what the programs say by
 * themselves. Whatever is not known (a new key, another field, a line that cannot be read) is left out.
 */
#include "command.h"
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* ---- the configuration ----------------------------------------------------------------------- */

/* Without blanks at both ends; `text` is cut. */
static char *trimmed(char *text)
{
    static const char blanks[] = " \t\r\n";
    size_t len;

    text += strspn(text, blanks);
    for (len = strlen(text); len > 0 && strchr(blanks, text[len - 1]) != NULL; len--)
        ;
    text[len] = '\0';
    return text;
}

/* The row of a key, NULL for none; name NULL: any row of the section. */
static const struct config_row *row_of(const char *section, const char *name)
{
    for (int k = 0; k < CONFIG_KEY_COUNT; k++) {
        const struct config_row *row = config_row((enum config_key)k);

        if (strcmp(row->section, section) == 0 && (name == NULL || strcmp(row->name, name) == 0))
            return row;
    }
    return NULL;
}

/* "[lane 1]" to "lane". False: a heading that the programs do not know, and then nothing below it either. */
static bool take_heading(FILE *out, char *line, char section[32])
{
    char *end = strchr(line, ']'), *name;

    section[0] = '\0';
    if (end == NULL)
        return false;
    *end = '\0';
    name = strchr(line + 1, ' ');
    if (name != NULL)
        *name++ = '\0';
    if (strlen(line + 1) >= 32 || row_of(line + 1, NULL) == NULL ||
        (name != NULL && !config_is_instance_name(name)))
        return false;
    (void)snprintf(section, 32, "%s", line + 1);
    (void)fprintf(out, "[%s%s%s]\n", section, name != NULL ? " " : "", name != NULL ? name : "");
    return true;
}

static bool take_setting(FILE *out, char *line, const char *section)
{
    char *equals = strpbrk(line, "=:");
    const struct config_row *row;
    const char *value;

    if (equals == NULL)
        return false;
    *equals = '\0';
    row = row_of(section, trimmed(line));
    if (row == NULL)
        return false;
    value = trimmed(equals + 1);
    (void)fprintf(out, "%s = %s\n", row->name,
                  value[0] == '\0' || config_row_is_plain(row, value) ? value : "(removed)");
    return true;
}

/* Line by line and not as it was loaded: a configuration with an error is what help is asked for. */
static int redact_config(const struct command_options *options)
{
    FILE *in = fopen(options->config_path, "re");
    char *line = NULL, section[32] = "";
    unsigned n = 0;
    size_t size = 0;

    if (in == NULL) {
        (void)fprintf(options->err, "uketsuke: %s: %s\n", options->config_path, strerror(errno));
        return EXIT_USAGE;
    }
    while (getline(&line, &size, in) >= 0) {
        char *text = trimmed(line);
        bool good;

        n++;
        if (text[0] == '\0' || text[0] == '#' || text[0] == ';')
            continue;
        good = text[0] == '[' ? take_heading(options->out, text, section)
                              : take_setting(options->out, text, section);
        if (!good)
            (void)fprintf(options->out, "# line %u: (removed: no setting of this program)\n", n);
    }
    free(line);
    (void)fclose(in);
    return EXIT_AS_ASKED;
}

/* ---- the journal ----------------------------------------------------------------------------- */

enum journal_kind {
    JOURNAL_NUMBER,
    JOURNAL_WORD,
    JOURNAL_OURS, /* the name of a program or unit of ours, or systemd */
};

/*
 * The words of UKETSUKE_* fields come from tables of ours (LOG_NAME); numbers stay under any such name. MESSAGE goes: it
 * repeats the fields, and with them paths and names.
 */
static const struct {
    const char *name;
    enum journal_kind kind;
} journal_fields[] = {
    {"__REALTIME_TIMESTAMP", JOURNAL_NUMBER},
    {"PRIORITY", JOURNAL_NUMBER},
    {"ERRNO", JOURNAL_NUMBER},
    {"EXIT_STATUS", JOURNAL_NUMBER},
    {"N_RESTARTS", JOURNAL_NUMBER},
    {"_PID", JOURNAL_NUMBER},
    {"CODE_FUNC", JOURNAL_WORD},
    {"EXIT_CODE", JOURNAL_WORD},
    {"JOB_RESULT", JOURNAL_WORD},
    {"JOB_TYPE", JOURNAL_WORD},
    {"MESSAGE_ID", JOURNAL_WORD},
    {"SYSLOG_IDENTIFIER", JOURNAL_OURS},
    {"UNIT", JOURNAL_OURS},
    {"UNIT_RESULT", JOURNAL_WORD},
    {"_SYSTEMD_UNIT", JOURNAL_OURS},
    {"UKETSUKE_CAUSE", JOURNAL_WORD},
    {"UKETSUKE_ENDED", JOURNAL_WORD},
    {"UKETSUKE_ERROR", JOURNAL_WORD},
    {"UKETSUKE_EVENT", JOURNAL_WORD},
    {"UKETSUKE_FAILURE", JOURNAL_WORD},
    {"UKETSUKE_FATE", JOURNAL_WORD},
    {"UKETSUKE_FROM", JOURNAL_WORD},
    {"UKETSUKE_INSTANCE", JOURNAL_WORD},
    {"UKETSUKE_KIND", JOURNAL_WORD},
    {"UKETSUKE_MESSAGE", JOURNAL_WORD},
    {"UKETSUKE_OPERATION", JOURNAL_WORD},
    {"UKETSUKE_PEER", JOURNAL_WORD},
    {"UKETSUKE_PROGRAM", JOURNAL_WORD},
    {"UKETSUKE_REASON", JOURNAL_WORD},
    {"UKETSUKE_RESULT", JOURNAL_WORD},
    {"UKETSUKE_STATE", JOURNAL_WORD},
    {"UKETSUKE_STATUS", JOURNAL_WORD},
    {"UKETSUKE_SURFACE", JOURNAL_WORD},
    {"UKETSUKE_TASK", JOURNAL_WORD},
    {"UKETSUKE_TO", JOURNAL_WORD},
    {"UKETSUKE_WANTED", JOURNAL_WORD},
    {"UKETSUKE_WHY", JOURNAL_WORD},
};

static bool is_number(const char *text)
{
    if (strncmp(text, "0x", 2) == 0)
        return text[2] != '\0' && strspn(text + 2, "0123456789abcdef") == strlen(text + 2);
    text += text[0] == '-';
    return text[0] != '\0' && strspn(text, "0123456789") == strlen(text);
}

/* A word of systemd's and our own tables: no blanks around, no path, no address. */
static bool is_word(const char *text)
{
    return strlen(text) <= 80 && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                              "0123456789-_ .@:,'()") == strlen(text);
}

static bool is_ours(const char *text)
{
    return (strncmp(text, "uketsuke", 8) == 0 || strcmp(text, "systemd") == 0) && is_word(text);
}

static bool may_stay(const char *field, const char *value)
{
    for (size_t i = 0; i < sizeof(journal_fields) / sizeof(journal_fields[0]); i++)
        if (strcmp(journal_fields[i].name, field) == 0)
            return journal_fields[i].kind == JOURNAL_NUMBER ? is_number(value)
                   : journal_fields[i].kind == JOURNAL_WORD ? is_word(value)
                                                            : is_ours(value);
    return strncmp(field, "UKETSUKE_", 9) == 0 && is_number(value);
}

/* A field that came twice is an array. */
static void keep(json_t *kept, const char *field, const json_t *value)
{
    json_t *list;

    if (json_is_string(value) && may_stay(field, json_string_value(value))) {
        (void)json_object_set_new(kept, field, json_string(json_string_value(value)));
        return;
    }
    if (!json_is_array(value))
        return;
    list = json_array();
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *text = json_string_value(json_array_get(value, i));

        if (text != NULL && may_stay(field, text))
            (void)json_array_append_new(list, json_string(text));
    }
    (void)json_object_set_new(kept, field, list);
}

/* Of `journalctl -o json` on standard input: an object a line, with the fields that may stay. */
static int redact_journal(const struct command_options *options)
{
    char *line = NULL;
    unsigned lost = 0;
    size_t size = 0;
    ssize_t len;

    while ((len = getline(&line, &size, stdin)) >= 0) {
        json_t *record = json_loadb(line, (size_t)len, 0, NULL), *kept = json_object(), *value;
        const char *field;

        json_object_foreach (record, field, value) {
            keep(kept, field, value);
        }
        if (!json_is_object(record))
            lost++;
        else if (json_dumpf(kept, options->out, JSON_COMPACT) == 0)
            (void)fputc('\n', options->out);
        json_decref(record);
        json_decref(kept);
    }
    free(line);
    if (lost > 0)
        (void)fprintf(options->out, "{\"unreadable\":%u}\n", lost);
    return EXIT_AS_ASKED;
}

int command_redact(const struct command_options *options, int argc, char **argv)
{
    struct command_options redacted = *options;

    if (argc == 1 && strcmp(argv[0], "config") == 0)
        return redact_config(options);
    if (argc == 1 && strcmp(argv[0], "journal") == 0)
        return redact_journal(options);
    if (argc == 1 && strcmp(argv[0], "doctor") == 0) {
        redacted.redacted = true;
        return command_doctor(&redacted, 0, NULL);
    }
    (void)fprintf(options->err, "uketsuke redact config | doctor | journal\n");
    return EXIT_USAGE;
}
