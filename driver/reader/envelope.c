#include "envelope.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/bytes.h"
#include "daemon/common/secret.h"

#define SHARED_BYTES 32u
#define KEY_BYTES 32u
#define INFO_MAX 32u
#define GROUP "prime256v1"

struct envelope_key {
    EVP_PKEY *pkey;
};

static const char *const purposes[] = {
    [ENVELOPE_PIN] = "uketsuke v1 pin",
    [ENVELOPE_NUMBER_B] = "uketsuke v1 number-b",
};

static int wrap(struct envelope_key **out, EVP_PKEY *pkey)
{
    *out = pkey != NULL ? calloc(1, sizeof(**out)) : NULL;
    if (*out == NULL) {
        EVP_PKEY_free(pkey);
        return -EIO;
    }
    (*out)->pkey = pkey;
    return 0;
}

int envelope_key_new(struct envelope_key **out, uint8_t point[ENVELOPE_POINT])
{
    size_t len = 0;
    int rc = wrap(out, EVP_EC_gen(GROUP));

    if (rc == 0 && (EVP_PKEY_get_octet_string_param((*out)->pkey, OSSL_PKEY_PARAM_PUB_KEY, point,
                                                    ENVELOPE_POINT, &len) != 1 ||
                    len != ENVELOPE_POINT)) {
        envelope_key_free(out);
        rc = -EIO;
    }
    ERR_clear_error();
    return rc;
}

/* A key of the group from its public point, and its private number where there is one. NULL if it is none. */
static EVP_PKEY *key_from(const uint8_t *point, size_t point_len, const BIGNUM *scalar)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY *pkey = NULL;

    if (ctx == NULL || build == NULL ||
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, GROUP, 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, point_len) != 1 ||
        (scalar != NULL && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, scalar) != 1))
        goto out;
    params = OSSL_PARAM_BLD_to_param(build);
    if (params == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, scalar != NULL ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
                          params) != 1)
        pkey = NULL;
out:
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

int envelope_key_from(struct envelope_key **out, const uint8_t scalar[32])
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EC_POINT *at = group != NULL ? EC_POINT_new(group) : NULL;
    BIGNUM *number = BN_bin2bn(scalar, 32, NULL);
    uint8_t point[ENVELOPE_POINT];
    EVP_PKEY *pkey = NULL;

    *out = NULL;
    if (at != NULL && number != NULL && EC_POINT_mul(group, at, number, NULL, NULL, NULL) == 1 &&
        EC_POINT_point2oct(group, at, POINT_CONVERSION_UNCOMPRESSED, point, sizeof(point), NULL) ==
            sizeof(point))
        pkey = key_from(point, sizeof(point), number);
    BN_clear_free(number);
    EC_POINT_free(at);
    EC_GROUP_free(group);
    ERR_clear_error();
    return wrap(out, pkey) < 0 ? -EINVAL : 0;
}

void envelope_key_free(struct envelope_key **key)
{
    if (*key == NULL)
        return;
    EVP_PKEY_free((*key)->pkey);
    free(*key);
    *key = NULL;
}

static bool agree(EVP_PKEY *own, EVP_PKEY *peer, uint8_t shared[SHARED_BYTES])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
    size_t len = SHARED_BYTES;
    /* set_peer checks that the point lies on the curve. */
    bool ok = ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
              EVP_PKEY_derive_set_peer_ex(ctx, peer, 1) == 1 &&
              EVP_PKEY_derive(ctx, shared, &len) == 1 && len == SHARED_BYTES;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static bool expand(const uint8_t shared[SHARED_BYTES], uint8_t *info, size_t info_len,
                   uint8_t key[KEY_BYTES])
{
    char digest[] = "SHA256";
    uint8_t secret[SHARED_BYTES];
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    OSSL_PARAM params[4];
    bool ok;

    memcpy(secret, shared, sizeof(secret));
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret, sizeof(secret));
    params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, info_len);
    params[3] = OSSL_PARAM_construct_end();
    ok = ctx != NULL && EVP_KDF_derive(ctx, key, KEY_BYTES, params) == 1;
    explicit_bzero(secret, sizeof(secret));
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok;
}

static bool decrypt(const uint8_t key[KEY_BYTES], const uint8_t *iv, const uint8_t *info,
                    size_t info_len, const uint8_t *text, size_t len, const uint8_t *tag,
                    uint8_t *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t expected[ENVELOPE_TAG];
    int n = 0;
    bool ok;

    memcpy(expected, tag, sizeof(expected));
    ok = ctx != NULL && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, iv) == 1 &&
         EVP_DecryptUpdate(ctx, NULL, &n, info, (int)info_len) == 1 &&
         EVP_DecryptUpdate(ctx, out, &n, text, (int)len) == 1 && (size_t)n == len &&
         EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, ENVELOPE_TAG, expected) == 1 &&
         EVP_DecryptFinal_ex(ctx, out + n, &n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

int envelope_open(const struct envelope_key *key, enum envelope_purpose purpose, uint64_t visit,
                  const uint8_t *sealed, size_t len, struct secret *out)
{
    uint8_t shared[SHARED_BYTES];
    uint8_t aes[KEY_BYTES];
    uint8_t info[INFO_MAX];
    struct bytes_reader r;
    struct bytes_writer w;
    const uint8_t *point;
    const uint8_t *iv;
    const uint8_t *text;
    const uint8_t *tag;
    EVP_PKEY *peer = NULL;
    size_t text_len;
    int rc;

    memset(out, 0, sizeof(*out));
    if (len <= ENVELOPE_POINT + ENVELOPE_IV + ENVELOPE_TAG || len > ENVELOPE_MAX)
        return -EBADMSG;
    text_len = len - (ENVELOPE_POINT + ENVELOPE_IV + ENVELOPE_TAG);
    bytes_reader_init(&r, sealed, len);
    point = bytes_take(&r, ENVELOPE_POINT);
    iv = bytes_take(&r, ENVELOPE_IV);
    text = bytes_take(&r, text_len);
    tag = bytes_take(&r, ENVELOPE_TAG);
    bytes_writer_init(&w, info, sizeof(info));
    bytes_put(&w, purposes[purpose], strlen(purposes[purpose]));
    bytes_put_u32be(&w, (uint32_t)(visit >> 32));
    bytes_put_u32be(&w, (uint32_t)visit);
    if (!bytes_done(&r) || w.failed)
        return -EBADMSG;
    rc = secret_new(out, ENVELOPE_TEXT_MAX);
    if (rc < 0)
        return rc;
    peer = key_from(point, ENVELOPE_POINT, NULL);
    rc = -EBADMSG;
    if (peer != NULL && agree(key->pkey, peer, shared) && expand(shared, info, w.used, aes) &&
        decrypt(aes, iv, info, w.used, text, text_len, tag, out->data)) {
        out->len = text_len;
        rc = 0;
    }
    explicit_bzero(shared, sizeof(shared));
    explicit_bzero(aes, sizeof(aes));
    EVP_PKEY_free(peer);
    ERR_clear_error();
    if (rc < 0)
        secret_free(out);
    return rc;
}
