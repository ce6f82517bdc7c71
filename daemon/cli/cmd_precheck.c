/*
 * precheck: a list of tomorrow's appointments is asked about, as many rows together as the desk takes; the report is
 * written as the answers come, so that it can be stopped anywhere (also by kill -9) and taken up again: what has no line
 * there is asked (again).
 */
#include "clock.h"
#include "command.h"
#include "csv.h"
#include "failure.h"
#include "link.h"
#include "visit.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ASK_MS 60000
#define BULK_MS 660000 /* many together: they are worked on elsewhere */
#define TRIES 5        /* without any answer before the rest is left for later */
#define TRIES_BUSY 60  /* while the desk still asks for whoever was there before */
#define REST_S 2       /* after a try that came to nothing */
#define PACE_US 100000 /* between two questions: the counter comes first */
#define ROWS_MAX 20000
#define ROOM_MAX 200
#define BAR 30
#define DAY_S (24 * 3600)

/* Columns by their headings; whatever else the list has is left aside. */
static const struct {
    const char *heading;
    enum column {
        COL_PATIENT,
        COL_NAME,
        COL_BIRTH,
        COL_INSURER,
        COL_SYMBOL,
        COL_NUMBER,
        COL_BRANCH,
        COL_DATE,
        COL_COUNT
    } column;
} headings[] = {
    {"患者番号", COL_PATIENT},   {"診察券番号", COL_PATIENT},    {"照会番号", COL_PATIENT},
    {"カルテ番号", COL_PATIENT}, {"patient", COL_PATIENT},       {"patient number", COL_PATIENT},
    {"氏名", COL_NAME},          {"患者氏名", COL_NAME},         {"名前", COL_NAME},
    {"name", COL_NAME},          {"生年月日", COL_BIRTH},        {"birth", COL_BIRTH},
    {"birth date", COL_BIRTH},   {"保険者番号", COL_INSURER},    {"insurer", COL_INSURER},
    {"記号", COL_SYMBOL},        {"被保険者証記号", COL_SYMBOL}, {"symbol", COL_SYMBOL},
    {"番号", COL_NUMBER},        {"被保険者証番号", COL_NUMBER}, {"number", COL_NUMBER},
    {"枝番", COL_BRANCH},        {"branch", COL_BRANCH},         {"確認日", COL_DATE},
    {"資格確認日", COL_DATE},    {"予約日", COL_DATE},           {"受診日", COL_DATE},
    {"date", COL_DATE},          {"appointment date", COL_DATE},
};

/* A row that is asked about: `open` until its line is in the report. */
struct asked {
    unsigned line;
    bool open;
    struct msg_precheck m;
};

struct check {
    const struct command_options *options;
    struct csv csv;
    int columns[COL_COUNT]; /* -1: the list has none */
    char *report_path;
    int report;
    char list[17]; /* of which list and day the report is: the beginning of a SHA-256 */
    char date[11]; /* the day of --date, as YYYY-MM-DD; "": that of each row, or today */
    bool *done;    /* by line */
    unsigned last_line, rows, finished, counts[PRECHECK_LATER + 1];
    bool bar;
    time_t began;
    unsigned begun_at; /* how many were finished then */
    struct asked *batch;
    unsigned room, n, waiting; /* rows taken together, gathered, and not answered yet */
    uint16_t failure;          /* why the last that was left was left */
};

static int complain(const struct check *c, const char *what, const char *ja, const char *en)
{
    (void)fprintf(c->options->err, "uketsuke: %s: %s / %s\n", what, ja, en);
    return -EINVAL;
}

/* ---- the list -------------------------------------------------------------------------------- */

static int read_file(const char *path, char **out, size_t *len)
{
    FILE *file = fopen(path, "re");
    char *data;
    size_t n;

    if (file == NULL)
        return -errno;
    data = malloc(CSV_BYTES_MAX + 1);
    n = data != NULL ? fread(data, 1, CSV_BYTES_MAX + 1, file) : 0;
    if (data == NULL || ferror(file) != 0) {
        free(data);
        (void)fclose(file);
        return data == NULL ? -ENOMEM : -EIO;
    }
    (void)fclose(file);
    *out = data;
    *len = n;
    return 0;
}

#define DATE_JA "確認日は今日から92日先までです(YYYY-MM-DD)"
#define DATE_EN "the day is one from today to 92 days ahead (YYYY-MM-DD)"
_Static_assert(PRECHECK_AHEAD == 92, "the words say how many");

/* --date: once and for all before anything is asked, so that the list goes on about the same day after midnight. */
static int read_date(struct check *c, const char *text)
{
    time_t now = time(NULL) + CLOCK_JAPAN_SECONDS, day;
    struct tm tm = {0};
    char again[11];
    long ahead;

    if (text == NULL)
        return 0;
    if (strcmp(text, "tomorrow") == 0) {
        day = now + DAY_S;
    } else {
        const char *end = strptime(text, "%Y-%m-%d", &tm);

        day = end != NULL && *end == '\0' ? timegm(&tm) : (time_t)-1;
    }
    ahead = (long)(day / DAY_S - now / DAY_S);
    if (gmtime_r(&day, &tm) == NULL || strftime(again, sizeof(again), "%Y-%m-%d", &tm) != 10 ||
        (strcmp(text, "tomorrow") != 0 && strcmp(text, again) != 0) || ahead < 0 ||
        ahead > PRECHECK_AHEAD)
        return complain(c, text, DATE_JA, DATE_EN);
    (void)memcpy(c->date, again, sizeof(again));
    return 0;
}

static void name_list(struct check *c, const char *data, size_t len)
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    uint8_t both[SHA256_DIGEST_LENGTH + sizeof(c->date)];

    (void)SHA256((const uint8_t *)data, len, hash);
    if (c->date[0] != '\0') {
        memcpy(both, hash, sizeof(hash));
        memcpy(both + sizeof(hash), c->date, sizeof(c->date));
        (void)SHA256(both, sizeof(both), hash);
    }
    for (unsigned i = 0; i < 8; i++)
        (void)snprintf(c->list + 2 * i, 3, "%02x", hash[i]);
}

static int read_headings(struct check *c)
{
    static const struct {
        enum column column;
        const char *name;
    } needed[] = {{COL_INSURER, "保険者番号 insurer"},
                  {COL_NUMBER, "番号 number"},
                  {COL_BIRTH, "生年月日 birth"}};
    struct csv_row row;

    for (unsigned i = 0; i < COL_COUNT; i++)
        c->columns[i] = -1;
    if (csv_next(&c->csv, &row) != 1)
        return complain(c, "1", "見出しの行がありません", "there is no line of headings");
    for (size_t i = 0; i < row.n; i++)
        for (size_t h = 0; h < sizeof(headings) / sizeof(headings[0]); h++)
            if (strcasecmp(headings[h].heading, row.fields[i]) == 0 &&
                c->columns[headings[h].column] < 0)
                c->columns[headings[h].column] = (int)i;
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        if (c->columns[needed[i].column] < 0)
            return complain(c, needed[i].name, "この見出しの列がありません",
                            "there is no column of this heading");
    if (c->date[0] != '\0' && c->columns[COL_DATE] >= 0)
        return complain(c, "--date", "一覧に日付の列があります。どちらかにします",
                        "the list has a column of dates; one of the two only");
    return 0;
}

/* The whole list is read once before anything is asked: what is no CSV is said with its line. */
static int count_rows(struct check *c, const char *data, size_t len)
{
    struct csv_row row;
    char where[32];
    struct csv csv;
    int r = csv_new(&csv, data, len);

    if (r < 0)
        return complain(c, "CSV",
                        r == -EMSGSIZE ? "ファイルが大きすぎます"
                                       : "UTF-8 でも CP932(Shift_JIS)でもありません",
                        r == -EMSGSIZE ? "the file is too large" : "neither UTF-8 nor CP932");
    while ((r = csv_next(&csv, &row)) == 1) {
        c->rows++;
        c->last_line = row.line;
    }
    if (r < 0) {
        (void)snprintf(where, sizeof(where), "%u行目 / line %u", csv.line, csv.line);
        r = complain(c, where, csv.why_ja, csv.why_en);
    }
    csv_free(&csv);
    if (r < 0)
        return r;
    if (c->rows <= 1 || c->rows > ROWS_MAX)
        return complain(c, "CSV", "行がない、または多すぎます(20000行まで)",
                        "there are no rows, or too many (20000 at most)");
    c->rows--; /* the headings */
    c->done = calloc(c->last_line + 1, sizeof(bool));
    return c->done != NULL ? 0 : -ENOMEM;
}

/* ---- the report ------------------------------------------------------------------------------ */

static const char *const results[] = {"valid", "invalid", "unknown", "wrong", "later"};

static void put_field(FILE *to, const char *text, bool first)
{
    (void)fputs(first ? "\"" : ",\"", to);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            (void)fputc('"', to);
        (void)fputc(*text, to);
    }
    (void)fputc('"', to);
}

/* A line is on the disk before the next question is asked. */
static int append(struct check *c, const char *const *fields, size_t n)
{
    char *text = NULL;
    size_t len = 0, sent = 0;
    FILE *to = open_memstream(&text, &len);

    if (to == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        put_field(to, fields[i], i == 0);
    (void)fputs("\r\n", to);
    if (fclose(to) != 0) {
        free(text);
        return -ENOMEM;
    }
    while (sent < len) {
        ssize_t w = write(c->report, text + sent, len - sent);

        if (w < 0 && errno != EINTR) {
            int error = -errno;

            free(text);
            return error;
        }
        sent += w > 0 ? (size_t)w : 0;
    }
    free(text);
    return fdatasync(c->report) == 0 ? 0 : -errno;
}

static int begin_report(struct check *c)
{
    const char *const titles[] = {
        "行 line",        "患者番号 patient", "氏名 name",
        "結果 result",    "資格 validity",    "項目 field",
        "コード code",    "内容 words",       "サービスの氏名 name by service",
        "負担割合 ratio", "限度額 limit",     "照合 match",
        "前回 since",     "変更 changes",     "確認日 date",
        c->list};

    if (write(c->report, "\xef\xbb\xbf", 3) != 3)
        return -EIO;
    return append(c, titles, sizeof(titles) / sizeof(titles[0]));
}

/* A report of this list that was begun: whole lines are done, half a line at its end is cut off. */
static int resume_report(struct check *c, char *data, size_t len)
{
    struct csv_row row;
    struct csv csv;
    size_t whole = len;
    int r;

    while (whole > 0 && data[whole - 1] != '\n')
        whole--;
    if (whole == 0)
        return ftruncate(c->report, 0) == 0 ? begin_report(c) : -errno;
    r = csv_new(&csv, data, whole);
    if (r == 0)
        r = csv_next(&csv, &row) == 1 && row.n > 0 && strcmp(row.fields[row.n - 1], c->list) == 0
                ? 0
                : -EINVAL;
    while (r == 0 && csv_next(&csv, &row) == 1) {
        unsigned long line = strtoul(row.fields[0], NULL, 10);

        if (line > 0 && line <= c->last_line && row.n > 3 && !c->done[line]) {
            c->done[line] = true;
            c->finished++;
            for (unsigned i = 0; i <= PRECHECK_LATER; i++)
                c->counts[i] += strcmp(row.fields[3], results[i]) == 0;
        }
    }
    csv_free(&csv);
    if (r < 0)
        return complain(
            c, c->report_path, "別の一覧か別の日の報告です。--output で別の名前を指定します",
            "this is the report of another list or day; give another name with --output");
    if (ftruncate(c->report, (off_t)whole) != 0 || lseek(c->report, 0, SEEK_END) < 0)
        return -errno;
    return 0;
}

static int open_report(struct check *c, const char *list)
{
    char *data = NULL;
    size_t len = 0;
    int r;

    if (c->options->output != NULL)
        c->report_path = strdup(c->options->output);
    else if (asprintf(&c->report_path, "%s.report.csv", list) < 0)
        c->report_path = NULL;
    if (c->report_path == NULL)
        return -ENOMEM;
    c->report = open(c->report_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (c->report < 0)
        return -errno;
    r = read_file(c->report_path, &data, &len);
    if (r == 0)
        r = len == 0 ? begin_report(c) : resume_report(c, data, len);
    if (data != NULL)
        explicit_bzero(data, len);
    free(data);
    return r;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void draw(const struct check *c)
{
    unsigned full = c->rows > 0 ? c->finished * BAR / c->rows : BAR;
    time_t took = time(NULL) - c->began;
    unsigned made = c->finished - c->begun_at;

    if (!c->bar)
        return;
    (void)fputs("\r[", c->options->err);
    for (unsigned i = 0; i < BAR; i++)
        (void)fputc(i < full ? '#' : ' ', c->options->err);
    (void)fprintf(c->options->err, "] %u/%u", c->finished, c->rows);
    if (made > 0)
        (void)fprintf(c->options->err, "  残り / left %llds ",
                      (long long)(took * (c->rows - c->finished) / made));
    (void)fflush(c->options->err);
}

static const char *cell(const struct check *c, const struct csv_row *row, enum column column)
{
    return c->columns[column] >= 0 && (size_t)c->columns[column] < row->n
               ? row->fields[c->columns[column]]
               : "";
}

/* A text that does not fit is wrong in its field; nothing is cut. */
static const char *make_question(const struct check *c, const struct csv_row *row,
                                 struct msg_precheck *m)
{
    if (MESSAGE_TEXT(m->patient, cell(c, row, COL_PATIENT)) < 0)
        return "patient";
    if (MESSAGE_TEXT(m->name, cell(c, row, COL_NAME)) < 0)
        return "name";
    if (MESSAGE_TEXT(m->insurer, cell(c, row, COL_INSURER)) < 0)
        return "insurer";
    if (MESSAGE_TEXT(m->symbol, cell(c, row, COL_SYMBOL)) < 0)
        return "symbol";
    if (MESSAGE_TEXT(m->number, cell(c, row, COL_NUMBER)) < 0)
        return "number";
    if (MESSAGE_TEXT(m->branch, cell(c, row, COL_BRANCH)) < 0)
        return "branch";
    if (MESSAGE_TEXT(m->birth, cell(c, row, COL_BIRTH)) < 0)
        return "birth";
    return MESSAGE_TEXT(m->date, c->date[0] != '\0' ? c->date : cell(c, row, COL_DATE)) < 0 ? "date"
                                                                                            : NULL;
}

/* "name: old > new; ..." from the lines of the answer. */
static void changes_text(const char *lines, char *out, size_t size)
{
    size_t n = 0;

    for (const char *at = lines; *at != '\0' && n + 4 < size; at++) {
        static const char *const between[] = {": ", " > "};
        static unsigned tabs;

        if (*at == '\t')
            n += (size_t)snprintf(out + n, size - n, "%s", between[tabs++ % 2]);
        else if (*at == '\n')
            n += (size_t)snprintf(out + n, size - n, at[1] != '\0' ? "; " : "");
        else
            out[n++] = *at;
        tabs = *at == '\n' ? 0 : tabs;
    }
    out[n] = '\0';
}

static int write_row(struct check *c, unsigned number, const char *patient, const char *name,
                     const struct msg_prechecked *a)
{
    const struct failure_text *text = failure_text(a->failure);
    bool none = text->kind == FAILURE_KIND_NONE, date = strcmp(a->field, "date") == 0;
    char line[16], words[1100], changes[2600];
    const char *const fields[] = {line,
                                  a->patient[0] != '\0' ? a->patient : patient,
                                  name,
                                  results[a->result],
                                  a->validity,
                                  a->field,
                                  none ? "" : text->code,
                                  words,
                                  a->name,
                                  a->ratio,
                                  a->limit_class,
                                  visit_match_name(a->match),
                                  a->since,
                                  changes,
                                  a->date};
    int r;

    (void)snprintf(line, sizeof(line), "%u", number);
    (void)snprintf(words, sizeof(words), "%s%s%s%s%s%s%s",
                   a->other_name != 0 ? "氏名が一覧と違います / the name differs from the list. "
                                      : "",
                   none ? "" : (date ? DATE_JA : text->staff_ja), none ? "" : " / ",
                   none ? "" : (date ? DATE_EN : text->staff_en), a->notice[0] != '\0' ? " (" : "",
                   a->notice, a->notice[0] != '\0' ? ")" : "");
    changes_text(a->changes, changes, sizeof(changes));
    r = append(c, fields, sizeof(fields) / sizeof(fields[0]));
    if (r == 0) {
        c->done[number] = true;
        c->finished++;
        c->counts[a->result]++;
        draw(c);
    }
    return r;
}

/* Each answer goes into the report at once. */
static int take(struct message *message, void *arg)
{
    struct check *c = arg;
    const struct msg_prechecked *a = &message->body.prechecked;
    int r = 0;

    if (message->type != MSG_PRECHECKED)
        return 0;
    for (unsigned i = 0; i < c->n; i++) {
        struct asked *row = &c->batch[i];

        if (!row->open || row->m.request != a->request || a->request == 0)
            continue;
        row->m.request = 0;
        c->waiting--;
        c->failure = a->failure;
        if (a->result < PRECHECK_LATER) {
            row->open = false;
            r = write_row(c, row->line, row->m.patient, row->m.name, a);
        }
        return r < 0 ? r : c->waiting == 0;
    }
    return 0;
}

static int take_room(struct message *message, void *arg)
{
    struct check *c = arg;
    uint16_t rows = message->body.precheck_room.rows;

    if (message->type != MSG_PRECHECK_ROOM)
        return 0;
    c->room = rows < 1 ? 1 : rows > ROOM_MAX ? ROOM_MAX : rows;
    return 1;
}

static int ask_room(struct check *c, struct link *link)
{
    struct msg_precheck_room_query query = {0};

    return link_ask(link, MSG_PRECHECK_ROOM_QUERY, &query, LINK_ASK_MS, take_room, c);
}

/* As many of the open rows as the desk takes, and what it says of them. */
static int ask_open(struct check *c, struct link *link)
{
    unsigned open = 0, sent = 0;
    int r = 0;

    for (unsigned i = 0; i < c->n; i++)
        open += c->batch[i].open;
    if (open > c->room)
        open = c->room;
    c->waiting = open;
    for (unsigned i = 0; i < c->n && r == 0 && sent < open; i++) {
        struct asked *row = &c->batch[i];

        if (!row->open)
            continue;
        row->m.more = ++sent < open;
        r = link_send(link, MSG_PRECHECK, &row->m);
    }
    return r < 0 ? r : link_listen(link, open > 1 ? BULK_MS : ASK_MS, take, c);
}

/* 0: all their lines are in the report; 1: some are left for later; negative: the desk or the disk. */
static int check_batch(struct check *c, struct link *link)
{
    unsigned left = c->n, before, tries = 0;
    int r = 0;

    while (r == 0 && left > 0 && tries < (c->failure == FAILURE_DESK_BUSY ? TRIES_BUSY : TRIES)) {
        if (tries > 0) {
            (void)sleep(REST_S);
            r = ask_room(c, link);
        }
        if (r == 0)
            r = ask_open(c, link);
        before = left;
        left = 0;
        for (unsigned i = 0; i < c->n; i++)
            left += c->batch[i].open;
        tries = left < before ? 0 : tries + 1;
        (void)usleep(PACE_US);
    }
    explicit_bzero(c->batch, c->n * sizeof(*c->batch));
    c->n = 0;
    return r < 0 ? r : left > 0;
}

/* The row joins those that are asked about together; what it cannot be asked for stands in the report at once. */
static int gather(struct check *c, struct link *link, const struct csv_row *row, const char *staff)
{
    struct msg_prechecked answer = {.result = PRECHECK_WRONG, .failure = FAILURE_LOOKUP_FORMAT};
    struct asked asked = {.line = row->line, .open = true};
    const char *wrong = make_question(c, row, &asked.m);
    int r = 0;

    if (wrong != NULL) {
        (void)MESSAGE_TEXT(answer.field, wrong);
        return write_row(c, row->line, cell(c, row, COL_PATIENT), cell(c, row, COL_NAME), &answer);
    }
    (void)MESSAGE_TEXT(asked.m.staff, staff);
    if (c->n > 0 && strcmp(c->batch[0].m.date, asked.m.date) != 0)
        r = check_batch(c, link); /* one question is about one day */
    if (r == 0 && c->n == 0)
        r = ask_room(c, link);
    if (r == 0)
        c->batch[c->n++] = asked;
    explicit_bzero(&asked, sizeof(asked));
    return r == 0 && c->n >= c->room ? check_batch(c, link) : r;
}

static int check_rows(struct check *c, struct link *link)
{
    const char *staff = command_staff(c->options);
    struct csv_row row;
    int r;

    c->began = time(NULL);
    c->begun_at = c->finished;
    c->batch = calloc(ROOM_MAX, sizeof(*c->batch));
    r = c->batch != NULL ? 0 : -ENOMEM;
    draw(c);
    while (r == 0 && csv_next(&c->csv, &row) == 1)
        if (!c->done[row.line])
            r = gather(c, link, &row, staff);
    if (r == 0 && c->n > 0)
        r = check_batch(c, link);
    if (c->batch != NULL)
        explicit_bzero(c->batch, ROOM_MAX * sizeof(*c->batch));
    free(c->batch);
    draw(c);
    if (c->bar)
        (void)fputc('\n', c->options->err);
    if (r > 0) {
        const struct failure_text *text = failure_text(c->failure);

        (void)fprintf(c->options->err, "uketsuke: %s %s / %s\n", text->code, text->staff_ja,
                      text->staff_en);
    } else if (r < 0) {
        (void)fprintf(c->options->err, "uketsuke: %s\n", command_reason(r));
    }
    if (r != 0)
        (void)fprintf(
            c->options->err,
            "uketsuke: 同じコマンドで続きから進みます / the same command goes on from here\n");
    return r;
}

int command_precheck(const struct command_options *options, int argc, char **argv)
{
    struct check c = {.options = options,
                      .report = -1,
                      .bar = options->err == stderr && isatty(STDERR_FILENO) == 1};
    struct link *link = NULL;
    char *data = NULL;
    size_t len = 0;
    int r, status = EXIT_USAGE;

    if (argc != 1) {
        (void)fprintf(
            options->err,
            "uketsuke: precheck FILE.csv [--date YYYY-MM-DD | tomorrow] [--output REPORT.csv]\n");
        return EXIT_USAGE;
    }
    if (read_date(&c, options->date) < 0)
        return EXIT_USAGE;
    r = read_file(argv[0], &data, &len);
    if (r < 0) {
        (void)complain(&c, argv[0], "読めません", strerror(-r));
        return EXIT_USAGE;
    }
    name_list(&c, data, len);
    r = count_rows(&c, data, len);
    if (r == 0)
        r = csv_new(&c.csv, data, len);
    if (r == 0)
        r = read_headings(&c);
    if (r == 0) {
        r = open_report(&c, argv[0]);
        if (r < 0 && r != -EINVAL)
            (void)complain(&c, c.report_path != NULL ? c.report_path : "", "報告を書けません",
                           strerror(-r));
    }
    if (r == 0) {
        link = command_link(options);
        status = EXIT_NO_DESK;
    }
    if (link != NULL) {
        r = check_rows(&c, link);
        if (r == 0)
            status = c.counts[PRECHECK_VALID] == c.finished ? EXIT_AS_ASKED : EXIT_NOT_SO;
        (void)fprintf(
            options->out,
            "%s: %u/%u  有効 valid %u, 無効 invalid %u, 不明 unknown %u, 入力誤り wrong %u\n",
            c.report_path, c.finished, c.rows, c.counts[PRECHECK_VALID], c.counts[PRECHECK_INVALID],
            c.counts[PRECHECK_UNKNOWN], c.counts[PRECHECK_WRONG]);
    }
    link_close(&link);
    csv_free(&c.csv);
    if (data != NULL)
        explicit_bzero(data, len);
    free(data);
    free(c.done);
    free(c.report_path);
    if (c.report >= 0)
        (void)close(c.report);
    return status;
}
