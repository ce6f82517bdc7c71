/*
 * rig-v4l2 DEVICE WIDTH HEIGHT FRAMES DIRECTORY
 *
 * Takes MJPEG pictures from the kernel's own camera driver and compares each, byte for byte, with
 * the files of DIRECTORY, which the simulated camera shows. Exit status 0 when all of them are
 * whole files of that film, in its order. Prints one line.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFERS = 4, PATIENCE_MS = 20000 };

struct film {
    struct dirent **names;
    int count;
    const char *directory;
};

struct capture {
    int fd;
    unsigned buffers;
    void *memory[BUFFERS];
    size_t length[BUFFERS];
};

static int fail(const char *what)
{
    fprintf(stderr, "rig-v4l2: %s: %s\n", what, strerror(errno));
    return -1;
}

static int is_picture(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > 4 && strcmp(entry->d_name + len - 4, ".jpg") == 0;
}

static bool same_as_file(const struct film *film, int i, const uint8_t *bytes, size_t len)
{
    char path[4096];
    struct stat st;
    uint8_t *file;
    bool same = false;
    int fd;

    snprintf(path, sizeof(path), "%s/%s", film->directory, film->names[i]->d_name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    if (fstat(fd, &st) == 0 && (size_t)st.st_size == len && (file = malloc(len)) != NULL) {
        same = read(fd, file, len) == (ssize_t)len && memcmp(file, bytes, len) == 0;
        free(file);
    }
    close(fd);
    return same;
}

/* Index of the picture in the film, looked for from `from` on; -1 when it is none of them. */
static int find_picture(const struct film *film, int from, const uint8_t *bytes, size_t len)
{
    for (int i = 0; i < film->count; i++)
        if (same_as_file(film, (from + i) % film->count, bytes, len))
            return (from + i) % film->count;
    return -1;
}

static int start(struct capture *c, unsigned width, unsigned height)
{
    struct v4l2_capability capability = {0};
    struct v4l2_format format = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    struct v4l2_requestbuffers request = {
        .count = BUFFERS, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
    int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;

    if (ioctl(c->fd, VIDIOC_QUERYCAP, &capability) < 0)
        return fail("VIDIOC_QUERYCAP");
    if (strcmp((const char *)capability.driver, "uvcvideo") != 0) {
        fprintf(stderr, "rig-v4l2: driver %s in place of uvcvideo\n", capability.driver);
        return -1;
    }
    format.fmt.pix.width = width;
    format.fmt.pix.height = height;
    format.fmt.pix.pixelformat = V4L2_PIX_FMT_MJPEG;
    if (ioctl(c->fd, VIDIOC_S_FMT, &format) < 0)
        return fail("VIDIOC_S_FMT");
    if (format.fmt.pix.width != width || format.fmt.pix.height != height ||
        format.fmt.pix.pixelformat != V4L2_PIX_FMT_MJPEG) {
        fprintf(stderr, "rig-v4l2: the driver offers %ux%u\n", format.fmt.pix.width,
                format.fmt.pix.height);
        return -1;
    }
    if (ioctl(c->fd, VIDIOC_REQBUFS, &request) < 0)
        return fail("VIDIOC_REQBUFS");
    c->buffers = request.count < BUFFERS ? request.count : BUFFERS;
    for (unsigned i = 0; i < c->buffers; i++) {
        struct v4l2_buffer buffer = {
            .index = i, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};

        if (ioctl(c->fd, VIDIOC_QUERYBUF, &buffer) < 0)
            return fail("VIDIOC_QUERYBUF");
        c->length[i] = buffer.length;
        c->memory[i] = mmap(NULL, buffer.length, PROT_READ, MAP_SHARED, c->fd, buffer.m.offset);
        if (c->memory[i] == MAP_FAILED)
            return fail("mmap");
        if (ioctl(c->fd, VIDIOC_QBUF, &buffer) < 0)
            return fail("VIDIOC_QBUF");
    }
    return ioctl(c->fd, VIDIOC_STREAMON, &type) < 0 ? fail("VIDIOC_STREAMON") : 0;
}

/* Takes one picture; its index in the film, or -1. */
static int take(struct capture *c, const struct film *film, int last)
{
    struct pollfd poller = {.fd = c->fd, .events = POLLIN};
    struct v4l2_buffer buffer = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
    int found;

    if (poll(&poller, 1, PATIENCE_MS) <= 0) {
        fputs("rig-v4l2: no picture in time\n", stderr);
        return -1;
    }
    if (ioctl(c->fd, VIDIOC_DQBUF, &buffer) < 0)
        return fail("VIDIOC_DQBUF");
    if (buffer.index >= c->buffers || buffer.flags & V4L2_BUF_FLAG_ERROR) {
        fputs("rig-v4l2: the driver says that a picture is broken\n", stderr);
        return -1;
    }
    found = find_picture(film, last, c->memory[buffer.index], buffer.bytesused);
    if (found < 0)
        fprintf(stderr, "rig-v4l2: %u bytes are no picture of the film\n", buffer.bytesused);
    if (ioctl(c->fd, VIDIOC_QBUF, &buffer) < 0)
        return fail("VIDIOC_QBUF");
    return found;
}

int main(int argc, char **argv)
{
    struct capture capture = {.fd = -1};
    struct film film = {0};
    int wanted, first = -1, last = 0, found = 0, n = 0;

    if (argc != 6) {
        fputs("usage: rig-v4l2 DEVICE WIDTH HEIGHT FRAMES DIRECTORY\n", stderr);
        return 2;
    }
    wanted = atoi(argv[4]);
    film.directory = argv[5];
    film.count = scandir(film.directory, &film.names, is_picture, alphasort);
    if (film.count <= 0)
        return -fail(film.directory);
    capture.fd = open(argv[1], O_RDWR | O_CLOEXEC);
    if (capture.fd < 0)
        return -fail(argv[1]);
    if (start(&capture, (unsigned)atoi(argv[2]), (unsigned)atoi(argv[3])) < 0)
        return 1;
    while (n < wanted && (found = take(&capture, &film, last)) >= 0) {
        if (first < 0)
            first = found;
        else if (found < last) /* the films of the rig are longer than what is taken of them */
            break;
        last = found;
        n++;
    }
    printf("%d of %d pictures, film %d to %d of %d\n", n, wanted, first, last, film.count);
    return n == wanted ? 0 : 1;
}
