/*
 * shortage: what the host of a desk lacks, for a while: room on the disk (for every program at once), memory (of one
 * program: every so many-th request is refused), the right time (on every clock at once). soak.sh has put
 * tests/unit/short_calls.c before each program of the desk; here its states are set.
 */
#ifndef SIM_SHORTAGE_H
#define SIM_SHORTAGE_H

#include <stdbool.h>

#include "guest.h"

struct shortage;

/* NULL: this desk was not prepared for it. */
struct shortage *shortage_open(const struct site *site);
void shortage_close(struct shortage **shortage);

unsigned shortage_programs(const struct shortage *shortage);
const char *shortage_name(const struct shortage *shortage, unsigned program);
void shortage_disk(struct shortage *shortage);
void shortage_memory(struct shortage *shortage, unsigned program, unsigned every);
/* Everything there is again; how many calls were refused meanwhile. */
unsigned shortage_over(struct shortage *shortage);
/* How far off the wall clock is, 0: right. */
void shortage_clock(struct shortage *shortage, long seconds);

#endif
