#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static bool buf_reserve(struct buf *b, size_t more)
{
    size_t need, cap;
    uint8_t *p;

    if (b->failed || more > SIZE_MAX / 4 - b->len) {
        b->failed = true;
        return false;
    }
    need = b->len + more;
    if (need <= b->cap)
        return true;
    cap = b->cap ? b->cap : 256;
    while (cap < need)
        cap *= 2;
    p = realloc(b->data, cap);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->data = p;
    b->cap = cap;
    return true;
}

void sim_buf_put(struct buf *b, const void *data, size_t len)
{
    if (len == 0 || !buf_reserve(b, len))
        return;
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

void sim_buf_put_u8(struct buf *b, unsigned v)
{
    uint8_t c = (uint8_t)v;

    sim_buf_put(b, &c, 1);
}

void sim_buf_put_be16(struct buf *b, unsigned v)
{
    uint8_t c[2];

    util_put_be16(c, v);
    sim_buf_put(b, c, sizeof(c));
}

void sim_buf_put_be32(struct buf *b, uint32_t v)
{
    uint8_t c[4];

    util_put_be32(c, v);
    sim_buf_put(b, c, sizeof(c));
}

void sim_buf_put_str(struct buf *b, const char *s)
{
    sim_buf_put(b, s, strlen(s));
}

void sim_buf_fill(struct buf *b, unsigned value, size_t len)
{
    if (len == 0 || !buf_reserve(b, len))
        return;
    memset(b->data + b->len, (int)(value & 0xffu), len);
    b->len += len;
}

void sim_buf_put_tlv(struct buf *b, unsigned tag, const void *value, size_t len)
{
    if (tag > 0xff)
        sim_buf_put_be16(b, tag);
    else
        sim_buf_put_u8(b, tag);
    if (len > 0xffff) {
        b->failed = true;
        return;
    }
    if (len > 0xff) {
        sim_buf_put_u8(b, 0x82);
        sim_buf_put_be16(b, (unsigned)len);
    } else if (len > 0x7f) {
        sim_buf_put_u8(b, 0x81);
        sim_buf_put_u8(b, (unsigned)len);
    } else {
        sim_buf_put_u8(b, (unsigned)len);
    }
    sim_buf_put(b, value, len);
}

void sim_buf_drop(struct buf *b, size_t len)
{
    if (len > b->len)
        len = b->len;
    if (len == 0)
        return;
    memmove(b->data, b->data + len, b->len - len);
    b->len -= len;
}

void sim_buf_free(struct buf *b)
{
    free(b->data);
    memset(b, 0, sizeof(*b));
}

int sim_util_read_file(const char *path, size_t max, uint8_t **data, size_t *len)
{
    struct stat st;
    uint8_t *p = NULL;
    size_t size, got = 0;
    ssize_t n;
    int fd, r = 0;

    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0) {
        r = -errno;
        goto out;
    }
    if (!S_ISREG(st.st_mode) || st.st_size < 0 || (uint64_t)st.st_size > max) {
        r = -EFBIG;
        goto out;
    }
    size = (size_t)st.st_size;
    p = malloc(size + 1); /* one spare byte so that text can be terminated */
    if (!p) {
        r = -ENOMEM;
        goto out;
    }
    while (got < size) {
        n = read(fd, p + got, size - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            r = n < 0 ? -errno : -EIO;
            goto out;
        }
        got += (size_t)n;
    }
    p[size] = 0;
    *data = p;
    *len = size;
    p = NULL;
out:
    free(p);
    close(fd);
    return r;
}

int sim_util_write_file(const char *path, const void *data, size_t len)
{
    char tmp[PATH_MAX];
    const char *p = data;
    size_t left = len;
    ssize_t n;
    int fd, r = 0;

    r = snprintf(tmp, sizeof(tmp), "%s.%d.tmp", path, (int)getpid());
    if (r < 0 || (size_t)r >= sizeof(tmp))
        return -ENAMETOOLONG;
    fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    r = 0;
    while (left > 0) {
        n = write(fd, p, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            r = -errno;
            break;
        }
        p += n;
        left -= (size_t)n;
    }
    if (close(fd) < 0 && r == 0)
        r = -errno;
    if (r == 0 && rename(tmp, path) < 0)
        r = -errno;
    if (r < 0)
        unlink(tmp);
    return r;
}

int sim_util_path(char *out, size_t cap, const char *dir, const char *name, const char *suffix)
{
    int n = snprintf(out, cap, "%s/%s%s", dir, name, suffix ? suffix : "");

    return n < 0 || (size_t)n >= cap ? -ENAMETOOLONG : 0;
}

uint64_t sim_prng_next(struct prng *p)
{
    uint64_t z;

    p->state += 0x9e3779b97f4a7c15u;
    z = p->state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void sim_prng_fill(struct prng *p, void *out, size_t len)
{
    uint8_t *o = out;
    uint64_t v = 0;
    size_t i;

    for (i = 0; i < len; i++) {
        if (i % 8 == 0)
            v = sim_prng_next(p);
        o[i] = (uint8_t)(v >> (8 * (i % 8)));
    }
}

uint64_t sim_util_now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int sim_util_from_hex(const char *hex, uint8_t *out, size_t cap)
{
    size_t n = 0;

    while (hex[0]) {
        int hi = hex_digit(hex[0]), lo = hi < 0 ? -1 : hex_digit(hex[1]);

        if (hi < 0 || lo < 0 || n >= cap)
            return -EINVAL;
        out[n++] = (uint8_t)(hi << 4 | lo);
        hex += 2;
    }
    return (int)n;
}

int sim_util_parse_u64(const char *s, int base, uint64_t max, uint64_t *out)
{
    unsigned long long v;
    char *end;

    if (!s || !*s || *s == '-' || *s == '+' || *s == ' ')
        return -EINVAL;
    errno = 0;
    v = strtoull(s, &end, base);
    if (errno || *end || v > max)
        return -EINVAL;
    *out = v;
    return 0;
}
