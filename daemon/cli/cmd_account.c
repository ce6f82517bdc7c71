/*
 * account: who may sign in at the board. The administrator makes a name and hands over a setup code
 * that is shown once; its holder chooses the password at the board. No password ever passes through
 * here.
 */
#include "command.h"
#include "json.h"
#include "link.h"
#include "table.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "failure.h"

#define CODE_LETTERS 16 /* of base32: 80 bits */

/* As in daemon/desk/accounts.h; the wire is the contract. */
static const char *const roles[] = {NULL, "reception", "clinician", "administrator"};
static const char *const states[] = {"設定待ち / to be set up", "有効 / active",
                                     "停止中 / disabled"};

static const struct {
    const char *word;
    uint8_t what;
    bool role; /* wants one */
    bool code; /* hands out a setup code */
} changes[] = {
    {"add", 1, true, true},       {"reset", 4, false, true},   {"role", 5, true, false},
    {"disable", 6, false, false}, {"enable", 7, false, false}, {"remove", 8, false, false},
};
#define CHANGES (sizeof(changes) / sizeof(changes[0]))

static int usage(const struct command_options *options)
{
    (void)fprintf(options->err, "uketsuke account list\n"
                                "uketsuke account add|role NAME reception|clinician|administrator\n"
                                "uketsuke account reset|disable|enable|remove NAME\n");
    return EXIT_USAGE;
}

static int staff_name(const struct command_options *options, char *out, size_t size)
{
    const struct passwd *user = getpwuid(getuid());
    int n = snprintf(out, size, "%s",
                     options->staff != NULL ? options->staff
                     : user != NULL         ? user->pw_name
                                            : "");

    return n > 0 && (size_t)n < size ? 0 : -EINVAL;
}

/* ---- list
 * ---------------------------------------------------------------------------------------------------------
 */

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
    (void)snprintf(locked, sizeof(locked), item->locked_s > 0 ? "%us" : "", item->locked_s);
    (void)snprintf(failures, sizeof(failures), "%u", item->failures);
    table_add(listing->table,
              (const char *const[]){item->name,
                                    item->role < 4 && item->role > 0 ? roles[item->role] : "?",
                                    item->state < 3 ? states[item->state] : "?", failures, locked});
    return 0;
}

static int list(const struct command_options *options, struct link *link)
{
    static const char *const headings[] = {"名前", "役割", "状態", "失敗", "待ち"};
    struct msg_accounts_query query = {0};
    struct listing listing = {options, table_new(headings, sizeof(headings) / sizeof(headings[0]))};
    int r = staff_name(options, query.staff, sizeof(query.staff));

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

/* ---- changes
 * ------------------------------------------------------------------------------------------------------
 */

/* A code that can be read out: no letter looks like another (RFC 4648 base32 has no 0, 1, 8, 9). */
static int make_code(char code[CODE_LETTERS + 1], char proof[161])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint8_t random[CODE_LETTERS], hash[32];

    if (RAND_bytes(random, sizeof(random)) != 1)
        return -EIO;
    for (size_t i = 0; i < CODE_LETTERS; i++)
        code[i] = letters[random[i] & 31];
    code[CODE_LETTERS] = '\0';
    explicit_bzero(random, sizeof(random));
    if (EVP_Digest(code, CODE_LETTERS, hash, NULL, EVP_sha256(), NULL) != 1)
        return -EIO;
    memcpy(proof, "setup:", 7);
    for (size_t i = 0; i < sizeof(hash); i++)
        (void)snprintf(proof + 6 + 2 * i, 3, "%02x", hash[i]);
    return 0;
}

static int take_result(struct message *message, void *arg)
{
    if (message->type != MSG_ACCOUNT_RESULT)
        return 0;
    *(struct msg_account_result *)arg = message->body.account_result;
    return 1;
}

static int fill(const struct command_options *options, size_t i, int argc, char **argv,
                struct msg_account_change *out)
{
    if (argc != (changes[i].role ? 3 : 2) || MESSAGE_TEXT(out->name, argv[1]) < 0 ||
        staff_name(options, out->staff, sizeof(out->staff)) < 0)
        return -EINVAL;
    out->what = changes[i].what;
    for (uint8_t r = 1; changes[i].role && r < sizeof(roles) / sizeof(roles[0]); r++)
        if (strcmp(roles[r], argv[2]) == 0)
            out->role = r;
    return changes[i].role && out->role == 0 ? -EINVAL : 0;
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
    char code[CODE_LETTERS + 1] = "";
    struct link *link;
    size_t i = 0;
    int r = 0;

    while (argc > 0 && i < CHANGES && strcmp(changes[i].word, argv[0]) != 0)
        i++;
    if (argc == 0 || (!all && (i == CHANGES || fill(options, i, argc, argv, &wanted) < 0)))
        return usage(options);
    if (!all && changes[i].code)
        r = make_code(code, wanted.proof);
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
