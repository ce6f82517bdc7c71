#include "uvc_probe.h"

#include <errno.h>
#include <string.h>

#include "daemon/common/bytes.h"

#define HINT_INTERVAL 0x0001u /* bmHint: keep dwFrameInterval */

static const struct {
    uint16_t from_version;
    uint8_t len;
} lengths[] = {
    {0x0150, 48},
    {0x0110, 34},
    {0x0000, 26},
};

#define LENGTH_COUNT (sizeof(lengths) / sizeof(lengths[0]))

size_t uvc_probe_bytes(uint16_t version)
{
    for (size_t i = 0; i < LENGTH_COUNT; i++)
        if (version >= lengths[i].from_version)
            return lengths[i].len;
    return UVC_PROBE_MIN;
}

size_t uvc_probe_shorter(size_t len)
{
    for (size_t i = 0; i < LENGTH_COUNT; i++)
        if (lengths[i].len < len)
            return lengths[i].len;
    return 0;
}

void uvc_probe_put(uint8_t *block, size_t len, const struct uvc_probe *wish)
{
    struct bytes_writer w;

    memset(block, 0, len);
    bytes_writer_init(&w, block, len);
    bytes_put_u16le(&w, HINT_INTERVAL);
    bytes_put_u8(&w, wish->format_index);
    bytes_put_u8(&w, wish->frame_index);
    bytes_put_u32le(&w, wish->interval);
}

int uvc_probe_get(struct uvc_probe *probe, const uint8_t *block, size_t len)
{
    struct bytes_reader r;

    memset(probe, 0, sizeof(*probe));
    bytes_reader_init(&r, block, len);
    bytes_u16le(&r); /* bmHint */
    probe->format_index = bytes_u8(&r);
    probe->frame_index = bytes_u8(&r);
    probe->interval = bytes_u32le(&r);
    bytes_take(&r, 5 * 2); /* key frames, P frames, quality, window, delay */
    probe->max_frame_bytes = bytes_u32le(&r);
    probe->max_payload_bytes = bytes_u32le(&r);
    return r.failed ? -EPROTO : 0;
}
