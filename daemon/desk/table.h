/*
 * table: the visit as data (table.def), with the few functions that read it.
 *
 * Pure: no clock, no store, no messages. The engine (visit.c) asks it for a row, tests walk it, and
 * `uketsuked --print-table dot` draws it.
 */
#ifndef UKETSUKE_DESK_TABLE_H
#define UKETSUKE_DESK_TABLE_H

#include "../common/failure.h"
#include "../common/visit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum desk_event_kind {
#define DESK_EVENT(name, text, credential) EVENT_##name,
#include "table.def"
#undef DESK_EVENT
    EVENT_COUNT
};

enum desk_guard {
#define DESK_GUARD(name, text) GUARD_##name,
#include "table.def"
#undef DESK_GUARD
    GUARD_COUNT
};

enum desk_note {
#define DESK_NOTE(name, text) NOTE_##name,
#include "table.def"
#undef DESK_NOTE
    NOTE_COUNT
};

enum desk_send {
#define DESK_SEND(name, text, credential) SEND_##name,
#include "table.def"
#undef DESK_SEND
    SEND_COUNT
};

#define TABLE_STAY 255 /* row.to: the state and its deadline stay */

/* row.failure beside the rows of failure.def */
enum table_failure {
    TABLE_FAILURE_KEEP = 0xfffe,
    TABLE_FAILURE_GIVEN = 0xffff,
};

struct table_row {
    uint64_t notes; /* a bit for each enum desk_note */
    uint32_t from;  /* a bit for each enum visit_state */
    uint32_t sends; /* a bit for each enum desk_send */
    uint16_t failure;
    uint8_t event;
    uint8_t guard;
    uint8_t to; /* enum visit_state or TABLE_STAY */
};

struct table_limit {
    int config_key;   /* enum config_key, -1: fixed, -2: none (IDLE and CLOSED) */
    unsigned seconds; /* when fixed */
    const char *key;  /* "METHOD_SECONDS", "FIXED", "" */
};

/* The i-th row, NULL past the end. */
const struct table_row *table_row_at(size_t i);
size_t table_rows(void);
size_t table_index(const struct table_row *row);

/* The first row for this state and event whose guard holds; NULL when there is none. */
typedef bool table_guard_fn(enum desk_guard guard, const void *arg);
const struct table_row *table_find(unsigned state, enum desk_event_kind event,
                                   table_guard_fn *holds, const void *arg);

struct table_limit table_limit(unsigned state);

/* The event of an action (enum visit_action); EVENT_COUNT when there is none. */
enum desk_event_kind table_event_of_action(unsigned action);

const char *table_event_name(unsigned event);
const char *table_guard_name(unsigned guard);
const char *table_note_name(unsigned note);
const char *table_send_name(unsigned send);
/* 'P', 'B' or 0: see table.def. */
char table_event_credential(unsigned event);
char table_send_credential(unsigned send);

/* The table as a Graphviz graph. Returns 0, or -EIO. */
int table_print_dot(FILE *out);
/* As one line a row, tab separated: from, event, guard, to, failure, notes, sends. */
int table_print_text(FILE *out);

#endif
