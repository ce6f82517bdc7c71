/*
 * util.h - small helpers shared by the simulators of this directory: byte order, a growing
 * buffer, files, a seeded generator, time. Nothing here knows USB or cards.
 */
#ifndef SIM_UTIL_H
#define SIM_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline uint16_t util_get_be16(const uint8_t *p)
{
    return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

static inline uint16_t util_get_le16(const uint8_t *p)
{
    return (uint16_t)((unsigned)p[1] << 8 | p[0]);
}

static inline uint32_t util_get_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint32_t util_get_le32(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static inline void util_put_be16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void util_put_le16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void util_put_be32(uint8_t *p, uint32_t v)
{
    util_put_be16(p, v >> 16);
    util_put_be16(p + 2, v & 0xffffu);
}

static inline void util_put_le32(uint8_t *p, uint32_t v)
{
    util_put_le16(p, v & 0xffffu);
    util_put_le16(p + 2, v >> 16);
}

/* A growing byte buffer. A failed allocation sets `failed` and later calls do nothing. */
struct buf {
    uint8_t *data;
    size_t len;
    size_t cap;
    bool failed;
};

void sim_buf_put(struct buf *b, const void *data, size_t len);
void sim_buf_put_u8(struct buf *b, unsigned v);
void sim_buf_put_be16(struct buf *b, unsigned v);
void sim_buf_put_be32(struct buf *b, uint32_t v);
void sim_buf_put_str(struct buf *b, const char *s);
/* len copies of value */
void sim_buf_fill(struct buf *b, unsigned value, size_t len);
/* BER TLV with a one- or two-byte tag and the shortest length form */
void sim_buf_put_tlv(struct buf *b, unsigned tag, const void *value, size_t len);
/* drop the first len bytes */
void sim_buf_drop(struct buf *b, size_t len);
void sim_buf_free(struct buf *b);

/* Whole file into malloc'd memory (the caller frees), at most max bytes; 0 or -errno. */
int sim_util_read_file(const char *path, size_t max, uint8_t **data, size_t *len);
/* Replace a file by temporary file and rename, so that a reader or a kill -9 never sees half. */
int sim_util_write_file(const char *path, const void *data, size_t len);
/* "dir/name" plus optional suffix into out; -ENAMETOOLONG when it does not fit. */
int sim_util_path(char *out, size_t cap, const char *dir, const char *name, const char *suffix);

/* Seeded generator (splitmix64): the same seed gives the same run. */
struct prng {
    uint64_t state;
};

uint64_t sim_prng_next(struct prng *p);
void sim_prng_fill(struct prng *p, void *out, size_t len);

/* monotonic microseconds */
uint64_t sim_util_now_us(void);

/* Hex digits to bytes; returns the number of bytes or -EINVAL. */
int sim_util_from_hex(const char *hex, uint8_t *out, size_t cap);
/* Whole string as a number in the given base within 0..max; 0 or -EINVAL. */
int sim_util_parse_u64(const char *s, int base, uint64_t max, uint64_t *out);

#endif
