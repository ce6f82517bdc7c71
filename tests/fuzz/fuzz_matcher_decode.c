/*
 * Pictures from outside: the first byte picks the decoder, the rest is the picture. What comes out must be a picture
 * within the caps or a reason, whatever goes in.
 */
#include "fuzz.h"

#include <stdlib.h>

#include "daemon/matcher/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct decoder *decoder;
    static struct image image;
    enum failure failure;

    if (decoder == NULL)
        decoder = decoder_new();
    if (size < 1 || decoder == NULL)
        return 0;
    if (data[0] % 3 == 0)
        failure = decode_photo(data + 1, size - 1, &image);
    else
        failure = decode_frame(decoder, data[0] % 3, 64, 48, data + 1, size - 1, &image);
    if (failure == FAILURE_NONE &&
        (image.width < IMAGE_SIDE_LEAST || image.height < IMAGE_SIDE_LEAST ||
         image.width > IMAGE_SIDE_MOST || image.height > IMAGE_SIDE_MOST ||
         image.pixels.len != (size_t)image.width * (size_t)image.height * 3))
        abort();
    return 0;
}

void fuzz_seeds(void)
{
    static struct fuzz_seed seed;

    /* JPEG (ITU-T T.81, B.1): start, a quantization table of ones, a grey frame of 16x16, no tables, a scan. */
    seed_u8(&seed, 1);
    seed_hex(&seed, "ffd8 ffdb 0043 00");
    for (unsigned i = 0; i < 64; i++)
        seed_u8(&seed, 1);
    seed_hex(&seed,
             "ffc0 000b 08 0010 0010 01 01 11 00 ffda 0008 01 01 00 00 3f 00 00 00 00 00 ffd9");
    seed_write(&seed, "jpeg");
    /* JPEG 2000 code stream (ISO 15444-1, A.5): SIZ of 16x16 with one component, COD, QCD, one tile. */
    seed_u8(&seed, 0);
    seed_hex(&seed, "ff4f ff51 0029 0000 00000010 00000010 00000000 00000000 00000010 00000010 "
                    "00000000 00000000"
                    "0001 07 01 01 ff52 000c 00 00 0001 00 01 04 04 00 01 ff5c 0007 40 40 48 48 50"
                    "ff90 000a 0000 00000010 00 01 ff93 80 80 ffd9");
    seed_write(&seed, "codestream");
    seed_u8(&seed, 0);
    seed_hex(&seed, "0000000c 6a502020 0d0a870a 00000014 66747970 6a703220 00000000 6a703220"
                    "0000002d 6a703268 00000016 69686472 00000010 00000010 0001 07 07 00 00"
                    "0000000f 636f6c72 01 00 00 00000011 00000000 6a703263");
    seed_write(&seed, "boxes");
    seed_u8(&seed, 2);
    for (unsigned i = 0; i < 64 * 48 * 2; i++)
        seed_u8(&seed, i & 0xff);
    seed_write(&seed, "yuy2");
}
