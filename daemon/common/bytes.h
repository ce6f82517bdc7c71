/*
 * bytes: one bounded reader and one bounded writer for everything that comes from outside.
 *
 * A read past the end marks the reader as failed, returns zero or NULL, and every later read fails
 * too: a parser checks once, at its end, and cannot run over on the way. The writer is the same.
 */
#ifndef UKETSUKE_BYTES_H
#define UKETSUKE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes_reader {
    const uint8_t *at;
    size_t left;
    bool failed;
};

struct bytes_writer {
    uint8_t *start;
    size_t used;
    size_t size;
    bool failed;
};

void bytes_reader_init(struct bytes_reader *r, const void *data, size_t len);
uint8_t bytes_u8(struct bytes_reader *r);
uint16_t bytes_u16le(struct bytes_reader *r);
uint32_t bytes_u32le(struct bytes_reader *r);
uint64_t bytes_u64le(struct bytes_reader *r);
uint16_t bytes_u16be(struct bytes_reader *r);
uint32_t bytes_u32be(struct bytes_reader *r);
uint64_t bytes_u64be(struct bytes_reader *r);
/* `len` bytes in place (borrowed from the input), or NULL. A zero length gives a non-NULL pointer. */
const uint8_t *bytes_take(struct bytes_reader *r, size_t len);
/* A reader over the next `len` bytes; failed at once if they are not there. */
struct bytes_reader bytes_sub(struct bytes_reader *r, size_t len);
/* `len` bytes as a text in a field of `size`, which must hold its end too; false, and `r` failed, when it does not fit. */
bool bytes_text(struct bytes_reader *r, size_t len, char *to, size_t size);
/* True when nothing failed and nothing is left. */
bool bytes_done(const struct bytes_reader *r);

void bytes_writer_init(struct bytes_writer *w, void *buffer, size_t size);
void bytes_put_u8(struct bytes_writer *w, uint8_t v);
void bytes_put_u16le(struct bytes_writer *w, uint16_t v);
void bytes_put_u32le(struct bytes_writer *w, uint32_t v);
void bytes_put_u64le(struct bytes_writer *w, uint64_t v);
void bytes_put_u16be(struct bytes_writer *w, uint16_t v);
void bytes_put_u32be(struct bytes_writer *w, uint32_t v);
void bytes_put(struct bytes_writer *w, const void *data, size_t len);
/* The text of a field of `size` behind its length (16 bits, the low byte first); failed when the field has no end. */
void bytes_put_text(struct bytes_writer *w, const char *text, size_t size);

#endif
