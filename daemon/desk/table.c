#include "table.h"

#include "../common/config.h"

#include <errno.h>
#include <string.h>

#define S(state) (UINT32_C(1) << VISIT_##state)
#define NOTE(name) (UINT64_C(1) << NOTE_##name)
#define SEND(name) (UINT32_C(1) << SEND_##name)

/* Names in the failure and target columns, as the rows write them. */
#define FAILURE_CLEAR FAILURE_NONE
#define FAILURE_KEEP TABLE_FAILURE_KEEP
#define FAILURE_GIVEN TABLE_FAILURE_GIVEN
#define VISIT_STAY TABLE_STAY

static const struct table_row rows[] = {
#define ROW(from, event, guard, to, failure, notes, sends)                                         \
    {notes, from, sends, FAILURE_##failure, EVENT_##event, GUARD_##guard, VISIT_##to},
#include "table.def"
#undef ROW
};

enum { CFG_desk_FIXED = -1 };

static const struct table_limit limits[VISIT_STATE_COUNT] = {
    [VISIT_IDLE] = {-2, 0, ""},
    [VISIT_CLOSED] = {-2, 0, ""},
#define LIMIT(state, key, seconds) [VISIT_##state] = {CFG_desk_##key, seconds, #key},
#include "table.def"
#undef LIMIT
};

static const struct {
    const char *name;
    char credential;
} events[] = {
#define DESK_EVENT(name, text, credential) [EVENT_##name] = {text, credential},
#include "table.def"
#undef DESK_EVENT
};

static const char *const guards[] = {
#define DESK_GUARD(name, text) [GUARD_##name] = text,
#include "table.def"
#undef DESK_GUARD
};

static const char *const notes[] = {
#define DESK_NOTE(name, text) [NOTE_##name] = text,
#include "table.def"
#undef DESK_NOTE
};

static const struct {
    const char *name;
    char credential;
} sends[] = {
#define DESK_SEND(name, text, credential) [SEND_##name] = {text, credential},
#include "table.def"
#undef DESK_SEND
};

/* The events of actions stand in the order of visit.def. */
static const uint8_t action_events[] = {
    [ACTION_NONE] = EVENT_COUNT,
#define VISIT_ACTION(name, text, who) [ACTION_##name] = EVENT_##name,
#include "../common/visit.def"
#undef VISIT_ACTION
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

size_t table_rows(void)
{
    return COUNT(rows);
}

const struct table_row *table_row_at(size_t i)
{
    return i < COUNT(rows) ? &rows[i] : NULL;
}

size_t table_index(const struct table_row *row)
{
    return (size_t)(row - rows);
}

const struct table_row *table_find(unsigned state, enum desk_event_kind event,
                                   table_guard_fn *holds, const void *arg)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].event == event && (rows[i].from >> state & 1) != 0 &&
            (rows[i].guard == GUARD_ALWAYS || holds((enum desk_guard)rows[i].guard, arg)))
            return &rows[i];
    return NULL;
}

struct table_limit table_limit(unsigned state)
{
    return state < VISIT_STATE_COUNT ? limits[state] : limits[VISIT_IDLE];
}

enum desk_event_kind table_event_of_action(unsigned action)
{
    return action < COUNT(action_events) ? (enum desk_event_kind)action_events[action]
                                         : EVENT_COUNT;
}

const char *table_event_name(unsigned event)
{
    return event < COUNT(events) ? events[event].name : "?";
}

const char *table_guard_name(unsigned guard)
{
    return guard < COUNT(guards) ? guards[guard] : "?";
}

const char *table_note_name(unsigned note)
{
    return note < COUNT(notes) ? notes[note] : "?";
}

const char *table_send_name(unsigned send)
{
    return send < COUNT(sends) ? sends[send].name : "?";
}

char table_event_credential(unsigned event)
{
    return event < COUNT(events) ? events[event].credential : 0;
}

char table_send_credential(unsigned send)
{
    return send < COUNT(sends) ? sends[send].credential : 0;
}

/* ---- printing -------------------------------------------------------------------------------- */

static void print_limit(FILE *out, unsigned state)
{
    struct table_limit limit = table_limit(state);

    if (limit.config_key == -1)
        fprintf(out, "%u s", limit.seconds);
    else if (limit.config_key >= 0)
        fprintf(out, "%s", config_row((enum config_key)limit.config_key)->name);
}

/* All rows from one state to another as one edge, a line a row; dashed when only the clock takes
 * it. */
static void print_edge(FILE *out, unsigned from, unsigned to)
{
    bool any = false, clock_only = true;

    for (size_t i = 0; i < COUNT(rows); i++) {
        unsigned target = rows[i].to == TABLE_STAY ? from : rows[i].to;

        if ((rows[i].from >> from & 1) == 0 || target != to)
            continue;
        if (!any)
            fprintf(out, "  %s -> %s [label=\"", visit_state_name(from), visit_state_name(to));
        fprintf(out, "%s%s%s%s\\l", table_event_name(rows[i].event),
                rows[i].guard != GUARD_ALWAYS ? " [" : "", table_guard_name(rows[i].guard),
                rows[i].guard != GUARD_ALWAYS ? "]" : "");
        any = true;
        clock_only = clock_only && rows[i].event == EVENT_TIMEOUT;
    }
    if (any)
        fprintf(out, "\"%s];\n", clock_only ? ", style=dashed" : "");
}

int table_print_dot(FILE *out)
{
    fprintf(out, "digraph visit {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n");
    for (unsigned state = 0; state < VISIT_STATE_COUNT; state++) {
        fprintf(out, "  %s [label=\"%s\\n", visit_state_name(state), visit_state_name(state));
        print_limit(out, state);
        fprintf(out, "\"];\n");
    }
    for (unsigned from = 0; from < VISIT_STATE_COUNT; from++)
        for (unsigned to = 0; to < VISIT_STATE_COUNT; to++)
            print_edge(out, from, to);
    fprintf(out, "}\n");
    return fflush(out) == 0 && !ferror(out) ? 0 : -EIO;
}

static const char *failure_word(uint16_t failure)
{
    if (failure == TABLE_FAILURE_KEEP)
        return "keep";
    if (failure == TABLE_FAILURE_GIVEN)
        return "given";
    return failure == FAILURE_NONE ? "-" : failure_text(failure)->name;
}

static void print_set(FILE *out, uint64_t set, const char *(*name)(unsigned))
{
    const char *between = "";

    for (unsigned i = 0; i < 64; i++)
        if ((set >> i & 1) != 0) {
            fprintf(out, "%s%s", between, name(i));
            between = ", ";
        }
}

int table_print_text(FILE *out)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct table_row *row = &rows[i];

        print_set(out, row->from, visit_state_name);
        fprintf(out, "\t%s\t%s\t%s\t%s\t", table_event_name(row->event),
                table_guard_name(row->guard),
                row->to == TABLE_STAY ? "(stays)" : visit_state_name(row->to),
                failure_word(row->failure));
        print_set(out, row->notes, table_note_name);
        fputc('\t', out);
        print_set(out, row->sends, table_send_name);
        fputc('\n', out);
    }
    return fflush(out) == 0 && !ferror(out) ? 0 : -EIO;
}
