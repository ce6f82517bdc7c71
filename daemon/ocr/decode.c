#include "decode.h"

#include "daemon/common/jpeg.h"

#include <errno.h>
#include <stdlib.h>
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

    if (!jpeg_is_tame(data, len, PLANE_SIDE_LEAST, PLANE_SIDE_MOST))
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
