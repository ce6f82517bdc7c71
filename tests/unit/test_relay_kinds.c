/*
 * One suite for every capability that is public, run through both kinds of upstream: the Web API
 * with the simulated service, and the folders with the simulated 資格確認端末. Both know the same
 * people (tests/sim/service/people).
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

#include "daemon/common/failure.h"
#include "daemon/common/question.h"

#include "relay_rig.h"

enum { ANSWERED = 0, NOT_SENT = 1, DOUBTFUL = 2, REFUSED = 3 };
enum { WEB, FOLDERS, KINDS };

#define RESULT "MessageBody/ResultList/ResultOfQualificationConfirmation/"
#define CAPABILITIES "by_numbers reference_number bulk documents"

static const struct rig_options options[KINDS] = {
    [WEB] = {.capabilities = CAPABILITIES},
    [FOLDERS] = {.capabilities = CAPABILITIES, .folders = true, .extra = "poll-seconds = 1"},
};

static unsigned asked; /* makes every correlation a new one */

static struct question_header header(void)
{
    static char correlation[32];

    (void)snprintf(correlation, sizeof(correlation), "K-%u", ++asked);
    return (struct question_header){"9910000017", "20261005", correlation};
}

/* people/shikaku.json and others, as a certificate shows them */
static const struct question_numbers shikaku = {
    .insurer = "990010", .symbol = "試験", .number = "2001", .branch = "01", .birth = "19640229"};
static const struct question_numbers nobody = {
    .insurer = "990010", .symbol = "試験", .number = "9999", .branch = "01", .birth = "19640229"};

static struct rig_answer ask(struct rig *rig, enum upstream_kind kind, struct xmlmsg *tree,
                             uint32_t ms)
{
    char correlation[51];
    struct rig_answer answer;
    uint64_t request;

    assert_non_null(tree);
    (void)snprintf(correlation, sizeof(correlation), "%s",
                   xmlmsg_get(tree, "MessageHeader/ArbitraryFileIdentifier"));
    request = rig_ask(rig, kind, false, ms, tree, correlation);
    xmlmsg_free(&tree);
    if (!rig_wait(rig, request, ms + PATIENCE_MS, &answer))
        fail_msg("no answer to %s", correlation);
    return answer;
}

static struct rig_answer ask_numbers(struct rig *rig, const struct question_numbers *numbers,
                                     uint32_t ms)
{
    struct question_header h = header();

    return ask(rig, UPSTREAM_BY_NUMBERS, question_by_numbers(&h, numbers), ms);
}

static void answered(const struct rig_answer *answer)
{
    if (answer->message.outcome != ANSWERED)
        fail_msg("outcome %d, %s", answer->message.outcome,
                 failure_text(answer->message.failure)->name);
    assert_non_null(answer->tree);
    assert_true(answer->raw_len > 0);
    assert_string_equal(xmlmsg_name(answer->tree), "XmlMsg");
    assert_string_equal(xmlmsg_get(answer->tree, "MessageHeader/MedicalInstitutionCode"),
                        "9910000017");
}

static void has(const struct rig_answer *answer, const char *path, const char *value)
{
    if (strcmp(xmlmsg_get(answer->tree, path), value) != 0)
        fail_msg("%s is \"%s\", wanted \"%s\"", path, xmlmsg_get(answer->tree, path), value);
}

#define EACH_KIND(kind, rig)                                                                       \
    for (int kind = 0; kind < KINDS; kind++)                                                       \
        for (struct rig *rig = rig_start(&options[kind]); rig != NULL; rig_stop(rig), rig = NULL)

static void entitlements_by_numbers(void **state)
{
    (void)state;
    EACH_KIND(kind, rig)
    {
        struct rig_answer a = ask_numbers(rig, &shikaku, 8000);

        answered(&a);
        has(&a, "MessageHeader/SegmentOfResult", "1");
        has(&a, "MessageBody/ProcessingResultStatus", "1");
        has(&a, "MessageBody/QualificationValidity", "1");
        has(&a, RESULT "Name", "架空　三郎");
        has(&a, RESULT "InsurerNumber", "  990010");
        rig_answer_free(&a);
        a = ask_numbers(rig, &nobody, 8000);
        answered(&a);
        has(&a, "MessageBody/QualificationValidity", "4");
        assert_false(xmlmsg_has(a.tree, RESULT "Name"));
        rig_answer_free(&a);
    }
}

/* CD006, as the person's file has it. */
static void every_validity_comes_as_it_is(void **state)
{
    static const char *const validities[] = {"1", "2", "3", "4", "5", "6"};

    (void)state;
    EACH_KIND(kind, rig)
    {
        for (size_t i = 0; i < sizeof(validities) / sizeof(validities[0]); i++) {
            struct rig_answer a;
            char line[80];

            (void)snprintf(line, sizeof(line), "person shikaku validity %s", validities[i]);
            rig_control(rig, line);
            a = ask_numbers(rig, &shikaku, 8000);
            answered(&a);
            has(&a, "MessageBody/QualificationValidity", validities[i]);
            rig_answer_free(&a);
        }
    }
}

static void the_other_two_levels_of_status(void **state)
{
    static const char *const segment[KINDS] = {"error segment OQC-OWSE0900000 busy",
                                               "error segment OQC-OWSE0900000"};
    static const char *const processing[KINDS] = {"error processing X1 wrong /search",
                                                  "error processing X1"};

    (void)state;
    EACH_KIND(kind, rig)
    {
        struct rig_answer a;

        rig_control(rig, segment[kind]);
        a = ask_numbers(rig, &shikaku, 8000);
        answered(&a);
        has(&a, "MessageHeader/SegmentOfResult", "9");
        has(&a, "MessageHeader/ErrorCode", "OQC-OWSE0900000");
        rig_answer_free(&a);
        rig_control(rig, "normal");
        rig_control(rig, processing[kind]);
        a = ask_numbers(rig, &shikaku, 8000);
        answered(&a);
        has(&a, "MessageBody/ProcessingResultStatus", "2");
        has(&a, "MessageBody/ProcessingResultCode", "X1");
        rig_answer_free(&a);
    }
}

static void a_reference_number_is_set_and_comes_back(void **state)
{
    (void)state;
    EACH_KIND(kind, rig)
    {
        struct question_header h = header();
        struct question_reference reference = {"PT000123", &shikaku};
        struct rig_answer a =
            ask(rig, UPSTREAM_REFERENCE_NUMBER, question_reference_number(&h, &reference), 8000);

        answered(&a);
        has(&a, "MessageBody/ProcessingResultStatus", "1");
        has(&a, "MessageBody/ReferenceNumberRegistrationInfo/ReferenceNumber", "PT000123");
        rig_answer_free(&a);
        a = ask_numbers(rig, &shikaku, 8000);
        answered(&a);
        has(&a, RESULT "ReferenceNumber", "PT000123");
        rig_answer_free(&a);
        h = header();
        reference.numbers = &nobody;
        a = ask(rig, UPSTREAM_REFERENCE_NUMBER, question_reference_number(&h, &reference), 8000);
        answered(&a);
        has(&a, "MessageBody/ProcessingResultStatus", "2");
        rig_answer_free(&a);
    }
}

static void many_at_once(void **state)
{
    struct question_numbers both[] = {shikaku, nobody};

    (void)state;
    both[0].identifier = "first";
    both[1].identifier = "second";
    EACH_KIND(kind, rig)
    {
        struct question_header h = header();
        struct question_reference references[] = {{"PT000777", &shikaku}, {"PT000778", &nobody}};
        const struct xmlmsg *unit;
        struct rig_answer a;

        if (kind == FOLDERS)
            rig_control(rig, "pending 2"); /* "still being worked on", twice */
        a = ask(rig, UPSTREAM_BULK, question_bulk(&h, both, 2), 20000);
        answered(&a);
        has(&a, "MessageHeader/SegmentOfResult", "1");
        has(&a, "MessageHeader/NumberOfProcessingResult", "2");
        has(&a, "MessageHeader/NumberOfError", "0");
        unit = xmlmsg_find(a.tree, "MessageBody/BulkConfirmUnit");
        assert_string_equal(xmlmsg_get(unit, "QualificationConfirmSearchInfo/ArbitraryIdentifier"),
                            "first");
        assert_string_equal(xmlmsg_get(unit, "QualificationValidity"), "1");
        assert_string_equal(xmlmsg_get(unit, "ResultOfQualificationConfirmation/Name"),
                            "架空　三郎");
        unit = xmlmsg_next(unit, "BulkConfirmUnit");
        assert_string_equal(xmlmsg_get(unit, "QualificationConfirmSearchInfo/ArbitraryIdentifier"),
                            "second");
        assert_string_equal(xmlmsg_get(unit, "QualificationValidity"), "4");
        assert_null(xmlmsg_next(unit, "BulkConfirmUnit"));
        rig_answer_free(&a);
        h = header();
        a = ask(rig, UPSTREAM_REFERENCE_BULK, question_reference_bulk(&h, references, 2), 20000);
        answered(&a);
        has(&a, "MessageHeader/NumberOfNormalProcessing", "1");
        has(&a, "MessageHeader/NumberOfError", "1");
        assert_true(
            xmlmsg_has(a.tree, "MessageBody/BulkRegistrationUnit/ReferenceNumberRegistrationInfo"));
        rig_answer_free(&a);
        if (kind == FOLDERS)
            assert_int_equal(rig_count(rig, "OQSmuquc02"), 3);
    }
}

static void tickets_of_a_month(void **state)
{
    (void)state;
    EACH_KIND(kind, rig)
    {
        struct question_header h = header();
        struct rig_answer a = ask(rig, UPSTREAM_TICKETS, question_tickets(&h, "202611"), 20000);

        answered(&a);
        has(&a, "MessageHeader/NumberOfProcessingResult", "1");
        has(&a,
            "MessageBody/BulkConfirmUnit/ResultOfQualificationConfirmation/PublicExpenseResultList/"
            "MedicalTicketInfo/IssueNumber",
            "0000001");
        has(&a,
            "MessageBody/BulkConfirmUnit/ResultOfQualificationConfirmation/PublicExpenseResultList/"
            "MedicalTicketInfo/TicketType",
            "01");
        rig_answer_free(&a);
    }
}

static void documents_only_under_a_live_consent(void **state)
{
    const int64_t now = time(NULL);
    const struct question_consent live = {"1", now + 3600}, over = {"1", now},
                                  none = {"0", now + 3600};
    struct question_header h = header();

    (void)state;
    assert_null(question_drugs(&h, &shikaku, &over, now, "20260901", "20260930"));
    assert_null(question_drugs(&h, &shikaku, &none, now, "20260901", "20260930"));
    assert_null(question_checkup(&h, &shikaku, &over, now));
    EACH_KIND(kind, rig)
    {
        struct rig_answer a;

        h = header();
        rig_until(rig, now + 3600);
        a = ask(rig, UPSTREAM_DRUGS,
                question_drugs(&h, &shikaku, &live, now, "20260901", "20260930"), 8000);
        answered(&a);
        has(&a, "MessageBody/ResultCode", "1");
        has(&a, "MessageBody/CzDiMonthInf/DateInf/DrugInf/DrugN", "見本錠５ｍｇ");
        rig_answer_free(&a);
        h = header();
        a = ask(rig, UPSTREAM_CHECKUP, question_checkup(&h, &shikaku, &live, now), 8000);
        answered(&a);
        has(&a,
            "MessageBody/SpecificHealthCheckupInfo/HealthCheckupResultAndQuestionInfos/ItemName",
            "身長");
        rig_answer_free(&a);
        /* The consent ended between the question's making and its sending: nothing goes out. */
        rig_until(rig, now - 1);
        h = header();
        a = ask(rig, UPSTREAM_DRUGS,
                question_drugs(&h, &shikaku, &live, now, "20260901", "20260930"), 8000);
        assert_int_equal(a.message.outcome, NOT_SENT);
        assert_int_equal(a.message.failure, FAILURE_ELIGIBILITY_CANNOT_ASK);
        rig_answer_free(&a);
        /* And while the answer is on its way: nobody gets it. */
        rig_until(rig, time(NULL) + 1);
        rig_control(rig, "slow 2500");
        h = header();
        a = ask(rig, UPSTREAM_DRUGS,
                question_drugs(&h, &shikaku, &live, now, "20260901", "20260930"), 8000);
        assert_int_equal(a.message.outcome, NOT_SENT);
        assert_int_equal(a.message.failure, FAILURE_ELIGIBILITY_CANNOT_ASK);
        assert_null(a.tree);
        rig_answer_free(&a);
    }
}

static void what_is_not_offered_is_not_sent(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        struct rig_options only = options[kind];
        struct question_header h = header();
        struct rig_answer a;
        struct rig *rig;

        only.capabilities = "by_numbers";
        rig = rig_start(&only);
        assert_int_equal(rig_state(rig)->capabilities, CAPABILITY_BY_NUMBERS);
        a = ask(rig, UPSTREAM_BULK, question_bulk(&h, &shikaku, 1), 4000);
        assert_int_equal(a.message.outcome, NOT_SENT);
        assert_int_equal(a.message.failure, FAILURE_ELIGIBILITY_CANNOT_ASK);
        rig_answer_free(&a);
        rig_stop(rig);
    }
}

/* What was sent and not answered: a read may be asked again, a write never is. */
static void silence_leaves_a_read_open_and_a_write_in_doubt(void **state)
{
    static const char *const silence[KINDS] = {"slow 20000", "lost"};
    static const char *const ledger[KINDS] = {"reference_number", "OQSsiimm01"};

    (void)state;
    EACH_KIND(kind, rig)
    {
        struct question_header h = header();
        const struct question_reference reference = {"PT000123", &shikaku};
        struct rig_answer a = ask_numbers(rig, &shikaku, 8000);

        answered(&a);
        rig_answer_free(&a);
        rig_control(rig, silence[kind]);
        a = ask_numbers(rig, &shikaku, 700);
        assert_int_equal(a.message.outcome, NOT_SENT);
        assert_int_equal(a.message.failure, FAILURE_ELIGIBILITY_SLOW);
        rig_answer_free(&a);
        a = ask(rig, UPSTREAM_REFERENCE_NUMBER, question_reference_number(&h, &reference), 700);
        assert_int_equal(a.message.outcome, DOUBTFUL);
        assert_int_equal(a.message.failure, FAILURE_ELIGIBILITY_DOUBTFUL);
        rig_answer_free(&a);
        assert_int_equal(kind == WEB ? rig_ledger(rig, ledger[kind]) : rig_count(rig, ledger[kind]),
                         1);
    }
}

static void more_than_one_at_a_time(void **state)
{
    (void)state;
    EACH_KIND(kind, rig)
    {
        uint64_t requests[30];

        for (size_t i = 0; i < 30; i++) {
            struct question_header h = header();
            struct xmlmsg *tree = question_by_numbers(&h, i % 2 == 0 ? &shikaku : &nobody);

            requests[i] = rig_ask(rig, UPSTREAM_BY_NUMBERS, false, 20000, tree, h.correlation);
            xmlmsg_free(&tree);
        }
        for (size_t i = 0; i < 30; i++) {
            struct rig_answer a;

            assert_true(rig_wait(rig, requests[i], PATIENCE_MS, &a));
            answered(&a);
            has(&a, "MessageBody/QualificationValidity", i % 2 == 0 ? "1" : "4");
            rig_answer_free(&a);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entitlements_by_numbers),
        cmocka_unit_test(every_validity_comes_as_it_is),
        cmocka_unit_test(the_other_two_levels_of_status),
        cmocka_unit_test(a_reference_number_is_set_and_comes_back),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(tickets_of_a_month),
        cmocka_unit_test(documents_only_under_a_live_consent),
        cmocka_unit_test(what_is_not_offered_is_not_sent),
        cmocka_unit_test(silence_leaves_a_read_open_and_a_write_in_doubt),
        cmocka_unit_test(more_than_one_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
