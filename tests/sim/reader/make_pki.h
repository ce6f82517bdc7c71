/*
 * make_pki.h - the test hierarchy: RSA-2048 keys kept in a directory, X.509 certificates of two
 * J-LIS-like authorities, card-verifiable certificates of the visual applications.
 */
#ifndef SIM_MAKE_PKI_H
#define SIM_MAKE_PKI_H

#include "util.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

enum { PKI_SIGNATURE = 256, PKI_PUBLIC = 265 /* 90 03 e, 91 82 0100 n */ };

/*
 * Makes every missing key dir/NAME.pem, `workers` at a time in child processes. 0 or -errno.
 */
int sim_pki_make_keys(const char *dir, const char *const *names, size_t count, unsigned workers);
/* The caller frees; NULL when missing or broken. */
EVP_PKEY *sim_pki_load_key(const char *dir, const char *name);

/* An otherName of the subjectAltName: object identifier and UTF-8 text. */
struct pki_other_name {
    const char *oid, *text;
};

struct pki_subject {
    const char *common_name;
    const char *unit;
    uint64_t serial;
    const char *from, *until; /* YYYYMMDD, Japan time, both days included */
    const struct pki_other_name *alternatives;
    size_t alternative_count;
    const char *usage; /* keyUsage in OpenSSL's text form */
    bool authority;
};

/* issuer NULL = self-signed. The caller frees; NULL on error. */
X509 *sim_pki_certificate(const struct pki_subject *s, EVP_PKEY *key, X509 *issuer,
                          EVP_PKEY *issuer_key);
/* Revocation list of one issuer as PEM file, valid over these days. 0 or -errno. */
int sim_pki_write_crl(const char *path, X509 *issuer, EVP_PKEY *issuer_key, const char *from,
                      const char *until, const uint64_t *serials, size_t count);

int sim_pki_write_private(const char *path, EVP_PKEY *key);
int sim_pki_write_public(const char *path, EVP_PKEY *key);
int sim_pki_write_certificate(const char *path, X509 *cert);
void sim_pki_put_der(struct buf *out, X509 *cert);

/* Public key as the visual applications write it: 90 (exponent), 91 (modulus); 265 bytes. */
void sim_pki_put_public(struct buf *out, EVP_PKEY *key);
/* RSASSA-PKCS1-v1_5 with SHA-256 over data; 256 bytes. 0 or -EIO. */
int sim_pki_sign_sha256(EVP_PKEY *key, const void *data, size_t len,
                        uint8_t signature[PKI_SIGNATURE]);
/* PKCS#1 v1.5 padding of a ready DigestInfo; 256 bytes. 0 or -EIO. */
int sim_pki_sign_payload(EVP_PKEY *key, const void *payload, size_t len,
                         uint8_t signature[PKI_SIGNATURE]);
/* 16-byte key id: seven digits, 08 05, three digits, four bytes. */
void sim_pki_key_id(uint8_t out[16], const char *seven_digits, const char *three_digits,
                    uint32_t number);
/* 7F21 card-verifiable certificate, 568 bytes. */
int sim_pki_put_cv_certificate(struct buf *out, const uint8_t issuer_id[16], EVP_PKEY *issuer,
                               const uint8_t subject_id[16], EVP_PKEY *subject);

#endif
