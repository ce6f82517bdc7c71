/*
 * metrics: what the desk counts, as Prometheus text (exposition format 0.0.4).
 * Labels are names from our own tables, lane numbers and the names of the configuration's sections (letters, digits, - and
 * _): nothing about a patient has a way in.
 */
#ifndef UKETSUKE_DESK_METRICS_H
#define UKETSUKE_DESK_METRICS_H

#include "../common/failure.h"
#include "../common/outbox.h"
#include "../common/visit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum metrics_stage {
    STAGE_CARD,
    STAGE_PHOTO,
    STAGE_FACE,
    STAGE_PIN,
    STAGE_ASK,
    STAGE_TOTAL,
    STAGE_COUNT,
};

#define METRICS_BUCKETS 12

/* Of the copies that the desk makes by itself or when it is asked. */
struct metrics_backups {
    bool wanted;       /* a directory is configured */
    bool failing;      /* the newest attempt failed */
    unsigned hours;    /* between two */
    int64_t newest_us; /* when the newest that stands there was begun; 0: none */
    int64_t since_us;  /* when this desk began to look */
    uint64_t failures; /* attempts that failed */
};
/* The newest one, or this desk's whole time without any, is older than twice the time between two. */
bool metrics_backups_late(const struct metrics_backups *backups, int64_t now_us);

struct metrics {
    struct metrics_backups backups;                           /* kept by maintain */
    uint64_t visits[VISIT_METHOD_COUNT][VISIT_OUTCOME_COUNT]; /* closed */
    uint64_t opened;
    uint64_t failures[FAILURE_COUNT]; /* shown on a lane */
    uint64_t cache_hits, cache_misses, last_known;
    uint64_t slips_filed, slips_answered;
    uint64_t terminal_visits, late_answers;
    uint64_t handover_tries, handover_failed;
    uint64_t handover_ended[OUTBOX_KIND_COUNT][OUTBOX_STATE_COUNT];
    uint64_t asks, store_failures, actions_refused, frames, resumed;
    struct {
        uint64_t bucket[METRICS_BUCKETS + 1];
        uint64_t count;
        uint64_t sum_ms;
    } stages[STAGE_COUNT];
};

void metrics_stage(struct metrics *metrics, enum metrics_stage stage, uint32_t ms);

struct desk;
/* Text of all counters and the present state of the lanes; free() it. NULL when out of memory. */
char *metrics_text(const struct desk *desk, size_t *len);

#endif
