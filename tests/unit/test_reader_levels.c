/*
 * The same visits over readers of every level, and over readers with a PIN pad: uketsuke-reader as it runs, on
 * the simulated device over USB/IP. At the TPDU levels the simulator is the card's end of T=1 and T=0 and knows
 * nothing of ours.
 */
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
#include "daemon/common/visit.h"
#include "reader_rig.h"

static struct reader_rig *rig;
static uint64_t visit = 5000;

static void start(const char *level, bool pin_pad)
{
    rig = reader_rig_start_with(level, pin_pad);
    reader_rig_visit(rig, ++visit);
    reader_rig_await_state(rig, FAILURE_NONE, FAILURE_NONE, 0, 20000);
    reader_rig_await_pin_pad(rig, pin_pad, 1000);
    reader_rig_sim(rig, "reset-counters franck");
    reader_rig_sim(rig, "insert franck");
    reader_rig_await_state(rig, FAILURE_NONE, FAILURE_NONE, 1, 5000);
}

static void stop(void)
{
    reader_rig_stop(rig);
}

static void ask_sign(const char *pin, uint8_t agreed, uint32_t budget_ms)
{
    struct msg_card_sign body = {
        .visit = visit, .budget_ms = budget_ms, .last_try_agreed = agreed, .time = 1795339500};

    strcpy(body.institution, "9910000017");
    strcpy(body.purpose, "eligibility");
    if (pin != NULL)
        body.sealed.len =
            reader_rig_seal(rig, "pin", pin, body.sealed.data, sizeof(body.sealed.data));
    reader_rig_send(rig, MSG_CARD_SIGN, &body);
}

static void ask_photo(void)
{
    struct msg_card_photo body = {.visit = visit, .budget_ms = 20000};

    body.sealed.len = reader_rig_seal(rig, "number-b", reader_rig_card(rig, "franck", "number-b"),
                                      body.sealed.data, sizeof(body.sealed.data));
    reader_rig_send(rig, MSG_CARD_PHOTO, &body);
}

static void ask_identify(void)
{
    const struct msg_card_identify body = {.visit = visit, .budget_ms = 10000};

    reader_rig_send(rig, MSG_CARD_IDENTIFY, &body);
}

static void expect_photo(void)
{
    struct message *m = reader_rig_expect(rig, MSG_CARD_PHOTO_READ, 20000);

    assert_string_equal(m->body.card_photo_read.birth, reader_rig_card(rig, "franck", "birth"));
    assert_string_equal(m->body.card_photo_read.name, reader_rig_card(rig, "franck", "name"));
    assert_int_equal(m->body.card_photo_read.record, GENUINE_YES);
    assert_int_equal(m->body.card_photo_read.challenge, GENUINE_YES);
    close(m->fds[0]);
}

static void expect_signed(void)
{
    struct message *m = reader_rig_expect(rig, MSG_CARD_SIGNED, 15000);

    assert_int_equal(m->body.card_signed.signature.len, 256);
    assert_int_equal(m->body.card_signed.pin_tries, 3);
}

static struct msg_card_failed failure(uint16_t operation)
{
    struct msg_card_failed body = reader_rig_expect(rig, MSG_CARD_FAILED, 15000)->body.card_failed;

    assert_int_equal(body.operation, operation);
    return body;
}

static void counter_is(const char *text)
{
    assert_non_null(strstr(reader_rig_sim(rig, "counters franck"), text));
}

/* -- every level ------------------------------------------------------------------------------- */

static void visits_over(const char *level)
{
    struct message *m;

    start(level, false);
    ask_identify();
    m = reader_rig_expect(rig, MSG_CARD_IDENTIFIED, 10000);
    assert_int_equal(m->body.card_identified.pin_tries, 3);
    assert_int_equal(m->body.card_identified.certificate_chain, GENUINE_YES);
    print_message("%s identify: %u APDUs, %u ms\n", level, m->body.card_identified.apdus,
                  m->body.card_identified.elapsed_ms);
    ask_photo();
    expect_photo();
    assert_non_null(strstr(reader_rig_sim(rig, "status"), "powered=0"));
    ask_sign("0000", 0, 10000);
    assert_int_equal(failure(MSG_CARD_SIGN).failure, FAILURE_PIN_WRONG);
    ask_sign(reader_rig_card(rig, "franck", "pin"), 0, 10000);
    expect_signed();
    counter_is("jpki.0018=3/3");
    stop();
}

static void a_whole_visit_over_short_apdus(void **state)
{
    (void)state;
    visits_over("short");
}

static void a_whole_visit_over_blocks(void **state)
{
    (void)state;
    visits_over("tpdu-t1");
}

static void a_whole_visit_over_characters(void **state)
{
    (void)state;
    visits_over("tpdu-t0");
}

static void a_whole_visit_over_a_reader_that_leaves_all_to_the_host(void **state)
{
    (void)state;
    visits_over("tpdu-bare");
}

static void cards_without_the_protocol_are_told_apart(void **state)
{
    static const struct {
        const char *card;
        uint16_t failure;
    } rows[] = {{"mute", FAILURE_CARD_NOT_RECOGNISED}, {"next-gen", FAILURE_CARD_NEXT_GENERATION}};

    (void)state;
    start("tpdu-t1", false);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        reader_rig_sim(rig, "remove");
        reader_rig_await_state(rig, FAILURE_NONE, FAILURE_NONE, 0, 5000);
        reader_rig_sim(rig, "insert %s", rows[i].card);
        reader_rig_await_state(rig, FAILURE_NONE, FAILURE_NONE, 1, 5000);
        ask_identify();
        assert_int_equal(failure(MSG_CARD_IDENTIFY).failure, rows[i].failure);
    }
    stop();
}

/* Each kind of trouble at each block of a signature: it ends well, or as trouble; never with a try lost. */
static void any_block_of_a_signature_may_go_wrong(void **state)
{
    static const struct {
        const char *kind, *argument;
    } rows[] = {{"block-lost", ""},    {"block-silent", ""}, {"block-damaged", ""},
                {"block-refused", ""}, {"block-old", ""},    {"block-wtx", " 3"},
                {"block-ifs", " 16"},  {"block-abort", ""}};
    unsigned blocks, at, cells = 0, repaired = 0;
    struct message *m;
    const char *text;

    (void)state;
    start("tpdu-t1", false);
    ask_sign(reader_rig_card(rig, "franck", "pin"), 0, 10000);
    expect_signed();
    text = strstr(reader_rig_sim(rig, "apdus"), "blocks=");
    assert_non_null(text);
    blocks = (unsigned)strtoul(text + 7, NULL, 10);
    assert_in_range(blocks, 10, 40);
    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
        for (at = 1; at <= blocks; at++) {
            bool signed_well;

            reader_rig_sim(rig, "fault %s %u%s", rows[k].kind, at, rows[k].argument);
            ask_sign(reader_rig_card(rig, "franck", "pin"), 0, 10000);
            m = reader_rig_expect_either(rig, MSG_CARD_SIGNED, MSG_CARD_FAILED, 15000);
            signed_well = m->type == MSG_CARD_SIGNED;
            /* Only a card that gives up itself is not served to the end. */
            if (!signed_well &&
                (k != 7 || m->body.card_failed.failure != FAILURE_CARD_NOT_RECOGNISED))
                fail_msg("%s %u: failure %u", rows[k].kind, at, m->body.card_failed.failure);
            cells++;
            repaired += signed_well;
            reader_rig_sim(rig, "faults off");
            counter_is("jpki.0018=3/3");
        }
    print_message("%u cells, %u ended with a signature\n", cells, repaired);
    assert_int_equal(cells, 8 * blocks);
    assert_true(repaired >= 7 * blocks);
    stop();
}

static void a_card_pulled_at_any_apdu_of_a_signature(void **state)
{
    (void)state;
    start("tpdu-t1", false);
    for (unsigned at = 1; at <= 7; at++) {
        reader_rig_sim(rig, "fault torn-in %u", at);
        ask_sign(reader_rig_card(rig, "franck", "pin"), 0, 10000);
        assert_int_equal(failure(MSG_CARD_SIGN).failure, FAILURE_CARD_REMOVED);
        reader_rig_await_state(rig, FAILURE_NONE, FAILURE_NONE, 0, 5000);
        reader_rig_sim(rig, "faults off");
        reader_rig_sim(rig, "insert franck");
        reader_rig_await_state(rig, FAILURE_NONE, FAILURE_NONE, 1, 5000);
    }
    ask_sign(reader_rig_card(rig, "franck", "pin"), 0, 10000);
    expect_signed();
    stop();
}

/* -- PIN pads ---------------------------------------------------------------------------------- */

static void pin_pad_over(const char *level)
{
    struct msg_card_failed failed;

    start(level, true);
    reader_rig_sim(rig, "keys %s", reader_rig_card(rig, "franck", "pin"));
    ask_sign(NULL, 0, 30000);
    expect_signed();
    counter_is("jpki.0018=3/3");
    reader_rig_sim(rig, "keys 0000");
    ask_sign(NULL, 0, 30000);
    failed = failure(MSG_CARD_SIGN);
    assert_int_equal(failed.failure, FAILURE_PIN_WRONG);
    assert_int_equal(failed.tries, 2);
    assert_int_equal(failed.status_word, 0x63C2);
    /* neither of these reaches the card */
    reader_rig_sim(rig, "keys cancel");
    ask_sign(NULL, 0, 30000);
    assert_int_equal(failure(MSG_CARD_SIGN).failure, FAILURE_PIN_FORMAT);
    reader_rig_sim(rig, "keys timeout");
    ask_sign(NULL, 0, 30000);
    assert_int_equal(failure(MSG_CARD_SIGN).failure, FAILURE_PIN_FORMAT);
    counter_is("jpki.0018=2/3");
    /* the last try is nobody's to take but the patient's */
    reader_rig_sim(rig, "set-counter franck auth-pin 1");
    reader_rig_sim(rig, "keys 0000");
    ask_sign(NULL, 0, 30000);
    assert_int_equal(failure(MSG_CARD_SIGN).failure, FAILURE_PIN_LAST_TRY);
    counter_is("jpki.0018=1/3");
    ask_sign(NULL, 1, 30000);
    assert_int_equal(failure(MSG_CARD_SIGN).failure, FAILURE_PIN_LOCKED);
    ask_sign(NULL, 1, 30000);
    assert_int_equal(failure(MSG_CARD_SIGN).failure, FAILURE_PIN_LOCKED);
    counter_is("jpki.0018=0/3");
    reader_rig_sim(rig, "reset-counters franck");
    /* a sealed PIN is still taken */
    ask_sign(reader_rig_card(rig, "franck", "pin"), 0, 10000);
    expect_signed();
    stop();
}

static void a_pin_keyed_in_at_a_reader_of_the_extended_level(void **state)
{
    (void)state;
    pin_pad_over("extended");
}

static void a_pin_keyed_in_at_a_reader_that_speaks_blocks(void **state)
{
    (void)state;
    pin_pad_over("tpdu-t1");
}

static void a_pin_keyed_in_at_a_reader_that_speaks_characters(void **state)
{
    (void)state;
    pin_pad_over("tpdu-t0");
}

static void a_reader_that_lies_about_its_pad_is_one_without(void **state)
{
    (void)state;
    start("tpdu-t1", true);
    reader_rig_sim(rig, "keys refuse");
    ask_sign(NULL, 0, 30000);
    assert_int_equal(failure(MSG_CARD_SIGN).failure, FAILURE_PIN_UNREADABLE);
    reader_rig_await_pin_pad(rig, false, 2000);
    counter_is("jpki.0018=3/3");
    ask_sign(NULL, 0, 30000);
    assert_int_equal(failure(MSG_CARD_SIGN).failure, FAILURE_PIN_UNREADABLE);
    ask_sign(reader_rig_card(rig, "franck", "pin"), 0, 10000);
    expect_signed();
    stop();
}

static void an_entry_that_nobody_makes_ends_when_nobody_waits_for_it(void **state)
{
    const struct msg_card_off off = {.visit = visit + 1};

    (void)state;
    start("extended", true);
    reader_rig_sim(rig, "keys wait");
    ask_sign(NULL, 0, 30000);
    reader_rig_expect_none(rig, MSG_CARD_FAILED, 700);
    reader_rig_send(rig, MSG_CARD_OFF, &off);
    assert_int_equal(failure(MSG_CARD_SIGN).failure, FAILURE_VISIT_CANCELLED);
    counter_is("jpki.0018=3/3");
    /* and the reader's own end comes before ours */
    ask_sign(NULL, 0, 5000);
    assert_int_equal(failure(MSG_CARD_SIGN).failure, FAILURE_PIN_FORMAT);
    reader_rig_sim(rig, "keys %s", reader_rig_card(rig, "franck", "pin"));
    ask_sign(NULL, 0, 30000);
    expect_signed();
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_visit_over_short_apdus),
        cmocka_unit_test(a_whole_visit_over_blocks),
        cmocka_unit_test(a_whole_visit_over_characters),
        cmocka_unit_test(a_whole_visit_over_a_reader_that_leaves_all_to_the_host),
        cmocka_unit_test(cards_without_the_protocol_are_told_apart),
        cmocka_unit_test(any_block_of_a_signature_may_go_wrong),
        cmocka_unit_test(a_card_pulled_at_any_apdu_of_a_signature),
        cmocka_unit_test(a_pin_keyed_in_at_a_reader_of_the_extended_level),
        cmocka_unit_test(a_pin_keyed_in_at_a_reader_that_speaks_blocks),
        cmocka_unit_test(a_pin_keyed_in_at_a_reader_that_speaks_characters),
        cmocka_unit_test(a_reader_that_lies_about_its_pad_is_one_without),
        cmocka_unit_test(an_entry_that_nobody_makes_ends_when_nobody_waits_for_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
