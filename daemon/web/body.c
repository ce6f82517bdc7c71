#include "body.h"

#include "json_view.h"
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int body_open(struct body *body, const struct request *request)
{
    size_t len;
    const uint8_t *data = request_body(request, &len);

    memset(body, 0, sizeof(*body));
    body->root =
        data != NULL ? json_loadb((const char *)data, len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (body->root == NULL || !json_is_object(body->root)) {
        body_close(body);
        return -EINVAL;
    }
    return 0;
}

void body_close(struct body *body)
{
    json_decref(body->root);
    body->root = NULL;
}

int body_check(struct body *body)
{
    if (body->wrong == NULL && body->taken != json_object_size(body->root))
        body->wrong = "?";
    return body->wrong == NULL ? 0 : -EINVAL;
}

static json_t *take(struct body *body, const char *name)
{
    json_t *value = json_object_get(body->root, name);

    if (value != NULL)
        body->taken++;
    return value;
}

static void fail(struct body *body, const char *name)
{
    if (body->wrong == NULL)
        body->wrong = name;
}

void body_text(struct body *body, const char *name, char *out, size_t size)
{
    json_t *value = take(body, name);
    const char *text = json_string_value(value);

    if (value == NULL)
        return;
    if (text == NULL || json_string_length(value) >= size ||
        strlen(text) != json_string_length(value))
        fail(body, name);
    else
        memcpy(out, text, json_string_length(value) + 1);
}

static json_int_t number(struct body *body, const char *name, json_int_t most, json_int_t otherwise)
{
    json_t *value = take(body, name);

    if (value == NULL)
        return otherwise;
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > most) {
        fail(body, name);
        return otherwise;
    }
    return json_integer_value(value);
}

void body_u16(struct body *body, const char *name, uint16_t *out)
{
    *out = (uint16_t)number(body, name, UINT16_MAX, *out);
}

void body_u32(struct body *body, const char *name, uint32_t *out)
{
    *out = (uint32_t)number(body, name, UINT32_MAX, *out);
}

void body_id(struct body *body, const char *name, uint64_t *out)
{
    json_t *value = take(body, name);
    const char *text = json_string_value(value);
    uint64_t v = 0;

    if (value == NULL || json_is_null(value))
        return;
    if (text == NULL || *text < '1' || *text > '9') {
        fail(body, name);
        return;
    }
    for (; *text != '\0'; text++) {
        uint64_t digit = (uint64_t)(*text - '0');

        if (*text < '0' || *text > '9' || v > (UINT64_MAX - digit) / 10) {
            fail(body, name);
            return;
        }
        v = v * 10 + digit;
    }
    *out = v;
}

void body_flag(struct body *body, const char *name, uint8_t *out)
{
    json_t *value = take(body, name);

    if (value == NULL)
        return;
    if (!json_is_boolean(value))
        fail(body, name);
    else
        *out = json_is_true(value) ? 1 : 0;
}

void body_consents(struct body *body, const char *name, uint32_t *out)
{
    json_t *value = take(body, name);

    if (value != NULL && json_consents(value, out) < 0)
        fail(body, name);
}

static int digit_of(char c)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c != '\0' ? strchr(alphabet, c) : NULL;

    return at != NULL ? (int)(at - alphabet) : -1;
}

static int decode(const char *text, size_t n, uint8_t *out, size_t size, uint32_t *len)
{
    size_t pad = n > 0 && text[n - 1] == '=' ? (n > 1 && text[n - 2] == '=' ? 2u : 1u) : 0u;
    uint32_t bits = 0;
    unsigned have = 0;
    size_t used = 0;

    if (n % 4 != 0)
        return -EINVAL;
    for (size_t i = 0; i < n - pad; i++) {
        int digit = digit_of(text[i]);

        if (digit < 0)
            return -EINVAL;
        bits = bits << 6 | (uint32_t)digit;
        have += 6;
        if (have >= 8) {
            have -= 8;
            if (used == size)
                return -ENOSPC;
            out[used++] = (uint8_t)(bits >> have);
        }
    }
    if ((bits & ((1u << have) - 1)) != 0)
        return -EINVAL;
    *len = (uint32_t)used;
    return 0;
}

void body_base64(struct body *body, const char *name, uint8_t *out, size_t size, uint32_t *len)
{
    json_t *value = take(body, name);
    const char *text = json_string_value(value);

    if (value == NULL)
        return;
    if (text == NULL || decode(text, json_string_length(value), out, size, len) < 0)
        fail(body, name);
}

int query_number(struct request *request, const char *name, int64_t most, int64_t *out)
{
    const char *text = request_query(request, name);
    char *end;
    long long v;

    if (text == NULL)
        return 0;
    errno = 0;
    v = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || v < 0 || v > most)
        return -EINVAL;
    *out = v;
    return 0;
}
