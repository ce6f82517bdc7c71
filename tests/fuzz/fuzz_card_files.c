/*
 * Files of a card, each read by whoever reads it: tags and lengths, the record of the card face, the certificate of
 * its signer, the text, the user certificate, and the checks upon them. First byte: which.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/common/bytes.h"
#include "driver/card/card_proof.h"
#include "driver/card/card_record.h"
#include "driver/card/card_trust.h"
#include "driver/card/tlv.h"
#include "fuzz_shortage.h"
#include "tests/unit/card_rig.h"

static void inside(const uint8_t *file, size_t len, const uint8_t *at, size_t at_len)
{
    if (at != NULL && at_len > 0)
        FUZZ_CHECK(at >= file && at_len <= len && at <= file + (len - at_len));
}

static void try_tlv(const uint8_t *file, size_t len)
{
    struct bytes_reader r;
    struct tlv tlv;
    uint16_t tag;
    size_t header, value;

    if (tlv_header(file, len, &tag, &header, &value) == 0)
        FUZZ_CHECK(header >= 2 && header <= TLV_HEADER_MAX && header <= len);
    bytes_reader_init(&r, file, len);
    while (tlv_next(&r, &tlv) == 0) {
        inside(file, len, tlv.whole, tlv.whole_len);
        inside(file, len, tlv.value, tlv.len);
        FUZZ_CHECK(tlv.whole_len > tlv.len);
    }
    if (tlv_find(file, len, 0xDF22, &tlv) == 0)
        FUZZ_CHECK(tlv.tag == 0xDF22);
}

static void try_record(const struct card_trust *trust, const uint8_t *file, size_t len,
                       const uint8_t *signer, size_t signer_len)
{
    struct card_record record;

    if (card_record_parse(&record, file, len) != 0)
        return;
    for (unsigned i = 0; i < CARD_FIELD_COUNT; i++)
        inside(file, len, record.field[i].whole, record.field[i].whole_len);
    inside(file, len, record.photo, record.photo_len);
    FUZZ_CHECK(strlen(record.birth) == 8 && strspn(record.birth, "0123456789") == 8);
    FUZZ_CHECK(strlen(record.sex) == 1 && strspn(record.sex, "0123456789") == 1);
    FUZZ_CHECK(strlen(record.expiry) == 8 || record.expiry[0] == '\0');
    /* The issuers' keys are not in anybody's input: what is changed in a byte is not genuine. */
    (void)card_proof_record(trust, &record, signer, signer_len);
    (void)card_proof_challenge(&record, signer, signer_len < 16 ? signer_len : 16, signer,
                               signer_len);
}

static void try_certificate(const struct card_trust *trust, const uint8_t *file, size_t len)
{
    struct card_certificate certificate;

    memset(&certificate, 0, sizeof(certificate));
    if (card_certificate_parse(&certificate, file, len) == 0) {
        FUZZ_CHECK(certificate.x509 != NULL);
        (void)card_proof_chain(trust, &certificate);
        FUZZ_CHECK(card_proof_signature(&certificate, "x", 1, file, len < 256 ? len : 256) <= 0);
    }
    card_certificate_clear(&certificate);
}

static const struct rig_world *the_world(void)
{
    static struct rig_world world;
    static bool made;

    if (!made)
        FUZZ_CHECK(rig_world_new(&world) == 0);
    made = true;
    return &world;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct card_trust *trust;
    struct fuzz_input in = {data, (fuzz_shortage_take(data, &size), size)};
    unsigned what = fuzz_u8(&in);
    struct card_signer signer;
    uint8_t *file, *second;
    size_t len, second_len;
    char name[257];

    if (trust == NULL) {
        char *culprit = NULL;

        FUZZ_CHECK(
            card_trust_load(&trust, the_world()->directory, the_world()->user_ca, &culprit) == 0);
        /* Read once, not needed again; a killed run leaves nothing behind. */
        rig_world_free((struct rig_world *)(uintptr_t)the_world());
    }
    file = fuzz_piece_copy(&in, 0x8000, &len);
    second = fuzz_piece_copy(&in, 2048, &second_len);
    fuzz_shortage_arm();
    switch (what % 5) {
    case 0:
        try_tlv(file, len);
        break;
    case 1:
        try_record(trust, file, len, second, second_len);
        break;
    case 2:
        if (card_signer_parse(&signer, file, len) == 0) {
            inside(file, len, signer.body.value, signer.body.len);
            inside(file, len, signer.issuer, CARD_KEY_ID_BYTES);
            inside(file, len, signer.subject, CARD_KEY_ID_BYTES);
            inside(file, len, signer.key, signer.key_len);
            inside(file, len, signer.signature.value, signer.signature.len);
        }
        break;
    case 3:
        if (card_text_name(file, len, name, what < 128 ? sizeof(name) : 1u + what % 32) != 0)
            FUZZ_CHECK(name[0] == '\0');
        break;
    default:
        try_certificate(trust, file, len);
        break;
    }
    (void)fuzz_shortage_disarm();
    free(file);
    free(second);
    return 0;
}

void fuzz_seeds(void)
{
    static struct fuzz_seed seed;
    const struct rig_world *world = the_world();
    static uint8_t record[40000];
    const struct rig_record without = {.birth = "20250102", .sex = "1", .expiry = "20300102"};
    size_t len = rig_make_record(world, &without, record, sizeof(record));

    seed_u8(&seed, 1);
    seed_piece(&seed, record, len);
    seed_piece(&seed, world->signer, world->signer_len);
    seed_write(&seed, "record_without_photo");
    seed_u8(&seed, 1);
    seed_piece(&seed, world->record, world->record_len);
    seed_piece(&seed, world->signer, world->signer_len);
    seed_write(&seed, "record");
    seed_u8(&seed, 0);
    seed_piece(&seed, record, len);
    seed_write(&seed, "tlv");
    seed_u8(&seed, 2);
    seed_piece(&seed, world->signer, world->signer_len);
    seed_write(&seed, "signer");
    seed_u8(&seed, 3);
    seed_piece(&seed, world->text, world->text_len);
    seed_write(&seed, "text");
    seed_u8(&seed, 4);
    seed_piece(&seed, world->certificate, world->certificate_len);
    seed_write(&seed, "certificate");
    rig_world_free((struct rig_world *)(uintptr_t)world);
}
