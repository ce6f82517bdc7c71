/* audit list: who did and who saw what, from the log, the newest first. */
#include "cmd_audit.h"

#include "command.h"
#include "failure.h"
#include "json.h"
#include "link.h"
#include "table.h"

#include <stdlib.h>
#include <string.h>

#define DAY_S (24 * 3600)

struct listing {
    const struct command_options *options;
    struct table *table;
    int64_t since, until; /* seconds since 1970; until 0: no end */
    uint32_t shown;
    uint64_t oldest; /* row of this page */
    struct msg_audit_end end;
    bool enough;
};

static void show(struct listing *listing, const struct msg_audit_item *item)
{
    char row[24], when[32], visit[24] = "", lane[8] = "";

    listing->shown++;
    if (listing->options->json) {
        json_message(listing->options->out, MSG_AUDIT_ITEM, item);
        return;
    }
    (void)snprintf(row, sizeof(row), "%llu", (unsigned long long)item->row);
    command_when(when, sizeof(when), item->at / 1000000, true);
    if (item->visit != 0)
        (void)snprintf(visit, sizeof(visit), "%llu", (unsigned long long)item->visit);
    if (item->lane != 0)
        (void)snprintf(lane, sizeof(lane), "%u", item->lane);
    table_add(listing->table,
              (const char *const[]){row, when, item->event, visit, lane, item->who, item->detail});
}

static int take(struct message *message, void *arg)
{
    struct listing *listing = arg;
    const struct msg_audit_item *item = &message->body.audit_item;
    int64_t at = item->at / 1000000;

    if (message->type == MSG_AUDIT_END) {
        listing->end = message->body.audit_end;
        return 1;
    }
    if (message->type != MSG_AUDIT_ITEM)
        return 0;
    listing->oldest = item->row;
    if (listing->shown < listing->options->limit && at >= listing->since &&
        (listing->until == 0 || at < listing->until) &&
        (listing->options->visit == 0 || item->visit == listing->options->visit))
        show(listing, item);
    /* A clock that was set may have put a row out of order by a little; a day is beyond that. */
    listing->enough = listing->shown == listing->options->limit || at < listing->since - DAY_S;
    return 0;
}

int audit_list(const struct command_options *options)
{
    static const char *const headings[] = {"番号",   "日時", "出来事",       "受付",
                                           "レーン", "係",   "内容 / detail"};
    struct msg_audit_query query = {0};
    struct listing listing = {.options = options};
    struct link *link;
    int r = 0;

    if (options->date != NULL) {
        if (command_day(options->date, &listing.since) < 0) {
            (void)fprintf(options->err,
                          "uketsuke: %s: 日付は YYYY-MM-DD です / the date is YYYY-MM-DD\n",
                          options->date);
            return EXIT_USAGE;
        }
        listing.until = listing.since + DAY_S;
    }
    if (command_viewer(options, query.staff, sizeof(query.staff)) < 0)
        return EXIT_USAGE;
    link = command_link(options);
    if (link == NULL)
        return EXIT_NO_DESK;
    listing.table = table_new(headings, sizeof(headings) / sizeof(headings[0]));
    do {
        query.before = listing.oldest;
        r = link_ask(link, MSG_AUDIT_QUERY, &query, LINK_ASK_MS, take, &listing);
    } while (r == 0 && listing.end.failure == FAILURE_NONE && listing.end.count > 0 &&
             listing.oldest > 1 && !listing.enough);
    link_close(&link);
    if (r < 0)
        (void)fprintf(options->err, "uketsuke: %s\n", command_reason(r));
    else if (listing.end.failure != FAILURE_NONE)
        r = command_refused(options, listing.end.failure);
    else if (!options->json && listing.shown > 0)
        table_print(listing.table, options->out);
    else if (!options->json)
        (void)fprintf(options->out, "該当する記録はありません / no such rows\n");
    table_free(&listing.table);
    return r < 0 ? EXIT_NO_DESK : r;
}
