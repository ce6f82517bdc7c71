#include "reload.h"

#include "desk.h"
#include "maintain.h"
#include "settings.h"

#include "../common/config_change.h"
#include "../common/config_meaning.h"
#include "../common/ipc.h"
#include "../common/log.h"
#include "../common/memfd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MOST (1u << 20)

/* As in msg_reload_item and msg_reload_end. */
enum { TAKEN, RESTART, WRONG };

struct answering {
    struct ipc *ipc;
    struct msg_reload_end end;
};

static void say(struct answering *a, uint8_t state, const char *name, const char *detail)
{
    struct msg_reload_item item = {.request = a->end.request, .state = state};

    (void)snprintf(item.name, sizeof(item.name), "%s", name);
    (void)snprintf(item.detail, sizeof(item.detail), "%s", detail);
    (void)ipc_send(a->ipc, MSG_RELOAD_ITEM, &item);
}

/* What is wrong, a line each. */
static void say_lines(struct answering *a, char *text)
{
    char *rest = NULL;

    a->end.result = WRONG;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        say(a, WRONG, "", line);
}

static void on_change(const struct config_change *change, void *arg)
{
    struct answering *a = arg;
    char detail[200];

    if (change->live) {
        (void)snprintf(detail, sizeof(detail), "%.90s -> %.90s", change->from, change->to);
        a->end.taken++;
        say(a, TAKEN, change->name, detail);
        log_event(LOG_LEVEL_NOTICE, "setting changed",
                  LOG_PUBLIC("key", log_public_from_config(config_row(change->key)->name)));
        return;
    }
    config_units(change, detail, sizeof(detail));
    a->end.restart++;
    say(a, RESTART, change->name, detail);
}

/* Checks all of it; *out and *settings are good when it returns true. */
static bool read_text(struct answering *a, const uint8_t *text, size_t len, const char *path,
                      struct config **out, struct desk_settings *settings)
{
    char *message = NULL, *errors = NULL;
    size_t size = 0;
    FILE *file = fmemopen((void *)(uintptr_t)text, len, "r"), *to = open_memstream(&errors, &size);
    int r = -ENOMEM;

    *out = NULL;
    if (file != NULL && to != NULL) {
        r = config_load_stream(out, file, path, &message);
        if (r == 0 && config_missing(*out, FOR_ALL, NULL, to) > 0)
            r = -EINVAL;
        if (r == 0)
            settings_read(*out, settings);
    }
    if (file != NULL)
        (void)fclose(file);
    if (to != NULL)
        (void)fclose(to);
    if (r < 0) {
        char none[] = "メモリーが足りません / out of memory";

        say_lines(a, message != NULL                       ? message
                     : errors != NULL && errors[0] != '\0' ? errors
                                                           : none);
        config_free(out);
    }
    free(message);
    free(errors);
    return r == 0;
}

/* What is not FOR_DESK_LIVE stays as it was started. */
static void take(struct reload *reload, struct config **wanted, struct desk_settings *settings)
{
    memcpy(settings->institution, reload->desk->settings.institution,
           sizeof(settings->institution));
    settings->institution_kind = reload->desk->settings.institution_kind;
    reload->desk->settings = *settings;
    maintain_configure(reload->maintain, *wanted);
    config_free(&reload->running);
    reload->running = *wanted;
    *wanted = NULL;
}

static void answer(struct reload *reload, struct answering *a, const struct msg_reload *m, int fd)
{
    const struct config *running = reload->running != NULL ? reload->running : reload->started;
    struct desk_settings settings;
    struct config *wanted = NULL;
    const uint8_t *text;
    char detail[64];

    if (m->bytes == 0 || memfd_map(fd, m->bytes, TEXT_MOST, &text) < 0) {
        a->end.result = WRONG;
        say(a, WRONG, m->path, "設定を読めません / the configuration cannot be read");
        return;
    }
    if (read_text(a, text, m->bytes, m->path, &wanted, &settings)) {
        (void)snprintf(detail, sizeof(detail), "reload");
        if (store_audit(reload->desk->store, "configuration", 0, 0, m->staff, detail) < 0) {
            /* A change that cannot be written down is none. */
            a->end.result = WRONG;
            say(a, WRONG, "", "監査ログに書けません / the audit log cannot be written");
        } else {
            (void)config_compare(reload->started, running, wanted, on_change, a);
            a->end.result = a->end.restart > 0 ? RESTART : TAKEN;
            take(reload, &wanted, &settings);
        }
    }
    config_free(&wanted);
    memfd_unmap(text, m->bytes);
}

bool reload_message(struct reload *reload, struct ipc *ipc, const struct message *message)
{
    struct answering a = {.ipc = ipc};

    if (message->type != MSG_RELOAD)
        return false;
    a.end.request = message->body.reload.request;
    answer(reload, &a, &message->body.reload, message->fds[0]);
    (void)ipc_send(ipc, MSG_RELOAD_END, &a.end);
    return true;
}

void reload_end(struct reload *reload)
{
    config_free(&reload->running);
}
