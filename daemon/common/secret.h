/*
 * secret: memory for what must leave no trace: PIN, 照合番号B, photo, frames, embeddings, keys.
 *
 * Each secret has pages of its own: locked (never swapped), left out of core dumps, guarded at both ends,
 * wiped when freed. A `struct secret` cannot be passed to the logger or to the store: they take none.
 */
#ifndef UKETSUKE_SECRET_H
#define UKETSUKE_SECRET_H

#include <stddef.h>
#include <stdint.h>

struct secret {
    uint8_t *data; /* NULL: none */
    size_t len;    /* in use */
    size_t size;   /* the room there is */
};

/* Room for `size` bytes, zeroed, len 0. 0, -ENOMEM (also when the memory cannot be locked). */
int secret_new(struct secret *secret, size_t size);
/* Wipe and give back. Safe on a zeroed struct and twice. */
void secret_free(struct secret *secret);
/* Wipe the content, keep the room. */
void secret_wipe(struct secret *secret);
/* Copy in and set len; -ENOSPC when it does not fit. */
int secret_set(struct secret *secret, const void *data, size_t len);
/* 1 if equal; takes the same time for every content of equal length. */
int secret_equal(const struct secret *a, const struct secret *b);

/* Once per process, before any secret: no core dumps, not traceable by others of the same uid. */
int secret_protect_process(void);

#endif
