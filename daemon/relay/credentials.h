/*
 * credentials: what the relay proves itself with, read before the cage and checked before the first
 * patient.
 */
#ifndef UKETSUKE_RELAY_CREDENTIALS_H
#define UKETSUKE_RELAY_CREDENTIALS_H

#include "../common/config.h"
#include "../common/secret.h"
#include "http.h"

struct credentials {
    char *ca; /* PEM */
    size_t ca_len;
    char *certificate; /* PEM, ours first */
    size_t certificate_len;
    struct secret key;         /* PEM */
    struct secret password;    /* text, NUL-terminated, len without the NUL */
    int64_t certificate_until; /* seconds since 1970 */
    int64_t ca_until;          /* of the first CA certificate to end */
};

/*
 * Read the files of [upstream NAME] or the supervisor's credentials, check that the key is readable
 * without a pass phrase and belongs to the certificate. On failure a message for the user is on
 * standard error.
 */
int credentials_load(struct credentials *out, const struct config *config, const char *name);
void credentials_free(struct credentials *credentials);
/* Borrows. */
struct http_tls credentials_tls(const struct credentials *credentials);

#endif
