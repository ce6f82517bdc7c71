#include "maintain.h"

#include "../common/config.h"
#include "../common/log.h"
#include "../store/backup.h"
#include "../store/outbox.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES_A_STEP 64 /* of 4 KiB */
#define ROWS_A_STEP 64
#define RESEALED_A_STEP 32
#define RETIRED_A_STEP 64
#define PAUSE_US 1000 /* between steps, for the lanes */
#define HOUR_US (60 * CLOCK_MINUTE)
#define DAY_US (INT64_C(86400) * 1000000)

struct maintain {
    struct clock *clock;
    struct store *store;
    struct maintain_ports ports;
    struct timer *timer;
    const char *backup_directory; /* of the configuration; "" none */
    unsigned backup_hours, backup_keep, anchor_hours;
    int64_t retention_us, outbox_us;
    uint64_t last_anchor_us;        /* monotonic; 0: none yet */
    uint64_t backup_pause_until_us; /* after one that failed */

    enum maintain_task task;
    void *asker;
    uint32_t request;
    struct store_audit_anchor compare; /* row 0: none */
    struct store_audit_walk walk;
    struct store_rotation *rotation;
    struct backup *backup;
    uint64_t rows;    /* how many there were at the beginning */
    uint64_t done;    /* rows sealed anew */
    unsigned told;    /* permille last told */
    char detail[201]; /* for the end */
};

/* ---- the tasks: begin, one step, what it was ------------------------------------------------- */

static int audit_begin(struct maintain *m, const struct msg_maintain *wanted)
{
    struct store_status status;
    int r = store_status(m->store, &status);

    memset(&m->walk, 0, sizeof(m->walk));
    m->rows = status.audit_rows;
    m->compare = (struct store_audit_anchor){wanted->row, wanted->high, wanted->low};
    return r;
}

static int audit_end(struct maintain *m)
{
    struct store_audit_anchor now;
    int r;

    (void)snprintf(m->detail, sizeof(m->detail), "%llu行 / rows: 鎖は正しい / the chain is whole",
                   (unsigned long long)m->walk.rows);
    if (m->compare.row == 0)
        return 0;
    r = store_audit_anchor(m->store, m->compare.row, &now);
    if (r == 0 && now.high == m->compare.high && now.low == m->compare.low)
        return 0;
    m->walk.bad_row = m->compare.row;
    (void)snprintf(m->detail, sizeof(m->detail),
                   "控えと一致しません / the anchor of row %llu does not fit: another log",
                   (unsigned long long)m->compare.row);
    return r == 0 || r == -ENOENT ? -EBADMSG : r;
}

static int audit_step(struct maintain *m, unsigned *permille)
{
    int r = store_audit_walk_step(m->store, &m->walk, ROWS_A_STEP);

    *permille = m->rows > 0
                    ? (unsigned)(1000 * (m->walk.rows < m->rows ? m->walk.rows : m->rows) / m->rows)
                    : 1000;
    if (r == -EBADMSG)
        (void)snprintf(m->detail, sizeof(m->detail),
                       "監査ログの%llu行目が変えられたか失われています / row %llu was changed, "
                       "moved or taken out",
                       (unsigned long long)m->walk.bad_row, (unsigned long long)m->walk.bad_row);
    return r == 0 ? audit_end(m) : r;
}

static int backup_start(struct maintain *m, const struct msg_maintain *wanted)
{
    int r;

    (void)wanted;
    if (m->backup_directory[0] == '\0') {
        (void)snprintf(m->detail, sizeof(m->detail),
                       "[desk] backup-directory が設定されていません / is not set");
        return -ENOENT;
    }
    r = backup_begin(&m->backup, m->store, m->backup_directory);
    if (r < 0)
        (void)snprintf(m->detail, sizeof(m->detail),
                       "バックアップの置き場所に書けません / the backup directory: %s",
                       strerror(-r));
    return r;
}

static int backup_go_on(struct maintain *m, unsigned *permille)
{
    int r = backup_step(m->backup, PAGES_A_STEP);

    *permille = backup_permille(m->backup);
    if (r < 0)
        (void)snprintf(m->detail, sizeof(m->detail),
                       "バックアップに失敗しました / the backup failed: %s", strerror(-r));
    if (r != 0)
        return r;
    (void)snprintf(m->detail, sizeof(m->detail), "%s", backup_name(m->backup));
    r = backup_prune(m->backup_directory, m->backup_keep);
    if (r < 0) /* the new one stands all the same */
        log_event(LOG_LEVEL_WARNING, "old backups cannot be removed", LOG_ERRNO(r));
    return 0;
}

static int rotation_start(struct maintain *m, const struct msg_maintain *wanted)
{
    struct store_status status;
    int r = store_status(m->store, &status);

    (void)wanted;
    m->done = 0;
    m->rows = status.visits + 2 * status.answers + status.links;
    return r < 0 ? r : store_rotation_begin(&m->rotation, m->store);
}

static int rotation_go_on(struct maintain *m, unsigned *permille)
{
    int r = store_rotation_step(m->rotation, RESEALED_A_STEP, &m->done);

    *permille =
        m->rows > 0 ? (unsigned)(1000 * (m->done < m->rows ? m->done : m->rows) / m->rows) : 1000;
    if (r == 0)
        (void)snprintf(m->detail, sizeof(m->detail),
                       "%llu件を新しい鍵で封じ直しました / values sealed anew; the old key is gone",
                       (unsigned long long)m->done);
    else if (r < 0)
        (void)snprintf(m->detail, sizeof(m->detail),
                       "中断しました。続きは自動で行います / stopped, goes on by itself: %s",
                       strerror(-r));
    return r;
}

static int anchor_start(struct maintain *m, const struct msg_maintain *wanted)
{
    return store_audit_anchor(m->store, wanted->row, &m->compare);
}

static int anchor_step(struct maintain *m, unsigned *permille)
{
    *permille = 1000;
    (void)snprintf(m->detail, sizeof(m->detail), "%llu:%016llx:%016llx",
                   (unsigned long long)m->compare.row, (unsigned long long)m->compare.high,
                   (unsigned long long)m->compare.low);
    return 0;
}

static const struct {
    const char *name; /* also of its audit row */
    int (*begin)(struct maintain *m, const struct msg_maintain *wanted);
    int (*step)(struct maintain *m, unsigned *permille); /* 1: more */
} tasks[MAINTAIN_TASKS] = {
    [MAINTAIN_AUDIT] = {"audit_verified", audit_begin, audit_step},
    [MAINTAIN_BACKUP] = {"backup_taken", backup_start, backup_go_on},
    [MAINTAIN_ROTATE] = {"key_rotation", rotation_start, rotation_go_on},
    [MAINTAIN_ANCHOR] = {"audit_anchor", anchor_start, anchor_step},
};

/* ---- how the backups are --------------------------------------------------------------------- */

/* The time of the newest one that stands there, or a negative errno. */
static int64_t look_for_backup(struct maintain *m)
{
    int64_t newest = backup_newest_us(m->backup_directory);

    if (m->ports.backups != NULL)
        m->ports.backups->newest_us = newest > 0 ? newest : 0;
    return newest;
}

static void backup_ended(struct maintain *m, bool good)
{
    if (!good)
        m->backup_pause_until_us = clock_monotonic_us(m->clock) + HOUR_US;
    if (m->ports.backups == NULL || m->backup_directory[0] == '\0')
        return;
    m->ports.backups->failing = !good;
    m->ports.backups->failures += good ? 0 : 1;
    (void)look_for_backup(m);
}

/* ---- one task at a time ---------------------------------------------------------------------- */

static void tell_end(struct maintain *m, void *asker, uint32_t request, enum maintain_task task,
                     int r, const char *detail)
{
    struct msg_maintained end = {.request = request, .task = (uint8_t)task};

    end.result = r == 0 ? 0 : r == -EBADMSG ? 1 : 2;
    end.rows = task == MAINTAIN_AUDIT ? m->walk.rows : m->done;
    end.bad_row = m->walk.bad_row;
    (void)MESSAGE_TEXT(end.detail, detail);
    if (asker != NULL)
        m->ports.end(m->ports.arg, asker, &end);
}

static void finish(struct maintain *m, int r)
{
    enum maintain_task task = m->task;
    void *asker = m->asker;

    backup_free(&m->backup);
    store_rotation_free(&m->rotation);
    timer_stop(m->timer);
    m->task = MAINTAIN_NONE;
    m->asker = NULL;
    if (r < 0)
        log_event(r == -EBADMSG ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, "maintenance failed",
                  LOG_NAME("task", tasks[task].name), LOG_ERRNO(r));
    else
        log_event(LOG_LEVEL_INFO, "maintenance done", LOG_NAME("task", tasks[task].name));
    if (task == MAINTAIN_BACKUP)
        backup_ended(m, r >= 0);
    tell_end(m, asker, m->request, task, r, m->detail);
}

static void on_step(struct timer *timer, void *arg)
{
    struct maintain *m = arg;
    unsigned permille = 0;
    int r;

    if (m->task == MAINTAIN_NONE)
        return;
    r = tasks[m->task].step(m, &permille);
    if (r <= 0) {
        finish(m, r);
        return;
    }
    if (m->asker != NULL && permille / 10 != m->told / 10) {
        struct msg_maintain_progress progress = {.request = m->request,
                                                 .permille = (uint16_t)permille};

        m->ports.progress(m->ports.arg, m->asker, &progress);
    }
    m->told = permille;
    (void)timer_set_after(timer, PAUSE_US);
}

/* Who asked for it stands in the audit log before it begins. */
static int begin(struct maintain *m, const struct msg_maintain *wanted, void *asker)
{
    enum maintain_task task = (enum maintain_task)wanted->task;
    int r;

    m->detail[0] = '\0';
    m->walk.bad_row = 0;
    r = store_audit(m->store, tasks[task].name, 0, 0, wanted->staff,
                    asker != NULL ? "asked" : "due");
    if (r < 0)
        (void)snprintf(m->detail, sizeof(m->detail),
                       "監査ログに書けません / the audit log cannot be written: %s", strerror(-r));
    if (r == 0)
        r = tasks[task].begin(m, wanted);
    if (r < 0 && m->detail[0] == '\0')
        (void)snprintf(m->detail, sizeof(m->detail), "始められません / cannot begin: %s",
                       strerror(-r));
    m->task = task;
    m->asker = asker;
    m->request = wanted->request;
    m->told = 0;
    if (r == 0)
        r = timer_set_after(m->timer, 0);
    return r;
}

void maintain_start(void *maintain, const struct msg_maintain *wanted, void *asker)
{
    struct maintain *m = maintain;
    int r;

    if (wanted->task <= MAINTAIN_NONE || wanted->task >= MAINTAIN_TASKS) {
        tell_end(m, asker, wanted->request, MAINTAIN_NONE, -EINVAL,
                 "その作業はありません / no such task");
        return;
    }
    if (m->task != MAINTAIN_NONE) {
        tell_end(m, asker, wanted->request, (enum maintain_task)wanted->task, -EBUSY,
                 "別の作業が進行中です。終わってからもう一度 / another task is under way; try "
                 "again when it has ended");
        return;
    }
    r = begin(m, wanted, asker);
    if (r < 0)
        finish(m, r);
}

void maintain_forget(void *maintain, const void *asker)
{
    struct maintain *m = maintain;

    if (m->asker == asker)
        m->asker = NULL;
}

/* ---- what is due ----------------------------------------------------------------------------- */

static bool backup_due(struct maintain *m)
{
    int64_t newest;

    if (m->backup_directory[0] == '\0')
        return false;
    newest = look_for_backup(m);
    if (clock_monotonic_us(m->clock) < m->backup_pause_until_us)
        return false;
    return newest < 0 ||
           (int64_t)clock_realtime_us(m->clock) - newest >= (int64_t)(m->backup_hours * HOUR_US);
}

/* Into the journal, from where it may be sent to another machine: a chain written anew would not
 * fit it. */
static void write_anchor(struct maintain *m)
{
    uint64_t now = clock_monotonic_us(m->clock);
    struct store_audit_anchor anchor;

    if (m->anchor_hours == 0 ||
        (m->last_anchor_us != 0 && now - m->last_anchor_us < m->anchor_hours * HOUR_US))
        return;
    m->last_anchor_us = now != 0 ? now : 1;
    if (store_audit_anchor(m->store, 0, &anchor) == 0)
        log_event(LOG_LEVEL_NOTICE, "audit anchor", LOG_NUMBER("row", anchor.row),
                  LOG_HEX("high", anchor.high), LOG_HEX("low", anchor.low));
}

static void retire(struct maintain *m)
{
    int r = store_retire(m->store, (int64_t)clock_realtime_us(m->clock) - m->retention_us,
                         RETIRED_A_STEP);
    int done = store_outbox_retire(m->store, (int64_t)clock_realtime_us(m->clock) - m->outbox_us,
                                   RETIRED_A_STEP);

    if (r >= 0)
        r = done < 0 ? done : r + done;
    if (r > 0) {
        log_event(LOG_LEVEL_INFO, "retention over", LOG_NUMBER("rows", r));
        r = store_settle(m->store);
    }
    if (r < 0)
        log_event(LOG_LEVEL_ERROR, "retention cannot be kept", LOG_ERRNO(r));
}

void maintain_upkeep(struct maintain *m)
{
    struct msg_maintain wanted = {0};
    int r = 0;

    retire(m);
    write_anchor(m);
    if (m->task != MAINTAIN_NONE)
        return;
    if (store_rotating(m->store))
        wanted.task = MAINTAIN_ROTATE;
    else if (backup_due(m))
        wanted.task = MAINTAIN_BACKUP;
    if (wanted.task != MAINTAIN_NONE)
        r = begin(m, &wanted, NULL);
    if (r < 0)
        finish(m, r);
}

void maintain_configure(struct maintain *m, const struct config *config)
{
    m->backup_hours = (unsigned)config_number(config, CFG_desk_BACKUP_HOURS, NULL);
    m->backup_keep = (unsigned)config_number(config, CFG_desk_BACKUP_KEEP, NULL);
    if (m->ports.backups != NULL)
        m->ports.backups->hours = m->backup_hours;
    m->anchor_hours = (unsigned)config_number(config, CFG_desk_AUDIT_ANCHOR_HOURS, NULL);
    m->retention_us = config_number(config, CFG_desk_RETENTION_DAYS, NULL) * DAY_US;
    m->outbox_us = config_number(config, CFG_desk_OUTBOX_DAYS, NULL) * DAY_US;
}

int maintain_new(struct maintain **out, struct clock *clock, struct store *store,
                 const struct config *config, const struct maintain_ports *ports)
{
    struct maintain *m = calloc(1, sizeof(*m));

    *out = m;
    if (m == NULL)
        return -ENOMEM;
    m->clock = clock;
    m->store = store;
    m->ports = *ports;
    m->backup_directory = config_text(config, CFG_desk_BACKUP_DIRECTORY, NULL);
    maintain_configure(m, config);
    if (ports->backups != NULL) {
        ports->backups->wanted = m->backup_directory[0] != '\0';
        ports->backups->since_us = (int64_t)clock_realtime_us(clock);
    }
    m->timer = timer_new(clock, on_step, m);
    if (m->timer != NULL)
        return 0;
    maintain_free(out);
    return -ENOMEM;
}

void maintain_free(struct maintain **at)
{
    struct maintain *m = *at;

    if (m == NULL)
        return;
    *at = NULL;
    backup_free(&m->backup);
    store_rotation_free(&m->rotation);
    timer_free(&m->timer);
    free(m);
}
