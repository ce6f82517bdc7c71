/*
 * The relay as it runs, in its cage, between a desk and the simulated eligibility service: good
 * days and bad. Who is known there, and as whom, stands in the service's own files
 * (tests/sim/service/people).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/common/failure.h"
#include "daemon/common/question.h"

#include "relay_rig.h"
#include "relay_tools.h"

enum { ANSWERED = 0, NOT_SENT = 1, DOUBTFUL = 2, REFUSED = 3 };

#define RESULT "MessageBody/ResultList/ResultOfQualificationConfirmation/"

static const struct question_header header = {"9910000017", "20261005", "RD-20261005-0001"};

static struct xmlmsg *card_question(struct xmlmsg *(*make)(const struct question_header *,
                                                           const struct question_card *))
{
    struct xmlmsg *tree = make(&header, &rig_card);

    assert_non_null(tree);
    return tree;
}

static struct rig_answer ask_within(struct rig *rig, uint32_t budget_ms)
{
    struct xmlmsg *tree = rig_question(&header, false);
    uint64_t request =
        rig_ask(rig, UPSTREAM_BY_NUMBERS, false, budget_ms, tree, header.correlation);
    struct rig_answer answer;

    xmlmsg_free(&tree);
    assert_true(rig_wait(rig, request, budget_ms + PATIENCE_MS, &answer));
    assert_int_equal(answer.message.visit, 77);
    return answer;
}

static struct rig_answer write_within(struct rig *rig, uint32_t budget_ms)
{
    struct xmlmsg *tree = card_question(question_register);
    uint64_t request = rig_ask(rig, UPSTREAM_REGISTER, true, budget_ms, tree, header.correlation);
    struct rig_answer answer;

    xmlmsg_free(&tree);
    assert_true(rig_wait(rig, request, budget_ms + PATIENCE_MS, &answer));
    return answer;
}

static void expect(struct rig_answer *answer, int outcome, int failure)
{
    if (answer->message.outcome != outcome || answer->message.failure != failure)
        fail_msg("outcome %d %s, wanted %d %s", answer->message.outcome,
                 failure_text(answer->message.failure)->name, outcome,
                 failure_text((uint16_t)failure)->name);
    assert_int_equal(answer->tree != NULL, outcome == ANSWERED);
}

static void ends(struct rig_answer answer, int outcome, int failure)
{
    expect(&answer, outcome, failure);
    rig_answer_free(&answer);
}

static void an_answer_comes_whole_with_its_raw_bytes(void **state)
{
    struct rig *rig = rig_start(NULL);
    struct rig_answer a = ask_within(rig, 8000);

    (void)state;
    expect(&a, ANSWERED, FAILURE_NONE);
    assert_int_equal(a.message.http_status, 200);
    assert_int_equal(a.message.attempts, 1);
    assert_string_equal(xmlmsg_get(a.tree, "MessageHeader/SegmentOfResult"), "1");
    assert_string_equal(xmlmsg_get(a.tree, "MessageHeader/ArbitraryFileIdentifier"),
                        "RD-20261005-0001");
    assert_string_equal(xmlmsg_get(a.tree, "MessageBody/ProcessingResultStatus"), "1");
    assert_string_equal(xmlmsg_get(a.tree, "MessageBody/QualificationValidity"), "1");
    assert_string_equal(xmlmsg_get(a.tree, RESULT "Name"), "架空　三郎");
    assert_string_equal(xmlmsg_get(a.tree, RESULT "Birthdate"), "19640229");
    assert_string_equal(xmlmsg_get(a.tree, RESULT "InsurerNumber"), "  990010");
    assert_non_null(strstr(a.raw, "架空　三郎"));
    assert_int_equal(strlen(a.raw), a.raw_len);
    rig_answer_free(&a);
    assert_int_equal(rig_ledger(rig, "search"), 1);
    assert_int_equal(rig_ledger(rig, "auth"), 1);
    /* A second question needs no second login. */
    a = ask_within(rig, 8000);
    expect(&a, ANSWERED, FAILURE_NONE);
    rig_answer_free(&a);
    assert_int_equal(rig_ledger(rig, "search"), 2);
    assert_int_equal(rig_ledger(rig, "auth"), 1);
    rig_stop(rig);
}

static void the_three_levels_of_status_are_passed_on_as_they_are(void **state)
{
    struct rig *rig = rig_start(NULL);
    struct rig_answer a;

    (void)state;
    rig_control(rig, "script 1 error segment OQC-OWSE0900000 busy /search");
    a = ask_within(rig, 8000);
    expect(&a, ANSWERED, FAILURE_NONE);
    assert_string_equal(xmlmsg_get(a.tree, "MessageHeader/SegmentOfResult"), "9");
    assert_string_equal(xmlmsg_get(a.tree, "MessageHeader/ErrorCode"), "OQC-OWSE0900000");
    rig_answer_free(&a);
    rig_control(rig, "script 1 error processing X1 wrong /search");
    a = ask_within(rig, 8000);
    expect(&a, ANSWERED, FAILURE_NONE);
    assert_string_equal(xmlmsg_get(a.tree, "MessageBody/ProcessingResultStatus"), "2");
    assert_string_equal(xmlmsg_get(a.tree, "MessageBody/ProcessingResultCode"), "X1");
    rig_answer_free(&a);
    rig_control(rig, "script 1 pending /search");
    a = ask_within(rig, 8000);
    expect(&a, ANSWERED, FAILURE_NONE);
    assert_string_equal(xmlmsg_get(a.tree, "MessageHeader/SegmentOfResult"), "2");
    rig_answer_free(&a);
    rig_stop(rig);
}

static void an_expired_token_is_renewed_and_the_question_repeated(void **state)
{
    struct rig *rig = rig_start(NULL);

    (void)state;
    ends(ask_within(rig, 8000), ANSWERED, FAILURE_NONE);
    rig_control(rig, "token-expire");
    {
        struct rig_answer a = ask_within(rig, 8000);

        expect(&a, ANSWERED, FAILURE_NONE);
        assert_int_equal(a.message.attempts, 2);
        rig_answer_free(&a);
    }
    assert_int_equal(rig_ledger(rig, "auth"), 2);
    /* For a writing request too: the 401 proves that nothing was done. */
    rig_control(rig, "token-expire");
    ends(write_within(rig, 8000), ANSWERED, FAILURE_NONE);
    assert_int_equal(rig_ledger(rig, "auth"), 3);
    assert_int_equal(rig_ledger(rig, "register"), 2);
    /* Refused with a fresh token: once is enough. */
    rig_control(rig, "status 401 /search");
    ends(ask_within(rig, 8000), REFUSED, FAILURE_ELIGIBILITY_REFUSED);
    assert_int_equal(rig_ledger(rig, "auth"), 4);
    rig_stop(rig);
}

static void a_token_is_renewed_before_its_end(void **state)
{
    const struct rig_options options = {.extra = "token-seconds = 6"};
    const uint64_t began = rig_now_ms();
    struct rig *rig = rig_start(&options);
    struct rig_answer none;
    unsigned logins;

    (void)state;
    /* 6 s less a margin of 5 s: about one a second, and no more. One that waits for the end of its
     * token needs 12 s for three. */
    do {
        assert_false(rig_wait(rig, 999, 500, &none));
        logins = rig_ledger(rig, "auth");
    } while (logins < 3 && rig_now_ms() - began < 11000);
    assert_in_range(logins, 3, (rig_now_ms() - began) / 1000 + 2);
    rig_stop(rig);
}

static void a_slow_service_ends_with_the_budget(void **state)
{
    struct rig *rig = rig_start(NULL);
    struct rig_answer a;

    (void)state;
    ends(ask_within(rig, 8000), ANSWERED, FAILURE_NONE);
    rig_control(rig, "slow 60000 /search");
    a = ask_within(rig, 4000);
    expect(&a, NOT_SENT, FAILURE_ELIGIBILITY_SLOW);
    assert_in_range(a.message.elapsed_ms, 3950, 30000); /* nobody waited for the service's 60 s */
    assert_int_equal(a.message.attempts, 1);            /* the first may still be worked on */
    rig_answer_free(&a);
    rig_control(rig, "drip 200 /search");
    ends(ask_within(rig, 4000), NOT_SENT, FAILURE_ELIGIBILITY_SLOW);
    /* Two that took their whole time: now nobody waits. */
    assert_true(rig_wait_state(rig, 2, FAILURE_ELIGIBILITY_SLOW, PATIENCE_MS));
    a = ask_within(rig, 5000);
    expect(&a, NOT_SENT, FAILURE_ELIGIBILITY_SLOW);
    assert_in_range(a.message.elapsed_ms, 0, 4000);
    assert_int_equal(a.message.attempts, 0);
    rig_answer_free(&a);
    rig_stop(rig);
}

static void an_outage_is_found_out_once_and_its_end_by_itself(void **state)
{
    struct rig *rig = rig_start(NULL);
    struct rig_answer a;

    (void)state;
    ends(ask_within(rig, 8000), ANSWERED, FAILURE_NONE);
    rig_control(rig, "down");
    a = ask_within(rig, 12000);
    expect(&a, NOT_SENT, FAILURE_ELIGIBILITY_UNREACHABLE);
    assert_in_range(a.message.elapsed_ms, 0, 11000);
    rig_answer_free(&a);
    assert_true(rig_wait_state(rig, 2, FAILURE_ELIGIBILITY_UNREACHABLE, PATIENCE_MS));
    for (int patient = 0; patient < 5; patient++) {
        a = ask_within(rig, 12000);
        expect(&a, NOT_SENT, FAILURE_ELIGIBILITY_UNREACHABLE);
        assert_in_range(a.message.elapsed_ms, 0, 4000);
        assert_int_equal(a.message.attempts, 0);
        rig_answer_free(&a);
    }
    rig_control(rig, "up");
    /* No patient is needed to find out: the relay looks for itself. */
    assert_true(rig_wait_state(rig, 0, FAILURE_NONE, PATIENCE_MS));
    ends(ask_within(rig, 8000), ANSWERED, FAILURE_NONE);
    rig_stop(rig);
}

static void a_read_is_repeated_when_its_connection_dies(void **state)
{
    struct rig *rig = rig_start(NULL);
    struct rig_answer a;

    (void)state;
    ends(ask_within(rig, 8000), ANSWERED, FAILURE_NONE);
    rig_control(rig, "script 1 status 503 /search");
    a = ask_within(rig, 8000);
    expect(&a, ANSWERED, FAILURE_NONE);
    assert_int_equal(a.message.attempts, 2);
    rig_answer_free(&a);
    rig_control(rig, "script 1 half /search");
    a = ask_within(rig, 8000);
    expect(&a, ANSWERED, FAILURE_NONE);
    assert_int_equal(a.message.attempts, 2);
    rig_answer_free(&a);
    rig_control(rig, "script 1 lost /search");
    ends(ask_within(rig, 8000), ANSWERED, FAILURE_NONE);
    rig_stop(rig);
}

static void a_writing_request_is_never_sent_twice_after_doubt(void **state)
{
    static const char *const losses[] = {
        "script 9 lost /register",    "script 9 half /register",
        "script 9 reset /register",   "script 9 status 503 /register",
        "script 9 garbage /register", "script 9 status 302 /register"};
    struct rig *rig = rig_start(NULL);
    unsigned before;

    (void)state;
    ends(write_within(rig, 8000), ANSWERED, FAILURE_NONE);
    for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
        rig_control(rig, "normal");
        /* An answer in between keeps the breaker closed. */
        ends(ask_within(rig, 8000), ANSWERED, FAILURE_NONE);
        rig_control(rig, losses[i]);
        before = rig_ledger(rig, "register");
        {
            struct rig_answer a = write_within(rig, 8000);

            assert_int_equal(a.message.outcome, DOUBTFUL);
            assert_int_equal(a.message.attempts, 1);
            rig_answer_free(&a);
        }
        assert_int_equal(rig_ledger(rig, "register"), before + 1);
    }
    rig_control(rig, "normal");
    rig_control(rig, "slow 20000 /register");
    before = rig_ledger(rig, "register");
    ends(write_within(rig, 2500), DOUBTFUL, FAILURE_ELIGIBILITY_DOUBTFUL);
    assert_in_range(rig_ledger(rig, "register"), before, before + 1);
    rig_control(rig, "normal");
    ends(ask_within(rig, 8000), ANSWERED, FAILURE_NONE);
    /* Nothing was sent: that is no doubt. */
    rig_control(rig, "down");
    ends(write_within(rig, 8000), NOT_SENT, FAILURE_ELIGIBILITY_UNREACHABLE);
    rig_stop(rig);
}

static void nonsense_is_refused_and_said_so(void **state)
{
    struct rig *rig = rig_start(NULL);

    (void)state;
    rig_control(rig, "garbage /search");
    ends(ask_within(rig, 8000), NOT_SENT, FAILURE_ELIGIBILITY_GARBLED);
    rig_control(rig, "redirect /search");
    ends(ask_within(rig, 8000), NOT_SENT, FAILURE_ELIGIBILITY_GARBLED);
    rig_control(rig, "huge 5000000 /search");
    ends(ask_within(rig, 8000), NOT_SENT, FAILURE_ELIGIBILITY_GARBLED);
    rig_control(rig, "endless /search");
    ends(ask_within(rig, 8000), NOT_SENT, FAILURE_ELIGIBILITY_GARBLED);
    rig_control(rig, "status 404 /search");
    ends(ask_within(rig, 8000), REFUSED, FAILURE_ELIGIBILITY_REQUEST_ERROR);
    rig_control(rig, "status 403 /search");
    ends(ask_within(rig, 8000), REFUSED, FAILURE_ELIGIBILITY_REFUSED);
    rig_control(rig, "normal");
    /* Half an answer each time: the breaker opens, and closes when the service is well again. */
    rig_control(rig, "half /search");
    ends(ask_within(rig, 8000), NOT_SENT, FAILURE_ELIGIBILITY_GARBLED);
    rig_control(rig, "normal");
    assert_true(rig_wait_state(rig, 2, FAILURE_ELIGIBILITY_GARBLED, PATIENCE_MS));
    assert_true(rig_wait_state(rig, 0, FAILURE_NONE, PATIENCE_MS));
    /* 3 MB of blanks behind a good answer are within the bounds. */
    rig_control(rig, "script 1 huge 3000000 /search");
    ends(ask_within(rig, 8000), ANSWERED, FAILURE_NONE);
    rig_stop(rig);
}

static void another_authority_or_host_is_not_believed(void **state)
{
    static const struct rig_options bad[] = {
        {.server = "wrong-server"}, {.server = "wrong-host"}, {.client = "wrong-client"}};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct rig *rig = rig_start(&bad[i]);
        struct rig_answer a = ask_within(rig, 6000);

        assert_int_equal(a.message.failure, FAILURE_ELIGIBILITY_REFUSED);
        assert_int_not_equal(a.message.outcome, ANSWERED);
        rig_answer_free(&a);
        assert_true(rig_wait_state(rig, 2, FAILURE_ELIGIBILITY_REFUSED, PATIENCE_MS));
        assert_int_equal(rig_ledger(rig, "search"), 0);
        rig_stop(rig);
    }
}

/* What libraries like to take from the environment: another way to the service, a file with TLS
 * secrets. */
static void the_environment_changes_no_connection(void **state)
{
    static const char keys[] = "/tmp/uketsuke-relay-test-tls-secrets";
    static const char *const environment[] = {
        "SSLKEYLOGFILE=/tmp/uketsuke-relay-test-tls-secrets",
        "https_proxy=http://127.0.0.1:1",
        "HTTPS_PROXY=http://127.0.0.1:1",
        "ALL_PROXY=socks5://127.0.0.1:1",
        "SSL_CERT_FILE=/dev/null",
        "SSL_CERT_DIR=/dev/null",
        NULL,
    };
    const struct rig_options options = {.environment = environment};
    struct rig *rig;

    (void)state;
    (void)unlink(keys);
    rig = rig_start(&options);
    ends(ask_within(rig, 8000), ANSWERED, FAILURE_NONE);
    rig_stop(rig);
    assert_int_equal(access(keys, F_OK), -1);
}

static void a_refused_password_is_not_tried_again_and_again(void **state)
{
    const struct rig_options options = {.password = "wrong"};
    struct rig *rig = rig_start(&options);
    struct msg_health_item item;

    (void)state;
    assert_true(rig_wait_state(rig, 0, FAILURE_ELIGIBILITY_REFUSED, PATIENCE_MS));
    for (int i = 0; i < 10; i++)
        ends(ask_within(rig, 3000), REFUSED, FAILURE_ELIGIBILITY_REFUSED);
    assert_int_equal(rig_ledger(rig, "auth"), 1);
    assert_in_range(rig_state(rig)->retry_ms, 20000, 60000);
    assert_true(rig_health(rig, "upstream token", &item));
    assert_int_equal(item.state, 2);
    rig_stop(rig);
}

static void what_the_upstream_does_not_offer_is_not_sent(void **state)
{
    const struct rig_options options = {.capabilities = "by_numbers"};
    struct rig *rig = rig_start(&options);
    struct xmlmsg *tree = card_question(question_card_session);
    struct rig_answer a;
    uint64_t request;

    (void)state;
    assert_int_equal(rig_state(rig)->capabilities, CAPABILITY_BY_NUMBERS);
    request = rig_ask(rig, UPSTREAM_CARD_SESSION, false, 5000, tree, "");
    assert_true(rig_wait(rig, request, PATIENCE_MS, &a));
    expect(&a, NOT_SENT, FAILURE_ELIGIBILITY_CANNOT_ASK);
    rig_answer_free(&a);
    assert_int_equal(rig_ledger(rig, "card_session"), 0);
    xmlmsg_free(&tree);
    rig_stop(rig);
}

static void the_extensions_reach_their_own_places(void **state)
{
    struct rig *rig = rig_start(NULL);
    struct xmlmsg *trees[] = {card_question(question_card_session),
                              card_question(question_consents), card_question(question_register)};
    static const enum upstream_kind kinds[] = {UPSTREAM_CARD_SESSION, UPSTREAM_CONSENTS,
                                               UPSTREAM_REGISTER};
    static const char *const names[] = {"card_session", "consents", "register"};

    (void)state;
    assert_int_equal(rig_state(rig)->capabilities, CAPABILITY_BY_NUMBERS | CAPABILITY_CARD_SESSION |
                                                       CAPABILITY_REGISTER | CAPABILITY_CONSENTS);
    for (size_t i = 0; i < 3; i++) {
        uint64_t request = rig_ask(rig, kinds[i], i > 0, 5000, trees[i], "");
        struct rig_answer a;

        assert_true(rig_wait(rig, request, PATIENCE_MS, &a));
        expect(&a, ANSWERED, FAILURE_NONE);
        /* What is no certificate: the service reads it and says so in the message itself. */
        assert_string_equal(xmlmsg_get(a.tree, "MessageBody/ProcessingResultCode"), "SIMPRC201");
        assert_int_equal(rig_ledger(rig, names[i]), 1);
        rig_answer_free(&a);
        xmlmsg_free(&trees[i]);
    }
    rig_stop(rig);
}

static void many_questions_at_once_are_all_answered(void **state)
{
    struct rig *rig = rig_start(NULL);
    struct xmlmsg *tree = rig_question(&header, false);
    uint64_t requests[60];

    (void)state;
    for (size_t i = 0; i < 60; i++)
        requests[i] = rig_ask(rig, UPSTREAM_BY_NUMBERS, false, 15000, tree, header.correlation);
    for (size_t i = 0; i < 60; i++) {
        struct rig_answer a;

        assert_true(rig_wait(rig, requests[i], PATIENCE_MS, &a));
        expect(&a, ANSWERED, FAILURE_NONE);
        rig_answer_free(&a);
    }
    assert_int_equal(rig_ledger(rig, "search"), 60);
    xmlmsg_free(&tree);
    rig_stop(rig);
}

static void more_questions_than_can_be_under_way_are_turned_away(void **state)
{
    struct rig *rig = rig_start(NULL);
    struct xmlmsg *tree = rig_question(&header, false);
    unsigned answered = 0, turned_away = 0;
    uint64_t first = 0;

    (void)state;
    rig_control(rig, "slow 4000 /search");
    for (size_t i = 0; i < 70; i++) {
        uint64_t request =
            rig_ask(rig, UPSTREAM_BY_NUMBERS, false, 30000, tree, header.correlation);

        if (i == 0)
            first = request;
    }
    for (size_t i = 0; i < 70; i++) {
        struct rig_answer a;

        /* Taken one by one: the helper keeps no more than 64 at a time. */
        assert_true(rig_wait(rig, first + (i + 64) % 70, PATIENCE_MS, &a));
        if (i == 5) /* those that were turned away are here: no place was free until now */
            rig_control(rig, "normal");
        if (a.message.outcome == ANSWERED)
            answered++;
        else
            turned_away++;
        rig_answer_free(&a);
    }
    assert_int_equal(answered, 64);
    assert_int_equal(turned_away, 6);
    xmlmsg_free(&tree);
    rig_stop(rig);
}

static void a_cancelled_read_ends_and_a_cancelled_write_does_not(void **state)
{
    struct rig *rig = rig_start(NULL);
    struct xmlmsg *read = rig_question(&header, false);
    struct xmlmsg *write = card_question(question_register);
    struct rig_answer a;
    uint64_t request;

    (void)state;
    ends(ask_within(rig, 8000), ANSWERED, FAILURE_NONE);
    rig_control(rig, "slow 5000");
    request = rig_ask(rig, UPSTREAM_BY_NUMBERS, false, 20000, read, "");
    assert_false(rig_wait(rig, request, 100, &a));
    rig_cancel(rig, request);
    assert_false(rig_wait(rig, request, 6500, &a)); /* when it would have been answered */
    request = rig_ask(rig, UPSTREAM_REGISTER, true, 20000, write, "");
    assert_false(rig_wait(rig, request, 100, &a));
    rig_cancel(rig, request);
    assert_true(rig_wait(rig, request, PATIENCE_MS, &a));
    expect(&a, ANSWERED, FAILURE_NONE);
    rig_answer_free(&a);
    xmlmsg_free(&read);
    xmlmsg_free(&write);
    rig_stop(rig);
}

static void a_desk_that_breaks_the_rules_is_cut_off(void **state)
{
    struct rig *rig = rig_start(NULL);
    struct msg_eligibility_ask ask = {.request = 1, .kind = UPSTREAM_BY_NUMBERS, .budget_ms = 1000};
    struct xmlmsg *tree = card_question(question_register);
    size_t len;
    int fd = xmlmsg_to_memfd(tree, &len);

    (void)state;
    assert_true(fd >= 0);
    assert_true(rig_send_raw(rig, MSG_ELIGIBILITY_ASK, &ask,
                             fd)); /* a registration that says it is a search */
    ask.kind = UPSTREAM_REGISTER;
    assert_int_equal(MESSAGE_TEXT(ask.correlation, "a\r\nEvil: 1"), 0);
    assert_true(rig_send_raw(rig, MSG_ELIGIBILITY_ASK, &ask, fd));
    assert_int_equal(MESSAGE_TEXT(ask.correlation, ""), 0);
    assert_true(rig_send_raw(rig, MSG_ELIGIBILITY_ASK, &ask, 2)); /* no sealed memory */
    ends(ask_within(rig, 8000), ANSWERED, FAILURE_NONE);
    xmlmsg_free(&tree);
    rig_stop(rig);
}

static void a_desk_that_goes_leaves_nothing_behind(void **state)
{
    struct rig *rig = rig_start(NULL);
    struct xmlmsg *write = card_question(question_register);
    struct rig_answer a;
    uint64_t until;

    (void)state;
    ends(ask_within(rig, 8000), ANSWERED, FAILURE_NONE);
    rig_control(rig, "slow 500");
    (void)rig_ask(rig, UPSTREAM_BY_NUMBERS, false, 5000, write,
                  ""); /* refused: closes the connection */
    assert_false(rig_wait(rig, 12345, 1000, &a));
    rig_connect(rig);
    (void)rig_ask(rig, UPSTREAM_REGISTER, true, 5000, write, "");
    assert_false(rig_wait(rig, 12345, 100, &a));
    rig_connect(rig); /* the old connection is dropped in the middle of it */
    until = rig_now_ms() + PATIENCE_MS;
    while (rig_ledger(rig, "register") == 0 && rig_now_ms() < until)
        assert_false(rig_wait(rig, 12345, 100, &a));
    assert_int_equal(rig_ledger(rig, "register"), 1);
    rig_control(rig, "normal");
    ends(ask_within(rig, 8000), ANSWERED, FAILURE_NONE);
    xmlmsg_free(&write);
    rig_stop(rig);
}

static void health_names_service_token_certificate_and_cage(void **state)
{
    struct rig *rig = rig_start(NULL);
    struct msg_health_item item;

    (void)state;
    ends(ask_within(rig, 8000), ANSWERED, FAILURE_NONE);
    assert_true(rig_health(rig, "upstream service", &item));
    assert_int_equal(item.state, 0);
    assert_true(rig_health(rig, "upstream token", &item));
    assert_int_equal(item.state, 0);
    assert_true(rig_health(rig, "certificate of main", &item));
    assert_int_equal(item.state, 0);
    /* make-pki.sh gives it at least 30 days and at most 730. */
    assert_in_range(rig_state(rig)->certificate_until, time(NULL) + 29 * 86400,
                    time(NULL) + 731 * 86400);
    assert_int_equal(item.until, rig_state(rig)->certificate_until);
    assert_true(rig_health(rig, "CA of main", &item));
    assert_in_range(item.until, time(NULL) + 29 * 86400, time(NULL) + 3700 * INT64_C(86400));
    assert_true(rig_health(rig, "cage of uketsuke-relay main", &item));
    assert_true(item.state < 2);
    assert_non_null(strstr(item.detail, "seccomp on"));
    rig_stop(rig);
}

static void the_log_holds_no_patient(void **state)
{
    static const char *const secrets[] = {"架空",     "三郎",   "試験",         "2001",
                                          "19640229", "990010", "sim-password", "Authorization"};
    struct rig *rig = rig_start(NULL);
    char *text;

    (void)state;
    ends(ask_within(rig, 8000), ANSWERED, FAILURE_NONE);
    rig_control(rig, "garbage /search");
    ends(ask_within(rig, 8000), NOT_SENT, FAILURE_ELIGIBILITY_GARBLED);
    text = rig_log(rig);
    assert_non_null(strstr(text, "question"));
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
        if (strstr(text, secrets[i]) != NULL)
            fail_msg("\"%s\" stands in the log", secrets[i]);
    free(text);
    rig_stop(rig);
}

static void a_dead_host_holds_up_neither_start_nor_end(void **state)
{
    const struct rig_options options = {.without_service = true};
    struct rig *rig = rig_start(&options);

    (void)state;
    ends(ask_within(rig, 10000), NOT_SENT, FAILURE_ELIGIBILITY_UNREACHABLE);
    assert_true(rig_wait_state(rig, 2, FAILURE_ELIGIBILITY_UNREACHABLE, PATIENCE_MS));
    rig_stop(rig);
}

/* The first name of 127.0.0.1 in /etc/hosts that curl does not know by itself. */
static bool name_of_loopback(char *name, size_t size)
{
    FILE *file = fopen("/etc/hosts", "re");
    char line[256], word[128];
    bool found = false;

    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL)
        found = sscanf(line, "127.0.0.1 %127s", word) == 1 && strstr(word, "localhost") == NULL &&
                snprintf(name, size, "%s", word) > 0;
    if (file != NULL)
        (void)fclose(file);
    return found;
}

static void names_are_looked_up_inside_the_cage(void **state)
{
    char name[128];
    struct rig_options options = {.host = name};
    struct rig *rig;
    struct rig_answer a;

    (void)state;
    if (!name_of_loopback(name, sizeof(name)))
        skip(); /* this machine has only "localhost" */
    rig = rig_start(&options);
    a = ask_within(rig, 5000);
    /* Found and spoken to: its certificate is for another name. */
    assert_int_equal(a.message.failure, FAILURE_ELIGIBILITY_REFUSED);
    rig_answer_free(&a);
    rig_stop(rig);
}

static void a_name_that_is_not_found_is_an_outage(void **state)
{
    const struct rig_options options = {.host = "no-such-host.invalid", .connect_seconds = 1};
    struct rig *rig = rig_start(&options);

    (void)state;
    ends(ask_within(rig, 8000), NOT_SENT, FAILURE_ELIGIBILITY_UNREACHABLE);
    rig_stop(rig);
}

static void a_wrong_configuration_is_said_in_plain_words(void **state)
{
    static const struct {
        const char *lines;
        const char *wanted;
    } rows[] = {
        {"auth-url = http://127.0.0.1/auth\n", "auth-url"},
        {"auth-url = https://user@host/auth\n", "auth-url"},
        {"auth-url = https://h/a\n", "search-url"},
        {"auth-url = https://h/a\nsearch-url = https://h/s\n", "ca: "},
        {"auth-url = https://h/a\nsearch-url = https://h/s\nca = /dev/null\ncertificate = "
         "/dev/null\n",
         "ca = /dev/null"},
        {"auth-url = https://h/a\nsearch-url = https://h/s\ncapabilities = by_numbers face_files\n",
         "bulk"},
        {"auth-url = https://h/a\nsearch-url = https://h/s\ncapabilities = by_numbers register\n",
         "extension-url"},
        {"kind = folders\n", "folder: "},
    };
    char config[2048], output[4096], pem[256], key[256], ca[256];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)snprintf(config, sizeof(config),
                       "[desk]\ninstitution = 9910000017\n[upstream main]\n%s", rows[i].lines);
        assert_int_equal(rig_run_relay(config, "--try-cage", output, sizeof(output)), 1);
        if (strstr(output, rows[i].wanted) == NULL)
            fail_msg("%s: %s", rows[i].lines, output);
    }
    /* The key of another certificate. */
    (void)snprintf(
        config, sizeof(config),
        "[desk]\ninstitution = 9910000017\n[upstream main]\nauth-url = https://h/a\n"
        "search-url = https://h/s\nca = %s\ncertificate = %s\nkey = %s\npassword-file = %s\n",
        rig_pki("ca.pem", ca, sizeof(ca)), rig_pki("client.pem", pem, sizeof(pem)),
        rig_pki("wrong-client.key", key, sizeof(key)), key);
    assert_int_equal(rig_run_relay(config, "--try-cage", output, sizeof(output)), 1);
    assert_non_null(strstr(output, "is not the key of the certificate"));
}

static void the_cage_refuses_what_the_relay_never_needs(void **state)
{
    char config[2048], output[8192], pem[256], key[256], ca[256],
        password[] = "/tmp/uketsuke-relay-XXXXXX";
    int fd = mkstemp(password);
    int status;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "word\n", 5), 5);
    (void)close(fd);
    (void)snprintf(
        config, sizeof(config),
        "[desk]\ninstitution = 9910000017\n[upstream main]\nauth-url = https://h/a\n"
        "search-url = https://h/s\nca = %s\ncertificate = %s\nkey = %s\npassword-file = %s\n",
        rig_pki("ca.pem", ca, sizeof(ca)), rig_pki("client.pem", pem, sizeof(pem)),
        rig_pki("client.key", key, sizeof(key)), password);
    status = rig_run_relay(config, "--try-cage", output, sizeof(output));
    (void)unlink(password);
    if (status != 0)
        fail_msg("%s", output);
    assert_non_null(strstr(output, "refused"));
    assert_null(strstr(output, "ALLOWED"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_whole_with_its_raw_bytes),
        cmocka_unit_test(the_three_levels_of_status_are_passed_on_as_they_are),
        cmocka_unit_test(an_expired_token_is_renewed_and_the_question_repeated),
        cmocka_unit_test(a_token_is_renewed_before_its_end),
        cmocka_unit_test(a_slow_service_ends_with_the_budget),
        cmocka_unit_test(an_outage_is_found_out_once_and_its_end_by_itself),
        cmocka_unit_test(a_read_is_repeated_when_its_connection_dies),
        cmocka_unit_test(a_writing_request_is_never_sent_twice_after_doubt),
        cmocka_unit_test(nonsense_is_refused_and_said_so),
        cmocka_unit_test(another_authority_or_host_is_not_believed),
        cmocka_unit_test(the_environment_changes_no_connection),
        cmocka_unit_test(a_refused_password_is_not_tried_again_and_again),
        cmocka_unit_test(what_the_upstream_does_not_offer_is_not_sent),
        cmocka_unit_test(the_extensions_reach_their_own_places),
        cmocka_unit_test(many_questions_at_once_are_all_answered),
        cmocka_unit_test(more_questions_than_can_be_under_way_are_turned_away),
        cmocka_unit_test(a_cancelled_read_ends_and_a_cancelled_write_does_not),
        cmocka_unit_test(a_desk_that_breaks_the_rules_is_cut_off),
        cmocka_unit_test(a_desk_that_goes_leaves_nothing_behind),
        cmocka_unit_test(health_names_service_token_certificate_and_cage),
        cmocka_unit_test(the_log_holds_no_patient),
        cmocka_unit_test(a_dead_host_holds_up_neither_start_nor_end),
        cmocka_unit_test(names_are_looked_up_inside_the_cage),
        cmocka_unit_test(a_name_that_is_not_found_is_an_outage),
        cmocka_unit_test(a_wrong_configuration_is_said_in_plain_words),
        cmocka_unit_test(the_cage_refuses_what_the_relay_never_needs),
    };

    cmocka_set_test_filter(getenv("UKETSUKE_TEST")); /* one of them: UKETSUKE_TEST=a_slow_* */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
