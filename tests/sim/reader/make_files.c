#include "make_files.h"

#include "make_png.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OFFSETS_FACE = 9, OFFSETS_TEXT = 4, HASH = SHA256_DIGEST_LENGTH };

static const char *person_get(const struct settings *person, const char *key)
{
    return sim_settings_get(person, key, "");
}

/* First day of each era, newest first, and the Gregorian year before its year 1. */
static const struct {
    unsigned from, base;
} eras[] = {
    {20190501, 2018}, /* Reiwa */
    {19890108, 1988}, /* Heisei */
    {19261225, 1925}, /* Showa */
    {19120730, 1911}, /* Taisho */
    {18730101, 1867}, /* Meiji, from its solar calendar on */
};

bool sim_make_era_date(char out[7], const char *birth)
{
    uint64_t day;
    size_t i;

    if (strlen(birth) != 8 || sim_util_parse_u64(birth, 10, 99991231, &day) < 0)
        return false;
    for (i = 0; i < sizeof(eras) / sizeof(eras[0]); i++) {
        if (day < eras[i].from)
            continue;
        snprintf(out, 7, "%02u%04u", (unsigned)(day / 10000 - eras[i].base) % 100,
                 (unsigned)(day % 10000));
        return true;
    }
    return false;
}

bool sim_make_number_b(char out[15], const char *birth, const char *expiry, const char *code)
{
    char era[7];

    if (!sim_make_era_date(era, birth) || strlen(expiry) != 8 || strlen(code) != 4)
        return false;
    snprintf(out, 15, "%s%.4s%s", era, expiry, code);
    return true;
}

static void put_text(struct buf *b, unsigned tag, const char *text)
{
    sim_buf_put_tlv(b, tag, text, strlen(text));
}

static void put_picture(struct buf *b, unsigned tag, const char *text, unsigned scale, unsigned w,
                        unsigned h)
{
    struct buf png = {0};

    sim_make_png_text(&png, text, scale, w, h);
    if (png.failed)
        b->failed = true;
    sim_buf_put_tlv(b, tag, png.data, png.len);
    sim_buf_free(&png);
}

static void put_public(struct buf *b, unsigned tag, EVP_PKEY *key)
{
    struct buf pub = {0};

    sim_pki_put_public(&pub, key);
    if (pub.failed)
        b->failed = true;
    sim_buf_put_tlv(b, tag, pub.data, pub.len);
    sim_buf_free(&pub);
}

/* Plain SHA-256 signature over everything written so far, as its own TLV. */
static void put_signature(struct buf *b, unsigned tag, EVP_PKEY *key)
{
    uint8_t signature[PKI_SIGNATURE];

    if (b->failed || sim_pki_sign_sha256(key, b->data, b->len, signature) < 0) {
        b->failed = true;
        return;
    }
    sim_buf_put_tlv(b, tag, signature, sizeof(signature));
}

static bool finish(struct buf *out, unsigned tag, struct buf *body)
{
    sim_buf_put_tlv(out, tag, body->data, body->len);
    if (body->failed)
        out->failed = true;
    sim_buf_free(body);
    return !out->failed;
}

bool sim_make_kenkaku_0001(struct buf *out, const struct make_face *f)
{
    struct buf b = {0};

    put_text(&b, 0xDF11, person_get(f->person, "birth"));
    put_public(&b, 0xDF12, f->chip);
    put_signature(&b, 0xDF13, f->signers->municipality);
    return finish(out, 0xFF10, &b);
}

/*
 * Signature of the card face: three segments, hashed apart with SHA-256 (TLV bytes included),
 * concatenated into one DigestInfo of 96 octets and padded with PKCS#1 v1.5.
 */
static bool sign_face(EVP_PKEY *key, const struct buf *b, const size_t segment[4],
                      uint8_t signature[PKI_SIGNATURE])
{
    uint8_t payload[19 + 3 * HASH] = {0x30, 0x71, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                      0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x60};
    size_t i;

    for (i = 0; i < 3; i++)
        SHA256(b->data + segment[i], segment[i + 1] - segment[i], payload + 19 + i * HASH);
    return sim_pki_sign_payload(key, payload, sizeof(payload), signature) == 0;
}

bool sim_make_kenkaku_0002(struct buf *out, const struct make_face *f)
{
    /* FF20 and its 82-form length (5), DF21 with length byte (3) and nine offsets */
    const size_t head = 2 + 3 + 3 + OFFSETS_FACE * 2;
    uint8_t table[OFFSETS_FACE * 2] = {0}, signature[PKI_SIGNATURE];
    size_t at[OFFSETS_FACE] = {0}, segment[4];
    struct buf b = {0}, whole = {0};
    size_t i, len = f->photo ? f->photo_len : 0;

    at[0] = b.len;
    put_text(&b, 0xDF22, person_get(f->person, "birth"));
    at[1] = b.len;
    put_text(&b, 0xDF23, person_get(f->person, "sex"));
    at[2] = b.len;
    put_public(&b, 0xDF24, f->chip);
    segment[0] = at[0];
    segment[1] = at[3] = b.len;
    put_picture(&b, 0xDF25, person_get(f->person, "roman"), 2, 240, 24);
    at[4] = b.len;
    put_picture(&b, 0xDF26, person_get(f->person, "address-roman"), 1, 240, 24);
    segment[2] = at[5] = b.len;
    if (!f->photo_absent)
        sim_buf_put_tlv(&b, 0xDF27, f->photo ? f->photo : (const uint8_t *)"", len);
    segment[3] = at[6] = b.len;
    if (b.failed || !sign_face(f->signers->municipality, &b, segment, signature)) {
        b.failed = true;
        goto out;
    }
    if (f->spoil_record && len > 0)
        b.data[segment[3] - 1] ^= 1;
    sim_buf_put_tlv(&b, 0xDF28, signature, sizeof(signature));
    at[7] = b.len;
    put_text(&b, 0xDF29, person_get(f->person, "expiry"));
    at[8] = b.len;
    put_picture(&b, 0xDF2A, person_get(f->person, "security-code"), 1, 24, 12);
    for (i = 0; i < OFFSETS_FACE; i++)
        if (i != 5 || !f->photo_absent)
            util_put_be16(table + 2 * i, (unsigned)(head + at[i]));
    sim_buf_put_tlv(&whole, 0xDF21, table, sizeof(table));
    sim_buf_put(&whole, b.data, b.len);
    if (whole.len < 256 || whole.len > 32000)
        whole.failed = true; /* the offsets count on the three-byte length form */
out:
    if (b.failed)
        whole.failed = true;
    sim_buf_free(&b);
    return finish(out, 0xFF20, &whole);
}

bool sim_make_kenkaku_0003(struct buf *out, const struct make_face *f)
{
    struct buf b = {0};
    uint8_t opaque[256];

    /* application id, key id, version, municipality; two opaque values whose use is unknown */
    sim_buf_put_tlv(&b, 0xDF31, "\x01\x04\x02\x00", 4);
    sim_buf_put_tlv(&b, 0xDF32, f->signers->municipality_id, 16);
    sim_buf_put_tlv(&b, 0xDF33, "\x01", 1);
    put_text(&b, 0xDF34, person_get(f->person, "municipality"));
    if (sim_pki_sign_sha256(f->signers->municipality, b.data, b.len, opaque) < 0)
        b.failed = true;
    sim_buf_put_tlv(&b, 0xDF35, f->signers->issuer_id, 16);
    sim_buf_put_tlv(&b, 0xDF36, opaque, sizeof(opaque));
    return finish(out, 0xFF30, &b);
}

bool sim_make_kenkaku_0005(struct buf *out, const struct make_face *f)
{
    struct buf b = {0};

    put_picture(&b, 0xDF41, person_get(f->person, "number"), 2, 160, 20);
    put_public(&b, 0xDF42, f->chip);
    put_signature(&b, 0xDF43, f->signers->municipality);
    return finish(out, 0xFF40, &b);
}

bool sim_make_kenhojo_0001(struct buf *out, const struct settings *person)
{
    put_text(out, 0xFF10, person_get(person, "number"));
    sim_buf_put(out, "\xff\xff", 2); /* 17 bytes in the chip */
    return !out->failed;
}

bool sim_make_kenhojo_0002(struct buf *out, const struct settings *person)
{
    static const struct {
        unsigned tag;
        const char *key;
    } fields[OFFSETS_TEXT] = {
        {0xDF22, "name"}, {0xDF23, "address"}, {0xDF24, "birth"}, {0xDF25, "sex"}};
    uint8_t table[OFFSETS_TEXT * 2];
    struct buf b = {0}, whole = {0};
    size_t at[OFFSETS_TEXT], head, inner, i;

    for (i = 0; i < OFFSETS_TEXT; i++) {
        at[i] = b.len;
        put_text(&b, fields[i].tag, person_get(person, fields[i].key));
    }
    inner = 3 + sizeof(table) + b.len;
    head = 2u + (inner > 0xff ? 3u : inner > 0x7f ? 2u : 1u) + 3 + sizeof(table);
    for (i = 0; i < OFFSETS_TEXT; i++)
        util_put_be16(table + 2 * i, (unsigned)(head + at[i]));
    sim_buf_put_tlv(&whole, 0xDF21, table, sizeof(table));
    sim_buf_put(&whole, b.data, b.len);
    if (b.failed)
        whole.failed = true;
    sim_buf_free(&b);
    return finish(out, 0xFF20, &whole);
}

bool sim_make_kenhojo_0003(struct buf *out, const struct settings *person,
                           const struct make_signers *signers)
{
    struct buf number = {0}, text = {0}, b = {0};
    uint8_t hash[HASH];
    size_t skip;

    if (!sim_make_kenhojo_0001(&number, person) || !sim_make_kenhojo_0002(&text, person)) {
        b.failed = true;
        goto out;
    }
    SHA256(number.data, number.len, hash); /* filler included */
    sim_buf_put_tlv(&b, 0xDF31, hash, sizeof(hash));
    /* from DF22 on: the outer header and the offset table are left out */
    skip = 2u + (text.data[2] == 0x82 ? 3u : text.data[2] == 0x81 ? 2u : 1u) + 3 + OFFSETS_TEXT * 2;
    SHA256(text.data + skip, text.len - skip, hash);
    sim_buf_put_tlv(&b, 0xDF32, hash, sizeof(hash));
    put_signature(&b, 0xDF33, signers->municipality);
out:
    sim_buf_free(&number);
    sim_buf_free(&text);
    return finish(out, 0xFF30, &b);
}

bool sim_make_kenhojo_0005(struct buf *out, struct prng *prng)
{
    uint8_t opaque[128];
    struct buf b = {0};

    sim_buf_put_tlv(&b, 0xDF41, "\x01\x04\x08\x00", 4);
    sim_prng_fill(prng, opaque, 16);
    sim_buf_put_tlv(&b, 0xDF42, opaque, 16);
    sim_prng_fill(prng, opaque, sizeof(opaque));
    sim_buf_put_tlv(&b, 0xDF43, opaque, sizeof(opaque));
    return finish(out, 0xFF40, &b);
}

bool sim_make_kenhojo_0006(struct buf *out, EVP_PKEY *text_key)
{
    sim_pki_put_public(out, text_key);
    return !out->failed;
}

bool sim_make_kenhojo_0007(struct buf *out, EVP_PKEY *text_key, const struct make_signers *signers)
{
    struct buf b = {0};

    put_public(&b, 0xDF51, text_key);
    put_signature(&b, 0xDF52, signers->municipality);
    return finish(out, 0xFF50, &b);
}

bool sim_make_common_0001(struct buf *out, const struct settings *person)
{
    char digits[29];

    if (snprintf(digits, sizeof(digits), "%015llu%.5s%.8s",
                 strtoull(person_get(person, "card-number"), NULL, 10) % 1000000000000000ull,
                 person_get(person, "municipality"), person_get(person, "expiry")) != 28)
        return false;
    put_text(out, 0x01, digits);
    return !out->failed;
}
