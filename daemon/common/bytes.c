#include "bytes.h"

#include <string.h>

void bytes_reader_init(struct bytes_reader *r, const void *data, size_t len)
{
    static const uint8_t nothing[1];

    r->at = data != NULL ? data : nothing;
    r->left = data != NULL ? len : 0;
    r->failed = data == NULL && len > 0;
}

const uint8_t *bytes_take(struct bytes_reader *r, size_t len)
{
    const uint8_t *at = r->at;

    if (r->failed || len > r->left) {
        r->failed = true;
        return NULL;
    }
    r->at += len;
    r->left -= len;
    return at;
}

static uint64_t take_le(struct bytes_reader *r, size_t len)
{
    const uint8_t *at = bytes_take(r, len);
    uint64_t v = 0;

    while (at != NULL && len-- > 0)
        v = v << 8 | at[len];
    return v;
}

static uint64_t take_be(struct bytes_reader *r, size_t len)
{
    const uint8_t *at = bytes_take(r, len);
    uint64_t v = 0;

    for (size_t i = 0; at != NULL && i < len; i++)
        v = v << 8 | at[i];
    return v;
}

uint8_t bytes_u8(struct bytes_reader *r)
{
    return (uint8_t)take_le(r, 1);
}

uint16_t bytes_u16le(struct bytes_reader *r)
{
    return (uint16_t)take_le(r, 2);
}

uint32_t bytes_u32le(struct bytes_reader *r)
{
    return (uint32_t)take_le(r, 4);
}

uint64_t bytes_u64le(struct bytes_reader *r)
{
    return take_le(r, 8);
}

uint16_t bytes_u16be(struct bytes_reader *r)
{
    return (uint16_t)take_be(r, 2);
}

uint32_t bytes_u32be(struct bytes_reader *r)
{
    return (uint32_t)take_be(r, 4);
}

uint64_t bytes_u64be(struct bytes_reader *r)
{
    return take_be(r, 8);
}

struct bytes_reader bytes_sub(struct bytes_reader *r, size_t len)
{
    struct bytes_reader sub;
    const uint8_t *at = bytes_take(r, len);

    bytes_reader_init(&sub, at, at != NULL ? len : 0);
    sub.failed = at == NULL;
    return sub;
}

bool bytes_text(struct bytes_reader *r, size_t len, char *to, size_t size)
{
    const uint8_t *text = bytes_take(r, len);

    r->failed = r->failed || len >= size;
    if (r->failed)
        return false;
    memcpy(to, text, len);
    to[len] = '\0';
    return true;
}

bool bytes_done(const struct bytes_reader *r)
{
    return !r->failed && r->left == 0;
}

void bytes_writer_init(struct bytes_writer *w, void *buffer, size_t size)
{
    w->start = buffer;
    w->used = 0;
    w->size = size;
    w->failed = false;
}

void bytes_put(struct bytes_writer *w, const void *data, size_t len)
{
    if (w->failed || len > w->size - w->used) {
        w->failed = true;
        return;
    }
    if (len > 0)
        memcpy(w->start + w->used, data, len);
    w->used += len;
}

static void put_le(struct bytes_writer *w, uint64_t v, size_t len)
{
    uint8_t out[8];

    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(v >> (8 * i));
    bytes_put(w, out, len);
}

static void put_be(struct bytes_writer *w, uint64_t v, size_t len)
{
    uint8_t out[8];

    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(v >> (8 * (len - 1 - i)));
    bytes_put(w, out, len);
}

void bytes_put_u8(struct bytes_writer *w, uint8_t v)
{
    put_le(w, v, 1);
}

void bytes_put_u16le(struct bytes_writer *w, uint16_t v)
{
    put_le(w, v, 2);
}

void bytes_put_u32le(struct bytes_writer *w, uint32_t v)
{
    put_le(w, v, 4);
}

void bytes_put_u64le(struct bytes_writer *w, uint64_t v)
{
    put_le(w, v, 8);
}

void bytes_put_u16be(struct bytes_writer *w, uint16_t v)
{
    put_be(w, v, 2);
}

void bytes_put_u32be(struct bytes_writer *w, uint32_t v)
{
    put_be(w, v, 4);
}

void bytes_put_text(struct bytes_writer *w, const char *text, size_t size)
{
    size_t n = strnlen(text, size);

    w->failed = w->failed || n == size || n > UINT16_MAX;
    bytes_put_u16le(w, (uint16_t)n);
    bytes_put(w, text, n);
}
