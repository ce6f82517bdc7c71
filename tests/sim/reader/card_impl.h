/*
 * card_impl.h - inside of the card: the layout tables and what one opened card holds.
 * Only card*.c and the card maker's layout users include it.
 */
#ifndef SIM_CARD_IMPL_H
#define SIM_CARD_IMPL_H

#include "apdu.h"
#include "card.h"
#include "settings.h"
#include "util.h"

#include <openssl/evp.h>

enum ef_kind {
    EF_DATA,    /* transparent file */
    EF_RECORDS, /* records, each one BER TLV */
    EF_SECRET,  /* PIN, password, verification number: a key reference with a counter */
    EF_KEY,     /* RSA private key */
};

enum { EF_GUARDS = 3, EF_MAX = 16, AP_MAX = 5, SECRET_MAX = 16 };

/* One EF as the card type has it. guards: any one of these secrets opens it; none = free. */
struct ef_layout {
    uint16_t id;
    enum ef_kind kind;
    uint16_t guards[EF_GUARDS];
};

struct ap_layout {
    const char *name;
    uint8_t aid[16];
    size_t aid_len;
    const struct ef_layout *efs;
    size_t ef_count;
    uint16_t default_key;       /* key meant by P2 = 00 of the signature command; 0 = none */
    uint16_t internal_auth_key; /* key of INTERNAL AUTHENTICATE; 0 = none */
    bool can_change_secrets;
};

/* All applications known; ap_count() of them. */
const struct ap_layout *sim_card_layout(size_t i);
size_t sim_card_layout_count(void);
/* Name such as "auth-pin" to application and file; false when unknown. */
bool sim_card_layout_alias(const char *alias, const char **ap, uint16_t *file);

struct ef {
    const struct ef_layout *layout;
    uint16_t guards[EF_GUARDS];
    uint8_t *data;
    size_t len;
    EVP_PKEY *key;
    char secret[SECRET_MAX + 1];
    int tries, maximum;
    bool verified;
};

struct ap {
    const struct ap_layout *layout;
    struct ef efs[EF_MAX];
    size_t ef_count;
};

struct card {
    char *name;
    char *state_path;
    struct settings *conf;
    uint8_t atr[CARD_ATR_MAX];
    size_t atr_len;
    struct ap aps[AP_MAX];
    size_t ap_count;
    bool has_mf; /* answers like a JICSAP card at all */
    struct ap *ap;
    struct ef *ef;
    struct prng prng;
};

/* The response under construction: data, then the status word. */
struct response {
    uint8_t *data;
    size_t len;
};

/* Executes a parsed command; returns the status word. */
unsigned sim_card_execute(struct card *card, const struct apdu *a, struct response *r);

/* PKCS#1 signing as P1 of the signature command selects; status word. */
unsigned sim_card_compute_signature(const struct ef *key, unsigned p1, const uint8_t *in,
                                    size_t len, struct response *r);

/* Write counters and changed secrets; 0 or -errno. */
int sim_card_save_state(const struct card *card);

#endif
