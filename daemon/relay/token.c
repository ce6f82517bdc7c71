#include "token.h"

#include "../common/clock.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define PAYLOAD_MAX 8192
#define MARGIN_LEAST (5 * CLOCK_SECOND)
#define MARGIN_MOST (2 * CLOCK_MINUTE)

static int digit_value(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;

    return at != NULL ? (int)(at - digits) : -1;
}

/* base64url without padding (RFC 4648 section 5). The length, or 0 when it is none. */
static size_t decode(const char *text, size_t len, char *out, size_t size)
{
    uint32_t bits = 0;
    size_t used = 0;

    if (len % 4 == 1 || len / 4 * 3 + 3 > size)
        return 0;
    for (size_t i = 0; i < len; i++) {
        int v = digit_value(text[i]);

        if (v < 0)
            return 0;
        bits = bits << 6 | (uint32_t)v;
        if (i % 4 != 0)
            out[used++] = (char)(bits >> (6 - 2 * (i % 4)) & 0xff);
    }
    return used;
}

int64_t token_expiry(const char *token)
{
    const char *payload = strchr(token, '.');
    const char *end = payload != NULL ? strchr(payload + 1, '.') : NULL;
    char *text = NULL;
    json_t *json = NULL;
    int64_t expiry = 0;
    size_t len;

    if (end == NULL || strchr(end + 1, '.') != NULL)
        return 0;
    text = malloc(PAYLOAD_MAX);
    if (text == NULL)
        return 0;
    len = decode(payload + 1, (size_t)(end - payload - 1), text, PAYLOAD_MAX);
    json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_integer(json_object_get(json, "exp")))
        expiry = json_integer_value(json_object_get(json, "exp"));
    json_decref(json);
    explicit_bzero(text, PAYLOAD_MAX);
    free(text);
    return expiry > 0 ? expiry : 0;
}

uint64_t token_renew_after_us(const char *token, uint64_t realtime_us, int64_t limit_s)
{
    uint64_t life = CLOCK_NEVER;
    uint64_t margin;
    int64_t expiry = token_expiry(token);
    int64_t now = (int64_t)(realtime_us / CLOCK_SECOND);

    /* An end that has passed already means that a clock is wrong: then only the service's 401
     * counts. */
    if (expiry > now && expiry - now < 366 * 86400)
        life = (uint64_t)(expiry - now) * CLOCK_SECOND;
    if (limit_s > 0 && (uint64_t)limit_s * CLOCK_SECOND < life)
        life = (uint64_t)limit_s * CLOCK_SECOND;
    if (life == CLOCK_NEVER)
        return CLOCK_NEVER;
    margin = life / 10;
    if (margin < MARGIN_LEAST)
        margin = MARGIN_LEAST;
    if (margin > MARGIN_MOST)
        margin = MARGIN_MOST;
    return margin < life ? life - margin : life / 2;
}
