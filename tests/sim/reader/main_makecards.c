/*
 * sim-makecards CARDS_DIR STILLS_DIR OUT_DIR
 *
 * Makes one directory per *.card file: EF contents, keys and card.conf as card.c reads them;
 * OUT_DIR/trust with what a verifier needs; OUT_DIR/index.tsv for those who drive the cards.
 * Keys are made once and kept; a card is remade only when its description, its photo or the test
 * hierarchy changed.
 */
#include "make_card.h"
#include "util.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Raise this when the contents made from an unchanged description change. */
#define MAKE_FORMAT "2"

/* Fixed days, so that the same keys always give the same certificates. */
#define HIERARCHY_FROM "20230716"
#define HIERARCHY_UNTIL "20430715"

enum { CARDS_MAX = 128, PHOTO_MAX = 20000 };

static const char contact_atr[] = "3BE000FF8131FE4514";

static const struct kind kinds[] = {
    {"mynumber", "jpki kenkaku kenhojo juki common", contact_atr, "JPKIAPICCTOKEN2", true, true,
     false},
    {"android", "jpki", contact_atr, "JPKIAPGPSETOKEN", true, true, true},
    {"juki", "jpki juki", contact_atr, "JPKIAPICCTOKEN", false, true, false},
    /* pseudo ATR that PC/SC part 3 prescribes for a FeliCa card */
    {"transit", "", "3B8F8001804F0CA00000030611003B0000000042", "", false, false, false},
    {"mute", "", "none", "", false, false, false},
};

/* Every key a description may have and its default; NULL = needed by a card with files. */
static const struct {
    const char *key, *fallback;
} known_keys[] = {
    {"kind", "mynumber"},
    {"name", NULL},
    {"kana", NULL},
    {"roman", NULL},
    {"birth", NULL},
    {"sex", NULL},
    {"address", NULL},
    {"address-roman", NULL},
    {"municipality", NULL},
    {"number", NULL},
    {"card-number", NULL},
    {"expiry", NULL},
    {"security-code", NULL},
    {"photo", NULL},
    {"pin", NULL},
    {"pin-tries", "3"},
    {"sign-password", NULL},
    {"sign-tries", "5"},
    {"text-pin", NULL},
    {"text-tries", "3"},
    {"juki-pin", NULL},
    {"number-b", ""},
    {"number-b-tries", "10"},
    {"text-number-b-tries", "10"},
    {"auth-serial", NULL},
    {"auth-from", NULL},
    {"auth-until", NULL},
    {"auth-status", "valid"},
    {"sign-certificate", "present"},
    {"token", ""},
    {"genuineness", "genuine"},
    {"about", ""},
};

static const char *const genuineness_words[] = {"genuine", "wrong-record-signature",
                                                "wrong-chip-key", "test-issuer-unknown"};

static const char *const hierarchy_names[KEY_COUNT] = {
    "auth-ca",        "sign-ca",       "kenkaku-issuer", "kenhojo-issuer",
    "unknown-issuer", "kenkaku-city",  "kenhojo-city",   "shared-sign",
    "shared-text",    "shared-common", "wrong-chip",
};

struct maker {
    const char *cards_dir, *stills_dir, *out_dir;
    char trust_dir[PATH_MAX];
    struct input inputs[CARDS_MAX];
    size_t count;
    struct make_hierarchy hierarchy;
};

static int complain(const struct input *in, const char *what, const char *detail)
{
    fprintf(stderr, "sim-makecards: %s.card: %s%s%s\n", in->name, what, detail ? ": " : "",
            detail ? detail : "");
    return -EINVAL;
}

static int apply_defaults(struct input *in)
{
    bool full = in->kind->applications[0] != 0;
    size_t i, j;
    int r;

    for (i = 0; i < sim_settings_count(in->person); i++) {
        const char *key = sim_settings_key(in->person, i);

        for (j = 0; j < COUNT(known_keys) && strcmp(known_keys[j].key, key) != 0; j++)
            ;
        if (j == COUNT(known_keys))
            return complain(in, "unknown key", key);
    }
    for (j = 0; j < COUNT(known_keys); j++) {
        if (sim_settings_get(in->person, known_keys[j].key, NULL))
            continue;
        if (!known_keys[j].fallback && full)
            return complain(in, "missing key", known_keys[j].key);
        r = sim_settings_set(in->person, known_keys[j].key,
                             known_keys[j].fallback ? known_keys[j].fallback : "");
        if (r < 0)
            return r;
    }
    return 0;
}

/* "+60": so many days after the first of this month in Japan, so that the card is made anew each month. */
static int resolve_until(struct input *in)
{
    const char *text = sim_make_get(in, "auth-until");
    time_t then = time(NULL) + 9 * 3600;
    unsigned long days;
    char day[16], *end;
    struct tm tm;

    if (text[0] != '+')
        return 0;
    days = strtoul(text + 1, &end, 10);
    if (text[1] < '0' || text[1] > '9' || *end || days > 36500 || !gmtime_r(&then, &tm))
        return complain(in, "auth-until is a day, or + and a number of days", text);
    tm.tm_mday = 1 + (int)days;
    then = timegm(&tm);
    if (!gmtime_r(&then, &tm) || strftime(day, sizeof(day), "%Y%m%d", &tm) != 8)
        return complain(in, "no such day", text);
    return sim_settings_set(in->person, "auth-until", day);
}

static bool all_digits(const char *s, size_t len)
{
    return strlen(s) == len && strspn(s, "0123456789") == len;
}

static int check_values(struct input *in)
{
    static const struct {
        const char *key;
        size_t digits;
    } numbers[] = {{"birth", 8},     {"sex", 1},           {"number", 12},   {"expiry", 8},
                   {"pin", 4},       {"security-code", 4}, {"text-pin", 4},  {"juki-pin", 4},
                   {"auth-from", 8}, {"municipality", 5},  {"auth-until", 8}};
    size_t i;
    char b[15];

    for (i = 0; i < COUNT(numbers); i++)
        if (!(strcmp(numbers[i].key, "pin") == 0 && strcmp(sim_make_get(in, "pin"), "none") == 0) &&
            !all_digits(sim_make_get(in, numbers[i].key), numbers[i].digits))
            return complain(in, "wrong number of digits", numbers[i].key);
    for (i = 0; i < COUNT(genuineness_words); i++)
        if (strcmp(sim_make_get(in, "genuineness"), genuineness_words[i]) == 0)
            break;
    if (i == COUNT(genuineness_words))
        return complain(in, "unknown genuineness", sim_make_get(in, "genuineness"));
    if (!*sim_make_get(in, "number-b")) {
        if (!sim_make_number_b(b, sim_make_get(in, "birth"), sim_make_get(in, "expiry"),
                               sim_make_get(in, "security-code")))
            return complain(in, "no verification number from birth, expiry, security-code", NULL);
        return sim_settings_set(in->person, "number-b", b);
    }
    return 0;
}

/* "franck 150.0 208x260+96+4 200x250 3000" names the still franck_150.0_208x260+96+4_... .jp2 */
static int load_photo(const struct maker *m, struct input *in)
{
    char file[CARD_NAME_MAX * 2], path[PATH_MAX], *c;
    const char *photo = sim_make_get(in, "photo");

    if (!*photo || strcmp(photo, "none") == 0 || strcmp(photo, "absent") == 0)
        return 0;
    if (strlen(photo) >= sizeof(file))
        return complain(in, "photo too long", photo);
    strcpy(file, photo);
    for (c = file; *c; c++)
        if (*c == ' ')
            *c = '_';
    if (sim_util_path(path, sizeof(path), m->stills_dir, file, ".jp2") < 0 ||
        sim_util_read_file(path, PHOTO_MAX, &in->photo, &in->photo_len) < 0)
        return complain(in, "no such still; run make-stills.sh first", path);
    return 0;
}

static void hash_input(struct input *in)
{
    struct buf b = {0};
    size_t i;

    sim_buf_put_str(&b, MAKE_FORMAT);
    for (i = 0; i < sim_settings_count(in->person); i++) {
        const char *key = sim_settings_key(in->person, i);

        sim_buf_put_str(&b, key);
        sim_buf_put_u8(&b, 0);
        sim_buf_put_str(&b, sim_settings_get(in->person, key, ""));
        sim_buf_put_u8(&b, 0);
    }
    sim_buf_put(&b, in->photo, in->photo_len);
    SHA256(b.data, b.len, in->stamp);
    sim_buf_free(&b);
}

static int load_input(struct maker *m, const char *file)
{
    struct input *in = &m->inputs[m->count];
    size_t len = strlen(file) - strlen(".card"), i;
    char path[PATH_MAX];
    unsigned line = 0;
    int r;

    if (m->count == CARDS_MAX || len >= CARD_NAME_MAX)
        return -E2BIG;
    memset(in, 0, sizeof(*in));
    memcpy(in->name, file, len);
    m->count++;
    r = sim_util_path(path, sizeof(path), m->cards_dir, file, NULL);
    if (r == 0)
        r = sim_settings_load(&in->person, path, &line);
    if (r < 0) {
        fprintf(stderr, "sim-makecards: %s:%u: %s\n", path, line, strerror(-r));
        return r;
    }
    for (i = 0; i < COUNT(kinds); i++)
        if (strcmp(kinds[i].name, sim_settings_get(in->person, "kind", "mynumber")) == 0)
            in->kind = &kinds[i];
    if (!in->kind)
        return complain(in, "unknown kind", sim_make_get(in, "kind"));
    r = apply_defaults(in);
    if (r == 0)
        r = resolve_until(in);
    if (r == 0 && in->kind->applications[0])
        r = check_values(in);
    if (r == 0)
        r = load_photo(m, in);
    if (r == 0)
        hash_input(in);
    return r;
}

static int is_card_file(const struct dirent *d)
{
    size_t len = strlen(d->d_name);

    return len > 5 && strcmp(d->d_name + len - 5, ".card") == 0;
}

static int load_inputs(struct maker *m)
{
    struct dirent **list = NULL;
    int n, i, r = 0;

    n = scandir(m->cards_dir, &list, is_card_file, alphasort);
    if (n < 0)
        return -errno;
    for (i = 0; i < n; i++) {
        if (r == 0)
            r = load_input(m, list[i]->d_name);
        free(list[i]);
    }
    free(list);
    return r;
}

static int make_dir(const char *path)
{
    return mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static bool has_files(const struct input *in)
{
    return in->kind->applications[0] != 0;
}

static int make_keys(struct maker *m)
{
    char names[2 * CARDS_MAX][CARD_NAME_MAX + 8];
    const char *list[KEY_COUNT + 2 * CARDS_MAX];
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = 0, i;
    int r;

    for (i = 0; i < KEY_COUNT; i++)
        list[n++] = hierarchy_names[i];
    for (i = 0; i < m->count; i++) {
        if (!has_files(&m->inputs[i]))
            continue;
        snprintf(names[2 * i], sizeof(names[0]), "auth-%s", m->inputs[i].name);
        snprintf(names[2 * i + 1], sizeof(names[0]), "chip-%s", m->inputs[i].name);
        list[n++] = names[2 * i];
        list[n++] = names[2 * i + 1];
    }
    r = sim_pki_make_keys(m->hierarchy.keys_dir, list, n,
                          cpus > 0 && cpus < 64 ? (unsigned)cpus : 2);
    for (i = 0; i < KEY_COUNT && r == 0; i++) {
        m->hierarchy.keys[i] = sim_pki_load_key(m->hierarchy.keys_dir, hierarchy_names[i]);
        if (!m->hierarchy.keys[i])
            r = -EIO;
    }
    return r;
}

static X509 *make_authority(EVP_PKEY *key, const char *unit, uint64_t serial)
{
    struct pki_subject s = {.unit = unit,
                            .serial = serial,
                            .from = HIERARCHY_FROM,
                            .until = HIERARCHY_UNTIL,
                            .usage = "critical,keyCertSign,cRLSign",
                            .authority = true};

    return sim_pki_certificate(&s, key, NULL, key);
}

static void set_signers(struct maker *m, struct make_signers *s, const char *issuer_digits,
                        enum hierarchy_key issuer, enum hierarchy_key city)
{
    s->issuer = m->hierarchy.keys[issuer];
    s->municipality = m->hierarchy.keys[city];
    sim_pki_key_id(s->issuer_id, issuer_digits, "001", 1);
    sim_pki_key_id(s->municipality_id, "6013101", "001", 1);
}

/* What a verifier is configured with. Same keys give the same bytes; those are left alone. */
static int write_trust(struct maker *m)
{
    static const struct {
        const char *file;
        enum hierarchy_key key;
    } issuers[] = {{"kenkaku-issuer-6000023.pem", KEY_KENKAKU_ISSUER},
                   {"kenhojo-issuer-6000033.pem", KEY_KENHOJO_ISSUER}};
    uint64_t revoked[CARDS_MAX];
    char path[PATH_MAX];
    size_t n = 0, i;
    int r = 0;

    for (i = 0; i < COUNT(issuers) && r == 0; i++) {
        r = sim_util_path(path, sizeof(path), m->trust_dir, issuers[i].file, NULL);
        if (r == 0)
            r = sim_pki_write_public(path, m->hierarchy.keys[issuers[i].key]);
    }
    if (r == 0)
        r = sim_util_path(path, sizeof(path), m->trust_dir, "auth-ca.pem", NULL);
    if (r == 0)
        r = sim_pki_write_certificate(path, m->hierarchy.auth_ca);
    if (r == 0)
        r = sim_util_path(path, sizeof(path), m->trust_dir, "sign-ca.pem", NULL);
    if (r == 0)
        r = sim_pki_write_certificate(path, m->hierarchy.sign_ca);
    for (i = 0; i < m->count; i++)
        if (strcmp(sim_make_get(&m->inputs[i], "auth-status"), "revoked") == 0)
            revoked[n++] = strtoull(sim_make_get(&m->inputs[i], "auth-serial"), NULL, 10);
    if (r == 0)
        r = sim_util_path(path, sizeof(path), m->trust_dir, "auth-ca.crl.pem", NULL);
    if (r == 0)
        r = sim_pki_write_crl(path, m->hierarchy.auth_ca, m->hierarchy.keys[KEY_AUTH_CA],
                              HIERARCHY_FROM, HIERARCHY_UNTIL, revoked, n);
    return r;
}

/* Stamp of everything a card is made from: its input and the public side of the hierarchy. */
static void card_stamp(const struct maker *m, const struct input *in, char hex[65])
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    struct buf b = {0};
    size_t i;

    sim_buf_put(&b, in->stamp, sizeof(in->stamp));
    for (i = 0; i < KEY_COUNT; i++)
        sim_pki_put_public(&b, m->hierarchy.keys[i]);
    SHA256(b.data, b.len, hash);
    sim_buf_free(&b);
    for (i = 0; i < sizeof(hash); i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
}

static int make_cards(struct maker *m, size_t *made)
{
    char stamp_path[PATH_MAX], state_path[PATH_MAX], hex[65];
    uint8_t *old = NULL;
    size_t i, len;
    int r;

    for (i = 0; i < m->count; i++) {
        const struct input *in = &m->inputs[i];
        bool same = false;

        card_stamp(m, in, hex);
        r = sim_util_path(stamp_path, sizeof(stamp_path), m->out_dir, in->name, "/made-from");
        if (r == 0)
            r = sim_util_path(state_path, sizeof(state_path), m->out_dir, in->name, ".state");
        if (r < 0)
            return r;
        if (sim_util_read_file(stamp_path, 64, &old, &len) == 0) {
            same = len == 64 && memcmp(old, hex, 64) == 0;
            free(old);
        }
        if (same)
            continue;
        unlink(stamp_path);
        r = sim_make_card(&m->hierarchy, in, m->out_dir);
        if (r < 0) {
            complain(in, "cannot be made", strerror(-r));
            return r;
        }
        unlink(state_path); /* a new card has fresh counters */
        r = sim_util_write_file(stamp_path, hex, 64);
        if (r < 0)
            return r;
        (*made)++;
    }
    return 0;
}

static int write_index(const struct maker *m)
{
    static const char *const columns[] = {"kind",   "auth-serial", "birth", "sex",
                                          "expiry", "number-b",    "pin",   "name",
                                          "kana",   "address",     "about"};
    char path[PATH_MAX];
    struct buf b = {0};
    size_t i, j;
    int r;

    sim_buf_put_str(&b, "card");
    for (j = 0; j < COUNT(columns); j++) {
        sim_buf_put_str(&b, "\t");
        sim_buf_put_str(&b, columns[j]);
    }
    sim_buf_put_str(&b, "\n");
    for (i = 0; i < m->count; i++) {
        sim_buf_put_str(&b, m->inputs[i].name);
        for (j = 0; j < COUNT(columns); j++) {
            sim_buf_put_str(&b, "\t");
            sim_buf_put_str(&b, sim_make_get(&m->inputs[i], columns[j]));
        }
        sim_buf_put_str(&b, "\n");
    }
    r = b.failed ? -ENOMEM : sim_util_path(path, sizeof(path), m->out_dir, "index.tsv", NULL);
    if (r == 0)
        r = sim_util_write_file(path, b.data, b.len);
    sim_buf_free(&b);
    return r;
}

static int prepare(struct maker *m)
{
    int r;

    r = make_dir(m->out_dir);
    if (r == 0)
        r = sim_util_path(m->hierarchy.keys_dir, sizeof(m->hierarchy.keys_dir), m->out_dir, "keys",
                          NULL);
    if (r == 0)
        r = sim_util_path(m->trust_dir, sizeof(m->trust_dir), m->out_dir, "trust", NULL);
    if (r == 0)
        r = make_dir(m->hierarchy.keys_dir);
    if (r == 0)
        r = make_dir(m->trust_dir);
    if (r == 0)
        r = load_inputs(m);
    if (r == 0)
        r = make_keys(m);
    if (r < 0)
        return r;
    set_signers(m, &m->hierarchy.kenkaku, "6000023", KEY_KENKAKU_ISSUER, KEY_KENKAKU_CITY);
    set_signers(m, &m->hierarchy.kenhojo, "6000033", KEY_KENHOJO_ISSUER, KEY_KENHOJO_CITY);
    set_signers(m, &m->hierarchy.unknown, "6999923", KEY_UNKNOWN_ISSUER, KEY_KENKAKU_CITY);
    m->hierarchy.auth_ca =
        make_authority(m->hierarchy.keys[KEY_AUTH_CA], "Simulated user authentication", 20230001);
    m->hierarchy.sign_ca =
        make_authority(m->hierarchy.keys[KEY_SIGN_CA], "Simulated digital signature", 20230002);
    return m->hierarchy.auth_ca && m->hierarchy.sign_ca ? write_trust(m) : -EIO;
}

int main(int argc, char **argv)
{
    struct maker *m = NULL;
    size_t made = 0, i;
    int r;

    if (argc != 4) {
        fprintf(stderr, "usage: sim-makecards CARDS_DIR STILLS_DIR OUT_DIR\n");
        return 2;
    }
    m = calloc(1, sizeof(*m));
    if (!m)
        return 1;
    m->cards_dir = argv[1];
    m->stills_dir = argv[2];
    m->out_dir = argv[3];
    r = prepare(m);
    if (r == 0)
        r = make_cards(m, &made);
    if (r == 0)
        r = write_index(m);
    if (r < 0)
        fprintf(stderr, "sim-makecards: %s\n", strerror(-r));
    else
        printf("%zu cards, %zu made anew, in %s\n", m->count, made, m->out_dir);
    for (i = 0; i < m->count; i++) {
        sim_settings_free(&m->inputs[i].person);
        free(m->inputs[i].photo);
    }
    for (i = 0; i < KEY_COUNT; i++)
        EVP_PKEY_free(m->hierarchy.keys[i]);
    X509_free(m->hierarchy.auth_ca);
    X509_free(m->hierarchy.sign_ca);
    free(m);
    return r < 0;
}
