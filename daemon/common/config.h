/*
 * config: one file for all programs, every key known by a table (config.def): type, range, default, meaning.
 *
 * Each error names file, line, key, what is wrong and what would be right; unknown keys and sections are
 * refused with the nearest known one. Sections may have instances: [lane 1], [upstream main].
 */
#ifndef UKETSUKE_CONFIG_H
#define UKETSUKE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum config_type {
    CONFIG_NUMBER, /* min..max */
    CONFIG_TEXT,   /* min..max bytes */
    CONFIG_PATH,   /* absolute, or relative to the configuration file */
    CONFIG_CHOICE, /* one of the words in `choices`, separated by '|'; its index is the number */
    CONFIG_FLAG,   /* yes | no */
};

enum config_key {
#define CONFIG_KEY(section, id, use, name, type, min, max, fallback, choices, ja, en)              \
    CFG_##section##_##id,
#include "config.def"
#undef CONFIG_KEY
    CONFIG_KEY_COUNT
};

struct config;

/* Most sections of a kind. Lanes are [lane 1] to [lane 64]. */
#define CONFIG_UPSTREAMS_MAX 16
#define CONFIG_OUTPUTS_MAX 16

/*
 * Read and check everything. On failure *message is the text for the user (every error, a line each; free()
 * it) and the result is negative. *message is NULL on success.
 */
int config_load(struct config **out, const char *path, char **message);
/* The same from a stream (borrowed); path: where the text stands, for words and relative paths. */
int config_load_stream(struct config **out, FILE *file, const char *path, char **message);
void config_free(struct config **config);

/* instance: NULL for sections without; values fall back to the table's default. The text lives as long as config. */
int64_t config_number(const struct config *config, enum config_key key, const char *instance);
const char *config_text(const struct config *config, enum config_key key, const char *instance);
bool config_flag(const struct config *config, enum config_key key, const char *instance);
/* Was it given in the file? */
bool config_given(const struct config *config, enum config_key key, const char *instance);

/* Names of the instances of a section ("lane", "upstream") in the order of the file; NULL past the end. */
const char *config_instance(const struct config *config, const char *section, size_t i);

/* Which programs read a key: these take another value of it only when they are started again. */
enum config_use {
    FOR_DESK = 1 << 0,
    FOR_BROKER = 1 << 1,
    FOR_READER = 1 << 2,
    FOR_MATCHER = 1 << 3,
    FOR_OCR = 1 << 4,
    FOR_RELAY = 1 << 5,
    FOR_HANDOVER = 1 << 6,
    FOR_WEB = 1 << 7,
    FOR_ALL = (1 << 8) - 1,
    FOR_DESK_LIVE = 1 << 8 | FOR_DESK /* the desk alone reads it, and takes it while it runs */
};

/* The line of the key; when it is not given that of its section's heading; 0 when there is none of either. */
int config_line(const struct config *config, enum config_key key, const char *instance);
/* Where it was read. */
const char *config_path(const struct config *config);

struct config_row {
    const char *section;
    const char *name;
    unsigned use; /* FOR_... */
    enum config_type type;
    int64_t min;
    int64_t max;
    const char *fallback;
    const char *choices;
    const char *ja;
    const char *en;
};
const struct config_row *config_row(enum config_key key);
/* Is it one of the key's numbers, its choices, or yes or no: a value that can name nobody? */
bool config_row_is_plain(const struct config_row *row, const char *text);
/* May a section be named so? Letters, digits, - and _, at most 31. */
bool config_is_instance_name(const char *text);

#endif
