/*
 * The lane's programs as they run at a counter: uketsuke-reader and uketsuke-broker on the simulated device over
 * USB/IP, every operation of the desk, every misfortune of the hardware.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/common/failure.h"
#include "daemon/common/memfd.h"
#include "daemon/common/visit.h"
#include "reader_rig.h"

#define STILL "franck_190.0_219x274+84+14_200x250_3000.jp2"

static struct reader_rig *rig;
static uint64_t visit = 1000;

static int up(void **state)
{
    (void)state;
    rig = reader_rig_start();
    return 0;
}

static int down(void **state)
{
    (void)state;
    reader_rig_stop(rig);
    return 0;
}

/* Before each: reader and camera usable, no card, counters full, no visit. */
static int clean(void **state)
{
    (void)state;
    reader_rig_sim(rig, "plug");
    reader_rig_sim(rig, "faults off");
    if (strstr(reader_rig_sim(rig, "status"), "card=- ") == NULL)
        reader_rig_sim(rig, "remove");
    reader_rig_sim(rig, "reset-counters franck");
    reader_rig_sim(rig, "camera franck");
    reader_rig_await_connection(rig, 10000);
    reader_rig_visit(rig, ++visit);
    reader_rig_await_state(rig, FAILURE_NONE, FAILURE_NONE, 0, 20000);
    return 0;
}

static void insert(const char *card)
{
    reader_rig_sim(rig, "insert %s", card);
    reader_rig_await_state(rig, FAILURE_NONE, FAILURE_NONE, 1, 5000);
}

static void ask_identify(void)
{
    const struct msg_card_identify body = {.visit = visit, .budget_ms = 10000};

    reader_rig_send(rig, MSG_CARD_IDENTIFY, &body);
}

static void ask_sign(const char *pin, uint8_t agreed)
{
    struct msg_card_sign body = {
        .visit = visit, .budget_ms = 10000, .last_try_agreed = agreed, .time = 1795339500};

    strcpy(body.institution, "9910000017");
    strcpy(body.purpose, "eligibility");
    body.sealed.len = reader_rig_seal(rig, "pin", pin, body.sealed.data, sizeof(body.sealed.data));
    reader_rig_send(rig, MSG_CARD_SIGN, &body);
}

static void ask_photo(const char *number_b, uint8_t agreed, uint8_t scanned)
{
    struct msg_card_photo body = {
        .visit = visit, .budget_ms = 20000, .few_tries_agreed = agreed, .scanned = scanned};

    body.sealed.len =
        reader_rig_seal(rig, "number-b", number_b, body.sealed.data, sizeof(body.sealed.data));
    reader_rig_send(rig, MSG_CARD_PHOTO, &body);
}

static struct msg_card_failed failure(uint16_t operation)
{
    struct msg_card_failed body = reader_rig_expect(rig, MSG_CARD_FAILED, 15000)->body.card_failed;

    assert_true(body.visit == visit);
    assert_int_equal(body.operation, operation);
    return body;
}

static void await_photo(bool compare)
{
    struct message *m = reader_rig_expect(rig, MSG_CARD_PHOTO_READ, 20000);
    uint8_t *still = malloc(65536);
    const uint8_t *photo = NULL;
    char path[4400];
    size_t len;
    FILE *file;

    assert_int_equal(memfd_map(m->fds[0], m->body.card_photo_read.photo_bytes, 65536, &photo), 0);
    if (compare) {
        snprintf(path, sizeof(path), "%s/stills/" STILL, reader_rig_sim_directory(rig));
        file = fopen(path, "rb");
        assert_non_null(file);
        len = fread(still, 1, 65536, file);
        fclose(file);
        assert_int_equal(len, m->body.card_photo_read.photo_bytes);
        assert_memory_equal(photo, still, len);
    }
    memfd_unmap(photo, m->body.card_photo_read.photo_bytes);
    close(m->fds[0]);
    free(still);
    assert_string_equal(m->body.card_photo_read.birth, reader_rig_card(rig, "franck", "birth"));
    assert_string_equal(m->body.card_photo_read.sex, reader_rig_card(rig, "franck", "sex"));
    assert_string_equal(m->body.card_photo_read.expiry, reader_rig_card(rig, "franck", "expiry"));
    assert_string_equal(m->body.card_photo_read.name, reader_rig_card(rig, "franck", "name"));
    assert_int_equal(m->body.card_photo_read.record, GENUINE_YES);
    assert_int_equal(m->body.card_photo_read.challenge, GENUINE_YES);
}

/* -- what a visit needs ------------------------------------------------------------------------ */

static void a_card_comes_and_goes(void **state)
{
    (void)state;
    insert("franck");
    reader_rig_sim(rig, "remove");
    reader_rig_await_state(rig, FAILURE_NONE, FAILURE_NONE, 0, 5000);
}

static void a_whole_visit_by_face_and_by_pin(void **state)
{
    struct message *m;

    (void)state;
    insert("franck");
    ask_identify();
    m = reader_rig_expect(rig, MSG_CARD_IDENTIFIED, 10000);
    assert_int_equal(m->body.card_identified.token, 1);
    assert_int_equal(m->body.card_identified.pin_tries, 3);
    assert_int_equal(m->body.card_identified.number_b_tries, 10);
    assert_int_equal(m->body.card_identified.certificate_chain, GENUINE_YES);
    print_message("identify: %u APDUs, %u ms\n", m->body.card_identified.apdus,
                  m->body.card_identified.elapsed_ms);
    ask_photo(reader_rig_card(rig, "franck", "number-b"), 0, 1);
    await_photo(true);
    assert_non_null(strstr(reader_rig_sim(rig, "status"), "powered=0"));
    ask_sign(reader_rig_card(rig, "franck", "pin"), 0);
    m = reader_rig_expect(rig, MSG_CARD_SIGNED, 10000);
    assert_int_equal(m->body.card_signed.pin_tries, 3);
    assert_int_equal(m->body.card_signed.signature.len, 256);
    assert_memory_equal(m->body.card_signed.statement.data,
                        "uketsuke statement v1\npurpose: eligibility\n", 43);
    assert_non_null(strstr(reader_rig_sim(rig, "status"), "powered=0"));
}

static void a_wrong_pin_then_the_right_one(void **state)
{
    struct msg_card_failed failed;

    (void)state;
    insert("franck");
    ask_sign("0000", 0);
    failed = failure(MSG_CARD_SIGN);
    assert_int_equal(failed.failure, FAILURE_PIN_WRONG);
    assert_int_equal(failed.tries, 2);
    assert_int_equal(failed.status_word, 0x63C2);
    ask_sign(reader_rig_card(rig, "franck", "pin"), 0);
    (void)reader_rig_expect(rig, MSG_CARD_SIGNED, 10000);
    assert_non_null(strstr(reader_rig_sim(rig, "counters franck"), "jpki.0018=3/3"));
}

static void counters_are_guarded(void **state)
{
    struct msg_card_failed failed;

    (void)state;
    insert("franck");
    reader_rig_sim(rig, "set-counter franck auth-pin 1");
    ask_sign("0000", 0);
    failed = failure(MSG_CARD_SIGN);
    assert_int_equal(failed.failure, FAILURE_PIN_LAST_TRY);
    assert_int_equal(failed.tries, 1);
    assert_non_null(strstr(reader_rig_sim(rig, "counters franck"), "jpki.0018=1/3"));
    reader_rig_sim(rig, "set-counter franck number-b 9");
    ask_photo(reader_rig_card(rig, "franck", "number-b"), 1, 1);
    failed = failure(MSG_CARD_PHOTO);
    assert_int_equal(failed.failure, FAILURE_NUMBER_B_FEW_TRIES);
    assert_int_equal(failed.tries, 9);
    assert_non_null(strstr(reader_rig_sim(rig, "counters franck"), "kenkaku.0012=9/10"));
    reader_rig_sim(rig, "set-counter franck number-b 0");
    ask_photo(reader_rig_card(rig, "franck", "number-b"), 1, 0);
    assert_int_equal(failure(MSG_CARD_PHOTO).failure, FAILURE_NUMBER_B_LOCKED);
}

static void every_made_card_is_told_for_what_it_is(void **state)
{
    static const struct {
        const char *card;
        uint16_t identify;
    } rows[] = {
        {"suica", FAILURE_CARD_NOT_MY_NUMBER}, {"old-juki", FAILURE_CARD_OLD_RESIDENT},
        {"android", FAILURE_CARD_PHONE},       {"next-gen", FAILURE_CARD_NEXT_GENERATION},
        {"mute", FAILURE_CARD_NOT_RECOGNISED}, {"other", FAILURE_NONE},
        {"expired-cert", FAILURE_NONE},        {"pinless", FAILURE_NONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        insert(rows[i].card);
        ask_identify();
        if (rows[i].identify != FAILURE_NONE)
            assert_int_equal(failure(MSG_CARD_IDENTIFY).failure, rows[i].identify);
        else
            (void)reader_rig_expect(rig, MSG_CARD_IDENTIFIED, 10000);
        reader_rig_sim(rig, "remove");
        reader_rig_await_state(rig, FAILURE_NONE, FAILURE_NONE, 0, 5000);
    }
}

static void what_does_not_open_is_not_sent(void **state)
{
    struct msg_card_sign body = {
        .visit = visit, .budget_ms = 5000, .institution = "9910000017", .purpose = "eligibility"};

    (void)state;
    insert("franck");
    reader_rig_send(rig, MSG_CARD_SIGN, &body); /* nothing sealed: this reader has no PIN pad */
    assert_int_equal(failure(MSG_CARD_SIGN).failure, FAILURE_PIN_UNREADABLE);
    body.sealed.len =
        reader_rig_seal(rig, "number-b", "1234", body.sealed.data, sizeof(body.sealed.data));
    reader_rig_send(rig, MSG_CARD_SIGN, &body);
    assert_int_equal(failure(MSG_CARD_SIGN).failure, FAILURE_PIN_UNREADABLE);
    ask_sign("12345", 1);
    assert_int_equal(failure(MSG_CARD_SIGN).failure, FAILURE_PIN_FORMAT);
    ask_photo("123", 1, 0);
    assert_int_equal(failure(MSG_CARD_PHOTO).failure, FAILURE_NUMBER_B_FORMAT);
    assert_non_null(strstr(reader_rig_sim(rig, "counters franck"), "jpki.0018=3/3"));
}

/* -- camera ------------------------------------------------------------------------------------ */

static void start_camera(uint8_t credit)
{
    const struct msg_camera_start body = {
        .visit = visit, .width = 640, .height = 480, .fps = 15, .credit = credit};

    reader_rig_send(rig, MSG_CAMERA_START, &body);
}

static struct msg_camera_frame frame(void)
{
    struct message *m = reader_rig_expect(rig, MSG_CAMERA_FRAME, 10000);
    struct msg_camera_frame body = m->body.camera_frame;
    const uint8_t *jpeg = NULL;

    assert_true(body.visit == visit);
    assert_int_equal(body.format, 1);
    assert_int_equal(memfd_map(m->fds[0], body.bytes, 4u << 20, &jpeg), 0);
    assert_memory_equal(jpeg, "\xFF\xD8\xFF", 3);
    memfd_unmap(jpeg, body.bytes);
    close(m->fds[0]);
    return body;
}

static void frames_flow_against_credit(void **state)
{
    const struct msg_camera_credit credit = {.visit = visit, .credit = 1};
    const struct msg_camera_stop stop = {.visit = visit};
    struct msg_camera_frame first, second, third;
    unsigned skipped = 0;

    (void)state;
    start_camera(2);
    first = frame();
    second = frame();
    assert_true(second.frame > first.frame);
    assert_int_equal(first.width, 640);
    assert_int_equal(first.height, 480);
    reader_rig_expect_none(rig, MSG_CAMERA_FRAME, 1000);
    /* The newest, those before it counted; on a machine that stood still there were few. */
    for (unsigned i = 0; i < 20 && skipped < 5; i++) {
        reader_rig_send(rig, MSG_CAMERA_CREDIT, &credit);
        third = frame();
        assert_true(third.captured_us > second.captured_us);
        assert_int_equal(third.frame, second.frame + third.skipped + 1);
        skipped += third.skipped;
        second = third;
        reader_rig_expect_none(rig, MSG_CAMERA_FRAME, 300);
    }
    assert_true(skipped >= 5);
    reader_rig_send(rig, MSG_CAMERA_STOP, &stop);
    reader_rig_send(rig, MSG_CAMERA_CREDIT, &credit);
    reader_rig_expect_none(rig, MSG_CAMERA_FRAME, 300);
    start_camera(1);
    (void)frame();
}

static void a_frozen_and_a_silent_camera_are_told(void **state)
{
    uint16_t told = FAILURE_CAMERA_SILENT;
    struct message *m;

    (void)state;
    /* On a machine that stands still for three seconds a frozen camera is a silent one as well. */
    for (int i = 0; i < 3 && told == FAILURE_CAMERA_SILENT; i++) {
        reader_rig_sim(rig, "camera franck");
        start_camera(200);
        (void)frame();
        reader_rig_sim(rig, "camera freeze");
        told = reader_rig_expect(rig, MSG_CAMERA_FAILED, 8000)->body.camera_failed.failure;
    }
    assert_int_equal(told, FAILURE_CAMERA_FROZEN);
    reader_rig_await_state(rig, FAILURE_NONE, FAILURE_CAMERA_FROZEN, 0, 2000);
    reader_rig_sim(rig, "camera off");
    start_camera(200);
    m = reader_rig_expect(rig, MSG_CAMERA_FAILED, 8000);
    assert_int_equal(m->body.camera_failed.failure, FAILURE_CAMERA_SILENT);
    reader_rig_sim(rig, "camera franck");
    start_camera(200);
    (void)frame();
    reader_rig_await_state(rig, FAILURE_NONE, FAILURE_NONE, 0, 4000);
}

/* -- misfortunes ------------------------------------------------------------------------------- */

static void a_card_pulled_at_any_apdu_of_a_photo(void **state)
{
    unsigned total;

    (void)state;
    insert("franck");
    ask_photo(reader_rig_card(rig, "franck", "number-b"), 0, 0);
    total = reader_rig_expect(rig, MSG_CARD_PHOTO_READ, 20000)->body.card_photo_read.apdus;
    print_message("photo: %u APDUs\n", total);
    reader_rig_sim(rig, "remove");
    reader_rig_await_state(rig, FAILURE_NONE, FAILURE_NONE, 0, 5000);
    for (unsigned at = 1; at <= total; at++) {
        insert("franck");
        reader_rig_sim(rig, "fault torn-in %u", at);
        ask_photo(reader_rig_card(rig, "franck", "number-b"), 1, 0);
        assert_int_equal(failure(MSG_CARD_PHOTO).failure, FAILURE_CARD_REMOVED);
        reader_rig_await_state(rig, FAILURE_NONE, FAILURE_NONE, 0, 5000);
        reader_rig_sim(rig, "faults off");
    }
    insert("franck");
    ask_photo(reader_rig_card(rig, "franck", "number-b"), 1, 0);
    await_photo(false);
}

static void a_cable_pulled_in_mid_operation(void **state)
{
    unsigned without;

    (void)state;
    insert("franck");
    start_camera(10);
    (void)frame();
    reader_rig_sim(rig, "fault unplug bulk-in 6");
    ask_photo(reader_rig_card(rig, "franck", "number-b"), 0, 0);
    assert_int_equal(reader_rig_expect(rig, MSG_CAMERA_FAILED, 5000)->body.camera_failed.failure,
                     FAILURE_CAMERA_ABSENT);
    assert_int_equal(failure(MSG_CARD_PHOTO).failure, FAILURE_READER_LOST);
    reader_rig_await_state(rig, FAILURE_READER_LOST, FAILURE_CAMERA_ABSENT, 0, 5000);
    ask_identify();
    assert_int_equal(failure(MSG_CARD_IDENTIFY).failure, FAILURE_READER_LOST);
    without = reader_rig_ready_without_card(rig);
    reader_rig_sim(rig, "plug");
    reader_rig_await_state(rig, FAILURE_NONE, FAILURE_NONE, 1, 15000);
    /* A card that lay there all the time is not told as one that was taken off and laid on. */
    assert_int_equal(reader_rig_ready_without_card(rig), without);
    ask_photo(reader_rig_card(rig, "franck", "number-b"), 1, 0);
    await_photo(false);
}

static void another_card_after_the_first_gets_no_pin(void **state)
{
    (void)state;
    insert("franck");
    ask_identify();
    (void)reader_rig_expect(rig, MSG_CARD_IDENTIFIED, 10000);
    reader_rig_sim(rig, "remove");
    reader_rig_await_state(rig, FAILURE_NONE, FAILURE_NONE, 0, 5000);
    reader_rig_sim(rig, "reset-counters other");
    insert("other");
    ask_sign("0000", 1);
    assert_int_equal(failure(MSG_CARD_SIGN).failure, FAILURE_CARD_REMOVED);
    assert_non_null(strstr(reader_rig_sim(rig, "counters other"), "jpki.0018=3/3"));
}

static void the_end_of_a_visit_stops_everything(void **state)
{
    const struct msg_visit_end end = {.visit = visit};

    (void)state;
    insert("franck");
    start_camera(10);
    ask_photo(reader_rig_card(rig, "franck", "number-b"), 0, 0);
    reader_rig_send(rig, MSG_VISIT_END, &end);
    /* and the next begins at once, with a card operation that has to wait for the old one's end */
    reader_rig_visit(rig, ++visit);
    ask_identify();
    (void)reader_rig_expect(rig, MSG_CARD_IDENTIFIED, 10000);
    reader_rig_expect_none(rig, MSG_CARD_FAILED, 300);
    reader_rig_expect_none(rig, MSG_CARD_PHOTO_READ, 100);
}

/* The reader's answer to the desk and its word to the device go two ways. */
static void await_power_off(void)
{
    for (unsigned i = 0; i < 100 && strstr(reader_rig_sim(rig, "status"), "powered=0") == NULL; i++)
        reader_rig_run_ms(rig, 50);
    assert_non_null(strstr(reader_rig_sim(rig, "status"), "powered=0"));
}

static void card_off_ends_an_operation_and_the_power(void **state)
{
    const struct msg_card_off off = {.visit = visit};

    (void)state;
    insert("franck");
    ask_photo(reader_rig_card(rig, "franck", "number-b"), 0, 0);
    reader_rig_send(rig, MSG_CARD_OFF, &off);
    assert_int_equal(failure(MSG_CARD_PHOTO).failure, FAILURE_VISIT_CANCELLED);
    await_power_off();
    ask_identify();
    (void)reader_rig_expect(rig, MSG_CARD_IDENTIFIED, 10000);
    reader_rig_send(rig, MSG_CARD_OFF, &off);
    await_power_off();
}

static void out_of_turn_the_connection_is_closed(void **state)
{
    const struct msg_card_identify other = {.visit = visit + 1, .budget_ms = 1000};
    struct msg_card_sign sign = {
        .visit = visit, .budget_ms = 1000, .institution = "99100", .purpose = "eligibility"};

    (void)state;
    reader_rig_send(rig, MSG_CARD_IDENTIFY, &other);
    reader_rig_await_refusal(rig, 3000);
    reader_rig_await_connection(rig, 5000);
    /* the visit went with the connection */
    ask_identify();
    reader_rig_await_refusal(rig, 3000);
    reader_rig_await_connection(rig, 5000);
    reader_rig_visit(rig, ++visit);
    insert("franck");
    ask_identify();
    ask_identify();
    reader_rig_await_refusal(rig, 3000);
    reader_rig_await_connection(rig, 5000);
    reader_rig_visit(rig, ++visit);
    start_camera(1);
    start_camera(1);
    reader_rig_await_refusal(rig, 3000);
    reader_rig_await_connection(rig, 5000);
    reader_rig_visit(rig, ++visit);
    sign.visit = visit;
    sign.sealed.len =
        reader_rig_seal(rig, "pin", "1234", sign.sealed.data, sizeof(sign.sealed.data));
    reader_rig_send(rig, MSG_CARD_SIGN, &sign);
    reader_rig_await_refusal(rig, 3000);
    assert_true(reader_rig_alive(rig, RIG_READER));
}

static void killed_programs_come_back_into_service(void **state)
{
    (void)state;
    insert("franck");
    reader_rig_kill(rig, RIG_READER);
    reader_rig_restart(rig, RIG_READER);
    reader_rig_run_ms(rig, 100);
    reader_rig_await_connection(rig, 10000);
    reader_rig_await_state(rig, FAILURE_NONE, FAILURE_NONE, 1, 15000);
    reader_rig_visit(rig, ++visit);
    ask_identify();
    (void)reader_rig_expect(rig, MSG_CARD_IDENTIFIED, 10000);
    /* without the broker the lane works on; a new one finds the device in use, or supplies it again */
    reader_rig_kill(rig, RIG_BROKER);
    ask_identify();
    (void)reader_rig_expect(rig, MSG_CARD_IDENTIFIED, 10000);
    reader_rig_restart(rig, RIG_BROKER);
    reader_rig_run_ms(rig, 1500);
    reader_rig_await_state(rig, FAILURE_NONE, FAILURE_NONE, 1, 15000);
    ask_identify();
    (void)reader_rig_expect(rig, MSG_CARD_IDENTIFIED, 10000);
}

static void the_broker_tells_what_is_there(void **state)
{
    struct msg_device_item item;
    uint8_t worst;

    (void)state;
    assert_int_equal(reader_rig_devices(rig, &item), 1);
    assert_int_equal(item.kind, reader_rig_on_bus(rig) ? 1 : 2);
    assert_int_equal(item.lane, 1);
    assert_int_equal(item.use, 3);
    assert_string_equal(item.holder, "uketsuke-reader");
    assert_string_equal(item.next, "");
    assert_true(reader_rig_health(rig, RIG_READER, &worst) >= 5);
    assert_true(worst <= 1);
    assert_true(reader_rig_health(rig, RIG_BROKER, &worst) >= 3);
    assert_true(worst <= 1);
    assert_true(reader_rig_alive(rig, RIG_READER));
    assert_true(reader_rig_alive(rig, RIG_BROKER));
}

#define TEST(name) cmocka_unit_test_setup(name, clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_card_comes_and_goes),
        TEST(a_whole_visit_by_face_and_by_pin),
        TEST(a_wrong_pin_then_the_right_one),
        TEST(counters_are_guarded),
        TEST(every_made_card_is_told_for_what_it_is),
        TEST(what_does_not_open_is_not_sent),
        TEST(frames_flow_against_credit),
        TEST(a_frozen_and_a_silent_camera_are_told),
        TEST(a_card_pulled_at_any_apdu_of_a_photo),
        TEST(a_cable_pulled_in_mid_operation),
        TEST(another_card_after_the_first_gets_no_pin),
        TEST(the_end_of_a_visit_stops_everything),
        TEST(card_off_ends_an_operation_and_the_power),
        TEST(out_of_turn_the_connection_is_closed),
        TEST(killed_programs_come_back_into_service),
        TEST(the_broker_tells_what_is_there),
    };

    return cmocka_run_group_tests(tests, up, down);
}
