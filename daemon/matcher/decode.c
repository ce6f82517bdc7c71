#include "decode.h"

#include "daemon/common/jpeg.h"

#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

struct decoder {
    tjhandle handle;
};

struct decoder *decoder_new(void)
{
    struct decoder *decoder = calloc(1, sizeof(*decoder));

    if (decoder == NULL)
        return NULL;
    decoder->handle = tjInitDecompress();
    if (decoder->handle == NULL) {
        free(decoder);
        return NULL;
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
 * The library's handle remembers tables of what it read before; after a damaged frame they may be anything (and make
 * a good one that relies on the standard's fail), so it is made anew.
 */
static enum failure give_up(struct decoder *decoder, struct image *out)
{
    tjhandle fresh = tjInitDecompress();

    if (fresh != NULL) {
        tjDestroy(decoder->handle);
        decoder->handle = fresh;
    }
    image_wipe(out);
    return FAILURE_FACE_FRAME_UNREADABLE;
}

static enum failure decode_jpeg(struct decoder *decoder, const uint8_t *data, size_t len,
                                struct image *out)
{
    int width, height, subsampling, colours;

    if (!jpeg_is_tame(data, len, IMAGE_SIDE_LEAST, IMAGE_SIDE_MOST))
        return FAILURE_FACE_FRAME_UNREADABLE;
    if (tjDecompressHeader3(decoder->handle, data, (unsigned long)len, &width, &height,
                            &subsampling, &colours) < 0)
        return give_up(decoder, out);
    if ((colours != TJCS_YCbCr && colours != TJCS_GRAY) || image_resize(out, width, height) < 0)
        return give_up(decoder, out);
    if (tjDecompress2(decoder->handle, data, (unsigned long)len, out->pixels.data, width, 0, height,
                      TJPF_BGR, TJFLAG_FASTUPSAMPLE) < 0) {
        /* Many cameras pad a frame before its end mark: the picture is whole, the library only remarks on it. */
        if (tjGetErrorCode(decoder->handle) == TJERR_WARNING &&
            strstr(tjGetErrorStr2(decoder->handle), "extraneous bytes before marker 0xd9") != NULL)
            return FAILURE_NONE;
        return give_up(decoder, out);
    }
    return FAILURE_NONE;
}

static uint8_t clamp_byte(int v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* ITU-R BT.601, studio range, as the UVC specification's default colour matching says. */
static void yuv_pixel(int y, int u, int v, uint8_t bgr[3])
{
    const int c = 298 * (y - 16), d = u - 128, e = v - 128;

    bgr[0] = clamp_byte((c + 516 * d + 128) >> 8);
    bgr[1] = clamp_byte((c - 100 * d - 208 * e + 128) >> 8);
    bgr[2] = clamp_byte((c + 409 * e + 128) >> 8);
}

static enum failure decode_yuy2(int width, int height, const uint8_t *data, size_t len,
                                struct image *out)
{
    size_t pairs;

    if (width % 2 != 0 || image_resize(out, width, height) < 0)
        return FAILURE_FACE_FRAME_UNREADABLE;
    pairs = (size_t)width * (size_t)height / 2;
    if (len != pairs * 4) {
        image_wipe(out);
        return FAILURE_FACE_FRAME_UNREADABLE;
    }
    for (size_t i = 0; i < pairs; i++, data += 4) {
        yuv_pixel(data[0], data[1], data[3], out->pixels.data + 6 * i);
        yuv_pixel(data[2], data[1], data[3], out->pixels.data + 6 * i + 3);
    }
    return FAILURE_NONE;
}

enum failure decode_frame(struct decoder *decoder, unsigned format, int width, int height,
                          const uint8_t *data, size_t len, struct image *out)
{
    if (len == 0 || len > DECODE_FRAME_MOST)
        return FAILURE_FACE_FRAME_UNREADABLE;
    if (format == DECODE_MJPEG)
        return decode_jpeg(decoder, data, len, out);
    if (format == DECODE_YUY2)
        return decode_yuy2(width, height, data, len, out);
    return FAILURE_FACE_FRAME_UNREADABLE;
}
