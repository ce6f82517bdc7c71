/*
 * Envelopes sealed by a browser's engine: the vectors were made with WebCrypto (node 20) from the sentence in
 * driver/reader/envelope.h, not by any code of this project.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/common/secret.h"
#include "driver/reader/envelope.h"

static const char scalar_hex[] = "1863cfab5282743c1c1933faaea8a80eab09823e889f1a7c389cb2634756b9b9";
static const struct {
    enum envelope_purpose purpose;
    uint64_t visit;
    const char *text;
    const char *sealed;
} vectors[] = {
    {ENVELOPE_PIN, 1, "1234",
     "04240e783141ae01af27c37d862c36f283322dc5ba0c79c8466e520cd109b0d0f394758581996dc11c7b57a6c70ab"
     "19be16eb5e6a1e1b0c667"
     "e69b203065581b690c2287730746b95fc963e66a5e8381d20d65cef84be98ddebb74645eb17389fc"},
    {ENVELOPE_NUMBER_B, 0x0102030405060708, "55021720352285",
     "0446172961fb48c114edae9c18789e4a1059ca259e5efb90f5ab4306d2472949eefa7e4237482126ee89ae4200ebd"
     "f764bafe2503b59fa1e23"
     "5927a4197137f7402cbe6163c6af50ab30c0fd095e91a4de1449e903b1bba759f550db2761eb2cedfc26c9c60919e"
     "a84f4bd"},
};

static struct envelope_key *key;

static size_t unhex(const char *hex, uint8_t *out, size_t size)
{
    size_t n = strlen(hex) / 2;
    unsigned byte;

    assert_true(n <= size);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        out[i] = (uint8_t)byte;
    }
    return n;
}

static int up(void **state)
{
    uint8_t scalar[32];

    (void)state;
    (void)unhex(scalar_hex, scalar, sizeof(scalar));
    return envelope_key_from(&key, scalar);
}

static int down(void **state)
{
    (void)state;
    envelope_key_free(&key);
    return 0;
}

static void what_a_browser_sealed_opens(void **state)
{
    uint8_t sealed[ENVELOPE_MAX];
    struct secret secret;
    size_t len;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        len = unhex(vectors[i].sealed, sealed, sizeof(sealed));
        assert_int_equal(
            envelope_open(key, vectors[i].purpose, vectors[i].visit, sealed, len, &secret), 0);
        assert_int_equal(secret.len, strlen(vectors[i].text));
        assert_memory_equal(secret.data, vectors[i].text, secret.len);
        secret_free(&secret);
    }
}

static void for_another_visit_or_purpose_it_does_not_open(void **state)
{
    uint8_t sealed[ENVELOPE_MAX];
    struct secret secret;
    size_t len = unhex(vectors[0].sealed, sealed, sizeof(sealed));

    (void)state;
    assert_int_equal(envelope_open(key, ENVELOPE_PIN, 2, sealed, len, &secret), -EBADMSG);
    assert_null(secret.data);
    assert_int_equal(envelope_open(key, ENVELOPE_NUMBER_B, 1, sealed, len, &secret), -EBADMSG);
    assert_null(secret.data);
}

static void every_changed_byte_and_every_cut_is_noticed(void **state)
{
    uint8_t sealed[ENVELOPE_MAX];
    struct secret secret;
    size_t len = unhex(vectors[0].sealed, sealed, sizeof(sealed));

    (void)state;
    for (size_t i = 0; i < len; i++) {
        sealed[i] ^= 0x10;
        assert_int_equal(envelope_open(key, ENVELOPE_PIN, 1, sealed, len, &secret), -EBADMSG);
        assert_null(secret.data);
        sealed[i] ^= 0x10;
    }
    for (size_t i = 0; i < len; i++)
        assert_int_equal(envelope_open(key, ENVELOPE_PIN, 1, sealed, i, &secret), -EBADMSG);
    assert_int_equal(envelope_open(key, ENVELOPE_PIN, 1, sealed, sizeof(sealed) + 1, &secret),
                     -EBADMSG);
}

static void a_key_of_another_visit_opens_nothing(void **state)
{
    uint8_t point[ENVELOPE_POINT];
    uint8_t again[ENVELOPE_POINT];
    uint8_t sealed[ENVELOPE_MAX];
    struct envelope_key *other = NULL;
    struct secret secret;
    size_t len = unhex(vectors[0].sealed, sealed, sizeof(sealed));

    (void)state;
    assert_int_equal(envelope_key_new(&other, point), 0);
    assert_int_equal(point[0], 0x04);
    assert_int_equal(envelope_open(other, ENVELOPE_PIN, 1, sealed, len, &secret), -EBADMSG);
    envelope_key_free(&other);
    assert_null(other);
    assert_int_equal(envelope_key_new(&other, again), 0);
    assert_memory_not_equal(point, again, sizeof(point));
    envelope_key_free(&other);
}

static void a_number_that_is_no_key_is_refused(void **state)
{
    static const uint8_t zero[32];
    struct envelope_key *none = NULL;

    (void)state;
    assert_int_equal(envelope_key_from(&none, zero), -EINVAL);
    assert_null(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_browser_sealed_opens),
        cmocka_unit_test(for_another_visit_or_purpose_it_does_not_open),
        cmocka_unit_test(every_changed_byte_and_every_cut_is_noticed),
        cmocka_unit_test(a_key_of_another_visit_opens_nothing),
        cmocka_unit_test(a_number_that_is_no_key_is_refused),
    };

    return cmocka_run_group_tests(tests, up, down);
}
