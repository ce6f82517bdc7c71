/* outbox: what was handed over to the receipt computer and others, and what staff decide about the
 * rest. */
#include "command.h"
#include "failure.h"
#include "json.h"
#include "link.h"
#include "outbox.h"
#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int usage(const struct command_options *options)
{
    (void)fprintf(options->err, "uketsuke outbox [list [all]]\n"
                                "uketsuke outbox resend|arrived ENTRY\n");
    return EXIT_USAGE;
}

static bool number_of(const char *text, uint64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && text[0] >= '1' && text[0] <= '9' && *end == '\0';
}

/* ---- list ------------------------------------------------------------------------------------ */

struct listing {
    const struct command_options *options;
    struct table *table;
    unsigned staff; /* that wait for somebody */
    uint16_t failure;
    /* It comes in pages. */
    uint64_t last;
    uint32_t rows;
    bool more;
};

static int take_item(struct message *message, void *arg)
{
    struct listing *listing = arg;
    const struct msg_outbox_item *item = &message->body.outbox_item;
    const struct failure_text *text;
    char entry[24], visit[24], tries[16], when[24], why[200];

    if (message->type == MSG_OUTBOX_END) {
        listing->failure = message->body.outbox_end.failure;
        listing->more = message->body.outbox_end.more != 0;
        return 1;
    }
    if (message->type != MSG_OUTBOX_ITEM)
        return 0;
    listing->last = item->entry;
    listing->rows++;
    listing->staff += item->state == OUTBOX_DOUBTFUL || item->state == OUTBOX_REFUSED;
    if (listing->options->json) {
        json_message(listing->options->out, message->type, &message->body);
        return 0;
    }
    text = failure_text(item->failure);
    (void)snprintf(entry, sizeof(entry), "%llu", (unsigned long long)item->entry);
    (void)snprintf(visit, sizeof(visit), "%llu", (unsigned long long)item->visit);
    (void)snprintf(tries, sizeof(tries), "%u", item->tries);
    command_when(when, sizeof(when), item->made, false);
    (void)snprintf(why, sizeof(why), "%s%s%s", item->failure != FAILURE_NONE ? text->code : "",
                   item->detail[0] != '\0' ? " " : "", item->detail);
    table_add(listing->table, (const char *const[]){entry, visit, when, item->patient, item->target,
                                                    outbox_kind_name(item->kind),
                                                    outbox_state_name(item->state), tries, why});
    return 0;
}

static int list(const struct command_options *options, struct link *link, bool all)
{
    static const char *const headings[] = {"番号", "受付", "時刻", "氏名", "渡し先",
                                           "種類", "状態", "回数", "理由"};
    struct msg_outbox_query query = {.open_only = !all, .visit = options->visit};
    struct listing listing = {.options = options,
                              .table = table_new(headings, sizeof(headings) / sizeof(headings[0]))};
    int r;

    (void)command_staff_into(options, query.staff, sizeof(query.staff));
    do { /* page by page, as many as there are or are wanted */
        query.before = listing.last;
        query.limit = options->limit > 0 ? options->limit - listing.rows : 0;
        r = link_ask(link, MSG_OUTBOX_QUERY, &query, LINK_ASK_MS, take_item, &listing);
    } while (r == 0 && listing.more && (options->limit == 0 || listing.rows < options->limit));
    if (r >= 0 && listing.failure != FAILURE_NONE)
        r = command_refused(options, listing.failure);
    else if (r >= 0 && !options->json && table_rows(listing.table) > 0)
        table_print(listing.table, options->out);
    else if (r >= 0 && !options->json)
        (void)fprintf(options->out,
                      "渡し終えていないものはありません / nothing is left to be handed over\n");
    table_free(&listing.table);
    return r != 0 ? r : listing.staff > 0 ? EXIT_NOT_SO : EXIT_AS_ASKED;
}

/* ---- decisions ------------------------------------------------------------------------------- */

static int take_result(struct message *message, void *arg)
{
    if (message->type != MSG_ACTION_RESULT)
        return 0;
    *(struct msg_action_result *)arg = message->body.action_result;
    return 1;
}

static int tell(const struct command_options *options, struct link *link, uint16_t type, void *body)
{
    struct msg_action_result result = {0};
    int r = link_ask(link, type, body, LINK_ASK_MS, take_result, &result);

    if (r < 0)
        return r;
    if (result.accepted == 0) {
        const struct failure_text *text = failure_text(result.failure);

        (void)fprintf(options->err, "uketsuke: %s %s / %s%s%s\n", text->code, text->staff_ja,
                      text->staff_en, result.field[0] != '\0' ? ": " : "", result.field);
        return EXIT_NOT_SO;
    }
    if (!options->json)
        (void)fprintf(options->out, "承りました / done\n");
    return EXIT_AS_ASKED;
}

int command_outbox(const struct command_options *options, int argc, char **argv)
{
    struct msg_outbox_decide decide = {.surface = 'C'};
    bool all = argc == 2 && strcmp(argv[0], "list") == 0 && strcmp(argv[1], "all") == 0;
    bool listed = all || argc == 0 || (argc == 1 && strcmp(argv[0], "list") == 0);
    struct link *link;
    int r;

    if (!listed && argc == 2 && number_of(argv[1], &decide.entry))
        decide.what = strcmp(argv[0], "resend") == 0    ? OUTBOX_RESEND
                      : strcmp(argv[0], "arrived") == 0 ? OUTBOX_ARRIVED
                                                        : 0;
    if (!listed &&
        (decide.what == 0 || command_staff_into(options, decide.staff, sizeof(decide.staff)) < 0))
        return usage(options);
    link = command_link(options);
    if (link == NULL)
        return EXIT_NO_DESK;
    r = listed ? list(options, link, all) : tell(options, link, MSG_OUTBOX_DECIDE, &decide);
    link_close(&link);
    if (r < 0) {
        (void)fprintf(options->err, "uketsuke: %s\n", command_reason(r));
        return EXIT_NO_DESK;
    }
    return r;
}
