#include "backup_file.h"

#include "backup.h"
#include "store_internal.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC "UKETSUKE BACKUP\n"
#define MAGIC_LEN (sizeof(MAGIC) - 1)
#define FORMAT 1
#define KEY_ID 8
#define NONCE 8
#define TAG 16
#define BEGINNING (MAGIC_LEN + 1 + KEY_ID + 8 + NONCE)
#define PIECES_MAX UINT32_MAX

struct backup_writer {
    int fd;
    const struct secret *key;
    EVP_CIPHER_CTX *ctx;
    uint8_t beginning[BEGINNING];
    uint8_t *sealed; /* BACKUP_PIECE + 4 + TAG */
    uint32_t piece;
    bool ended;
};

int backup_write_all(int fd, const void *data, size_t len)
{
    const uint8_t *at = data;

    while (len > 0) {
        ssize_t n = write(fd, at, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

int64_t backup_read_all(int fd, void *data, size_t len)
{
    uint8_t *at = data;
    size_t have = 0;

    while (have < len) {
        ssize_t n = read(fd, at + have, len - have);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        have += (size_t)n;
    }
    return (int64_t)have;
}

static int key_id(const struct secret *key, uint8_t out[KEY_ID])
{
    static const char words[] = "which key is this";
    uint8_t hash[STORE_HASH];
    int r = seal_hmac(key, words, sizeof(words) - 1, hash);

    memcpy(out, hash, KEY_ID);
    return r;
}

/* IV and additional data of one piece. */
static int start_piece(EVP_CIPHER_CTX *ctx, int encrypt, const struct secret *key,
                       const uint8_t beginning[BEGINNING], uint32_t piece, bool last)
{
    uint8_t iv[12], end = last;
    struct bytes_writer w;
    int n;

    bytes_writer_init(&w, iv, sizeof(iv));
    bytes_put(&w, &beginning[BEGINNING - NONCE], NONCE);
    bytes_put_u32le(&w, piece);
    if (EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->data, iv, encrypt) != 1 ||
        EVP_CipherUpdate(ctx, NULL, &n, beginning, BEGINNING) != 1 ||
        EVP_CipherUpdate(ctx, NULL, &n, &end, 1) != 1)
        return -EIO;
    return 0;
}

int backup_writer_new(struct backup_writer **out, int fd, const struct secret *key,
                      int64_t taken_us)
{
    struct backup_writer *writer = calloc(1, sizeof(*writer));
    uint8_t id[KEY_ID], nonce[NONCE];
    struct bytes_writer w;
    int r;

    *out = NULL;
    if (writer == NULL)
        return -ENOMEM;
    writer->fd = fd;
    writer->key = key;
    writer->ctx = EVP_CIPHER_CTX_new();
    writer->sealed = malloc(4 + BACKUP_PIECE + TAG);
    r = writer->ctx == NULL || writer->sealed == NULL ? -ENOMEM : key_id(key, id);
    if (r == 0 && RAND_bytes(nonce, sizeof(nonce)) != 1)
        r = -EIO;
    if (r == 0) {
        bytes_writer_init(&w, writer->beginning, sizeof(writer->beginning));
        bytes_put(&w, MAGIC, MAGIC_LEN);
        bytes_put_u8(&w, FORMAT);
        bytes_put(&w, id, KEY_ID);
        bytes_put_u64le(&w, (uint64_t)taken_us);
        bytes_put(&w, nonce, NONCE);
        r = backup_write_all(fd, writer->beginning, BEGINNING);
    }
    if (r < 0) {
        backup_writer_free(&writer);
        return r;
    }
    *out = writer;
    return 0;
}

int backup_writer_put(struct backup_writer *writer, const void *data, size_t len, bool last)
{
    struct bytes_writer w;
    int n, r;

    if (writer->ended || len > BACKUP_PIECE || writer->piece == PIECES_MAX)
        return -EINVAL;
    bytes_writer_init(&w, writer->sealed, 4);
    bytes_put_u32le(&w, (uint32_t)len);
    r = start_piece(writer->ctx, 1, writer->key, writer->beginning, writer->piece, last);
    if (r == 0 && (EVP_CipherUpdate(writer->ctx, writer->sealed + 4, &n, data, (int)len) != 1 ||
                   EVP_CipherFinal_ex(writer->ctx, writer->sealed + 4 + len, &n) != 1 ||
                   EVP_CIPHER_CTX_ctrl(writer->ctx, EVP_CTRL_GCM_GET_TAG, TAG,
                                       writer->sealed + 4 + len) != 1))
        r = -EIO;
    if (r == 0)
        r = backup_write_all(writer->fd, writer->sealed, 4 + len + TAG);
    writer->piece++;
    writer->ended = last;
    return r;
}

void backup_writer_free(struct backup_writer **at)
{
    struct backup_writer *writer = *at;

    if (writer == NULL)
        return;
    *at = NULL;
    EVP_CIPHER_CTX_free(writer->ctx);
    free(writer->sealed);
    free(writer);
}

static int read_beginning(int in, const struct secret *key, uint8_t beginning[BEGINNING],
                          int64_t *taken_us)
{
    struct bytes_reader b;
    const uint8_t *magic, *id;
    uint8_t format, ours[KEY_ID];
    int64_t n = backup_read_all(in, beginning, BEGINNING);
    int r = key_id(key, ours);

    if (n < 0 || r < 0)
        return n < 0 ? (int)n : r;
    bytes_reader_init(&b, beginning, (size_t)n);
    magic = bytes_take(&b, MAGIC_LEN);
    format = bytes_u8(&b);
    id = bytes_take(&b, KEY_ID);
    *taken_us = (int64_t)bytes_u64le(&b);
    if (n != BEGINNING || magic == NULL || id == NULL || memcmp(magic, MAGIC, MAGIC_LEN) != 0 ||
        format != FORMAT)
        return -EBADMSG;
    return memcmp(id, ours, KEY_ID) == 0 ? 0 : -EKEYREJECTED;
}

/* 1: opened, and others follow; 0: opened, the last one. */
static int open_piece(EVP_CIPHER_CTX *ctx, const struct secret *key,
                      const uint8_t beginning[BEGINNING], uint32_t piece, const uint8_t *sealed,
                      size_t len, uint8_t *plain)
{
    uint8_t tag[TAG];

    memcpy(tag, sealed + len, TAG);
    for (int last = 0; last < 2; last++) {
        int n;

        if (start_piece(ctx, 0, key, beginning, piece, last != 0) < 0 ||
            EVP_CipherUpdate(ctx, plain, &n, sealed, (int)len) != 1 ||
            EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG, tag) != 1)
            return -EIO;
        if (EVP_CipherFinal_ex(ctx, plain + len, &n) == 1)
            return last == 0;
    }
    return -EBADMSG;
}

static int next_piece(int in, uint8_t *sealed, size_t *len)
{
    uint8_t head[4];
    struct bytes_reader b;
    int64_t n = backup_read_all(in, head, sizeof(head));

    if (n != sizeof(head))
        return n < 0 ? (int)n : -EBADMSG;
    bytes_reader_init(&b, head, sizeof(head));
    *len = bytes_u32le(&b);
    if (*len > BACKUP_PIECE)
        return -EBADMSG;
    n = backup_read_all(in, sealed, *len + TAG);
    if (n < 0)
        return (int)n;
    return (uint64_t)n == *len + TAG ? 0 : -EBADMSG;
}

int backup_unpack(int in, int out, const struct secret *key, int64_t *taken_us)
{
    uint8_t beginning[BEGINNING], rest;
    uint8_t *sealed = malloc(BACKUP_PIECE + TAG), *plain = malloc(BACKUP_PIECE + 1);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint32_t piece = 0;
    size_t len = 0;
    int r = sealed == NULL || plain == NULL || ctx == NULL ? -ENOMEM : 0;

    if (r == 0)
        r = read_beginning(in, key, beginning, taken_us);
    for (bool more = r == 0; more; piece++) {
        r = next_piece(in, sealed, &len);
        if (r == 0)
            r = open_piece(ctx, key, beginning, piece, sealed, len, plain);
        more = r > 0;
        if (r >= 0)
            r = backup_write_all(out, plain, len);
        more = more && r == 0;
    }
    if (r == 0 && backup_read_all(in, &rest, 1) != 0)
        r = -EBADMSG;
    EVP_CIPHER_CTX_free(ctx);
    free(sealed);
    free(plain);
    return r;
}
