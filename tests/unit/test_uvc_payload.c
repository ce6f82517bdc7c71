/* Frames from UVC payloads. Header: UVC 1.5, 2.4.3.3; bits: 01 frame id, 02 end, 20 still, 40
 * error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "driver/uvc/payload.h"
#include "mock_usb.h"

#define SOI "ffd8"
#define EOI "ffd9"

struct fixture {
    struct payload payload;
    unsigned frames;
    uint8_t data[256];
    struct camera_frame last;
    uint64_t now_us;
};

static void on_frame(const struct camera_frame *frame, void *arg)
{
    struct fixture *f = arg;

    assert_true(frame->len <= sizeof(f->data));
    memcpy(f->data, frame->data, frame->len);
    f->last = *frame;
    f->frames++;
}

static struct fixture *begin(void)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(payload_init(&f->payload, 32, on_frame, f), 0);
    return f;
}

static void finish(struct fixture *f)
{
    payload_clear(&f->payload);
    free(f);
}

static void push(struct fixture *f, const char *hex)
{
    uint8_t bytes[128];
    size_t len = mock_hex(hex, bytes, sizeof(bytes));
    uint8_t *exact = malloc(len > 0 ? len : 1);

    assert_non_null(exact);
    memcpy(exact, bytes, len);
    f->now_us += 125;
    payload_push(&f->payload, exact, len, f->now_us);
    free(exact);
}

static void expect_frame(struct fixture *f, unsigned number, const char *hex, uint32_t flags)
{
    uint8_t expected[128];
    size_t len = mock_hex(hex, expected, sizeof(expected));

    assert_int_equal(f->frames, number);
    assert_int_equal(f->last.len, len);
    assert_memory_equal(f->data, expected, len);
    assert_int_equal(f->last.flags, flags);
}

static void a_frame_ends_with_its_end_bit(void **state)
{
    struct fixture *f = begin();

    (void)state;
    push(f, "0280" SOI "01");
    push(f, "");
    push(f, "0280");
    push(f, "0282"
            "02" EOI);
    expect_frame(f, 1, SOI "0102" EOI, 0);
    assert_int_equal(f->last.monotonic_us, 125);
    assert_int_equal(f->last.sequence, 0);
    push(f, "0281" SOI "03");
    push(f, "0283" EOI);
    expect_frame(f, 2, SOI "03" EOI, 0);
    assert_int_equal(f->last.sequence, 1);
    assert_int_equal(f->payload.counters.packets, 6);
    assert_int_equal(f->payload.counters.frames, 2);
    assert_int_equal(f->payload.counters.dropped, 0);
    finish(f);
}

static void a_frame_ends_when_the_id_toggles(void **state)
{
    struct fixture *f = begin();

    (void)state;
    push(f, "0280" SOI "01" EOI);
    assert_int_equal(f->frames, 0);
    push(f, "0281" SOI "02" EOI);
    expect_frame(f, 1, SOI "01" EOI, 0);
    push(f, "0280");
    expect_frame(f, 2, SOI "02" EOI, 0);
    finish(f);
}

static void longer_headers_are_stepped_over(void **state)
{
    struct fixture *f = begin();

    (void)state;
    push(f, "0c8e 00112233 445566778899" SOI "01" EOI);
    expect_frame(f, 1, SOI "01" EOI, 0);
    finish(f);
}

static void bytes_after_the_end_belong_to_no_frame(void **state)
{
    struct fixture *f = begin();

    (void)state;
    push(f, "0282" SOI "01" EOI);
    push(f, "0280"
            "ee");
    push(f, "0282"
            "ee");
    push(f, "0283" SOI "02" EOI);
    expect_frame(f, 2, SOI "02" EOI, 0);
    assert_int_equal(f->payload.counters.dropped, 0);
    finish(f);
}

static void a_frame_with_an_error_or_a_lost_packet_is_dropped(void **state)
{
    struct fixture *f = begin();

    (void)state;
    push(f, "0280" SOI "01");
    push(f, "02c0"
            "02");
    push(f, "0282" EOI);
    assert_int_equal(f->frames, 0);
    push(f, "0281" SOI "03");
    payload_lost(&f->payload);
    push(f, "0283" EOI);
    assert_int_equal(f->frames, 0);
    push(f, "0282" SOI "04" EOI);
    expect_frame(f, 1, SOI "04" EOI, CAMERA_FRAME_GAP);
    assert_int_equal(f->last.sequence, 2);
    push(f, "0283" SOI "05" EOI);
    expect_frame(f, 2, SOI "05" EOI, 0);
    assert_int_equal(f->payload.counters.errors, 1);
    assert_int_equal(f->payload.counters.lost, 1);
    assert_int_equal(f->payload.counters.truncated, 2);
    assert_int_equal(f->payload.counters.dropped, 2);
    finish(f);
}

static void a_header_that_cannot_be_spoils_the_frame(void **state)
{
    static const char *const bad[] = {"02", "0080aa", "0180aa", "0580aa", "ff80"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct fixture *f = begin();

        push(f, "0280" SOI "01");
        push(f, bad[i]);
        push(f, "0282" EOI);
        assert_int_equal(f->frames, 0);
        assert_int_equal(f->payload.counters.errors, 1);
        assert_int_equal(f->payload.counters.dropped, 1);
        finish(f);
    }
}

static void a_frame_without_jpegs_end_is_flagged_and_padding_is_no_harm(void **state)
{
    struct fixture *f = begin();

    (void)state;
    push(f, "0282" SOI "0102");
    expect_frame(f, 1, SOI "0102", CAMERA_FRAME_TRUNCATED);
    push(f, "0283" SOI "01" EOI "000000");
    expect_frame(f, 2, SOI "01" EOI "000000", 0);
    assert_int_equal(f->payload.counters.truncated, 1);
    finish(f);
}

static void what_begins_in_the_middle_is_no_frame(void **state)
{
    struct fixture *f = begin();

    (void)state;
    push(f, "0282"
            "0102" EOI);
    assert_int_equal(f->frames, 0);
    push(f, "0283" SOI EOI);
    expect_frame(f, 1, SOI EOI, CAMERA_FRAME_GAP);
    finish(f);
}

static void a_frame_bigger_than_announced_is_dropped(void **state)
{
    struct fixture *f = begin();

    (void)state;
    push(f, "0280" SOI "000102030405060708090a0b0c0d0e0f");
    push(f, "0280"
            "000102030405060708090a0b0c0d0e0f");
    push(f, "0282" EOI);
    assert_int_equal(f->frames, 0);
    assert_int_equal(f->payload.counters.dropped, 1);
    push(f, "0283" SOI EOI);
    expect_frame(f, 1, SOI EOI, CAMERA_FRAME_GAP);
    finish(f);
}

static void a_still_image_is_not_part_of_the_film(void **state)
{
    struct fixture *f = begin();

    (void)state;
    push(f, "0280" SOI "01");
    push(f, "02a1" SOI "ee" EOI);
    push(f, "0282" EOI);
    expect_frame(f, 1, SOI "01" EOI, 0);
    finish(f);
}

static void bulk_payloads_may_span_transfers(void **state)
{
    struct fixture *f = begin();
    uint8_t bytes[16];

    (void)state;
    /* 12 bytes in all (the most a payload may have), in transfers of 8 and 4: ends by its size */
    payload_push_bulk(&f->payload, bytes, mock_hex("0280" SOI "01020304", bytes, 16), false, 12, 1);
    payload_push_bulk(&f->payload, bytes, mock_hex("05060708", bytes, 16), false, 12, 2);
    /* 6 bytes: ends with a transfer that is not full */
    payload_push_bulk(&f->payload, bytes,
                      mock_hex("0282"
                               "09" EOI,
                               bytes, 16),
                      true, 12, 3);
    expect_frame(f, 1, SOI "010203040506070809" EOI, 0);
    /* one of no length is none */
    payload_push_bulk(&f->payload, bytes, 0, true, 12, 4);
    payload_push_bulk(&f->payload, bytes, mock_hex("0283" SOI EOI, bytes, 16), true, 12, 5);
    expect_frame(f, 2, SOI EOI, 0);
    assert_int_equal(f->payload.counters.packets, 3);
    finish(f);
}

static void a_wiped_buffer_holds_nothing(void **state)
{
    struct fixture *f = begin();

    (void)state;
    push(f, "0282" SOI "4242" EOI);
    payload_reset(&f->payload);
    payload_wipe(&f->payload);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(f->payload.buffer[i], 0);
    finish(f);
}

static void noise_is_survived(void **state)
{
    struct fixture *f = begin();
    uint32_t seed = 1;

    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        uint8_t bytes[24];
        size_t len;

        for (size_t k = 0; k < sizeof(bytes); k++) {
            seed = seed * 1664525u + 1013904223u;
            bytes[k] = (uint8_t)(seed >> 24);
        }
        len = bytes[23] % 23;
        bytes[0] &= 0x0f;
        if (i % 3 == 0)
            payload_push_bulk(&f->payload, bytes, len, (bytes[22] & 1) != 0, 40, i);
        else
            payload_push(&f->payload, bytes, len, i);
    }
    assert_true(f->payload.counters.errors > 0);
    finish(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_ends_with_its_end_bit),
        cmocka_unit_test(a_frame_ends_when_the_id_toggles),
        cmocka_unit_test(longer_headers_are_stepped_over),
        cmocka_unit_test(bytes_after_the_end_belong_to_no_frame),
        cmocka_unit_test(a_frame_with_an_error_or_a_lost_packet_is_dropped),
        cmocka_unit_test(a_header_that_cannot_be_spoils_the_frame),
        cmocka_unit_test(a_frame_without_jpegs_end_is_flagged_and_padding_is_no_harm),
        cmocka_unit_test(what_begins_in_the_middle_is_no_frame),
        cmocka_unit_test(a_frame_bigger_than_announced_is_dropped),
        cmocka_unit_test(a_still_image_is_not_part_of_the_film),
        cmocka_unit_test(bulk_payloads_may_span_transfers),
        cmocka_unit_test(a_wiped_buffer_holds_nothing),
        cmocka_unit_test(noise_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
