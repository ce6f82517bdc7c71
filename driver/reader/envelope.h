/*
 * envelope: what the kiosk page seals to the reader, so that web and desk carry only ciphertext.
 *
 * Format: P-256 ECDH ephemeral-static; HKDF-SHA-256 of the shared x coordinate with an empty salt and
 * info = "uketsuke v1 pin" or "uketsuke v1 number-b" followed by the visit id, eight bytes big-endian;
 * AES-256-GCM with the 32 bytes that come out; additional data = the same info bytes.
 * envelope = ephemeral public key, uncompressed (65 bytes) || IV (12) || ciphertext || tag (16).
 * The reader's key is made anew for each visit and dies with it.
 */
#ifndef UKETSUKE_ENVELOPE_H
#define UKETSUKE_ENVELOPE_H

#include <stddef.h>
#include <stdint.h>

#define ENVELOPE_POINT 65u
#define ENVELOPE_IV 12u
#define ENVELOPE_TAG 16u
#define ENVELOPE_TEXT_MAX 64u
#define ENVELOPE_MAX (ENVELOPE_POINT + ENVELOPE_IV + ENVELOPE_TEXT_MAX + ENVELOPE_TAG)

struct envelope_key;
struct secret;

enum envelope_purpose { ENVELOPE_PIN, ENVELOPE_NUMBER_B };

/* A fresh key pair; `point` gets the public half. 0, -EIO. */
int envelope_key_new(struct envelope_key **out, uint8_t point[ENVELOPE_POINT]);
/* The pair from a private scalar (32 bytes, big-endian): for test vectors. 0, -EINVAL. */
int envelope_key_from(struct envelope_key **out, const uint8_t scalar[32]);
/* Wipes. Accepts and stores NULL. */
void envelope_key_free(struct envelope_key **key);

/*
 * Open `sealed` into secret memory (made here; free it). 0; -EBADMSG when it is not an envelope, was sealed
 * to another key, visit or purpose, or was changed; -ENOMEM.
 */
int envelope_open(const struct envelope_key *key, enum envelope_purpose purpose, uint64_t visit,
                  const uint8_t *sealed, size_t len, struct secret *out);

#endif
