/*
 * store_hand: the sealed values of a store opened and made by hand, with OpenSSL's own HKDF and
 * AES-256-GCM, from the description in daemon/store/keyring.h and store.h alone: nothing of the
 * store's code is called.
 */
#ifndef TESTS_STORE_HAND_H
#define TESTS_STORE_HAND_H

#include "store_rig.h"

struct hand_ring {
    uint8_t lookup[32], audit[32], who[32];
    unsigned payloads;
    uint8_t generation[2];
    uint8_t payload[2][32];
};

/* HKDF-Expand (RFC 5869) of the master key. */
void hand_expand(const struct rig *rig, const char *info, uint8_t out[32]);
/* The value of one column of the row with that rowid. */
size_t hand_blob(const struct rig *rig, const char *table, const char *column, int64_t row,
                 uint8_t *out, size_t size);
/* Length of the plain text, -1 when it does not open. `bound`: the additional data. */
int hand_open(const uint8_t key[32], const void *bound, size_t bound_len, const uint8_t *sealed,
              size_t len, uint8_t *plain);
/* First byte, IV, ciphertext, tag. */
size_t hand_seal(const uint8_t key[32], uint8_t first, const void *bound, size_t bound_len,
                 const void *plain, size_t len, uint8_t *out);
/* meta.keys of the rig's database, opened with the rig's master key; fails the test when it does
 * not open. */
void hand_ring(const struct rig *rig, struct hand_ring *out);

#endif
