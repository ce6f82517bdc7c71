#include "pin_pad.h"

#include <string.h>

enum { HEADER = 10, FIELDS = 15 };

/* This reader's firmware knows whole bytes, ASCII, left-justified, and no length in the command. */
unsigned sim_pin_pad_command(struct pin_pad_command *out, const uint8_t *data, size_t len,
                             const char *digits)
{
    size_t n = strlen(digits), at, size;

    memset(out, 0, sizeof(*out));
    if (len < FIELDS + 5 || len > FIELDS + PIN_PAD_APDU_MAX)
        return 1;
    if (data[0] != 0) /* verification */
        return HEADER;
    if ((data[2] & 0x80) == 0 || (data[2] & 0x07) != 2)
        return HEADER + 2;
    if (data[3] >> 4 != 0)
        return HEADER + 3;
    if (data[4] != 0)
        return HEADER + 4;
    if (data[5] < data[6] || data[5] == 0) /* most, fewest */
        return HEADER + 5;
    if (data[7] == 0 || data[7] > 7)
        return HEADER + 7;
    out->seconds = data[1];
    memcpy(out->prologue, data + 12, 3);
    out->len = len - FIELDS;
    memcpy(out->apdu, data + FIELDS, out->len);
    at = 5 + ((data[2] >> 3) & 0x0f);
    size = data[3] & 0x0f;
    if (out->apdu[4] != out->len - 5 || at + size > out->len)
        return HEADER + FIELDS + 4;
    out->fits = n >= data[6] && n <= data[5] && n <= size;
    if (out->fits)
        memcpy(out->apdu + at, digits, n);
    return 0;
}
