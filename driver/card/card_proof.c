#include "card_proof.h"

#include <errno.h>
#include <limits.h>
#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "card_trust.h"

#define TAG_EXPONENT 0x90u
#define TAG_MODULUS 0x91u
#define RSA_BITS_LEAST 2048
#define RSA_BITS_MOST 4096

/* DigestInfo up to the hash (RFC 8017, 9.2 note 1), and the record's variant with room for 96 bytes. */
static const uint8_t sha256_info[] = {0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                      0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
static const uint8_t record_info[] = {0x30, 0x71, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                      0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x60};
#define RECORD_SEGMENTS 3u
#define RECORD_PAYLOAD (sizeof(record_info) + RECORD_SEGMENTS * CARD_DIGEST_BYTES)

/* Whether the library was short of memory since its errors were last cleared; clears them. */
static bool no_memory(void)
{
    unsigned long error;
    bool found = false;

    while ((error = ERR_get_error()) != 0)
        found = found || ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE;
    return found;
}

int card_proof_sha256(const void *data, size_t len, uint8_t hash[CARD_DIGEST_BYTES])
{
    return EVP_Digest(data, len, hash, NULL, EVP_sha256(), NULL) == 1 ? 0 : -EIO;
}

int card_proof_digest_info(const void *data, size_t len, uint8_t info[CARD_DIGEST_INFO_BYTES])
{
    memcpy(info, sha256_info, sizeof(sha256_info));
    return card_proof_sha256(data, len, info + sizeof(sha256_info));
}

static int64_t time_of(const ASN1_TIME *at)
{
    struct tm tm;

    memset(&tm, 0, sizeof(tm));
    if (at == NULL || ASN1_TIME_to_tm(at, &tm) != 1)
        return INT64_MIN;
    return (int64_t)timegm(&tm);
}

static int hash_subject(X509 *x509, uint8_t hash[CARD_DIGEST_BYTES])
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(x509);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    unsigned char *issuer = NULL;
    int issuer_len = i2d_X509_NAME(X509_get_issuer_name(x509), &issuer);
    int rc = -EBADMSG;

    if (md != NULL && issuer_len > 0 && ASN1_STRING_length(serial) > 0 &&
        EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
        EVP_DigestUpdate(md, issuer, (size_t)issuer_len) == 1 &&
        EVP_DigestUpdate(md, ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial)) ==
            1 &&
        EVP_DigestFinal_ex(md, hash, NULL) == 1)
        rc = 0;
    OPENSSL_free(issuer);
    EVP_MD_CTX_free(md);
    return rc;
}

static int parse_certificate(struct card_certificate *out, const uint8_t *der, size_t len)
{
    const unsigned char *at = der;
    const EVP_PKEY *key;
    int rc = -EBADMSG;

    memset(out, 0, sizeof(*out));
    ERR_clear_error();
    if (len == 0 || len > LONG_MAX)
        return -EBADMSG;
    out->x509 = d2i_X509(NULL, &at, (long)len);
    if (out->x509 == NULL || at != der + len)
        goto out;
    out->valid_from = time_of(X509_get0_notBefore(out->x509));
    out->valid_until = time_of(X509_get0_notAfter(out->x509));
    key = X509_get0_pubkey(out->x509);
    if (out->valid_from == INT64_MIN || out->valid_until == INT64_MIN || key == NULL)
        goto out;
    out->rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
    rc = hash_subject(out->x509, out->subject);
out:
    if (rc < 0)
        card_certificate_clear(out);
    return no_memory() && rc < 0 ? -ENOMEM : rc;
}

int card_certificate_parse(struct card_certificate *out, const uint8_t *der, size_t len)
{
    int rc = parse_certificate(out, der, len);

    return rc == -EBADMSG ? parse_certificate(out, der, len) : rc;
}

void card_certificate_clear(struct card_certificate *certificate)
{
    X509_free(certificate->x509);
    explicit_bzero(certificate, sizeof(*certificate));
}

/* To when both are valid. False: the authority does not say when it is. */
static bool narrow(struct card_certificate *certificate, const X509 *authority)
{
    const int64_t from = time_of(X509_get0_notBefore(authority)),
                  until = time_of(X509_get0_notAfter(authority));

    if (from == INT64_MIN || until == INT64_MIN)
        return false;
    if (certificate->valid_from < from)
        certificate->valid_from = from;
    if (certificate->valid_until > until)
        certificate->valid_until = until;
    return true;
}

static int prove_chain(const struct card_trust *trust, struct card_certificate *certificate)
{
    const X509_NAME *issuer = X509_get_issuer_name(certificate->x509);
    int result = GENUINE_NO;
    X509 *authority;

    ERR_clear_error();
    if (card_trust_authorities(trust) == 0)
        return GENUINE_NOT_CHECKED;
    for (size_t i = 0; result == GENUINE_NO && (authority = card_trust_authority(trust, i)) != NULL;
         i++)
        if (X509_NAME_cmp(issuer, X509_get_subject_name(authority)) == 0 &&
            X509_check_ca(authority) != 0 &&
            X509_verify(certificate->x509, X509_get0_pubkey(authority)) == 1 &&
            narrow(certificate, authority))
            result = GENUINE_YES;
    return no_memory() && result != GENUINE_YES ? -ENOMEM : result;
}

int card_proof_chain(const struct card_trust *trust, struct card_certificate *certificate)
{
    int result = prove_chain(trust, certificate);

    return result == GENUINE_NO ? prove_chain(trust, certificate) : result;
}

static bool verify_sha256(EVP_PKEY *key, const void *message, size_t len, const uint8_t *signature,
                          size_t signature_len)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md != NULL && key != NULL &&
              EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestVerify(md, signature, signature_len, message, len) == 1;

    EVP_MD_CTX_free(md);
    return ok;
}

static int prove_signature(const struct card_certificate *certificate, const void *message,
                           size_t len, const uint8_t *signature, size_t signature_len)
{
    bool ok;

    ERR_clear_error();
    ok = certificate->x509 != NULL &&
         verify_sha256(X509_get0_pubkey(certificate->x509), message, len, signature, signature_len);
    return no_memory() && !ok ? -ENOMEM : ok;
}

int card_proof_signature(const struct card_certificate *certificate, const void *message,
                         size_t len, const uint8_t *signature, size_t signature_len)
{
    int result = prove_signature(certificate, message, len, signature, signature_len);

    return result == 0 ? prove_signature(certificate, message, len, signature, signature_len)
                       : result;
}

/* A key written as TLVs 90 (exponent) and 91 (modulus). NULL when it cannot be one. */
static EVP_PKEY *rsa_key(const uint8_t *data, size_t len)
{
    struct tlv exponent;
    struct tlv modulus;
    OSSL_PARAM_BLD *build = NULL;
    OSSL_PARAM *params = NULL;
    EVP_PKEY_CTX *ctx = NULL;
    EVP_PKEY *key = NULL;
    BIGNUM *e = NULL;
    BIGNUM *n = NULL;

    if (tlv_find(data, len, TAG_EXPONENT, &exponent) < 0 ||
        tlv_find(data, len, TAG_MODULUS, &modulus) < 0 || exponent.len == 0 || exponent.len > 8 ||
        modulus.len > RSA_BITS_MOST / 8)
        return NULL;
    e = BN_bin2bn(exponent.value, (int)exponent.len, NULL);
    n = BN_bin2bn(modulus.value, (int)modulus.len, NULL);
    if (e == NULL || n == NULL || !BN_is_odd(e) || BN_is_one(e) || BN_num_bits(n) < RSA_BITS_LEAST)
        goto out;
    build = OSSL_PARAM_BLD_new();
    ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    if (build == NULL || ctx == NULL ||
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) != 1 ||
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) != 1)
        goto out;
    params = OSSL_PARAM_BLD_to_param(build);
    if (params == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
out:
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);
    BN_free(e);
    BN_free(n);
    return key;
}

/* The payload under the padding equals `expected`. The usual call cannot do this: it wants 32 bytes of hash. */
static bool recovers_to(EVP_PKEY *key, const struct tlv *signature, const uint8_t *expected,
                        size_t len)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    uint8_t payload[RSA_BITS_MOST / 8];
    size_t payload_len = sizeof(payload);
    bool ok = ctx != NULL && EVP_PKEY_get_size(key) <= (int)sizeof(payload) &&
              EVP_PKEY_verify_recover_init(ctx) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
              EVP_PKEY_verify_recover(ctx, payload, &payload_len, signature->value,
                                      signature->len) == 1 &&
              payload_len == len && memcmp(payload, expected, len) == 0;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static bool hash_fields(const struct card_record *record, enum card_field first,
                        enum card_field last, uint8_t hash[CARD_DIGEST_BYTES])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;

    for (size_t i = first; ok && i <= last; i++)
        ok = record->field[i].whole != NULL &&
             EVP_DigestUpdate(md, record->field[i].whole, record->field[i].whole_len) == 1;
    ok = ok && EVP_DigestFinal_ex(md, hash, NULL) == 1;
    EVP_MD_CTX_free(md);
    return ok;
}

static bool record_payload(const struct card_record *record, uint8_t payload[RECORD_PAYLOAD])
{
    static const struct {
        enum card_field first, last;
    } segments[RECORD_SEGMENTS] = {
        {CARD_FIELD_BIRTH, CARD_FIELD_KEY},
        {CARD_FIELD_NAME, CARD_FIELD_ADDRESS},
        {CARD_FIELD_PHOTO, CARD_FIELD_PHOTO},
    };
    uint8_t *at = payload + sizeof(record_info);

    memcpy(payload, record_info, sizeof(record_info));
    for (size_t i = 0; i < RECORD_SEGMENTS; i++, at += CARD_DIGEST_BYTES)
        if (!hash_fields(record, segments[i].first, segments[i].last, at))
            return false;
    return true;
}

static int prove_record(const struct card_trust *trust, const struct card_record *record,
                        const uint8_t *signer_file, size_t signer_len)
{
    uint8_t payload[RECORD_PAYLOAD];
    int result = GENUINE_NO;
    struct card_signer signer;
    EVP_PKEY *municipality = NULL;
    EVP_PKEY *issuer;

    ERR_clear_error();
    if (card_trust_issuers(trust) == 0)
        return GENUINE_NOT_CHECKED;
    if (card_signer_parse(&signer, signer_file, signer_len) < 0)
        return GENUINE_NO;
    issuer = card_trust_issuer(trust, signer.issuer);
    if (issuer == NULL || !verify_sha256(issuer, signer.body.value, signer.body.len,
                                         signer.signature.value, signer.signature.len))
        return no_memory() ? -ENOMEM : GENUINE_NO;
    municipality = rsa_key(signer.key, signer.key_len);
    if (municipality != NULL && record_payload(record, payload) &&
        recovers_to(municipality, &record->field[CARD_FIELD_SIGNATURE], payload, sizeof(payload)))
        result = GENUINE_YES;
    EVP_PKEY_free(municipality);
    return no_memory() && result != GENUINE_YES ? -ENOMEM : result;
}

int card_proof_record(const struct card_trust *trust, const struct card_record *record,
                      const uint8_t *signer_file, size_t signer_len)
{
    int result = prove_record(trust, record, signer_file, signer_len);

    return result == GENUINE_NO ? prove_record(trust, record, signer_file, signer_len) : result;
}

static int prove_challenge(const struct card_record *record, const uint8_t *nonce, size_t nonce_len,
                           const uint8_t *signature, size_t signature_len)
{
    const struct tlv *field = &record->field[CARD_FIELD_KEY];
    EVP_PKEY *key;
    bool ok;

    ERR_clear_error();
    key = rsa_key(field->value, field->len);
    ok = key != NULL && verify_sha256(key, nonce, nonce_len, signature, signature_len);
    EVP_PKEY_free(key);
    if (no_memory() && !ok)
        return -ENOMEM;
    return ok ? GENUINE_YES : GENUINE_NO;
}

int card_proof_challenge(const struct card_record *record, const uint8_t *nonce, size_t nonce_len,
                         const uint8_t *signature, size_t signature_len)
{
    int result = prove_challenge(record, nonce, nonce_len, signature, signature_len);

    return result == GENUINE_NO
               ? prove_challenge(record, nonce, nonce_len, signature, signature_len)
               : result;
}
