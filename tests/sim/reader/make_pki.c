#include "make_pki.h"

#include <errno.h>
#include <limits.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KEY_BITS = 2048, PEM_MAX = 16384 };

/* A file that holds these bytes already is left alone, so that its time stamp tells the truth. */
static int write_bio(const char *path, BIO *bio)
{
    uint8_t *old = NULL;
    size_t old_len = 0;
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    bool same = false;

    if (len <= 0)
        return -EIO;
    if (sim_util_read_file(path, PEM_MAX, &old, &old_len) == 0)
        same = old_len == (size_t)len && memcmp(old, data, old_len) == 0;
    free(old);
    return same ? 0 : sim_util_write_file(path, data, (size_t)len);
}

int sim_pki_write_private(const char *path, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int r = -ENOMEM;

    if (bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL))
        r = write_bio(path, bio);
    BIO_free(bio);
    return r;
}

int sim_pki_write_public(const char *path, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int r = -ENOMEM;

    if (bio && PEM_write_bio_PUBKEY(bio, key))
        r = write_bio(path, bio);
    BIO_free(bio);
    return r;
}

int sim_pki_write_certificate(const char *path, X509 *cert)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int r = -ENOMEM;

    if (bio && PEM_write_bio_X509(bio, cert))
        r = write_bio(path, bio);
    BIO_free(bio);
    return r;
}

static int make_key(const char *path)
{
    EVP_PKEY *key = EVP_RSA_gen(KEY_BITS);
    int r = key ? sim_pki_write_private(path, key) : -EIO;

    EVP_PKEY_free(key);
    return r;
}

/* Worker w of n makes every n-th of the missing keys; its exit status tells. */
static int run_worker(const char *dir, const char *const *names, size_t count, size_t first,
                      size_t step)
{
    char path[PATH_MAX];
    size_t i;
    int r;

    for (i = first; i < count; i += step) {
        r = sim_util_path(path, sizeof(path), dir, names[i], ".pem");
        if (r == 0)
            r = make_key(path);
        if (r < 0)
            return r;
    }
    return 0;
}

int sim_pki_make_keys(const char *dir, const char *const *names, size_t count, unsigned workers)
{
    const char **missing = calloc(count ? count : 1, sizeof(*missing));
    char path[PATH_MAX];
    size_t n = 0, i;
    unsigned w, started = 0;
    int r = 0, status;

    if (!missing)
        return -ENOMEM;
    for (i = 0; i < count; i++) {
        r = sim_util_path(path, sizeof(path), dir, names[i], ".pem");
        if (r < 0)
            goto out;
        if (access(path, R_OK) < 0)
            missing[n++] = names[i];
    }
    for (w = 0; n > 0 && w < workers; w++) {
        pid_t pid = fork();

        if (pid == 0)
            _exit(run_worker(dir, missing, n, w, workers) < 0);
        if (pid < 0) {
            r = -errno;
            break;
        }
        started++;
    }
    for (w = 0; w < started; w++)
        if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
            r = -EIO;
out:
    free(missing);
    return r;
}

EVP_PKEY *sim_pki_load_key(const char *dir, const char *name)
{
    char path[PATH_MAX];
    uint8_t *pem = NULL;
    EVP_PKEY *key = NULL;
    size_t len = 0;
    BIO *bio;

    if (sim_util_path(path, sizeof(path), dir, name, ".pem") < 0 ||
        sim_util_read_file(path, PEM_MAX, &pem, &len) < 0)
        return NULL;
    bio = BIO_new_mem_buf(pem, (int)len);
    if (bio)
        key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    free(pem);
    return key;
}

/* Start and end of a day in Japan (UTC+9) as certificate times. */
static bool set_day(ASN1_TIME *t, const char *day, bool end)
{
    struct tm tm = {0};
    int y, m, d;
    time_t at;

    if (strlen(day) != 8 || sscanf(day, "%4d%2d%2d", &y, &m, &d) != 3)
        return false;
    tm.tm_year = y - 1900;
    tm.tm_mon = m - 1;
    tm.tm_mday = d;
    at = timegm(&tm) - 9 * 3600 + (end ? 24 * 3600 - 1 : 0);
    return ASN1_TIME_set(t, at) != NULL;
}

static bool add_name(X509_NAME *name, const char *field, const char *value)
{
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)value, -1,
                                      -1, 0) == 1;
}

static bool add_extension(X509 *cert, X509V3_CTX *ctx, int nid, const char *text)
{
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, ctx, nid, text);
    bool ok = ext && X509_add_ext(cert, ext, -1) == 1;

    X509_EXTENSION_free(ext);
    return ok;
}

static bool add_other_name(GENERAL_NAMES *names, const struct pki_other_name *name)
{
    ASN1_OBJECT *oid = OBJ_txt2obj(name->oid, 1);
    ASN1_UTF8STRING *text = ASN1_UTF8STRING_new();
    ASN1_TYPE *value = ASN1_TYPE_new();
    GENERAL_NAME *general = GENERAL_NAME_new();

    if (!oid || !text || !value || !general || ASN1_STRING_set(text, name->text, -1) != 1)
        goto fail;
    ASN1_TYPE_set(value, V_ASN1_UTF8STRING, text);
    text = NULL;
    if (GENERAL_NAME_set0_othername(general, oid, value) != 1)
        goto fail;
    oid = NULL;
    value = NULL;
    if (sk_GENERAL_NAME_push(names, general) > 0)
        return true;
fail:
    GENERAL_NAME_free(general);
    ASN1_TYPE_free(value);
    ASN1_UTF8STRING_free(text);
    ASN1_OBJECT_free(oid);
    return false;
}

static bool add_alternatives(X509 *cert, const struct pki_subject *s)
{
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    bool ok = names != NULL;
    size_t i;

    for (i = 0; ok && i < s->alternative_count; i++)
        ok = add_other_name(names, &s->alternatives[i]);
    ok = ok && X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0) == 1;
    GENERAL_NAMES_free(names);
    return ok;
}

X509 *sim_pki_certificate(const struct pki_subject *s, EVP_PKEY *key, X509 *issuer,
                          EVP_PKEY *issuer_key)
{
    X509 *cert = X509_new();
    X509V3_CTX ctx;
    X509_NAME *name;
    bool ok;

    if (!cert)
        return NULL;
    name = X509_get_subject_name(cert);
    ok = X509_set_version(cert, X509_VERSION_3) == 1 &&
         ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), s->serial) == 1 &&
         set_day(X509_getm_notBefore(cert), s->from, false) &&
         set_day(X509_getm_notAfter(cert), s->until, true) && add_name(name, "C", "JP");
    if (ok && s->authority)
        ok = add_name(name, "O", "JPKI SIMULATED");
    if (ok && s->unit)
        ok = add_name(name, "OU", s->unit);
    if (ok && s->common_name)
        ok = add_name(name, "CN", s->common_name);
    ok = ok && X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) : name) == 1 &&
         X509_set_pubkey(cert, key) == 1;
    X509V3_set_ctx(&ctx, issuer ? issuer : cert, cert, NULL, NULL, 0);
    ok = ok && add_extension(cert, &ctx, NID_key_usage, s->usage) &&
         add_extension(cert, &ctx, NID_subject_key_identifier, "hash");
    if (ok && s->authority)
        ok = add_extension(cert, &ctx, NID_basic_constraints, "critical,CA:TRUE");
    if (ok)
        ok = add_extension(cert, &ctx, NID_authority_key_identifier, "keyid");
    if (ok && s->alternative_count)
        ok = add_alternatives(cert, s);
    if (!ok || X509_sign(cert, issuer_key, EVP_sha256()) == 0) {
        X509_free(cert);
        return NULL;
    }
    return cert;
}

static bool crl_add(X509_CRL *crl, uint64_t serial, ASN1_TIME *when)
{
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    bool ok = entry && number && ASN1_INTEGER_set_uint64(number, serial) == 1 &&
              X509_REVOKED_set_serialNumber(entry, number) == 1 &&
              X509_REVOKED_set_revocationDate(entry, when) == 1 &&
              X509_CRL_add0_revoked(crl, entry) == 1;

    ASN1_INTEGER_free(number);
    if (!ok)
        X509_REVOKED_free(entry);
    return ok;
}

int sim_pki_write_crl(const char *path, X509 *issuer, EVP_PKEY *issuer_key, const char *from,
                      const char *until, const uint64_t *serials, size_t count)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *now = ASN1_TIME_new(), *next = ASN1_TIME_new();
    BIO *bio = BIO_new(BIO_s_mem());
    int r = -EIO;
    bool ok;
    size_t i;

    ok = crl && now && next && bio && set_day(now, from, false) && set_day(next, until, true) &&
         X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
         X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)) == 1 &&
         X509_CRL_set1_lastUpdate(crl, now) == 1 && X509_CRL_set1_nextUpdate(crl, next) == 1;
    for (i = 0; ok && i < count; i++)
        ok = crl_add(crl, serials[i], now);
    if (ok && X509_CRL_sort(crl) == 1 && X509_CRL_sign(crl, issuer_key, EVP_sha256()) > 0 &&
        PEM_write_bio_X509_CRL(bio, crl))
        r = write_bio(path, bio);
    BIO_free(bio);
    ASN1_TIME_free(next);
    ASN1_TIME_free(now);
    X509_CRL_free(crl);
    return r;
}

void sim_pki_put_der(struct buf *out, X509 *cert)
{
    unsigned char *der = NULL;
    int len = i2d_X509(cert, &der);

    if (len <= 0)
        out->failed = true;
    else
        sim_buf_put(out, der, (size_t)len);
    OPENSSL_free(der);
}

void sim_pki_put_public(struct buf *out, EVP_PKEY *key)
{
    uint8_t modulus[KEY_BITS / 8];
    BIGNUM *n = NULL;

    if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) != 1 ||
        BN_bn2binpad(n, modulus, sizeof(modulus)) != (int)sizeof(modulus)) {
        out->failed = true;
    } else {
        sim_buf_put_tlv(out, 0x90, "\x01\x00\x01", 3); /* EVP_RSA_gen always takes F4 */
        sim_buf_put_tlv(out, 0x91, modulus, sizeof(modulus));
    }
    BN_free(n);
}

int sim_pki_sign_sha256(EVP_PKEY *key, const void *data, size_t len,
                        uint8_t signature[PKI_SIGNATURE])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t out = PKI_SIGNATURE;
    int r = -EIO;

    if (ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
        EVP_DigestSign(ctx, signature, &out, data, len) == 1 && out == PKI_SIGNATURE)
        r = 0;
    EVP_MD_CTX_free(ctx);
    return r;
}

int sim_pki_sign_payload(EVP_PKEY *key, const void *payload, size_t len,
                         uint8_t signature[PKI_SIGNATURE])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    size_t out = PKI_SIGNATURE;
    int r = -EIO;

    if (ctx && EVP_PKEY_sign_init(ctx) == 1 &&
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
        EVP_PKEY_sign(ctx, signature, &out, payload, len) == 1 && out == PKI_SIGNATURE)
        r = 0;
    EVP_PKEY_CTX_free(ctx);
    return r;
}

void sim_pki_key_id(uint8_t out[16], const char *seven_digits, const char *three_digits,
                    uint32_t number)
{
    memset(out, '0', 16);
    memcpy(out, seven_digits, strnlen(seven_digits, 7));
    out[7] = 0x08;
    out[8] = 0x05;
    memcpy(out + 9, three_digits, strnlen(three_digits, 3));
    util_put_be32(out + 12, number);
}

int sim_pki_put_cv_certificate(struct buf *out, const uint8_t issuer_id[16], EVP_PKEY *issuer,
                               const uint8_t subject_id[16], EVP_PKEY *subject)
{
    uint8_t signature[PKI_SIGNATURE];
    struct buf body = {0}, whole = {0};
    int r;

    sim_buf_put(&body, issuer_id, 16);
    sim_buf_put(&body, subject_id, 16);
    sim_pki_put_public(&body, subject);
    r = body.failed ? -EIO : sim_pki_sign_sha256(issuer, body.data, body.len, signature);
    if (r == 0) {
        sim_buf_put_tlv(&whole, 0x5F4E, body.data, body.len);
        sim_buf_put_tlv(&whole, 0x5F37, signature, sizeof(signature));
        sim_buf_put_tlv(out, 0x7F21, whole.data, whole.len);
        if (whole.failed || out->failed)
            r = -ENOMEM;
    }
    sim_buf_free(&whole);
    sim_buf_free(&body);
    return r;
}
