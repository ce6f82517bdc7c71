/*
 * sim-makecards CARDS_DIR STILLS_DIR OUT_DIR
 *
 * Makes one directory per *.card file: EF contents, keys and card.conf as card.c reads them;
 * OUT_DIR/trust with what a verifier needs; OUT_DIR/index.tsv for those who drive the cards.
 * Keys are made once and kept; a card is remade only when its description, its photo or the test
 * hierarchy changed.
 */
#include "make_files.h"
#include "make_pki.h"
#include "settings.h"
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
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Raise this when the contents made from an unchanged description change. */
#define MAKE_FORMAT "1"

enum { CARDS_MAX = 128, NAME_LEN_MAX = 48, PHOTO_MAX = 20000, PAD = 1024 };

static const char contact_atr[] = "3BE000FF8131FE4514";

struct kind {
    const char *name;
    const char *applications; /* "" = no file system a My Number reader could select */
    const char *atr;
    const char *token;
    bool user_certificate, signing_certificate;
    bool guarded_certificate; /* the user certificate is read after the PIN only */
};

static const struct kind kinds[] = {
    { "mynumber", "jpki kenkaku kenhojo juki common", contact_atr, "JPKIAPICCTOKEN2", true, true,
      false },
    { "android", "jpki", contact_atr, "JPKIAPGPSETOKEN", true, true, true },
    { "juki", "jpki juki", contact_atr, "JPKIAPICCTOKEN", false, true, false },
    /* pseudo ATR that PC/SC part 3 prescribes for a FeliCa card */
    { "transit", "", "3B8F8001804F0CA00000030611003B0000000042", "", false, false, false },
    { "mute", "", "none", "", false, false, false },
};

/* Every key a description may have, with its default; NULL = must be given for a card with files. */
static const struct {
    const char *key, *fallback;
} known_keys[] = {
    { "kind", "mynumber" },       { "name", NULL },            { "kana", NULL },
    { "roman", NULL },            { "birth", NULL },           { "sex", NULL },
    { "address", NULL },          { "address-roman", NULL },   { "municipality", NULL },
    { "number", NULL },           { "card-number", NULL },     { "expiry", NULL },
    { "security-code", NULL },    { "photo", NULL },           { "pin", NULL },
    { "pin-tries", "3" },         { "sign-password", NULL },   { "sign-tries", "5" },
    { "text-pin", NULL },         { "text-tries", "3" },       { "juki-pin", NULL },
    { "number-b", "" },           { "number-b-tries", "10" },  { "text-number-b-tries", "10" },
    { "auth-serial", NULL },      { "auth-from", NULL },       { "auth-until", NULL },
    { "auth-status", "valid" },   { "sign-certificate", "present" },
    { "token", "" },              { "genuineness", "genuine" }, { "about", "" },
};

static const char *const genuineness_words[] = { "genuine", "wrong-record-signature",
                                                 "wrong-chip-key", "test-issuer-unknown" };

/* Keys of the hierarchy, and those that all cards share because nothing tells them apart by it. */
enum hierarchy_key {
    KEY_AUTH_CA, KEY_SIGN_CA, KEY_KENKAKU_ISSUER, KEY_KENHOJO_ISSUER, KEY_UNKNOWN_ISSUER,
    KEY_KENKAKU_CITY, KEY_KENHOJO_CITY, KEY_SHARED_SIGN, KEY_SHARED_TEXT, KEY_SHARED_COMMON,
    KEY_WRONG_CHIP, KEY_COUNT
};

static const char *const hierarchy_names[KEY_COUNT] = {
    "auth-ca", "sign-ca", "kenkaku-issuer", "kenhojo-issuer", "unknown-issuer", "kenkaku-city",
    "kenhojo-city", "shared-sign", "shared-text", "shared-common", "wrong-chip",
};

struct input {
    char name[NAME_LEN_MAX];
    struct settings *person;
    const struct kind *kind;
    uint8_t *photo;
    size_t photo_len;
    uint8_t stamp[SHA256_DIGEST_LENGTH]; /* of description and photo */
};

struct maker {
    const char *cards_dir, *stills_dir, *out_dir;
    char keys_dir[PATH_MAX], trust_dir[PATH_MAX];
    struct input inputs[CARDS_MAX];
    size_t count;
    EVP_PKEY *keys[KEY_COUNT];
    X509 *auth_ca, *sign_ca;
    struct make_signers kenkaku, kenhojo, unknown;
};

static int complain(const struct input *in, const char *what, const char *detail)
{
    fprintf(stderr, "sim-makecards: %s.card: %s%s%s\n", in->name, what, detail ? ": " : "",
            detail ? detail : "");
    return -EINVAL;
}

static const char *get(const struct input *in, const char *key)
{
    return settings_get(in->person, key, "");
}

static int apply_defaults(struct input *in)
{
    bool full = in->kind->applications[0] != 0;
    size_t i, j;
    int r;

    for (i = 0; i < settings_count(in->person); i++) {
        const char *key = settings_key(in->person, i);

        for (j = 0; j < COUNT(known_keys) && strcmp(known_keys[j].key, key) != 0; j++)
            ;
        if (j == COUNT(known_keys))
            return complain(in, "unknown key", key);
    }
    for (j = 0; j < COUNT(known_keys); j++) {
        if (settings_get(in->person, known_keys[j].key, NULL))
            continue;
        if (!known_keys[j].fallback && full)
            return complain(in, "missing key", known_keys[j].key);
        r = settings_set(in->person, known_keys[j].key,
                         known_keys[j].fallback ? known_keys[j].fallback : "");
        if (r < 0)
            return r;
    }
    return 0;
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
    } numbers[] = { { "birth", 8 },         { "sex", 1 },       { "number", 12 },
                    { "expiry", 8 },        { "pin", 4 },       { "security-code", 4 },
                    { "text-pin", 4 },      { "juki-pin", 4 },  { "auth-from", 8 },
                    { "municipality", 5 },  { "auth-until", 8 } };
    size_t i;
    char b[15];

    for (i = 0; i < COUNT(numbers); i++)
        if (!all_digits(get(in, numbers[i].key), numbers[i].digits))
            return complain(in, "wrong number of digits", numbers[i].key);
    for (i = 0; i < COUNT(genuineness_words); i++)
        if (strcmp(get(in, "genuineness"), genuineness_words[i]) == 0)
            break;
    if (i == COUNT(genuineness_words))
        return complain(in, "unknown genuineness", get(in, "genuineness"));
    if (!*get(in, "number-b")) {
        if (!make_number_b(b, get(in, "birth"), get(in, "expiry"), get(in, "security-code")))
            return complain(in, "no verification number from birth, expiry, security-code", NULL);
        return settings_set(in->person, "number-b", b);
    }
    return 0;
}

/* "franck 150.0 208x260+96+4 200x250 3000" names the still franck_150.0_208x260+96+4_... .jp2 */
static int load_photo(const struct maker *m, struct input *in)
{
    char file[NAME_LEN_MAX * 2], path[PATH_MAX], *c;
    const char *photo = get(in, "photo");

    if (!*photo || strcmp(photo, "none") == 0 || strcmp(photo, "absent") == 0)
        return 0;
    if (strlen(photo) >= sizeof(file))
        return complain(in, "photo too long", photo);
    strcpy(file, photo);
    for (c = file; *c; c++)
        if (*c == ' ')
            *c = '_';
    if (util_path(path, sizeof(path), m->stills_dir, file, ".jp2") < 0 ||
        util_read_file(path, PHOTO_MAX, &in->photo, &in->photo_len) < 0)
        return complain(in, "no such still; run make-stills.sh first", path);
    return 0;
}

static void hash_input(struct input *in)
{
    struct buf b = { 0 };
    size_t i;

    buf_put_str(&b, MAKE_FORMAT);
    for (i = 0; i < settings_count(in->person); i++) {
        const char *key = settings_key(in->person, i);

        buf_put_str(&b, key);
        buf_put_u8(&b, 0);
        buf_put_str(&b, settings_get(in->person, key, ""));
        buf_put_u8(&b, 0);
    }
    buf_put(&b, in->photo, in->photo_len);
    SHA256(b.data, b.len, in->stamp);
    buf_free(&b);
}

static int load_input(struct maker *m, const char *file)
{
    struct input *in = &m->inputs[m->count];
    size_t len = strlen(file) - strlen(".card"), i;
    char path[PATH_MAX];
    unsigned line = 0;
    int r;

    if (m->count == CARDS_MAX || len >= NAME_LEN_MAX)
        return -E2BIG;
    memset(in, 0, sizeof(*in));
    memcpy(in->name, file, len);
    m->count++;
    r = util_path(path, sizeof(path), m->cards_dir, file, NULL);
    if (r == 0)
        r = settings_load(&in->person, path, &line);
    if (r < 0) {
        fprintf(stderr, "sim-makecards: %s:%u: %s\n", path, line, strerror(-r));
        return r;
    }
    for (i = 0; i < COUNT(kinds); i++)
        if (strcmp(kinds[i].name, settings_get(in->person, "kind", "mynumber")) == 0)
            in->kind = &kinds[i];
    if (!in->kind)
        return complain(in, "unknown kind", get(in, "kind"));
    r = apply_defaults(in);
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
    char names[2 * CARDS_MAX][NAME_LEN_MAX + 8];
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
    r = pki_make_keys(m->keys_dir, list, n, cpus > 0 && cpus < 64 ? (unsigned)cpus : 2);
    for (i = 0; i < KEY_COUNT && r == 0; i++) {
        m->keys[i] = pki_load_key(m->keys_dir, hierarchy_names[i]);
        if (!m->keys[i])
            r = -EIO;
    }
    return r;
}

static X509 *make_authority(EVP_PKEY *key, const char *unit, uint64_t serial)
{
    struct pki_subject s = { .unit = unit, .serial = serial, .from = "20230716",
                             .until = "20430715", .usage = "critical,keyCertSign,cRLSign",
                             .authority = true };

    return pki_certificate(&s, key, NULL, key);
}

static void set_signers(struct maker *m, struct make_signers *s, const char *issuer_digits,
                        enum hierarchy_key issuer, enum hierarchy_key city)
{
    s->issuer = m->keys[issuer];
    s->municipality = m->keys[city];
    pki_key_id(s->issuer_id, issuer_digits, "001", 1);
    pki_key_id(s->municipality_id, "6013101", "001", 1);
}

/* Trust anchors are written once per set of keys, so that unchanged files keep their bytes. */
static int write_trust(struct maker *m)
{
    static const struct {
        const char *file;
        enum hierarchy_key key;
    } issuers[] = { { "kenkaku-issuer-6000023.pem", KEY_KENKAKU_ISSUER },
                    { "kenhojo-issuer-6000033.pem", KEY_KENHOJO_ISSUER } };
    uint64_t revoked[CARDS_MAX];
    char path[PATH_MAX];
    size_t n = 0, i;
    int r = 0;

    for (i = 0; i < COUNT(issuers) && r == 0; i++) {
        r = util_path(path, sizeof(path), m->trust_dir, issuers[i].file, NULL);
        if (r == 0 && access(path, R_OK) < 0)
            r = pki_write_public(path, m->keys[issuers[i].key]);
    }
    if (r == 0)
        r = util_path(path, sizeof(path), m->trust_dir, "auth-ca.pem", NULL);
    if (r == 0 && access(path, R_OK) < 0)
        r = pki_write_certificate(path, m->auth_ca);
    if (r == 0)
        r = util_path(path, sizeof(path), m->trust_dir, "sign-ca.pem", NULL);
    if (r == 0 && access(path, R_OK) < 0)
        r = pki_write_certificate(path, m->sign_ca);
    for (i = 0; i < m->count; i++)
        if (strcmp(get(&m->inputs[i], "auth-status"), "revoked") == 0)
            revoked[n++] = strtoull(get(&m->inputs[i], "auth-serial"), NULL, 10);
    if (r == 0)
        r = util_path(path, sizeof(path), m->trust_dir, "auth-ca.crl.pem", NULL);
    if (r == 0)
        r = pki_write_crl(path, m->auth_ca, m->keys[KEY_AUTH_CA], revoked, n);
    return r;
}

static X509 *load_or_make_authority(struct maker *m, const char *file, enum hierarchy_key key,
                                    const char *unit, uint64_t serial)
{
    char path[PATH_MAX];
    X509 *cert = NULL;
    FILE *f = NULL;

    if (util_path(path, sizeof(path), m->trust_dir, file, NULL) == 0)
        f = fopen(path, "re");
    if (f) {
        cert = PEM_read_X509(f, NULL, NULL, NULL);
        fclose(f);
    }
    return cert ? cert : make_authority(m->keys[key], unit, serial);
}

/* ---- one card ---------------------------------------------------------------------------- */

struct target {
    const struct input *in;
    char dir[PATH_MAX];
    struct settings *conf;
};

/* Writes an EF file; pad > 0 adds FF filler up to a multiple of pad, as chips have it. */
static int write_ef(const struct target *t, const char *ap, unsigned id, struct buf *content,
                    size_t pad)
{
    char file[32], path[PATH_MAX];
    int r;

    if (pad)
        buf_fill(content, 0xff, (pad - content->len % pad) % pad);
    snprintf(file, sizeof(file), "%s-%04X.bin", ap, id);
    r = content->failed ? -ENOMEM : util_path(path, sizeof(path), t->dir, file, NULL);
    if (r == 0)
        r = util_write_file(path, content->data, content->len);
    buf_free(content);
    return r;
}

static int write_key(const struct target *t, const char *ap, unsigned id, EVP_PKEY *key)
{
    char file[32], path[PATH_MAX];
    int r;

    snprintf(file, sizeof(file), "%s-%04X.pem", ap, id);
    r = util_path(path, sizeof(path), t->dir, file, NULL);
    return r < 0 ? r : pki_write_private(path, key);
}

static int put_secret(const struct target *t, const char *ap, unsigned id, const char *secret,
                      int maximum, const char *tries)
{
    char key[32], value[40];
    int r;

    snprintf(key, sizeof(key), "secret.%s.%04X", ap, id);
    snprintf(value, sizeof(value), "%s %d", secret, maximum);
    r = settings_set(t->conf, key, value);
    snprintf(key, sizeof(key), "tries.%s.%04X", ap, id);
    return r < 0 ? r : settings_set(t->conf, key, tries);
}

static int write_certificate(const struct target *t, unsigned id, X509 *cert, const char *name)
{
    char path[PATH_MAX];
    struct buf der = { 0 };
    int r;

    if (!cert)
        return -EIO;
    pki_put_der(&der, cert);
    r = write_ef(t, "jpki", id, &der, PAD);
    if (r == 0 && name) {
        r = util_path(path, sizeof(path), t->dir, name, NULL);
        if (r == 0)
            r = pki_write_certificate(path, cert);
    }
    return r;
}

static int make_user_certificate(struct maker *m, const struct target *t, EVP_PKEY *key)
{
    uint64_t serial = strtoull(get(t->in, "auth-serial"), NULL, 10);
    struct pki_subject s = { .serial = serial, .from = get(t->in, "auth-from"),
                             .until = get(t->in, "auth-until"),
                             .usage = "critical,digitalSignature" };
    char cn[40];
    X509 *cert;
    int r;

    snprintf(cn, sizeof(cn), "%012llXSIM%s", (unsigned long long)serial, "13101");
    s.common_name = cn;
    cert = pki_certificate(&s, key, m->auth_ca, m->keys[KEY_AUTH_CA]);
    r = write_certificate(t, 0x000A, cert, "auth-certificate.pem");
    X509_free(cert);
    return r;
}

static int make_sign_certificate(struct maker *m, const struct target *t)
{
    uint64_t serial = strtoull(get(t->in, "auth-serial"), NULL, 10) + 5000000;
    struct pki_subject s = { .serial = serial, .from = get(t->in, "auth-from"),
                             .until = get(t->in, "auth-until"),
                             .usage = "critical,digitalSignature,nonRepudiation" };
    char cn[40], names[600];
    X509 *cert;
    int r;

    /* the four attributes stand in the alternative name of this certificate only */
    snprintf(names, sizeof(names),
             "otherName:1.2.392.200149.8.5.5.1;UTF8:%s,otherName:1.2.392.200149.8.5.5.3;UTF8:%s,"
             "otherName:1.2.392.200149.8.5.5.4;UTF8:%s,otherName:1.2.392.200149.8.5.5.5;UTF8:%s",
             get(t->in, "name"), get(t->in, "sex"), get(t->in, "birth"), get(t->in, "address"));
    snprintf(cn, sizeof(cn), "%012llXSIM%s", (unsigned long long)serial, "13101");
    s.common_name = cn;
    s.alternative = names;
    cert = pki_certificate(&s, m->keys[KEY_SHARED_SIGN], m->sign_ca, m->keys[KEY_SIGN_CA]);
    r = write_certificate(t, 0x0001, cert, NULL);
    X509_free(cert);
    return r;
}

static int make_jpki(struct maker *m, const struct target *t)
{
    const struct kind *kind = t->in->kind;
    bool sign = kind->signing_certificate &&
                strcmp(get(t->in, "sign-certificate"), "present") == 0;
    const char *token = *get(t->in, "token") ? get(t->in, "token") : kind->token;
    struct buf b = { 0 };
    char name[NAME_LEN_MAX + 8];
    EVP_PKEY *key;
    int r;

    /* 160 bytes: the token's name padded with blanks to 32, then filler */
    buf_put_str(&b, token);
    buf_fill(&b, ' ', 32 - (b.len < 32 ? b.len : 32));
    r = write_ef(t, "jpki", 0x0006, &b, 160);
    buf_put_u8(&b, sign ? 0x8F : 0);
    buf_put_u8(&b, kind->user_certificate ? 0x8F : 0);
    buf_put_u8(&b, 0);
    if (r == 0)
        r = write_ef(t, "jpki", 0x0008, &b, 0);
    buf_put(&b, m->kenkaku.issuer_id, 16);
    if (r == 0)
        r = write_ef(t, "jpki", 0x0016, &b, 0);
    if (r == 0 && kind->user_certificate) {
        snprintf(name, sizeof(name), "auth-%s", t->in->name);
        key = pki_load_key(m->keys_dir, name);
        r = key ? make_user_certificate(m, t, key) : -EIO;
        if (r == 0)
            r = write_certificate(t, 0x000B, m->auth_ca, NULL);
        if (r == 0)
            r = write_key(t, "jpki", 0x0017, key);
        if (r == 0)
            r = put_secret(t, "jpki", 0x0018, get(t->in, "pin"), 3, get(t->in, "pin-tries"));
        EVP_PKEY_free(key);
    }
    if (r == 0 && sign) {
        r = make_sign_certificate(m, t);
        if (r == 0)
            r = write_certificate(t, 0x0002, m->sign_ca, NULL);
        if (r == 0)
            r = write_key(t, "jpki", 0x001A, m->keys[KEY_SHARED_SIGN]);
        if (r == 0)
            r = put_secret(t, "jpki", 0x001B, get(t->in, "sign-password"), 5,
                           get(t->in, "sign-tries"));
    }
    if (r == 0 && kind->guarded_certificate)
        r = settings_set(t->conf, "guard.jpki.000A", "0018");
    return r;
}

static int make_kenkaku(struct maker *m, const struct target *t)
{
    static const struct {
        unsigned id;
        bool (*make)(struct buf *out, const struct make_face *f);
        size_t pad;
    } files[] = { { 0x0001, make_kenkaku_0001, PAD },
                  { 0x0002, make_kenkaku_0002, PAD },
                  { 0x0003, make_kenkaku_0003, 0 },
                  { 0x0005, make_kenkaku_0005, PAD } };
    const char *genuine = get(t->in, "genuineness");
    struct make_face f = { .person = t->in->person, .signers = &m->kenkaku, .photo = t->in->photo,
                           .photo_len = t->in->photo_len,
                           .photo_absent = strcmp(get(t->in, "photo"), "absent") == 0,
                           .spoil_record = strcmp(genuine, "wrong-record-signature") == 0 };
    bool wrong_chip = strcmp(genuine, "wrong-chip-key") == 0;
    char name[NAME_LEN_MAX + 8], era[7];
    struct buf b = { 0 };
    int r = 0;
    size_t i;

    if (strcmp(genuine, "test-issuer-unknown") == 0)
        f.signers = &m->unknown;
    snprintf(name, sizeof(name), "chip-%s", t->in->name);
    f.chip = pki_load_key(m->keys_dir, name);
    if (!f.chip)
        return -EIO;
    for (i = 0; i < COUNT(files) && r == 0; i++) {
        if (!files[i].make(&b, &f))
            b.failed = true;
        r = write_ef(t, "kenkaku", files[i].id, &b, files[i].pad);
    }
    if (r == 0)
        r = pki_put_cv_certificate(&b, f.signers->issuer_id, f.signers->issuer,
                                   f.signers->municipality_id, f.signers->municipality);
    if (r == 0)
        r = write_ef(t, "kenkaku", 0x0004, &b, 0);
    buf_fill(&b, 0xff, 16);
    if (r == 0)
        r = write_ef(t, "kenkaku", 0x0006, &b, 0);
    if (r == 0)
        r = write_key(t, "kenkaku", 0x001A, wrong_chip ? m->keys[KEY_WRONG_CHIP] : f.chip);
    if (r == 0)
        r = make_era_date(era, get(t->in, "birth")) ? 0 : -EINVAL;
    if (r == 0)
        r = put_secret(t, "kenkaku", 0x0011, era, 10, "10");
    if (r == 0)
        r = put_secret(t, "kenkaku", 0x0012, get(t->in, "number-b"), 10,
                       get(t->in, "number-b-tries"));
    if (r == 0)
        r = put_secret(t, "kenkaku", 0x0013, get(t->in, "number"), 10, "10");
    EVP_PKEY_free(f.chip);
    return r;
}

static int make_kenhojo(struct maker *m, const struct target *t)
{
    const struct settings *p = t->in->person;
    EVP_PKEY *text = m->keys[KEY_SHARED_TEXT];
    struct prng prng = { util_get_be32(t->in->stamp) };
    struct buf b = { 0 };
    int r;

    r = make_kenhojo_0001(&b, p) ? write_ef(t, "kenhojo", 0x0001, &b, 0) : -ENOMEM;
    if (r == 0)
        r = make_kenhojo_0002(&b, p) ? write_ef(t, "kenhojo", 0x0002, &b, 512) : -ENOMEM;
    if (r == 0)
        r = make_kenhojo_0003(&b, p, &m->kenhojo) ? write_ef(t, "kenhojo", 0x0003, &b, 0) : -ENOMEM;
    if (r == 0)
        r = pki_put_cv_certificate(&b, m->kenhojo.issuer_id, m->kenhojo.issuer,
                                   m->kenhojo.municipality_id, m->kenhojo.municipality);
    if (r == 0)
        r = write_ef(t, "kenhojo", 0x0004, &b, 0);
    if (r == 0)
        r = make_kenhojo_0005(&b, &prng) ? write_ef(t, "kenhojo", 0x0005, &b, 0) : -ENOMEM;
    if (r == 0)
        r = make_kenhojo_0006(&b, text) ? write_ef(t, "kenhojo", 0x0006, &b, 0) : -ENOMEM;
    if (r == 0)
        r = make_kenhojo_0007(&b, text, &m->kenhojo) ? write_ef(t, "kenhojo", 0x0007, &b, 0)
                                                      : -ENOMEM;
    if (r == 0)
        r = write_key(t, "kenhojo", 0x0013, text);
    if (r == 0)
        r = put_secret(t, "kenhojo", 0x0011, get(t->in, "text-pin"), 3, get(t->in, "text-tries"));
    if (r == 0)
        r = put_secret(t, "kenhojo", 0x0012, "0000", 3, "0");
    if (r == 0)
        r = put_secret(t, "kenhojo", 0x0014, get(t->in, "number"), 10, "10");
    if (r == 0)
        r = put_secret(t, "kenhojo", 0x0015, get(t->in, "number-b"), 10,
                       get(t->in, "text-number-b-tries"));
    buf_free(&b);
    return r;
}

static int make_juki(struct maker *m, const struct target *t)
{
    struct buf b = { 0 };
    int r;

    buf_put(&b, m->kenkaku.municipality_id, 16);
    r = write_ef(t, "juki", 0x0002, &b, 0);
    return r < 0 ? r : put_secret(t, "juki", 0x001C, get(t->in, "juki-pin"), 3, "3");
}

static int make_common(struct maker *m, const struct target *t)
{
    struct buf b = { 0 };
    int r;

    if (!make_common_0001(&b, t->in->person))
        b.failed = true;
    r = write_ef(t, "common", 0x0001, &b, 0);
    if (r == 0)
        r = write_key(t, "common", 0x0019, m->keys[KEY_SHARED_COMMON]);
    return r < 0 ? r : put_secret(t, "common", 0x001C, get(t->in, "juki-pin"), 3, "3");
}

static const struct {
    const char *application;
    int (*make)(struct maker *m, const struct target *t);
} applications[] = { { "jpki", make_jpki },       { "kenkaku", make_kenkaku },
                     { "kenhojo", make_kenhojo }, { "juki", make_juki },
                     { "common", make_common } };

static int put_data_objects(const struct target *t)
{
    static const struct {
        const char *object, *key;
    } objects[] = { { "data-object.0045", "card-number" },
                    { "data-object.00F0", "municipality" },
                    { "data-object.00F2", "expiry" } };
    char hex[64];
    size_t i, j;
    int r = 0;

    for (i = 0; i < COUNT(objects) && r == 0; i++) {
        const char *v = get(t->in, objects[i].key);

        for (j = 0; v[j] && j < sizeof(hex) / 2 - 1; j++)
            snprintf(hex + 2 * j, 3, "%02X", (unsigned char)v[j]);
        r = settings_set(t->conf, objects[i].object, hex);
    }
    return r < 0 ? r : settings_set(t->conf, "data-object.5F51", t->in->kind->atr);
}

static int make_card(struct maker *m, const struct input *in)
{
    struct target t = { .in = in };
    char path[PATH_MAX];
    size_t i;
    int r;

    r = util_path(t.dir, sizeof(t.dir), m->out_dir, in->name, NULL);
    if (r == 0)
        r = make_dir(t.dir);
    if (r < 0)
        return r;
    t.conf = settings_new();
    if (!t.conf)
        return -ENOMEM;
    r = settings_set(t.conf, "kind", in->kind->name);
    if (r == 0)
        r = settings_set(t.conf, "atr", in->kind->atr);
    if (r == 0)
        r = settings_set(t.conf, "applications", in->kind->applications);
    for (i = 0; i < COUNT(applications) && r == 0; i++)
        if (strstr(in->kind->applications, applications[i].application))
            r = applications[i].make(m, &t);
    if (r == 0 && has_files(in))
        r = put_data_objects(&t);
    if (r == 0)
        r = util_path(path, sizeof(path), t.dir, "card.conf", NULL);
    if (r == 0)
        r = settings_save(t.conf, path);
    settings_free(&t.conf);
    return r;
}

/* Stamp of everything a card is made from: its input and the public side of the hierarchy. */
static void card_stamp(const struct maker *m, const struct input *in, char hex[65])
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    struct buf b = { 0 };
    size_t i;

    buf_put(&b, in->stamp, sizeof(in->stamp));
    for (i = 0; i < KEY_COUNT; i++)
        pki_put_public(&b, m->keys[i]);
    SHA256(b.data, b.len, hash);
    buf_free(&b);
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
        r = util_path(stamp_path, sizeof(stamp_path), m->out_dir, in->name, "/made-from");
        if (r == 0)
            r = util_path(state_path, sizeof(state_path), m->out_dir, in->name, ".state");
        if (r < 0)
            return r;
        if (util_read_file(stamp_path, 64, &old, &len) == 0) {
            same = len == 64 && memcmp(old, hex, 64) == 0;
            free(old);
        }
        if (same)
            continue;
        unlink(stamp_path);
        r = make_card(m, in);
        if (r < 0) {
            complain(in, "cannot be made", strerror(-r));
            return r;
        }
        unlink(state_path); /* a new card has fresh counters */
        r = util_write_file(stamp_path, hex, 64);
        if (r < 0)
            return r;
        (*made)++;
    }
    return 0;
}

static int write_index(const struct maker *m)
{
    static const char *const columns[] = { "kind", "auth-serial", "birth", "sex", "expiry",
                                           "number-b", "pin", "name", "kana", "address", "about" };
    char path[PATH_MAX];
    struct buf b = { 0 };
    size_t i, j;
    int r;

    buf_put_str(&b, "card");
    for (j = 0; j < COUNT(columns); j++) {
        buf_put_str(&b, "\t");
        buf_put_str(&b, columns[j]);
    }
    buf_put_str(&b, "\n");
    for (i = 0; i < m->count; i++) {
        buf_put_str(&b, m->inputs[i].name);
        for (j = 0; j < COUNT(columns); j++) {
            buf_put_str(&b, "\t");
            buf_put_str(&b, get(&m->inputs[i], columns[j]));
        }
        buf_put_str(&b, "\n");
    }
    r = b.failed ? -ENOMEM : util_path(path, sizeof(path), m->out_dir, "index.tsv", NULL);
    if (r == 0)
        r = util_write_file(path, b.data, b.len);
    buf_free(&b);
    return r;
}

static int prepare(struct maker *m)
{
    int r;

    r = make_dir(m->out_dir);
    if (r == 0)
        r = util_path(m->keys_dir, sizeof(m->keys_dir), m->out_dir, "keys", NULL);
    if (r == 0)
        r = util_path(m->trust_dir, sizeof(m->trust_dir), m->out_dir, "trust", NULL);
    if (r == 0)
        r = make_dir(m->keys_dir);
    if (r == 0)
        r = make_dir(m->trust_dir);
    if (r == 0)
        r = load_inputs(m);
    if (r == 0)
        r = make_keys(m);
    if (r < 0)
        return r;
    set_signers(m, &m->kenkaku, "6000023", KEY_KENKAKU_ISSUER, KEY_KENKAKU_CITY);
    set_signers(m, &m->kenhojo, "6000033", KEY_KENHOJO_ISSUER, KEY_KENHOJO_CITY);
    set_signers(m, &m->unknown, "6999923", KEY_UNKNOWN_ISSUER, KEY_KENKAKU_CITY);
    m->auth_ca = load_or_make_authority(m, "auth-ca.pem", KEY_AUTH_CA,
                                        "Simulated user authentication", 20230001);
    m->sign_ca = load_or_make_authority(m, "sign-ca.pem", KEY_SIGN_CA,
                                        "Simulated digital signature", 20230002);
    return m->auth_ca && m->sign_ca ? write_trust(m) : -EIO;
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
        settings_free(&m->inputs[i].person);
        free(m->inputs[i].photo);
    }
    for (i = 0; i < KEY_COUNT; i++)
        EVP_PKEY_free(m->keys[i]);
    X509_free(m->auth_ca);
    X509_free(m->sign_ca);
    free(m);
    return r < 0;
}
