/*
 * Pictures from outside: the first byte picks the decoder, the rest is the picture. What comes out must be a picture
 * within the caps or a reason, whatever goes in.
 */
#include "daemon/matcher/decode.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
        (image.width < IMAGE_SIDE_LEAST || image.height < IMAGE_SIDE_LEAST || image.width > IMAGE_SIDE_MOST ||
         image.height > IMAGE_SIDE_MOST ||
         image.pixels.len != (size_t)image.width * (size_t)image.height * 3))
        abort();
    return 0;
}
