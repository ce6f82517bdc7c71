#include "utf8.h"

uint32_t utf8_next(const char **at, const char *end)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)*at;
    size_t left = (size_t)(end - *at);
    size_t len;
    uint32_t c;

    if (left == 0)
        return 0;
    if (p[0] < 0x80) {
        *at += 1;
        return p[0];
    }
    if (p[0] >= 0xc2 && p[0] < 0xe0)
        len = 2, c = p[0] & 0x1f;
    else if (p[0] >= 0xe0 && p[0] < 0xf0)
        len = 3, c = p[0] & 0x0f;
    else if (p[0] >= 0xf0 && p[0] < 0xf5)
        len = 4, c = p[0] & 0x07;
    else
        return UINT32_MAX;
    if (left < len)
        return UINT32_MAX;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return UINT32_MAX;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return UINT32_MAX;
    *at += len;
    return c;
}

bool utf8_valid(const char *text, size_t len)
{
    const char *end = text + len;

    while (text < end)
        if (utf8_next(&text, end) == UINT32_MAX)
            return false;
    return true;
}
