#include "totp.h"

#include "bytes.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

uint32_t totp_code(const uint8_t *secret, size_t len, uint64_t step)
{
    uint8_t counter[8], mac[EVP_MAX_MD_SIZE];
    struct bytes_writer w;
    unsigned n = 0;
    const uint8_t *at;

    bytes_writer_init(&w, counter, sizeof(counter));
    bytes_put_u32be(&w, (uint32_t)(step >> 32));
    bytes_put_u32be(&w, (uint32_t)step);
    if (HMAC(EVP_sha1(), secret, (int)len, counter, sizeof(counter), mac, &n) == NULL || n < 20)
        return UINT32_MAX;        /* no code at all */
    at = mac + (mac[n - 1] & 15); /* RFC 4226, 5.3 */
    return ((uint32_t)(at[0] & 127) << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]) %
           1000000;
}

uint64_t totp_match(const uint8_t *secret, size_t len, uint64_t now_s, const char *code)
{
    uint64_t now = now_s / TOTP_SECONDS, found = 0;
    char wanted[16];

    if (strlen(code) != 6 || strspn(code, "0123456789") != 6 || now == 0)
        return 0;
    /* Each is compared, so that the time does not tell which fits. */
    for (uint64_t step = now - 1; step <= now + 1; step++) {
        (void)snprintf(wanted, sizeof(wanted), "%06u", totp_code(secret, len, step));
        if (CRYPTO_memcmp(wanted, code, 6) == 0)
            found = step;
    }
    explicit_bzero(wanted, sizeof(wanted));
    return found;
}

void totp_text(const uint8_t *secret, size_t len, char out[TOTP_TEXT_MAX])
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t used = 0;

    for (size_t i = 0; i < len && used + 2 < TOTP_TEXT_MAX; i++) {
        bits = bits << 8 | secret[i];
        for (have += 8; have >= 5; have -= 5)
            out[used++] = alphabet[bits >> (have - 5) & 31];
    }
    if (have > 0)
        out[used++] = alphabet[bits << (5 - have) & 31];
    out[used] = '\0';
}

int totp_secret(const char *text, uint8_t *out, size_t size)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t used = 0;

    for (; *text != '\0'; text++) {
        const char *at;

        if (*text == ' ' || *text == '-')
            continue;
        at = strchr(alphabet, toupper((unsigned char)*text));
        if (at == NULL)
            return -EINVAL;
        bits = bits << 5 | (uint32_t)(at - alphabet);
        have += 5;
        if (have >= 8) {
            have -= 8;
            if (used == size)
                return -EINVAL;
            out[used++] = (uint8_t)(bits >> have);
        }
    }
    return have >= 5 ? -EINVAL : (int)used;
}

static void put_uri_text(const char *text, char *out, size_t size)
{
    size_t used = 0;

    for (; *text != '\0' && used + 4 < size; text++) {
        unsigned char c = (unsigned char)*text;

        if (isalnum(c) != 0 || strchr("-._~", c) != NULL)
            out[used++] = (char)c;
        else
            used += (size_t)snprintf(out + used, size - used, "%%%02X", c);
    }
    out[used] = '\0';
}

void totp_uri(const char *name, const char *secret, char *out, size_t size)
{
    char text[3 * 64 + 4];

    put_uri_text(name, text, sizeof(text));
    (void)snprintf(out, size, "otpauth://totp/uketsuke:%s?secret=%s&issuer=uketsuke", text, secret);
}
