#include "t0.h"

#include <errno.h>
#include <string.h>

#define HEADER 4u
#define GET_RESPONSE 0xc0u
#define SHORT_MAX 256u

static uint8_t p3_of(size_t length)
{
    /* 0 stands for 256. */
    return (uint8_t)(length < SHORT_MAX ? length : 0);
}

/* Lengths of the cases 1 to 4, short and extended. 0 or -EINVAL. */
static int take_lengths(const uint8_t *apdu, size_t len, const uint8_t **data, size_t *lc,
                        size_t *le)
{
    size_t at = HEADER, field;

    *data = NULL;
    *lc = *le = 0;
    if (len == HEADER)
        return 0;
    if (len < HEADER)
        return -EINVAL;
    field = len >= 7 && apdu[4] == 0 ? 2 : 1;
    if (field == 2)
        at++;
    if (len - at > field) {
        *lc = field == 2 ? (size_t)apdu[at] << 8 | apdu[at + 1] : apdu[at];
        at += field;
        if (*lc == 0 || *lc > len - at)
            return -EINVAL;
        *data = apdu + at;
        at += *lc;
    }
    if (at == len)
        return 0;
    if (len - at != field)
        return -EINVAL;
    *le = field == 2 ? (size_t)apdu[at] << 8 | apdu[at + 1] : apdu[at];
    if (*le == 0)
        *le = field == 2 ? 65536 : SHORT_MAX;
    return 0;
}

int t0_command(struct t0 *t0, const uint8_t *apdu, size_t len)
{
    const uint8_t *data;
    size_t lc;

    memset(t0, 0, sizeof(*t0));
    if (take_lengths(apdu, len, &data, &lc, &t0->expected) < 0 || lc > 255)
        return -EINVAL;
    t0->cla = apdu[0];
    memcpy(t0->out, apdu, HEADER);
    t0->out_len = HEADER + 1;
    if (lc > 0) {
        t0->out[HEADER] = (uint8_t)lc;
        memcpy(t0->out + t0->out_len, data, lc);
        t0->out_len += lc;
        t0->data_sent = true;
    } else {
        t0->out[HEADER] = p3_of(t0->expected);
    }
    return 0;
}

static enum t0_next fetch(struct t0 *t0, size_t length)
{
    static const uint8_t rest[] = {GET_RESPONSE, 0, 0};

    if (++t0->pieces > T0_PIECES_MAX)
        return T0_WRONG;
    explicit_bzero(t0->out, sizeof(t0->out));
    /* No secure messaging, no chaining: only the channel of the command is kept. */
    t0->out[0] = t0->cla < 0x80 ? t0->cla & 0x03 : 0;
    memcpy(t0->out + 1, rest, sizeof(rest));
    t0->out[HEADER] = p3_of(length);
    t0->out_len = HEADER + 1;
    t0->resent = false;
    return T0_SEND;
}

enum t0_next t0_received(struct t0 *t0, const uint8_t *bytes, size_t len)
{
    bool first = t0->pieces == 0, empty = len == 2;
    size_t named;

    t0->part = NULL;
    t0->part_len = 0;
    if (len < 2 || len > SHORT_MAX + 2)
        return T0_WRONG;
    memcpy(t0->status, bytes + len - 2, 2);
    named = t0->status[1] == 0 ? SHORT_MAX : t0->status[1];
    /* The length of a command with data is not the answer's: nothing can be wrong with it. */
    if (t0->status[0] == 0x6c && empty && !t0->resent && (!first || !t0->data_sent) &&
        t0->expected > 0) {
        t0->resent = true;
        t0->out[HEADER] = p3_of(named);
        return T0_SEND;
    }
    t0->part = bytes;
    t0->part_len = len - 2 < t0->expected - t0->taken ? len - 2 : t0->expected - t0->taken;
    t0->taken += t0->part_len;
    if (t0->taken == t0->expected)
        return T0_DONE;
    if (t0->status[0] == 0x61)
        return fetch(t0, named);
    /* Case 4: the command is done, and its answer lies ready without a word about its length. */
    if (first && t0->data_sent && empty && t0->status[0] == 0x90 && t0->status[1] == 0x00)
        return fetch(t0, t0->expected < SHORT_MAX ? t0->expected : SHORT_MAX);
    return T0_DONE;
}

void t0_wipe(struct t0 *t0)
{
    explicit_bzero(t0, sizeof(*t0));
}
