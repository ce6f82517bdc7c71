/* Reading the input: also for tests that draw it themselves. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

uint8_t fuzz_u8(struct fuzz_input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

uint16_t fuzz_u16(struct fuzz_input *in)
{
    unsigned low = fuzz_u8(in);

    return (uint16_t)(low | (unsigned)fuzz_u8(in) << 8);
}

uint32_t fuzz_u32(struct fuzz_input *in)
{
    uint32_t low = fuzz_u16(in);

    return low | (uint32_t)fuzz_u16(in) << 16;
}

uint64_t fuzz_u64(struct fuzz_input *in)
{
    uint64_t low = fuzz_u32(in);

    return low | (uint64_t)fuzz_u32(in) << 32;
}

const uint8_t *fuzz_piece(struct fuzz_input *in, size_t most, size_t *len)
{
    const uint8_t *at;
    size_t n = fuzz_u16(in);

    if (n > most)
        n = most;
    if (n > in->left)
        n = in->left;
    at = in->at;
    in->at += n;
    in->left -= n;
    *len = n;
    return at;
}

static void *copy_of(const void *data, size_t len, size_t more)
{
    uint8_t *copy = malloc(len + more > 0 ? len + more : 1);

    if (copy == NULL)
        abort();
    if (len > 0)
        memcpy(copy, data, len);
    return copy;
}

uint8_t *fuzz_piece_copy(struct fuzz_input *in, size_t most, size_t *len)
{
    const uint8_t *at = fuzz_piece(in, most, len);

    return copy_of(at, *len, 0);
}

char *fuzz_text(struct fuzz_input *in, size_t most)
{
    size_t len;
    const uint8_t *at = fuzz_piece(in, most, &len);
    char *text = copy_of(at, len, 1);

    text[len] = '\0';
    return text;
}
