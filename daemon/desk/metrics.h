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

struct metrics {
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
