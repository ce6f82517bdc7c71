/* uketsuke-ocr as the program it is: caged, on a socket, spoken to as the desk speaks. */
#include "program_rig.h"

#include "daemon/common/failure.h"
#include "daemon/common/memfd.h"
#include "daemon/common/secret.h"
#include "driver/reader/envelope.h"
#include "tests/sim/cardface/cardface.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VISIT 4711

struct stage {
    struct program_rig rig;
    struct msg_ocr_result last;
    unsigned answers;
};

static void on_message(void *arg, struct message *message)
{
    struct stage *stage = arg;

    assert_int_equal(message->type, MSG_OCR_RESULT);
    stage->last = message->body.ocr_result;
    stage->answers++;
}

static int set_up(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    const struct program_options options = {.program = "uketsuke-ocr",
                                            .socket = "ocr",
                                            .role = IPC_OCR,
                                            .config = "[lane 1]\nlabel = 1\n",
                                            .on_message = on_message,
                                            .arg = stage};

    assert_non_null(stage);
    program_rig_make(&stage->rig, &options);
    program_rig_begin(&stage->rig);
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;

    program_rig_stop(&stage->rig);
    free(stage);
    return 0;
}

/* Until it has answered so often; it must not hang up. */
static void await_answers(struct stage *stage, unsigned n)
{
    const uint64_t limit = program_rig_in(&stage->rig, 2 * PROGRAM_PATIENCE_MS);

    while (stage->answers < n) {
        assert_true(program_rig_turn(&stage->rig, limit));
        assert_true(stage->rig.open);
    }
}

static void a_card_is_read_inside_the_cage(void **state)
{
    struct stage *stage = *state;
    struct cardface *face = cardface_of_card("tests/sim/cards/franck.card", 1, 2, 1280, 720);
    struct msg_ocr_begin begin = {.visit = VISIT, .key = {.len = ENVELOPE_POINT}};
    const struct msg_ocr_end end = {.visit = VISIT};
    struct envelope_key *key;
    struct secret number;

    assert_non_null(face);
    assert_int_equal(envelope_key_new(&key, begin.key.data), 0);
    assert_true(program_rig_send(&stage->rig, MSG_OCR_BEGIN, &begin, -1));
    for (unsigned n = 0; stage->last.sealed.len == 0; n++) {
        uint8_t *jpeg;
        const size_t len = cardface_frame(face, n, &jpeg);
        const struct msg_ocr_frame frame = {.visit = VISIT,
                                            .frame = n,
                                            .format = 1,
                                            .width = 1280,
                                            .height = 720,
                                            .bytes = (uint32_t)len};
        const int fd = memfd_seal("frame", jpeg, len);

        free(jpeg);
        assert_true(n < 10 && fd >= 0);
        assert_true(program_rig_send(&stage->rig, MSG_OCR_FRAME, &frame, fd));
        (void)close(fd);
        await_answers(stage, n + 1);
    }
    assert_int_equal(stage->last.visit, VISIT);
    assert_int_equal(envelope_open(key, ENVELOPE_NUMBER_B, VISIT, stage->last.sealed.data,
                                   stage->last.sealed.len, &number),
                     0);
    assert_int_equal(number.len, 14);
    assert_memory_equal(number.data, face->person.number_b, 14);
    secret_free(&number);
    assert_true(program_rig_send(&stage->rig, MSG_OCR_END, &end, -1));
    envelope_key_free(&key);
    cardface_free(&face);
}

static void a_key_that_is_none_closes_the_connection(void **state)
{
    struct stage *stage = *state;
    const struct msg_ocr_begin begin = {.visit = VISIT, .key = {.len = 65, .data = {4, 1, 2, 3}}};
    const uint64_t limit = program_rig_in(&stage->rig, PROGRAM_PATIENCE_MS);

    assert_true(program_rig_send(&stage->rig, MSG_OCR_BEGIN, &begin, -1));
    while (stage->rig.losses == 0)
        assert_true(program_rig_turn(&stage->rig, limit));
}

static void a_frame_without_a_visit_has_its_answer(void **state)
{
    struct stage *stage = *state;
    const struct msg_ocr_frame frame = {
        .visit = 5, .frame = 9, .format = 1, .width = 64, .height = 64, .bytes = 4};
    const int fd = memfd_seal("frame", "none", 4);

    assert_true(program_rig_send(&stage->rig, MSG_OCR_FRAME, &frame, fd));
    (void)close(fd);
    await_answers(stage, 1);
    assert_int_equal(stage->last.frame, 9);
    assert_int_equal(stage->last.failure, FAILURE_CARD_FACE_UNREADABLE);
    assert_int_equal(stage->last.sealed.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_card_is_read_inside_the_cage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_that_is_none_closes_the_connection, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_frame_without_a_visit_has_its_answer, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
