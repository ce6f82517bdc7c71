/* Sealing of single values, and the keyed hashes; which key is keyring.c's business. */
#include "store_internal.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define NONCE 12
#define TAG 16

int seal_hmac(const struct secret *key, const void *data, size_t len, uint8_t out[STORE_HASH])
{
    unsigned n = STORE_HASH;

    return HMAC(EVP_sha256(), key->data, (int)key->len, data, len, out, &n) != NULL ? 0 : -EIO;
}

/* HKDF-Expand of one block (RFC 5869); the master key is uniform already, so nothing is to be
 * extracted. */
int seal_derive(const struct secret *master, const char *purpose, struct secret *out)
{
    uint8_t info[64];
    size_t len = strlen(purpose);
    int r;

    if (len + 1 > sizeof(info) || master->len != STORE_KEY)
        return -EINVAL;
    memcpy(info, purpose, len); /* NOLINT(bugprone-not-null-terminated-result): bytes, no string */
    info[len] = 1;
    r = secret_new(out, STORE_KEY);
    if (r < 0)
        return r;
    out->len = STORE_KEY;
    return seal_hmac(master, info, len + 1, out->data);
}

int seal_subject(const struct store *store, const void *data, size_t len, uint8_t out[STORE_HASH])
{
    return seal_hmac(&store->ring.lookup, data, len, out);
}

int seal_chain(const struct store *store, const uint8_t previous[STORE_HASH], const void *row,
               size_t len, uint8_t out[STORE_HASH])
{
    uint8_t *both = malloc(STORE_HASH + len);
    int r;

    if (both == NULL)
        return -ENOMEM;
    memcpy(both, previous, STORE_HASH);
    memcpy(both + STORE_HASH, row, len);
    r = seal_hmac(&store->ring.audit, both, STORE_HASH + len, out);
    free(both);
    return r;
}

/* A sealed value opens only in its own table, column and row. */
static int start(EVP_CIPHER_CTX *ctx, int encrypt, const struct secret *key, const char *place,
                 uint64_t row, const uint8_t *nonce)
{
    uint8_t bind[64];
    struct bytes_writer w;
    int n;

    bytes_writer_init(&w, bind, sizeof(bind));
    bytes_put_u64le(&w, row);
    bytes_put(&w, place, strlen(place));
    if (w.failed ||
        EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->data, nonce, encrypt) != 1 ||
        EVP_CipherUpdate(ctx, NULL, &n, bind, (int)w.used) != 1)
        return -EIO;
    return 0;
}

int seal_close_with(const struct secret *key, uint8_t generation, const char *place, uint64_t row,
                    const void *data, size_t len, uint8_t **out, size_t *out_len)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t *sealed = NULL;
    int n, r = -E2BIG;

    *out = NULL;
    *out_len = 0;
    if (len > STORE_SEALED_MAX - STORE_SEAL_ROOM) /* what is closed must open again */
        goto done;
    r = -ENOMEM;
    sealed = malloc(len + STORE_SEAL_ROOM);
    if (ctx == NULL || sealed == NULL)
        goto done;
    r = -EIO;
    sealed[0] = generation;
    if (RAND_bytes(sealed + 1, NONCE) != 1 || start(ctx, 1, key, place, row, sealed + 1) < 0 ||
        EVP_CipherUpdate(ctx, sealed + 1 + NONCE, &n, data, (int)len) != 1 ||
        EVP_CipherFinal_ex(ctx, sealed + 1 + NONCE + len, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG, sealed + 1 + NONCE + len) != 1)
        goto done;
    *out = sealed;
    *out_len = len + STORE_SEAL_ROOM;
    sealed = NULL;
    r = 0;
done:
    free(sealed);
    EVP_CIPHER_CTX_free(ctx);
    return r;
}

int seal_open_with(const struct secret *key, const char *place, uint64_t row, const void *sealed,
                   size_t len, uint8_t **out, size_t *out_len)
{
    const uint8_t *in = sealed;
    size_t plain_len = len - STORE_SEAL_ROOM;
    EVP_CIPHER_CTX *ctx = NULL;
    uint8_t tag[TAG];
    uint8_t *plain = NULL;
    int n, r = -EBADMSG;

    *out = NULL;
    *out_len = 0;
    if (in == NULL || len < STORE_SEAL_ROOM || len > STORE_SEALED_MAX)
        return r;
    ctx = EVP_CIPHER_CTX_new();
    plain = malloc(plain_len + 1);
    if (ctx == NULL || plain == NULL) {
        r = -ENOMEM;
        goto done;
    }
    memcpy(tag, in + len - TAG, TAG);
    if (start(ctx, 0, key, place, row, in + 1) < 0 ||
        EVP_CipherUpdate(ctx, plain, &n, in + 1 + NONCE, (int)plain_len) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG, tag) != 1 ||
        EVP_CipherFinal_ex(ctx, plain + plain_len, &n) != 1)
        goto done;
    *out = plain;
    *out_len = plain_len;
    plain = NULL;
    r = 0;
done:
    seal_free(&plain, plain_len);
    EVP_CIPHER_CTX_free(ctx);
    return r;
}

int seal_close(const struct store *store, const char *place, uint64_t row, const void *data,
               size_t len, uint8_t **out, size_t *out_len)
{
    const struct secret *key;
    uint8_t generation = keyring_for_new(&store->ring, place, &key);

    return seal_close_with(key, generation, place, row, data, len, out, out_len);
}

int seal_open(const struct store *store, const char *place, uint64_t row, const void *sealed,
              size_t len, uint8_t **out, size_t *out_len)
{
    const struct secret *key = NULL;

    *out = NULL;
    *out_len = 0;
    if (sealed != NULL && len > 0)
        key = keyring_for(&store->ring, place, *(const uint8_t *)sealed);
    return key == NULL ? -EBADMSG : seal_open_with(key, place, row, sealed, len, out, out_len);
}

void seal_free(uint8_t **data, size_t len)
{
    if (*data == NULL)
        return;
    explicit_bzero(*data, len);
    free(*data);
    *data = NULL;
}
