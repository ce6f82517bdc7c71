/*
 * card layout: the applications, files and keys of a My Number Card, as data.
 *
 * No official specification is public. The rows come from independent published programs that read real
 * and test cards (jpki/myna, soltia48/myna-card, OpenSC's JPKI driver, AokiApp/jsapdu, TRETJapanNFCReader)
 * and agree; where only one of them says so the row is marked.
 */
#ifndef UKETSUKE_CARD_LAYOUT_H
#define UKETSUKE_CARD_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

enum card_application {
    CARD_AP_JPKI,    /* 公的個人認証 */
    CARD_AP_KENKAKU, /* 券面事項確認AP: the photo */
    CARD_AP_KENHOJO, /* 券面事項入力補助AP: the text */
    CARD_AP_COUNT,
    CARD_AP_NONE = CARD_AP_COUNT,
};

struct card_application_row {
    uint8_t aid[16];
    size_t aid_len;
};

/* What a person keys in or the card face shows. */
enum card_credential {
    CARD_CREDENTIAL_NONE,
    CARD_CREDENTIAL_PIN,      /* 利用者証明用 PIN: 4 digits */
    CARD_CREDENTIAL_NUMBER_B, /* 照合番号B: 14 digits */
};

#define CARD_PIN_DIGITS 4u
#define CARD_NUMBER_B_DIGITS 14u

enum card_file {
    CARD_FILE_TOKEN,
    CARD_FILE_USER_CERTIFICATE,
    CARD_FILE_USER_KEY,
    CARD_KEY_PIN,
    CARD_FILE_RECORD,        /* the card face: birth date, sex, key, pictures, photo, signature */
    CARD_FILE_RECORD_SIGNER, /* card-verifiable certificate of the key that signs the record */
    CARD_KEY_NUMBER_B,
    CARD_FILE_TEXT,
    CARD_KEY_TEXT_NUMBER_B,
    CARD_FILE_COUNT,
    CARD_FILE_NONE = CARD_FILE_COUNT,
};

struct card_file_row {
    enum card_application application;
    enum card_credential credential; /* keys only: what opens it */
    uint16_t id;
    uint16_t outer;    /* data only: the tag of the TLV that is read */
    uint8_t slack;     /* how many bytes from the start that TLV may stand */
    uint8_t tries_max; /* keys only: tries when none is spent */
    size_t fixed;      /* data only: read so many bytes from the start, not a TLV; 0: a TLV */
    size_t most;       /* data only: never read more */
};

const struct card_application_row *card_layout_application(enum card_application application);
const struct card_file_row *card_layout_file(enum card_file file);

enum card_token {
    CARD_TOKEN_UNKNOWN, /* another generation */
    CARD_TOKEN_MY_NUMBER,
    CARD_TOKEN_OLD_RESIDENT,
    CARD_TOKEN_ANDROID,
    CARD_TOKEN_IOS,
};

/* The token name of EF 0006, padded by blanks. */
enum card_token card_layout_token(const uint8_t *name, size_t len);

/* Largest of `most`. */
#define CARD_FILE_BYTES_MAX 0x8000u

#endif
