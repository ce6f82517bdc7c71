/*
 * card record: what stands in the files of the two 券面 applications. Parsing only; every pointer is
 * borrowed from the file's bytes, every length is checked, nothing is decided about genuineness.
 */
#ifndef UKETSUKE_CARD_RECORD_H
#define UKETSUKE_CARD_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "tlv.h"

/* DF22 .. DF2A of 券面AP EF 0002, in the order of the file. */
enum card_field {
    CARD_FIELD_BIRTH,     /* 8 digits YYYYMMDD, Gregorian */
    CARD_FIELD_SEX,       /* 1 digit, JIS X 0303: 1 male, 2 female, 9 not applicable, 0 unknown */
    CARD_FIELD_KEY,       /* the card's own public key */
    CARD_FIELD_NAME,      /* picture */
    CARD_FIELD_ADDRESS,   /* picture */
    CARD_FIELD_PHOTO,     /* JPEG 2000 */
    CARD_FIELD_SIGNATURE, /* over the six before */
    CARD_FIELD_EXPIRY,    /* 8 digits, not signed */
    CARD_FIELD_CODE,      /* picture, not signed */
    CARD_FIELD_COUNT
};

struct card_record {
    struct tlv field[CARD_FIELD_COUNT]; /* whole == NULL: absent */
    char birth[9];
    char sex[2];
    char expiry[9];       /* "" when absent */
    const uint8_t *photo; /* NULL: a card without photo */
    size_t photo_len;
};

/*
 * 0, or -EBADMSG: fields missing, out of order or of a wrong form, or an offset table that does not agree
 * with them. What DF27 holds on a card without photo is not public: absent, empty, or filled with one and
 * the same byte all count as none.
 */
int card_record_parse(struct card_record *out, const uint8_t *file, size_t len);

/* EF 0004: the card-verifiable certificate of the record's signer. */
#define CARD_KEY_ID_BYTES 16u
#define CARD_ISSUER_DIGITS 7u /* of a key id: 5000023... */
struct card_signer {
    struct tlv body;        /* 5F4E: what is signed (the value alone) */
    const uint8_t *issuer;  /* CARD_KEY_ID_BYTES */
    const uint8_t *subject; /* CARD_KEY_ID_BYTES */
    const uint8_t *key;     /* TLVs 90 (exponent), 91 (modulus) */
    size_t key_len;
    struct tlv signature; /* 5F37 */
};
/* 0 or -EBADMSG. */
int card_signer_parse(struct card_signer *out, const uint8_t *file, size_t len);

/* The name in 券面事項入力補助AP EF 0002 (DF22, UTF-8). 0, -EBADMSG, -ENOSPC; *name is then empty. */
int card_text_name(const uint8_t *file, size_t len, char *name, size_t size);

#endif
