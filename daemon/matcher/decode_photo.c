#include "decode.h"

#include "daemon/common/bytes.h"

#include <openjpeg-2.5/openjpeg.h>
#include <stdbool.h>
#include <string.h>

/* A stream over memory, for OpenJPEG's callbacks. */
struct memory {
    const uint8_t *data;
    size_t len;
    size_t at;
};

static OPJ_SIZE_T memory_read(void *buffer, OPJ_SIZE_T most, void *arg)
{
    struct memory *m = arg;
    size_t n = m->len - m->at;

    if (n == 0)
        return (OPJ_SIZE_T)-1;
    if (n > most)
        n = most;
    memcpy(buffer, m->data + m->at, n);
    m->at += n;
    return n;
}

static OPJ_OFF_T memory_skip(OPJ_OFF_T n, void *arg)
{
    struct memory *m = arg;

    if (n < 0 || (uint64_t)n > m->len - m->at)
        return -1;
    m->at += (size_t)n;
    return n;
}

static OPJ_BOOL memory_seek(OPJ_OFF_T at, void *arg)
{
    struct memory *m = arg;

    if (at < 0 || (uint64_t)at > m->len)
        return OPJ_FALSE;
    m->at = (size_t)at;
    return OPJ_TRUE;
}

static void say_nothing(const char *message, void *arg)
{
    (void)message;
    (void)arg;
}

static bool all_zero(const uint8_t *data, size_t len)
{
    uint8_t any = 0;

    for (size_t i = 0; i < len; i++)
        any |= data[i];
    return any == 0;
}

/* JP2 (ISO/IEC 15444-1 annex I) or the bare codestream (SOC, SIZ). */
static bool codec_of(const uint8_t *data, size_t len, OPJ_CODEC_FORMAT *out)
{
    static const uint8_t jp2[12] = {0, 0, 0, 0x0c, 'j', 'P', ' ', ' ', 0x0d, 0x0a, 0x87, 0x0a};
    static const uint8_t j2k[4] = {0xff, 0x4f, 0xff, 0x51};

    if (len > sizeof(jp2) && memcmp(data, jp2, sizeof(jp2)) == 0)
        *out = OPJ_CODEC_JP2;
    else if (len > sizeof(j2k) && memcmp(data, j2k, sizeof(j2k)) == 0)
        *out = OPJ_CODEC_J2K;
    else
        return false;
    return true;
}

/* The header's words about the picture, before any of it is decoded. */
static bool header_is_tame(const opj_image_t *image)
{
    if (image->x1 <= image->x0 || image->y1 <= image->y0)
        return false;
    if (image->x1 - image->x0 > IMAGE_SIDE_MOST || image->y1 - image->y0 > IMAGE_SIDE_MOST ||
        image->x1 - image->x0 < IMAGE_SIDE_LEAST || image->y1 - image->y0 < IMAGE_SIDE_LEAST)
        return false;
    if (image->numcomps != 1 && image->numcomps != 3)
        return false;
    for (OPJ_UINT32 c = 0; c < image->numcomps; c++) {
        const opj_image_comp_t *comp = &image->comps[c];

        if (comp->prec != 8 || comp->sgnd != 0 || comp->dx != 1 || comp->dy != 1)
            return false;
    }
    return true;
}

/* ---- what the codestream promises (ISO/IEC 15444-1 annex A) ---------------------------------- */

enum {
    MARK_SOC = 0xff4f,
    MARK_COD = 0xff52,
    MARK_COC = 0xff53,
    MARK_SIZ = 0xff51,
    MARK_SOT = 0xff90,
    MARK_SOD = 0xff93
};

/*
 * A few bytes can promise millions of tiny tiles, layers or precincts, each of which costs memory before its data is
 * even looked for; OpenJPEG 2.5.0 does not report them in full, so they are read here. A portrait has one tile or
 * a few, and precincts of the usual sizes.
 */
#define TILES_MOST 64
#define LAYERS_MOST 64
#define PRECINCTS_MOST 4096

struct promise {
    uint32_t width, height;
    uint64_t tiles;
};

static bool siz_is_tame(struct bytes_reader segment, struct promise *promise)
{
    uint32_t x1, y1, x0, y0, tile_w, tile_h;

    bytes_u16be(&segment); /* capabilities */
    x1 = bytes_u32be(&segment);
    y1 = bytes_u32be(&segment);
    x0 = bytes_u32be(&segment);
    y0 = bytes_u32be(&segment);
    tile_w = bytes_u32be(&segment);
    tile_h = bytes_u32be(&segment);
    if (segment.failed || x1 <= x0 || y1 <= y0 || x1 - x0 > IMAGE_SIDE_MOST ||
        y1 - y0 > IMAGE_SIDE_MOST || tile_w == 0 || tile_h == 0)
        return false;
    promise->width = x1 - x0;
    promise->height = y1 - y0;
    promise->tiles =
        ((uint64_t)promise->width / tile_w + 2) * ((uint64_t)promise->height / tile_h + 2);
    /* The 2 above stand for a tile cut at either end: 1 x 1 tile counts as 9 at most. */
    return promise->tiles <= TILES_MOST + 9;
}

/* The common part of COD and COC: levels, code blocks, transform, then precinct sizes if `own` says so. */
static bool levels_are_tame(struct bytes_reader *segment, bool own, const struct promise *promise)
{
    const uint8_t levels = bytes_u8(segment);
    uint64_t precincts = 0;

    bytes_take(segment, 4);
    if (segment->failed || levels > 32)
        return false;
    for (unsigned r = 0; own && r <= levels; r++) {
        const uint8_t size = bytes_u8(segment);
        const unsigned down = levels - r;
        const uint64_t w = ((uint64_t)promise->width >> down) + 1,
                       h = ((uint64_t)promise->height >> down) + 1;

        precincts += ((w >> (size & 15)) + 2) * ((h >> (size >> 4)) + 2);
    }
    return !segment->failed && precincts <= PRECINCTS_MOST;
}

static bool coding_is_tame(uint16_t marker, struct bytes_reader segment, unsigned components,
                           const struct promise *promise)
{
    uint8_t style;

    if (marker == MARK_COC) {
        if (components < 257)
            bytes_u8(&segment);
        else
            bytes_u16be(&segment);
        style = bytes_u8(&segment);
    } else {
        style = bytes_u8(&segment);
        bytes_u8(&segment); /* progression */
        if (bytes_u16be(&segment) > LAYERS_MOST)
            return false;
        bytes_u8(&segment); /* component transform */
    }
    return levels_are_tame(&segment, (style & 1) != 0, promise);
}

/* Walk all headers, the main one and those of the tile parts. */
static bool codestream_is_tame(struct bytes_reader r)
{
    struct promise promise = {0};
    size_t part_end = 0; /* what is left when the tile part ends; 0: to the end of the data */
    unsigned parts = 0;

    if (bytes_u16be(&r) != MARK_SOC)
        return false;
    while (!r.failed) {
        const size_t before = r.left;
        const uint16_t marker = bytes_u16be(&r);
        struct bytes_reader segment;
        uint16_t size;

        if (marker == MARK_SOD) {
            if (part_end == 0)
                return parts > 0;
            if (r.left < part_end)
                return false;
            bytes_take(&r, r.left - part_end);
            if (r.left < 12) /* no room for another tile part: the end mark */
                return true;
            continue;
        }
        if (marker == 0xffd9)
            return parts > 0;
        size = bytes_u16be(&r);
        if (marker < 0xff00 || size < 2)
            return false;
        segment = bytes_sub(&r, size - 2u);
        if (segment.failed)
            return false;
        if (marker == MARK_SIZ) {
            if (promise.width != 0 || !siz_is_tame(segment, &promise))
                return false;
        } else if (promise.width == 0) {
            return false; /* SIZ comes first */
        } else if (marker == MARK_COD || marker == MARK_COC) {
            if (!coding_is_tame(marker, segment, 3, &promise))
                return false;
        } else if (marker == MARK_SOT) {
            uint32_t length;

            bytes_u16be(&segment);
            length = bytes_u32be(&segment);
            if (segment.failed || ++parts > 16 * TILES_MOST ||
                (length != 0 && (length < 14 || length > before)))
                return false;
            part_end = length == 0 ? 0 : before - length;
        }
    }
    return false;
}

/* The codestream inside a JP2 file: the first box of type jp2c. */
static bool file_is_tame(OPJ_CODEC_FORMAT format, const uint8_t *data, size_t len)
{
    struct bytes_reader r;

    bytes_reader_init(&r, data, len);
    if (format == OPJ_CODEC_J2K)
        return codestream_is_tame(r);
    while (!r.failed && r.left > 0) {
        uint64_t size = bytes_u32be(&r), head = 8;
        const uint32_t type = bytes_u32be(&r);

        if (size == 1) {
            size = bytes_u64be(&r);
            head = 16;
        }
        if (r.failed || (size != 0 && (size < head || size - head > r.left)))
            return false;
        if (type == 0x6a703263) {
            struct bytes_reader stream = bytes_sub(&r, size == 0 ? r.left : (size_t)(size - head));

            return codestream_is_tame(stream);
        }
        if (size == 0)
            return false;
        bytes_take(&r, (size_t)(size - head));
    }
    return false;
}

/* ---- the picture ----------------------------------------------------------------------------- */

static uint8_t clamp_byte(int v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static enum failure image_take(const opj_image_t *from, struct image *out)
{
    const OPJ_UINT32 width = from->comps[0].w, height = from->comps[0].h;
    const bool colour = from->numcomps == 3, sycc = colour && from->color_space == OPJ_CLRSPC_SYCC;
    uint8_t *to;

    for (OPJ_UINT32 c = 0; c < from->numcomps; c++)
        if (from->comps[c].w != width || from->comps[c].h != height || from->comps[c].data == NULL)
            return FAILURE_FACE_PHOTO_UNREADABLE;
    if (width > IMAGE_SIDE_MOST || height > IMAGE_SIDE_MOST ||
        image_resize(out, (int)width, (int)height) < 0)
        return FAILURE_FACE_PHOTO_UNREADABLE;
    to = out->pixels.data;
    for (size_t i = 0, n = (size_t)width * height; i < n; i++, to += 3) {
        const int a = from->comps[0].data[i];

        if (!colour) {
            to[0] = to[1] = to[2] = clamp_byte(a);
        } else if (!sycc) {
            to[2] = clamp_byte(a);
            to[1] = clamp_byte(from->comps[1].data[i]);
            to[0] = clamp_byte(from->comps[2].data[i]);
        } else {
            const int cb = from->comps[1].data[i] - 128, cr = from->comps[2].data[i] - 128;

            if (cb < -128 || cb > 127 || cr < -128 || cr > 127 || a < 0 || a > 255)
                return FAILURE_FACE_PHOTO_UNREADABLE;
            /* sYCC is JFIF's full-range BT.601, here in 1/65536. */
            to[2] = clamp_byte(a + ((91881 * cr + 32768) / 65536));
            to[1] = clamp_byte(a - ((22554 * cb + 46802 * cr + 32768) / 65536));
            to[0] = clamp_byte(a + ((116130 * cb + 32768) / 65536));
        }
    }
    return FAILURE_NONE;
}

static void image_destroy(opj_image_t *image)
{
    if (image == NULL)
        return;
    for (OPJ_UINT32 c = 0; c < image->numcomps; c++) {
        opj_image_comp_t *comp = &image->comps[c];

        if (comp->data != NULL)
            explicit_bzero(comp->data, (size_t)comp->w * comp->h * sizeof(*comp->data));
    }
    opj_image_destroy(image);
}

enum failure decode_photo(const uint8_t *data, size_t len, struct image *out)
{
    struct memory memory = {data, len, 0};
    enum failure failure = FAILURE_FACE_PHOTO_UNREADABLE;
    opj_codec_t *codec = NULL;
    opj_stream_t *stream = NULL;
    opj_image_t *image = NULL;
    opj_dparameters_t parameters;
    OPJ_CODEC_FORMAT format;

    if (len == 0 || all_zero(data, len))
        return FAILURE_CARD_NO_PHOTO;
    if (len > DECODE_PHOTO_MOST || !codec_of(data, len, &format) ||
        !file_is_tame(format, data, len))
        return FAILURE_FACE_PHOTO_UNREADABLE;
    codec = opj_create_decompress(format);
    stream = opj_stream_create(len, OPJ_TRUE);
    if (codec == NULL || stream == NULL)
        goto out;
    opj_set_info_handler(codec, say_nothing, NULL);
    opj_set_warning_handler(codec, say_nothing, NULL);
    opj_set_error_handler(codec, say_nothing, NULL);
    opj_stream_set_read_function(stream, memory_read);
    opj_stream_set_skip_function(stream, memory_skip);
    opj_stream_set_seek_function(stream, memory_seek);
    opj_stream_set_user_data(stream, &memory, NULL);
    opj_stream_set_user_data_length(stream, len);
    opj_set_default_decoder_parameters(&parameters);
    if (!opj_setup_decoder(codec, &parameters) || !opj_decoder_set_strict_mode(codec, OPJ_TRUE))
        goto out;
    if (!opj_read_header(stream, codec, &image) || image == NULL)
        goto out;
    if (!header_is_tame(image))
        goto out;
    if (!opj_decode(codec, stream, image) || !opj_end_decompress(codec, stream))
        goto out;
    if (!header_is_tame(image))
        goto out; /* a palette may have changed the components */
    failure = image_take(image, out);
out:
    image_destroy(image);
    if (stream != NULL)
        opj_stream_destroy(stream);
    if (codec != NULL)
        opj_destroy_codec(codec);
    if (failure != FAILURE_NONE)
        image_wipe(out);
    return failure;
}
