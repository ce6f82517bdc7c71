#include "lanes.h"

#include "failure.h"
#include "table.h"
#include "visit.h"

#include <stdio.h>
#include <time.h>

struct table *lanes_table(bool with_since)
{
    static const char *const headings[2][8] = {
        {"レーン", "名前", "状態", "方法", "受付", "カード", "注意"},
        {"レーン", "名前", "状態", "方法", "受付", "カード", "経過", "注意"}};

    return table_new(headings[with_since], with_since ? 8 : 7);
}

static uint16_t failure_of(const struct msg_lane_state *lane)
{
    return lane->failure != 0 ? lane->failure : lane->reader != 0 ? lane->reader : lane->camera;
}

void lanes_add(struct table *table, const struct msg_lane_state *m, const char *since)
{
    char lane[8], visit[24], why[512];

    (void)snprintf(lane, sizeof(lane), "%u", m->lane);
    (void)snprintf(visit, sizeof(visit), "%llu", (unsigned long long)m->visit);
    lanes_trouble(why, sizeof(why), failure_of(m));
    table_add(table, (const char *const[]){lane, m->label, visit_state_name(m->state),
                                           m->visit != 0 ? visit_method_name(m->method) : "",
                                           m->visit != 0 ? visit : "", m->card != 0 ? "card" : "",
                                           since != NULL ? since : why, why});
}

void lanes_trouble(char *out, size_t size, uint16_t failure)
{
    const struct failure_text *text = failure_text(failure);

    out[0] = '\0';
    if (text->kind != FAILURE_KIND_NONE)
        (void)snprintf(out, size, "%s %s / %s", text->code, text->staff_ja, text->staff_en);
}

void lanes_event(const struct message *message, char *what, size_t what_size, char *words,
                 size_t words_size)
{
    if (message->type == MSG_LANE_STATE) {
        const struct msg_lane_state *m = &message->body.lane_state;

        lanes_trouble(words, words_size, failure_of(m));
        (void)snprintf(what, what_size, "lane %-3u %-16s %-7s ", m->lane,
                       visit_state_name(m->state),
                       m->visit != 0 ? visit_method_name(m->method) : "");
    } else {
        const struct msg_visit_item *m = &message->body.visit_item;

        (void)snprintf(what, what_size, "visit %-8llu %-12s %-7s %s %u ms  ",
                       (unsigned long long)m->visit,
                       m->outcome == OUTCOME_OPEN ? visit_state_name(m->state)
                                                  : visit_outcome_name(m->outcome),
                       visit_method_name(m->method),
                       m->failure != 0 ? failure_text(m->failure)->code : "-", m->total_ms);
        (void)snprintf(words, words_size, "%s", m->name);
    }
}

void lanes_hour(char *out, size_t size, int64_t seconds, bool with_date)
{
    time_t t = (time_t)seconds;
    struct tm tm;

    out[0] = '\0';
    if (seconds == 0 || localtime_r(&t, &tm) == NULL)
        return;
    if (with_date)
        (void)strftime(out, size, "%Y-%m-%d %H:%M:%S", &tm);
    else
        (void)strftime(out, size, "%H:%M:%S", &tm);
}
