/*
 * card_rig: a card on a table for tests of the card layer: a card channel behind which stand the files and keys
 * that a test puts there, made from the published layout by hand. It keeps every APDU, counts what is sent to
 * each key, and can be torn off, fall silent or answer nonsense at any APDU.
 */
#ifndef CARD_RIG_H
#define CARD_RIG_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "driver/card/card.h"
#include "driver/card/card_channel.h"
#include "driver/card/card_trust.h"

#define RIG_FILES 16
#define RIG_LOG 512

struct rig_file {
    uint8_t
        application; /* last byte of the AID: 01 JPKI, 02 券面事項確認AP, 08 券面事項入力補助AP */
    uint16_t id;
    const uint8_t *data; /* NULL: a key */
    size_t len;
    /* data: the key that must be verified first, 0 none. Signing keys: the same. */
    uint16_t guard;
    /* secrets */
    const char *secret;
    int tries;
    int most;
    uint16_t query_sw;  /* answer to the empty VERIFY in place of 63Cx, 0: none */
    uint16_t locked_sw; /* answer to a VERIFY at 0 tries, 0: 6984 */
    bool verified;
    unsigned sent; /* VERIFYs with data */
    /* signing key */
    EVP_PKEY *key;
};

struct rig_apdu {
    uint8_t bytes[64]; /* its beginning */
    size_t len;
};

struct card_rig {
    struct card_channel channel; /* first */
    struct clock *clock;
    struct card_trust *trust;
    struct card_engine *engine;

    struct rig_file files[RIG_FILES];
    size_t nfiles;
    EVP_PKEY *own_key; /* of 券面事項確認AP, for challenges */

    /* the chip */
    bool powered;
    unsigned power_ons;
    unsigned power_offs;
    uint8_t application;
    struct rig_file *current;

    /* what the test wants to go wrong */
    unsigned fail_at;         /* count of the APDU, from 1; 0: none */
    enum card_link fail_link; /* how it goes wrong; OK: the answer is `fail_answer` */
    uint8_t fail_answer[64];
    size_t fail_answer_len;
    unsigned leaves_at; /* the card leaves when the answer to this APDU is on its way; 0: none */
    enum card_link power_link; /* outcome of power on */
    bool no_extended;          /* extended lengths are refused with 6700 */
    bool short_pieces;         /* READ BINARY answers 61xx, the rest by GET RESPONSE */
    bool wrong_length;         /* READ BINARY with Le 00 answers 6Cxx first */

    /* what happened */
    struct rig_apdu log[RIG_LOG];
    unsigned apdus;
    unsigned aborts;

    /* the request under way */
    bool pending;
    card_channel_fn *done;
    void *arg;
    enum card_link link;
    uint8_t answer[70000];
    size_t answer_len;
    uint8_t rest[70000]; /* for GET RESPONSE */
    size_t rest_len;

    /* the last report */
    unsigned reports;
    struct card_report report;
    uint8_t photo[40000];
    uint8_t certificate[4096];
    uint8_t subject[32];
    char statement[512];
    uint8_t signature[512];
};

/* The test hierarchy, made once: keys, user certificate, files of one card. Free at the end. */
struct rig_world {
    char directory[64];
    char user_ca[128];
    EVP_PKEY *ca_key, *user_key, *issuer_key, *city_key, *chip_key;
    X509 *ca, *user;
    uint8_t certificate[4096];
    size_t certificate_len;
    uint8_t record[40000];
    size_t record_len;
    uint8_t signer[1024];
    size_t signer_len;
    uint8_t text[512];
    size_t text_len;
    uint8_t photo[9000];
};

int rig_world_new(struct rig_world *world);
void rig_world_free(struct rig_world *world);

/* DF22.. of the record in the order of the file; a NULL value leaves the field out. */
struct rig_record {
    const char *birth, *sex, *expiry;
    const uint8_t *photo;
    size_t photo_len;
    size_t shift;     /* bytes before FF20 */
    int offset_error; /* added to every entry of the offset table */
    bool forged;      /* a byte of the photo is changed after signing */
};
size_t rig_make_record(const struct rig_world *world, const struct rig_record *what, uint8_t *out,
                       size_t size);

/* A My Number Card of this world, its engine, a simulated clock. `trusted`: issuers and CA are configured. */
void rig_start(struct card_rig *rig, const struct rig_world *world, bool trusted);
void rig_stop(struct card_rig *rig);
struct rig_file *rig_file(struct card_rig *rig, uint8_t application, uint16_t id);

/* Run until the operation under way has reported. Fails the test when it does not. */
void rig_finish(struct card_rig *rig);
void rig_done(struct card_engine *engine, const struct card_report *report, void *arg);

/* Operations with a deadline of 30 s; the credential as text. They run to the end and return how it ended. */
enum card_end rig_identify(struct card_rig *rig);
enum card_end rig_sign(struct card_rig *rig, const char *pin, bool agreed);
enum card_end rig_photo(struct card_rig *rig, const char *number_b, bool agreed, bool scanned);

/* VERIFYs with data that the chip got, all keys. */
unsigned rig_verifies(const struct card_rig *rig);
/* The n-th APDU (from 0) is exactly these bytes, written in hex. */
void rig_assert_apdu(const struct card_rig *rig, unsigned n, const char *hex);

#endif
