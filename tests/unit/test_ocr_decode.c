/* The frames that cards are looked for in: what a camera sends comes out as brightness, everything else is refused. */
#include "daemon/ocr/decode.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <turbojpeg.h>

#include <cmocka.h>

enum { W = 96, H = 64, ROOM = 1 << 16 };

struct fixture {
    struct decoder *decoder;
    struct plane plane;
    uint8_t grey[W * H];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    *state = f;
    f->decoder = decoder_new();
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            f->grey[y * W + x] = (uint8_t)(40 + x + y / 2);
    return f->decoder == NULL;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    decoder_free(&f->decoder);
    plane_free(&f->plane);
    free(f);
    return 0;
}

/* Its length. */
static size_t make_jpeg(const struct fixture *f, uint8_t jpeg[ROOM], int flags)
{
    tjhandle handle = tjInitCompress();
    unsigned char *out = NULL;
    unsigned long len = 0;

    assert_non_null(handle);
    assert_int_equal(
        tjCompress2(handle, f->grey, W, 0, H, TJPF_GRAY, &out, &len, TJSAMP_GRAY, 95, flags), 0);
    assert_true(len < ROOM);
    memcpy(jpeg, out, len);
    tjFree(out);
    tjDestroy(handle);
    return len;
}

static void a_jpeg_comes_out_as_it_went_in(void **state)
{
    struct fixture *f = *state;
    uint8_t jpeg[ROOM];
    size_t len = make_jpeg(f, jpeg, 0);

    assert_int_equal(decode_frame(f->decoder, DECODE_MJPEG, 0, 0, jpeg, len, &f->plane), 0);
    assert_int_equal(f->plane.width, W);
    assert_int_equal(f->plane.height, H);
    for (int i = 0; i < W * H; i++)
        assert_in_range(f->plane.room.data[i] + 8, f->grey[i] + 4, f->grey[i] + 12);
}

static void brightness_is_every_second_byte_of_yuy2(void **state)
{
    struct fixture *f = *state;
    uint8_t yuy2[W * H * 2];

    for (int i = 0; i < W * H; i++) {
        yuy2[2 * i] = f->grey[i];
        yuy2[2 * i + 1] = 0xee;
    }
    assert_int_equal(decode_frame(f->decoder, DECODE_YUY2, W, H, yuy2, sizeof(yuy2), &f->plane), 0);
    assert_memory_equal(f->plane.room.data, f->grey, sizeof(f->grey));
    assert_int_equal(decode_frame(f->decoder, DECODE_YUY2, W, H, yuy2, sizeof(yuy2) - 1, &f->plane),
                     -EBADMSG);
    assert_int_equal(decode_frame(f->decoder, DECODE_YUY2, W - 1, H, yuy2, sizeof(yuy2), &f->plane),
                     -EBADMSG);
}

static void a_progressive_jpeg_is_refused(void **state)
{
    struct fixture *f = *state;
    uint8_t jpeg[ROOM];
    size_t len = make_jpeg(f, jpeg, TJFLAG_PROGRESSIVE);

    assert_int_equal(decode_frame(f->decoder, DECODE_MJPEG, 0, 0, jpeg, len, &f->plane), -EBADMSG);
}

/* Twelve bytes a scan, and each a walk over four million pixels for whoever begins to decode it. */
static void a_jpeg_of_many_scans_costs_no_time(void **state)
{
    static const char head[] = "\xff\xd8\xff\xc0\x00\x11\x08\x07\xd0\x07\xd0\x03"
                               "\x01\x11\x00\x02\x11\x00\x03\x11\x00";
    static const char scan[] = "\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00\x12\x34";
    enum { HEAD = sizeof(head) - 1, SCAN = sizeof(scan) - 1, SCANS = 2000 };
    struct fixture *f = *state;
    uint8_t *jpeg = malloc(HEAD + SCAN * SCANS);
    struct timespec before, after;

    assert_non_null(jpeg);
    memcpy(jpeg, head, HEAD);
    for (size_t i = 0; i < SCANS; i++)
        memcpy(jpeg + HEAD + SCAN * i, scan, SCAN);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    assert_int_equal(
        decode_frame(f->decoder, DECODE_MJPEG, 0, 0, jpeg, HEAD + SCAN * SCANS, &f->plane),
        -EBADMSG);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    assert_true(after.tv_sec - before.tv_sec <= 1);
    free(jpeg);
}

/* The decoder remembers nothing of a damaged frame. */
static void after_a_damaged_frame_a_good_one_is_read(void **state)
{
    struct fixture *f = *state;
    uint8_t jpeg[ROOM], damaged[ROOM];
    size_t len = make_jpeg(f, jpeg, 0);

    for (size_t at = 2; at < len; at += 1 + len / 50) {
        memcpy(damaged, jpeg, len);
        damaged[at] ^= 0xa5;
        (void)decode_frame(f->decoder, DECODE_MJPEG, 0, 0, damaged, len, &f->plane);
        (void)decode_frame(f->decoder, DECODE_MJPEG, 0, 0, jpeg, at, &f->plane);
        assert_int_equal(decode_frame(f->decoder, DECODE_MJPEG, 0, 0, jpeg, len, &f->plane), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_jpeg_comes_out_as_it_went_in, setup, teardown),
        cmocka_unit_test_setup_teardown(brightness_is_every_second_byte_of_yuy2, setup, teardown),
        cmocka_unit_test_setup_teardown(a_progressive_jpeg_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_jpeg_of_many_scans_costs_no_time, setup, teardown),
        cmocka_unit_test_setup_teardown(after_a_damaged_frame_a_good_one_is_read, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
