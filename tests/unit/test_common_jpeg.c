/* Which pictures may be decoded: headers put together by hand, as ITU-T T.81, B.2 has them. */
#include "daemon/common/jpeg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SOI "\xff\xd8"
#define QUANTIZERS "\xff\xdb\x00\x04\x00\x10"
#define FRAME(process, bits, height, width, components)                                            \
    "\xff" process "\x00\x11" bits height width components "\x01\x11\x00\x02\x11\x00\x03\x11\x00"
#define GOOD FRAME("\xc0", "\x08", "\x01\xe0", "\x02\x80", "\x03")
#define SCAN(components) "\xff\xda\x00\x08" components "\x01\x00\x00\x3f\x00"
#define FILL "\xff\xff\xff"

#define ROW(tame, words, bytes)                                                                    \
    {                                                                                              \
        words, bytes, sizeof(bytes) - 1, tame                                                      \
    }

static const struct {
    const char *words, *bytes;
    size_t len;
    bool tame;
} rows[] = {
    ROW(true, "baseline, three components in one scan", SOI QUANTIZERS GOOD SCAN("\x03") "\x12"),
    ROW(true, "fill bytes before a marker", SOI FILL QUANTIZERS GOOD FILL SCAN("\x03")),
    ROW(true, "extended sequential",
        SOI FRAME("\xc1", "\x08", "\1\xe0", "\2\x80", "\3") SCAN("\3")),
    ROW(true, "one component", SOI FRAME("\xc0", "\x08", "\1\xe0", "\2\x80", "\1") SCAN("\1")),
    ROW(true, "the least side", SOI FRAME("\xc0", "\x08", "\0\x10", "\0\x10", "\3") SCAN("\3")),
    ROW(true, "the most", SOI FRAME("\xc0", "\x08", "\7\xd0", "\7\xd0", "\3") SCAN("\3")),
    ROW(true, "tables, comments and what makers of cameras add",
        SOI
        "\xff\xe0\x00\x03J\xff\xc4\x00\x03\x00\xff\xdd\x00\x04\x00\x10\xff\xfe\x00\x02" GOOD SCAN(
            "\x03")),
    ROW(false, "progressive", SOI FRAME("\xc2", "\x08", "\1\xe0", "\2\x80", "\3") SCAN("\3")),
    ROW(false, "lossless", SOI FRAME("\xc3", "\x08", "\1\xe0", "\2\x80", "\3") SCAN("\3")),
    ROW(false, "arithmetic", SOI FRAME("\xc9", "\x08", "\1\xe0", "\2\x80", "\3") SCAN("\3")),
    ROW(false, "the first of many scans", SOI GOOD SCAN("\x01")),
    ROW(false, "no frame header", SOI QUANTIZERS SCAN("\x03")),
    ROW(false, "two of them", SOI GOOD GOOD SCAN("\x03")),
    ROW(false, "no scan", SOI GOOD),
    ROW(false, "twelve bits", SOI FRAME("\xc1", "\x0c", "\1\xe0", "\2\x80", "\3") SCAN("\3")),
    ROW(false, "four components", SOI FRAME("\xc0", "\x08", "\1\xe0", "\2\x80", "\4") SCAN("\4")),
    ROW(false, "none", SOI FRAME("\xc0", "\x08", "\1\xe0", "\2\x80", "\0") SCAN("\0")),
    ROW(false, "a line less than least",
        SOI FRAME("\xc0", "\x08", "\0\x0f", "\2\x80", "\3") SCAN("\3")),
    ROW(false, "a row less", SOI FRAME("\xc0", "\x08", "\1\xe0", "\0\x0f", "\3") SCAN("\3")),
    ROW(false, "a line more than most",
        SOI FRAME("\xc0", "\x08", "\7\xd1", "\2\x80", "\3") SCAN("\3")),
    ROW(false, "a row more", SOI FRAME("\xc0", "\x08", "\1\xe0", "\7\xd1", "\3") SCAN("\3")),
    ROW(false, "a height told later", SOI FRAME("\xc0", "\x08", "\0\0", "\2\x80", "\3") SCAN("\3")),
    ROW(false, "an end before the scan", SOI GOOD "\xff\xd9\x00\x02" SCAN("\x03")),
    ROW(false, "a second beginning", SOI SOI GOOD SCAN("\x03")),
    ROW(false, "a segment of one byte", SOI "\xff\xfe\x00\x01" GOOD SCAN("\x03")),
    ROW(false, "a segment longer than the rest", SOI GOOD "\xff\xfe\x00\x40" SCAN("\x03")),
    ROW(false, "no marker where one belongs", SOI "\x00" GOOD SCAN("\x03")),
    ROW(false, "another kind of file", "\x89PNG\r\n\x1a\n"),
};

static void only_what_a_camera_sends_passes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (jpeg_is_tame((const uint8_t *)rows[i].bytes, rows[i].len, 16, 2000) != rows[i].tame)
            fail_msg("%s", rows[i].words);
}

/* Wherever a file that passes is cut before its scan's first byte, it does not. */
static void nothing_passes_before_its_scan_is_there(void **state)
{
    static const char whole[] = SOI QUANTIZERS GOOD SCAN("\x03");
    uint8_t part[sizeof(whole)]; /* of its own length, so that a sanitizer sees a byte too far */

    (void)state;
    for (size_t len = 0; len < sizeof(whole) - 1; len++) {
        memcpy(part, whole, len);
        if (jpeg_is_tame(part, len, 16, 2000))
            fail_msg("cut after %zu bytes", len);
    }
    assert_true(jpeg_is_tame((const uint8_t *)whole, sizeof(whole) - 1, 16, 2000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_a_camera_sends_passes),
        cmocka_unit_test(nothing_passes_before_its_scan_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
