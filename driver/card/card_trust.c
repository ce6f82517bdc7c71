#include "card_trust.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "card_record.h"

#define ISSUERS_MAX 32u
#define AUTHORITIES_MAX 32u

static const char issuer_prefix[] = "kenkaku-issuer-";
static const char issuer_suffix[] = ".pem";

struct issuer {
    char digits[CARD_ISSUER_DIGITS + 1];
    EVP_PKEY *key;
};

struct card_trust {
    struct issuer issuers[ISSUERS_MAX];
    size_t nissuers;
    X509 *authorities[AUTHORITIES_MAX];
    size_t nauthorities;
};

static bool issuer_digits(const char *file, char *digits)
{
    size_t head = sizeof(issuer_prefix) - 1;

    if (strlen(file) != head + CARD_ISSUER_DIGITS + sizeof(issuer_suffix) - 1 ||
        strncmp(file, issuer_prefix, head) != 0 ||
        strcmp(file + head + CARD_ISSUER_DIGITS, issuer_suffix) != 0 ||
        strspn(file + head, "0123456789") != CARD_ISSUER_DIGITS)
        return false;
    memcpy(digits, file + head, CARD_ISSUER_DIGITS);
    digits[CARD_ISSUER_DIGITS] = 0;
    return true;
}

static int load_issuer(struct card_trust *trust, const char *path, const char *digits)
{
    struct issuer *issuer = &trust->issuers[trust->nissuers];
    FILE *file;

    if (trust->nissuers == ISSUERS_MAX)
        return -E2BIG;
    file = fopen(path, "re");
    if (file == NULL)
        return -errno;
    issuer->key = PEM_read_PUBKEY(file, NULL, NULL, NULL);
    fclose(file);
    if (issuer->key == NULL)
        return -EBADMSG;
    memcpy(issuer->digits, digits, sizeof(issuer->digits));
    trust->nissuers++;
    return 0;
}

static int load_issuers(struct card_trust *trust, const char *directory, char **culprit)
{
    char digits[CARD_ISSUER_DIGITS + 1];
    struct dirent *entry;
    char *path = NULL;
    DIR *dir;
    int rc = 0;

    dir = opendir(directory);
    if (dir == NULL) {
        rc = -errno;
        *culprit = strdup(directory);
        return rc;
    }
    while (rc == 0 && (entry = readdir(dir)) != NULL) {
        if (!issuer_digits(entry->d_name, digits))
            continue;
        if (asprintf(&path, "%s/%s", directory, entry->d_name) < 0) {
            rc = -ENOMEM;
            break;
        }
        rc = load_issuer(trust, path, digits);
        if (rc < 0)
            *culprit = path;
        else
            free(path);
    }
    closedir(dir);
    return rc;
}

static int load_authorities(struct card_trust *trust, const char *path, char **culprit)
{
    X509 *certificate;
    FILE *file;
    int rc = 0;

    file = fopen(path, "re");
    if (file == NULL) {
        rc = -errno;
        *culprit = strdup(path);
        return rc;
    }
    while (rc == 0 && (certificate = PEM_read_X509(file, NULL, NULL, NULL)) != NULL) {
        if (trust->nauthorities < AUTHORITIES_MAX) {
            trust->authorities[trust->nauthorities++] = certificate;
        } else {
            X509_free(certificate);
            rc = -E2BIG;
        }
    }
    /* The end of the file is told as "no start line"; any other error is a damaged certificate. */
    if (rc == 0 &&
        (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE || trust->nauthorities == 0))
        rc = -EBADMSG;
    fclose(file);
    if (rc < 0)
        *culprit = strdup(path);
    return rc;
}

int card_trust_load(struct card_trust **out, const char *issuers, const char *user_ca,
                    char **culprit)
{
    struct card_trust *trust = calloc(1, sizeof(*trust));
    int rc = 0;

    *out = NULL;
    *culprit = NULL;
    if (trust == NULL)
        return -ENOMEM;
    ERR_clear_error();
    if (issuers != NULL && issuers[0] != 0)
        rc = load_issuers(trust, issuers, culprit);
    if (rc == 0 && user_ca != NULL && user_ca[0] != 0)
        rc = load_authorities(trust, user_ca, culprit);
    ERR_clear_error();
    if (rc < 0)
        card_trust_free(&trust);
    *out = trust;
    return rc;
}

void card_trust_free(struct card_trust **trust)
{
    if (*trust == NULL)
        return;
    for (size_t i = 0; i < (*trust)->nissuers; i++)
        EVP_PKEY_free((*trust)->issuers[i].key);
    for (size_t i = 0; i < (*trust)->nauthorities; i++)
        X509_free((*trust)->authorities[i]);
    free(*trust);
    *trust = NULL;
}

size_t card_trust_issuers(const struct card_trust *trust)
{
    return trust->nissuers;
}

size_t card_trust_authorities(const struct card_trust *trust)
{
    return trust->nauthorities;
}

EVP_PKEY *card_trust_issuer(const struct card_trust *trust, const uint8_t *digits)
{
    for (size_t i = 0; i < trust->nissuers; i++)
        if (memcmp(trust->issuers[i].digits, digits, CARD_ISSUER_DIGITS) == 0)
            return trust->issuers[i].key;
    return NULL;
}

X509 *card_trust_authority(const struct card_trust *trust, size_t i)
{
    return i < trust->nauthorities ? trust->authorities[i] : NULL;
}

int64_t card_trust_until(const struct card_trust *trust)
{
    int64_t first = 0;

    for (size_t i = 0; i < trust->nauthorities; i++) {
        struct tm tm;
        int64_t until;

        if (ASN1_TIME_to_tm(X509_get0_notAfter(trust->authorities[i]), &tm) != 1)
            continue;
        until = (int64_t)timegm(&tm);
        if (first == 0 || until < first)
            first = until;
    }
    return first;
}
