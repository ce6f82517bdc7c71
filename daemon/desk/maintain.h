/*
 * maintain: the work on the database that takes long, a little at a time between visits: backups,
 * the walk of the audit chain, a new payload key, what goes when the retention is over; and what is
 * due by itself.
 *
 * One task at a time. Nothing here waits: each step is short, and the lanes go on in between.
 */
#ifndef UKETSUKE_DESK_MAINTAIN_H
#define UKETSUKE_DESK_MAINTAIN_H

#include "../common/clock.h"
#include "../common/message.h"
#include "../store/store.h"
#include "metrics.h"

struct config;
struct maintain;

/* As in msg_maintain. */
enum maintain_task {
    MAINTAIN_NONE,
    MAINTAIN_AUDIT,
    MAINTAIN_BACKUP,
    MAINTAIN_ROTATE,
    MAINTAIN_ANCHOR,
    MAINTAIN_TASKS
};

/* `asker`: as given to maintain_start(), NULL for what began by itself. Text is in `end` only. */
typedef void maintain_progress_fn(void *arg, void *asker,
                                  const struct msg_maintain_progress *progress);
typedef void maintain_end_fn(void *arg, void *asker, const struct msg_maintained *end);

struct maintain_ports {
    void *arg;
    maintain_progress_fn *progress;
    maintain_end_fn *end;
    struct metrics_backups *backups; /* how they are is written there; NULL: nobody looks */
};

/* `store` and `config` are borrowed. */
int maintain_new(struct maintain **out, struct clock *clock, struct store *store,
                 const struct config *config, const struct maintain_ports *ports);
/* Other intervals and another retention from now on; where backups go stays. Nothing of `config` is kept. */
void maintain_configure(struct maintain *maintain, const struct config *config);
void maintain_free(struct maintain **maintain);
/*
 * (For control_worker, so it comes without its type.) Begin a task for somebody. The end is told in
 * any case, also at once. `staff` goes to the audit log. row, high, low: an anchor to be compared
 * (MAINTAIN_AUDIT, row 0: none).
 */
void maintain_start(void *maintain, const struct msg_maintain *wanted, void *asker);
/* The asker is gone: its task goes on, nobody is told. */
void maintain_forget(void *maintain, const void *asker);
/* Once a minute, by a clock that is believed: begin what is due (backup, unfinished rotation), let
 * go what is over. */
void maintain_upkeep(struct maintain *maintain);

#endif
