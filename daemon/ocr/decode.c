#include "decode.h"

#include "daemon/common/bytes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

struct decoder {
    tjhandle handle;
};

struct decoder *decoder_new(void)
{
    struct decoder *decoder = calloc(1, sizeof(*decoder));

    if (decoder != NULL)
        decoder->handle = tjInitDecompress();
    if (decoder != NULL && decoder->handle == NULL) {
        free(decoder);
        decoder = NULL;
    }
    return decoder;
}

void decoder_free(struct decoder **decoder)
{
    if (*decoder == NULL)
        return;
    tjDestroy((*decoder)->handle);
    free(*decoder);
    *decoder = NULL;
}

/*
 * What markers stand before the scan: only the sequential processes with 8 bits and 1 or 3
 * components pass, one frame header, a size within bounds (ITU-T T.81, B.2). A progressive file can
 * cost a decoder hours; cameras send none.
 */
static bool is_sequential(const uint8_t *data, size_t len)
{
    struct bytes_reader r;
    unsigned headers = 0;

    bytes_reader_init(&r, data, len);
    if (bytes_u16be(&r) != 0xffd8)
        return false;
    for (;;) {
        struct bytes_reader body;
        uint8_t marker;
        uint16_t size;

        if (bytes_u8(&r) != 0xff)
            return false;
        for (marker = bytes_u8(&r); marker == 0xff && !r.failed;)
            marker = bytes_u8(&r);
        size = bytes_u16be(&r);
        if (r.failed || size < 2)
            return false;
        body = bytes_sub(&r, size - 2u);
        if (body.failed)
            return false;
        if (marker == 0xda)
            return headers == 1;
        if (marker == 0xc0 || marker == 0xc1) {
            const uint8_t bits = bytes_u8(&body);
            const uint16_t height = bytes_u16be(&body), width = bytes_u16be(&body);
            const uint8_t components = bytes_u8(&body);

            if (body.failed || bits != 8 || (components != 1 && components != 3) ||
                width < PLANE_SIDE_LEAST || height < PLANE_SIDE_LEAST || width > PLANE_SIDE_MOST ||
                height > PLANE_SIDE_MOST)
                return false;
            headers++;
        } else if (marker < 0xc4 || (marker > 0xc4 && marker < 0xdb)) {
            return false; /* other processes, markers without a length */
        }
    }
}

/* A handle that met a damaged frame keeps its tables: a fresh one takes its place. */
static int give_up(struct decoder *decoder, struct plane *out)
{
    tjhandle fresh = tjInitDecompress();

    if (fresh != NULL) {
        tjDestroy(decoder->handle);
        decoder->handle = fresh;
    }
    plane_wipe(out);
    return -EBADMSG;
}

static int decode_jpeg(struct decoder *decoder, const uint8_t *data, size_t len, struct plane *out)
{
    int width, height, subsampling, colours;

    if (!is_sequential(data, len))
        return -EBADMSG;
    if (tjDecompressHeader3(decoder->handle, data, (unsigned long)len, &width, &height,
                            &subsampling, &colours) < 0 ||
        (colours != TJCS_YCbCr && colours != TJCS_GRAY) || plane_resize(out, width, height) < 0)
        return give_up(decoder, out);
    /* A warning is a frame cut short or padded: what is missing is grey and reads as nothing. */
    if (tjDecompress2(decoder->handle, data, (unsigned long)len, out->room.data, width, 0, height,
                      TJPF_GRAY, 0) < 0 &&
        tjGetErrorCode(decoder->handle) != TJERR_WARNING)
        return give_up(decoder, out);
    return 0;
}

static int decode_yuy2(int width, int height, const uint8_t *data, size_t len, struct plane *out)
{
    if (width % 2 != 0 || plane_resize(out, width, height) < 0)
        return -EBADMSG;
    if (len != out->room.len * 2) {
        plane_wipe(out);
        return -EBADMSG;
    }
    for (size_t i = 0; i < out->room.len; i++)
        out->room.data[i] = data[2 * i];
    return 0;
}

int decode_frame(struct decoder *decoder, unsigned format, int width, int height,
                 const uint8_t *data, size_t len, struct plane *out)
{
    if (len == 0 || len > DECODE_FRAME_MOST)
        return -EBADMSG;
    if (format == DECODE_MJPEG)
        return decode_jpeg(decoder, data, len, out);
    if (format == DECODE_YUY2)
        return decode_yuy2(width, height, data, len, out);
    return -EBADMSG;
}
