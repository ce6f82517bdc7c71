/* status, visits, lookup: what the desk tells. */
#include "command.h"
#include "failure.h"
#include "json.h"
#include "lanes.h"
#include "link.h"
#include "table.h"
#include "visit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WATCH_LANES 1
#define WATCH_VISITS 2
#define LOOKUP_MS 40000

struct asked {
    const struct command_options *options;
    struct table *table;
    uint64_t visit;
    struct msg_visit_item item;
    bool found;
    struct msg_action_result result;
    uint16_t failure; /* why there is nothing */
    /* A list comes in pages. */
    uint64_t last;
    uint32_t rows;
    bool more;
};

static int lost(const struct command_options *options, int error)
{
    (void)fprintf(options->err, "uketsuke: %s\n", command_reason(error));
    return EXIT_NO_DESK;
}

/* How a question ended. */
static int ended(const struct command_options *options, int r, uint16_t failure)
{
    if (r < 0)
        return lost(options, r);
    return failure != FAILURE_NONE ? command_refused(options, failure) : EXIT_AS_ASKED;
}

static int take_status(struct message *message, void *arg)
{
    struct asked *asked = arg;

    if (message->type == MSG_SUBSCRIBED) {
        asked->failure = message->body.subscribed.failure;
        return 1;
    }
    if (message->type != MSG_LANE_STATE)
        return 0;
    if (asked->options->json) {
        json_message(asked->options->out, message->type, &message->body);
        return 0;
    }
    lanes_add(asked->table, &message->body.lane_state, NULL);
    return 0;
}

int command_status(const struct command_options *options, int argc, char **argv)
{
    struct msg_subscribe subscribe = {.what = WATCH_LANES};
    struct asked asked = {.options = options};
    int r, status;
    struct link *link =
        command_look(options, argc, argv, subscribe.staff, sizeof(subscribe.staff), &status);

    if (link == NULL)
        return status;
    asked.table = lanes_table(false);
    r = link_ask(link, MSG_SUBSCRIBE, &subscribe, LINK_ASK_MS, take_status, &asked);
    link_close(&link);
    if (r == 0 && asked.failure == FAILURE_NONE && !options->json)
        table_print(asked.table, options->out);
    table_free(&asked.table);
    return ended(options, r, asked.failure);
}

static void flags_text(char *out, size_t size, uint32_t flags)
{
    static const struct {
        uint32_t bit;
        const char *word;
    } words[] = {
        {VISIT_FLAG_LOOK, "要目視"},           {VISIT_FLAG_CACHED, "再利用"},
        {VISIT_FLAG_LAST_KNOWN, "前回の結果"}, {VISIT_FLAG_NOTICE, "お知らせ"},
        {VISIT_FLAG_MASKED_NAME, "名前に●"},   {VISIT_FLAG_UNCHECKED, "真正性未確認"},
        {VISIT_FLAG_RESUMED, "再開"},          {VISIT_FLAG_SLIP, "受付票"},
        {VISIT_FLAG_RECONCILED, "照会済"},     {VISIT_FLAG_DIFFERENT, "相違"},
        {VISIT_FLAG_AGAIN, "再受付"},          {VISIT_FLAG_PROXY, "代理"},
        {VISIT_FLAG_DISASTER, "災害"},
    };
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if ((flags & words[i].bit) != 0 && used < size)
            used += (size_t)snprintf(out + used, size - used, "%s%s", used > 0 ? "," : "",
                                     words[i].word);
}

static int take_visits(struct message *message, void *arg)
{
    struct asked *asked = arg;
    const struct msg_visit_item *m = &message->body.visit_item;
    char visit[24], opened[16], lane[8], flags[160];

    if (message->type == MSG_VISITS_END) {
        asked->failure = message->body.visits_end.failure;
        asked->more = message->body.visits_end.more != 0;
        return 1;
    }
    if (message->type != MSG_VISIT_ITEM)
        return 0;
    asked->last = m->visit;
    asked->rows++;
    if (asked->options->json) {
        json_message(asked->options->out, message->type, &message->body);
        return 0;
    }
    (void)snprintf(visit, sizeof(visit), "%llu", (unsigned long long)m->visit);
    (void)snprintf(lane, sizeof(lane), "%u", m->lane);
    lanes_hour(opened, sizeof(opened), m->opened, false);
    flags_text(flags, sizeof(flags), m->flags);
    table_add(asked->table,
              (const char *const[]){visit, opened, m->lane != 0 ? lane : "", m->name, m->birth,
                                    visit_method_name(m->method),
                                    m->outcome == OUTCOME_OPEN ? visit_state_name(m->state)
                                                               : visit_outcome_name(m->outcome),
                                    m->ratio, m->limit_class,
                                    m->failure != 0 ? failure_text(m->failure)->code : "", flags});
    return 0;
}

static int64_t midnight(void)
{
    time_t now = time(NULL);
    struct tm tm;

    if (localtime_r(&now, &tm) == NULL)
        return 0;
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    tm.tm_isdst = -1;
    return (int64_t)mktime(&tm);
}

int command_visits(const struct command_options *options, int argc, char **argv)
{
    static const char *const headings[] = {"受付", "時刻", "レーン", "名前",   "生年月日", "方法",
                                           "結果", "割合", "限度額", "コード", "注意"};
    struct msg_visits_query query = {.since = midnight()};
    struct asked asked = {.options = options};
    struct link *link;
    int r;

    if (command_no_more(options, argc, argv) < 0 ||
        command_viewer(options, query.staff, sizeof(query.staff)) < 0)
        return EXIT_USAGE;
    if (options->date != NULL) {
        if (command_day(options->date, &query.since) < 0) {
            (void)fprintf(options->err,
                          "uketsuke: %s: 日付は YYYY-MM-DD です / the date is YYYY-MM-DD\n",
                          options->date);
            return EXIT_USAGE;
        }
        query.until = query.since + 24 * 3600;
    }
    link = command_link(options);
    if (link == NULL)
        return EXIT_NO_DESK;
    asked.table = table_new(headings, sizeof(headings) / sizeof(headings[0]));
    do { /* page by page, as many as there are or are wanted */
        query.before = asked.last;
        query.limit = options->limit > 0 ? options->limit - asked.rows : 0;
        r = link_ask(link, MSG_VISITS_QUERY, &query, LINK_ASK_MS, take_visits, &asked);
    } while (r == 0 && asked.more && (options->limit == 0 || asked.rows < options->limit));
    link_close(&link);
    if (r == 0 && asked.failure == FAILURE_NONE && !options->json) {
        if (table_rows(asked.table) == 0)
            (void)fprintf(options->out, "受付はありません / no visits\n");
        else
            table_print(asked.table, options->out);
    }
    table_free(&asked.table);
    return ended(options, r, asked.failure);
}

static int take_quietly(struct message *message, void *arg)
{
    struct asked *asked = arg;

    if (message->type != MSG_SUBSCRIBED)
        return 0;
    asked->failure = message->body.subscribed.failure;
    return 1;
}

static int take_result(struct message *message, void *arg)
{
    struct asked *asked = arg;

    if (message->type != MSG_ACTION_RESULT)
        return 0;
    asked->result = message->body.action_result;
    return 1;
}

static int take_outcome(struct message *message, void *arg)
{
    struct asked *asked = arg;

    if (message->type != MSG_VISIT_ITEM || message->body.visit_item.visit != asked->visit)
        return 0;
    asked->item = message->body.visit_item;
    asked->found = true;
    return asked->item.outcome != OUTCOME_OPEN ? 1 : 0;
}

/* The items themselves are seen by take_outcome(), which observes everything. */
static int take_end(struct message *message, void *arg)
{
    struct asked *asked = arg;

    if (message->type != MSG_VISITS_END)
        return 0;
    asked->failure = message->body.visits_end.failure;
    return 1;
}

static void print_outcome(const struct command_options *options, const struct msg_visit_item *m)
{
    char why[512], at[32];

    if (options->json) {
        json_message(options->out, MSG_VISIT_ITEM, m);
        return;
    }
    lanes_trouble(why, sizeof(why), m->failure);
    lanes_hour(at, sizeof(at), m->answered, true);
    (void)fprintf(options->out, "%s", visit_outcome_name(m->outcome));
    (void)fprintf(options->out, "  受付/visit %llu  ", (unsigned long long)m->visit);
    table_put(options->out, m->name);
    (void)fprintf(options->out, "  %s  ", m->birth);
    table_put(options->out, m->insurer);
    (void)fprintf(options->out, "  割合/ratio %s  限度額/limit %s  回答/answered %s  %s\n",
                  m->ratio[0] != '\0' ? m->ratio : "-",
                  m->limit_class[0] != '\0' ? m->limit_class : "-", at[0] != '\0' ? at : "-", why);
}

int command_lookup(const struct command_options *options, int argc, char **argv)
{
    struct msg_subscribe subscribe = {.what = WATCH_VISITS};
    struct msg_lookup lookup = {
        .surface = 'C', .visit = options->visit, .limit_consent = options->limit_consent ? 1 : 0};
    struct asked asked = {.options = options};
    const char *staff = command_staff(options);
    struct link *link;
    int r;

    if (argc != 2 || options->birth == NULL) {
        (void)fprintf(options->err, "uketsuke lookup INSURER NUMBER --birth YYYYMMDD [--symbol S] "
                                    "[--branch NN] [--limit-consent] [--visit ID]\n");
        return EXIT_USAGE;
    }
    if (MESSAGE_TEXT(lookup.insurer, argv[0]) < 0 || MESSAGE_TEXT(lookup.number, argv[1]) < 0 ||
        MESSAGE_TEXT(lookup.birth, options->birth) < 0 || MESSAGE_TEXT(lookup.staff, staff) < 0 ||
        MESSAGE_TEXT(subscribe.staff, staff) < 0 ||
        MESSAGE_TEXT(lookup.symbol, options->symbol != NULL ? options->symbol : "") < 0 ||
        MESSAGE_TEXT(lookup.branch, options->branch != NULL ? options->branch : "") < 0) {
        (void)fprintf(options->err, "uketsuke: 入力が長すぎます / an entry is too long\n");
        return EXIT_USAGE;
    }
    link = command_link(options);
    if (link == NULL)
        return EXIT_NO_DESK;
    /* First listen, then ask: the outcome cannot be missed. */
    r = link_ask(link, MSG_SUBSCRIBE, &subscribe, LINK_ASK_MS, take_quietly, &asked);
    if (r == 0 && asked.failure == FAILURE_NONE)
        r = link_ask(link, MSG_LOOKUP, &lookup, LINK_ASK_MS, take_result, &asked);
    if (r == 0 && asked.result.accepted != 0) {
        struct msg_visits_query query = {.visit = asked.result.visit, .limit = 1};

        asked.visit = asked.result.visit;
        memcpy(query.staff, lookup.staff, sizeof(query.staff));
        link_observe(link, take_outcome, &asked);
        /* It may be over already: then it is among what is there. */
        r = link_ask(link, MSG_VISITS_QUERY, &query, LINK_ASK_MS, take_end, &asked);
        if (r == 0 && asked.failure == FAILURE_NONE &&
            (!asked.found || asked.item.outcome == OUTCOME_OPEN))
            r = link_listen(link, LOOKUP_MS, take_outcome, &asked);
    }
    link_close(&link);
    if (r < 0 || asked.failure != FAILURE_NONE)
        return ended(options, r, asked.failure);
    if (asked.result.accepted == 0) {
        const struct failure_text *text = failure_text(asked.result.failure);

        (void)fprintf(options->err, "uketsuke: %s %s / %s%s%s%s\n", text->code, text->staff_ja,
                      text->staff_en, asked.result.field[0] != '\0' ? " (--" : "",
                      asked.result.field, asked.result.field[0] != '\0' ? ")" : "");
        return EXIT_USAGE;
    }
    print_outcome(options, &asked.item);
    return asked.item.outcome == OUTCOME_ELIGIBLE ? EXIT_AS_ASKED : EXIT_NOT_SO;
}
