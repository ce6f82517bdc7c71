#include "command.h"

#include "clock.h"
#include "config.h"
#include "failure.h"
#include "link.h"

#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef UKETSUKE_VERSION
#define UKETSUKE_VERSION "0"
#endif

static const struct {
    const char *name;
    const char *arguments;
    const char *ja;
    const char *en;
    command_fn *run;
} commands[] = {
    {"status", "", "レーンの今の状態", "the lanes, a line each", command_status},
    {"visits", "[--date YYYY-MM-DD] [--limit N]", "今日の受付", "today's visits", command_visits},
    {"watch", "[--lines]", "受付の動きを表示し続ける(端末では画面、--lines で1行ずつ)",
     "what happens, live: a page on a terminal, or lines", command_watch},
    {"lookup",
     "INSURER NUMBER --birth YYYYMMDD [--symbol S] [--branch NN] [--limit-consent] [--visit ID]",
     "カードなしで資格を照会する", "ask for an entitlement without card", command_lookup},
    {"precheck", "FILE.csv [--date YYYY-MM-DD | tomorrow] [--output REPORT.csv]",
     "明日の予約の資格をまとめて調べる(途中から続けられる)",
     "ask about tomorrow's appointments; can be taken up again", command_precheck},
    {"doctor", "", "すべてを調べ、次にすることを示す", "check everything and say what to do",
     command_doctor},
    {"bundle", "[FILE]", "問い合わせ用の記録をまとめる(患者の情報は入らない)",
     "logs and states for whoever helps, without patients' data", command_bundle},
    {"redact", "config | doctor | journal",
     "施設が分かるものを除いて出す(journal は標準入力から。bundle が使う)",
     "without what names the house; the journal from standard input (bundle uses it)",
     command_redact},
    {"config", "check | list", "設定を調べる・一覧にする", "check or list the configuration",
     command_config},
    {"reload", "", "設定を止めずに読み直す", "take the configuration anew without stopping",
     command_reload},
    {"failures", "[CODE]", "コードの意味", "what the codes mean", command_failures},
    {"eligibility", "show FILE",
     "資格確認のファイル(照会・回答・顔認証)をコードの意味とともに表示する",
     "what a request, answer or face file says, with the meaning of its codes",
     command_eligibility},
    {"account", "list | add NAME ROLE | role NAME ROLE | reset|disable|enable|remove NAME",
     "受付の画面に入れる人(役割: reception clinician administrator)",
     "who may sign in at the board", command_account},
    {"outbox", "[list [all]] | resend|arrived ENTRY", "レセコンなどに渡したもの・渡せなかったもの",
     "what was handed over and what was not", command_outbox},
    {"audit", "list [--limit N] [--date YYYY-MM-DD] [--visit ID] | verify [ANCHOR] | anchor",
     "監査ログを見る・鎖を確かめる・控えを出す",
     "read the audit log; walk its chain; print an anchor of it", command_audit},
    {"backup", "", "いまバックアップを取る", "make a backup now", command_backup},
    {"key", "rotate", "患者データを新しい鍵で封じ直す", "seal patients' data anew under a new key",
     command_key},
    {"restore", "FILE [--check] [--key FILE]", "バックアップから戻す(--check は確かめるだけ)",
     "put a backup back; --check only judges it", command_restore},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *to)
{
    (void)fprintf(to, "uketsuke [--config FILE] [--json] COMMAND ...\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        (void)fprintf(to, "  %s %s\n      %s / %s\n", commands[i].name, commands[i].arguments,
                      commands[i].ja, commands[i].en);
    (void)fprintf(to, "\n  -c, --config FILE   設定ファイル / configuration ($UKETSUKE_CONFIG, "
                      "else /etc/uketsuke/uketsuke.conf)\n"
                      "  -j, --json          1行に1つのJSON / one JSON object a line\n"
                      "      --staff NAME    監査記録に残す名前 / name for the audit log\n"
                      "      --version, --help\n"
                      "See uketsuke(1).\n");
}

static int number(const char *text, uint64_t most, uint64_t *out)
{
    char *end;
    unsigned long long v;

    errno = 0;
    v = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || v > most)
        return -EINVAL;
    *out = v;
    return 0;
}

enum {
    OPT_SYMBOL = 256,
    OPT_BRANCH,
    OPT_BIRTH,
    OPT_LIMIT_CONSENT,
    OPT_VISIT,
    OPT_STAFF,
    OPT_DATE,
    OPT_LIMIT,
    OPT_KEY,
    OPT_CHECK,
    OPT_OUTPUT,
    OPT_LINES,
    OPT_VERSION
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"json", no_argument, NULL, 'j'},
    {"symbol", required_argument, NULL, OPT_SYMBOL},
    {"branch", required_argument, NULL, OPT_BRANCH},
    {"birth", required_argument, NULL, OPT_BIRTH},
    {"limit-consent", no_argument, NULL, OPT_LIMIT_CONSENT},
    {"visit", required_argument, NULL, OPT_VISIT},
    {"staff", required_argument, NULL, OPT_STAFF},
    {"date", required_argument, NULL, OPT_DATE},
    {"limit", required_argument, NULL, OPT_LIMIT},
    {"key", required_argument, NULL, OPT_KEY},
    {"check", no_argument, NULL, OPT_CHECK},
    {"lines", no_argument, NULL, OPT_LINES},
    {"output", required_argument, NULL, OPT_OUTPUT},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* 1: go on; 0: end with *status. */
static int take_option(struct command_options *o, int c, int *status)
{
    uint64_t v;

    switch (c) {
    case 'c':
        o->config_path = optarg;
        return 1;
    case 'j':
        o->json = true;
        return 1;
    case OPT_SYMBOL:
        o->symbol = optarg;
        return 1;
    case OPT_BRANCH:
        o->branch = optarg;
        return 1;
    case OPT_BIRTH:
        o->birth = optarg;
        return 1;
    case OPT_LIMIT_CONSENT:
        o->limit_consent = true;
        return 1;
    case OPT_STAFF:
        o->staff = optarg;
        return 1;
    case OPT_DATE:
        o->date = optarg;
        return 1;
    case OPT_KEY:
        o->key = optarg;
        return 1;
    case OPT_OUTPUT:
        o->output = optarg;
        return 1;
    case OPT_LINES:
        o->lines = true;
        return 1;
    case OPT_CHECK:
        o->check = true;
        return 1;
    case OPT_VISIT:
        if (number(optarg, UINT64_MAX, &o->visit) == 0 && o->visit > 0)
            return 1;
        break;
    case OPT_LIMIT:
        if (number(optarg, 400, &v) == 0 && v > 0) {
            o->limit = (uint32_t)v;
            return 1;
        }
        break;
    case OPT_VERSION:
        (void)fprintf(o->out, "uketsuke %s\n", UKETSUKE_VERSION);
        *status = EXIT_AS_ASKED;
        return 0;
    case 'h':
        usage(o->out);
        *status = EXIT_AS_ASKED;
        return 0;
    default:
        break;
    }
    (void)fprintf(o->err,
                  "uketsuke: オプションが正しくありません / wrong option; see uketsuke --help\n");
    *status = EXIT_USAGE;
    return 0;
}

int command_main(int argc, char **argv, FILE *out, FILE *err)
{
    struct command_options o = {
        .config_path = getenv("UKETSUKE_CONFIG"), .out = out, .err = err, .limit = 400};
    int status = EXIT_USAGE;
    int c;

    if (o.config_path == NULL || o.config_path[0] == '\0')
        o.config_path = "/etc/uketsuke/uketsuke.conf";
    optind = 0;
    opterr = 0;
    while ((c = getopt_long(argc, argv, "c:jh", long_options, NULL)) != -1)
        if (!take_option(&o, c, &status))
            return status;
    if (optind == argc) {
        usage(err);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, argv[optind]) == 0)
            return commands[i].run(&o, argc - optind - 1, argv + optind + 1);
    (void)fprintf(
        err,
        "uketsuke: %s: そのようなコマンドはありません / no such command; see uketsuke --help\n",
        argv[optind]);
    return EXIT_USAGE;
}

struct config *command_config_load(const struct command_options *options)
{
    struct config *config = NULL;
    char *message = NULL;

    if (config_load(&config, options->config_path, &message) < 0) {
        (void)fprintf(options->err, "%s",
                      message != NULL ? message : "メモリが足りません / out of memory\n");
        free(message);
        return NULL;
    }
    return config;
}

int command_socket(const struct config *config, char *out, size_t size)
{
    int n = snprintf(out, size, "%s/desk.sock", config_text(config, CFG_desk_RUN_DIRECTORY, NULL));

    return n > 0 && (size_t)n < size ? 0 : -ENAMETOOLONG;
}

const char *command_reason(int error)
{
    static const struct {
        int error;
        const char *words;
    } reasons[] = {
        {-ENOENT, "受付の本体が起動していません(ソケットなし) / the desk is not started (no "
                  "socket): systemctl start uketsuke.target"},
        {-ECONNREFUSED,
         "受付の本体が止まっています / the desk is not running: systemctl status uketsuked"},
        {-EACCES, "権限がありません / no permission: add your user to [desk] peers and to the "
                  "group uketsuke"},
        {-EPERM, "権限がありません / no permission: add your user to [desk] peers and to the group "
                 "uketsuke"},
        {-ECONNRESET, "受付の本体が接続を断りました / the desk closed the connection: is your user "
                      "in [desk] peers? journalctl -u uketsuked"},
        {-EPROTO, "受付の本体と版が違います / another version of the desk is running: restart it"},
        {-EBADMSG, "受付の本体と版が違います / another version of the desk is running: restart it"},
        {-ETIMEDOUT,
         "受付の本体が応答しません / the desk does not answer: journalctl -u uketsuked"},
    };

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].error == error)
            return reasons[i].words;
    return strerror(-error);
}

struct link *command_link(const struct command_options *options)
{
    struct config *config = command_config_load(options);
    struct link *link = NULL;
    char path[256];
    int r;

    if (config == NULL)
        return NULL;
    r = command_socket(config, path, sizeof(path));
    if (r == 0)
        r = link_open(&link, path);
    if (r < 0)
        (void)fprintf(
            options->err,
            "uketsuke: %s\n    (%s)\n    uketsuke doctor で調べます / see uketsuke doctor\n",
            command_reason(r), path);
    config_free(&config);
    return link;
}

const char *command_staff(const struct command_options *options)
{
    const struct passwd *user = options->staff == NULL ? getpwuid(getuid()) : NULL;

    return options->staff != NULL ? options->staff : user != NULL ? user->pw_name : "";
}

int command_staff_into(const struct command_options *options, char *out, size_t size)
{
    int n = snprintf(out, size, "%s", command_staff(options));

    return n > 0 && (size_t)n < size ? 0 : -EINVAL;
}

int command_viewer(const struct command_options *options, char *out, size_t size)
{
    int r = command_staff_into(options, out, size);

    if (r < 0)
        (void)fprintf(options->err,
                      "uketsuke: 誰が見るのかを --staff 名前 で示します(監査記録に残り"
                      "ます) / say who looks: --staff NAME (for the audit log)\n");
    return r;
}

int command_no_more(const struct command_options *options, int argc, char **argv)
{
    if (argc == 0)
        return 0;
    (void)fprintf(options->err, "uketsuke: %s: 余分な引数です / one argument too many\n", argv[0]);
    return -EINVAL;
}

struct link *command_look(const struct command_options *options, int argc, char **argv, char *staff,
                          size_t size, int *status)
{
    *status = EXIT_USAGE;
    if (command_no_more(options, argc, argv) < 0 || command_viewer(options, staff, size) < 0)
        return NULL;
    *status = EXIT_NO_DESK;
    return command_link(options);
}

const char *command_sign(unsigned state)
{
    static const char *const signs[] = {"良 ok  ", "注 warn", "悪 BAD "};

    return signs[state < 2 ? state : 2];
}

int command_refused(const struct command_options *options, uint16_t failure)
{
    const struct failure_text *text = failure_text(failure);

    (void)fprintf(options->err, "uketsuke: %s %s / %s\n", text->code, text->staff_ja,
                  text->staff_en);
    return EXIT_NOT_SO;
}

int command_day(const char *text, int64_t *out)
{
    struct tm tm = {.tm_isdst = -1};
    const char *end = strptime(text, "%Y-%m-%d", &tm);
    time_t t;

    if (end == NULL || *end != '\0')
        return -EINVAL;
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    tm.tm_isdst = -1;
    t = mktime(&tm);
    if (t == (time_t)-1)
        return -EINVAL;
    *out = (int64_t)t;
    return 0;
}

void command_when(char *out, size_t size, int64_t seconds, bool whole)
{
    time_t japan = (time_t)seconds + CLOCK_JAPAN_SECONDS;
    struct tm tm;
    size_t n = 0;

    if (gmtime_r(&japan, &tm) != NULL)
        n = whole ? strftime(out, size, "%Y-%m-%d %H:%M:%S", &tm)
                  : strftime(out, size, "%m-%d %H:%M", &tm);
    if (n == 0)
        out[0] = '\0';
}
