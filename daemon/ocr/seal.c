#include "seal.h"

#include "daemon/common/bytes.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <string.h>

#define PURPOSE "uketsuke v1 number-b"
#define INFO_BYTES (sizeof(PURPOSE) - 1 + 8)
#define IV_BYTES 12u
#define TAG_BYTES 16u
#define KEY_BYTES 32u

static EVP_PKEY *public_key(const uint8_t *point)
{
    char group[] = "prime256v1";
    uint8_t copy[SEAL_POINT];
    OSSL_PARAM params[3];
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);

    memcpy(copy, point, sizeof(copy));
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, copy, sizeof(copy));
    params[2] = OSSL_PARAM_construct_end();
    if (point[0] != 0x04 || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static bool derive(EVP_PKEY *own, EVP_PKEY *peer, uint8_t *info, uint8_t key[KEY_BYTES])
{
    char digest[] = "SHA256";
    uint8_t shared[32];
    size_t len = sizeof(shared);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *expand = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, shared, sizeof(shared)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, INFO_BYTES),
        OSSL_PARAM_construct_end()};
    /* set_peer checks that the point lies on the curve */
    const bool ok = ctx != NULL && expand != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
                    EVP_PKEY_derive_set_peer_ex(ctx, peer, 1) == 1 &&
                    EVP_PKEY_derive(ctx, shared, &len) == 1 && len == sizeof(shared) &&
                    EVP_KDF_derive(expand, key, KEY_BYTES, params) == 1;

    explicit_bzero(shared, sizeof(shared));
    EVP_KDF_CTX_free(expand);
    EVP_KDF_free(kdf);
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static bool encrypt(const uint8_t *key, const uint8_t *info, const char *number, uint8_t *out)
{
    uint8_t *iv = out + SEAL_POINT, *text = iv + IV_BYTES, *tag = text + SEAL_NUMBER;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;
    const bool ok = ctx != NULL && RAND_bytes(iv, IV_BYTES) == 1 &&
                    EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, iv) == 1 &&
                    EVP_EncryptUpdate(ctx, NULL, &n, info, (int)INFO_BYTES) == 1 &&
                    EVP_EncryptUpdate(ctx, text, &n, (const uint8_t *)number, SEAL_NUMBER) == 1 &&
                    n == (int)SEAL_NUMBER && EVP_EncryptFinal_ex(ctx, text + n, &n) == 1 &&
                    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, tag) == 1;

    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

int seal_number_b(const uint8_t point[SEAL_POINT], uint64_t visit, const char number[SEAL_NUMBER],
                  uint8_t out[SEAL_BYTES])
{
    uint8_t key[KEY_BYTES], info[INFO_BYTES];
    struct bytes_writer w;
    EVP_PKEY *peer = public_key(point), *own = NULL;
    size_t len = 0;
    int r = -EINVAL;

    if (peer == NULL)
        goto out;
    r = -EIO;
    bytes_writer_init(&w, info, sizeof(info));
    bytes_put(&w, PURPOSE, sizeof(PURPOSE) - 1);
    bytes_put_u32be(&w, (uint32_t)(visit >> 32));
    bytes_put_u32be(&w, (uint32_t)visit);
    own = EVP_EC_gen("prime256v1");
    if (own != NULL &&
        EVP_PKEY_get_octet_string_param(own, OSSL_PKEY_PARAM_PUB_KEY, out, SEAL_POINT, &len) == 1 &&
        len == SEAL_POINT && derive(own, peer, info, key) && encrypt(key, info, number, out))
        r = 0;
out:
    explicit_bzero(key, sizeof(key));
    if (r < 0)
        explicit_bzero(out, SEAL_BYTES);
    EVP_PKEY_free(own);
    EVP_PKEY_free(peer);
    ERR_clear_error();
    return r;
}
