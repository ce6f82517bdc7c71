/* What a page sealed, or says it did: only an envelope made to this key, visit and purpose opens. */
#include "fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/secret.h"
#include "driver/reader/envelope.h"
#include "fuzz_shortage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct envelope_key *key;
    struct fuzz_input in = {data, (fuzz_shortage_take(data, &size), size)};
    struct secret text = {0};
    uint8_t scalar[32], *sealed;
    uint64_t visit = fuzz_u64(&in);
    enum envelope_purpose purpose = (fuzz_u8(&in) & 1) != 0 ? ENVELOPE_PIN : ENVELOPE_NUMBER_B;
    size_t len;
    int r;

    if (key == NULL) {
        memset(scalar, 0x11, sizeof(scalar));
        FUZZ_CHECK(envelope_key_from(&key, scalar) == 0);
    }
    sealed = fuzz_piece_copy(&in, 4096, &len);
    fuzz_shortage_arm();
    r = envelope_open(key, purpose, visit, sealed, len, &text);
    (void)fuzz_shortage_disarm();
    /* Nobody knows how to seal to it here: the bytes come from the input alone. */
    FUZZ_CHECK(r == -EBADMSG || r == -ENOMEM);
    FUZZ_CHECK(text.data == NULL);
    secret_free(&text);
    free(sealed);
    return 0;
}

void fuzz_seeds(void)
{
    static struct fuzz_seed seed;

    /* The generator point of P-256 (SEC 2), IV, four bytes, tag. */
    seed_u64(&seed, 1);
    seed_u8(&seed, 1);
    seed_piece_hex(&seed, "04 6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
                          "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
                          "000000000000000000000000 01020304 00000000000000000000000000000000");
    seed_write(&seed, "generator");
}
