#include "uvc_descriptor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/bytes.h"

#define CLASS_VIDEO 0x0eu
#define SUBCLASS_CONTROL 1u
#define SUBCLASS_STREAMING 2u
#define CS_INTERFACE 0x24u
#define VC_HEADER 0x01u
#define VC_INPUT_TERMINAL 0x02u
#define VC_PROCESSING_UNIT 0x05u
#define TERMINAL_CAMERA 0x0201u
#define VS_FORMAT_UNCOMPRESSED 0x04u
#define VS_FRAME_UNCOMPRESSED 0x05u
#define VS_FORMAT_MJPEG 0x06u
#define VS_FRAME_MJPEG 0x07u
#define FRAME_BYTES_MIN 26u
#define VERSION_UNKNOWN 0x0100u

static const uint8_t *find_header(const struct usb_alt *alt, size_t *len)
{
    const uint8_t *at = alt->extra, *bytes;
    size_t left = alt->extra_len;

    while ((bytes = usb_extra_next(&at, &left, len)) != NULL)
        if (*len >= 12 && bytes[1] == CS_INTERFACE && bytes[2] == VC_HEADER)
            return bytes;
    return NULL;
}

/* bmControls: as many bytes as the one before them says. */
static uint32_t control_bits(const uint8_t *bytes, size_t len, size_t at)
{
    uint32_t bits = 0;

    for (size_t i = 0; at < len && i < bytes[at] && i < 4 && at + 1 + i < len; i++)
        bits |= (uint32_t)bytes[at + 1 + i] << (8 * i);
    return bits;
}

/* Lens and processing unit. Of several (a device with two lenses) the first counts. */
static void find_units(const struct usb_alt *alt, struct uvc_function *function)
{
    const uint8_t *at = alt->extra, *bytes;
    size_t left = alt->extra_len, len;

    while ((bytes = usb_extra_next(&at, &left, &len)) != NULL) {
        if (len < 9 || bytes[1] != CS_INTERFACE)
            continue;
        if (bytes[2] == VC_INPUT_TERMINAL && function->terminal == 0 &&
            (bytes[4] | bytes[5] << 8) == TERMINAL_CAMERA) {
            function->terminal = bytes[3];
            function->terminal_bits = control_bits(bytes, len, 14);
        } else if (bytes[2] == VC_PROCESSING_UNIT && function->unit == 0) {
            function->unit = bytes[3];
            function->unit_bits = control_bits(bytes, len, 7);
        }
    }
}

/* The control interface names the streaming interfaces that belong to it. */
static void find_control(const struct usb_config *config, struct uvc_function *function)
{
    function->version = VERSION_UNKNOWN;
    for (unsigned i = 0; i < config->alt_count; i++) {
        const struct usb_alt *alt = &config->alts[i];
        const uint8_t *header;
        size_t len;

        if (alt->class_code != CLASS_VIDEO || alt->subclass != SUBCLASS_CONTROL || alt->alt != 0)
            continue;
        header = find_header(alt, &len);
        if (header == NULL)
            continue;
        for (size_t k = 0; k < header[11] && 12 + k < len; k++) {
            if (header[12 + k] != function->streaming_interface)
                continue;
            function->version = (uint16_t)(header[3] | header[4] << 8);
            function->control_interface = alt->interface;
            function->has_control_interface = true;
            find_units(alt, function);
            return;
        }
    }
}

/* How each format is told apart. */
static const struct format_row {
    enum camera_format format;
    uint8_t format_type, frame_type;
    const char *guid; /* NULL: the type says it all */
} formats[] = {
    {CAMERA_MJPEG, VS_FORMAT_MJPEG, VS_FRAME_MJPEG, NULL},
    {CAMERA_YUY2, VS_FORMAT_UNCOMPRESSED, VS_FRAME_UNCOMPRESSED,
     "YUY2\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"},
};

#define GUID_AT 5u
#define GUID_BYTES 16u

static bool is_format(const struct format_row *row, const uint8_t *bytes, size_t len)
{
    if (bytes[2] != row->format_type)
        return false;
    return row->guid == NULL ||
           (len >= GUID_AT + GUID_BYTES && memcmp(bytes + GUID_AT, row->guid, GUID_BYTES) == 0);
}

static void take_frame(struct uvc_function *function, enum camera_format format,
                       uint8_t format_index, const uint8_t *bytes, size_t len)
{
    struct uvc_frame frame = {.format = format, .format_index = format_index};
    struct bytes_reader r;
    size_t values;

    if (len < FRAME_BYTES_MIN || function->frame_count == UVC_FRAMES_MAX)
        return;
    bytes_reader_init(&r, bytes, len);
    bytes_take(&r, 3);
    frame.frame_index = bytes_u8(&r);
    bytes_u8(&r); /* bmCapabilities */
    frame.width = bytes_u16le(&r);
    frame.height = bytes_u16le(&r);
    bytes_take(&r, 4 + 4); /* bit rates */
    frame.buffer_bytes = bytes_u32le(&r);
    bytes_u32le(&r); /* dwDefaultFrameInterval */
    frame.interval_count = bytes_u8(&r);
    values = frame.interval_count == 0 ? 3 : frame.interval_count;
    frame.intervals = bytes_take(&r, values * 4);
    if (r.failed || frame.width == 0 || frame.height == 0)
        return;
    function->frames[function->frame_count++] = frame;
}

/* Frames name no format: they follow theirs. */
static void find_frames(const struct usb_alt *alt, const struct format_row *row,
                        struct uvc_function *function)
{
    const uint8_t *at = alt->extra, *bytes;
    size_t left = alt->extra_len, len;
    bool ours = false;
    uint8_t format_index = 0;

    while ((bytes = usb_extra_next(&at, &left, &len)) != NULL) {
        if (bytes[1] != CS_INTERFACE || len < 4)
            continue;
        if (bytes[2] == VS_FORMAT_UNCOMPRESSED || bytes[2] == VS_FORMAT_MJPEG) {
            ours = is_format(row, bytes, len);
            format_index = bytes[3];
        } else if (ours && bytes[2] == row->frame_type) {
            take_frame(function, row->format, format_index, bytes, len);
        }
    }
}

static bool has_format(const struct usb_alt *alt)
{
    const uint8_t *at = alt->extra, *bytes;
    size_t left = alt->extra_len, len;

    while ((bytes = usb_extra_next(&at, &left, &len)) != NULL)
        for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
            if (len >= 4 && bytes[1] == CS_INTERFACE && is_format(&formats[i], bytes, len))
                return true;
    return false;
}

static int read_function(const struct usb_config *config, const struct usb_alt *alt,
                         struct uvc_function *function)
{
    const struct usb_endpoint *bulk = usb_alt_endpoint(alt, USB_EP_BULK, true);

    memset(function, 0, sizeof(*function));
    function->streaming_interface = alt->interface;
    if (bulk != NULL && bulk->packet_bytes > 0) {
        function->bulk_in = bulk->address;
        function->bulk_packet = bulk->packet_bytes;
    }
    find_control(config, function);
    /* YUY2 needs many times the bandwidth for a worse rate: only where there is nothing else. */
    for (size_t i = 0; function->frame_count == 0 && i < sizeof(formats) / sizeof(formats[0]); i++)
        find_frames(alt, &formats[i], function);
    return function->frame_count > 0 ? 0 : -EPROTO;
}

int uvc_function_find(const struct usb_config *config, unsigned nth, struct uvc_function *function)
{
    for (unsigned i = 0; i < config->alt_count; i++) {
        const struct usb_alt *alt = &config->alts[i];

        if (alt->class_code == CLASS_VIDEO && alt->subclass == SUBCLASS_STREAMING &&
            alt->alt == 0 && has_format(alt) && nth-- == 0)
            return read_function(config, alt, function);
    }
    return -ENODEV;
}

/* -- choosing ---------------------------------------------------------------------------------- */

/* Missing pixels weigh double: scaling down costs nothing that matters. */
static uint32_t distance(unsigned offered, unsigned wanted)
{
    return offered >= wanted ? offered - wanted : 2 * (wanted - offered);
}

static uint32_t difference(uint32_t a, uint32_t b)
{
    return a > b ? a - b : b - a;
}

static uint32_t interval_at(const struct uvc_frame *frame, unsigned i)
{
    const uint8_t *bytes = frame->intervals + (size_t)i * 4;

    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static uint32_t choose_interval(const struct uvc_frame *frame, uint32_t wanted)
{
    uint32_t best = interval_at(frame, 0);

    if (frame->interval_count == 0) {
        uint32_t least = best, most = interval_at(frame, 1), step = interval_at(frame, 2);

        if (wanted <= least || most < least)
            return least;
        if (wanted >= most)
            return most;
        return step > 0 ? least + (wanted - least) / step * step : wanted;
    }
    for (unsigned i = 1; i < frame->interval_count; i++)
        if (difference(interval_at(frame, i), wanted) < difference(best, wanted))
            best = interval_at(frame, i);
    return best;
}

const struct uvc_frame *uvc_choose(const struct uvc_function *function,
                                   const struct camera_need *need, uint32_t *interval)
{
    const struct uvc_frame *best = NULL;
    uint32_t best_distance = UINT32_MAX;

    for (unsigned i = 0; i < function->frame_count; i++) {
        const struct uvc_frame *frame = &function->frames[i];
        uint32_t here = distance(frame->width, need->width) + distance(frame->height, need->height);

        if (here < best_distance) {
            best = frame;
            best_distance = here;
        }
    }
    if (best != NULL)
        *interval = choose_interval(best, 10000000u / (need->fps > 0 ? need->fps : 1));
    return best;
}

const struct uvc_frame *uvc_frame_by_index(const struct uvc_function *function,
                                           uint8_t format_index, uint8_t frame_index)
{
    for (unsigned i = 0; i < function->frame_count; i++)
        if (function->frames[i].format_index == format_index &&
            function->frames[i].frame_index == frame_index)
            return &function->frames[i];
    return NULL;
}

const struct usb_alt *uvc_choose_alt(const struct usb_config *config,
                                     const struct uvc_function *function, uint32_t payload_bytes)
{
    const struct usb_alt *fits = NULL, *biggest = NULL;
    uint32_t fits_bytes = UINT32_MAX, biggest_bytes = 0;

    for (unsigned i = 0; i < config->alt_count; i++) {
        const struct usb_alt *alt = &config->alts[i];
        const struct usb_endpoint *endpoint = usb_alt_endpoint(alt, USB_EP_ISOCHRONOUS, true);

        if (alt->interface != function->streaming_interface || alt->alt == 0 || endpoint == NULL)
            continue;
        if (endpoint->bytes_per_event > biggest_bytes) {
            biggest = alt;
            biggest_bytes = endpoint->bytes_per_event;
        }
        if (endpoint->bytes_per_event >= payload_bytes && endpoint->bytes_per_event < fits_bytes) {
            fits = alt;
            fits_bytes = endpoint->bytes_per_event;
        }
    }
    return payload_bytes > 0 && fits != NULL ? fits : biggest;
}
