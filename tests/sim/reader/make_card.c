#include "make_card.h"

#include "util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { PAD = 1024 }; /* chips give their files more room than the content needs */

const char *sim_make_get(const struct input *in, const char *key)
{
    return sim_settings_get(in->person, key, "");
}

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
        sim_buf_fill(content, 0xff, (pad - content->len % pad) % pad);
    snprintf(file, sizeof(file), "%s-%04X.bin", ap, id);
    r = content->failed ? -ENOMEM : sim_util_path(path, sizeof(path), t->dir, file, NULL);
    if (r == 0)
        r = sim_util_write_file(path, content->data, content->len);
    sim_buf_free(content);
    return r;
}

static int write_key(const struct target *t, const char *ap, unsigned id, EVP_PKEY *key)
{
    char file[32], path[PATH_MAX];
    int r;

    snprintf(file, sizeof(file), "%s-%04X.pem", ap, id);
    r = sim_util_path(path, sizeof(path), t->dir, file, NULL);
    return r < 0 ? r : sim_pki_write_private(path, key);
}

static int put_secret(const struct target *t, const char *ap, unsigned id, const char *secret,
                      int maximum, const char *tries)
{
    char key[32], value[40];
    int r;

    snprintf(key, sizeof(key), "secret.%s.%04X", ap, id);
    snprintf(value, sizeof(value), "%s %d", secret, maximum);
    r = sim_settings_set(t->conf, key, value);
    snprintf(key, sizeof(key), "tries.%s.%04X", ap, id);
    return r < 0 ? r : sim_settings_set(t->conf, key, tries);
}

static int write_certificate(const struct target *t, unsigned id, X509 *cert, const char *name)
{
    char path[PATH_MAX];
    struct buf der = {0};
    int r;

    if (!cert)
        return -EIO;
    sim_pki_put_der(&der, cert);
    r = write_ef(t, "jpki", id, &der, PAD);
    if (r == 0 && name) {
        r = sim_util_path(path, sizeof(path), t->dir, name, NULL);
        if (r == 0)
            r = sim_pki_write_certificate(path, cert);
    }
    return r;
}

static int make_user_certificate(const struct make_hierarchy *h, const struct target *t,
                                 EVP_PKEY *key)
{
    uint64_t serial = strtoull(sim_make_get(t->in, "auth-serial"), NULL, 10);
    struct pki_subject s = {.serial = serial,
                            .from = sim_make_get(t->in, "auth-from"),
                            .until = sim_make_get(t->in, "auth-until"),
                            .usage = "critical,digitalSignature"};
    char cn[40];
    X509 *cert;
    int r;

    snprintf(cn, sizeof(cn), "%012llXSIM%s", (unsigned long long)serial, "13101");
    s.common_name = cn;
    cert = sim_pki_certificate(&s, key, h->auth_ca, h->keys[KEY_AUTH_CA]);
    r = write_certificate(t, 0x000A, cert, "auth-certificate.pem");
    X509_free(cert);
    return r;
}

static int make_sign_certificate(const struct make_hierarchy *h, const struct target *t)
{
    uint64_t serial = strtoull(sim_make_get(t->in, "auth-serial"), NULL, 10) + 5000000;
    struct pki_subject s = {.serial = serial,
                            .from = sim_make_get(t->in, "auth-from"),
                            .until = sim_make_get(t->in, "auth-until"),
                            .usage = "critical,digitalSignature,nonRepudiation"};
    /* the four attributes stand in the alternative name of this certificate only */
    const struct pki_other_name names[] = {
        {"1.2.392.200149.8.5.5.1", sim_make_get(t->in, "name")},
        {"1.2.392.200149.8.5.5.3", sim_make_get(t->in, "sex")},
        {"1.2.392.200149.8.5.5.4", sim_make_get(t->in, "birth")},
        {"1.2.392.200149.8.5.5.5", sim_make_get(t->in, "address")},
    };
    char cn[40];
    X509 *cert;
    int r;

    snprintf(cn, sizeof(cn), "%012llXSIM%s", (unsigned long long)serial, "13101");
    s.common_name = cn;
    s.alternatives = names;
    s.alternative_count = COUNT(names);
    cert = sim_pki_certificate(&s, h->keys[KEY_SHARED_SIGN], h->sign_ca, h->keys[KEY_SIGN_CA]);
    r = write_certificate(t, 0x0001, cert, NULL);
    X509_free(cert);
    return r;
}

static int make_jpki(const struct make_hierarchy *h, const struct target *t)
{
    const struct kind *kind = t->in->kind;
    bool sign = kind->signing_certificate &&
                strcmp(sim_make_get(t->in, "sign-certificate"), "present") == 0;
    const char *token = *sim_make_get(t->in, "token") ? sim_make_get(t->in, "token") : kind->token;
    struct buf b = {0};
    char name[CARD_NAME_MAX + 8];
    EVP_PKEY *key;
    int r;

    /* 160 bytes: the token's name padded with blanks to 32, then filler */
    sim_buf_put_str(&b, token);
    sim_buf_fill(&b, ' ', 32 - (b.len < 32 ? b.len : 32));
    r = write_ef(t, "jpki", 0x0006, &b, 160);
    sim_buf_put_u8(&b, sign ? 0x8F : 0);
    sim_buf_put_u8(&b, kind->user_certificate ? 0x8F : 0);
    sim_buf_put_u8(&b, 0);
    if (r == 0)
        r = write_ef(t, "jpki", 0x0008, &b, 0);
    sim_buf_put(&b, h->kenkaku.issuer_id, 16);
    if (r == 0)
        r = write_ef(t, "jpki", 0x0016, &b, 0);
    if (r == 0 && kind->user_certificate) {
        snprintf(name, sizeof(name), "auth-%s", t->in->name);
        key = sim_pki_load_key(h->keys_dir, name);
        r = key ? make_user_certificate(h, t, key) : -EIO;
        if (r == 0)
            r = write_certificate(t, 0x000B, h->auth_ca, NULL);
        if (r == 0)
            r = write_key(t, "jpki", 0x0017, key);
        if (r == 0 && strcmp(sim_make_get(t->in, "pin"), "none") != 0)
            r = put_secret(t, "jpki", 0x0018, sim_make_get(t->in, "pin"), 3,
                           sim_make_get(t->in, "pin-tries"));
        EVP_PKEY_free(key);
    }
    if (r == 0 && sign) {
        r = make_sign_certificate(h, t);
        if (r == 0)
            r = write_certificate(t, 0x0002, h->sign_ca, NULL);
        if (r == 0)
            r = write_key(t, "jpki", 0x001A, h->keys[KEY_SHARED_SIGN]);
        if (r == 0)
            r = put_secret(t, "jpki", 0x001B, sim_make_get(t->in, "sign-password"), 5,
                           sim_make_get(t->in, "sign-tries"));
    }
    if (r == 0 && kind->guarded_certificate)
        r = sim_settings_set(t->conf, "guard.jpki.000A", "0018");
    return r;
}

static int make_kenkaku(const struct make_hierarchy *h, const struct target *t)
{
    static const struct {
        unsigned id;
        bool (*make)(struct buf *out, const struct make_face *f);
        size_t pad;
    } files[] = {{0x0001, sim_make_kenkaku_0001, PAD},
                 {0x0002, sim_make_kenkaku_0002, PAD},
                 {0x0003, sim_make_kenkaku_0003, 0},
                 {0x0005, sim_make_kenkaku_0005, PAD}};
    const char *genuine = sim_make_get(t->in, "genuineness");
    struct make_face f = {.person = t->in->person,
                          .signers = &h->kenkaku,
                          .photo = t->in->photo,
                          .photo_len = t->in->photo_len,
                          .photo_absent = strcmp(sim_make_get(t->in, "photo"), "absent") == 0,
                          .spoil_record = strcmp(genuine, "wrong-record-signature") == 0};
    bool wrong_chip = strcmp(genuine, "wrong-chip-key") == 0;
    char name[CARD_NAME_MAX + 8], era[7];
    struct buf b = {0};
    int r = 0;
    size_t i;

    if (strcmp(genuine, "test-issuer-unknown") == 0)
        f.signers = &h->unknown;
    snprintf(name, sizeof(name), "chip-%s", t->in->name);
    f.chip = sim_pki_load_key(h->keys_dir, name);
    if (!f.chip)
        return -EIO;
    for (i = 0; i < COUNT(files) && r == 0; i++) {
        if (!files[i].make(&b, &f))
            b.failed = true;
        r = write_ef(t, "kenkaku", files[i].id, &b, files[i].pad);
    }
    if (r == 0)
        r = sim_pki_put_cv_certificate(&b, f.signers->issuer_id, f.signers->issuer,
                                       f.signers->municipality_id, f.signers->municipality);
    if (r == 0)
        r = write_ef(t, "kenkaku", 0x0004, &b, 0);
    sim_buf_fill(&b, 0xff, 16);
    if (r == 0)
        r = write_ef(t, "kenkaku", 0x0006, &b, 0);
    if (r == 0)
        r = write_key(t, "kenkaku", 0x001A, wrong_chip ? h->keys[KEY_WRONG_CHIP] : f.chip);
    if (r == 0)
        r = sim_make_era_date(era, sim_make_get(t->in, "birth")) ? 0 : -EINVAL;
    if (r == 0)
        r = put_secret(t, "kenkaku", 0x0011, era, 10, "10");
    if (r == 0)
        r = put_secret(t, "kenkaku", 0x0012, sim_make_get(t->in, "number-b"), 10,
                       sim_make_get(t->in, "number-b-tries"));
    if (r == 0)
        r = put_secret(t, "kenkaku", 0x0013, sim_make_get(t->in, "number"), 10, "10");
    EVP_PKEY_free(f.chip);
    return r;
}

/* A file of the text application whose content was made, or could not be. */
static int write_made(const struct target *t, unsigned id, bool made, struct buf *content,
                      size_t pad)
{
    content->failed = content->failed || !made;
    return write_ef(t, "kenhojo", id, content, pad);
}

static int make_kenhojo(const struct make_hierarchy *h, const struct target *t)
{
    const struct settings *p = t->in->person;
    EVP_PKEY *text = h->keys[KEY_SHARED_TEXT];
    struct prng prng = {util_get_be32(t->in->stamp)};
    struct buf b = {0};
    int r;

    r = write_made(t, 0x0001, sim_make_kenhojo_0001(&b, p), &b, 0);
    if (r == 0)
        r = write_made(t, 0x0002, sim_make_kenhojo_0002(&b, p), &b, 512);
    if (r == 0)
        r = write_made(t, 0x0003, sim_make_kenhojo_0003(&b, p, &h->kenhojo), &b, 0);
    if (r == 0)
        r = sim_pki_put_cv_certificate(&b, h->kenhojo.issuer_id, h->kenhojo.issuer,
                                       h->kenhojo.municipality_id, h->kenhojo.municipality);
    if (r == 0)
        r = write_ef(t, "kenhojo", 0x0004, &b, 0);
    if (r == 0)
        r = write_made(t, 0x0005, sim_make_kenhojo_0005(&b, &prng), &b, 0);
    if (r == 0)
        r = write_made(t, 0x0006, sim_make_kenhojo_0006(&b, text), &b, 0);
    if (r == 0)
        r = write_made(t, 0x0007, sim_make_kenhojo_0007(&b, text, &h->kenhojo), &b, 0);
    if (r == 0)
        r = write_key(t, "kenhojo", 0x0013, text);
    if (r == 0)
        r = put_secret(t, "kenhojo", 0x0011, sim_make_get(t->in, "text-pin"), 3,
                       sim_make_get(t->in, "text-tries"));
    if (r == 0)
        r = put_secret(t, "kenhojo", 0x0012, "0000", 3, "0");
    if (r == 0)
        r = put_secret(t, "kenhojo", 0x0014, sim_make_get(t->in, "number"), 10, "10");
    if (r == 0)
        r = put_secret(t, "kenhojo", 0x0015, sim_make_get(t->in, "number-b"), 10,
                       sim_make_get(t->in, "text-number-b-tries"));
    sim_buf_free(&b);
    return r;
}

static int make_juki(const struct make_hierarchy *h, const struct target *t)
{
    struct buf b = {0};
    int r;

    sim_buf_put(&b, h->kenkaku.municipality_id, 16);
    r = write_ef(t, "juki", 0x0002, &b, 0);
    return r < 0 ? r : put_secret(t, "juki", 0x001C, sim_make_get(t->in, "juki-pin"), 3, "3");
}

static int make_common(const struct make_hierarchy *h, const struct target *t)
{
    struct buf b = {0};
    int r;

    if (!sim_make_common_0001(&b, t->in->person))
        b.failed = true;
    r = write_ef(t, "common", 0x0001, &b, 0);
    if (r == 0)
        r = write_key(t, "common", 0x0019, h->keys[KEY_SHARED_COMMON]);
    return r < 0 ? r : put_secret(t, "common", 0x001C, sim_make_get(t->in, "juki-pin"), 3, "3");
}

static const struct {
    const char *application;
    int (*make)(const struct make_hierarchy *h, const struct target *t);
} applications[] = {{"jpki", make_jpki},
                    {"kenkaku", make_kenkaku},
                    {"kenhojo", make_kenhojo},
                    {"juki", make_juki},
                    {"common", make_common}};

static int put_data_objects(const struct target *t)
{
    static const struct {
        const char *object, *key;
    } objects[] = {{"data-object.0045", "card-number"},
                   {"data-object.00F0", "municipality"},
                   {"data-object.00F2", "expiry"}};
    char hex[64];
    size_t i, j;
    int r = 0;

    for (i = 0; i < COUNT(objects) && r == 0; i++) {
        const char *v = sim_make_get(t->in, objects[i].key);

        for (j = 0; v[j] && j < sizeof(hex) / 2 - 1; j++)
            snprintf(hex + 2 * j, 3, "%02X", (unsigned char)v[j]);
        r = sim_settings_set(t->conf, objects[i].object, hex);
    }
    return r < 0 ? r : sim_settings_set(t->conf, "data-object.5F51", t->in->kind->atr);
}

int sim_make_card(const struct make_hierarchy *h, const struct input *in, const char *out_dir)
{
    struct target t = {.in = in};
    char path[PATH_MAX];
    size_t i;
    int r;

    r = sim_util_path(t.dir, sizeof(t.dir), out_dir, in->name, NULL);
    if (r == 0)
        r = mkdir(t.dir, 0755) < 0 && errno != EEXIST ? -errno : 0;
    if (r < 0)
        return r;
    t.conf = sim_settings_new();
    if (!t.conf)
        return -ENOMEM;
    r = sim_settings_set(t.conf, "kind", in->kind->name);
    if (r == 0)
        r = sim_settings_set(t.conf, "atr", in->kind->atr);
    if (r == 0)
        r = sim_settings_set(t.conf, "applications", in->kind->applications);
    for (i = 0; i < COUNT(applications) && r == 0; i++)
        if (strstr(in->kind->applications, applications[i].application))
            r = applications[i].make(h, &t);
    if (r == 0 && in->kind->applications[0])
        r = put_data_objects(&t);
    if (r == 0)
        r = sim_util_path(path, sizeof(path), t.dir, "card.conf", NULL);
    if (r == 0)
        r = sim_settings_save(t.conf, path);
    sim_settings_free(&t.conf);
    return r;
}
