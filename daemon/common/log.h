/*
 * log: lines that cannot hold a patient's data, because nothing that could be one can be passed in.
 *
 * An event is a string literal plus typed fields: numbers, codes, names from this program's own tables.
 * There is no way to pass a free string; text from a configuration file or a path goes through
 * log_public(), whose argument type is made only by config and main. Lines go to the journal when it is
 * the standard error (structured fields UKETSUKE_*, a MESSAGE_ID for each event), else to standard error as `event key=value ...`.
 */
#ifndef UKETSUKE_LOG_H
#define UKETSUKE_LOG_H

#include "failure.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_NOTICE = 5,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7
};

/* Text that is known to be no patient's: a path or name from the configuration or the command line. */
struct log_public {
    const char *text;
};
static inline struct log_public log_public_from_config(const char *text)
{
    return (struct log_public){text};
}

enum log_kind {
    LOG_KIND_END,
    LOG_KIND_NUMBER,
    LOG_KIND_HEX,
    LOG_KIND_ERRNO,
    LOG_KIND_FAILURE,
    LOG_KIND_NAME,
    LOG_KIND_PUBLIC
};

struct log_field {
    const char *key;
    enum log_kind kind;
    int64_t number;
    const char *text;
};

/* `key` is a literal in lower case; "" key makes it a literal at compile time. */
#define LOG_NUMBER(key, value) ((struct log_field){"" key, LOG_KIND_NUMBER, (int64_t)(value), NULL})
#define LOG_HEX(key, value) ((struct log_field){"" key, LOG_KIND_HEX, (int64_t)(value), NULL})
/* A negative or positive errno. */
#define LOG_ERRNO(value) ((struct log_field){"error", LOG_KIND_ERRNO, (value), NULL})
#define LOG_FAILURE(value) ((struct log_field){"failure", LOG_KIND_FAILURE, (value), NULL})
/* A name from a table of ours: the pointer must be to a string constant (message_name(), visit_state_name()...). */
#define LOG_NAME(key, constant) ((struct log_field){"" key, LOG_KIND_NAME, 0, (constant)})
#define LOG_PUBLIC(key, public) ((struct log_field){"" key, LOG_KIND_PUBLIC, 0, (public).text})

/* Once, at the start of main: the name before each line, and the most verbose level that is written. */
void log_open(const char *program, const char *instance, enum log_level most);

/* log_event(LOG_LEVEL_INFO, "visit opened", LOG_NUMBER("visit", id), LOG_NUMBER("lane", lane)); */
#define log_event(level, event, ...)                                                               \
    log_write((level), "" event, (const struct log_field[]){LOG_EDGE, ##__VA_ARGS__, LOG_EDGE})
/* An edge stands before the first field and after the last, so that an event may have none. */
#define LOG_EDGE ((struct log_field){NULL, LOG_KIND_END, 0, NULL})
void log_write(enum log_level level, const char *event,
               const struct log_field *fields_between_edges);

/* The journal's MESSAGE_ID of an event: 32 hexadecimal digits that depend on its words alone. */
#define LOG_MESSAGE_ID 33
void log_message_id(const char *event, char id[LOG_MESSAGE_ID]);

/* Tests: hand each finished line to `sink` instead of writing it (NULL: write again). */
void log_capture(void (*sink)(enum log_level level, const char *line, void *arg), void *arg);

#endif
