#include "card_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "daemon/common/clock.h"
#include "daemon/common/secret.h"

/* -- the chip ---------------------------------------------------------------------------------- */

struct rig_file *rig_file(struct card_rig *rig, uint8_t application, uint16_t id)
{
    for (size_t i = 0; i < rig->nfiles; i++)
        if (rig->files[i].application == application && rig->files[i].id == id)
            return &rig->files[i];
    return NULL;
}

static void put(struct card_rig *rig, const void *data, size_t len, unsigned sw)
{
    if (len > 0)
        memcpy(rig->answer, data, len);
    rig->answer[len] = (uint8_t)(sw >> 8);
    rig->answer[len + 1] = (uint8_t)sw;
    rig->answer_len = len + 2;
}

static void status(struct card_rig *rig, unsigned sw)
{
    put(rig, NULL, 0, sw);
}

static bool is_open(struct card_rig *rig, const struct rig_file *file)
{
    const struct rig_file *guard =
        file->guard != 0 ? rig_file(rig, file->application, file->guard) : NULL;

    return guard == NULL || guard->verified;
}

static void do_select(struct card_rig *rig, const uint8_t *a, size_t len)
{
    bool known = false;

    if (a[2] == 0x04 && a[3] == 0x0C && len == 15 && a[4] == 10) {
        for (size_t i = 0; i < rig->nfiles; i++)
            known =
                known || (rig->files[i].application == a[14] && (a[7] == 0xF0) == (a[14] == 0x01));
        if (known) {
            rig->application = a[14];
            rig->current = NULL;
        }
        status(rig, known ? 0x9000 : 0x6A82);
    } else if (a[2] == 0x02 && a[3] == 0x0C && len == 7 && a[4] == 2) {
        struct rig_file *file = rig_file(rig, rig->application, (uint16_t)(a[5] << 8 | a[6]));

        if (file != NULL)
            rig->current = file;
        status(rig, file != NULL ? 0x9000 : 0x6A82);
    } else {
        status(rig, 0x6A86);
    }
}

static void do_verify(struct card_rig *rig, const uint8_t *a, size_t len)
{
    struct rig_file *key = rig->current;

    if (key == NULL || key->secret == NULL) {
        status(rig, key == NULL ? 0x6986 : 0x6981);
    } else if (len == 4) {
        status(rig, key->query_sw != 0 ? key->query_sw : 0x63C0u | (unsigned)key->tries);
    } else {
        key->sent++;
        if (key->tries == 0) {
            status(rig, key->locked_sw != 0 ? key->locked_sw : 0x6984);
            return;
        }
        key->verified = len == 5 + strlen(key->secret) && memcmp(a + 5, key->secret, len - 5) == 0;
        key->tries = key->verified ? key->most : key->tries - 1;
        status(rig, key->verified ? 0x9000 : 0x63C0u | (unsigned)key->tries);
    }
}

static void do_read(struct card_rig *rig, const uint8_t *a, size_t len)
{
    const struct rig_file *file = rig->current;
    size_t offset = (size_t)(a[2] << 8 | a[3]);
    size_t want = len == 5 ? (a[4] == 0 ? 256u : a[4]) : (size_t)(a[5] << 8 | a[6]);
    size_t n;

    if (len == 7 && want == 0)
        want = 65536;
    if (len == 7 && rig->no_extended) {
        status(rig, 0x6700);
        return;
    }
    if (file == NULL || file->data == NULL) {
        status(rig, file == NULL ? 0x6986 : 0x6981);
    } else if (!is_open(rig, file)) {
        status(rig, 0x6982);
    } else if (offset >= file->len) {
        status(rig, 0x6B00);
    } else {
        n = file->len - offset < want ? file->len - offset : want;
        if (rig->wrong_length && len == 5 && a[4] == 0 && n < 256) {
            status(rig, 0x6C00u | (unsigned)n);
        } else if (rig->short_pieces && n > 1) {
            /* One byte now; of the others the first are announced. */
            memcpy(rig->rest, file->data + offset + 1, n - 1);
            rig->rest_len = n - 1;
            put(rig, file->data + offset, 1, 0x6100u | (n - 1 < 256 ? (unsigned)(n - 1) : 0u));
        } else {
            put(rig, file->data + offset, n, 0x9000);
        }
    }
}

static void do_get_response(struct card_rig *rig, const uint8_t *a)
{
    size_t n = a[4] == 0 ? 256 : a[4];

    size_t left;

    n = n < rig->rest_len ? n : rig->rest_len;
    left = rig->rest_len - n;
    put(rig, rig->rest, n, left == 0 ? 0x9000u : 0x6100u | (left < 256 ? (unsigned)left : 0u));
    memmove(rig->rest, rig->rest + n, left);
    rig->rest_len = left;
}

static void do_sign(struct card_rig *rig, const uint8_t *a, size_t len)
{
    EVP_PKEY *key = a[3] == 0x80 && rig->current != NULL ? rig->current->key
                    : a[3] == 0                          ? rig->own_key
                                                         : NULL;
    EVP_PKEY_CTX *ctx = NULL;
    size_t out = sizeof(rig->answer) - 2;

    if (a[3] == 0x80 && rig->current != NULL && !is_open(rig, rig->current)) {
        status(rig, 0x6982);
        return;
    }
    if (key == NULL || len != 5u + a[4] + 1u || a[len - 1] != 0) {
        status(rig, 0x6A86);
        return;
    }
    ctx = EVP_PKEY_CTX_new(key, NULL);
    if (EVP_PKEY_sign_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
        EVP_PKEY_sign(ctx, rig->answer, &out, a + 5, a[4]) == 1) {
        rig->answer[out] = 0x90;
        rig->answer[out + 1] = 0x00;
        rig->answer_len = out + 2;
    } else {
        status(rig, 0x6F00);
    }
    EVP_PKEY_CTX_free(ctx);
}

static void answer(struct card_rig *rig, const uint8_t *a, size_t len)
{
    switch (a[1]) {
    case 0xA4:
        do_select(rig, a, len);
        break;
    case 0x20:
        do_verify(rig, a, len);
        break;
    case 0xB0:
        do_read(rig, a, len);
        break;
    case 0xC0:
        do_get_response(rig, a);
        break;
    case 0x2A:
        do_sign(rig, a, len);
        break;
    default:
        status(rig, 0x6D00);
    }
}

static void power_lost(struct card_rig *rig)
{
    rig->powered = false;
    rig->application = 0;
    rig->current = NULL;
    for (size_t i = 0; i < rig->nfiles; i++)
        rig->files[i].verified = false;
}

/* -- the channel ------------------------------------------------------------------------------- */

static struct card_rig *begin(struct card_channel *channel, card_channel_fn *done, void *arg)
{
    struct card_rig *rig = (struct card_rig *)channel;

    assert_false(rig->pending);
    rig->pending = true;
    rig->done = done;
    rig->arg = arg;
    rig->link = CARD_LINK_OK;
    rig->answer_len = 0;
    return rig;
}

static void power_on(struct card_channel *channel, uint64_t deadline_us, card_channel_fn *done,
                     void *arg)
{
    struct card_rig *rig = begin(channel, done, arg);

    assert_true(deadline_us > clock_monotonic_us(rig->clock));
    power_lost(rig);
    rig->power_ons++;
    rig->link = rig->power_link;
    rig->powered = rig->link == CARD_LINK_OK;
    memcpy(rig->answer, "\x3B\xE0\x00\xFF\x81\x31\xFE\x45\x14", 9);
    rig->answer_len = rig->powered ? 9 : 0;
}

static void power_off(struct card_channel *channel, uint64_t deadline_us, card_channel_fn *done,
                      void *arg)
{
    struct card_rig *rig = begin(channel, done, arg);

    assert_true(deadline_us > clock_monotonic_us(rig->clock));
    power_lost(rig);
    rig->power_offs++;
}

static void transmit(struct card_channel *channel, const uint8_t *apdu, size_t len,
                     uint64_t deadline_us, card_channel_fn *done, void *arg)
{
    struct card_rig *rig = begin(channel, done, arg);
    struct rig_apdu *log = &rig->log[rig->apdus % RIG_LOG];

    assert_true(rig->powered);
    assert_true(deadline_us <= clock_monotonic_us(rig->clock) + 5 * CLOCK_SECOND);
    assert_true(len >= 4);
    log->len = len;
    memcpy(log->bytes, apdu, len < sizeof(log->bytes) ? len : sizeof(log->bytes));
    rig->apdus++;
    if (rig->apdus == rig->fail_at) {
        rig->link = rig->fail_link;
        memcpy(rig->answer, rig->fail_answer, rig->fail_answer_len);
        rig->answer_len = rig->fail_answer_len;
        if (rig->link == CARD_LINK_REMOVED)
            power_lost(rig);
        return;
    }
    answer(rig, apdu, len);
}

static void abort_request(struct card_channel *channel)
{
    struct card_rig *rig = (struct card_rig *)channel;

    rig->aborts++;
    if (rig->pending)
        rig->link = CARD_LINK_CANCELLED;
}

static const struct card_channel_ops ops = {
    .power_on = power_on, .power_off = power_off, .transmit = transmit, .abort = abort_request};

static void deliver(struct card_rig *rig)
{
    if (rig->leaves_at != 0 && rig->apdus == rig->leaves_at) {
        rig->leaves_at = 0;
        power_lost(rig);
        card_engine_card_gone(rig->engine);
    }
    rig->pending = false;
    rig->done(rig->arg, rig->link, rig->link == CARD_LINK_OK ? rig->answer : NULL,
              rig->link == CARD_LINK_OK ? rig->answer_len : 0);
}

void rig_finish(struct card_rig *rig)
{
    unsigned before = rig->reports;

    for (unsigned turns = 0; rig->reports == before; turns++) {
        assert_true(turns < 100000);
        if (rig->pending)
            deliver(rig);
        else
            (void)clock_advance(rig->clock, 1);
    }
}

/* -- operations -------------------------------------------------------------------------------- */

void rig_done(struct card_engine *engine, const struct card_report *report, void *arg)
{
    struct card_rig *rig = arg;

    assert_ptr_equal(engine, rig->engine);
    assert_false(card_engine_busy(engine));
    rig->reports++;
    rig->report = *report;
    if (report->photo != NULL)
        memcpy(rig->photo, report->photo, report->photo_len);
    if (report->certificate != NULL)
        memcpy(rig->certificate, report->certificate, report->certificate_len);
    if (report->subject != NULL)
        memcpy(rig->subject, report->subject, 32);
    if (report->statement != NULL)
        memcpy(rig->statement, report->statement, report->statement_len);
    if (report->signature != NULL)
        memcpy(rig->signature, report->signature, report->signature_len);
}

static uint64_t deadline(const struct card_rig *rig)
{
    return clock_monotonic_us(rig->clock) + 30 * CLOCK_SECOND;
}

enum card_end rig_identify(struct card_rig *rig)
{
    assert_int_equal(card_engine_identify(rig->engine, deadline(rig), rig_done, rig), 0);
    rig_finish(rig);
    return rig->report.end;
}

enum card_end rig_sign(struct card_rig *rig, const char *pin, bool agreed)
{
    const struct card_sign_request request = {.deadline_us = deadline(rig),
                                              .last_try_agreed = agreed,
                                              .time = 1795339500,
                                              .institution = "9910000017",
                                              .purpose = "eligibility"};
    struct secret secret;

    assert_int_equal(secret_new(&secret, 64), 0);
    assert_int_equal(secret_set(&secret, pin, strlen(pin)), 0);
    assert_int_equal(card_engine_sign(rig->engine, &request, &secret, rig_done, rig), 0);
    assert_null(secret.data);
    rig_finish(rig);
    return rig->report.end;
}

enum card_end rig_photo(struct card_rig *rig, const char *number_b, bool agreed, bool scanned)
{
    const struct card_photo_request request = {
        .deadline_us = deadline(rig), .few_tries_agreed = agreed, .scanned = scanned};
    struct secret secret;

    assert_int_equal(secret_new(&secret, 64), 0);
    assert_int_equal(secret_set(&secret, number_b, strlen(number_b)), 0);
    assert_int_equal(card_engine_photo(rig->engine, &request, &secret, rig_done, rig), 0);
    assert_null(secret.data);
    rig_finish(rig);
    return rig->report.end;
}

unsigned rig_verifies(const struct card_rig *rig)
{
    unsigned n = 0;

    for (size_t i = 0; i < rig->nfiles; i++)
        n += rig->files[i].sent;
    return n;
}

void rig_assert_apdu(const struct card_rig *rig, unsigned n, const char *hex)
{
    char text[2 * 64 + 1];
    size_t len = rig->log[n].len < 64 ? rig->log[n].len : 64;

    assert_true(n < rig->apdus);
    for (size_t i = 0; i < len; i++)
        snprintf(text + 2 * i, 3, "%02X", rig->log[n].bytes[i]);
    assert_string_equal(text, hex);
}

static void add(struct card_rig *rig, struct rig_file file)
{
    assert_true(rig->nfiles < RIG_FILES);
    rig->files[rig->nfiles++] = file;
}

void rig_start(struct card_rig *rig, const struct rig_world *world, bool trusted)
{
    static const uint8_t token[] = "JPKIAPICCTOKEN2                 ";
    char *culprit = NULL;

    memset(rig, 0, sizeof(*rig));
    rig->channel.ops = &ops;
    rig->channel.read_max = 256;
    rig->clock = clock_new_simulated(1000 * CLOCK_SECOND, 1795339500 * CLOCK_SECOND);
    assert_int_equal(card_trust_load(&rig->trust, trusted ? world->directory : "",
                                     trusted ? world->user_ca : "", &culprit),
                     0);
    rig->engine = card_engine_new(rig->clock, rig->trust);
    assert_non_null(rig->engine);
    card_engine_set_channel(rig->engine, &rig->channel);
    rig->own_key = world->chip_key;
    add(rig, (struct rig_file){.application = 0x01, .id = 0x0006, .data = token, .len = 32});
    add(rig, (struct rig_file){.application = 0x01,
                               .id = 0x000A,
                               .data = world->certificate,
                               .len = world->certificate_len});
    add(rig, (struct rig_file){
                 .application = 0x01, .id = 0x0017, .key = world->user_key, .guard = 0x0018});
    add(rig, (struct rig_file){
                 .application = 0x01, .id = 0x0018, .secret = "1234", .tries = 3, .most = 3});
    add(rig, (struct rig_file){.application = 0x02,
                               .id = 0x0002,
                               .data = world->record,
                               .len = world->record_len,
                               .guard = 0x0012});
    add(rig,
        (struct rig_file){
            .application = 0x02, .id = 0x0004, .data = world->signer, .len = world->signer_len});
    add(rig, (struct rig_file){.application = 0x02,
                               .id = 0x0012,
                               .secret = "55021720352285",
                               .tries = 10,
                               .most = 10});
    add(rig, (struct rig_file){.application = 0x08,
                               .id = 0x0002,
                               .data = world->text,
                               .len = world->text_len,
                               .guard = 0x0015});
    add(rig, (struct rig_file){.application = 0x08,
                               .id = 0x0015,
                               .secret = "55021720352285",
                               .tries = 10,
                               .most = 10});
}

void rig_stop(struct card_rig *rig)
{
    card_engine_free(&rig->engine);
    card_trust_free(&rig->trust);
    clock_free(&rig->clock);
}

/* -- the world --------------------------------------------------------------------------------- */

static size_t put_tlv(uint8_t *out, unsigned tag, const void *value, size_t len)
{
    size_t n = 0;

    if (tag > 0xFF)
        out[n++] = (uint8_t)(tag >> 8);
    out[n++] = (uint8_t)tag;
    if (len >= 256)
        out[n++] = 0x82;
    else if (len >= 128)
        out[n++] = 0x81;
    if (len >= 256)
        out[n++] = (uint8_t)(len >> 8);
    out[n++] = (uint8_t)len;
    memcpy(out + n, value, len);
    return n + len;
}

/* 90 03 010001 | 91 82 0100 <modulus> */
static size_t put_key(uint8_t *out, EVP_PKEY *key)
{
    static const uint8_t exponent[] = {0x01, 0x00, 0x01};
    uint8_t modulus[256];
    BIGNUM *n = NULL;
    size_t at = put_tlv(out, 0x90, exponent, 3);

    assert_int_equal(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n), 1);
    assert_int_equal(BN_bn2binpad(n, modulus, sizeof(modulus)), 256);
    BN_free(n);
    return at + put_tlv(out + at, 0x91, modulus, sizeof(modulus));
}

static void raw_sign(EVP_PKEY *key, const uint8_t *payload, size_t len, uint8_t signature[256])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    size_t out = 256;

    assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING), 1);
    assert_int_equal(EVP_PKEY_sign(ctx, signature, &out, payload, len), 1);
    EVP_PKEY_CTX_free(ctx);
}

size_t rig_make_record(const struct rig_world *world, const struct rig_record *what, uint8_t *out,
                       size_t size)
{
    static const uint8_t info[] = {0x30, 0x71, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                   0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x60};
    static uint8_t body[40000];
    uint8_t key[300];
    uint8_t payload[115];
    uint8_t signature[256];
    size_t at[10];
    size_t n = 3 + 18; /* DF21 12 and nine offsets */
    size_t key_len = put_key(key, world->chip_key);
    size_t header = what->shift + 5; /* FF20 82 LLLL */

    at[0] = n;
    n += put_tlv(body + n, 0xDF22, what->birth, strlen(what->birth));
    at[1] = n;
    n += put_tlv(body + n, 0xDF23, what->sex, strlen(what->sex));
    at[2] = n;
    n += put_tlv(body + n, 0xDF24, key, key_len);
    at[3] = n;
    n += put_tlv(body + n, 0xDF25, "name picture", 12);
    at[4] = n;
    n += put_tlv(body + n, 0xDF26, "address picture", 15);
    at[5] = n;
    if (what->photo != NULL)
        n += put_tlv(body + n, 0xDF27, what->photo, what->photo_len);
    at[6] = n;
    memcpy(payload, info, sizeof(info));
    SHA256(body + at[0], at[3] - at[0], payload + 19);
    SHA256(body + at[3], at[5] - at[3], payload + 51);
    SHA256(body + at[5], at[6] - at[5], payload + 83);
    raw_sign(world->city_key, payload, sizeof(payload), signature);
    n += put_tlv(body + n, 0xDF28, signature, sizeof(signature));
    at[7] = n;
    n += put_tlv(body + n, 0xDF29, what->expiry, strlen(what->expiry));
    at[8] = n;
    n += put_tlv(body + n, 0xDF2A, "code picture", 12);
    body[0] = 0xDF;
    body[1] = 0x21;
    body[2] = 18;
    for (size_t i = 0; i < 9; i++) {
        size_t offset = at[i] + header + (size_t)what->offset_error;

        body[3 + 2 * i] = (uint8_t)(offset >> 8);
        body[4 + 2 * i] = (uint8_t)offset;
    }
    if (what->forged)
        body[at[6] - 1] ^= 1;
    assert_true(n < 65536 && what->shift + 5 + n + 7 <= size);
    memset(out, 0xEE, what->shift);
    out[what->shift] = 0xFF;
    out[what->shift + 1] = 0x20;
    out[what->shift + 2] = 0x82;
    out[what->shift + 3] = (uint8_t)(n >> 8);
    out[what->shift + 4] = (uint8_t)n;
    memcpy(out + header, body, n);
    memset(out + header + n, 0xFF, 7); /* filler */
    return header + n + 7;
}

static void make_signer(struct rig_world *w)
{
    static const uint8_t ids[32] = "6000023\x08\x05"
                                   "001ABCD"
                                   "1310101\x08\x05"
                                   "001EFGH";
    uint8_t body[297];
    uint8_t signature[256];
    uint8_t inner[600];
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    size_t len = sizeof(signature);
    size_t n;

    memcpy(body, ids, 32);
    assert_int_equal(put_key(body + 32, w->city_key), 265);
    assert_int_equal(EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, w->issuer_key), 1);
    assert_int_equal(EVP_DigestSign(md, signature, &len, body, sizeof(body)), 1);
    EVP_MD_CTX_free(md);
    n = put_tlv(inner, 0x5F4E, body, sizeof(body));
    n += put_tlv(inner + n, 0x5F37, signature, len);
    /* 7F21 82 0233: the length that the published description gives */
    assert_int_equal(n, 0x0233);
    w->signer_len = put_tlv(w->signer, 0x7F21, inner, n);
}

static void make_text(struct rig_world *w)
{
    static const char name[] = "見本　太郎";
    uint8_t inner[400];
    size_t n = put_tlv(inner, 0xDF21, "\0\x0E\0\x20\0\x30\0\x3B", 8);

    n += put_tlv(inner + n, 0xDF22, name, strlen(name));
    n += put_tlv(inner + n, 0xDF23, "東京都", strlen("東京都"));
    n += put_tlv(inner + n, 0xDF24, "19800217", 8);
    n += put_tlv(inner + n, 0xDF25, "1", 1);
    w->text_len = put_tlv(w->text, 0xFF20, inner, n);
    memset(w->text + w->text_len, 0xFF, 3);
    w->text_len += 3;
}

static X509 *make_certificate(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key,
                              uint64_t serial)
{
    X509 *cert = X509_new();
    X509V3_CTX ctx;
    X509_EXTENSION *ext;

    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(issuer != NULL ? issuer : cert));
    ASN1_TIME_set_string_X509(X509_getm_notBefore(cert), "20240610000000Z");
    ASN1_TIME_set_string_X509(X509_getm_notAfter(cert), "20290604235959Z");
    X509_set_pubkey(cert, key);
    X509V3_set_ctx(&ctx, issuer != NULL ? issuer : cert, cert, NULL, NULL, 0);
    if (issuer == NULL) {
        ext = X509V3_EXT_conf_nid(NULL, &ctx, NID_basic_constraints, "critical,CA:TRUE");
        X509_add_ext(cert, ext, -1);
        X509_EXTENSION_free(ext);
    }
    assert_true(X509_sign(cert, issuer_key, EVP_sha256()) > 0);
    return cert;
}

int rig_world_new(struct rig_world *w)
{
    unsigned char *at = w->certificate;
    char path[128];
    FILE *file;

    memset(w, 0, sizeof(*w));
    snprintf(w->directory, sizeof(w->directory), "/tmp/card-rig-XXXXXX");
    if (mkdtemp(w->directory) == NULL)
        return -1;
    snprintf(w->user_ca, sizeof(w->user_ca), "%s/user-ca.pem", w->directory);
    w->ca_key = EVP_RSA_gen(2048);
    w->user_key = EVP_RSA_gen(2048);
    w->issuer_key = EVP_RSA_gen(2048);
    w->city_key = EVP_RSA_gen(2048);
    w->chip_key = EVP_RSA_gen(2048);
    w->ca = make_certificate("Test user CA", w->ca_key, NULL, w->ca_key, 1);
    w->user = make_certificate("user", w->user_key, w->ca, w->ca_key, 0x8123456789ABCDEF);
    w->certificate_len = (size_t)i2d_X509(w->user, &at);
    for (size_t i = 0; i < sizeof(w->photo); i++)
        w->photo[i] = (uint8_t)(i * 7 + i / 256);
    memcpy(w->photo, "\x00\x00\x00\x0C\x6A\x50\x20\x20\x0D\x0A\x87\x0A", 12);
    w->record_len = rig_make_record(w,
                                    &(struct rig_record){.birth = "19800217",
                                                         .sex = "1",
                                                         .expiry = "20350217",
                                                         .photo = w->photo,
                                                         .photo_len = sizeof(w->photo)},
                                    w->record, sizeof(w->record));
    make_signer(w);
    make_text(w);
    snprintf(path, sizeof(path), "%s/kenkaku-issuer-6000023.pem", w->directory);
    file = fopen(path, "w");
    PEM_write_PUBKEY(file, w->issuer_key);
    fclose(file);
    file = fopen(w->user_ca, "w");
    PEM_write_X509(file, w->ca);
    fclose(file);
    return 0;
}

void rig_world_free(struct rig_world *w)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/kenkaku-issuer-6000023.pem", w->directory);
    unlink(path);
    unlink(w->user_ca);
    rmdir(w->directory);
    EVP_PKEY_free(w->ca_key);
    EVP_PKEY_free(w->user_key);
    EVP_PKEY_free(w->issuer_key);
    EVP_PKEY_free(w->city_key);
    EVP_PKEY_free(w->chip_key);
    X509_free(w->ca);
    X509_free(w->user);
}
