/*
 * card trust: whose word is taken for a card: the public keys of the issuers of 券面AP certificates, and
 * the CA certificates of user certificates. Both come from files that the operator configures (neither is
 * on the card), are read once before the cage, and may be absent: then the check is "not done".
 */
#ifndef UKETSUKE_CARD_TRUST_H
#define UKETSUKE_CARD_TRUST_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

struct card_trust;

/*
 * issuers: a directory of kenkaku-issuer-KEYID.pem (a public key each; KEYID: the seven digits that begin the
 * issuer's key id). user_ca: a file of certificates. NULL or "" for none. 0, -ENOMEM, or the negative errno
 * of the file that cannot be read (-EBADMSG: not a PEM key or certificate); `*culprit` is then its path (free
 * it) or NULL.
 */
int card_trust_load(struct card_trust **out, const char *issuers, const char *user_ca,
                    char **culprit);
/* Accepts and stores NULL. */
void card_trust_free(struct card_trust **trust);

size_t card_trust_issuers(const struct card_trust *trust);
size_t card_trust_authorities(const struct card_trust *trust);

/* The key of the issuer with these seven digits, NULL if it is not configured. Borrowed. */
EVP_PKEY *card_trust_issuer(const struct card_trust *trust, const uint8_t *digits);
/* The i-th CA certificate, NULL past the end. Borrowed. */
X509 *card_trust_authority(const struct card_trust *trust, size_t i);

/* When the first of the CA certificates ends, seconds since 1970; 0: there is none. */
int64_t card_trust_until(const struct card_trust *trust);

#endif
