/*
 * account: who may sign in at the board. The administrator makes a name and hands over a setup code
 * that is shown once; its holder chooses the password at the board. No password ever passes through
 * here.
 */
#include "account.h"
#include "command.h"
#include "failure.h"
#include "json.h"
#include "link.h"
#include "table.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int usage(const struct command_options *options)
{
    (void)fprintf(options->err, "uketsuke account list\n"
                                "uketsuke account add|role NAME reception|clinician|administrator\n"
                                "uketsuke account reset|disable|enable|remove NAME\n");
    return EXIT_USAGE;
}

/* ---- list ------------------------------------------------------------------------------------ */

struct listing {
    const struct command_options *options;
    struct table *table;
};

static int take_item(struct message *message, void *arg)
{
    struct listing *listing = arg;
    const struct msg_account_item *item = &message->body.account_item;
    char locked[32], failures[16];

    if (message->type == MSG_ACCOUNTS_END)
        return 1;
    if (message->type != MSG_ACCOUNT_ITEM)
        return 0;
    if (listing->options->json) {
        json_message(listing->options->out, message->type, &message->body);
        return 0;
    }
    locked[0] = '\0';
    if (item->locked_s > 0)
        (void)snprintf(locked, sizeof(locked), "%us", item->locked_s);
    (void)snprintf(failures, sizeof(failures), "%u", item->failures);
    table_add(listing->table,
              (const char *const[]){item->name, account_role_name(item->role),
                                    account_state_name(item->state), failures, locked});
    return 0;
}

static int list(const struct command_options *options, struct link *link)
{
    static const char *const headings[] = {"名前", "役割", "状態", "失敗", "待ち"};
    struct msg_accounts_query query = {0};
    struct listing listing = {options, table_new(headings, sizeof(headings) / sizeof(headings[0]))};
    int r = command_staff_into(options, query.staff, sizeof(query.staff));

    if (r == 0)
        r = link_ask(link, MSG_ACCOUNTS_QUERY, &query, LINK_ASK_MS, take_item, &listing);
    if (r >= 0 && !options->json && table_rows(listing.table) > 0)
        table_print(listing.table, options->out);
    else if (r >= 0 && !options->json)
        (void)fprintf(
            options->out,
            "アカウントはありません / no accounts: uketsuke account add NAME administrator\n");
    table_free(&listing.table);
    return r;
}

/* ---- changes --------------------------------------------------------------------------------- */

static int take_result(struct message *message, void *arg)
{
    if (message->type != MSG_ACCOUNT_RESULT)
        return 0;
    *(struct msg_account_result *)arg = message->body.account_result;
    return 1;
}

static int fill(const struct command_options *options, int argc, char **argv,
                struct msg_account_change *out)
{
    bool role;

    out->what = account_change_of(argv[0]);
    role = out->what == ACCOUNT_NEW || out->what == ACCOUNT_ROLE;
    if (out->what == 0 || argc != (role ? 3 : 2) || MESSAGE_TEXT(out->name, argv[1]) < 0 ||
        command_staff_into(options, out->staff, sizeof(out->staff)) < 0)
        return -EINVAL;
    if (role)
        out->role = account_role_of(argv[2]);
    return role && out->role == ROLE_NONE ? -EINVAL : 0;
}

static int change(const struct command_options *options, struct link *link,
                  struct msg_account_change *wanted, const char *code)
{
    struct msg_account_result result = {0};
    int r = link_ask(link, MSG_ACCOUNT_CHANGE, wanted, LINK_ASK_MS, take_result, &result);

    if (r < 0)
        return r;
    if (result.accepted == 0) {
        const struct failure_text *text = failure_text(result.failure);

        (void)fprintf(options->err, "uketsuke: %s %s / %s%s%s\n", text->code, text->staff_ja,
                      text->staff_en, result.field[0] != '\0' ? ": " : "", result.field);
        return EXIT_NOT_SO;
    }
    if (options->json && code[0] != '\0')
        (void)fprintf(options->out, "{\"setup_code\":\"%s\"}\n", code);
    else if (code[0] != '\0')
        (void)fprintf(
            options->out,
            "設定コード / setup code: %.4s-%.4s-%.4s-%.4s\n"
            "本人だけに渡します。受付の画面の「初回の設定」で使います。二度は表示しません。\n"
            "Hand it to this person only; it is used at the board under \"first setup\". It is not "
            "shown again.\n",
            code, code + 4, code + 8, code + 12);
    else if (!options->json)
        (void)fprintf(options->out, "変更しました / changed\n");
    return EXIT_AS_ASKED;
}

int command_account(const struct command_options *options, int argc, char **argv)
{
    bool all = argc == 1 && strcmp(argv[0], "list") == 0;
    struct msg_account_change wanted = {0};
    char code[ACCOUNT_CODE_LETTERS + 1] = "";
    struct link *link;
    int r = 0;

    if (argc == 0 || (!all && fill(options, argc, argv, &wanted) < 0))
        return usage(options);
    if (wanted.what == ACCOUNT_NEW || wanted.what == ACCOUNT_RESET)
        r = account_setup_new(code, wanted.proof);
    link = r == 0 ? command_link(options) : NULL;
    if (link == NULL)
        return EXIT_NO_DESK;
    r = all ? list(options, link) : change(options, link, &wanted, code);
    explicit_bzero(code, sizeof(code));
    link_close(&link);
    if (r < 0) {
        (void)fprintf(options->err, "uketsuke: %s\n", command_reason(r));
        return EXIT_NO_DESK;
    }
    return all ? EXIT_AS_ASKED : r;
}
