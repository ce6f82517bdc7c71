/*
 * The ledger: one JSON line for every request, on disk before the answer leaves.
 *
 * Each line goes out in a single write() to a file opened with O_APPEND and is fsync'ed, so after
 * kill -9 the file holds every request that can have been answered, and at most one torn last line.
 * Callers serialise by the service's lock.
 */
#ifndef SIM_SERVICE_LEDGER_H
#define SIM_SERVICE_LEDGER_H

#include <jansson.h>

struct ledger;

/*
 * Opens or creates the file. Whole lines already there are counted; a torn last line is closed with
 * a newline and left alone. When each is given it is called with every line that was there (borrowed).
 * Returns 0 or negative errno.
 */
int ledger_open(struct ledger **out, const char *path, void (*each)(void *arg, const json_t *line),
                void *arg);
void ledger_close(struct ledger *ledger);

/* Adds "seq" and writes the line. Takes no reference. Returns 0 or negative errno. */
int ledger_append(struct ledger *ledger, json_t *line);

/* New reference: {"lines":n, "paths":{path:n}, "kinds":{kind:n}}, counting what this run wrote. */
json_t *ledger_counts(const struct ledger *ledger);

#endif
