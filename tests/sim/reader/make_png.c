#include "make_png.h"

#include <stdlib.h>
#include <string.h>

enum { GLYPH_W = 5, GLYPH_H = 7, GLYPH_STEP = 6 };

static const struct {
    char c;
    uint8_t row[GLYPH_H]; /* bit 4 is the left point */
} glyphs[] = {
    {'0', {0x0E, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0E}},
    {'1', {0x04, 0x0C, 0x04, 0x04, 0x04, 0x04, 0x0E}},
    {'2', {0x0E, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1F}},
    {'3', {0x1F, 0x02, 0x04, 0x02, 0x01, 0x11, 0x0E}},
    {'4', {0x02, 0x06, 0x0A, 0x12, 0x1F, 0x02, 0x02}},
    {'5', {0x1F, 0x10, 0x1E, 0x01, 0x01, 0x11, 0x0E}},
    {'6', {0x06, 0x08, 0x10, 0x1E, 0x11, 0x11, 0x0E}},
    {'7', {0x1F, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08}},
    {'8', {0x0E, 0x11, 0x11, 0x0E, 0x11, 0x11, 0x0E}},
    {'9', {0x0E, 0x11, 0x11, 0x0F, 0x01, 0x02, 0x0C}},
    {'A', {0x0E, 0x11, 0x11, 0x1F, 0x11, 0x11, 0x11}},
    {'B', {0x1E, 0x11, 0x11, 0x1E, 0x11, 0x11, 0x1E}},
    {'C', {0x0E, 0x11, 0x10, 0x10, 0x10, 0x11, 0x0E}},
    {'D', {0x1C, 0x12, 0x11, 0x11, 0x11, 0x12, 0x1C}},
    {'E', {0x1F, 0x10, 0x10, 0x1E, 0x10, 0x10, 0x1F}},
    {'F', {0x1F, 0x10, 0x10, 0x1E, 0x10, 0x10, 0x10}},
    {'G', {0x0E, 0x11, 0x10, 0x17, 0x11, 0x11, 0x0F}},
    {'H', {0x11, 0x11, 0x11, 0x1F, 0x11, 0x11, 0x11}},
    {'I', {0x0E, 0x04, 0x04, 0x04, 0x04, 0x04, 0x0E}},
    {'J', {0x07, 0x02, 0x02, 0x02, 0x02, 0x12, 0x0C}},
    {'K', {0x11, 0x12, 0x14, 0x18, 0x14, 0x12, 0x11}},
    {'L', {0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x1F}},
    {'M', {0x11, 0x1B, 0x15, 0x15, 0x11, 0x11, 0x11}},
    {'N', {0x11, 0x11, 0x19, 0x15, 0x13, 0x11, 0x11}},
    {'O', {0x0E, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0E}},
    {'P', {0x1E, 0x11, 0x11, 0x1E, 0x10, 0x10, 0x10}},
    {'Q', {0x0E, 0x11, 0x11, 0x11, 0x15, 0x12, 0x0D}},
    {'R', {0x1E, 0x11, 0x11, 0x1E, 0x14, 0x12, 0x11}},
    {'S', {0x0F, 0x10, 0x10, 0x0E, 0x01, 0x01, 0x1E}},
    {'T', {0x1F, 0x04, 0x04, 0x04, 0x04, 0x04, 0x04}},
    {'U', {0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0E}},
    {'V', {0x11, 0x11, 0x11, 0x11, 0x11, 0x0A, 0x04}},
    {'W', {0x11, 0x11, 0x11, 0x15, 0x15, 0x15, 0x0A}},
    {'X', {0x11, 0x11, 0x0A, 0x04, 0x0A, 0x11, 0x11}},
    {'Y', {0x11, 0x11, 0x11, 0x0A, 0x04, 0x04, 0x04}},
    {'Z', {0x1F, 0x01, 0x02, 0x04, 0x08, 0x10, 0x1F}},
    {'-', {0x00, 0x00, 0x00, 0x1F, 0x00, 0x00, 0x00}},
};

static const uint8_t *glyph(char c)
{
    size_t i;

    for (i = 0; i < sizeof(glyphs) / sizeof(glyphs[0]); i++)
        if (glyphs[i].c == c)
            return glyphs[i].row;
    return NULL;
}

/* CRC-32 and Adler-32 bit by bit: the pictures are a few hundred bytes. */
static uint32_t crc32_of(const uint8_t *p, size_t len)
{
    uint32_t crc = 0xffffffffu;
    unsigned bit;

    while (len--) {
        crc ^= *p++;
        for (bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
    }
    return ~crc;
}

static uint32_t adler32_of(const uint8_t *p, size_t len)
{
    uint32_t a = 1, b = 0;

    while (len--) {
        a = (a + *p++) % 65521u;
        b = (b + a) % 65521u;
    }
    return b << 16 | a;
}

static void put_chunk(struct buf *out, const char *type, const struct buf *body)
{
    size_t start;

    sim_buf_put_be32(out, (uint32_t)body->len);
    start = out->len;
    sim_buf_put(out, type, 4);
    sim_buf_put(out, body->data, body->len);
    if (!out->failed)
        sim_buf_put_be32(out, crc32_of(out->data + start, out->len - start));
}

static void draw(uint8_t *rows, size_t stride, const char *text, unsigned scale, unsigned width,
                 unsigned height)
{
    size_t len = strlen(text), i;
    unsigned need = (unsigned)len * GLYPH_STEP * scale, x, y;
    unsigned left = need < width ? (width - need) / 2 : 0;
    unsigned top = GLYPH_H * scale < height ? (height - GLYPH_H * scale) / 2 : 0;

    for (i = 0; i < len; i++) {
        const uint8_t *g = glyph(text[i]);

        for (y = 0; g && y < GLYPH_H * scale && top + y < height; y++) {
            for (x = 0; x < GLYPH_W * scale; x++) {
                unsigned px = left + (unsigned)i * GLYPH_STEP * scale + x;

                if (px >= width || !((unsigned)g[y / scale] >> (GLYPH_W - 1 - x / scale) & 1u))
                    continue;
                /* a set bit is white: clear it for ink; each row starts with its filter byte */
                rows[(top + y) * stride + 1 + px / 8] &= (uint8_t) ~(0x80u >> px % 8);
            }
        }
    }
}

void sim_make_png_text(struct buf *out, const char *text, unsigned scale, unsigned width,
                       unsigned height)
{
    static const uint8_t magic[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    size_t stride = 1 + (width + 7) / 8, size = stride * height;
    struct buf body = {0};
    uint8_t *rows;
    unsigned y;

    rows = malloc(size);
    if (!rows || size > 0xffff) { /* one stored deflate block */
        out->failed = true;
        goto out;
    }
    memset(rows, 0xff, size);
    for (y = 0; y < height; y++)
        rows[y * stride] = 0;
    draw(rows, stride, text, scale, width, height);

    sim_buf_put(out, magic, sizeof(magic));
    sim_buf_put_be32(&body, width);
    sim_buf_put_be32(&body, height);
    sim_buf_put(&body, "\1\0\0\0\0", 5); /* 1 bit, grey, no interlace */
    put_chunk(out, "IHDR", &body);
    body.len = 0;
    sim_buf_put(&body, "\x78\x01\x01", 3); /* zlib header; final, stored block */
    sim_buf_put_u8(&body, (unsigned)size & 0xff);
    sim_buf_put_u8(&body, (unsigned)size >> 8);
    sim_buf_put_u8(&body, ~(unsigned)size & 0xff);
    sim_buf_put_u8(&body, (~(unsigned)size >> 8) & 0xff);
    sim_buf_put(&body, rows, size);
    sim_buf_put_be32(&body, adler32_of(rows, size));
    put_chunk(out, "IDAT", &body);
    body.len = 0;
    put_chunk(out, "IEND", &body);
    if (body.failed)
        out->failed = true;
out:
    sim_buf_free(&body);
    free(rows);
}
