#include "payload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_MIN 2u
#define BIT_FRAME_ID 0x01u
#define BIT_END 0x02u
#define BIT_STILL 0x20u
#define BIT_ERROR 0x40u

int payload_init(struct payload *payload, size_t size, payload_frame_fn *deliver, void *arg)
{
    memset(payload, 0, sizeof(*payload));
    payload->buffer = malloc(size);
    if (payload->buffer == NULL)
        return -ENOMEM;
    payload->size = size;
    payload->deliver = deliver;
    payload->arg = arg;
    return 0;
}

void payload_reset(struct payload *payload)
{
    payload->used = 0;
    payload->begun = payload->bad = payload->known_id = payload->gap = false;
    payload->in_bulk = payload->skip_bulk = false;
    payload->bulk_used = 0;
}

void payload_wipe(struct payload *payload)
{
    if (payload->touched > 0)
        explicit_bzero(payload->buffer, payload->touched);
    payload->touched = 0;
}

void payload_clear(struct payload *payload)
{
    payload_wipe(payload);
    free(payload->buffer);
    payload->buffer = NULL;
    payload->size = 0;
    payload_reset(payload);
}

static bool is_jpeg_begin(const struct payload *payload)
{
    return payload->used >= 2 && payload->buffer[0] == 0xff && payload->buffer[1] == 0xd8;
}

/* Cameras fill up behind the end marker with zeros. */
static bool has_jpeg_end(const struct payload *payload)
{
    size_t end = payload->used;

    while (end > 2 && payload->buffer[end - 1] == 0)
        end--;
    return end >= 4 && payload->buffer[end - 2] == 0xff && payload->buffer[end - 1] == 0xd9;
}

static void end_frame(struct payload *payload)
{
    struct camera_frame frame = {.data = payload->buffer,
                                 .len = payload->used,
                                 .monotonic_us = payload->began_us,
                                 .sequence = payload->sequence++};
    bool begins = payload->whole > 0 ? payload->used > 0 : is_jpeg_begin(payload);
    bool ends = payload->whole > 0 ? payload->used == payload->whole : has_jpeg_end(payload);

    payload->begun = false;
    payload->used = 0;
    if (payload->bad || !ends)
        payload->counters.truncated++;
    if (payload->bad || !begins) {
        payload->counters.dropped++;
        payload->gap = true;
        return;
    }
    if (!ends)
        frame.flags |= CAMERA_FRAME_TRUNCATED;
    if (payload->gap)
        frame.flags |= CAMERA_FRAME_GAP;
    payload->gap = false;
    payload->counters.frames++;
    payload->deliver(&frame, payload->arg);
}

static void append(struct payload *payload, const uint8_t *bytes, size_t len)
{
    if (payload->bad)
        return;
    if (len > (payload->whole > 0 ? payload->whole : payload->size) - payload->used) {
        payload->bad = true;
        return;
    }
    memcpy(payload->buffer + payload->used, bytes, len);
    payload->used += len;
    if (payload->used > payload->touched)
        payload->touched = payload->used;
}

static void spoil(struct payload *payload)
{
    if (payload->begun)
        payload->bad = true;
    else
        payload->gap = true;
}

void payload_lost(struct payload *payload)
{
    payload->counters.lost++;
    spoil(payload);
}

/* Takes the header; returns its length, 0 when the payload is not to be used. */
static size_t take_header(struct payload *payload, const uint8_t *bytes, size_t len,
                          uint64_t now_us)
{
    uint8_t id, bits;

    if (len < HEADER_MIN || bytes[0] < HEADER_MIN || bytes[0] > len) {
        payload->counters.errors++;
        spoil(payload);
        return 0;
    }
    bits = bytes[1];
    id = bits & BIT_FRAME_ID;
    if ((bits & BIT_STILL) != 0)
        return 0;
    if (payload->begun && id != payload->frame_id)
        end_frame(payload);
    if (!payload->begun) {
        /* After the end of a frame only the toggled id begins another. */
        if (payload->known_id && id == payload->frame_id)
            return 0;
        /* Some cameras toggle in an empty payload: the frame begins with its first byte. */
        if (bytes[0] == len && (bits & (BIT_ERROR | BIT_END)) == 0)
            return 0;
        payload->begun = true;
        payload->bad = false;
        payload->used = 0;
        payload->known_id = true;
        payload->frame_id = id;
        payload->began_us = now_us;
    }
    if ((bits & BIT_ERROR) != 0) {
        payload->counters.errors++;
        payload->bad = true;
    }
    return bytes[0];
}

void payload_push(struct payload *payload, const uint8_t *bytes, size_t len, uint64_t now_us)
{
    size_t header;
    bool end;

    payload->counters.packets++;
    if (len == 0)
        return;
    header = take_header(payload, bytes, len, now_us);
    if (header == 0 || payload->buffer == NULL)
        return;
    end = (bytes[1] & BIT_END) != 0;
    append(payload, bytes + header, len - header);
    if (end && payload->begun)
        end_frame(payload);
}

static void begin_bulk(struct payload *payload, const uint8_t **bytes, size_t *len, uint64_t now_us)
{
    size_t header = take_header(payload, *bytes, *len, now_us);

    payload->counters.packets++;
    payload->in_bulk = true;
    payload->bulk_used = header;
    payload->skip_bulk = header == 0;
    payload->bulk_end = header > 0 && ((*bytes)[1] & BIT_END) != 0;
    *bytes += header;
    *len -= header;
}

void payload_push_bulk(struct payload *payload, const uint8_t *bytes, size_t len, bool ended,
                       size_t max, uint64_t now_us)
{
    if (!payload->in_bulk && len == 0)
        return;
    if (!payload->in_bulk)
        begin_bulk(payload, &bytes, &len, now_us);
    payload->bulk_used += len;
    if (!payload->skip_bulk && payload->begun)
        append(payload, bytes, len);
    if (!ended && payload->bulk_used < max)
        return;
    payload->in_bulk = false;
    if (payload->bulk_end && !payload->skip_bulk && payload->begun)
        end_frame(payload);
}
