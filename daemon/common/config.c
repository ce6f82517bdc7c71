#include "config.h"

#include "config_meaning.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INSTANCES_MAX 80
#define NAME_MAX_BYTES 32

static const struct config_row rows[CONFIG_KEY_COUNT] = {
#define CONFIG_KEY(section, id, use, name, type, min, max, fallback, choices, ja, en)              \
    [CFG_##section##_##                                                                            \
        id] = {#section, name, use, CONFIG_##type, min, max, fallback, choices, ja, en},
#include "config.def"
#undef CONFIG_KEY
};

/* Sections that come once per instance: "[lane 1]". All others stand alone. */
static const char *const instanced[] = {"lane", "upstream", "output"};

struct value {
    bool given;
    int line;
    char *text;
    int64_t number;
};

struct instance {
    const char *section; /* one of rows[].section */
    char name[NAME_MAX_BYTES];
    int line; /* of the heading; 0: it is not in the file */
    struct value values[CONFIG_KEY_COUNT];
};

struct config {
    char *path;
    char *directory; /* of the file: relative paths start there */
    struct instance *instances;
    size_t ninstances;
};

struct loading {
    struct config *config;
    const char *path;
    FILE *errors;
    FILE *file;
    struct instance *current;
    int line; /* inih as Debian builds it does not tell the line: our reader counts */
    size_t count;
    bool out_of_memory;
};

const struct config_row *config_row(enum config_key key)
{
    return &rows[key];
}

enum problem {
    NO_SUCH_SECTION,
    NO_SUCH_KEY,
    NEEDS_NAME,
    TAKES_NO_NAME,
    BAD_NAME,
    BAD_LANE,
    NO_HEADING,
    TOO_MANY,
    LONG_LINE,
    BEFORE_ANY,
    TWICE,
    NO_PAIR,
    OUT_OF_RANGE,
    OUT_OF_LENGTH,
    NO_CHOICE,
    NO_FLAG,
    NOT_LOOPBACK
};

static const struct {
    const char *ja, *en, *next;
} problems[] = {
    [NO_SUCH_SECTION] = {"そのセクションはありません", "there is no such section",
                         "これのことですか / did you mean"},
    [NO_SUCH_KEY] = {"ここにその項目はありません", "there is no such key here",
                     "これのことですか / did you mean"},
    [NEEDS_NAME] = {"このセクションには名前が要ります", "this section needs a name",
                    "[lane 1] や [upstream main] のように書きます / write it like [lane 1] or "
                    "[upstream main]"},
    [TAKES_NO_NAME] = {"このセクションに名前は付けられません", "this section takes no name",
                       "名前を消します / write it without"},
    [BAD_NAME] = {"使えない名前です", "not a usable name",
                  "英字・数字・-・_ を31文字まで使います / use letters, digits, - and _, at most "
                  "31"},
    [BAD_LANE] = {"レーンの名前は番号です", "a lane is named by a number",
                  "[lane 1] から [lane 64] までです / use [lane 1] to [lane 64]"},
    [NO_HEADING] = {"見出しの形ではありません", "not a heading",
                    "[セクション] か [セクション 名前] と書きます / write it as [section] or "
                    "[section name]"},
    [TOO_MANY] = {"セクションが多すぎます", "too many sections",
                  "レーンは64まで、照会先と渡し先は数個までです / at most 64 lanes and a few "
                  "upstreams and outputs"},
    [LONG_LINE] = {"行が長すぎます", "the line is too long",
                   "200バイトより短くします。パスは相対で短くできます / keep lines below 200 bytes "
                   "(shorten paths with a relative one)"},
    [BEFORE_ANY] = {"どのセクションにも入っていません", "stands before any section",
                    "[desk] などの見出しの下に移します / put it below a heading such as [desk]"},
    [TWICE] = {"二度書かれています", "given twice",
               "どちらかの行を消します / keep one of the two lines"},
    [NO_PAIR] = {"「名前 = 値」の形ではありません", "not of the form `name = value`",
                 "uketsuke.conf(5) にあります / see uketsuke.conf(5)"},
    [OUT_OF_RANGE] = {"範囲の中の数ではありません", "not a number in range",
                      "この範囲の数にします / give a number within"},
    [OUT_OF_LENGTH] = {"短すぎるか、長すぎます", "too short or too long",
                       "このバイト数にします / give so many bytes"},
    [NO_CHOICE] = {"選べる語ではありません", "not one of the choices",
                   "次から選びます / choose one of"},
    [NO_FLAG] = {"yes でも no でもありません", "not a yes or no",
                 "yes か no と書きます / write yes or no"},
    [NOT_LOOPBACK] = {"このコンピューター自身のアドレスとポートではありません",
                      "not a loopback address with a port",
                      "127.0.0.1:8620 のように書きます。ほかの機械から見るには、TLSのリバースプロ"
                      "キシを前に置きます(文書の proxy/ に例) / give one like 127.0.0.1:8620; for "
                      "other machines put a TLS reverse proxy before it (examples in proxy/ of the "
                      "documentation)"},
};

/* name: the key or heading, NULL for the line as such. choose: what may stand there, NULL when the row says it. */
static void complain(struct loading *l, int line, enum problem problem, const char *name,
                     const char *choose)
{
    (void)fprintf(l->errors, "%s:%d: %s%s%s / %s; %s%s%s\n", l->path, line,
                  name != NULL ? name : "", name != NULL ? ": " : "", problems[problem].ja,
                  problems[problem].en, problems[problem].next, choose != NULL ? ": " : "",
                  choose != NULL ? choose : "");
    l->count++;
}

static void complain_of_range(struct loading *l, int line, enum problem problem,
                              const struct config_row *row)
{
    char range[64];

    if (row->min == row->max)
        (void)snprintf(range, sizeof(range), "%lld", (long long)row->min);
    else
        (void)snprintf(range, sizeof(range), "%lld - %lld", (long long)row->min,
                       (long long)row->max);
    complain(l, line, problem, row->name, range);
}

/* Edit distance, for "did you mean": small words only. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[64];
    size_t la = strlen(a), lb = strlen(b);

    if (la >= 64 || lb >= 64)
        return 64;
    for (size_t j = 0; j <= lb; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= la; i++) {
        unsigned diagonal = row[0];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            unsigned up = row[j];
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);

            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (up + 1 < best)
                best = up + 1;
            diagonal = up;
            row[j] = best;
        }
    }
    return row[lb];
}

static const char *nearest_key(const char *section, const char *name)
{
    const char *best = "";
    unsigned least = 64;

    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++)
        if (strcmp(rows[i].section, section) == 0 && distance(rows[i].name, name) < least) {
            least = distance(rows[i].name, name);
            best = rows[i].name;
        }
    return best;
}

static const char *nearest_section(const char *name)
{
    const char *best = "";
    unsigned least = 64;

    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++)
        if (distance(rows[i].section, name) < least) {
            least = distance(rows[i].section, name);
            best = rows[i].section;
        }
    return best;
}

static const char *known_section(const char *name)
{
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++)
        if (strcmp(rows[i].section, name) == 0)
            return rows[i].section;
    return NULL;
}

static bool is_instanced(const char *section)
{
    for (size_t i = 0; i < sizeof(instanced) / sizeof(instanced[0]); i++)
        if (strcmp(instanced[i], section) == 0)
            return true;
    return false;
}

static struct instance *find_instance(const struct config *config, const char *section,
                                      const char *name)
{
    for (size_t i = 0; i < config->ninstances; i++)
        if (strcmp(config->instances[i].section, section) == 0 &&
            strcmp(config->instances[i].name, name) == 0)
            return &config->instances[i];
    return NULL;
}

static struct instance *add_instance(struct config *config, const char *section, const char *name)
{
    struct instance *instance = find_instance(config, section, name);

    if (instance != NULL)
        return instance;
    if (config->ninstances == INSTANCES_MAX)
        return NULL;
    instance = &config->instances[config->ninstances++];
    instance->section = section;
    (void)snprintf(instance->name, sizeof(instance->name), "%s", name);
    return instance;
}

bool config_is_instance_name(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len < NAME_MAX_BYTES &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == len;
}

/* "[lane 1]" -> section "lane", name "1". False when the heading itself is wrong (complained about). */
static bool split_heading(struct loading *l, int line, const char *heading, const char **section,
                          char *name)
{
    char word[64];
    const char *space = strchr(heading, ' ');
    size_t len = space != NULL ? (size_t)(space - heading) : strlen(heading);
    char nearest[128];

    if (len >= sizeof(word))
        len = sizeof(word) - 1;
    memcpy(word, heading, len);
    word[len] = '\0';
    *section = known_section(word);
    if (*section == NULL) {
        const char *meant = nearest_section(word);

        (void)snprintf(nearest, sizeof(nearest), "[%s%s]", meant,
                       space != NULL && is_instanced(meant) ? space : "");
        complain(l, line, NO_SUCH_SECTION, heading, nearest);
        return false;
    }
    if (is_instanced(*section) != (space != NULL)) {
        complain(l, line, space != NULL ? TAKES_NO_NAME : NEEDS_NAME, heading, NULL);
        return false;
    }
    name[0] = '\0';
    if (space != NULL) {
        if (!config_is_instance_name(space + 1)) {
            complain(l, line, BAD_NAME, heading, NULL);
            return false;
        }
        memcpy(name, space + 1, strlen(space + 1) + 1);
    }
    if (strcmp(*section, "lane") == 0) {
        char *end;
        long n = strtol(name, &end, 10);

        if (*end != '\0' || n < 1 || n > 64) {
            complain(l, line, BAD_LANE, heading, NULL);
            return false;
        }
    }
    return true;
}

static bool is_number(const struct config_row *row, const char *text, int64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *out >= row->min && *out <= row->max;
}

static bool parse_number(struct loading *l, int line, const struct config_row *row,
                         const char *text, int64_t *out)
{
    if (is_number(row, text, out))
        return true;
    complain_of_range(l, line, OUT_OF_RANGE, row);
    return false;
}

static bool is_choice(const struct config_row *row, const char *text, int64_t *out)
{
    const char *at = row->choices;

    for (*out = 0; *at != '\0'; (*out)++) {
        size_t len = strcspn(at, "|");

        if (strlen(text) == len && strncmp(at, text, len) == 0)
            return true;
        at += len + (at[len] == '|');
    }
    return false;
}

static bool is_flag(const char *text)
{
    return strcmp(text, "yes") == 0 || strcmp(text, "no") == 0;
}

bool config_row_is_plain(const struct config_row *row, const char *text)
{
    int64_t value;

    return (row->type == CONFIG_NUMBER && is_number(row, text, &value)) ||
           (row->type == CONFIG_CHOICE && is_choice(row, text, &value)) ||
           (row->type == CONFIG_FLAG && is_flag(text));
}

static bool parse_choice(struct loading *l, int line, const struct config_row *row,
                         const char *text, int64_t *out)
{
    if (is_choice(row, text, out))
        return true;
    complain(l, line, NO_CHOICE, row->name, row->choices);
    return false;
}

static bool parse_text(struct loading *l, int line, const struct config_row *row, const char *text)
{
    size_t len = strlen(text);

    if (len >= (size_t)row->min && len <= (size_t)row->max)
        return true;
    complain_of_range(l, line, OUT_OF_LENGTH, row);
    return false;
}

/* "127.0.0.1:8620", "[::1]:8620", "localhost:8620": on a network the pages stand behind a TLS reverse proxy only. */
static bool is_on_loopback(const char *text)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon != NULL ? (size_t)(colon - text) : 0;
    char host[INET_ADDRSTRLEN], *end;
    struct in_addr address;
    unsigned long port;

    if (colon == NULL || colon[1] < '0' || colon[1] > '9')
        return false;
    port = strtoul(colon + 1, &end, 10);
    if (*end != '\0' || port < 1 || port > 65535)
        return false;
    if ((len == 5 && memcmp(text, "[::1]", len) == 0) ||
        (len == 9 && memcmp(text, "localhost", len) == 0))
        return true;
    if (len >= sizeof(host))
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    return inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

static char *resolve_path(const struct config *config, const char *text)
{
    char *out = NULL;

    if (text[0] == '/' || text[0] == '\0')
        return strdup(text);
    if (asprintf(&out, "%s/%s", config->directory, text) < 0)
        return NULL;
    return out;
}

static bool parse_value(struct loading *l, int line, const struct config_row *row, const char *text,
                        struct value *value)
{
    switch (row->type) {
    case CONFIG_NUMBER:
        if (!parse_number(l, line, row, text, &value->number))
            return false;
        break;
    case CONFIG_CHOICE:
        if (!parse_choice(l, line, row, text, &value->number))
            return false;
        break;
    case CONFIG_FLAG:
        if (!is_flag(text)) {
            complain(l, line, NO_FLAG, row->name, NULL);
            return false;
        }
        value->number = text[0] == 'y';
        break;
    case CONFIG_TEXT:
    case CONFIG_PATH:
        if (!parse_text(l, line, row, text))
            return false;
        if (row == &rows[CFG_web_LISTEN] && !is_on_loopback(text)) {
            complain(l, line, NOT_LOOPBACK, row->name, NULL);
            return false;
        }
        break;
    }
    value->text = row->type == CONFIG_PATH ? resolve_path(l->config, text) : strdup(text);
    if (value->text == NULL) {
        l->out_of_memory = true;
        return false;
    }
    value->given = true;
    value->line = line;
    return true;
}

/*
 * The heading of this and the following lines. Seen here rather than through inih's handler, because a heading
 * without keys is still an instance: "[lane 2]" alone is a lane with every default.
 */
static void note_heading(struct loading *l, const char *line)
{
    const char *end = line[0] == '[' ? strchr(line, ']') : NULL;
    const char *section;
    char name[NAME_MAX_BYTES];
    char heading[128];

    if (line[0] != '[')
        return;
    l->current = NULL;
    if (end == NULL || (size_t)(end - line) >= sizeof(heading)) {
        complain(l, l->line, NO_HEADING, NULL, NULL);
        return;
    }
    memcpy(heading, line + 1, (size_t)(end - line - 1));
    heading[end - line - 1] = '\0';
    if (!split_heading(l, l->line, heading, &section, name))
        return;
    l->current = add_instance(l->config, section, name);
    if (l->current == NULL)
        complain(l, l->line, TOO_MANY, heading, NULL);
    else if (l->current->line == 0)
        l->current->line = l->line;
}

/* inih's reader (as fgets), with a count of the lines and a word about those that its buffer would cut. */
static char *read_line(char *text, int size, void *arg)
{
    struct loading *l = arg;

    if (fgets(text, size, l->file) == NULL)
        return NULL;
    l->line++;
    if (strchr(text, '\n') == NULL && !feof(l->file)) {
        int c;

        complain(l, l->line, LONG_LINE, NULL, NULL);
        while ((c = fgetc(l->file)) != EOF && c != '\n')
            ;
        text[0] = '\0';
    }
    note_heading(l, text);
    return text;
}

static int on_entry(void *arg, const char *heading, const char *name, const char *text)
{
    struct loading *l = arg;
    struct instance *instance = l->current;
    const char *section;
    int line = l->line;

    if (heading[0] == '\0')
        complain(l, line, BEFORE_ANY, name, NULL);
    if (instance == NULL)
        return 1; /* its heading was complained about */
    section = instance->section;
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        if (strcmp(rows[i].section, section) != 0 || strcmp(rows[i].name, name) != 0)
            continue;
        if (instance->values[i].given) {
            complain(l, line, TWICE, name, NULL);
            return 1;
        }
        (void)parse_value(l, line, &rows[i], text, &instance->values[i]);
        return 1;
    }
    complain(l, line, NO_SUCH_KEY, name, nearest_key(section, name));
    return 1;
}

/* Give every instance its defaults. */
static void fill_defaults(struct loading *l)
{
    struct config *config = l->config;

    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++)
        if (!is_instanced(rows[i].section) && add_instance(config, rows[i].section, "") == NULL)
            l->out_of_memory = true;
    for (size_t n = 0; n < config->ninstances; n++)
        for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
            struct value *value = &config->instances[n].values[i];
            struct config_row row = rows[i];

            if (strcmp(row.section, config->instances[n].section) != 0 || value->text != NULL)
                continue;
            row.min = row.type == CONFIG_NUMBER ? row.min : 0; /* "" stands for "not given" */
            (void)parse_value(l, 0, &row, row.fallback, value);
            value->given = false;
        }
}

int config_load(struct config **out, const char *path, char **message)
{
    FILE *file = fopen(path, "re");
    int error = errno, r;

    *out = NULL;
    *message = NULL;
    if (file == NULL) {
        if (asprintf(
                message,
                "%s: 読めません / cannot be read (%s); パスと権限を確かめます / check the path "
                "and its permissions\n",
                path, strerror(error)) < 0)
            *message = NULL;
        return -EINVAL;
    }
    r = config_load_stream(out, file, path, message);
    (void)fclose(file);
    return r;
}

int config_load_stream(struct config **out, FILE *file, const char *path, char **message)
{
    struct loading l = {.path = path, .file = file};
    const char *slash;
    size_t size = 0;
    int line, r = -ENOMEM;

    *out = NULL;
    *message = NULL;
    l.errors = open_memstream(message, &size);
    l.config = calloc(1, sizeof(*l.config));
    if (l.errors == NULL || l.config == NULL)
        goto fail;
    l.config->instances = calloc(INSTANCES_MAX, sizeof(*l.config->instances));
    slash = strrchr(path, '/');
    l.config->directory = slash != NULL ? strndup(path, (size_t)(slash - path)) : strdup(".");
    l.config->path = strdup(path);
    if (l.config->instances == NULL || l.config->directory == NULL || l.config->path == NULL)
        goto fail;
    line = ini_parse_stream(read_line, &l, on_entry, &l);
    if (line > 0)
        complain(&l, line, NO_PAIR, NULL, NULL);
    fill_defaults(&l);
    if (l.out_of_memory)
        goto fail;
    l.count += config_wrong(l.config, l.errors);
    if (l.count > 0) {
        r = -EINVAL;
        goto fail;
    }
    (void)fclose(l.errors);
    free(*message);
    *message = NULL;
    *out = l.config;
    return 0;
fail:
    if (l.errors != NULL)
        (void)fclose(l.errors);
    config_free(&l.config);
    return r;
}

void config_free(struct config **at)
{
    struct config *config = *at;

    if (config == NULL)
        return;
    *at = NULL;
    for (size_t n = 0; config->instances != NULL && n < config->ninstances; n++)
        for (size_t i = 0; i < CONFIG_KEY_COUNT; i++)
            free(config->instances[n].values[i].text);
    free(config->instances);
    free(config->directory);
    free(config->path);
    free(config);
}

static const struct value *find_value(const struct config *config, enum config_key key,
                                      const char *name)
{
    static const struct value none = {.text = (char *)(uintptr_t) ""};
    const struct instance *instance =
        find_instance(config, rows[key].section, name != NULL ? name : "");

    return instance != NULL ? &instance->values[key] : &none;
}

int64_t config_number(const struct config *config, enum config_key key, const char *instance)
{
    return find_value(config, key, instance)->number;
}

const char *config_text(const struct config *config, enum config_key key, const char *instance)
{
    return find_value(config, key, instance)->text;
}

bool config_flag(const struct config *config, enum config_key key, const char *instance)
{
    return find_value(config, key, instance)->number != 0;
}

bool config_given(const struct config *config, enum config_key key, const char *instance)
{
    return find_value(config, key, instance)->given;
}

const char *config_instance(const struct config *config, const char *section, size_t i)
{
    for (size_t n = 0; n < config->ninstances; n++)
        if (strcmp(config->instances[n].section, section) == 0 && i-- == 0)
            return config->instances[n].name;
    return NULL;
}

int config_line(const struct config *config, enum config_key key, const char *name)
{
    const struct instance *instance =
        find_instance(config, rows[key].section, name != NULL ? name : "");

    if (instance == NULL)
        return 0;
    return instance->values[key].given ? instance->values[key].line : instance->line;
}

const char *config_path(const struct config *config)
{
    return config->path;
}
