/*
 * keyring: the keys that the store seals and hashes with. Private to the store.
 *
 * They are random and stand in the database (meta.keys), sealed under the master key of the
 * credential database.key: a new master key re-seals this one row, a new payload key re-seals the
 * patients' data row by row while the desk works (rotate.c). The first byte of a sealed value names
 * the generation of its key.
 *
 *   payload  patients' data (AES-256-GCM); two generations while a rotation is under way, else one
 *   lookup   HMAC-SHA-256 of what an answer or link is about: never rotated, since what was hashed
 *            is nowhere kept
 *   audit    HMAC-SHA-256 of the audit chain: never rotated, the chain would have to be written
 *            anew
 *   who      who did what in the audit log (AES-256-GCM): part of what the chain covers, so never
 *            rotated either
 */
#ifndef UKETSUKE_STORE_KEYRING_H
#define UKETSUKE_STORE_KEYRING_H

#include "../common/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_KEY 32
#define KEYRING_PAYLOADS 2
#define KEYRING_WHO "audit.who"

struct store;

struct keyring {
    struct secret lookup, audit, who;
    struct {
        uint8_t generation; /* 1...255 */
        struct secret key;
    } payload[KEYRING_PAYLOADS]; /* newest first */
    size_t payloads;
};

void keyring_free(struct keyring *ring);
/* Fresh random keys. Negative errno. */
int keyring_new(struct keyring *ring);
/* The keys of a database from before there was a ring: each derived from the master key. */
int keyring_derive(struct keyring *ring, const struct secret *master);
/* Deep copy into a zeroed ring. */
int keyring_copy(struct keyring *to, const struct keyring *from);
/* A new generation of the payload key becomes the newest; -EBUSY when two are there, -EOVERFLOW
 * after 255. */
int keyring_add(struct keyring *ring);
/* Only the newest generation of the payload key stays. */
void keyring_drop_old(struct keyring *ring);

/* Which key a new value of that place is sealed with; the generation is the value's first byte. */
uint8_t keyring_for_new(const struct keyring *ring, const char *place, const struct secret **key);
/* NULL: no such generation. */
const struct secret *keyring_for(const struct keyring *ring, const char *place, uint8_t generation);

/* Write the ring into meta.keys, sealed under the store's wrapping key. */
int keyring_save(struct store *store);
/* Read it: 0, -ENOENT when the database has none, -EBADMSG when the master key is another one. */
int keyring_load(struct store *store);

#endif
