/* reload: the configuration as it stands in the file now, without stopping anything. */
#include "command.h"
#include "json.h"
#include "link.h"
#include "memfd.h"
#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MOST (1u << 20)

/* As in daemon/desk/reload.c; the wire is the contract. */
enum { TAKEN, RESTART, WRONG };

struct reading {
    const struct command_options *options;
    struct msg_reload_end end;
};

static int take(struct message *message, void *arg)
{
    static const char *const words[] = {"すぐに有効 / taken at once",
                                        "再起動が必要 / needs a restart of", "誤り / wrong"};
    struct reading *reading = arg;
    const struct command_options *o = reading->options;

    if (message->type == MSG_RELOAD_END) {
        reading->end = message->body.reload_end;
        return 1;
    }
    if (message->type != MSG_RELOAD_ITEM)
        return 0;
    if (o->json) {
        json_message(o->out, MSG_RELOAD_ITEM, &message->body.reload_item);
        return 0;
    }
    if (message->body.reload_item.name[0] != '\0') {
        table_put(o->out, message->body.reload_item.name);
        (void)fprintf(o->out, ": ");
    }
    (void)fprintf(o->out, "%s: ", words[message->body.reload_item.state % 3]);
    table_put(o->out, message->body.reload_item.detail);
    (void)fputc('\n', o->out);
    return 0;
}

/* The text of the file as a sealed descriptor, or negative errno. */
static int read_file(const char *path, uint32_t *bytes)
{
    FILE *file = fopen(path, "re");
    char *text = file != NULL ? malloc(TEXT_MOST) : NULL;
    int fd = file == NULL ? -errno : -ENOMEM;
    size_t len;

    if (text != NULL) {
        len = fread(text, 1, TEXT_MOST, file);
        *bytes = (uint32_t)len;
        fd = ferror(file)       ? -EIO
             : len == TEXT_MOST ? -EFBIG
                                : memfd_seal("configuration", text, len);
    }
    free(text);
    if (file != NULL)
        (void)fclose(file);
    return fd;
}

int command_reload(const struct command_options *options, int argc, char **argv)
{
    const char *staff = command_staff(options);
    struct reading reading = {.options = options};
    struct msg_reload m = {0};
    char *whole = realpath(options->config_path, NULL);
    struct link *link;
    int fd, r;

    (void)argv;
    if (argc != 0 || MESSAGE_TEXT(m.staff, staff) < 0) {
        (void)fprintf(options->err, "uketsuke reload\n");
        free(whole);
        return EXIT_USAGE;
    }
    link = command_link(options); /* which finds what is wrong with the file first, with its line */
    if (link == NULL) {
        free(whole);
        return EXIT_NO_DESK;
    }
    fd = read_file(options->config_path, &m.bytes);
    r = fd < 0 ? fd : MESSAGE_TEXT(m.path, whole != NULL ? whole : options->config_path);
    if (r >= 0)
        r = link_ask_fd(link, MSG_RELOAD, &m, fd, LINK_ASK_MS, take, &reading);
    if (fd >= 0)
        (void)close(fd);
    link_close(&link);
    free(whole);
    if (r < 0) {
        (void)fprintf(options->err, "uketsuke: %s\n", command_reason(r));
        return EXIT_NO_DESK;
    }
    if (!options->json && reading.end.result == WRONG)
        (void)fprintf(options->out, "何も変えていません / nothing was changed\n");
    else if (!options->json)
        (void)fprintf(
            options->out, "%u 項目を反映、%u 項目は再起動後 / %u taken, %u after a restart\n",
            reading.end.taken, reading.end.restart, reading.end.taken, reading.end.restart);
    return reading.end.result == WRONG ? EXIT_NOT_SO : EXIT_AS_ASKED;
}
