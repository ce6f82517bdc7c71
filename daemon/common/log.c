#include "log.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024
#define FIELDS_MAX 16

static struct {
    const char *program;
    const char *instance;
    enum log_level most;
    bool journal;
    void (*sink)(enum log_level, const char *, void *);
    void *sink_arg;
} out = {"uketsuke", "", LOG_LEVEL_INFO, false, NULL, NULL};

/* Standard error is the journal's own stream when $JOURNAL_STREAM names its device and inode. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long dev, ino;
    struct stat st;

    return stream != NULL && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void log_open(const char *program, const char *instance, enum log_level most)
{
    out.program = program;
    out.instance = instance;
    out.most = most;
    out.journal = stderr_is_journal();
}

void log_capture(void (*sink)(enum log_level, const char *, void *), void *arg)
{
    out.sink = sink;
    out.sink_arg = arg;
}

static void format_value(const struct log_field *field, char *text, size_t size)
{
    switch (field->kind) {
    case LOG_KIND_NUMBER:
        (void)snprintf(text, size, "%lld", (long long)field->number);
        break;
    case LOG_KIND_HEX:
        (void)snprintf(text, size, "0x%llx", (unsigned long long)field->number);
        break;
    case LOG_KIND_ERRNO: {
        int error = (int)(field->number < 0 ? -field->number : field->number);
        const char *name = strerrorname_np(error);

        (void)snprintf(text, size, "%s", name != NULL ? name : "unknown");
        break;
    }
    case LOG_KIND_FAILURE:
        (void)snprintf(text, size, "%s", failure_text((uint16_t)field->number)->code);
        break;
    case LOG_KIND_NAME:
    case LOG_KIND_PUBLIC:
        (void)snprintf(text, size, "%s", field->text != NULL ? field->text : "");
        break;
    case LOG_KIND_END:
        text[0] = '\0';
        break;
    }
    /* A line is a line: nothing from a configuration can start another. */
    for (char *p = text; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
}

/*
 * FNV-1a (Fowler, Noll, Vo), twice 64 bits, the second over the event with a mark before it: the same event has the same
 * id on every machine and in every version, and nobody has to keep a list.
 */
static uint64_t fnv(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    return hash;
}

void log_message_id(const char *event, char id[LOG_MESSAGE_ID])
{
    static const uint64_t basis = UINT64_C(0xcbf29ce484222325);

    (void)snprintf(id, LOG_MESSAGE_ID, "%016llx%016llx", (unsigned long long)fnv(basis, event),
                   (unsigned long long)fnv(fnv(basis, "uketsuke "), event));
}

static void write_journal(enum log_level level, const char *line, const char *event,
                          const struct log_field *fields)
{
    char message[LINE_MAX_BYTES + sizeof("MESSAGE=")];
    char entries[FIELDS_MAX + 5][256];
    struct iovec iov[FIELDS_MAX + 6];
    char id[LOG_MESSAGE_ID];
    int n = 0;

    log_message_id(event, id);

    (void)snprintf(message, sizeof(message), "MESSAGE=%s", line);
    (void)snprintf(entries[n++], sizeof(entries[0]), "PRIORITY=%d", (int)level);
    (void)snprintf(entries[n++], sizeof(entries[0]), "SYSLOG_IDENTIFIER=%s", out.program);
    (void)snprintf(entries[n++], sizeof(entries[0]), "MESSAGE_ID=%s", id);
    (void)snprintf(entries[n++], sizeof(entries[0]), "UKETSUKE_INSTANCE=%s", out.instance);
    (void)snprintf(entries[n++], sizeof(entries[0]), "UKETSUKE_EVENT=%s", event);
    for (; fields->kind != LOG_KIND_END && n < FIELDS_MAX + 5; fields++, n++) {
        char value[200];
        int len = snprintf(entries[n], sizeof(entries[n]), "UKETSUKE_%s=", fields->key);

        for (int i = 0; i < len; i++)
            entries[n][i] = (char)toupper((unsigned char)entries[n][i]);
        format_value(fields, value, sizeof(value));
        (void)snprintf(entries[n] + len, sizeof(entries[n]) - (size_t)len, "%s", value);
    }
    for (int i = 0; i < n; i++)
        iov[i] = (struct iovec){entries[i], strlen(entries[i])};
    iov[n] = (struct iovec){message, strlen(message)};
    (void)sd_journal_sendv(iov, n + 1);
}

void log_write(enum log_level level, const char *event,
               const struct log_field *fields_between_edges)
{
    const struct log_field *fields = fields_between_edges + 1;
    char line[LINE_MAX_BYTES];
    size_t used;
    int saved = errno;

    if (level > out.most)
        return;
    used = (size_t)snprintf(line, sizeof(line), "%s", event);
    for (const struct log_field *f = fields; f->kind != LOG_KIND_END; f++) {
        char value[300];

        format_value(f, value, sizeof(value));
        if (used < sizeof(line))
            used += (size_t)snprintf(line + used, sizeof(line) - used, " %s=%s", f->key, value);
    }
    if (out.sink != NULL) {
        out.sink(level, line, out.sink_arg);
    } else if (out.journal) {
        write_journal(level, line, event, fields);
    } else {
        char whole[LINE_MAX_BYTES + 128];
        int n = snprintf(whole, sizeof(whole), "<%d>%s%s%s: %s\n", (int)level, out.program,
                         out.instance[0] != '\0' ? "@" : "", out.instance, line);

        /* One write a line, so that lines of several programs on one stream do not mix. */
        if (n > 0 && write(STDERR_FILENO, whole,
                           (size_t)n < sizeof(whole) ? (size_t)n : sizeof(whole) - 1) < 0)
            errno = saved;
    }
    errno = saved;
}
