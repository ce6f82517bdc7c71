#include "guest.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define POINT 65
#define IV 12
#define TAG 16

static EVP_PKEY *peer_key(const char *base64)
{
    unsigned char point[POINT + 3];
    size_t len = strlen(base64);
    EVP_PKEY *key = EVP_PKEY_new();
    EVP_PKEY *group = EVP_EC_gen("P-256");

    /* 65 bytes are 88 characters of base64, one of them padding. */
    if (len != 88 || EVP_DecodeBlock(point, (const unsigned char *)base64, (int)len) != POINT + 1 ||
        key == NULL || group == NULL || EVP_PKEY_copy_parameters(key, group) != 1 ||
        EVP_PKEY_set1_encoded_public_key(key, point, POINT) != 1) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    EVP_PKEY_free(group);
    return key;
}

static bool agree(EVP_PKEY *own, EVP_PKEY *peer, const unsigned char *info, size_t info_len,
                  unsigned char out[32])
{
    unsigned char shared[32];
    size_t len = sizeof(shared), out_len = 32;
    EVP_PKEY_CTX *ecdh = EVP_PKEY_CTX_new(own, NULL);
    EVP_PKEY_CTX *hkdf = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
    bool good = ecdh != NULL && hkdf != NULL && EVP_PKEY_derive_init(ecdh) == 1 &&
                EVP_PKEY_derive_set_peer(ecdh, peer) == 1 &&
                EVP_PKEY_derive(ecdh, shared, &len) == 1 && EVP_PKEY_derive_init(hkdf) == 1 &&
                EVP_PKEY_CTX_set_hkdf_md(hkdf, EVP_sha256()) == 1 &&
                EVP_PKEY_CTX_set1_hkdf_salt(hkdf, (const unsigned char *)"", 0) == 1 &&
                EVP_PKEY_CTX_set1_hkdf_key(hkdf, shared, (int)len) == 1 &&
                EVP_PKEY_CTX_add1_hkdf_info(hkdf, info, (int)info_len) == 1 &&
                EVP_PKEY_derive(hkdf, out, &out_len) == 1;

    EVP_PKEY_CTX_free(ecdh);
    EVP_PKEY_CTX_free(hkdf);
    return good;
}

char *seal_entry(const char *purpose, uint64_t visit, const char *key_base64, const char *digits)
{
    unsigned char info[64], key[32], envelope[POINT + IV + 64 + TAG];
    size_t info_len, digits_len = strlen(digits), len = 0;
    EVP_PKEY *peer = peer_key(key_base64);
    EVP_PKEY *own = EVP_EC_gen("P-256");
    EVP_CIPHER_CTX *gcm = EVP_CIPHER_CTX_new();
    unsigned char *base64 = NULL;
    int n;

    (void)strcpy((char *)info, "uketsuke v1 ");
    (void)strcat((char *)info, purpose);
    info_len = strlen((char *)info);
    for (int i = 7; i >= 0; i--)
        info[info_len++] = (unsigned char)(visit >> (8 * i));
    if (peer == NULL || own == NULL || gcm == NULL || digits_len > 64 ||
        EVP_PKEY_get_octet_string_param(own, "encoded-pub-key", envelope, POINT, &len) != 1 ||
        len != POINT || RAND_bytes(envelope + POINT, IV) != 1 ||
        !agree(own, peer, info, info_len, key) ||
        EVP_EncryptInit_ex(gcm, EVP_aes_256_gcm(), NULL, key, envelope + POINT) != 1 ||
        EVP_EncryptUpdate(gcm, NULL, &n, info, (int)info_len) != 1 ||
        EVP_EncryptUpdate(gcm, envelope + POINT + IV, &n, (const unsigned char *)digits,
                          (int)digits_len) != 1 ||
        EVP_EncryptFinal_ex(gcm, envelope + POINT + IV + digits_len, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_GCM_GET_TAG, TAG, envelope + POINT + IV + digits_len) !=
            1)
        goto done;
    base64 = calloc(1, 4 * ((sizeof(envelope) + 2) / 3) + 1);
    if (base64 != NULL)
        (void)EVP_EncodeBlock(base64, envelope, (int)(POINT + IV + digits_len + TAG));
done:
    EVP_CIPHER_CTX_free(gcm);
    EVP_PKEY_free(own);
    EVP_PKEY_free(peer);
    return (char *)base64;
}
