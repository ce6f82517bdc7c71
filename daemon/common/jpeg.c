#include "jpeg.h"

#include "bytes.h"

enum { SOF0 = 0xc0, SOF1 = 0xc1, DHT = 0xc4, SOI = 0xd8, SOS = 0xda, DQT = 0xdb };

/* The marker's code, behind any number of fill bytes; 0: none stands there. */
static uint8_t take_marker(struct bytes_reader *r)
{
    uint8_t marker;

    if (bytes_u8(r) != 0xff)
        return 0;
    do
        marker = bytes_u8(r);
    while (marker == 0xff && !r->failed);
    return marker;
}

/* The frame header's number of components, 0 when it is not one that passes. */
static uint8_t take_frame(struct bytes_reader *segment, int least, int most)
{
    uint8_t bits = bytes_u8(segment);
    int height = bytes_u16be(segment), width = bytes_u16be(segment);
    uint8_t components = bytes_u8(segment);
    bool good = !segment->failed && bits == 8 && (components == 1 || components == 3) &&
                width >= least && height >= least && width <= most && height <= most;

    return good ? components : 0;
}

bool jpeg_is_tame(const uint8_t *data, size_t len, int least, int most)
{
    struct bytes_reader r;
    uint8_t components = 0; /* 0: the frame header has not come yet */

    bytes_reader_init(&r, data, len);
    if (bytes_u16be(&r) != (0xff00 | SOI))
        return false;
    for (;;) {
        uint8_t marker = take_marker(&r);
        uint16_t size = bytes_u16be(&r);
        struct bytes_reader segment;

        if (r.failed || size < 2)
            return false;
        segment = bytes_sub(&r, size - 2u);
        if (segment.failed)
            return false;
        if (marker == SOS)
            return components > 0 && bytes_u8(&segment) == components;
        if (marker == SOF0 || marker == SOF1) {
            if (components != 0 || (components = take_frame(&segment, least, most)) == 0)
                return false;
        } else if (marker != DHT && marker < DQT) {
            return false; /* other processes, and markers that have no segment */
        }
    }
}
