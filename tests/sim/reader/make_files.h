/*
 * make_files.h - contents of the card's elementary files from one person's description.
 */
#ifndef SIM_MAKE_FILES_H
#define SIM_MAKE_FILES_H

#include "make_pki.h"
#include "settings.h"
#include "util.h"

/* Keys of the test hierarchy that sign what stands on a card. */
struct make_signers {
    EVP_PKEY *issuer; /* of the card-verifiable certificate in EF 0004 */
    uint8_t issuer_id[16];
    EVP_PKEY *municipality; /* the certified key; signs the records */
    uint8_t municipality_id[16];
};

/* What the visual application's files need. */
struct make_face {
    const struct settings *person;
    const struct make_signers *signers;
    EVP_PKEY *chip;       /* key named in DF24 */
    const uint8_t *photo; /* JP2, or NULL */
    size_t photo_len;
    bool photo_absent; /* leave the TLV out instead of writing it empty */
    bool spoil_record; /* counterfeit: another photo than the one that was signed */
};

/* Each appends one file's content; false when the description lacks something or memory ends. */
bool sim_make_kenkaku_0001(struct buf *out, const struct make_face *f);
bool sim_make_kenkaku_0002(struct buf *out, const struct make_face *f);
bool sim_make_kenkaku_0003(struct buf *out, const struct make_face *f);
bool sim_make_kenkaku_0005(struct buf *out, const struct make_face *f);
bool sim_make_kenhojo_0001(struct buf *out, const struct settings *person);
bool sim_make_kenhojo_0002(struct buf *out, const struct settings *person);
bool sim_make_kenhojo_0003(struct buf *out, const struct settings *person,
                           const struct make_signers *signers);
bool sim_make_kenhojo_0005(struct buf *out, struct prng *prng);
bool sim_make_kenhojo_0006(struct buf *out, EVP_PKEY *text_key);
bool sim_make_kenhojo_0007(struct buf *out, EVP_PKEY *text_key, const struct make_signers *signers);
bool sim_make_common_0001(struct buf *out, const struct settings *person);

/*
 * The 14 digits of verification number B: birth date as era year, month, day; year of expiry;
 * security code. birth and expiry as YYYYMMDD. false when birth is no date of a known era.
 */
bool sim_make_number_b(char out[15], const char *birth, const char *expiry, const char *code);
/* Six digits, era year, month, day. */
bool sim_make_era_date(char out[7], const char *birth);

#endif
