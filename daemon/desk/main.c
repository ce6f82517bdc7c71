/*
 * uketsuked: the desk. It alone holds the database and decides; it has no network, no USB, and
 * parses nothing that comes from outside the house.
 *
 * Sockets: "desk" (web and command). Credential: "database.key" (32 bytes).
 * `uketsuked --print-table dot|text` prints the visit table and ends; `--check-backup FILE` and
 * `--restore FILE` judge a backup and put it back, while no desk runs (offline.h).
 */
#include "accounts.h"
#include "audit.h"
#include "consented.h"
#include "control.h"
#include "links.h"
#include "maintain.h"
#include "offline.h"
#include "outbox.h"
#include "reload.h"
#include "resume.h"
#include "settings.h"
#include "table.h"

#include "../common/log.h"
#include "../common/secret.h"
#include "../common/service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES 32
#define UPKEEP_US CLOCK_MINUTE

struct program {
    struct service service;
    struct store *store;
    struct desk *desk;
    struct links *links;
    struct control *control;
    struct maintain *maintain;
    struct accounts accounts;
    struct reload reload;
    struct timer *upkeep;
};

static int port_send(void *arg, enum desk_peer peer, unsigned index, uint16_t type,
                     const void *body, const int *fds, unsigned nfds)
{
    struct program *p = arg;

    return links_send(p->links, peer, index, type, body, fds, nfds);
}

static void port_lane(void *arg, const struct msg_lane_state *state)
{
    struct program *p = arg;

    control_lane_changed(p->control, state);
}

static void port_visit(void *arg, const struct msg_visit_item *item)
{
    struct program *p = arg;

    control_visit_changed(p->control, item);
}

static void port_preview(void *arg, const struct msg_lane_preview *preview, int fd)
{
    struct program *p = arg;

    control_preview(p->control, preview, fd);
}

static void port_slip(void *arg, const struct msg_slip_item *item)
{
    struct program *p = arg;

    control_slip_changed(p->control, item);
}

static void port_disaster(void *arg, const struct msg_disaster_state *state)
{
    struct program *p = arg;

    control_disaster_changed(p->control, state);
}

static void port_outbox(void *arg, const struct msg_outbox_item *item)
{
    struct program *p = arg;

    control_outbox_changed(p->control, item);
}

static void port_prechecked(void *arg, void *asker, const struct msg_prechecked *prechecked)
{
    struct program *p = arg;

    control_prechecked(p->control, asker, prechecked);
}

static void on_answer(void *arg, const struct message *message)
{
    struct program *p = arg;

    control_answer(p->control, message);
}

/* At the end of a consent, when one ends before the next round. */
static uint64_t until_upkeep_us(const struct program *p)
{
    const int64_t now_us = (int64_t)clock_realtime_us(p->service.clock);
    int64_t end_us;

    if (store_answers_end(p->store, &end_us) == 0 && end_us > now_us &&
        end_us - now_us < (int64_t)UPKEEP_US)
        return (uint64_t)(end_us - now_us);
    return UPKEEP_US;
}

/* The clock is watched; what is due or over is so by a clock that can be believed. */
static void on_upkeep(struct timer *timer, void *arg)
{
    struct program *p = arg;
    int n = 0;

    if (desk_check_clock(p->desk)) {
        n = consented_purge(p->store, (int64_t)clock_realtime_us(p->service.clock));
        if (n > 0)
            (void)store_settle(p->store);
        maintain_upkeep(p->maintain);
    }
    if (n != 0)
        log_event(n < 0 ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "consented data purged",
                  LOG_NUMBER("answers", n));
    (void)timer_set_after(timer, until_upkeep_us(p));
}

/*
 * A new master key comes as database.key.next beside the old one and takes over at the next start.
 * Stopped at any point, the database opens with one of the two.
 */
static int take_next_key(struct program *p, const struct secret *next)
{
    int r = store_rekey(p->store, next);

    if (r == 0)
        r = store_audit(p->store, "master_key", 0, 0, "", "next");
    if (r < 0)
        fprintf(
            stderr,
            "uketsuked: 新しい鍵に切り替えられません / the new master key cannot take over: %s\n",
            strerror(-r));
    else
        log_event(LOG_LEVEL_NOTICE,
                  "the new master key has taken over: make database.key.next the database.key");
    return r;
}

static int open_with(struct program *p, const struct secret *key, const struct secret *next,
                     char **message)
{
    const char *directory = config_text(p->service.config, CFG_desk_STATE_DIRECTORY, NULL);
    char *other = NULL;
    int r = store_open(&p->store, directory, key, p->service.clock, message);

    if (next->len != KEY_BYTES)
        return r;
    if (r == 0)
        return take_next_key(p, next);
    if (r == -EBADMSG && store_open(&p->store, directory, next, p->service.clock, &other) == 0) {
        free(*message);
        *message = NULL;
        log_event(LOG_LEVEL_NOTICE,
                  "opened with the new master key: make database.key.next the database.key");
        return 0;
    }
    free(other);
    return r;
}

static int open_store(struct program *p)
{
    struct secret key = {0}, next = {0};
    char *message = NULL;
    int r = service_credential("database.key", &key, KEY_BYTES);

    if (r < 0 || key.len != KEY_BYTES) {
        fprintf(stderr,
                "uketsuked: 資格情報 database.key(32バイト)がありません / the credential "
                "database.key (32 bytes) is missing: %s\n",
                r < 0 ? strerror(-r) : "wrong length");
        secret_free(&key);
        return r < 0 ? r : -EINVAL;
    }
    (void)service_credential("database.key.next", &next, KEY_BYTES);
    r = open_with(p, &key, &next, &message);
    secret_free(&key);
    secret_free(&next);
    if (r < 0)
        fprintf(stderr, "uketsuked: データベースを開けません / the database cannot be opened: %s\n",
                message != NULL ? message : strerror(-r));
    free(message);
    return r;
}

static int open_desk(struct program *p)
{
    struct desk_ports ports = {p,         port_send,     port_lane,   port_visit,     port_preview,
                               port_slip, port_disaster, port_outbox, port_prechecked};
    struct desk_settings settings;
    int r;

    settings_read(p->service.config, &settings);
    r = desk_new(&p->desk, p->service.clock, p->store, &settings, &ports);
    if (r == 0)
        r = settings_apply(p->service.config, p->desk, stderr);
    return r;
}

/* What the control door leaves to others. */
static bool on_other(void *arg, struct ipc *ipc, const struct message *message)
{
    struct program *p = arg;

    return reload_message(&p->reload, ipc, message) ||
           accounts_message(&p->accounts, ipc, message) || outbox_message(p->desk, ipc, message) ||
           audit_message(p->desk, ipc, message);
}

static int open_doors(struct program *p)
{
    int fd = service_take_socket(&p->service, "desk");
    int r;

    if (fd < 0) {
        fprintf(
            stderr,
            "uketsuked: ソケット desk がありません / the supervisor gave no socket named desk\n");
        return -ENOENT;
    }
    r = links_new(&p->links, &p->service, on_answer, p);
    if (r < 0)
        return r;
    r = control_new(&p->control, &p->service, p->links, fd);
    if (r < 0)
        return r;
    control_open(p->control, p->desk);
    r = maintain_new(&p->maintain, p->service.clock, p->store, p->service.config,
                     &(struct maintain_ports){p->control, control_maintain_progress,
                                              control_maintain_end, &p->desk->metrics.backups});
    if (r < 0)
        return r;
    p->accounts = (struct accounts){p->store, p->service.clock};
    p->reload = (struct reload){p->service.config, NULL, p->desk, p->maintain};
    control_other(p->control, on_other, p);
    control_worker(p->control,
                   &(struct control_worker){p->maintain, maintain_start, maintain_forget});
    r = desk_resume(p->desk);
    if (r < 0) {
        fprintf(stderr, "uketsuked: 開いている受付を読めません / open visits cannot be read: %s\n",
                strerror(-r));
        return r;
    }
    p->upkeep = timer_new(p->service.clock, on_upkeep, p);
    if (p->upkeep == NULL)
        return -ENOMEM;
    return timer_set_after(p->upkeep, 0);
}

static int enter_cage(struct program *p)
{
    const char *backups = config_text(p->service.config, CFG_desk_BACKUP_DIRECTORY, NULL);
    struct cage_path paths[] = {
        {.path = config_text(p->service.config, CFG_desk_STATE_DIRECTORY, NULL), .write = true},
        {.path = backups, .write = true, .optional = true},
    };
    struct cage_spec spec = {.calls = CAGE_FILES_READ | CAGE_FILES_WRITE | CAGE_UNIX | CAGE_ACCEPT |
                                      CAGE_FD_PASS | CAGE_DIRECTORY | CAGE_CLOCK,
                             .paths = paths,
                             .npaths = backups[0] != '\0' ? 2 : 1};

    return service_cage(&p->service, &spec);
}

static int print_table(const char *as)
{
    int r = -EINVAL;

    if (strcmp(as, "dot") == 0)
        r = table_print_dot(stdout);
    else if (strcmp(as, "text") == 0)
        r = table_print_text(stdout);
    else
        fprintf(stderr, "uketsuked --print-table dot|text\n");
    return r == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct program p = {0};
    int r, status = 1;

    if (argc == 3 && strcmp(argv[1], "--print-table") == 0)
        return print_table(argv[2]);
    if (argc >= 2 && offline_wanted(argv[1]))
        return offline_main(argc, argv);
    r = service_start(&p.service, "uketsuked", argc, argv);
    if (r != 0)
        return r > 0 ? 0 : 1;
    r = service_config_complete(&p.service, FOR_DESK, NULL);
    if (r == 0)
        r = open_store(&p);
    if (r == 0)
        r = open_desk(&p);
    if (r == 0)
        r = open_doors(&p);
    /* Connections are made inside the cage: nothing of a peer is read before it is closed. */
    if (r == 0)
        r = enter_cage(&p);
    if (r == 0)
        r = links_open(p.links, p.desk);
    if (r == 0)
        status = service_run(&p.service);
    else
        log_event(LOG_LEVEL_ERROR, "cannot start", LOG_ERRNO(r));
    timer_free(&p.upkeep);
    reload_end(&p.reload);
    maintain_free(&p.maintain);
    control_free(&p.control);
    links_free(&p.links);
    desk_free(&p.desk);
    store_close(&p.store);
    service_stop(&p.service);
    return status;
}
