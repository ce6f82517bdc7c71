/*
 * COMPUTE DIGITAL SIGNATURE: the P1 variants as measured on a test card. The card pads whatever
 * it is given in variant 00; it never checks that the input is a DigestInfo.
 */
#include "card_impl.h"

#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <string.h>

enum { RAW_MAX = 245, HASH = SHA256_DIGEST_LENGTH };

static const uint8_t sha256_prefix[] = {0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                        0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

static const struct {
    size_t min, max;
    bool hash; /* the card hashes the input */
    bool wrap; /* the card writes the DigestInfo */
    bool pss;
} variants[] = {
    {1, RAW_MAX, false, false, false}, /* 00 pads the input as it is */
    {1, 255, true, false, false},      /* 01 hashes, bare hash */
    {HASH, HASH, false, true, false},  /* 02 wraps a given hash */
    {1, 255, true, true, false},       /* 03 hashes and wraps */
    {HASH, HASH, false, false, true},  /* 04 PSS over a given hash */
    {1, 255, true, false, true},       /* 05 PSS, card hashes */
};

unsigned sim_card_compute_signature(const struct ef *key, unsigned p1, const uint8_t *in,
                                    size_t len, struct response *r)
{
    uint8_t input[sizeof(sha256_prefix) + RAW_MAX];
    size_t n = 0, out = 4096;
    EVP_PKEY_CTX *ctx = NULL;
    unsigned sw = 0x6F00;

    if (p1 >= sizeof(variants) / sizeof(variants[0]))
        return 0x6A86;
    if (len < variants[p1].min || len > variants[p1].max)
        return 0x6985;
    if (variants[p1].wrap) {
        memcpy(input, sha256_prefix, sizeof(sha256_prefix));
        n = sizeof(sha256_prefix);
    }
    if (variants[p1].hash) {
        SHA256(in, len, input + n);
        n += HASH;
    } else {
        memcpy(input + n, in, len);
        n += len;
    }
    ctx = EVP_PKEY_CTX_new(key->key, NULL);
    if (!ctx || EVP_PKEY_sign_init(ctx) <= 0)
        goto out;
    if (variants[p1].pss) {
        if (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) <= 0 ||
            EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) <= 0 ||
            EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) <= 0)
            goto out;
    } else if (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) <= 0) {
        goto out;
    }
    if (EVP_PKEY_sign(ctx, r->data, &out, input, n) <= 0)
        goto out;
    r->len = out;
    sw = 0x9000;
out:
    EVP_PKEY_CTX_free(ctx);
    return sw;
}
