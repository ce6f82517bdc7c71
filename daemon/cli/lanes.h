/* lanes: how a lane and what happens at it are said, for status and watch. */
#ifndef UKETSUKE_CLI_LANES_H
#define UKETSUKE_CLI_LANES_H

#include "message.h"

#include <stdbool.h>

struct table;

/* A row a lane; with a column for how long it has been so, or without. NULL if out of memory. */
struct table *lanes_table(bool with_since);
/* since: NULL in a table without that column. */
void lanes_add(struct table *table, const struct msg_lane_state *lane, const char *since);

/* "R001 words of the staff", "" for none. */
void lanes_trouble(char *out, size_t size, uint16_t failure);
/* What a LANE_STATE or VISIT_ITEM tells, in a line; words may hold a name. */
void lanes_event(const struct message *message, char *what, size_t what_size, char *words,
                 size_t words_size);
/* Local time, "" for none. */
void lanes_hour(char *out, size_t size, int64_t seconds, bool with_date);

#endif
