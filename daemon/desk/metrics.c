#include "metrics.h"

#include "desk.h"
#include "outbox.h"

#include <stdio.h>
#include <stdlib.h>

static const uint32_t bounds_ms[METRICS_BUCKETS] = {5,   10,   25,   50,   100,   250,
                                                    500, 1000, 2500, 5000, 15000, 60000};

static const char *const stages[STAGE_COUNT] = {
    [STAGE_CARD] = "card", [STAGE_PHOTO] = "photo", [STAGE_FACE] = "face",
    [STAGE_PIN] = "pin",   [STAGE_ASK] = "ask",     [STAGE_TOTAL] = "total",
};

void metrics_stage(struct metrics *metrics, enum metrics_stage stage, uint32_t ms)
{
    unsigned i = 0;

    while (i < METRICS_BUCKETS && ms > bounds_ms[i])
        i++;
    metrics->stages[stage].bucket[i]++;
    metrics->stages[stage].count++;
    metrics->stages[stage].sum_ms += ms;
}

static void head(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP uketsuke_%s %s\n# TYPE uketsuke_%s %s\n", name, help, name, type);
}

static void counter(FILE *out, const char *name, const char *help, uint64_t value)
{
    head(out, name, "counter", help);
    fprintf(out, "uketsuke_%s %llu\n", name, (unsigned long long)value);
}

static void print_visits(FILE *out, const struct metrics *m)
{
    head(out, "visits_total", "counter", "Visits that were closed.");
    for (unsigned i = 0; i < VISIT_METHOD_COUNT; i++)
        for (unsigned j = 0; j < VISIT_OUTCOME_COUNT; j++)
            if (m->visits[i][j] > 0)
                fprintf(out, "uketsuke_visits_total{method=\"%s\",outcome=\"%s\"} %llu\n",
                        visit_method_name(i), visit_outcome_name(j),
                        (unsigned long long)m->visits[i][j]);
    head(out, "failures_total", "counter", "Failures shown on a lane, by code.");
    for (unsigned i = 1; i < FAILURE_COUNT; i++)
        if (m->failures[i] > 0)
            fprintf(out, "uketsuke_failures_total{code=\"%s\"} %llu\n",
                    failure_text((uint16_t)i)->code, (unsigned long long)m->failures[i]);
}

static void print_stages(FILE *out, const struct metrics *m)
{
    head(out, "stage_seconds", "histogram", "Time that a stage of a visit took.");
    for (unsigned s = 0; s < STAGE_COUNT; s++) {
        uint64_t sum = 0;

        for (unsigned i = 0; i < METRICS_BUCKETS; i++) {
            sum += m->stages[s].bucket[i];
            fprintf(out, "uketsuke_stage_seconds_bucket{stage=\"%s\",le=\"%u.%03u\"} %llu\n",
                    stages[s], bounds_ms[i] / 1000, bounds_ms[i] % 1000, (unsigned long long)sum);
        }
        fprintf(out, "uketsuke_stage_seconds_bucket{stage=\"%s\",le=\"+Inf\"} %llu\n", stages[s],
                (unsigned long long)m->stages[s].count);
        fprintf(out, "uketsuke_stage_seconds_sum{stage=\"%s\"} %llu.%03llu\n", stages[s],
                (unsigned long long)(m->stages[s].sum_ms / 1000),
                (unsigned long long)(m->stages[s].sum_ms % 1000));
        fprintf(out, "uketsuke_stage_seconds_count{stage=\"%s\"} %llu\n", stages[s],
                (unsigned long long)m->stages[s].count);
    }
}

static void print_lanes(FILE *out, const struct desk *desk)
{
    head(out, "lane_reader_up", "gauge", "1 when the lane's card reader can be used.");
    for (unsigned i = 0; i < desk->nlanes; i++)
        fprintf(out, "uketsuke_lane_reader_up{lane=\"%u\"} %d\n", desk->lanes[i]->number,
                desk->lanes[i]->heard && desk->lanes[i]->reader.reader == FAILURE_NONE);
    head(out, "lane_camera_up", "gauge", "1 when the lane's camera can be used.");
    for (unsigned i = 0; i < desk->nlanes; i++)
        fprintf(out, "uketsuke_lane_camera_up{lane=\"%u\"} %d\n", desk->lanes[i]->number,
                desk->lanes[i]->heard && desk->lanes[i]->reader.camera == FAILURE_NONE);
    head(out, "lane_busy", "gauge", "1 while a visit is at the lane.");
    for (unsigned i = 0; i < desk->nlanes; i++)
        fprintf(out, "uketsuke_lane_busy{lane=\"%u\",state=\"%s\"} %d\n", desk->lanes[i]->number,
                visit_state_name(desk->lanes[i]->visit->record.state),
                desk->lanes[i]->visit->record.id != 0);
    head(out, "upstream_up", "gauge", "1 when the relay runs and its circuit breaker is closed.");
    for (unsigned i = 0; i < desk->nupstreams; i++)
        fprintf(out, "uketsuke_upstream_up{upstream=\"%s\"} %d\n", desk->upstreams[i].name,
                desk->upstreams[i].up && desk->upstreams[i].breaker == 0);
    head(out, "matcher_up", "gauge", "1 while the matching program is connected.");
    fprintf(out, "uketsuke_matcher_up %d\n", desk->matcher_up);
    head(out, "clock_believed", "gauge", "1 while the wall clock is believed.");
    fprintf(out, "uketsuke_clock_believed %d\n", !desk->clock_doubtful);
    head(out, "clock_followed", "gauge",
         "1 while the clock follows a time server, or nobody wants to know (clock-source = none).");
    fprintf(out, "uketsuke_clock_followed %d\n", desk_clock_synchronised(desk) == 1);
}

static void print_outbox(FILE *out, const struct desk *desk)
{
    struct store_outbox_counts counts;
    int64_t now = (int64_t)clock_realtime_us(desk->clock);
    bool stored = store_outbox_counts(desk->store, &counts) == 0;

    counter(out, "handover_tries_total", "Attempts to hand something over.",
            desk->metrics.handover_tries);
    counter(out, "handover_failures_total", "Attempts that did not arrive, or perhaps not.",
            desk->metrics.handover_failed);
    head(out, "handover_ended_total", "counter",
         "What was handed over, and what was left to staff, by kind.");
    for (unsigned k = 0; k < OUTBOX_KIND_COUNT; k++)
        for (unsigned s = OUTBOX_DONE; s < OUTBOX_STATE_COUNT; s++)
            fprintf(out, "uketsuke_handover_ended_total{kind=\"%s\",state=\"%s\"} %llu\n",
                    outbox_kind_name(k), outbox_state_name(s),
                    (unsigned long long)desk->metrics.handover_ended[k][s]);
    if (!stored)
        return;
    head(out, "outbox_entries", "gauge",
         "Entries of the outbox that are not done, by kind and state.");
    for (unsigned k = 0; k < OUTBOX_KIND_COUNT; k++)
        for (unsigned s = 0; s < OUTBOX_STATE_COUNT; s++)
            if (s != OUTBOX_DONE)
                fprintf(out, "uketsuke_outbox_entries{kind=\"%s\",state=\"%s\"} %llu\n",
                        outbox_kind_name(k), outbox_state_name(s),
                        (unsigned long long)counts.count[k][s]);
    head(out, "outbox_oldest_age_seconds", "gauge",
         "Age of the oldest entry that is on its way, by kind.");
    for (unsigned k = 0; k < OUTBOX_KIND_COUNT; k++) {
        int64_t oldest = 0;

        for (unsigned s = 0; s <= OUTBOX_SENT_MAYBE; s++)
            if (counts.oldest_us[k][s] > 0 && (oldest == 0 || counts.oldest_us[k][s] < oldest))
                oldest = counts.oldest_us[k][s];
        fprintf(
            out, "uketsuke_outbox_oldest_age_seconds{kind=\"%s\"} %lld\n", outbox_kind_name(k),
            (long long)(oldest > 0 && now > oldest ? (now - oldest) / (int64_t)CLOCK_SECOND : 0));
    }
    head(out, "output_up", "gauge", "1 when the carrier of an output runs and can work.");
    for (unsigned i = 0; i < outbox_outputs(desk); i++) {
        uint16_t failure;

        fprintf(out, "uketsuke_output_up{output=\"%s\"} %d\n", outbox_output(desk, i)->name,
                outbox_output_good(desk, i, &failure));
    }
}

static void print_store(FILE *out, const struct desk *desk)
{
    struct store_status status;

    if (store_status(desk->store, &status) < 0)
        return;
    head(out, "store_bytes", "gauge", "Size of the database.");
    fprintf(out, "uketsuke_store_bytes %llu\n", (unsigned long long)status.bytes);
    head(out, "store_audit_rows", "gauge", "Rows of the audit log.");
    fprintf(out, "uketsuke_store_audit_rows %llu\n", (unsigned long long)status.audit_rows);
    if (status.newest_answer_us > 0) {
        int64_t age = (int64_t)clock_realtime_us(desk->clock) - status.newest_answer_us;

        head(out, "cache_newest_answer_age_seconds", "gauge",
             "Age of the newest answer of an upstream.");
        fprintf(out, "uketsuke_cache_newest_answer_age_seconds %lld\n",
                (long long)(age > 0 ? age / (int64_t)CLOCK_SECOND : 0));
    }
    counter(out, "store_commits_total", "Durable steps.", status.commits);
}

bool metrics_backups_late(const struct metrics_backups *b, int64_t now_us)
{
    int64_t from = b->newest_us > 0 ? b->newest_us : b->since_us;

    return b->wanted && now_us - from > 2 * (int64_t)(b->hours * 60 * CLOCK_MINUTE);
}

static void print_backups(FILE *out, const struct metrics_backups *b)
{
    counter(out, "backup_failures_total", "Backups that failed.", b->failures);
    if (!b->wanted)
        return;
    head(out, "backup_last_timestamp_seconds", "gauge",
         "When the newest good backup was begun; 0 when there is none.");
    fprintf(out, "uketsuke_backup_last_timestamp_seconds %lld\n",
            (long long)(b->newest_us / (int64_t)CLOCK_SECOND));
    head(out, "backup_interval_seconds", "gauge", "Time between two backups as configured.");
    fprintf(out, "uketsuke_backup_interval_seconds %u\n", b->hours * 3600);
}

char *metrics_text(const struct desk *desk, size_t *len)
{
    const struct metrics *m = &desk->metrics;
    char *text = NULL;
    FILE *out = open_memstream(&text, len);
    bool good;

    if (out == NULL)
        return NULL;
    print_visits(out, m);
    print_stages(out, m);
    counter(out, "visits_opened_total", "Visits that were opened.", m->opened);
    counter(out, "visits_resumed_total", "Visits taken up again after a restart.", m->resumed);
    counter(out, "cache_hits_total", "Questions answered by today's answer.", m->cache_hits);
    counter(out, "cache_misses_total", "Questions that had no answer of today.", m->cache_misses);
    counter(out, "last_known_total", "Older answers shown.", m->last_known);
    counter(out, "slips_filed_total", "Visits accepted without an answer of their day.",
            m->slips_filed);
    counter(out, "slips_answered_total", "Slips that the service answered later.",
            m->slips_answered);
    counter(out, "terminal_visits_total", "Visits at official terminals.", m->terminal_visits);
    counter(out, "late_answers_total", "Answers that came after their question had ended.",
            m->late_answers);
    counter(out, "asks_total", "Questions to an upstream.", m->asks);
    counter(out, "frames_total", "Camera frames passed on.", m->frames);
    counter(out, "actions_refused_total", "Actions that came out of turn.", m->actions_refused);
    counter(out, "store_failures_total", "Steps that the store refused.", m->store_failures);
    print_lanes(out, desk);
    print_store(out, desk);
    print_outbox(out, desk);
    print_backups(out, &m->backups);
    good = !ferror(out);
    if (fclose(out) != 0 || !good) {
        free(text);
        return NULL;
    }
    return text;
}
