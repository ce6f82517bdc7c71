#include "reference.h"

#include "daemon/matcher/warp.h"

#include <errno.h>
#include <openjpeg-2.5/openjpeg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FACE_PART 0.62f /* of the crop's height */
#define FACE_MIDDLE 0.52f

int card_like_parse(struct card_like *out, const char *text)
{
    char end;

    if (sscanf(text, "jp2:%dx%d:%u%c", &out->width, &out->height, &out->bytes, &end) != 3 ||
        out->width < 32 || out->height < 32 || out->width > WARP_WIDTH_MOST ||
        out->height > WARP_WIDTH_MOST || out->bytes < 500)
        return -EINVAL;
    return 0;
}

/* ---- where OpenJPEG writes to ---------------------------------------------------------------- */

struct sink {
    uint8_t *data;
    size_t len, at, room;
};

static OPJ_SIZE_T sink_write(void *data, OPJ_SIZE_T n, void *arg)
{
    struct sink *sink = arg;

    if (sink->at + n > sink->room)
        return (OPJ_SIZE_T)-1;
    memcpy(sink->data + sink->at, data, n);
    sink->at += n;
    if (sink->at > sink->len)
        sink->len = sink->at;
    return n;
}
static OPJ_OFF_T sink_skip(OPJ_OFF_T n, void *arg)
{
    struct sink *sink = arg;

    if (n < 0 || sink->at + (size_t)n > sink->room)
        return -1;
    sink->at += (size_t)n;
    return n;
}
static OPJ_BOOL sink_seek(OPJ_OFF_T at, void *arg)
{
    struct sink *sink = arg;

    if (at < 0 || (size_t)at > sink->room)
        return OPJ_FALSE;
    sink->at = (size_t)at;
    return OPJ_TRUE;
}

static opj_image_t *to_openjpeg(const uint8_t *bgr, int width, int height)
{
    opj_image_cmptparm_t parts[3];
    opj_image_t *image;

    memset(parts, 0, sizeof(parts));
    for (int c = 0; c < 3; c++)
        parts[c] = (opj_image_cmptparm_t){
            .dx = 1, .dy = 1, .w = (OPJ_UINT32)width, .h = (OPJ_UINT32)height, .prec = 8, .bpp = 8};
    image = opj_image_create(3, parts, OPJ_CLRSPC_SRGB);
    if (image == NULL)
        return NULL;
    image->x1 = (OPJ_UINT32)width;
    image->y1 = (OPJ_UINT32)height;
    for (size_t i = 0; i < (size_t)width * (size_t)height; i++)
        for (size_t c = 0; c < 3; c++)
            image->comps[c].data[i] = bgr[3 * i + 2 - c];
    return image;
}

static int encode(const struct card_like *card, opj_image_t *image, struct sink *sink)
{
    opj_codec_t *codec = opj_create_compress(OPJ_CODEC_JP2);
    opj_stream_t *stream = opj_stream_default_create(OPJ_FALSE);
    opj_cparameters_t p;
    int r = -ENOMEM;

    if (codec == NULL || stream == NULL)
        goto out;
    opj_set_default_encoder_parameters(&p);
    p.tcp_numlayers = 1;
    p.tcp_rates[0] = (float)card->width * (float)card->height * 3 / (float)card->bytes;
    p.cp_disto_alloc = 1;
    p.tcp_mct = 1;
    p.irreversible = 1;
    opj_stream_set_user_data(stream, sink, NULL);
    opj_stream_set_write_function(stream, sink_write);
    opj_stream_set_skip_function(stream, sink_skip);
    opj_stream_set_seek_function(stream, sink_seek);
    r = opj_setup_encoder(codec, &p, image) && opj_start_compress(codec, image, stream) &&
                opj_encode(codec, stream) && opj_end_compress(codec, stream)
            ? 0
            : -EIO;
out:
    if (stream != NULL)
        opj_stream_destroy(stream);
    if (codec != NULL)
        opj_destroy_codec(codec);
    return r;
}

int card_like_make(const struct card_like *card, const struct image *image, const struct box *face,
                   uint8_t **data, size_t *len)
{
    const float high = box_height(face) / FACE_PART,
                wide = high * (float)card->width / (float)card->height;
    const float x = (face->x0 + face->x1) / 2, y = (face->y0 + face->y1) / 2;
    const struct box crop = {x - wide / 2, y - high * FACE_MIDDLE, x + wide / 2,
                             y + high * (1 - FACE_MIDDLE)};
    const struct warp_map map = warp_of_box(&crop, card->width, card->height);
    const size_t raw = (size_t)card->width * (size_t)card->height * 3;
    struct sink sink = {.room = raw + 65536};
    opj_image_t *picture = NULL;
    uint8_t *bgr = malloc(raw);
    int r = -ENOMEM;

    sink.data = malloc(sink.room);
    if (bgr == NULL || sink.data == NULL)
        goto out;
    warp_to_bytes(image, &map, card->width, card->height, bgr);
    picture = to_openjpeg(bgr, card->width, card->height);
    if (picture == NULL)
        goto out;
    r = encode(card, picture, &sink);
    if (r < 0)
        goto out;
    *data = sink.data;
    *len = sink.len;
    sink.data = NULL;
out:
    if (picture != NULL)
        opj_image_destroy(picture);
    free(sink.data);
    free(bgr);
    return r;
}
