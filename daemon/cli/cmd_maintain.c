/* backup, audit, key, restore: the long work on the database. The first three are done by the
 * running desk. */
#include "cmd_audit.h"
#include "command.h"
#include "json.h"
#include "link.h"
#include "table.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_MS 3600000 /* a large database on a slow disk */
#define BAR 30

/* As in daemon/desk/maintain.h; the wire is the contract. */
enum task { TASK_AUDIT = 1, TASK_BACKUP = 2, TASK_ROTATE = 3, TASK_ANCHOR = 4 };

struct work {
    const struct command_options *options;
    bool bar; /* to a person's terminal */
    struct msg_maintained end;
};

static void draw(const struct work *work, unsigned permille)
{
    unsigned full = permille * BAR / 1000;

    if (!work->bar)
        return;
    (void)fputs("\r[", work->options->err);
    for (unsigned i = 0; i < BAR; i++)
        (void)fputc(i < full ? '#' : ' ', work->options->err);
    (void)fprintf(work->options->err, "] %3u%%", permille / 10);
    (void)fflush(work->options->err);
}

static int take(struct message *message, void *arg)
{
    struct work *work = arg;

    if (message->type == MSG_MAINTAIN_PROGRESS) {
        draw(work, message->body.maintain_progress.permille);
        return 0;
    }
    if (message->type != MSG_MAINTAINED)
        return 0;
    work->end = message->body.maintained;
    return 1;
}

/* Exit status: 0 good, 1 something bad was found, 3 it could not be done. */
static int ask(const struct command_options *options, struct msg_maintain *wanted)
{
    static const int statuses[] = {EXIT_AS_ASKED, EXIT_NOT_SO, EXIT_NO_DESK};
    const char *staff = command_staff(options);
    struct work work = {.options = options,
                        .bar = options->err == stderr && isatty(STDERR_FILENO) == 1};
    struct link *link;
    int r;

    if (MESSAGE_TEXT(wanted->staff, staff) < 0) {
        (void)fprintf(options->err, "uketsuke: 名前が長すぎます / the name is too long\n");
        return EXIT_USAGE;
    }
    link = command_link(options);
    if (link == NULL)
        return EXIT_NO_DESK;
    r = link_ask(link, MSG_MAINTAIN, wanted, MOST_MS, take, &work);
    if (work.bar)
        (void)fputs("\r\033[K", options->err);
    link_close(&link);
    if (r < 0) {
        (void)fprintf(options->err, "uketsuke: %s\n", command_reason(r));
        return EXIT_NO_DESK;
    }
    if (options->json) {
        json_message(options->out, MSG_MAINTAINED, &work.end);
    } else {
        FILE *to = work.end.result == 0 ? options->out : options->err;

        table_put(to, work.end.detail);
        (void)fputc('\n', to);
    }
    return work.end.result < sizeof(statuses) / sizeof(statuses[0]) ? statuses[work.end.result]
                                                                    : EXIT_NO_DESK;
}

/* ROW:HIGH:LOW as `uketsuke audit anchor` prints it. */
static int parse_anchor(const char *text, struct msg_maintain *out)
{
    unsigned long long row, high, low;
    char rest;

    if (sscanf(text, "%20llu:%16llx:%16llx%c", &row, &high, &low, &rest) != 3 ||
        row == 0) /* NOLINT(cert-err34-c): widths bound it */
        return -EINVAL;
    out->row = row;
    out->high = high;
    out->low = low;
    return 0;
}

int command_audit(const struct command_options *options, int argc, char **argv)
{
    struct msg_maintain wanted = {.task = TASK_AUDIT};
    bool verify = argc >= 1 && argc <= 2 && strcmp(argv[0], "verify") == 0;
    bool anchor = argc == 1 && strcmp(argv[0], "anchor") == 0;

    if (argc == 1 && strcmp(argv[0], "list") == 0)
        return audit_list(options);
    if (!verify && !anchor) {
        (void)fprintf(options->err, "uketsuke audit list [--limit N] [--date YYYY-MM-DD] [--visit "
                                    "ID] | verify [ANCHOR] | anchor\n");
        return EXIT_USAGE;
    }
    if (anchor)
        wanted.task = TASK_ANCHOR;
    if (argc == 2 && parse_anchor(argv[1], &wanted) < 0) {
        (void)fprintf(
            options->err,
            "uketsuke: %s: 控えの形が違います(行:16進:16進) / not an anchor (ROW:HEX:HEX)\n",
            argv[1]);
        return EXIT_USAGE;
    }
    return ask(options, &wanted);
}

int command_backup(const struct command_options *options, int argc, char **argv)
{
    struct msg_maintain wanted = {.task = TASK_BACKUP};

    (void)argv;
    if (argc != 0) {
        (void)fprintf(options->err, "uketsuke backup\n");
        return EXIT_USAGE;
    }
    return ask(options, &wanted);
}

int command_key(const struct command_options *options, int argc, char **argv)
{
    struct msg_maintain wanted = {.task = TASK_ROTATE};

    if (argc != 1 || strcmp(argv[0], "rotate") != 0) {
        (void)fprintf(options->err, "uketsuke key rotate\n");
        return EXIT_USAGE;
    }
    return ask(options, &wanted);
}

/* ---- restore: by uketsuked itself, which alone can open the database ------------------------- */

static int beside(const char *name, char *out, size_t size)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n < 0)
        return -errno;
    self[n] = '\0';
    n = snprintf(out, size, "%s/%s", dirname(self), name);
    return n > 0 && (size_t)n < size ? 0 : -ENAMETOOLONG;
}

int command_restore(const struct command_options *options, int argc, char **argv)
{
    static char program[] = "uketsuked", check[] = "--check-backup", restore[] = "--restore",
                config[] = "--config", key[] = "--key";
    char path[4200], config_path[4200], key_path[4200];
    char *words[8];
    size_t n = 0;

    if (argc != 1) {
        (void)fprintf(options->err, "uketsuke restore FILE [--check] [--key FILE]\n");
        return EXIT_USAGE;
    }
    (void)snprintf(config_path, sizeof(config_path), "%s", options->config_path);
    (void)snprintf(key_path, sizeof(key_path), "%s", options->key != NULL ? options->key : "");
    words[n++] = program;
    words[n++] = options->check ? check : restore;
    words[n++] = argv[0];
    if (!options->check) {
        words[n++] = config;
        words[n++] = config_path;
    }
    if (options->key != NULL) {
        words[n++] = key;
        words[n++] = key_path;
    }
    words[n] = NULL;
    if (beside(program, path, sizeof(path)) == 0)
        (void)execv(path, words);
    (void)fprintf(options->err, "uketsuke: uketsuked を起動できません / cannot be started: %s\n",
                  strerror(errno));
    return EXIT_NO_DESK;
}
