/*
 * config_change: what differs between two configurations, and which of it a running desk can take
 * at once.
 *
 * What it cannot take (FOR_DESK_LIVE in config.def says what it can) needs the programs that read it to be started
 * again, which costs no visit either: visits under way are taken up by the new ones.
 */
#ifndef UKETSUKE_CONFIG_CHANGE_H
#define UKETSUKE_CONFIG_CHANGE_H

#include "config.h"

/* Can uketsuked take another value of this key while it runs? */
bool config_is_live(enum config_key key);

/* name: "[lane 2] label", or "[lane 3]" for a section that came or went (from or to is NULL then).
 * Values are as written. */
struct config_change {
    enum config_key key;
    const char *instance;
    const char *name;
    const char *from, *to;
    bool live;
};
/* The units to be restarted for it, separated by blanks ("uketsuke-desk.service uketsuke-relay@main.service"). */
void config_units(const struct config_change *change, char *out, size_t size);
typedef void config_change_fn(const struct config_change *change, void *arg);
/*
 * `started`: what the programs were started with; `running`: what the desk has taken since (the
 * same when nothing). Returns how many changes there are.
 */
size_t config_compare(const struct config *started, const struct config *running,
                      const struct config *wanted, config_change_fn *each, void *arg);

#endif
