/*
 * card proof: the cryptographic checks on a card, each with a plain answer, or -ENOMEM when the library had no memory
 * for it: a card is never called false for that. (The library does not always say why it failed, so a "no" is found
 * twice before it is one.) Keys are used through EVP, so a
 * certificate may hold any type that OpenSSL verifies with SHA-256; the 券面 records are RSA by their format.
 */
#ifndef UKETSUKE_CARD_PROOF_H
#define UKETSUKE_CARD_PROOF_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "card_record.h"
#include "daemon/common/visit.h" /* enum genuine */

struct card_trust;

#define CARD_DIGEST_BYTES 32u
/* DigestInfo of a SHA-256 hash: what the card pads and signs. */
#define CARD_DIGEST_INFO_BYTES 51u

int card_proof_sha256(const void *data, size_t len, uint8_t hash[CARD_DIGEST_BYTES]);
int card_proof_digest_info(const void *data, size_t len, uint8_t info[CARD_DIGEST_INFO_BYTES]);

struct card_certificate {
    X509 *x509;
    uint8_t subject
        [CARD_DIGEST_BYTES]; /* SHA-256 over the issuer's DER, then the serial number's octets */
    int64_t valid_from;      /* seconds since 1970 */
    int64_t valid_until;
    bool rsa;
};
/* 0, -EBADMSG, -ENOMEM. The whole of `der` must be one certificate. */
int card_certificate_parse(struct card_certificate *out, const uint8_t *der, size_t len);
/* Safe on a zeroed struct and twice. */
void card_certificate_clear(struct card_certificate *certificate);

/*
 * Signed by one of the configured authorities? The authorities of several generations share one name, so
 * each of that name is tried by its key. Whether it is valid now is not part of this: an expired certificate is an
 * ordinary state with its own rules. But it is valid no longer, and no earlier, than its authority (RFC 5280, 6.1):
 * on GENUINE_YES valid_from and valid_until are narrowed to that.
 */
int card_proof_chain(const struct card_trust *trust, struct card_certificate *certificate);

/* A signature over `message` (SHA-256) by the certificate's key: 1 yes, 0 no. */
int card_proof_signature(const struct card_certificate *certificate, const void *message,
                         size_t len, const uint8_t *signature, size_t signature_len);

/*
 * The record's signature, through the certificate of its signer, up to a configured issuer. NOT_CHECKED
 * only when no issuers are configured.
 * The signature's layout is known from one independent program that was tested on a test card's files: the
 * PKCS#1 v1.5 payload is a SHA-256 DigestInfo that holds three hashes (birth date, sex, key; name, address;
 * photo) side by side, 96 bytes in place of 32.
 */
int card_proof_record(const struct card_trust *trust, const struct card_record *record,
                      const uint8_t *signer_file, size_t signer_len);

/* The chip's answer to a challenge: a signature over `nonce` by the key in the record. */
int card_proof_challenge(const struct card_record *record, const uint8_t *nonce, size_t nonce_len,
                         const uint8_t *signature, size_t signature_len);

#endif
