#include "names.h"

#include "../common/utf8.h"

#include <stdbool.h>
#include <string.h>

#define MASK 0x25cf /* ● */
#define LONG_VOWEL 0x30fc
#define HALF_FIRST 0xff66 /* half-width ヲ */
#define HALF_LAST 0xff9d
#define VOICED 0x3099 /* combining; half width FF9E, spacing 309B */
#define HALF_VOICED 0x309a

struct pair {
    uint32_t from, to;
};

static const struct pair variants[] = {
#define VARIANT(from, to) {from, to},
#include "variants.def"
#undef VARIANT
};

static const struct pair compat[] = {
#define COMPAT(from, to) {from, to},
#include "compat.def"
#undef COMPAT
};

/* JIS X 0201 in the order of U+FF66 to U+FF9D. */
static const uint16_t half_kana[] = {
    0x30f2, 0x30a1, 0x30a3, 0x30a5, 0x30a7, 0x30a9, 0x30e3, 0x30e5, 0x30e7, 0x30c3, 0x30fc, 0x30a2,
    0x30a4, 0x30a6, 0x30a8, 0x30aa, 0x30ab, 0x30ad, 0x30af, 0x30b1, 0x30b3, 0x30b5, 0x30b7, 0x30b9,
    0x30bb, 0x30bd, 0x30bf, 0x30c1, 0x30c4, 0x30c6, 0x30c8, 0x30ca, 0x30cb, 0x30cc, 0x30cd, 0x30ce,
    0x30cf, 0x30d2, 0x30d5, 0x30d8, 0x30db, 0x30de, 0x30df, 0x30e0, 0x30e1, 0x30e2, 0x30e4, 0x30e6,
    0x30e8, 0x30e9, 0x30ea, 0x30eb, 0x30ec, 0x30ed, 0x30ef, 0x30f3,
};

static uint32_t look_up(const struct pair *table, size_t n, uint32_t c)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (table[middle].from == c)
            return table[middle].to;
        if (table[middle].from < c)
            low = middle + 1;
        else
            high = middle;
    }
    return c;
}

static bool is_dash(uint32_t c)
{
    return c == '-' || (c >= 0x2010 && c <= 0x2015) || c == 0x2212 || c == 0xff0d;
}

/* Says nothing about the person: blanks, the dot between names, selectors of a glyph. */
static bool counts_not(uint32_t c)
{
    return c <= 0x20 || c == 0x7f || c == 0xa0 || c == 0x3000 || c == 0x30fb || c == 0xff65 ||
           (c >= 0x200b && c <= 0x200d) || c == 0xfeff || (c >= 0xfe00 && c <= 0xfe0f) ||
           (c >= 0xe0100 && c <= 0xe01ef);
}

/* The kana with the mark put to it; 0 when it takes none. */
static uint32_t with_mark(uint32_t c, bool half)
{
    if (half)
        return c >= 0x30cf && c <= 0x30db && (c - 0x30cf) % 3 == 0 ? c + 2 : 0;
    if (c == 0x30a6)
        return 0x30f4;
    if ((c >= 0x30ab && c <= 0x30c1 && (c - 0x30ab) % 2 == 0) ||
        (c >= 0x30c4 && c <= 0x30c8 && c % 2 == 0) ||
        (c >= 0x30cf && c <= 0x30db && (c - 0x30cf) % 3 == 0))
        return c + 1;
    return 0;
}

static uint32_t width(uint32_t c)
{
    if (c >= 0xff01 && c <= 0xff5e)
        c -= 0xff01 - 0x21;
    if (c >= HALF_FIRST && c <= HALF_LAST)
        c = half_kana[c - HALF_FIRST];
    return c;
}

static uint32_t as_reading(uint32_t c)
{
    if (c >= 0x3041 && c <= 0x3096)
        c += 0x60;
    if ((c >= 0x30a1 && c <= 0x30a9 && c % 2 == 1) || c == 0x30c3 ||
        (c >= 0x30e3 && c <= 0x30e7 && c % 2 == 1) || c == 0x30ee)
        c++;
    return is_dash(c) ? (uint32_t)LONG_VOWEL : c;
}

static size_t fold(const char *text, bool reading, uint32_t out[NAMES_MAX])
{
    const char *end = text + strlen(text);
    size_t n = 0;

    while (text < end) {
        uint32_t c = utf8_next(&text, end), marked;

        if (c == UINT32_MAX)
            return 0;
        if (c == 0xff9e || c == 0x309b)
            c = VOICED;
        if (c == 0xff9f || c == 0x309c)
            c = HALF_VOICED;
        if (c == VOICED || c == HALF_VOICED) {
            marked = n > 0 ? with_mark(out[n - 1], c == HALF_VOICED) : 0;
            if (marked != 0)
                out[n - 1] = marked;
            continue;
        }
        if (counts_not(c))
            continue;
        c = width(c);
        if (c >= 'a' && c <= 'z')
            c -= 'a' - 'A';
        c = look_up(compat, sizeof(compat) / sizeof(compat[0]), c);
        c = look_up(variants, sizeof(variants) / sizeof(variants[0]), c);
        if (reading)
            c = as_reading(c);
        if (n == NAMES_MAX)
            return 0;
        out[n++] = c;
    }
    return n;
}

size_t names_fold(const char *text, uint32_t out[NAMES_MAX])
{
    return fold(text, false, out);
}

size_t names_fold_kana(const char *text, uint32_t out[NAMES_MAX])
{
    return fold(text, true, out);
}

static enum names_likeness compare(const char *a, const char *b, bool reading)
{
    uint32_t x[NAMES_MAX], y[NAMES_MAX];
    size_t n = fold(a, reading, x), m = fold(b, reading, y), seen = 0;
    bool masked = false;

    if (n == 0 || n != m)
        return NAMES_OTHER;
    for (size_t i = 0; i < n; i++) {
        if (x[i] == MASK || y[i] == MASK)
            masked = true;
        else if (x[i] != y[i])
            return NAMES_OTHER;
        else
            seen++;
    }
    if (seen == 0)
        return NAMES_OTHER;
    return masked ? NAMES_MASKED : NAMES_SAME;
}

enum names_likeness names_compare(const char *a, const char *b)
{
    return compare(a, b, false);
}

enum names_likeness names_compare_kana(const char *a, const char *b)
{
    return compare(a, b, true);
}

static size_t put_utf8(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

void names_fold_code(const char *text, char *out, size_t size)
{
    const char *end = text + strlen(text);
    uint32_t last = 0;
    size_t used = 0, start = 0;

    while (text < end) {
        uint32_t c = utf8_next(&text, end);
        char utf8[4];
        size_t n;

        if (c == UINT32_MAX)
            break;
        if (c == 0xff9e || c == 0xff9f) {
            uint32_t marked = with_mark(last, c == 0xff9f);

            if (marked == 0)
                continue;
            used = start;
            c = marked;
        } else if (counts_not(c) && c != 0x30fb && c != 0xff65) {
            continue;
        }
        c = is_dash(c) ? '-' : width(c);
        n = put_utf8(c, utf8);
        if (used + n >= size)
            break;
        start = used;
        memcpy(out + used, utf8, n);
        used += n;
        last = c;
    }
    out[used] = '\0';
}
