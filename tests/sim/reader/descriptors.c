#include "descriptors.h"

#include "camera.h"

#include <string.h>

enum { /* descriptor types and subtypes of USB 2.0, UVC 1.1 */
       DT_DEVICE = 1,
       DT_CONFIGURATION = 2,
       DT_STRING = 3,
       DT_INTERFACE = 4,
       DT_ENDPOINT = 5,
       DT_ASSOCIATION = 11,
       DT_CS_INTERFACE = 0x24,
       VC_HEADER = 1,
       VC_INPUT_TERMINAL = 2,
       VC_OUTPUT_TERMINAL = 3,
       VC_PROCESSING_UNIT = 5,
       VS_INPUT_HEADER = 1,
       VS_FORMAT_MJPEG = 6,
       VS_FRAME_MJPEG = 7,
       VS_COLORFORMAT = 0x0D,
};

enum { STRING_MAKER = 1, STRING_PRODUCT, STRING_SERIAL, STRING_READER, STRING_CAMERA };

enum { CLASS_CCID = 0x0B, CLASS_VIDEO = 0x0E, SC_CONTROL = 1, SC_STREAMING = 2, SC_COLLECTION = 3 };

static void put_le16(struct buf *b, unsigned v)
{
    sim_buf_put_u8(b, v & 0xff);
    sim_buf_put_u8(b, v >> 8);
}

static void put_le32(struct buf *b, uint32_t v)
{
    put_le16(b, v & 0xffff);
    put_le16(b, v >> 16);
}

static void put_bytes(struct buf *b, const uint8_t *bytes, size_t len)
{
    sim_buf_put(b, bytes, len);
}

#define PUT(b, ...)                                                                                \
    put_bytes((b), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

void sim_descriptors_device(uint8_t d[DEVICE_DESCRIPTOR])
{
    memset(d, 0, DEVICE_DESCRIPTOR);
    d[0] = DEVICE_DESCRIPTOR;
    d[1] = DT_DEVICE;
    util_put_le16(d + 2, 0x0200);
    d[4] = 0xEF; /* miscellaneous, common class, interface association */
    d[5] = 2;
    d[6] = 1;
    d[7] = 64;
    util_put_le16(d + 8, DESCRIPTOR_VENDOR);
    util_put_le16(d + 10, DESCRIPTOR_PRODUCT);
    util_put_le16(d + 12, DESCRIPTOR_RELEASE);
    d[14] = STRING_MAKER;
    d[15] = STRING_PRODUCT;
    d[16] = STRING_SERIAL;
    d[17] = 1;
}

static void put_interface(struct buf *b, unsigned number, unsigned alternate, unsigned endpoints,
                          unsigned class, unsigned subclass, unsigned string)
{
    PUT(b, 9, DT_INTERFACE, (uint8_t)number, (uint8_t)alternate, (uint8_t)endpoints,
        (uint8_t) class, (uint8_t)subclass, 0, (uint8_t)string);
}

static void put_endpoint(struct buf *b, unsigned address, unsigned attributes, unsigned size,
                         unsigned interval)
{
    PUT(b, 7, DT_ENDPOINT, (uint8_t)address, (uint8_t)attributes);
    put_le16(b, size);
    sim_buf_put_u8(b, interval);
}

static void put_reader(struct buf *b, const struct ccid_level *level, bool pin_pad, unsigned slots)
{
    uint8_t class_descriptor[CCID_DESCRIPTOR];

    put_interface(b, INTERFACE_CCID, 0, 3, CLASS_CCID, 0, STRING_READER);
    sim_ccid_descriptor(level, pin_pad, class_descriptor);
    class_descriptor[4] = (uint8_t)(slots - 1); /* bMaxSlotIndex */
    sim_buf_put(b, class_descriptor, sizeof(class_descriptor));
    put_endpoint(b, ENDPOINT_OUT, 2, 512, 0);
    put_endpoint(b, ENDPOINT_IN, 2, 512, 0);
    put_endpoint(b, ENDPOINT_INTERRUPT, 3, 8, 8); /* 16 ms */
}

static void put_camera_control(struct buf *b)
{
    struct buf units = {0};
    uint32_t terminal = sim_camera_control_bits(CAMERA_TERMINAL);
    uint32_t processing = sim_camera_control_bits(CAMERA_PROCESSING);

    put_interface(b, INTERFACE_CONTROL, 0, 0, CLASS_VIDEO, SC_CONTROL, STRING_CAMERA);
    /* camera: input terminal 0x0201 without optics data */
    PUT(&units, 18, DT_CS_INTERFACE, VC_INPUT_TERMINAL, CAMERA_TERMINAL, 0x01, 0x02, 0, 0, 0, 0, 0,
        0, 0, 0, 3, (uint8_t)terminal, (uint8_t)(terminal >> 8), (uint8_t)(terminal >> 16));
    /* UVC 1.1: three bytes of controls, name, video standards */
    PUT(&units, 13, DT_CS_INTERFACE, VC_PROCESSING_UNIT, CAMERA_PROCESSING, CAMERA_TERMINAL, 0, 0,
        3, (uint8_t)processing, (uint8_t)(processing >> 8), (uint8_t)(processing >> 16), 0, 0);
    PUT(&units, 9, DT_CS_INTERFACE, VC_OUTPUT_TERMINAL, CAMERA_OUTPUT, 0x01, 0x01, 0,
        CAMERA_PROCESSING, 0);
    PUT(b, 13, DT_CS_INTERFACE, VC_HEADER, 0x10, 0x01);
    put_le16(b, 13 + (unsigned)units.len);
    put_le32(b, CAMERA_CLOCK_HZ);
    PUT(b, 1, INTERFACE_STREAMING);
    sim_buf_put(b, units.data, units.len);
    if (units.failed)
        b->failed = true;
    sim_buf_free(&units);
}

static void put_size(struct buf *b, unsigned index, const struct camera_size *s)
{
    const unsigned long slowest = 10000000ul / s->interval[CAMERA_INTERVALS - 1];
    const unsigned long fastest = 10000000ul / s->interval[0];
    size_t i;

    PUT(b, 26 + 4 * CAMERA_INTERVALS, DT_CS_INTERFACE, VS_FRAME_MJPEG, (uint8_t)index, 0);
    put_le16(b, s->width);
    put_le16(b, s->height);
    put_le32(b, (uint32_t)(s->max_frame * 8 * slowest));
    put_le32(b, (uint32_t)(s->max_frame * 8 * fastest));
    put_le32(b, s->max_frame);
    put_le32(b, s->interval[0]);
    sim_buf_put_u8(b, CAMERA_INTERVALS);
    for (i = 0; i < CAMERA_INTERVALS; i++)
        put_le32(b, s->interval[i]);
}

static void put_camera_streaming(struct buf *b)
{
    struct buf formats = {0};
    unsigned i;

    put_interface(b, INTERFACE_STREAMING, 0, 0, CLASS_VIDEO, SC_STREAMING, 0);
    PUT(&formats, 11, DT_CS_INTERFACE, VS_FORMAT_MJPEG, 1, CAMERA_SIZES, 0, 1, 0, 0, 0, 0);
    for (i = 0; i < CAMERA_SIZES; i++)
        put_size(&formats, i + 1, &sim_camera_sizes[i]);
    PUT(&formats, 6, DT_CS_INTERFACE, VS_COLORFORMAT, 1, 1, 4); /* BT.709, matrix of BT.601 */
    PUT(b, 14, DT_CS_INTERFACE, VS_INPUT_HEADER, 1);
    put_le16(b, 14 + (unsigned)formats.len);
    PUT(b, ENDPOINT_ISO, 0, CAMERA_OUTPUT, 0, 0, 0, 1, 0);
    sim_buf_put(b, formats.data, formats.len);
    if (formats.failed)
        b->failed = true;
    sim_buf_free(&formats);
    for (i = 0; i < CAMERA_ALTERNATES; i++) {
        put_interface(b, INTERFACE_STREAMING, i + 1, 1, CLASS_VIDEO, SC_STREAMING, 0);
        put_endpoint(b, ENDPOINT_ISO, 0x05, sim_camera_packet_size[i], 1);
    }
}

void sim_descriptors_configuration(struct buf *out, const struct ccid_level *level, bool pin_pad,
                                   unsigned slots)
{
    size_t start = out->len;

    /* bus powered, 500 mA */
    PUT(out, 9, DT_CONFIGURATION, 0, 0, INTERFACES, 1, 0, 0x80, 250);
    put_reader(out, level, pin_pad, slots);
    PUT(out, 8, DT_ASSOCIATION, INTERFACE_CONTROL, 2, CLASS_VIDEO, SC_COLLECTION, 0, STRING_CAMERA);
    put_camera_control(out);
    put_camera_streaming(out);
    if (!out->failed)
        util_put_le16(out->data + start + 2, (unsigned)(out->len - start));
}

bool sim_descriptors_string(struct buf *out, unsigned i, const char *serial)
{
    static const char *const texts[] = {
        [STRING_MAKER] = "uketsuke simulator",
        [STRING_PRODUCT] = "Simulated reception reader",
        [STRING_SERIAL] = "",
        [STRING_READER] = "Smart card reader",
        [STRING_CAMERA] = "Camera",
    };
    const char *text;
    size_t len, k;

    if (i == 0) {
        PUT(out, 4, DT_STRING, 0x09, 0x04);
        return !out->failed;
    }
    if (i >= sizeof(texts) / sizeof(texts[0]))
        return false;
    text = i == STRING_SERIAL ? serial : texts[i];
    len = strlen(text);
    if (len > 126)
        len = 126;
    sim_buf_put_u8(out, (unsigned)(2 + 2 * len));
    sim_buf_put_u8(out, DT_STRING);
    for (k = 0; k < len; k++)
        put_le16(out, (unsigned char)text[k]);
    return !out->failed;
}
