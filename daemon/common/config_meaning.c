#include "config_meaning.h"

#include "spec.h"
#include "visit.h"
#include "xmlmsg.h"

#include <stdlib.h>
#include <string.h>

#define WORDS_MOST 240 /* bytes of a list of words */

/* As the choices in config.def. */
enum { WEB_API, FOLDERS };
enum { FACE_FILES, HOOK, ORCA, DOCUMENTS };

/* What a check looks at, and what it may add to the words of its row. */
struct look {
    const struct config *config;
    const char *instance;    /* "" in a section that stands alone */
    const char *text;        /* the value; the heading's name where no key is looked at */
    size_t index;            /* of the section among those of its kind */
    char which[WORDS_MOST];  /* the part of the value that is wrong; "": all of it */
    char choose[WORDS_MOST]; /* what may stand there; "" when the row's words say it */
};

/* ---- words ----------------------------------------------------------------------------------- */

/* The next of the words that blanks separate. False at the end. */
static bool next_word(const char **text, char *out, size_t size)
{
    size_t len;

    *text += strspn(*text, " ");
    len = strcspn(*text, " ");
    (void)snprintf(out, size, "%.*s", (int)len, *text);
    *text += len;
    return len > 0;
}

static void add_word(char *list, const char *word)
{
    size_t len = strlen(list);

    (void)snprintf(list + len, WORDS_MOST - len, "%s%s", len > 0 ? " " : "", word);
}

uint32_t config_bits(const struct config *config, enum config_key key, const char *instance)
{
    uint32_t (*of)(const char *) =
        key == CFG_desk_CONSENTS ? visit_consent_of : upstream_capability_of;
    const char *text = config_text(config, key, instance);
    char word[WORDS_MOST];
    uint32_t bits = 0;

    while (next_word(&text, word, sizeof(word)))
        bits |= of(word);
    return bits;
}

/* Is each word one of `allowed`? */
static bool words_are(struct look *l, uint32_t (*of)(const char *), uint32_t allowed)
{
    const char *text = l->text;

    while (next_word(&text, l->which, sizeof(l->which)))
        if ((of(l->which) & allowed) == 0)
            return false;
    return true;
}

static void list_capabilities(struct look *l, uint32_t bits)
{
    for (uint32_t bit = 1; bit <= bits; bit <<= 1)
        if ((bits & bit) != 0)
            add_word(l->choose, upstream_capability_name(bit));
}

static void list_upstreams(struct look *l)
{
    const char *name;

    for (size_t i = 0; (name = config_instance(l->config, "upstream", i)) != NULL; i++)
        add_word(l->choose, name);
}

static bool has_upstream(const struct config *config, const char *wanted)
{
    const char *name;

    for (size_t i = 0; (name = config_instance(config, "upstream", i)) != NULL; i++)
        if (strcmp(name, wanted) == 0)
            return true;
    return false;
}

bool config_next_route(const char **text, struct config_route *out)
{
    char *equals;

    if (!next_word(text, out->word, sizeof(out->word)))
        return false;
    (void)memcpy(out->copy, out->word, sizeof(out->copy));
    equals = strchr(out->copy, '=');
    out->upstream = "";
    if (equals != NULL) {
        *equals = '\0';
        out->upstream = equals + 1;
    }
    out->capability = upstream_capability_of(out->copy);
    return true;
}

/* ---- what holds of a section ----------------------------------------------------------------- */

static int64_t number(const struct look *l, enum config_key key)
{
    return config_number(l->config, key, l->instance);
}

static bool is_web_api(const struct look *l)
{
    return number(l, CFG_upstream_KIND) == WEB_API;
}

static bool is_folders(const struct look *l)
{
    return number(l, CFG_upstream_KIND) == FOLDERS;
}

static uint32_t capabilities(const struct look *l)
{
    return config_bits(l->config, CFG_upstream_CAPABILITIES, l->instance);
}

static bool asks_by_numbers(const struct look *l)
{
    return is_web_api(l) && (capabilities(l) & CAPABILITY_BY_NUMBERS) != 0;
}

static bool asks_extensions(const struct look *l)
{
    return is_web_api(l) && (capabilities(l) & ~(uint32_t)CAPABILITY_BY_NUMBERS) != 0;
}

static bool is_orca(const struct look *l)
{
    return number(l, CFG_output_KIND) == ORCA;
}

static bool has_url(const struct look *l)
{
    return number(l, CFG_output_KIND) == HOOK || is_orca(l);
}

static bool has_folder(const struct look *l)
{
    return number(l, CFG_output_KIND) == FACE_FILES || number(l, CFG_output_KIND) == DOCUMENTS;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool has_tls(const struct look *l)
{
    return has_url(l) && begins(config_text(l->config, CFG_output_URL, l->instance), "https://");
}

/* ---- the checks ------------------------------------------------------------------------------ */

static bool is_there(struct look *l)
{
    return l->text[0] != '\0';
}

static bool is_ten_digits(struct look *l)
{
    return strlen(l->text) == 10 && strspn(l->text, "0123456789") == 10;
}

static bool are_consents(struct look *l)
{
    for (size_t i = 0; i < VISIT_CONSENTS; i++)
        add_word(l->choose, visit_consents[i].name);
    return words_are(l, visit_consent_of, CONSENT_ALL);
}

static bool are_capabilities(struct look *l)
{
    list_capabilities(l, UINT8_MAX);
    return words_are(l, upstream_capability_of, UINT32_MAX);
}

/* Of words that are none the row before this one speaks. */
static bool are_of_the_kind(struct look *l)
{
    uint32_t can = is_folders(l) ? CAPABILITY_OF_FOLDERS : CAPABILITY_OF_WEB_API;

    list_capabilities(l, can);
    return words_are(l, upstream_capability_of, can) || upstream_capability_of(l->which) == 0;
}

static bool are_routes(struct look *l)
{
    struct config_route route;
    const char *text = l->text;
    uint32_t seen = 0;

    while (config_next_route(&text, &route)) {
        if ((route.capability & CAPABILITY_MOVABLE) == 0 || (route.capability & seen) != 0 ||
            !has_upstream(l->config, route.upstream)) {
            (void)snprintf(l->which, sizeof(l->which), "%s", route.word);
            list_capabilities(l, CAPABILITY_MOVABLE);
            add_word(l->choose, "=");
            list_upstreams(l);
            return false;
        }
        seen |= route.capability;
    }
    return true;
}

/* A value that is wrong as a whole; not of what could hold a user's name or a secret. */
static void show_value(struct look *l)
{
    (void)snprintf(l->which, sizeof(l->which), "%s", l->text);
}

static bool is_reader(struct look *l)
{
    struct spec spec;

    show_value(l);
    return spec_parse_reader(&spec, l->text) == 0;
}

static bool is_camera(struct look *l)
{
    struct spec spec;

    show_value(l);
    return spec_parse_camera(&spec, l->text) == 0;
}

static bool is_upstream(struct look *l)
{
    show_value(l);
    list_upstreams(l);
    return has_upstream(l->config, l->text);
}

/* Nothing said means main; that there is none of that name is missing, not wrong. */
static bool has_its_upstream(struct look *l)
{
    return config_given(l->config, CFG_lane_UPSTREAM, l->instance) || is_upstream(l);
}

static bool is_lane_alone(struct look *l)
{
    const char *other;

    for (size_t i = 0; i < l->index; i++)
        if ((other = config_instance(l->config, "lane", i)) != NULL &&
            strtol(other, NULL, 10) == strtol(l->text, NULL, 10))
            return false;
    return true;
}

static bool is_within_upstreams(struct look *l)
{
    return l->index < CONFIG_UPSTREAMS_MAX;
}

static bool is_within_outputs(struct look *l)
{
    return l->index < CONFIG_OUTPUTS_MAX;
}

static bool is_no_upstream(struct look *l)
{
    return !has_upstream(l->config, l->text);
}

/* As the relay's TLS needs it: no other scheme, no user name in it. */
static bool is_https(struct look *l)
{
    static const char tls[] = "https://";

    return l->text[0] == '\0' ||
           (begins(l->text, tls) && l->text[sizeof(tls) - 1] != '\0' &&
            l->text[sizeof(tls) - 1] != '/' && strpbrk(l->text, " @#") == NULL);
}

static bool is_http(struct look *l)
{
    return l->text[0] == '\0' || begins(l->text, "https://") || begins(l->text, "http://");
}

/* 127.0.0.0/8, ::1 or localhost. */
static bool is_on_this_computer(const char *host)
{
    return begins(host, "127.") || begins(host, "[::1]") ||
           (begins(host, "localhost") && strchr(":/", host[strlen("localhost")]) != NULL);
}

static bool is_cleartext_allowed(struct look *l)
{
    return !begins(l->text, "http://") || is_on_this_computer(l->text + strlen("http://")) ||
           config_flag(l->config, CFG_output_CLEARTEXT, l->instance);
}

static bool has_no_colon(struct look *l)
{
    return strchr(l->text, ':') == NULL;
}

/* ---- the table ------------------------------------------------------------------------------- */

enum when {
    GIVEN,   /* of a value that is written */
    HEADING, /* of each section of that kind */
    SECTION, /* of the file: is there one of that kind? */
    NEEDED,  /* of a value, written or not */
};

#define TENS "医療機関コードを数字10桁で / give the ten digits of the institution code"
#define IS_HTTPS                                                                                   \
    GIVEN, 0, is_web_api, is_https, "https://で始まるURLではありません",                           \
        "must be a URL that begins with https:// and holds no user name",                          \
        "https://相手/… と書きます / write it as https://HOST/..."

static const struct check {
    enum config_key key;
    enum when when;
    unsigned use;                          /* SECTION, NEEDED: whose start fails without it */
    bool (*applies)(const struct look *l); /* NULL: always */
    bool (*good)(struct look *l);          /* NULL: never (SECTION) */
    const char *ja, *en, *next;            /* "": the look's list says what may stand there */
} checks[] = {
    {CFG_desk_INSTITUTION, GIVEN, 0, NULL, is_ten_digits, "数字10桁ではありません",
     "is not ten digits", TENS},
    {CFG_desk_INSTITUTION, NEEDED, FOR_DESK, NULL, is_there, "ありません", "is missing", TENS},
    {CFG_desk_CONSENTS, GIVEN, 0, NULL, are_consents, "不明な語です", "no such word", ""},
    {CFG_desk_ROUTES, GIVEN, 0, NULL, are_routes,
     "機能=照会先 の形で、機能は一度だけ、照会先は [upstream] の名前を書きます",
     "must be CAPABILITY=UPSTREAM, each capability once, of an [upstream] that there is", ""},
    {CFG_lane_LABEL, SECTION, FOR_DESK, NULL, NULL, "レーンがありません", "there is no lane",
     "[lane 1] を書きます / write [lane 1]"},
    {CFG_lane_LABEL, HEADING, 0, NULL, is_lane_alone, "同じ番号のレーンがもうあります",
     "another lane has that number", "番号を変えます / give it another number"},
    {CFG_lane_READER, GIVEN, 0, NULL, is_reader, "読み取り機の書き方ではありません",
     "names no reader", "only | port=1-2.3 | id=054c:0dc8[/シリアル SERIAL] | usbip=PATH"},
    {CFG_lane_CAMERA, GIVEN, 0, NULL, is_camera, "カメラの書き方ではありません", "names no camera",
     "same | only | port=1-2.3 | id=054c:0dc8[/シリアル SERIAL] (v4l2: か auto: を前に / with "
     "v4l2: "
     "or auto: in front) | v4l2:/dev/video0 | none"},
    {CFG_lane_UPSTREAM, GIVEN, 0, NULL, is_upstream, "その [upstream] がありません",
     "there is no such [upstream] section", ""},
    {CFG_lane_UPSTREAM, NEEDED, FOR_DESK, NULL, has_its_upstream,
     "書いていないので main ですが、[upstream main] がありません",
     "is not given and means main, but there is no [upstream main]",
     "[upstream main] を書くか、upstream = で名前を選びます / write [upstream main], or name one "
     "with upstream ="},
    {CFG_upstream_KIND, SECTION, FOR_DESK, NULL, NULL, "照会先がありません", "there is no upstream",
     "[upstream main] を書きます / write [upstream main]"},
    {CFG_upstream_KIND, HEADING, 0, NULL, is_within_upstreams, "照会先が多すぎます",
     "too many upstreams", "16までです / at most 16"},
    {CFG_upstream_CAPABILITIES, GIVEN, 0, NULL, are_capabilities, "不明な語です", "no such word",
     ""},
    {CFG_upstream_CAPABILITIES, GIVEN, 0, NULL, are_of_the_kind, "この種類の照会先にはありません",
     "not something that this kind of upstream can do", ""},
    {CFG_upstream_AUTH_URL, IS_HTTPS},
    {CFG_upstream_SEARCH_URL, IS_HTTPS},
    {CFG_upstream_EXTENSION_URL, IS_HTTPS},
    {CFG_upstream_AUTH_URL, NEEDED, FOR_RELAY, is_web_api, is_there, "ありません", "is missing",
     "認証のURL(https)を書きます / write the URL of the authentication call (https)"},
    {CFG_upstream_SEARCH_URL, NEEDED, FOR_RELAY, asks_by_numbers, is_there, "ありません",
     "is missing", "資格確認のURL(https)を書きます / write the URL of the search call (https)"},
    {CFG_upstream_EXTENSION_URL, NEEDED, FOR_RELAY, asks_extensions, is_there, "ありません",
     "is missing", "by_numbers 以外の機能に要ります / is needed for any capability but by_numbers"},
    {CFG_upstream_CA, NEEDED, FOR_RELAY, is_web_api, is_there, "ありません", "is missing",
     "サーバー証明書を確かめるCA(PEM)のファイルを書きます / name the file with the server's CA "
     "(PEM)"},
    {CFG_upstream_CERTIFICATE, NEEDED, FOR_RELAY, is_web_api, is_there, "ありません", "is missing",
     "クライアント証明書(PEM)のファイルを書きます / name the file with the client certificate "
     "(PEM)"},
    {CFG_upstream_FOLDER, NEEDED, FOR_RELAY, is_folders, is_there,
     "資格確認端末のフォルダを設定してください", "must be the folder of the terminal",
     "req・res のあるディレクトリを書きます / name the directory that holds req and res"},
    {CFG_output_KIND, HEADING, 0, NULL, is_within_outputs, "渡し先が多すぎます", "too many outputs",
     "16までです / at most 16"},
    {CFG_output_KIND, HEADING, 0, NULL, is_no_upstream, "同じ名前の [upstream] があります",
     "an upstream has that name", "どちらかの名前を変えます / rename one of the two"},
    {CFG_output_URL, GIVEN, 0, has_url, is_http, "https:// か http:// で始めてください",
     "must begin with https:// or http://",
     "https://相手/… と書きます / write it as https://HOST/..."},
    {CFG_output_URL, GIVEN, 0, has_url, is_cleartext_allowed, "暗号化されない通信です",
     "crosses the network unencrypted",
     "ほかのコンピューターへはhttpsを使うか、cleartext = yes とします / use https to another "
     "computer, "
     "or say cleartext = yes"},
    {CFG_output_USER, GIVEN, 0, is_orca, has_no_colon, "コロンは使えません", "cannot hold a colon",
     "ORCAのユーザー名を書きます / give the user at ORCA"},
    {CFG_output_URL, NEEDED, FOR_HANDOVER, has_url, is_there, "ありません", "is missing",
     "フックかacceptmodv2のURLを書きます / write the URL of the hook, or of acceptmodv2"},
    {CFG_output_CA, NEEDED, FOR_HANDOVER, has_tls, is_there, "ありません", "is missing",
     "相手の証明書を確かめるCA(PEM)のファイルを書きます / name the file with the receiver's CA "
     "(PEM)"},
    {CFG_output_DEPARTMENT, NEEDED, FOR_HANDOVER, is_orca, is_there, "ありません", "is missing",
     "ORCAの診療科コードを書きます / give the department code at ORCA"},
    {CFG_output_PHYSICIAN, NEEDED, FOR_HANDOVER, is_orca, is_there, "ありません", "is missing",
     "ORCAのドクターコードを書きます / give the physician code at ORCA"},
    {CFG_output_FOLDER, NEEDED, FOR_HANDOVER, has_folder, is_there, "ありません", "is missing",
     "ファイルを置くディレクトリを書きます / name the directory where the files appear"},
};

/* FILE:LINE: [lane 1] reader: VALUE: JA / EN; NEXT */
static void complain(FILE *errors, const struct check *c, const struct look *l)
{
    const struct config_row *row = config_row(c->key);
    int line = c->when != SECTION ? config_line(l->config, c->key, l->instance) : 0;

    (void)fprintf(errors, "%s:", config_path(l->config));
    if (line > 0)
        (void)fprintf(errors, "%d:", line);
    if (c->when == SECTION)
        (void)fprintf(errors, " [%s]", row->section);
    else if (l->instance[0] != '\0')
        (void)fprintf(errors, " [%s %s]", row->section, l->instance);
    if (c->when == GIVEN || c->when == NEEDED)
        (void)fprintf(errors, " %s", row->name);
    if (l->which[0] != '\0')
        (void)fprintf(errors, ": %s", l->which);
    (void)fprintf(errors, ": %s / %s; ", c->ja, c->en);
    if (c->next[0] != '\0')
        (void)fprintf(errors, "%s\n", c->next);
    else
        (void)fprintf(errors, "次から選びます / choose from %s\n",
                      l->choose[0] != '\0' ? l->choose : "[upstream main]");
}

static bool is_good(const struct check *c, struct look *l)
{
    if (c->when == SECTION)
        return false; /* and was looked at, so there is none */
    l->text = c->when == HEADING ? l->instance : config_text(l->config, c->key, l->instance);
    if ((c->when == GIVEN && !config_given(l->config, c->key, l->instance)) ||
        (c->applies != NULL && !c->applies(l)))
        return true;
    return c->good(l);
}

static size_t apply(const struct config *config, const struct check *c, const char *only,
                    FILE *errors)
{
    const char *section = config_row(c->key)->section, *name;
    size_t count = 0;

    if (c->when == SECTION && config_instance(config, section, 0) != NULL)
        return 0;
    for (size_t i = 0;
         (name = c->when == SECTION ? "" : config_instance(config, section, i)) != NULL; i++) {
        struct look l = {.config = config, .instance = name, .index = i};

        if ((only == NULL || strcmp(name, only) == 0) && !is_good(c, &l)) {
            if (errors != NULL)
                complain(errors, c, &l);
            count++;
        }
        if (c->when == SECTION)
            break;
    }
    return count;
}

static size_t apply_all(const struct config *config, unsigned use, const char *only, FILE *errors)
{
    size_t count = 0;

    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
        if (use == 0 ? checks[i].use == 0 : (checks[i].use & use) != 0)
            count += apply(config, &checks[i], only, errors);
    return count;
}

size_t config_wrong(const struct config *config, FILE *errors)
{
    return apply_all(config, 0, NULL, errors);
}

size_t config_missing(const struct config *config, unsigned use, const char *instance, FILE *errors)
{
    return apply_all(config, use, instance, errors);
}
