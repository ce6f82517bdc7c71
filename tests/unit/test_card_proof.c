/*
 * What proves a card, check by check: keys of either kind, and files that the operator configures. Certificates and
 * signatures are made here by OpenSSL's own calls; what is expected follows from which key signed what.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "daemon/common/visit.h"
#include "driver/card/card_proof.h"
#include "driver/card/card_trust.h"

static char directory[] = "/tmp/card-proof-XXXXXX";

static const char *in_directory(const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static void write_text(const char *name, const char *text)
{
    FILE *file = fopen(in_directory(name), "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    fclose(file);
}

static void write_certificates(const char *name, X509 *const *certificates, size_t n)
{
    FILE *file = fopen(in_directory(name), "w");

    assert_non_null(file);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(PEM_write_X509(file, certificates[i]), 1);
    fclose(file);
}

static void write_key(const char *name, EVP_PKEY *key)
{
    FILE *file = fopen(in_directory(name), "w");

    assert_non_null(file);
    assert_int_equal(PEM_write_PUBKEY(file, key), 1);
    fclose(file);
}

static X509 *certificate_of(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key,
                            const EVP_MD *md)
{
    X509 *x = X509_new();
    X509_EXTENSION *ext;

    assert_non_null(x);
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(issuer != NULL ? issuer : x));
    ASN1_TIME_set_string_X509(X509_getm_notBefore(x), "20240610000000Z");
    ASN1_TIME_set_string_X509(X509_getm_notAfter(x), "20290604235959Z");
    X509_set_pubkey(x, key);
    if (issuer == NULL) {
        ext = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
        X509_add_ext(x, ext, -1);
        X509_EXTENSION_free(ext);
    }
    assert_true(X509_sign(x, issuer_key, md) > 0);
    return x;
}

/* What the card would hand out. */
static void parse(struct card_certificate *out, X509 *x)
{
    uint8_t der[4096];
    unsigned char *at = der;
    int len = i2d_X509(x, &at);

    assert_true(len > 0);
    assert_int_equal(card_certificate_parse(out, der, (size_t)len), 0);
}

static struct card_trust *trust_in(X509 *const *authorities, size_t n)
{
    struct card_trust *trust = NULL;
    char *culprit = NULL;

    write_certificates("ca.pem", authorities, n);
    assert_int_equal(card_trust_load(&trust, NULL, in_directory("ca.pem"), &culprit), 0);
    assert_null(culprit);
    assert_int_equal(card_trust_authorities(trust), n);
    return trust;
}

/* -- chains ------------------------------------------------------------------------------------ */

/*
 * Two generations of an authority under one name, RSA and P-384 with SHA-384 (as announced for the next card): a
 * certificate is of the one whose key signed it, whatever kind of key it holds itself.
 */
static void a_chain_may_be_of_rsa_or_of_elliptic_curves(void **state)
{
    EVP_PKEY *rsa = EVP_RSA_gen(2048), *ec = EVP_EC_gen("P-384"), *stranger = EVP_EC_gen("P-384");
    X509 *old = certificate_of("Authority", rsa, NULL, rsa, EVP_sha256());
    X509 *new = certificate_of("Authority", ec, NULL, ec, EVP_sha384());
    const struct {
        EVP_PKEY *key, *signer;
        const EVP_MD *md;
        bool by_old, by_new;
    } rows[] = {
        {rsa, rsa, EVP_sha256(), true, false}, {ec, rsa, EVP_sha256(), true, false},
        {rsa, ec, EVP_sha384(), false, true},  {ec, ec, EVP_sha384(), false, true},
        {ec, ec, EVP_sha256(), false, true},   {rsa, stranger, EVP_sha384(), false, false},
    };
    X509 *both[] = {old, new};
    struct card_trust *trusts[3];

    (void)state;
    trusts[0] = trust_in(&old, 1);
    trusts[1] = trust_in(&new, 1);
    trusts[2] = trust_in(both, 2);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        X509 *x = certificate_of("holder", rows[i].key, old, rows[i].signer, rows[i].md);
        struct card_certificate certificate;

        parse(&certificate, x);
        assert_int_equal(certificate.rsa, rows[i].key == rsa);
        assert_int_equal(card_proof_chain(trusts[0], &certificate),
                         rows[i].by_old ? GENUINE_YES : GENUINE_NO);
        assert_int_equal(card_proof_chain(trusts[1], &certificate),
                         rows[i].by_new ? GENUINE_YES : GENUINE_NO);
        assert_int_equal(card_proof_chain(trusts[2], &certificate),
                         rows[i].by_old || rows[i].by_new ? GENUINE_YES : GENUINE_NO);
        card_certificate_clear(&certificate);
        X509_free(x);
    }
    for (size_t i = 0; i < 3; i++)
        card_trust_free(&trusts[i]);
    X509_free(old);
    X509_free(new);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(stranger);
}

/* The authority ends before the certificate that it signed, or began after it. (Seconds: date -u -d ... +%s) */
static void nobody_is_valid_for_longer_than_the_authority(void **state)
{
    static const struct {
        const char *from, *until;
        int64_t valid_from, valid_until;
    } rows[] = {
        {"20200101000000Z", "20300101000000Z", 1717977600, 1875311999}, /* the holder's own */
        {"20200101000000Z", "20270331235959Z", 1717977600, 1806537599},
        {"20250101000000Z", "20300101000000Z", 1735689600, 1875311999},
    };
    EVP_PKEY *key = EVP_EC_gen("P-256"), *stranger = EVP_EC_gen("P-256");

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        X509 *ca = certificate_of("Authority", key, NULL, key, EVP_sha256());
        X509 *good = certificate_of("holder", key, ca, key, EVP_sha256());
        X509 *other = certificate_of("holder", key, ca, stranger, EVP_sha256());
        struct card_certificate certificate;
        struct card_trust *trust;

        ASN1_TIME_set_string_X509(X509_getm_notBefore(ca), rows[i].from);
        ASN1_TIME_set_string_X509(X509_getm_notAfter(ca), rows[i].until);
        assert_true(X509_sign(ca, key, EVP_sha256()) > 0);
        trust = trust_in(&ca, 1);
        parse(&certificate, good);
        assert_int_equal(card_proof_chain(trust, &certificate), GENUINE_YES);
        assert_int_equal(certificate.valid_from, rows[i].valid_from);
        assert_int_equal(certificate.valid_until, rows[i].valid_until);
        card_certificate_clear(&certificate);
        /* Whose signature it is not says nothing about it. */
        parse(&certificate, other);
        assert_int_equal(card_proof_chain(trust, &certificate), GENUINE_NO);
        assert_int_equal(certificate.valid_from, 1717977600);
        assert_int_equal(certificate.valid_until, 1875311999);
        card_certificate_clear(&certificate);
        card_trust_free(&trust);
        X509_free(ca);
        X509_free(good);
        X509_free(other);
    }
    EVP_PKEY_free(key);
    EVP_PKEY_free(stranger);
}

/* Signed by a key that is trusted, but not as an authority's. */
static void a_holders_certificate_is_no_authority(void **state)
{
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
    X509 *ca = certificate_of("Authority", ca_key, NULL, ca_key, EVP_sha256());
    X509 *holder = certificate_of("holder", key, ca, ca_key, EVP_sha256());
    X509 *below = certificate_of("below", key, holder, key, EVP_sha256());
    struct card_trust *trust = trust_in(&holder, 1);
    struct card_certificate certificate;

    (void)state;
    parse(&certificate, below);
    assert_int_equal(card_proof_chain(trust, &certificate), GENUINE_NO);
    card_certificate_clear(&certificate);
    card_trust_free(&trust);
    X509_free(ca);
    X509_free(holder);
    X509_free(below);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
}

/* -- signatures -------------------------------------------------------------------------------- */

static size_t sign(EVP_PKEY *key, const void *message, size_t len, uint8_t *out, size_t size)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();

    assert_int_equal(EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(md, out, &size, message, len), 1);
    EVP_MD_CTX_free(md);
    return size;
}

static void a_signature_is_judged_by_the_certificates_kind_of_key(void **state)
{
    static const char message[] = "9910000017 eligibility 2026-11-27T09:00:00+09:00";
    EVP_PKEY *keys[] = {EVP_RSA_gen(2048), EVP_EC_gen("P-384"), EVP_EC_gen("P-256")};
    size_t n = sizeof(keys) / sizeof(keys[0]);

    (void)state;
    for (size_t holder = 0; holder < n; holder++) {
        X509 *x = certificate_of("holder", keys[holder], NULL, keys[holder], EVP_sha256());
        struct card_certificate certificate;

        parse(&certificate, x);
        for (size_t signer = 0; signer < n; signer++) {
            uint8_t signature[512];
            size_t len = sign(keys[signer], message, sizeof(message), signature, sizeof(signature));

            assert_int_equal(
                card_proof_signature(&certificate, message, sizeof(message), signature, len),
                signer == holder);
            assert_int_equal(
                card_proof_signature(&certificate, message, sizeof(message) - 1, signature, len),
                0);
            assert_int_equal(
                card_proof_signature(&certificate, message, sizeof(message), signature, len - 1),
                0);
            signature[len / 2] ^= 1;
            assert_int_equal(
                card_proof_signature(&certificate, message, sizeof(message), signature, len), 0);
        }
        card_certificate_clear(&certificate);
        X509_free(x);
    }
    for (size_t i = 0; i < n; i++)
        EVP_PKEY_free(keys[i]);
}

/* -- what is configured ------------------------------------------------------------------------ */

static void expect_refused(const char *issuers, const char *user_ca, int error,
                           const char *culprit_name)
{
    struct card_trust *trust = NULL;
    char *culprit = NULL;

    assert_int_equal(card_trust_load(&trust, issuers, user_ca, &culprit), error);
    assert_null(trust);
    assert_non_null(culprit);
    assert_string_equal(culprit, in_directory(culprit_name));
    free(culprit);
}

static void keys_of_issuers_come_from_a_directory(void **state)
{
    EVP_PKEY *rsa = EVP_RSA_gen(2048), *ec = EVP_EC_gen("P-384");
    struct card_trust *trust = NULL;
    char *culprit = NULL;
    char name[64];

    (void)state;
    assert_int_equal(mkdir(in_directory("issuers"), 0700), 0);
    write_key("issuers/kenkaku-issuer-6000023.pem", rsa);
    write_key("issuers/kenkaku-issuer-6000031.pem", ec);
    /* Nothing of these is an issuer's name. */
    write_text("issuers/README", "keys\n");
    write_text("issuers/kenkaku-issuer-600002x.pem", "no key\n");
    write_text("issuers/kenkaku-issuer-60000231.pem", "no key\n");
    write_text("issuers/kenkaku-issuer-6000032.old", "no key\n");
    assert_int_equal(card_trust_load(&trust, in_directory("issuers"), "", &culprit), 0);
    assert_null(culprit);
    assert_int_equal(card_trust_issuers(trust), 2);
    assert_int_equal(card_trust_authorities(trust), 0);
    assert_null(card_trust_authority(trust, 0));
    assert_int_equal(EVP_PKEY_eq(card_trust_issuer(trust, (const uint8_t *)"6000023"), rsa), 1);
    assert_int_equal(EVP_PKEY_eq(card_trust_issuer(trust, (const uint8_t *)"6000031"), ec), 1);
    assert_null(card_trust_issuer(trust, (const uint8_t *)"6000032"));
    card_trust_free(&trust);
    card_trust_free(&trust);
    /* One that cannot be read is no ground for going on with the others. */
    write_text("issuers/kenkaku-issuer-6000099.pem",
               "-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----\n");
    expect_refused(in_directory("issuers"), NULL, -EBADMSG, "issuers/kenkaku-issuer-6000099.pem");
    /* More than anybody has issued are a mistake too. */
    unlink(in_directory("issuers/kenkaku-issuer-6000099.pem"));
    for (unsigned i = 0; i < 31; i++) {
        snprintf(name, sizeof(name), "issuers/kenkaku-issuer-70000%02u.pem", i);
        write_key(name, ec);
    }
    assert_int_equal(card_trust_load(&trust, in_directory("issuers"), NULL, &culprit), -E2BIG);
    assert_null(trust);
    assert_non_null(culprit);
    free(culprit);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
}

static void authorities_come_from_one_file(void **state)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = certificate_of("Authority", key, NULL, key, EVP_sha256());
    X509 *many[33];
    FILE *file;

    (void)state;
    expect_refused(NULL, in_directory("nowhere.pem"), -ENOENT, "nowhere.pem");
    expect_refused(in_directory("nowhere"), NULL, -ENOENT, "nowhere");
    write_text("none.pem", "no certificate in here\n");
    expect_refused(NULL, in_directory("none.pem"), -EBADMSG, "none.pem");
    /* A second one that is damaged: the first alone is not what was meant. */
    write_certificates("damaged.pem", &x, 1);
    file = fopen(in_directory("damaged.pem"), "a");
    assert_true(fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", file) >= 0);
    fclose(file);
    expect_refused(NULL, in_directory("damaged.pem"), -EBADMSG, "damaged.pem");
    for (size_t i = 0; i < 33; i++)
        many[i] = x;
    write_certificates("many.pem", many, 33);
    expect_refused(NULL, in_directory("many.pem"), -E2BIG, "many.pem");
    X509_free(x);
    EVP_PKEY_free(key);
}

static int up(void **state)
{
    (void)state;
    return mkdtemp(directory) != NULL ? 0 : -1;
}

static int down(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_may_be_of_rsa_or_of_elliptic_curves),
        cmocka_unit_test(nobody_is_valid_for_longer_than_the_authority),
        cmocka_unit_test(a_holders_certificate_is_no_authority),
        cmocka_unit_test(a_signature_is_judged_by_the_certificates_kind_of_key),
        cmocka_unit_test(keys_of_issuers_come_from_a_directory),
        cmocka_unit_test(authorities_come_from_one_file),
    };

    return cmocka_run_group_tests(tests, up, down);
}
