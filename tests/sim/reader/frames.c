#include "frames.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FRAMES_MAX = 99999, JPEG_MAX = 1024 * 1024 };

struct frames {
    char dir[PATH_MAX];
    size_t count;
    unsigned fps;
    uint8_t *map; /* the picture mapped last */
    size_t map_len, map_index;
};

static int frame_path(const struct frames *f, size_t i, char *out, size_t cap)
{
    int n = snprintf(out, cap, "%s/frame_%05zu.jpg", f->dir, i + 1);

    return n < 0 || (size_t)n >= cap ? -ENAMETOOLONG : 0;
}

static bool frame_exists(const struct frames *f, size_t i)
{
    char path[PATH_MAX];

    return frame_path(f, i, path, sizeof(path)) == 0 && access(path, R_OK) == 0;
}

/* Files are numbered without gaps, so the last one is found by halving. */
static size_t count_frames(const struct frames *f)
{
    size_t low = 0, high = FRAMES_MAX;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (frame_exists(f, middle))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int sim_frames_open(struct frames **out, const char *dir, bool half)
{
    struct frames *f = calloc(1, sizeof(*f));
    char path[PATH_MAX];
    uint8_t *text = NULL;
    size_t len;
    int r;

    if (!f)
        return -ENOMEM;
    r = sim_util_path(f->dir, sizeof(f->dir), dir, half ? "half" : ".", NULL);
    if (r == 0)
        r = sim_util_path(path, sizeof(path), dir, "fps", NULL);
    if (r == 0)
        r = sim_util_read_file(path, 16, &text, &len);
    if (r == 0)
        f->fps = (unsigned)strtoul((char *)text, NULL, 10);
    free(text);
    f->count = count_frames(f);
    if (r == 0 && (f->count == 0 || f->fps == 0 || f->fps > 120))
        r = -EINVAL;
    if (r < 0)
        sim_frames_close(&f);
    else
        *out = f;
    return r;
}

static void unmap(struct frames *f)
{
    if (f->map)
        munmap(f->map, f->map_len);
    f->map = NULL;
}

void sim_frames_close(struct frames **f)
{
    if (!*f)
        return;
    unmap(*f);
    free(*f);
    *f = NULL;
}

size_t sim_frames_count(const struct frames *f)
{
    return f->count;
}

unsigned sim_frames_fps(const struct frames *f)
{
    return f->fps;
}

int sim_frames_get(struct frames *f, size_t i, const uint8_t **jpeg, size_t *len)
{
    char path[PATH_MAX];
    struct stat st;
    void *map;
    int fd, r;

    i %= f->count;
    if (!f->map || f->map_index != i) {
        unmap(f);
        r = frame_path(f, i, path, sizeof(path));
        if (r < 0)
            return r;
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return -errno;
        if (fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > JPEG_MAX) {
            close(fd);
            return -EINVAL;
        }
        map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        close(fd);
        if (map == MAP_FAILED)
            return -ENOMEM;
        f->map = map;
        f->map_len = (size_t)st.st_size;
        f->map_index = i;
    }
    *jpeg = f->map;
    *len = f->map_len;
    return 0;
}

/*
 * One quantisation table of ones; one DC Huffman table with the two categories needed (0 -> "0",
 * 11 -> "10"); one AC table with end-of-block only ("0"). The first luminance difference is -1024
 * (black), all else is zero: eight bits a block, three blocks an 8x8 unit.
 */
void sim_frames_black(struct buf *out, unsigned width, unsigned height)
{
    /* class and id, sixteen counts of codes by length, symbols */
    static const uint8_t dc[19] = {[1] = 1, [2] = 1, [18] = 11};
    static const uint8_t ac[18] = {[0] = 0x10, [1] = 1};
    size_t blocks = (size_t)((width + 7) / 8) * ((height + 7) / 8) * 3, bits;

    sim_buf_put(out, "\xff\xd8\xff\xdb\x00\x43\x00", 7);
    sim_buf_fill(out, 1, 64);
    sim_buf_put(out, "\xff\xc0\x00\x11\x08", 5);
    sim_buf_put_be16(out, height);
    sim_buf_put_be16(out, width);
    sim_buf_put(out, "\x03\x01\x11\x00\x02\x11\x00\x03\x11\x00", 10);
    sim_buf_put(out, "\xff\xc4", 2);
    sim_buf_put_be16(out, 2 + sizeof(dc));
    sim_buf_put(out, dc, sizeof(dc));
    sim_buf_put(out, "\xff\xc4", 2);
    sim_buf_put_be16(out, 2 + sizeof(ac));
    sim_buf_put(out, ac, sizeof(ac));
    sim_buf_put(out, "\xff\xda\x00\x0c\x03\x01\x00\x02\x00\x03\x00\x00\x3f\x00", 14);
    /*
     * First block: category "10", -1024 as the eleven bits 01111111111, end "0"; then "0" "0" of
     * the second block fill two bytes. A last incomplete byte is padded with ones.
     */
    sim_buf_put(out, "\x9f\xf8", 2);
    bits = (blocks - 2) * 2;
    sim_buf_fill(out, 0, bits / 8);
    if (bits % 8)
        sim_buf_put_u8(out, 0xffu >> bits % 8);
    sim_buf_put(out, "\xff\xd9", 2);
}
