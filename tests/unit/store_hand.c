#include "store_hand.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

void hand_expand(const struct rig *rig, const char *info, uint8_t out[32])
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY; /* the second step alone, as the key is uniform */
    char digest[] = "SHA256", text[64];
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, rig->key.data, rig->key.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, text, strlen(info)),
        OSSL_PARAM_construct_end(),
    };

    (void)snprintf(text, sizeof(text), "%s", info);
    assert_int_equal(EVP_KDF_derive(ctx, out, 32, params), 1);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
}

size_t hand_blob(const struct rig *rig, const char *table, const char *column, int64_t row,
                 uint8_t *out, size_t size)
{
    sqlite3 *db;
    sqlite3_blob *blob;
    char path[128];
    int len;

    (void)snprintf(path, sizeof(path), "%s/uketsuke.db", rig->directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_blob_open(db, "main", table, column, row, 0, &blob), SQLITE_OK);
    len = sqlite3_blob_bytes(blob);
    assert_in_range(len, 29, size);
    assert_int_equal(sqlite3_blob_read(blob, out, len, 0), SQLITE_OK);
    assert_int_equal(sqlite3_blob_close(blob), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return (size_t)len;
}

int hand_open(const uint8_t key[32], const void *bound, size_t bound_len, const uint8_t *sealed,
              size_t len, uint8_t *plain)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t tag[16];
    int n, rest, good;

    assert_true(len >= 29);
    memcpy(tag, sealed + len - 16, sizeof(tag));
    assert_int_equal(EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, sealed + 1), 1);
    assert_int_equal(EVP_DecryptUpdate(ctx, NULL, &n, bound, (int)bound_len), 1);
    assert_int_equal(EVP_DecryptUpdate(ctx, plain, &n, sealed + 13, (int)len - 29), 1);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, 16, tag), 1);
    good = EVP_DecryptFinal_ex(ctx, plain + n, &rest);
    EVP_CIPHER_CTX_free(ctx);
    return good == 1 ? n + rest : -1;
}

size_t hand_seal(const uint8_t key[32], uint8_t first, const void *bound, size_t bound_len,
                 const void *plain, size_t len, uint8_t *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n, rest;

    out[0] = first;
    memset(out + 1, 0x5a, 12); /* an IV of a test */
    assert_int_equal(EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, out + 1), 1);
    assert_int_equal(EVP_EncryptUpdate(ctx, NULL, &n, bound, (int)bound_len), 1);
    assert_int_equal(EVP_EncryptUpdate(ctx, out + 13, &n, plain, (int)len), 1);
    assert_int_equal(EVP_EncryptFinal_ex(ctx, out + 13 + n, &rest), 1);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, 16, out + 13 + len), 1);
    EVP_CIPHER_CTX_free(ctx);
    return len + 29;
}

void hand_ring(const struct rig *rig, struct hand_ring *out)
{
    static const uint8_t bound[] = {0,   0,   0,   0,   0,   0,   0,   0,  'm',
                                    'e', 't', 'a', '.', 'k', 'e', 'y', 's'};
    uint8_t key[32], sealed[512], plain[512];
    int64_t row = rig_sql_int(rig, "SELECT rowid FROM meta WHERE name = 'keys'");
    size_t len = hand_blob(rig, "meta", "value", row, sealed, sizeof(sealed));
    const uint8_t *at = plain;
    int n;

    memset(out, 0, sizeof(*out));
    hand_expand(rig, "uketsuke wrap", key);
    n = hand_open(key, bound, sizeof(bound), sealed, len, plain);
    assert_true(n > 98);
    assert_int_equal(*at++, 1); /* format */
    memcpy(out->lookup, at, 32);
    memcpy(out->audit, at + 32, 32);
    memcpy(out->who, at + 64, 32);
    at += 96;
    out->payloads = *at++;
    assert_in_range(out->payloads, 1, 2);
    assert_int_equal(n, 98 + 33 * out->payloads);
    for (unsigned i = 0; i < out->payloads; i++) {
        out->generation[i] = *at;
        memcpy(out->payload[i], at + 1, 32);
        at += 33;
    }
}
