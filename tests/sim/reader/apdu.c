#include "apdu.h"

#include "util.h"

#include <errno.h>
#include <string.h>

static void set_le(struct apdu *a, size_t value, size_t maximum)
{
    a->le = value ? value : maximum;
    a->le_is_maximum = value == 0;
}

static int parse_short(struct apdu *a, const uint8_t *b, size_t len)
{
    size_t lc = b[4];

    if (len == 5) {
        set_le(a, b[4], 256);
        return 0;
    }
    a->data = b + 5;
    a->lc = lc;
    if (len == 5 + lc)
        return 0;
    if (len != 6 + lc)
        return -EINVAL;
    set_le(a, b[5 + lc], 256);
    return 0;
}

static int parse_extended(struct apdu *a, const uint8_t *b, size_t len)
{
    size_t lc = util_get_be16(b + 5);

    a->extended = true;
    if (len == 7) {
        set_le(a, lc, 65536);
        return 0;
    }
    if (lc == 0)
        return -EINVAL;
    a->data = b + 7;
    a->lc = lc;
    if (len == 7 + lc)
        return 0;
    if (len != 9 + lc)
        return -EINVAL;
    set_le(a, util_get_be16(b + 7 + lc), 65536);
    return 0;
}

int sim_apdu_parse(struct apdu *a, const uint8_t *b, size_t len)
{
    memset(a, 0, sizeof(*a));
    if (len < 4)
        return -EINVAL;
    a->cla = b[0];
    a->ins = b[1];
    a->p1 = b[2];
    a->p2 = b[3];
    if (len == 4)
        return 0;
    if (len > 5 && b[4] == 0)
        return len >= 7 ? parse_extended(a, b, len) : -EINVAL;
    return parse_short(a, b, len);
}
