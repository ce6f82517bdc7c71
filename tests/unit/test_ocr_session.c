/* From camera frames to a sealed number: generated card faces, the reader's own opening side of the
 * envelope. */
#include "daemon/common/clock.h"
#include "daemon/common/failure.h"
#include "daemon/common/memfd.h"
#include "daemon/common/secret.h"
#include "daemon/ocr/session.h"
#include "driver/reader/envelope.h"
#include "tests/sim/cardface/cardface.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

#include <cmocka.h>

#define VISIT 77
#define NOON_2026_06_01 UINT64_C(1780282800) /* date -u -d '2026-06-01 03:00' +%s */
#define WAIT_US (60u * 1000000u)

struct stage {
    sd_event *loop;
    struct clock *clock;
    struct pool *pool;
    struct session *session;
    struct envelope_key *key;
    uint8_t point[ENVELOPE_POINT];
    struct msg_ocr_result last;
    unsigned answers;
};

static void on_answer(void *arg, const struct msg_ocr_result *result)
{
    struct stage *stage = arg;

    stage->last = *result;
    stage->answers++;
}

static int set_up(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));

    assert_non_null(stage);
    assert_true(sd_event_new(&stage->loop) >= 0);
    stage->clock = clock_new_simulated(1, NOON_2026_06_01 * CLOCK_SECOND);
    assert_non_null(stage->clock);
    assert_int_equal(pool_new(&stage->pool, stage->loop, 1), 0);
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;

    pool_free(&stage->pool);
    clock_free(&stage->clock);
    sd_event_unref(stage->loop);
    free(stage);
    return 0;
}

static void begin(struct stage *stage)
{
    stage->answers = 0;
    assert_int_equal(envelope_key_new(&stage->key, stage->point), 0);
    assert_int_equal(session_new(&stage->session, stage->pool, stage->clock, VISIT, stage->point,
                                 on_answer, stage),
                     0);
}

static void end(struct stage *stage)
{
    session_free(&stage->session);
    envelope_key_free(&stage->key);
}

static void wait_answers(struct stage *stage, unsigned n)
{
    while (stage->answers < n)
        assert_true(sd_event_run(stage->loop, WAIT_US) > 0);
}

static void send_bytes(struct stage *stage, uint32_t number, uint8_t format, const void *data,
                       size_t len)
{
    const struct msg_ocr_frame frame = {.visit = VISIT,
                                        .frame = number,
                                        .format = format,
                                        .width = 640,
                                        .height = 480,
                                        .bytes = (uint32_t)len};

    session_frame(stage->session, &frame, memfd_seal("frame", data, len));
}

static void send_frame(struct stage *stage, const struct cardface *face, unsigned n)
{
    uint8_t *jpeg;
    const size_t len = cardface_frame(face, n, &jpeg);

    assert_true(len > 0);
    send_bytes(stage, n, 1, jpeg, len);
    free(jpeg);
}

static void the_number_comes_sealed_to_the_reader(void **state)
{
    struct stage *stage = *state;
    struct cardface *face = cardface_new(1000, 0, 0, CARDFACE_RIGHT, 1280, 720, 20260601);
    struct secret number;
    unsigned n = 0;

    assert_non_null(face);
    begin(stage);
    do {
        assert_true(n < 8);
        send_frame(stage, face, n);
        wait_answers(stage, ++n);
        assert_int_equal(stage->last.visit, VISIT);
        assert_int_equal(stage->last.frame, n - 1);
        if (stage->last.sealed.len == 0)
            assert_int_equal(stage->last.failure, FAILURE_CARD_FACE_UNREADABLE);
    } while (stage->last.sealed.len == 0);
    /* never from a single frame */
    assert_true(n >= 3);
    assert_int_equal(stage->last.failure, FAILURE_NONE);
    assert_int_equal(envelope_open(stage->key, ENVELOPE_NUMBER_B, VISIT + 1,
                                   stage->last.sealed.data, stage->last.sealed.len, &number),
                     -EBADMSG);
    assert_int_equal(envelope_open(stage->key, ENVELOPE_PIN, VISIT, stage->last.sealed.data,
                                   stage->last.sealed.len, &number),
                     -EBADMSG);
    assert_int_equal(envelope_open(stage->key, ENVELOPE_NUMBER_B, VISIT, stage->last.sealed.data,
                                   stage->last.sealed.len, &number),
                     0);
    assert_int_equal(number.len, 14);
    assert_memory_equal(number.data, face->person.number_b, 14);
    secret_free(&number);
    /* once is enough */
    send_frame(stage, face, n);
    wait_answers(stage, n + 1);
    assert_int_equal(stage->last.sealed.len, 0);
    end(stage);
    cardface_free(&face);
}

static void a_frozen_picture_votes_once(void **state)
{
    struct stage *stage = *state;
    struct cardface *face = cardface_new(1000, 0, 0, CARDFACE_RIGHT, 1280, 720, 20260601);

    assert_non_null(face);
    begin(stage);
    for (unsigned n = 0; n < 6; n++) {
        send_frame(stage, face, 0);
        wait_answers(stage, n + 1);
        assert_int_equal(stage->last.sealed.len, 0);
    }
    end(stage);
    cardface_free(&face);
}

/* What stands on these faces can be read and must not be offered. */
static void faces_that_cannot_be_right_give_nothing(void **state)
{
    static const enum cardface_fault faults[] = {CARDFACE_GREGORIAN, CARDFACE_NOT_BIRTHDAY,
                                                 CARDFACE_NO_SUCH_DATE, CARDFACE_OTHER_CARD};
    struct stage *stage = *state;

    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct cardface *face = cardface_new(1000, 0, 0, faults[i], 1280, 720, 20260601);

        assert_non_null(face);
        begin(stage);
        for (unsigned n = 0; n < 4; n++) {
            send_frame(stage, face, n);
            wait_answers(stage, n + 1);
            assert_int_equal(stage->last.sealed.len, 0);
            assert_int_equal(stage->last.failure, FAILURE_CARD_FACE_UNREADABLE);
        }
        end(stage);
        cardface_free(&face);
    }
}

static void damaged_frames_cost_a_reason(void **state)
{
    static const uint8_t progressive[] = {0xff, 0xd8, 0xff, 0xc2, 0, 11,   8,    1, 0, 1,
                                          0,    1,    1,    0x11, 0, 0xff, 0xda, 0, 2};
    struct stage *stage = *state;
    struct cardface *face = cardface_new(1000, 0, 0, CARDFACE_RIGHT, 1280, 720, 20260601);
    static uint8_t grey[640 * 480 * 2];
    unsigned n = 0;
    uint8_t *jpeg;
    size_t len;

    assert_non_null(face);
    begin(stage);
    send_bytes(stage, 0, 1, "no picture", 10);
    wait_answers(stage, ++n);
    assert_int_equal(stage->last.failure, FAILURE_FACE_FRAME_UNREADABLE);
    send_bytes(stage, 1, 1, progressive, sizeof(progressive));
    wait_answers(stage, ++n);
    assert_int_equal(stage->last.failure, FAILURE_FACE_FRAME_UNREADABLE);
    send_bytes(stage, 2, 3, grey, sizeof(grey));
    wait_answers(stage, ++n);
    assert_int_equal(stage->last.failure, FAILURE_FACE_FRAME_UNREADABLE);
    send_bytes(stage, 3, 2, grey, sizeof(grey) - 2);
    wait_answers(stage, ++n);
    assert_int_equal(stage->last.failure, FAILURE_FACE_FRAME_UNREADABLE);
    /* a picture without a card */
    send_bytes(stage, 4, 2, grey, sizeof(grey));
    wait_answers(stage, ++n);
    assert_int_equal(stage->last.failure, FAILURE_CARD_FACE_UNREADABLE);
    /* a frame cut at every sixteenth of its length */
    len = cardface_frame(face, 0, &jpeg);
    for (unsigned part = 1; part < 16; part++) {
        send_bytes(stage, 4 + part, 1, jpeg, len * part / 16);
        wait_answers(stage, ++n);
        assert_int_equal(stage->last.sealed.len, 0);
    }
    free(jpeg);
    end(stage);
    cardface_free(&face);
}

/* Frames wait two at most; the oldest goes, with its answer; an end in the middle is clean. */
static void a_flood_is_answered_and_an_end_drops_the_rest(void **state)
{
    struct stage *stage = *state;
    struct cardface *face = cardface_new(1000, 0, 0, CARDFACE_RIGHT, 1280, 720, 20260601);

    assert_non_null(face);
    begin(stage);
    for (unsigned n = 0; n < 6; n++)
        send_frame(stage, face, n);
    assert_int_equal(stage->answers, 3);
    assert_int_equal(stage->last.failure, FAILURE_DESK_BUSY);
    wait_answers(stage, 6);
    send_frame(stage, face, 7);
    end(stage);
    cardface_free(&face);
}

static void a_key_off_the_curve_begins_nothing(void **state)
{
    struct stage *stage = *state;
    uint8_t point[SEAL_POINT] = {4, 1, 2, 3};

    assert_int_equal(
        session_new(&stage->session, stage->pool, stage->clock, VISIT, point, on_answer, stage),
        -EINVAL);
    assert_null(stage->session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_number_comes_sealed_to_the_reader),
        cmocka_unit_test(a_frozen_picture_votes_once),
        cmocka_unit_test(faces_that_cannot_be_right_give_nothing),
        cmocka_unit_test(damaged_frames_cost_a_reason),
        cmocka_unit_test(a_flood_is_answered_and_an_end_drops_the_rest),
        cmocka_unit_test(a_key_off_the_curve_begins_nothing),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
