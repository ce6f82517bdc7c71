/*
 * memfd: pictures and big answers travel as sealed anonymous memory: the receiver can rely on size and
 * content never changing under it.
 */
#ifndef UKETSUKE_MEMFD_H
#define UKETSUKE_MEMFD_H

#include <stddef.h>
#include <stdint.h>

/* A new descriptor with a copy of the bytes, sealed against every change. Negative errno on failure. */
int memfd_seal(const char *name, const void *data, size_t len);
/* For writers that fill it in place: create and map, then memfd_finish() unmaps and seals. */
int memfd_create_map(const char *name, size_t len, uint8_t **map);
int memfd_finish(int fd, uint8_t *map, size_t len);

/*
 * Map a received descriptor for reading: it must be a memfd, sealed (write, grow, shrink, seal), of exactly
 * `len` bytes and at most `most`. -EBADF, -EPERM (not sealed), -EMSGSIZE. memfd_unmap() when done.
 */
int memfd_map(int fd, size_t len, size_t most, const uint8_t **map);
void memfd_unmap(const uint8_t *map, size_t len);

#endif
