/*
 * sim_make_card.h - one card's directory from its checked description: EF files, keys, card.conf.
 */
#ifndef SIM_MAKE_CARD_H
#define SIM_MAKE_CARD_H

#include "make_files.h"
#include "make_pki.h"
#include "settings.h"

#include <limits.h>
#include <openssl/sha.h>

enum { CARD_NAME_MAX = 48 };

/* A kind of card: which applications it has and how its certificates are kept. */
struct kind {
    const char *name;
    const char *applications; /* "" = no file system a My Number reader could select */
    const char *atr;
    const char *token;
    bool user_certificate, signing_certificate;
    bool guarded_certificate; /* the user certificate is read after the PIN only */
};

/* Keys of the hierarchy, and those that all cards share because nothing tells them apart by it. */
enum hierarchy_key {
    KEY_AUTH_CA,
    KEY_SIGN_CA,
    KEY_KENKAKU_ISSUER,
    KEY_KENHOJO_ISSUER,
    KEY_UNKNOWN_ISSUER,
    KEY_KENKAKU_CITY,
    KEY_KENHOJO_CITY,
    KEY_SHARED_SIGN,
    KEY_SHARED_TEXT,
    KEY_SHARED_COMMON,
    KEY_WRONG_CHIP,
    KEY_COUNT
};

/* A description, defaults filled in and values checked. */
struct input {
    char name[CARD_NAME_MAX];
    struct settings *person;
    const struct kind *kind;
    uint8_t *photo;
    size_t photo_len;
    uint8_t stamp[SHA256_DIGEST_LENGTH]; /* of description and photo */
};

/* The test hierarchy, ready to sign. */
struct make_hierarchy {
    char keys_dir[PATH_MAX];
    EVP_PKEY *keys[KEY_COUNT];
    X509 *auth_ca, *sign_ca;
    struct make_signers kenkaku, kenhojo, unknown;
};

/* Value of a key of the description, "" when it has none. */
const char *sim_make_get(const struct input *in, const char *key);
/* Makes out_dir/NAME. 0 or -errno. */
int sim_make_card(const struct make_hierarchy *h, const struct input *in, const char *out_dir);

#endif
