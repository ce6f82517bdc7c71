#include "memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

int memfd_create_map(const char *name, size_t len, uint8_t **map)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int r;

    *map = NULL;
    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)len) != 0) {
        r = -errno;
        goto fail;
    }
    *map = mmap(NULL, len > 0 ? len : 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (*map == MAP_FAILED) {
        r = -errno;
        goto fail;
    }
    return fd;
fail:
    (void)close(fd);
    *map = NULL;
    return r;
}

int memfd_finish(int fd, uint8_t *map, size_t len)
{
    /* A shared writable mapping forbids the write seal, so it goes first. */
    if (munmap(map, len > 0 ? len : 1) != 0 || fcntl(fd, F_ADD_SEALS, SEALS) != 0)
        return -errno;
    return 0;
}

int memfd_seal(const char *name, const void *data, size_t len)
{
    uint8_t *map = NULL;
    int fd = memfd_create_map(name, len, &map);
    int r;

    if (fd < 0 || map == NULL)
        return fd;
    if (len > 0)
        memcpy(map, data, len);
    r = memfd_finish(fd, map, len);
    if (r < 0) {
        (void)close(fd);
        return r;
    }
    return fd;
}

int memfd_map(int fd, size_t len, size_t most, const uint8_t **map)
{
    struct stat st;
    int seals;
    void *at;

    *map = NULL;
    seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0)
        return -EBADF;
    if ((seals & SEALS) != SEALS)
        return -EPERM;
    if (fstat(fd, &st) != 0)
        return -errno;
    if (len > most || len == 0 || st.st_size < 0 || (size_t)st.st_size != len)
        return -EMSGSIZE;
    at = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED)
        return -errno;
    *map = at;
    return 0;
}

void memfd_unmap(const uint8_t *map, size_t len)
{
    if (map != NULL)
        (void)munmap((void *)(uintptr_t)map, len);
}
