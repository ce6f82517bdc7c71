#include "ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct ledger {
    int fd;
    json_int_t seq;   /* number of the last line in the file */
    json_int_t lines; /* lines written by this run */
    json_t *paths;
    json_t *kinds;
};

static int ledger_read_existing(struct ledger *ledger, const char *path,
                                void (*each)(void *, const json_t *), void *arg)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    bool torn = false;
    int r = 0;

    if (file == NULL)
        return -errno;
    while ((length = getline(&line, &size, file)) > 0) {
        json_t *json;

        torn = line[length - 1] != '\n';
        ledger->seq++;
        json = torn ? NULL : json_loads(line, 0, NULL);
        if (json != NULL && each != NULL)
            each(arg, json);
        json_decref(json);
    }
    if (torn && write(ledger->fd, "\n", 1) != 1)
        r = -EIO;
    free(line);
    fclose(file);
    return r;
}

int ledger_open(struct ledger **out, const char *path, void (*each)(void *arg, const json_t *line),
                void *arg)
{
    struct ledger *ledger = calloc(1, sizeof(*ledger));
    int r = -ENOMEM;

    if (ledger == NULL)
        return -ENOMEM;
    ledger->fd = -1;
    ledger->paths = json_object();
    ledger->kinds = json_object();
    if (ledger->paths == NULL || ledger->kinds == NULL)
        goto fail;
    ledger->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (ledger->fd < 0) {
        r = -errno;
        goto fail;
    }
    r = ledger_read_existing(ledger, path, each, arg);
    if (r < 0)
        goto fail;
    *out = ledger;
    return 0;
fail:
    ledger_close(ledger);
    return r;
}

void ledger_close(struct ledger *ledger)
{
    if (ledger == NULL)
        return;
    if (ledger->fd >= 0)
        close(ledger->fd);
    json_decref(ledger->paths);
    json_decref(ledger->kinds);
    free(ledger);
}

static void ledger_count(json_t *counts, const char *key)
{
    json_int_t before;

    if (key == NULL)
        return;
    before = json_integer_value(json_object_get(counts, key));
    json_object_set_new(counts, key, json_integer(before + 1));
}

int ledger_append(struct ledger *ledger, json_t *line)
{
    char *text = NULL;
    char *grown;
    size_t length;
    ssize_t written;
    int r = 0;

    if (json_object_set_new(line, "seq", json_integer(ledger->seq + 1)) < 0)
        return -ENOMEM;
    text = json_dumps(line, JSON_COMPACT);
    if (text == NULL)
        return -ENOMEM;
    length = strlen(text);
    grown = realloc(text, length + 2);
    if (grown == NULL) {
        r = -ENOMEM;
        goto out;
    }
    text = grown;
    text[length] = '\n';
    text[length + 1] = '\0';
    do
        written = write(ledger->fd, text, length + 1);
    while (written < 0 && errno == EINTR);
    if (written < 0) {
        r = -errno;
        goto out;
    }
    if ((size_t)written != length + 1) {
        r = -ENOSPC;
        goto out;
    }
    ledger->seq++;
    ledger->lines++;
    ledger_count(ledger->paths, json_string_value(json_object_get(line, "path")));
    ledger_count(ledger->kinds, json_string_value(json_object_get(line, "kind")));
    if (fsync(ledger->fd) < 0 && errno != EINVAL)
        r = -errno;
out:
    free(text);
    return r;
}

json_t *ledger_counts(const struct ledger *ledger)
{
    return json_pack("{s:I, s:O, s:O}", "lines", ledger->lines, "paths", ledger->paths, "kinds",
                     ledger->kinds);
}
